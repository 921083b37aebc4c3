"""`fit(x, y)` with the wrong `y`."""

from __future__ import annotations

import numpy as np

from aetfx.data.targets import Relation
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import fit_line

_TURNED_ALIKE = (
    "turns = rng.integers(4, size=len(x_train))  # one draw for both, and likewise where rows are mirrored\n"
    "x_train, y_train = (\n"
    "    np.stack([np.rot90(row, turn) for row, turn in zip(rows, turns)]) for rows in (x_train, y_train)\n"
    ")"
)


class TargetMismatch(Cause):
    code = "code.target_mismatch"
    title = "Targets that are not the inputs"
    meaning = "fit() asks for something else back than what goes in, so that what goes in cannot come out."
    order = 10

    def admit(self, case: Case) -> Admission:
        part = case.lab.split().part("train")
        if case.recipe.target != "given" or part.targets is part.inputs:
            return Admission.no("the targets are the inputs")
        if not case.lab.scores_inputs and not case.lab.relation.asks_others:
            return Admission.no(case.lab.relation.sentence)
        return Admission.yes(case.lab.relation.sentence)

    def experiments(self, case: Case) -> list[Experiment]:
        if case.lab.relation.kind == "rescaled":
            recipe = case.recipe.changed(name="target=rescaled", target="rescaled")
            remedy = "Bring the targets to the scale of the inputs, before noise is added to these."
            return [Experiment(self.code, recipe, remedy, f"{_rescaled(case.lab.relation)}\n{fit_line(case, recipe)}")]
        if case.lab.relation.kind == "turned apart":
            recipe = case.recipe.changed(name="target=turned", target="turned")
            remedy = "Draw once for both how an input and its target are turned or mirrored."
            return [Experiment(self.code, recipe, remedy, f"{_TURNED_ALIKE}\n{fit_line(case, recipe)}")]
        recipe = case.recipe.changed(name="target=input", target="input")
        return [
            Experiment(
                self.code,
                recipe,
                remedy="Ask the inputs themselves back.",
                keras=fit_line(case, recipe),
                study={"data.target": "input"},
            )
        ]


def _rescaled(found: Relation) -> str:
    if np.size(found.scale) > 1:
        return "y_train, y_val = (scaler.transform(y) for y in (y_train, y_val))  # the scaler of the inputs"
    scale, offset = float(found.scale), float(found.offset)
    moved = f"{scale:.4g} * y {'-' if offset < 0 else '+'} {abs(offset):.4g}"
    return f"y_train, y_val = ({moved} for y in (y_train, y_val))"
