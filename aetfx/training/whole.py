"""A trial's model as its user takes it home: raw rows in, raw rows out, and a file of it.

Not every model can be put into a functional one or saved whole: a class without `get_config` has no description,
one that computes with NumPy cannot be traced. Such a model is wrapped in a class of ours that only calls it, works
in this process, and is kept as weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from aetfx.errors import ModelError
from aetfx.models.passing import has_call, reconstruct
from aetfx.preprocessing.fit import Preprocessing
from aetfx.preprocessing.layers import wrap
from aetfx.run import atomic

# What Keras raises where a model cannot be described; what a disk raises is not among them.
CANNOT_BE_SAVED = (TypeError, ValueError, NotImplementedError, AttributeError, ModelError)


class Wrapped(keras.Model):
    """A model of the user's between its preprocessing and the inverse; run as written, not traced."""

    def __init__(self, core: keras.Model, preprocessing: Preprocessing, **kwargs: Any):
        super().__init__(**kwargs)
        self.core, self.preprocessing = core, preprocessing

    def call(self, rows: Any) -> Any:
        fed = self.preprocessing.apply(np.asarray(rows))
        return keras.ops.convert_to_tensor(self.preprocessing.invert(np.asarray(reconstruct(self.core, fed))))


def raw_model(core: keras.Model, preprocessing: Preprocessing) -> keras.Model:
    """Returns a Keras model that takes raw rows and gives back raw rows. It shares its weights with `core`."""
    try:
        return wrap(as_callable(core, preprocessing.shape), preprocessing)
    except Exception:
        wrapped = Wrapped(core, preprocessing, name=f"raw_{core.name}")
        wrapped.compile(run_eagerly=True)  # for `predict`
        wrapped.built = True
        return wrapped


def as_callable(model: keras.Model, shape: tuple[int, ...]) -> keras.Model:
    """Returns the model itself where calling it gives the reconstruction, else a functional one of the same layers."""
    rows = keras.Input(shape, name="rows")
    outputs = model(rows) if has_call(model) else None
    if hasattr(outputs, "shape"):
        return model
    return keras.Model(rows, reconstruct(model, rows, training=None), name=model.name)


def save_raw(model: keras.Model, folder: Path) -> tuple[Path, str]:
    """Saves a model whole as `model.keras`, or, where Keras cannot, its weights as `weights.npz`.

    Returns:
      The path, and why it holds weights only ("" for a whole model).
    """
    try:
        if isinstance(model, Wrapped):
            raise TypeError("the class of the model cannot be put into a functional model")
        with atomic(folder / "model.keras") as temporary:
            model.save(temporary)
        return folder / "model.keras", ""
    except CANNOT_BE_SAVED as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
        with atomic(folder / "weights.npz") as temporary:
            np.savez(temporary, *model.get_weights())
        return folder / "weights.npz", reason[:200].rstrip(".")
