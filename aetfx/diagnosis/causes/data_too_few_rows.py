"""Fewer rows than the model needs, and nothing but more of them would help."""

from __future__ import annotations

from aetfx.comparison.row_changes import added, share, with_select
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.learning_curve import SHARES, TIMES
from aetfx.training.feed import updates_per_epoch
from aetfx.training.recipe import Recipe


class TooFewRows(Cause):
    """Never screened: its experiments take rows away, and `diagnosis.more_rows` reads off them what more would give."""

    code = "data.too_few_rows"
    title = "Too few rows"
    meaning = (
        "The train rows show too little of what there is, and no regularisation makes up for those that are missing."
    )
    order = 25
    generous = True
    screened = False

    def admit(self, case: Case) -> Admission:
        seen = f"score {case.train_score:.3f} on {case.n_train:,} train rows, {case.select_score:.3f} on held-out rows"
        if case.trial.diverged or case.overfit_ratio <= case.thresholds.overfit_ratio:
            return Admission.no(f"no overfitting: {seen}")
        return Admission.yes(seen)

    def experiments(self, case: Case) -> list[Experiment]:
        return [
            Experiment(
                self.code,
                part_of_rows(case, part),
                remedy="Collect about as many rows again, of the same kind.",
                keras="x_train = np.concatenate([x_train, more_rows])",
                shortenable=False,
            )
            for part in SHARES[:-1]
        ]


def part_of_rows(case: Case, part: float, draw: int = 0) -> Recipe:
    """Returns the recipe on a part of its train rows, with as many updates.

    Args:
      case: of the step.
      part: of the rows.
      draw: which rows.
    """
    return _on_rows(case, part, share(part, draw))


def times_the_rows(case: Case) -> dict[float, Recipe]:
    """Returns the recipe on twice and on four times its train rows, with as many updates, where select has as many.

    None where it has not, where select has a say in the training, or was told from the train rows: what rows of another
    kind gain is no question of how many there are.
    """
    recipe = case.recipe
    if case.lab.resplits or case.lab.reserve or recipe.early_stopping:
        return {}
    at_hand = len(case.lab.split(0, recipe.rows).select)
    return {n: _on_rows(case, n, with_select(int(n) - 1)) for n in TIMES if at_hand >= (n - 1) * case.n_train}


def _on_rows(case: Case, times: float, change: str) -> Recipe:
    recipe, n_rows = case.recipe, max(1, round(times * case.n_train))
    longer = updates_per_epoch(case.n_train, recipe.batch_size) / updates_per_epoch(n_rows, recipe.batch_size)
    return recipe.changed(
        name=f"rows={times:g}", rows=added(recipe.rows, change), epochs=max(1, round(recipe.epochs * longer))
    )
