"""A few gross values that own the loss."""

from __future__ import annotations

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import asked, clipping_lines, scaling_lines
from aetfx.evaluation import columns

_LEFT = 0.5  # share of its spread that is left to a column without its gross cells, where these set the scale
_NEAR = 0.05  # of a standard deviation to 1, and of the extremes to 0 and 1, where rows came scaled


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
        scope = _scope_of_scale(case)
        if scope is not None:
            kind = case.rescaling_kind
            spec = {**clipped, "scaling": kind, "scope": scope}
            recipe = case.recipe.changed(name=f"outliers=clip,scaling={kind}", preprocessing=spec)
            experiments.append(
                Experiment(
                    self.code,
                    recipe,
                    remedy="Clip each column to its fences before a scale is fitted, which the outliers set here.",
                    keras=f"{clip_code}\n{scaling_lines(kind, scope, asked(case, recipe))}",
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


def _scope_of_scale(case: Case) -> str | None:
    """Returns "column" or "pooled", as the rows came scaled, where gross cells set their scale; None otherwise."""
    if case.squeezed:
        return "column"
    fences = columns.as_fences(case.lab.fences)
    if case.is_table or fences is None or case.recipe.preprocessing.get("scaling", "none") != "none":
        return None
    # A scale was fitted on all the rows there are; with gross cells in it, it is another one of a part of them.
    rows = columns.flatten(case.lab.rows)
    rows = np.where(np.isfinite(rows), rows, np.nan)
    gross = columns.crossed(rows, fences)
    if not gross.any():
        return None
    low, high = fences
    kept = rows[:, gross].clip(low[gross], high[gross])
    if np.median(np.nanstd(kept, axis=0) / np.nanstd(rows[:, gross], axis=0)) > _LEFT:
        return None
    varied = rows[:, np.nanmax(rows, axis=0, initial=-np.inf) > np.nanmin(rows, axis=0, initial=np.inf)]
    if _is_scaled(varied, axis=0):
        return "column"
    return "pooled" if _is_scaled(varied, axis=None) else None


def _is_scaled(rows: np.ndarray, axis: int | None) -> bool:
    """Whether rows have a standard deviation of 1, or lie between 0 and 1, each column or all together."""
    low, high = np.nanmin(rows, axis=axis), np.nanmax(rows, axis=axis)
    standard = np.abs(np.nanstd(rows, axis=axis) - 1).max() <= _NEAR
    return bool(standard or (np.min(low) >= -_NEAR and np.abs(high - 1).max() <= _NEAR))
