"""Keras layers that the model families need beside Keras's own; importing this module registers them for loading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

_PACKAGE = "aetfx"
CORRUPTIONS = ("masking", "gaussian", "salt_pepper")


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Corruption(keras.layers.Layer):
    """Corrupts rows in training, and passes them on as they are otherwise.

    Args:
      kind: "masking" puts a part of the cells to 0, "gaussian" adds normal noise, "salt_pepper" puts a part of the
        cells to the least or the greatest value of their row.
      amount: the part of the cells, or the standard deviation in units of the rows as fed.
      seed: of the noise.
    """

    def __init__(self, kind: str, amount: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if kind not in CORRUPTIONS:
            raise ValueError(f"kind must be one of {', '.join(CORRUPTIONS)} but got {kind!r}")
        self.kind, self.amount, self.seed = kind, amount, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        if self.kind == "gaussian":
            return inputs + self.amount * _drawn(keras.random.normal, inputs, self.seed_generator)
        drawn = _drawn(keras.random.uniform, inputs, self.seed_generator)
        if self.kind == "masking":
            return ops.where(drawn < self.amount, ops.zeros_like(inputs), inputs)
        # Of the row and not of the batch, which replicas share.
        axes = tuple(range(1, len(inputs.shape)))
        low, high = ops.min(inputs, axes, keepdims=True), ops.max(inputs, axes, keepdims=True)
        salted = ops.where(drawn < self.amount / 2, high, inputs)
        return ops.where(drawn > 1 - self.amount / 2, low, salted)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind, "amount": self.amount, "seed": self.seed}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Divergence(keras.layers.Layer):
    """Adds the divergence of N(mean, exp(log_var)) from N(0, 1) to the loss, and passes the mean on.

    Args:
      kl_weight: factor of the divergence, a mean over rows of its sum over units.
      free_bits: nats that each unit may diverge without being charged (Kingma et al. 2016, appendix C).
    """

    def __init__(self, kl_weight: float = 1.0, free_bits: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.kl_weight, self.free_bits = kl_weight, free_bits

    def call(self, inputs: Any) -> Any:
        mean, log_var = (ops.cast(part, "float32") for part in inputs)  # half precision would round the sum
        per_unit = ops.mean(-0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var)), axis=0)
        self.add_loss(self.kl_weight * ops.sum(ops.maximum(per_unit, self.free_bits)))
        return inputs[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kl_weight": self.kl_weight, "free_bits": self.free_bits}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Sampling(keras.layers.Layer):
    """Draws a code from N(mean, exp(log_var)) in training; otherwise the mean is the code."""

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        mean, log_var = inputs
        if not training:
            return mean
        return mean + ops.exp(0.5 * log_var) * _drawn(keras.random.normal, mean, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class StepNumbers(keras.layers.Layer):
    """Appends to each step of a sequence where it stands, from -1 at the first to 1 at the last."""

    def call(self, inputs: Any) -> Any:
        steps = inputs.shape[1]
        places = ops.reshape(ops.linspace(-1.0, 1.0, steps), (1, steps, 1))
        return ops.concatenate([inputs, ops.zeros_like(inputs[..., :1]) + ops.cast(places, inputs.dtype)], axis=-1)


def _drawn(draw: Callable[..., Any], like: Any, seed: Any) -> Any:
    """Draws a number for each of a tensor's, (n, ...); on several replicas those that one device would draw.

    Each replica draws for the whole batch, from the same state, and takes what belongs to its own rows.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    replicas = 1 if context is None else context.num_replicas_in_sync
    count, *rest = ops.shape(like)
    drawn = draw((replicas * count, *rest), dtype=like.dtype, seed=seed)
    if replicas == 1:
        return drawn
    start = context.replica_id_in_sync_group * count
    return drawn[start : start + count]
