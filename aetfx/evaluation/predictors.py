"""What gives rows back: Keras models from files, and principal components as a reference.

A model is loaded once per process, in Keras's safe mode and without its optimizer and loss, and answers through one
compiled function over some thousand rows at a time. TensorFlow is imported when the first model is loaded.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aetfx.data.files import is_remote, open_binary
from aetfx.errors import ModelError

if TYPE_CHECKING:
    from aetfx.data.parts import Parts

_CELLS = 1 << 20  # of a batch: 4 MB in, and some tens of that inside a convolutional model
_LEAST_ROWS, _MOST_ROWS = 32, 8192
_LOADED: dict[tuple[Any, ...], KerasPredictor] = {}
_LOADING = threading.RLock()


class Predictor(Protocol):
    """Gives rows back."""

    def answers(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields reconstructions of raw rows (n, *shape): one, or the draws of a stochastic model."""


@dataclass(frozen=True)
class PcaPredictor:
    """Principal components in the unit of the score; fitted on train rows. Picklable.

    Attributes:
      mean, unit: float64 (D,), of the columns.
      directions: float64 (k, D), of the columns in their units.
    """

    mean: np.ndarray
    unit: np.ndarray
    directions: np.ndarray

    def answers(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Cells that are not finite count as the mean."""
        apart = np.asarray(rows).reshape(len(rows), -1) - self.mean
        if not np.isfinite(apart.sum()):
            apart = np.where(np.isfinite(apart), apart, 0.0)
        restored = (apart @ (self.directions / self.unit).T) @ (self.directions * self.unit)
        restored += self.mean
        yield restored.reshape(rows.shape)


@dataclass
class KerasPredictor:
    """A loaded model.

    Attributes:
      model: raw rows in and out.
      shape: of a row of the data.
      takes: shape of a row as the model takes it; of as many numbers.
      label: what to call it in messages.
      gives: of rows of several parts (`aetfx.data.parts`) the names of those that it gives back.
    """

    model: Any
    shape: tuple[int, ...]
    takes: tuple[int, ...]
    label: str
    gives: tuple[str, ...] = ()
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def stochastic(self) -> bool:
        """Whether it answers the same rows differently each time."""
        from aetfx.models.draws import is_stochastic

        rows = np.random.default_rng(0).normal(size=(8, *self.takes)).astype(self.dtype)
        try:
            return is_stochastic(self.model, rows)
        except Exception:  # words by their numbers, say, of which there is none below 0
            return is_stochastic(self.model, np.zeros_like(rows))

    @cached_property
    def masked(self) -> tuple[float, ...]:
        """Values of steps that its `Masking` layers take for padding."""
        from aetfx.models.serial import leaf_layers

        layers = leaf_layers(self.model).values()
        return tuple(float(layer.mask_value) for layer in layers if type(layer).__name__ == "Masking")

    @cached_property
    def dtype(self) -> str:
        """What the model is fed: float64 where its input is (times in seconds need that), else float32."""
        inputs = getattr(self.model, "inputs", None) or []
        return "float64" if len(inputs) == 1 and str(inputs[0].dtype) == "float64" else "float32"

    def answers(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields reconstructions; a stochastic model gives 8 seeded draws (METHOD §1).

        Raises:
          ModelError: the model fails on these rows.
        """
        from aetfx.models.draws import DRAWS, drawing
        from aetfx.models.passing import reconstruct

        if not self.stochastic:
            yield self._through(self._compiled, rows)
            return
        for number in range(DRAWS):
            with self._lock, drawing(self.model, number):
                drawn = self._through(lambda fed: reconstruct(self.model, fed), rows)
            yield drawn

    def codes(self, rows: np.ndarray) -> np.ndarray | None:
        """Returns what the narrowest layer gives for raw rows, float32 (n, k); None where no layer is one."""
        from aetfx.models.reading import layer_outputs

        code = self.architecture.code if self.architecture is not None else None
        if code is None:
            return None
        core, feed = self._core
        parts = []
        for start in range(0, len(rows), self._rows):
            fed = np.asarray(feed(self._as_taken(rows[start : start + self._rows])), "float32")
            found = layer_outputs(core, fed, only=code.last).get(code.last)
            if found is None:
                return None
            parts.append(np.asarray(found, np.float32).reshape(len(fed), -1))
        return np.concatenate(parts) if parts else None

    @cached_property
    def architecture(self) -> Any:
        """Returns the `Architecture` of the network inside the preprocessing, or None where it cannot be read."""
        from aetfx.models.reading import read_architecture

        try:
            return read_architecture(self._core[0], self.takes)
        except Exception:  # a class of the user's own may compute in ways that cannot be watched
            return None

    @cached_property
    def _core(self) -> tuple[Any, Any]:
        """The network, and what prepares rows for it: aetfx saves both as one model."""
        layers = list(getattr(self.model, "layers", []))
        kinds = [type(layer).__name__ for layer in layers]
        if "Prepare" in kinds and "Restore" in kinds:
            inner = [layer for layer, kind in zip(layers, kinds, strict=True) if hasattr(layer, "layers")]
            if len(inner) == 1:
                return inner[0], layers[kinds.index("Prepare")]
        return self.model, lambda rows: rows

    @property
    def _rows(self) -> int:
        return int(np.clip(_CELLS // max(1, int(np.prod(self.shape))), _LEAST_ROWS, _MOST_ROWS))

    @cached_property
    def _compiled(self) -> Any:
        from aetfx.models.forward import traced

        return traced(self.model, self.takes, self.dtype)

    def _as_taken(self, rows: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(rows, dtype=self.dtype).reshape(len(rows), *self.takes)

    def _through(self, function: Any, rows: np.ndarray) -> np.ndarray:
        try:
            parts = [
                np.asarray(function(self._as_taken(rows[start : start + self._rows])))
                for start in range(0, len(rows), self._rows)
            ]
        except Exception as error:
            raise ModelError(f"{self.label}: fails on these rows: {_said(error)}.") from error
        return np.concatenate(parts).reshape(len(rows), *self.shape)


def load(path: str, shape: Sequence[int], parts: Parts | None = None) -> KerasPredictor:
    """Loads a model, once per process, and checks that it gives rows of this shape back.

    Args:
      path: of a `.keras` file, local or of a Beam file system.
      shape: of one row of the data; a model that takes as many numbers in another shape will do.
      parts: what these flat rows are made of; a model with an input for each will do, and need not give all back.

    Raises:
      ModelError: it cannot be loaded, would run code, or does not fit the rows.
    """
    shape = tuple(int(size) for size in shape)
    key = (path, shape, parts, None if is_remote(path) else _stamp(path))
    with _LOADING:
        if key not in _LOADED:
            _LOADED[key] = _load(path, shape, parts)
        return _LOADED[key]


def forget() -> None:
    """Lets go of the models that this process has loaded."""
    with _LOADING:
        _LOADED.clear()


def _load(path: str, shape: tuple[int, ...], parts: Parts | None) -> KerasPredictor:
    from aetfx.models.load import check_shapes

    model = _read_remote(path) if is_remote(path) else _read(path, path)
    try:
        model, gives = (model, ()) if parts is None else _of_parts(model, parts)
        takes = _taken(model, shape)
        check_shapes(model, takes)
        _check_output(model, takes)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    predictor = KerasPredictor(model, shape, takes, path, gives)
    next(predictor.answers(np.zeros((2, *shape), "float32")))  # traced here, where it may fail in words
    return predictor


def _check_output(model: Any, shape: tuple[int, ...]) -> None:
    """Checks that of several outputs one has the shape of a row, and only one.

    Raises:
      ModelError: that is not so.
    """
    if len(getattr(model, "outputs", None) or ()) == 1:
        return
    from aetfx.models.draws import undisturbed
    from aetfx.models.passing import reconstruct

    with undisturbed(model):
        given = reconstruct(model, np.zeros((2, *shape), "float32"))
    if isinstance(given, dict | list | tuple):
        raise ModelError(f"has several outputs, and not one alone has the shape of its rows, {shape}.")


def _of_parts(model: Any, parts: Parts) -> tuple[Any, tuple[str, ...]]:
    """Returns a model of flat rows, and the parts that it gives back.

    Raises:
      ModelError: it takes no such parts, or gives none of them back.
    """
    from aetfx.models.packing import pack_model
    from aetfx.models.serial import leaf_layers

    if len(getattr(model, "inputs", None) or []) == 1:  # of flat rows, as aetfx saves its trials
        layers = leaf_layers(model).values()
        given = [here.start for layer in layers for here in getattr(layer, "condition_columns", [])]
        return model, tuple(part.name for part in parts.parts if part.start not in given)
    packed = pack_model(model, parts)
    return packed.model, tuple(part.name for part in packed.parts.scored)


def _taken(model: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape of the model's input where it is another one of as many numbers, else that of the data.

    Raises:
      ModelError: it takes rows of another size, or several inputs.
    """
    given = getattr(model, "input_shape", None)
    if isinstance(given, list | dict) and len(given) > 1:
        names = ", ".join(f"'{one.name}' {tuple(one.shape)[1:]}" for one in model.inputs)
        raise ModelError(
            f"takes {len(given)} inputs ({names}). Give the rows of each: --data NAME=FILE --data NAME=FILE, or a "
            "dictionary of arrays."
        )
    if isinstance(given, tuple) and len(given) > 1 and all(isinstance(size, int) for size in given[1:]):
        inner = tuple(given[1:])
        if np.prod(inner, dtype=int) != np.prod(shape, dtype=int):
            raise ModelError(
                f"takes rows of shape {inner}, but the data have rows of shape {shape}. Give the columns that "
                "it was trained on (features), or another model."
            )
        return inner
    return shape


def _read(path: str, label: str) -> Any:
    import keras

    import aetfx.models.saved_layers  # noqa: F401 (registers them)

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        whole = str(error).lower()
        if "lambda" in whole:
            raise ModelError(
                f"{label}: holds a Lambda layer, which would run code from the file. Replace it by a layer class, and "
                "save the model again."
            ) from error
        raise ModelError(
            f"{label}: Keras cannot load it ({type(error).__name__}: {_said(error)}). Custom classes must be "
            "registered with keras.saving.register_keras_serializable in a module that is imported."
        ) from error


def _read_remote(path: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        local = os.path.join(folder, "model.keras")
        with open_binary(path, packed=False) as stream, open(local, "wb") as file:
            while block := stream.read(1 << 20):
                file.write(block)
        return _read(local, path)


def _stamp(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size


def _said(error: BaseException) -> str:
    # TensorFlow names its nodes in brackets.
    text = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*?\]", " ", str(error))
    return " ".join(text.split())[:200].rstrip(".") or type(error).__name__
