"""A fitted preprocessing as Keras layers, so that the saved model takes raw rows and gives back raw rows.

A model with these layers is loaded in Keras's safe mode after one import, which registers all of aetfx's layers:

  import keras
  import aetfx.models.saved_layers
  model = keras.models.load_model("fixed/model.keras")

All steps are computed in float64: a time stamp of 1.6e9 seconds keeps its seconds, which float32 would round to
128. Only the scaled values go on to the network in float32. Its output is brought back in float64.

Measured: a model whose input is float64 keeps every bit in `model(x)`, `predict_on_batch` and from a `tf.data`
data set, but `keras.Model.predict` rounds NumPy arrays and data frames to float32 before the model sees them.
`RawModel.predict` hands them over as a data set instead.
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from aetfx.errors import ModelError
from aetfx.preprocessing.transform import Preprocessing, unpack

_PACKAGE = "aetfx"


class _Step(keras.layers.Layer):
    """A layer without weights whose numbers live in its config, so that copies and saved models keep them.

    Args:
      packed: name to packed array, as `Preprocessing.to_config` gives them.
      shape: shape of one row.
    """

    empty: ClassVar[dict[str, float]] = {}

    def __init__(self, packed: dict[str, Any], shape: list[int], **kwargs: Any):
        kwargs["dtype"] = "float64"
        super().__init__(trainable=False, **{k: v for k, v in kwargs.items() if k != "trainable"})
        self.packed, self.shape = dict(packed), tuple(shape)
        size = int(np.prod(self.shape))
        self.arrays = {
            name: unpack(value, size, self.empty.get(name, np.nan)).reshape(self.shape)
            for name, value in self.packed.items()
            if isinstance(value, dict)
        }

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, dtype=self.output_dtype)

    @property
    def output_dtype(self) -> str:
        return "float64"

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "packed": self.packed, "shape": list(self.shape)}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Prepare(_Step):
    """Raw rows to what the network is fed, float32: `Preprocessing.apply` as a layer."""

    empty: ClassVar[dict[str, float]] = {"low": -np.inf, "high": np.inf}

    def __init__(self, packed: dict[str, Any], shape: list[int], **kwargs: Any):
        super().__init__(packed, shape, **kwargs)
        # One row of sentinels per turn, NaN (which equals nothing) where a column has no more of them.
        listed = self.packed.get("sentinels", [])
        turns = max((len(values) for _, values in listed), default=0)
        marks = np.full((turns, int(np.prod(self.shape))), np.nan)
        for column, values in listed:
            marks[: len(values), column] = values
        with np.errstate(over="ignore"):
            rounded = marks.astype(np.float32).astype(np.float64)  # as in rows that came as float32
        self.marks = np.concatenate([marks, rounded]).reshape(2 * turns, *self.shape)

    @property
    def output_dtype(self) -> str:
        return "float32"

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float64")
        missing = None
        if "fill" in self.arrays:
            missing = ops.logical_not(ops.isfinite(x))
            for mark in self.marks:
                missing = ops.logical_or(missing, ops.equal(x, ops.convert_to_tensor(mark, "float64")))
        if "low" in self.arrays:
            x = ops.minimum(ops.maximum(x, self._constant("low")), self._constant("high"))
        if missing is not None:
            x = ops.where(missing, self._constant("fill"), x)
        if "scale" in self.arrays:
            x = (x - self._constant("center")) / self._constant("scale")
        if "dropped" in self.arrays:
            x = ops.where(np.isnan(self.arrays["dropped"]), x, ops.zeros_like(x))
        if "padding" in self.packed:
            x = _keep_padding(inputs, x, self.packed["padding"])
        return ops.cast(x, "float32")

    def _constant(self, name: str) -> Any:
        return ops.convert_to_tensor(self.arrays[name], "float64")


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Restore(_Step):
    """What the network gives back to raw units, float64: `Preprocessing.invert` as a layer.

    Where sequences are padded it is called with the raw rows as well, and gives their padding back.
    """

    def compute_output_spec(self, inputs: Any, rows: Any = None) -> keras.KerasTensor:
        return super().compute_output_spec(inputs)

    def call(self, inputs: Any, rows: Any = None) -> Any:
        y = ops.cast(inputs, "float64")
        if "scale" in self.arrays:
            scale, center = (ops.convert_to_tensor(self.arrays[name], "float64") for name in ("scale", "center"))
            y = y * scale + center
        if "dropped" in self.arrays:
            dropped = self.arrays["dropped"]
            y = ops.where(np.isnan(dropped), y, ops.convert_to_tensor(np.nan_to_num(dropped), "float64"))
        return y if rows is None else _keep_padding(rows, y, self.packed["padding"])


def _keep_padding(rows: Any, changed: Any, value: float) -> Any:
    """Returns `changed` with the padding of `rows` (n, T, ...) where that has steps which are padding."""
    rows = ops.cast(rows, "float64")
    same = ops.logical_or(ops.equal(rows, value), ops.equal(rows, float(np.float32(value))))
    steps = ops.all(ops.reshape(same, (ops.shape(rows)[0], rows.shape[1], -1)), axis=-1)
    # Padding runs to the end: the number of steps behind that are none must be 0.
    behind = ops.flip(ops.cumsum(ops.flip(ops.cast(ops.logical_not(steps), "int32"), axis=1), axis=1), axis=1)
    padded = ops.reshape(ops.equal(behind, 0), (-1, rows.shape[1], *([1] * (len(rows.shape) - 2))))
    return ops.where(padded, ops.cast(value, changed.dtype), changed)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class RawModel(keras.Model):
    """A functional model on raw rows whose `predict` does not round float64 rows to float32.

    `fit` and `evaluate` are Keras's own, and round NumPy rows: give them a `tf.data` data set where that matters.
    """

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: Any = None, callbacks: Any = None
    ) -> np.ndarray:
        """Returns the reconstruction in raw units, float64 (n, *shape). Arguments as for `keras.Model.predict`."""
        if hasattr(x, "to_numpy"):  # a data frame
            x = x.to_numpy()
        if isinstance(x, np.ndarray) and x.dtype == np.float64 and len(x):
            import tensorflow as tf

            x = tf.data.Dataset.from_tensor_slices(x).batch(batch_size or 32)
            batch_size = None
        return super().predict(x, batch_size=batch_size, verbose=verbose, steps=steps, callbacks=callbacks)


def wrap(core: keras.Model, preprocessing: Preprocessing) -> keras.Model:
    """Puts a preprocessing around a model: raw rows in, raw rows out.

    The weights are those of `core`, not copies. Where nothing is preprocessed, `core` itself is returned.

    Args:
      core: takes and gives back rows of `preprocessing.shape`; Sequential, Functional or a subclass.
      preprocessing: fitted on the train rows.

    Returns:
      A `RawModel` named after `core`, input float64, output float64, not compiled.

    Raises:
      ModelError: the model cannot take such rows, or gives back another shape.
    """
    if preprocessing.identity:
        return core
    config = preprocessing.to_config()
    shape = list(preprocessing.shape)
    rows = keras.Input(preprocessing.shape, dtype="float64", name="raw_rows")
    padding = {} if preprocessing.padding is None or len(shape) < 2 else {"padding": preprocessing.padding}
    steps = {name: value for name, value in config.items() if isinstance(value, dict) and name != "spec"}
    fed = Prepare({**steps, **padding, "sentinels": config["sentinels"]}, shape, name="prepare")(rows)
    try:
        rebuilt = core(fed)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"model '{core.name}' does not take rows of shape {preprocessing.shape}: {reason}") from error
    if tuple(rebuilt.shape[1:]) != preprocessing.shape:
        raise ModelError(
            f"model '{core.name}' gives back rows of shape {tuple(rebuilt.shape[1:])} for rows of shape "
            f"{preprocessing.shape}. The output layer of an autoencoder must match its input."
        )
    back = {name: config[name] for name in ("center", "scale", "dropped") if config[name] is not None}
    restore = Restore({**back, **padding}, shape, name="restore")
    return RawModel(rows, restore(rebuilt, rows) if padding else restore(rebuilt), name=f"raw_{core.name}")
