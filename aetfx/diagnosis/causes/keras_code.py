"""The change to make as lines of Keras code, one form for each kind of change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetfx.diagnosis.case import Case
from aetfx.models.code import expression
from aetfx.models.reading import LayerFacts
from aetfx.training.recipe import Recipe

if TYPE_CHECKING:
    from aetfx.diagnosis.causes.base import Experiment


def compile_line(recipe: Recipe) -> str:
    """Returns the `model.compile` call of a recipe.

    A loss of the user's own stays a name, because its code is theirs.
    """
    loss = f'"{recipe.loss_name}"' if recipe.loss_name not in ("custom", "none") else "loss"
    return f"model.compile({expression(recipe.optimizer)}, loss={loss})"


def fit_line(case: Case, recipe: Recipe) -> str:
    """Returns the `model.fit` call of a recipe: as the user's, with the rows alone or with targets of their own."""
    fed = "x_train" if recipe.step.feeding == "rows" else f"x_train, {asked(case, recipe)}_train"
    return f"model.fit({fed}, epochs={recipe.epochs}, batch_size={recipe.batch_size})"


def asked(case: Case, recipe: Recipe) -> str:
    """Returns what `fit` asks back: "x", or "y" where the user gave targets that are not the rows."""
    return "y" if case.lab.targets is not None and recipe.target != "input" else "x"


def to_paste(case: Case, experiment: Experiment) -> str:
    """Returns the change as Keras code; what prepares several inputs, which no short code can, as a call of aetfx."""
    if case.lab.parts is None or experiment.recipe.preprocessing == case.recipe.preprocessing:
        return experiment.keras
    return "repair = diagnosis.apply(model)  # prepares each input where it lies\nfixed_model = repair.fit(x_train)"


def scaling_lines(kind: str, scope: str, target: str) -> str:
    """Returns what scales the rows, trains on them and undoes it.

    Args:
      kind: "standard" or "minmax".
      scope: "column", or "pooled" for one scale of all values.
      target: as of `asked`.
    """
    axis = "axis=0" if scope == "column" else ""
    if kind == "standard":
        center, scale = "mean", "sd"
        fit = f"mean, sd = x_train.mean({axis}), x_train.std({axis})"
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
