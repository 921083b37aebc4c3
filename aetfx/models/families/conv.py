"""Convolutional: images of any size are halved level by level, and brought back to the sizes that they had."""

from __future__ import annotations

import math
from typing import Any

from aetfx.models.families.base import Family, Settings, Shape, code_width, is_image

_KERNEL = 3


class Conv(Family):
    """Strided convolutions down to a dense code. Odd sizes round up on the way down, and are cropped on the way up."""

    name = "conv"
    title = "convolutions that halve an image level by level, around a dense code"
    keys = ("filters", "bottleneck", "activation", "output_activation")

    def suits(self, shape: Shape) -> str:
        return "" if is_image(shape) else "takes images, (height, width) or (height, width, channels)"

    def defaults(self, shape: Shape) -> dict[str, Any]:
        side = min(shape[:2])
        # Halved until 6 to 12 pixels are left: what the code sees of larger ones is a layer of millions of weights.
        deeper = max(0, math.ceil(math.log2(side / 96)))
        filters = [16] if side < 6 else [16, 32] if side < 48 else [16, 32, 64, *[64] * deeper]
        bottleneck = 16 if side < 16 else 32 if side < 48 else 64
        return {
            "filters": filters,
            "bottleneck": code_width(shape, bottleneck),
            "activation": "relu",
            "output_activation": "linear",
        }

    def build(self, shape: Shape, settings: Settings) -> Any:
        import keras

        rows = keras.Input(tuple(shape), name="rows")
        code = keras.layers.Dense(settings["bottleneck"], name="code")(encode(rows, shape, settings))
        return keras.Model(rows, decode(code, shape, settings), name="autoencoder")


def encode(rows: Any, shape: Shape, settings: Settings) -> Any:
    """Returns what the encoder makes of images before the code, as a flat tensor."""
    from keras import layers

    if len(shape) == 2:
        rows = layers.Reshape((*shape, 1), name="one_channel")(rows)
    for i, filters in enumerate(settings["filters"], 1):
        rows = layers.Conv2D(
            filters, _KERNEL, strides=2, padding="same", activation=settings["activation"], name=f"encoder_{i}"
        )(rows)
    return layers.Flatten(name="flatten")(rows)


def decode(code: Any, shape: Shape, settings: Settings) -> Any:
    """Returns what the decoder makes of a code, as images."""
    from keras import layers

    filters, activation = settings["filters"], settings["activation"]
    sizes = _sizes(shape, len(filters))
    height, width = sizes[-1]
    image = layers.Dense(height * width * filters[-1], activation, name="decoder_0")(code)
    image = layers.Reshape((height, width, filters[-1]), name="image")(image)
    channels = [*filters[:-1][::-1], shape[2] if len(shape) == 3 else 1]
    for i, (count, (height, width)) in enumerate(zip(channels, sizes[-2::-1], strict=True), 1):
        last = i == len(channels)
        image = layers.Conv2DTranspose(
            count, _KERNEL, strides=2, padding="same",
            activation=settings["output_activation"] if last else activation, name="output" if last else f"decoder_{i}",
        )(image)  # fmt: skip
        over = [(0, got - wanted) for got, wanted in zip(image.shape[1:3], (height, width), strict=True)]
        if any(more for _, more in over):
            image = layers.Cropping2D(over, name=f"crop_{i}")(image)
    return layers.Reshape(tuple(shape), name="reshape")(image) if len(shape) == 2 else image


def _sizes(shape: Shape, levels: int) -> list[tuple[int, int]]:
    """Returns height and width before each halving and after the last.

    >>> _sizes((7, 9, 3), 2)
    [(7, 9), (4, 5), (2, 3)]
    """
    sizes = [(shape[0], shape[1])]
    for _ in range(levels):
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes
