"""Cells that are NaN, infinite, or a number that stands for "missing"."""

from __future__ import annotations

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.words import percent


class Missing(Cause):
    code = "data.missing"
    title = "Missing values"
    meaning = "Missing cells poison the loss (NaN) or are learnt as if they were measurements (sentinels such as -999)."
    order = 20

    def admit(self, case: Case) -> Admission:
        if case.recipe.preprocessing.get("missing", "none") != "none":
            return Admission.no(f"missing cells are already filled ({case.recipe.preprocessing['missing']})")
        rows = case.train_part.inputs
        cells = ~np.isfinite(rows).reshape(len(rows), -1)
        nothing = cells.all(axis=0) | (case.dropped_columns & cells.any(axis=0))
        cells = cells & ~nothing  # a column without any value is a constant one
        missing = int(cells.sum())
        evidence = []
        if missing:
            columns = int(cells.any(axis=0).sum())
            evidence.append(f"{missing:,} cells in {columns} columns of the train rows are NaN or infinite")
            evidence += case.numerics
        for column, values in case.lab.sentinels.items():
            flat = rows.reshape(len(rows), -1)[:, column]
            listed = ", ".join(f"{value:g}" for value in values)
            share = float(np.isin(flat, values).mean())
            evidence.append(
                f"'{case.lab.names[column]}' holds {listed} in {percent(share, 1)} of the rows, far from all else"
            )
        if len(evidence) > 4:
            evidence = [*evidence[:3], f"and {len(evidence) - 3} more columns like these"]
        return (
            Admission.yes(*evidence)
            if evidence
            else Admission.no("no NaN, infinite or sentinel cells in the train rows")
        )

    def experiments(self, case: Case) -> list[Experiment]:
        changes = {"missing": "median"}
        rows = case.train_part.inputs
        empty = not np.isfinite(rows).any(axis=0).all()
        if empty:  # there is no median to fill these with
            changes["constant"] = "drop"
        remedy = "Fill missing cells with the column's median at the input and leave them out of the loss."
        remedy += " Leave out the columns that hold no value at all." if empty else ""
        found = [self._experiment(case, changes, "missing=median", remedy, _filling_lines(case))]
        scope = "column" if case.squeezed else "pooled" if _marks_set_the_scale(case) else None
        if scope is not None:
            kind = case.rescaling_kind
            of = "of each column " if scope == "column" else ""
            remedy += f" Fit the scale {of}on what is left, which the marks for missing ones set here."
            scaling = {"scaling": kind, "scope": scope}
            lines = _filling_lines(case, kind, axis="axis=0" if scope == "column" else "axis=None")
            found.append(self._experiment(case, changes | scaling, f"missing=median,scaling={kind}", remedy, lines))
        return found

    def _experiment(self, case: Case, changes: dict[str, str], name: str, remedy: str, lines: str) -> Experiment:
        recipe = case.recipe.changed(
            name=name, preprocessing={**case.recipe.preprocessing, **changes}, masked_loss=True
        )
        study = {f"preprocessing.{key}": value for key, value in changes.items() if key != "scope"}
        return Experiment(self.code, recipe, remedy=remedy, keras=lines, study=study)


def _marks_set_the_scale(case: Case) -> bool:
    """Whether rows of one unit were scaled with the marks in them: without these, next to no spread is left."""
    t, rows = case.thresholds, case.train_part.inputs
    if case.is_table or not case.lab.sentinels or case.recipe.preprocessing.get("scaling", "none") != "none":
        return False
    together = float(rows[np.isfinite(rows)].std())
    return t.tiny_sd <= together <= t.large_sd and case.level[1] < t.tiny_sd


def _filling_lines(case: Case, scaling: str | None = None, axis: str = "axis=0") -> str:
    name = case.recipe.loss_name
    loss = "loss" if name in ("custom", "none") else f'keras.losses.get("{name}")'
    sentinel = next((values[0] for values in case.lab.sentinels.values()), None)
    lines = [] if sentinel is None else [f"x_train = np.where(x_train == {sentinel:g}, np.nan, x_train)"]
    lines.append("known = np.isfinite(x_train)")
    if scaling == "minmax":
        lines.append(f"low, span = np.nanmin(x_train, {axis}), np.nanmax(x_train, {axis}) - np.nanmin(x_train, {axis})")
        lines.append("x_train = (x_train - low) / span")
    elif scaling == "standard":
        lines.append(f"mean, sd = np.nanmean(x_train, {axis}), np.nanstd(x_train, {axis})")
        lines.append("x_train = (x_train - mean) / sd")
    lines += [
        "filled = np.where(known, x_train, np.nanmedian(x_train, axis=0))",
        "def loss_of_known(y, p):  # missing targets are NaN and do not count",
        f"    return {loss}(keras.ops.where(keras.ops.isnan(y), keras.ops.stop_gradient(p), y), p)",
        "model.compile(..., loss=loss_of_known)",
        "model.fit(filled, np.where(known, x_train, np.nan), ...)",
    ]
    return "\n".join(lines)
