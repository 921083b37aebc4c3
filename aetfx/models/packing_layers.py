"""Keras layers that stand between flat rows and the inputs and outputs of a model with several of them.

A saved model with these layers is loaded after `import aetfx.models.packing_layers`, which registers them.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

_PACKAGE = "aetfx"


class _Layout(keras.layers.Layer):
    """Knows where tensors lie in a flat row.

    Args:
      shapes: of one row of each tensor.
      places: where each starts in the flat row.
      width: of the flat row.
    """

    def __init__(self, shapes: list[list[int]], places: list[int], width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.shapes, self.places, self.width = [tuple(shape) for shape in shapes], list(places), width

    def get_config(self) -> dict[str, Any]:
        shapes = [list(shape) for shape in self.shapes]
        return {**super().get_config(), "shapes": shapes, "places": self.places, "width": self.width}

    @property
    def columns(self) -> list[slice]:
        """Where each tensor lies."""
        return [slice(start, start + math.prod(shape)) for start, shape in zip(self.places, self.shapes, strict=True)]


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Unpack(_Layout):
    """A flat row (n, D) to its tensors, as a list.

    Args:
      conditions: which of them the model is given and does not give back.
    """

    def __init__(self, *args: Any, conditions: list[int] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.conditions = list(conditions or [])

    @property
    def condition_columns(self) -> list[slice]:
        """Where the parts lie that are not given back."""
        return [self.columns[i] for i in self.conditions]

    def call(self, inputs: Any) -> list[Any]:
        return [
            ops.reshape(inputs[:, here], (-1, *shape)) for here, shape in zip(self.columns, self.shapes, strict=True)
        ]

    def compute_output_spec(self, inputs: Any) -> list[keras.KerasTensor]:
        return [keras.KerasTensor((inputs.shape[0], *shape), dtype=inputs.dtype) for shape in self.shapes]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "conditions": self.conditions}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Pack(_Layout):
    """Tensors, as a list, to a flat row (n, D) that is 0 where none of them lies."""

    packs_outputs = True

    def call(self, inputs: list[Any]) -> Any:
        n = ops.shape(inputs[0])[0]
        pieces, at = [], 0
        for tensor, here in sorted(zip(inputs, self.columns, strict=True), key=lambda pair: pair[1].start):
            if here.start > at:
                pieces.append(ops.zeros((n, here.start - at), dtype=tensor.dtype))
            pieces.append(ops.reshape(tensor, (-1, here.stop - here.start)))
            at = here.stop
        if at < self.width:
            pieces.append(ops.zeros((n, self.width - at), dtype=inputs[0].dtype))
        return ops.concatenate(pieces, axis=1)

    def compute_output_spec(self, inputs: list[Any]) -> keras.KerasTensor:
        return keras.KerasTensor((inputs[0].shape[0], self.width), dtype=inputs[0].dtype)
