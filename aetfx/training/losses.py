"""Losses that wrap the user's own: missing targets left out, padded rows taken out of the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="aetfx")
class MaskedLoss(keras.losses.Loss):
    """The wrapped loss over the target cells that are there; NaN cells have no gradient.

    A missing target is replaced by the prediction itself, where every reconstruction loss of Keras
    that is a sum over cells has a gradient of zero.
    """

    def __init__(self, loss: Any, name: str = "masked_loss", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.loss = keras.losses.get(loss)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        missing = keras.ops.isnan(y_true)
        filled = keras.ops.where(missing, keras.ops.stop_gradient(y_pred), y_true)
        function = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        return function(filled, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}


class PaddingCorrection(keras.metrics.Metric):
    """What must be added to the reported epoch loss because padded batches count as full ones.

    Keras weights each batch by its size; a padded batch has the size of a full one. The result is
    (mean over real rows) - (mean over batches), zero without padding.

    Args:
      loss: of the compiled model.
      penalties: returns the terms that layers add to the loss of a batch (regularisers).
    """

    def __init__(self, loss: Any, penalties: Callable[[], list[Any]], name: str = "padding_correction"):
        super().__init__(name=name)
        self._loss = keras.losses.get(loss)
        self._penalties = penalties
        self._real_sum = self.add_weight(name="real_sum", initializer="zeros")
        self._real_count = self.add_weight(name="real_count", initializer="zeros")
        self._weighted_sum = self.add_weight(name="weighted_sum", initializer="zeros")
        self._padded_count = self.add_weight(name="padded_count", initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        function = self._loss.call if isinstance(self._loss, keras.losses.Loss) else self._loss
        values = function(y_true, y_pred)
        axes = tuple(range(1, len(values.shape)))
        values = keras.ops.mean(values, axis=axes) if axes else values
        weight = keras.ops.reshape(keras.ops.cast(sample_weight, "float32"), (-1,))
        real = keras.ops.cast(weight > 0, "float32")
        n_real, n_padded = keras.ops.sum(real), keras.ops.sum(keras.ops.ones_like(weight))
        penalty = sum(self._penalties(), 0.0)
        self._real_sum.assign_add(keras.ops.sum(values * real) + penalty * n_real)
        self._real_count.assign_add(n_real)
        self._weighted_sum.assign_add(keras.ops.sum(values * weight) + penalty * n_padded)
        self._padded_count.assign_add(n_padded)

    def result(self) -> Any:
        real = keras.ops.divide_no_nan(self._real_sum, self._real_count)
        return real - keras.ops.divide_no_nan(self._weighted_sum, self._padded_count)
