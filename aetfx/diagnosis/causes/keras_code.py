"""The change to make as lines of Keras code, one form for each kind of change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.evaluation import columns
from aetfx.models.code import expression
from aetfx.models.reading import LayerFacts
from aetfx.training.recipe import Recipe

if TYPE_CHECKING:
    from aetfx.diagnosis.causes.base import Experiment

_MOST_FENCES = 12  # columns whose fences are written out


def compile_line(recipe: Recipe) -> str:
    """Returns the `model.compile` call of a recipe.

    A loss of the user's own stays a name, because its code is theirs.
    """
    loss = f'"{recipe.loss_name}"' if recipe.loss_name not in ("custom", "none") else "loss"
    return f"model.compile({expression(recipe.optimizer)}, loss={loss})"


def fit_line(case: Case, recipe: Recipe) -> str:
    """Returns the `model.fit` call of a recipe: as the user's, with the rows alone or with targets of their own."""
    fed, targets = rows_so_far(case, recipe)
    rows = fed if recipe.step.feeding == "rows" else f"{fed}, {targets}"
    return f"model.fit({rows}, epochs={recipe.epochs}, batch_size={recipe.batch_size})"


def rows_so_far(case: Case, recipe: Recipe) -> tuple[str, str]:
    """Returns what the lines so far call the rows that are fed, and the ones asked back.

    A later step starts from what an earlier one prepared: `scaling_lines`, or the filling of `data.missing`.
    """
    prepared = case.recipe.preprocessing if case.step > 1 else {}
    if prepared.get("missing", "none") != "none":
        return "filled", "np.where(known, x_train, np.nan)"
    suffix = "train" if prepared.get("scaling", "none") == "none" else "scaled"
    return f"x_{suffix}", f"{asked(case, recipe)}_{suffix}"


def asked(case: Case, recipe: Recipe) -> str:
    """Returns what `fit` asks back: "x", or "y" where the user gave targets that are not the rows."""
    return "y" if case.lab.targets is not None and recipe.target != "input" else "x"


def to_paste(case: Case, experiment: Experiment) -> str:
    """Returns the change as Keras code; what prepares several inputs, which no short code can, as a call of aetfx."""
    if case.lab.parts is None or experiment.recipe.preprocessing == case.recipe.preprocessing:
        return experiment.keras
    return "repair = diagnosis.apply(model)  # prepares each input where it lies\nfixed_model = repair.fit(x_train)"


def clipping_lines(case: Case) -> str:
    """Returns what clips the columns that hold gross cells, each to the fences that were measured.

    Fences of more columns than anybody would paste are computed by the code, in a simpler way.
    """
    flat = np.asarray(case.train_part.inputs).reshape(case.n_train, -1)
    rows, lines = "x_train", []
    if len(case.lab.shape) > 1:
        rows = "flat"
        lines.append("flat = x_train.reshape(len(x_train), -1)  # a view: x_train changes with it")
    fences = _fences_crossed(case, flat)
    if 0 < len(fences) <= _MOST_FENCES:
        lines.append("fences = {  # of the train rows, of the columns with gross cells")
        lines += [f"    {column}: ({_number(low)}, {_number(high)})," for column, low, high in fences]
        lines += ["}", "for column, (low, high) in fences.items():"]
        lines.append(f"    {rows}[:, column] = {rows}[:, column].clip(low, high)")
    else:
        lines.append(f"q1, q3 = np.nanquantile({rows}, [0.25, 0.75], axis=0)")
        lines.append("reach = np.where(q3 > q1, 3 * (q3 - q1), np.inf)  # none where most rows hold one value")
        lines.append(f"{rows}[:] = {rows}.clip(q1 - reach, q3 + reach)")
    return "\n".join(lines)


def _fences_crossed(case: Case, flat: np.ndarray) -> list[tuple[int, float, float]]:
    """Returns column, low and high fence of each column of (n, D) rows with cells outside."""
    if case.lab.fences is None:
        return []
    low, high = case.lab.fences
    return [(int(j), float(low[j]), float(high[j])) for j in np.flatnonzero(columns.crossed(flat, case.lab.fences))]


def _number(fence: float) -> str:
    return f"{fence:.6g}" if np.isfinite(fence) else f"{'-' if fence < 0 else ''}np.inf"


def scaling_lines(kind: str, scope: str, target: str) -> str:
    """Returns what scales the rows, trains on them and undoes it.

    Args:
      kind: "standard", "minmax" or "robust" (median and quartiles).
      scope: "column", or "pooled" for one scale of all values.
      target: as of `asked`.
    """
    axis = "axis=0" if scope == "column" else ""
    if kind == "standard":
        center, scale = "mean", "sd"
        fit = f"mean, sd = x_train.mean({axis}), x_train.std({axis})"
    elif kind == "robust":
        center, scale = "q2", "sd"
        levels = "[0.25, 0.5, 0.75]" + (f", {axis}" if axis else "")
        fit = f"q1, q2, q3 = np.quantile(x_train, {levels})\nsd = np.where(q3 > q1, (q3 - q1) / 1.349, 1)"
    else:
        center, scale = "low", "span"
        fit = f"low, span = x_train.min({axis}), np.ptp(x_train{', ' + axis if axis else ''})"
    scaled = f"({{}} - {center}) / {scale}"
    return "\n".join(
        [
            fit,
            f"x_scaled = {scaled.format('x_train')}",
            *([f"y_scaled = {scaled.format('y_train')}  # by the same figures"] if target == "y" else []),
            f"model.fit(x_scaled, {target}_scaled, ...)",
            f"restored = model.predict({scaled.format('x')}) * {scale} + {center}",
        ]
    )


def width_line(layer: LayerFacts, width: int) -> str:
    """Returns a layer with another width."""
    return f'keras.layers.{layer.kind}({width}, ...)  # "{layer.name}", was {layer.units}'
