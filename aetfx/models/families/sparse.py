"""Sparse: a wide code of which each row uses a few units, by a penalty on their activity."""

from __future__ import annotations

from typing import Any

from aetfx.models.families import bodies
from aetfx.models.families.base import Family, Settings, Shape, n_values

_MOST_UNITS = 256


class Sparse(Family):
    """The code is a ReLU, which can be exactly 0, and wider than that of the dense family."""

    name = "sparse"
    title = "a wide code of which each row uses a few units"
    keys = (*bodies.KEYS, "sparsity")

    def defaults(self, shape: Shape) -> dict[str, Any]:
        found = bodies.defaults(shape)
        units = min(_MOST_UNITS, max(4 * found["bottleneck"], n_values(shape)))
        return {**found, "bottleneck": units, "sparsity": 1e-5}

    def build(self, shape: Shape, settings: Settings) -> Any:
        import keras

        rows = keras.Input(tuple(shape), name="rows")
        body = bodies.body(shape)
        code = keras.layers.Dense(
            settings["bottleneck"],
            "relu",
            activity_regularizer=keras.regularizers.L1(settings["sparsity"]),
            name="code",
        )(body.encode(rows, shape, settings))
        return keras.Model(rows, body.decode(code, shape, settings), name="autoencoder")
