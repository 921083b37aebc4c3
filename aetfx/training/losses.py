"""Losses that wrap the user's own: missing targets left out, repeated rows counted once."""

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
        return _function(self.loss)(filled, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}


class RepeatedLoss(keras.losses.Loss):
    """The wrapped loss of a batch in which every row stands equally often: their mean is that of the rows.

    Args:
      loss: to be wrapped. Where it is a sum, it is divided by how often each row stands there.
    """

    def __init__(self, loss: Any):
        loss = keras.losses.get(loss)
        super().__init__(name="repeated_loss", reduction=getattr(loss, "reduction", "sum_over_batch_size"))
        self.loss = loss

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        value = super().__call__(y_true, y_pred)
        if self.reduction != "sum" or sample_weight is None:
            return value
        return value * keras.ops.mean(sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return _function(self.loss)(y_true, y_pred)


class RepeatCorrection(keras.metrics.Metric):
    """What must be added to the reported epoch loss because Keras counts the rows of a batch as often as they are fed.

    The result is (mean over rows) - (mean over rows as fed), zero without repeats. Weights of rows are one over how
    often each is fed.

    Args:
      loss: of the compiled model; None for a model that adds its own.
      penalties: returns the terms that layers add to the loss of a batch (regularisers).
    """

    def __init__(self, loss: Any, penalties: Callable[[], list[Any]], name: str = "repeat_correction"):
        super().__init__(name=name)
        self._loss = keras.losses.get(loss)
        self._penalties = penalties
        self._sum = self.add_weight(name="sum", initializer="zeros")
        self._count = self.add_weight(name="count", initializer="zeros")
        self._fed_sum = self.add_weight(name="fed_sum", initializer="zeros")
        self._fed_count = self.add_weight(name="fed_count", initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        loss = 0.0 if self._loss is None else keras.ops.mean(_function(self._loss)(y_true, y_pred))
        loss = keras.ops.cast(loss + sum(self._penalties(), 0.0), "float32")
        count = keras.ops.sum(keras.ops.cast(sample_weight, "float32"))
        fed = keras.ops.cast(keras.ops.size(sample_weight), "float32")
        self._sum.assign_add(loss * count)
        self._count.assign_add(count)
        self._fed_sum.assign_add(loss * fed)
        self._fed_count.assign_add(fed)

    def result(self) -> Any:
        mean = keras.ops.divide_no_nan(self._sum, self._count)
        return mean - keras.ops.divide_no_nan(self._fed_sum, self._fed_count)


def _function(loss: Any) -> Callable[[Any, Any], Any]:
    """Returns what computes a loss before it is reduced, from targets and predictions."""
    return loss.call if isinstance(loss, keras.losses.Loss) else loss
