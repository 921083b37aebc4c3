"""The losses of several outputs as one loss of a flat row."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="aetfx")
class PartsLoss(keras.losses.Loss):
    """The weighted sum of the losses of the parts of a row, as Keras adds up the losses of several outputs.

    Args:
      losses: of each part that is given back: a Keras loss, its name, or its serialised form.
      weights: of each loss.
      places: where each part starts in the flat row.
      shapes: of one row of each part.
    """

    def __init__(
        self,
        losses: list[Any],
        weights: list[float],
        places: list[int],
        shapes: list[list[int]],
        name: str = "parts_loss",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.losses = [keras.losses.get(loss) for loss in losses]
        self.weights, self.places, self.shapes = list(weights), list(places), [tuple(shape) for shape in shapes]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each row, (n,)."""
        total: Any = 0.0
        for loss, weight, start, shape in zip(self.losses, self.weights, self.places, self.shapes, strict=True):
            stop = start + math.prod(shape)
            function = loss.call if isinstance(loss, keras.losses.Loss) else loss
            values = function(
                ops.reshape(y_true[:, start:stop], (-1, *shape)), ops.reshape(y_pred[:, start:stop], (-1, *shape))
            )
            axes = tuple(range(1, len(values.shape)))
            total = total + weight * (ops.mean(values, axis=axes) if axes else values)
        return total

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "losses": [keras.losses.serialize(loss) for loss in self.losses],
            "weights": self.weights,
            "places": self.places,
            "shapes": [list(shape) for shape in self.shapes],
        }
