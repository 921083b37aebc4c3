"""`fit(x, y)` with the wrong `y`."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import fit_line


class TargetMismatch(Cause):
    code = "code.target_mismatch"
    title = "Targets that are not the inputs"
    meaning = "fit() asks for something else back than what goes in, so that what goes in cannot come out."
    order = 10

    def admit(self, case: Case) -> Admission:
        part = case.lab.split().part("train")
        if case.recipe.target == "input" or part.targets is part.inputs:
            return Admission.no("the targets are the inputs")
        if not case.lab.scores_inputs:
            return Admission.no("each target resembles its own input, as in denoising")
        return Admission.yes(case.lab.relation.sentence)

    def experiments(self, case: Case) -> list[Experiment]:
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
