"""Dense: input - hidden... - code - ...hidden - output."""

from __future__ import annotations

from typing import Any

from aetfx.models.families.base import Family, Settings, Shape, code_width, n_values

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
        settings = {"hidden": hidden, "bottleneck": code_width(shape, bottleneck)}
        return {**settings, "activation": "relu", "output_activation": "linear"}

    def build(self, shape: Shape, settings: Settings) -> Any:
        import keras

        code = keras.layers.Dense(settings["bottleneck"], name="code")
        layers = [keras.Input(tuple(shape), name="rows"), *_encoder(shape, settings), code, *_decoder(shape, settings)]
        return keras.Sequential(layers, name="autoencoder")


def encode(rows: Any, shape: Shape, settings: Settings) -> Any:
    """Returns what a dense encoder makes of rows before the code, as a tensor."""
    for layer in _encoder(shape, settings):
        rows = layer(rows)
    return rows


def decode(code: Any, shape: Shape, settings: Settings) -> Any:
    """Returns what a dense decoder makes of a code, as a tensor of the shape of rows."""
    for layer in _decoder(shape, settings):
        code = layer(code)
    return code


def _encoder(shape: Shape, settings: Settings) -> list[Any]:
    from keras.layers import Dense, Flatten

    flatten = [Flatten(name="flatten")] if len(shape) > 1 else []
    sizes = enumerate(settings["hidden"], 1)
    return [*flatten, *(Dense(units, settings["activation"], name=f"encoder_{i}") for i, units in sizes)]


def _decoder(shape: Shape, settings: Settings) -> list[Any]:
    from keras.layers import Dense, Reshape

    sizes = enumerate(settings["hidden"][::-1], 1)
    layers = [Dense(units, settings["activation"], name=f"decoder_{i}") for i, units in sizes]
    layers.append(Dense(n_values(shape), settings["output_activation"], name="output"))
    return [*layers, Reshape(tuple(shape), name="reshape")] if len(shape) > 1 else layers
