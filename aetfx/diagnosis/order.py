"""Rows in an order that means something: held out at random, they are easier than what comes next (METHOD, 2)."""

from __future__ import annotations

from dataclasses import dataclass

from aetfx.diagnosis.case import Case

_MATTERS = 1.1  # times the score of rows held out at random: two trainings differ by less


@dataclass(frozen=True)
class RowOrder:
    """Scores of the user's recipe on as many held-out rows, drawn by hash and from the end."""

    by_hash: float
    tail: float

    @property
    def sentence(self) -> str:
        """Says it in words."""
        matters = self.tail > _MATTERS * self.by_hash
        return (
            f"The rows are in an order{'' if matters else ', which hardly matters'}: held out at random they score "
            f"{self.by_hash:.3f}, the last of them, after training on those before, {self.tail:.3f}."
            + (" Hold out a tail if the model is for rows that come later." if matters else "")
        )


def row_order(case: Case) -> RowOrder | None:
    """Trains the recipe once more with the last rows held out; None where their order says nothing or eval is given."""
    if not case.found("data.row_order") or not case.lab.resplits:
        return None
    tail = case.lab.trial(case.recipe.changed(name="held out: tail", rows="tail"))
    return RowOrder(case.lab.score(case.trial, "held_out").value, case.lab.score(tail, "held_out").value)
