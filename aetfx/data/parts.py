"""Rows of several parts: what a model with several inputs is given, laid side by side in one flat row.

  x = {"pixels": (n, 8, 8), "table": (n, 5)}   ->   rows (n, 69), and `Parts` that says where each part lies

Terms: a *part* is one input. Its values keep their place in the flat row through splits, scores and preprocessing;
a part that the model does not give back (a condition) is fed but not scored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.data.sources.base import element_names, float_dtype
from aetfx.data.sources.npy import check_array
from aetfx.errors import DataError

_MOST_PARTS = 16


@dataclass(frozen=True)
class Part:
    """One input.

    Attributes:
      name: its key, or its place among the inputs.
      shape: of one row of it.
      start, stop: its place in the flat row.
      scored: the model gives it back.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    stop: int
    scored: bool = True

    @property
    def columns(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def declared_shape(self) -> bool:
        """Whether it is a tensor by its shape, not a table."""
        return len(self.shape) > 1


@dataclass(frozen=True)
class Parts:
    """The parts of a row, in order.

    Attributes:
      parts: see `Part`.
      kind: "dict", "list" or "tuple", as the user gave them.
    """

    parts: tuple[Part, ...]
    kind: str

    @property
    def width(self) -> int:
        return self.parts[-1].stop

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all values of the flat row, e.g. `pixels,3,4` or `table,0`."""
        return tuple(f"{part.name},{element}" for part in self.parts for element in element_names(part.shape))

    @property
    def scored(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.scored)

    def with_scored(self, names: set[str]) -> Parts:
        """Returns the same parts, of which those named are given back."""
        return Parts(tuple(dataclasses.replace(part, scored=part.name in names) for part in self.parts), self.kind)

    def structure(self, items: list[Any]) -> Any:
        """Arranges one item per part as the user arranged the parts."""
        if self.kind == "dict":
            return {part.name: item for part, item in zip(self.parts, items, strict=True)}
        return tuple(items) if self.kind == "tuple" else list(items)

    def split(self, flat: np.ndarray) -> Any:
        """Returns flat rows (n, D) as the user's structure of parts."""
        return self.structure([flat[:, part.columns].reshape(len(flat), *part.shape) for part in self.parts])


def are_parts(data: Any) -> bool:
    """Whether data are several parts: a dictionary of arrays, or a list or tuple of a few arrays of one length.

    A list of rows is none: its arrays would have to be at least two-dimensional, and hardly more than a handful.
    """
    if isinstance(data, dict):
        return True
    if not isinstance(data, list | tuple) or not 2 <= len(data) <= _MOST_PARTS:
        return False
    if not all(hasattr(item, "shape") and hasattr(item, "dtype") and len(item.shape) > 1 for item in data):
        return False
    return len({item.shape[0] for item in data}) == 1


def pack(data: Any, where: str, to_array: Callable[[Any], np.ndarray] = np.asarray) -> tuple[np.ndarray, Parts]:
    """Lays parts side by side.

    Args:
      data: a dictionary, list or tuple of arrays (n, ...).
      where: what the data are called in messages.

    Returns:
      Rows (n, D), float32 or float64, and where each part lies.

    Raises:
      DataError: a part is no array of numbers, or the parts differ in length.
    """
    kind = "dict" if isinstance(data, dict) else type(data).__name__
    items = data.items() if isinstance(data, dict) else ((str(i), item) for i, item in enumerate(data))
    arrays: list[np.ndarray] = []
    parts: list[Part] = []
    start = 0
    for name, item in items:
        array = to_array(item)
        if array.ndim == 1:
            array = array.reshape(-1, 1)
        check_array(f"{where}['{name}']", array.shape, array.dtype)
        shape = tuple(int(size) for size in array.shape[1:])
        stop = start + int(np.prod(shape))
        parts.append(Part(str(name), shape, start, stop))
        arrays.append(array)
        start = stop
    if not arrays:
        raise DataError(f"{where}: a dictionary without arrays. Give one array for each input of the model.")
    if len({len(array) for array in arrays}) > 1:
        told = ", ".join(f"'{part.name}' {len(array)}" for part, array in zip(parts, arrays, strict=True))
        raise DataError(f"{where}: its parts have different numbers of rows ({told}). Give each input the same rows.")
    dtype = np.result_type(*(float_dtype(array.dtype) for array in arrays))
    flat = np.concatenate([array.reshape(len(array), -1).astype(dtype) for array in arrays], axis=1)
    return np.ascontiguousarray(flat), Parts(tuple(parts), "tuple" if kind not in ("dict", "list") else kind)
