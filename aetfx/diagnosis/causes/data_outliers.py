"""A few gross values that own the loss."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import asked, clipping_lines, scaling_lines


class Outliers(Cause):
    code = "data.outliers"
    title = "Gross outliers"
    meaning = "A few cells far from all others own a squared loss, and the model bends to them instead of to the rest."
    order = 23

    def admit(self, case: Case) -> Admission:
        if case.recipe.preprocessing.get("outliers", "none") != "none":
            return Admission.no("outliers are already clipped")
        found = [finding for finding in case.found("data.outliers") if finding.severity != "info"]
        if not found:
            return Admission.no("no cells beyond robust fences that a heavy tail would not explain")
        return Admission.yes(*(finding.message for finding in found[:3]))

    def experiments(self, case: Case) -> list[Experiment]:
        clipped = {**case.recipe.preprocessing, "outliers": "clip"}
        clip_code = clipping_lines(case)
        experiments = [
            Experiment(
                self.code,
                case.recipe.changed(name="outliers=clip", preprocessing=clipped),
                remedy="Clip each column to its fences, fitted on the train rows.",
                keras=clip_code,
                study={"preprocessing.outliers": "clip"},
            )
        ]
        scaling = case.recipe.preprocessing.get("scaling", "none")
        if scaling in ("standard", "minmax") and not case.architecture.output_range.bounded:
            # Mean, sd and extremes were fitted with the outliers in; quartiles do not see them.
            experiments.append(
                Experiment(
                    self.code,
                    case.recipe.changed(
                        name="outliers=clip,scaling=robust", preprocessing={**clipped, "scaling": "robust"}
                    ),
                    remedy="Clip each column to its fences and scale by median and quartiles.",
                    keras=f"{clip_code}\n{scaling_lines('robust', 'column', asked(case, case.recipe))}",
                    study={"preprocessing.outliers": "clip", "preprocessing.scaling": "robust"},
                )
            )
        if case.squeezed:
            kind = case.scaling_kind
            spec = {**clipped, "scaling": kind, "scope": "column"}
            recipe = case.recipe.changed(name=f"outliers=clip,scaling={kind}", preprocessing=spec)
            experiments.append(
                Experiment(
                    self.code,
                    recipe,
                    remedy="Clip each column to its fences before its scale is fitted, which the outliers set here.",
                    keras=f"{clip_code}\n{scaling_lines(kind, 'column', asked(case, recipe))}",
                    study={"preprocessing.outliers": "clip", "preprocessing.scaling": kind},
                )
            )
        if case.recipe.loss_name == "mse":
            experiments.append(
                Experiment(
                    self.code,
                    case.recipe.with_loss("huber").changed(name="loss=huber"),
                    remedy="Use the Huber loss, which grows linearly for large errors.",
                    keras='model.compile(optimizer=..., loss="huber")',
                    study={"training.loss": "huber"},
                )
            )
        return experiments
