"""Variational (Kingma and Welling 2014): a row becomes a distribution over codes, near a standard normal one."""

from __future__ import annotations

from typing import Any

from aetfx.models.families import bodies
from aetfx.models.families.base import Family, Settings, Shape, n_values


class Variational(Family):
    """The divergence is added to the loss by a layer.

    It is a sum over the units of the code, and divided by the values of a row, because Keras's losses are means over
    them: so weighed, `beta` 1 is the evidence lower bound at an observation variance of 1/2.
    """

    name = "vae"
    title = "a code drawn from a normal distribution for each row (beta, free bits)"
    keys = (*bodies.KEYS, "beta", "free_bits")

    def defaults(self, shape: Shape) -> dict[str, Any]:
        return {**bodies.defaults(shape), "beta": 0.1, "free_bits": 0.0}

    def build(self, shape: Shape, settings: Settings) -> Any:
        import keras

        from aetfx.models.family_layers import Divergence, Sampling

        rows = keras.Input(tuple(shape), name="rows")
        body = bodies.body(shape)
        wide = body.encode(rows, shape, settings)
        mean = keras.layers.Dense(settings["bottleneck"], name="z_mean")(wide)
        log_var = keras.layers.Dense(settings["bottleneck"], kernel_initializer="zeros", name="z_log_var")(wide)
        weight = settings["beta"] / n_values(shape)
        mean = Divergence(kl_weight=weight, free_bits=settings["free_bits"], name="divergence")([mean, log_var])
        code = Sampling(name="code")([mean, log_var])
        return keras.Model(rows, body.decode(code, shape, settings), name="autoencoder")
