"""Dense: input - hidden... - code - ...hidden - output."""

from __future__ import annotations

from typing import Any

from aetfx.models.families.base import Family, Settings, Shape, n_values

_NARROW, _WIDE = 128, 1024  # values of a row


class Dense(Family):
    """The code itself is linear: a ReLU there loses the units that die, which is a fault and not a default."""

    name = "dense"
    title = "dense layers that narrow down to the code, mirrored in the decoder"
    keys = ("hidden", "bottleneck", "activation", "output_activation")

    def defaults(self, shape: Shape) -> dict[str, Any]:
        wide = n_values(shape)
        hidden, bottleneck = (
            ([64, 32], 8) if wide <= _NARROW else ([256, 64], 32) if wide <= _WIDE else ([512, 128], 64)
        )
        return {"hidden": hidden, "bottleneck": bottleneck, "activation": "relu", "output_activation": "linear"}

    def build(self, shape: Shape, settings: Settings) -> Any:
        import keras

        hidden, activation = settings["hidden"], settings["activation"]
        layers: list[Any] = [keras.Input(tuple(shape), name="rows")]
        if len(shape) > 1:
            layers.append(keras.layers.Flatten(name="flatten"))
        layers += [keras.layers.Dense(units, activation, name=f"encoder_{i}") for i, units in enumerate(hidden, 1)]
        layers.append(keras.layers.Dense(settings["bottleneck"], name="code"))
        layers += [
            keras.layers.Dense(units, activation, name=f"decoder_{i}") for i, units in enumerate(hidden[::-1], 1)
        ]
        layers.append(keras.layers.Dense(n_values(shape), settings["output_activation"], name="output"))
        if len(shape) > 1:
            layers.append(keras.layers.Reshape(tuple(shape), name="reshape"))
        return keras.Sequential(layers, name="autoencoder")


def encode(rows: Any, shape: Shape, settings: Settings) -> Any:
    """Returns what a dense encoder makes of rows before the code, as a tensor."""
    from keras import layers

    if len(shape) > 1:
        rows = layers.Flatten(name="flatten")(rows)
    for i, units in enumerate(settings["hidden"], 1):
        rows = layers.Dense(units, settings["activation"], name=f"encoder_{i}")(rows)
    return rows


def decode(code: Any, shape: Shape, settings: Settings) -> Any:
    """Returns what a dense decoder makes of a code, as a tensor of the shape of rows."""
    from keras import layers

    for i, units in enumerate(settings["hidden"][::-1], 1):
        code = layers.Dense(units, settings["activation"], name=f"decoder_{i}")(code)
    rows = layers.Dense(n_values(shape), settings["output_activation"], name="output")(code)
    return layers.Reshape(tuple(shape), name="reshape")(rows) if len(shape) > 1 else rows
