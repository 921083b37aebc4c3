"""The dense reference family: input - hidden... - code - ...hidden - output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def build_dense(
    shape: Sequence[int],
    *,
    hidden: Sequence[int],
    bottleneck: int,
    activation: str,
    output_activation: str,
) -> Any:
    """Builds an uncompiled dense autoencoder; the decoder mirrors the encoder.

    The code itself is linear: a ReLU there loses the units that die, which is a fault and not a default.

    Args:
      shape: shape of one row; rows with more than one axis are flattened and restored.
      hidden: widths of the encoder's hidden layers, input side first.
      bottleneck: width of the code.
      activation: activation of the hidden layers.
      output_activation: activation of the last layer.

    Returns:
      A `keras.Sequential`, input and output of shape (batch, *shape), float32.
    """
    import keras

    n_values = math.prod(shape)
    layers: list[Any] = [keras.Input(tuple(shape), name="rows")]
    if len(shape) > 1:
        layers.append(keras.layers.Flatten(name="flatten"))
    for i, units in enumerate(hidden, start=1):
        layers.append(keras.layers.Dense(units, activation, name=f"encoder_{i}"))
    layers.append(keras.layers.Dense(bottleneck, name="code"))
    for i, units in enumerate(reversed(hidden), start=1):
        layers.append(keras.layers.Dense(units, activation, name=f"decoder_{i}"))
    layers.append(keras.layers.Dense(n_values, output_activation, name="output"))
    if len(shape) > 1:
        layers.append(keras.layers.Reshape(tuple(shape), name="reshape"))
    return keras.Sequential(layers, name="autoencoder")
