"""Temporal convolution (Bai et al. 2018): dilated residual blocks see far along a sequence without recurrence."""

from __future__ import annotations

from typing import Any

from aetfx.models.families.base import Family, Settings, Shape, code_width

_KERNEL = 3


class Tcn(Family):
    """Each level is one residual block, whose dilation doubles, and a halving of the steps; the decoder mirrors it."""

    name = "tcn"
    title = "dilated convolutions along the steps of a sequence, around a dense code"
    keys = ("filters", "bottleneck", "activation", "output_activation")

    def suits(self, shape: Shape) -> str:
        return "" if len(shape) == 2 else "takes sequences, (steps, channels)"

    def defaults(self, shape: Shape) -> dict[str, Any]:
        filters = [32, 32] if shape[0] < 64 else [32, 32, 32]
        return {
            "filters": filters,
            "bottleneck": code_width(shape, 16),
            "activation": "relu",
            "output_activation": "linear",
        }

    def build(self, shape: Shape, settings: Settings) -> Any:
        import keras
        from keras import layers

        filters, activation = settings["filters"], settings["activation"]
        rows = keras.Input(tuple(shape), name="rows")
        steps = [shape[0]]
        tensor: Any = rows
        for i, count in enumerate(filters, 1):
            tensor = _block(tensor, count, activation, 2 ** (i - 1), f"encoder_{i}")
            tensor = layers.MaxPooling1D(2, padding="same", name=f"halve_{i}")(tensor)
            steps.append(tensor.shape[1])
        code = layers.Dense(settings["bottleneck"], name="code")(layers.Flatten(name="flatten")(tensor))
        tensor = layers.Dense(steps[-1] * filters[-1], activation, name="decoder_0")(code)
        tensor = layers.Reshape((steps[-1], filters[-1]), name="sequence")(tensor)
        for i, (count, wanted) in enumerate(zip(filters[::-1], steps[-2::-1], strict=True), 1):
            tensor = layers.UpSampling1D(2, name=f"double_{i}")(tensor)
            if tensor.shape[1] > wanted:
                tensor = layers.Cropping1D((0, tensor.shape[1] - wanted), name=f"crop_{i}")(tensor)
            tensor = _block(tensor, count, activation, 2 ** (len(filters) - i), f"decoder_{i}")
        output = layers.Conv1D(shape[1], 1, activation=settings["output_activation"], name="output")(tensor)
        return keras.Model(rows, output, name="autoencoder")


def _block(tensor: Any, filters: int, activation: str, dilation: int, name: str) -> Any:
    """Returns two dilated convolutions beside a path around them."""
    from keras import layers

    around = tensor
    if tensor.shape[-1] != filters:
        around = layers.Conv1D(filters, 1, name=f"{name}_around")(tensor)
    for part in ("a", "b"):
        tensor = layers.Conv1D(
            filters, _KERNEL, dilation_rate=dilation, padding="same", activation=activation, name=f"{name}_{part}"
        )(tensor)
    return layers.Add(name=f"{name}_sum")([tensor, around])
