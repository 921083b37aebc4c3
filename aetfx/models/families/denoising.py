"""Denoising (Vincent et al. 2008): the rows are corrupted on their way in, and asked back as they were."""

from __future__ import annotations

from typing import Any

from aetfx.models.families import bodies
from aetfx.models.families.base import Family, Settings, Shape


class Denoising(Family):
    """The corruption is a layer that does nothing outside of training, so that rows are fed and scored as they are."""

    name = "denoising"
    title = "dense, or convolutional for images, fed with rows of which a part is hidden in training"
    keys = (*bodies.KEYS, "corruption", "noise")

    def defaults(self, shape: Shape) -> dict[str, Any]:
        return {**bodies.defaults(shape), "corruption": "masking", "noise": 0.2}

    def build(self, shape: Shape, settings: Settings) -> Any:
        import keras

        from aetfx.models.family_layers import Corruption

        rows = keras.Input(tuple(shape), name="rows")
        corrupted = Corruption(settings["corruption"], settings["noise"], name="corruption")(rows)
        body = bodies.body(shape)
        code = keras.layers.Dense(settings["bottleneck"], name="code")(body.encode(corrupted, shape, settings))
        return keras.Model(rows, body.decode(code, shape, settings), name="autoencoder")
