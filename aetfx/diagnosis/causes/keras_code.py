"""The change to make as lines of Keras code, one form for each kind of change."""

from __future__ import annotations

from typing import Any

from aetfx.models.reading import LayerFacts
from aetfx.training.recipe import Recipe


def compile_line(recipe: Recipe) -> str:
    """Returns the `model.compile` call of a recipe.

    A loss of the user's own stays a name, because its code is theirs.
    """
    optimizer = recipe.optimizer["class_name"]
    loss = f'"{recipe.loss_name}"' if recipe.loss_name not in ("custom", "none") else "loss"
    rate = _number(recipe.learning_rate)
    return f"model.compile(keras.optimizers.{optimizer}(learning_rate={rate}), loss={loss})"


def fit_line(recipe: Recipe) -> str:
    """Returns the `model.fit` call of a recipe."""
    return f"model.fit(x_train, x_train, epochs={recipe.epochs}, batch_size={recipe.batch_size})"


def _number(value: Any) -> str:
    return f"{value:.3g}"


def width_line(layer: LayerFacts, width: int) -> str:
    """Returns a layer with another width."""
    return f'keras.layers.{layer.kind}({width}, ...)  # "{layer.name}", was {layer.units}'
