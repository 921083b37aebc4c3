"""A model's pass as a function that is called often, as scores are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aetfx.models.draws import may_draw
from aetfx.models.passing import reconstruct


def forward(model: Any, shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """Returns a function that takes rows as fed, float32 (n, *shape), through a model as `reconstruct` does.

    Recurrent layers are traced for it: called step by step they cost as much each time as tracing them once (48 steps:
    0.6 s). Not where the model may draw, since what a program draws does not start anew with Keras's seeds.
    """
    import keras

    loops = any(isinstance(layer, keras.layers.RNN) for layer in model._flatten_layers())
    if not loops or may_draw(model):
        return lambda fed: reconstruct(model, fed)
    return traced(model, shape)


def traced(model: Any, shape: tuple[int, ...], dtype: str = "float32") -> Any:
    """Returns the pass of any number of rows, (n, *shape) of that dtype, as one TensorFlow function."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *shape), dtype)]
    return tf.function(lambda fed: reconstruct(model, fed), input_signature=signature, autograph=False)
