"""A fitted preprocessing in NumPy: rows to what a network is fed, and its output back to the data's own units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aetfx.data.padding import padded_cells

Sentinels = dict[int, tuple[float, ...]]

_ARRAYS = ("fill", "low", "high", "center", "scale", "dropped")


@dataclass(frozen=True)
class Preprocessing:
    """What was fitted on the train rows. Arrays are float64 of shape (D,), or None where a step is left out.

    The steps, in order: missing cells (NaN, infinite, sentinels) are marked, the others clipped to [low, high],
    the missing ones filled, all scaled: `(x - center) / scale`, and dropped columns put to 0. `invert` undoes the
    scaling, and gives dropped columns back as they nearly always are.

    Attributes:
      spec: keys scaling, missing, outliers, constant.
      shape: shape of one row; D is its number of elements.
      fill: what missing cells become.
      low, high: bounds of the clipping; infinite where a column has none.
      center, scale: of the scaling; the scale of a constant column is 1.
      dropped: what a dropped column comes back as; NaN for columns that are kept.
      sentinels: flat column number to the values that stand for "missing"; used where `spec["missing"]` is set.
      padding: value of the padded steps at the end of sequences, which stay as they are; or None.
    """

    spec: dict[str, str]
    shape: tuple[int, ...]
    fill: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    center: np.ndarray | None = None
    scale: np.ndarray | None = None
    dropped: np.ndarray | None = None
    sentinels: Sentinels = field(default_factory=dict)
    padding: float | None = None

    @property
    def identity(self) -> bool:
        """Whether rows are fed as they are."""
        return self.fill is None and self.low is None and self.scale is None and self.dropped is None

    def apply(self, x: np.ndarray, *, impute: bool = True) -> np.ndarray:
        """Returns the rows as they are fed, float32 (n, *shape), computed in float64.

        Args:
          x: (n, *shape), raw units, any numeric dtype.
          impute: False leaves missing cells and dropped columns NaN, which makes the targets of a masked loss.
        """
        flat = self._flat(x)
        padded = padded_cells(flat, self.padding, self.shape)
        missing = missing_cells(flat, self.sentinels)
        if self.low is not None:
            flat = np.clip(flat, self.low, self.high)
        if self.fill is not None:
            flat = np.where(missing, self.fill if impute else np.nan, flat)
        if self.scale is not None:
            flat = (flat - self.center) / self.scale
        if self.dropped is not None:
            flat = np.where(np.isnan(self.dropped), flat, 0.0 if impute else np.nan)
        if padded is not None:
            flat = np.where(padded, self.padding, flat)
        with np.errstate(over="ignore"):
            return flat.astype(np.float32).reshape(len(flat), *self.shape)

    def invert(self, y: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Returns what a network gave back in raw units, float64 (n, *shape).

        Args:
          y: (n, *shape), what the network gave.
          rows: the raw rows that it was given; where these are padded, so is the result.
        """
        flat = self._flat(y)
        if self.scale is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                flat = flat * self.scale + self.center
        if self.dropped is not None:
            flat = np.where(np.isnan(self.dropped), flat, self.dropped)
        padded = None if rows is None else padded_cells(rows, self.padding)
        if padded is not None:
            flat = np.where(padded, self.padding, flat)
        return flat.reshape(len(flat), *self.shape)

    def to_config(self) -> dict[str, Any]:
        """Returns plain JSON-able data; `from_config` restores every bit."""
        arrays = {name: _pack(getattr(self, name)) for name in _ARRAYS}
        sentinels = [[column, list(values)] for column, values in sorted(self.sentinels.items())]
        return {"spec": dict(self.spec), "shape": list(self.shape), **arrays, "sentinels": sentinels} | (
            {} if self.padding is None else {"padding": self.padding}
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocessing:
        """Restores what `to_config` returned."""
        shape = tuple(int(size) for size in config["shape"])
        size = int(np.prod(shape))
        edges = {"low": -np.inf, "high": np.inf}
        return cls(
            spec=dict(config["spec"]),
            shape=shape,
            sentinels={int(column): tuple(values) for column, values in config["sentinels"]},
            padding=config.get("padding"),
            **{
                name: unpack(config[name], size, edges.get(name, np.nan))
                for name in _ARRAYS
                if config.get(name) is not None
            },
        )

    def _flat(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x)
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(f"rows of shape {self.shape} were fitted but got {tuple(x.shape[1:])}")
        return x.astype(np.float64).reshape(len(x), int(np.prod(self.shape)))


def missing_cells(flat: np.ndarray, sentinels: Sentinels) -> np.ndarray:
    """Returns which cells of float64 (n, D) rows are NaN, infinite or a sentinel, bool (n, D)."""
    missing = ~np.isfinite(flat)
    for column, values in sentinels.items():
        for value in values:
            with np.errstate(over="ignore"):  # the largest float64 stands for "missing" in some programs
                rounded = float(np.float32(value))  # the rows may have passed through float32 since it was found
            missing[:, column] |= (flat[:, column] == value) | (flat[:, column] == rounded)
    return missing


def _pack(values: np.ndarray | None) -> dict[str, Any] | None:
    """Keeps one number where all are equal (a pooled scale of an image); infinities become null for JSON."""
    if values is None:
        return None
    plain = [float(v) if np.isfinite(v) else None for v in values]
    return {"all": plain[0]} if len(set(plain)) == 1 else {"each": plain}


def unpack(packed: Mapping[str, Any], size: int, empty: float) -> np.ndarray:
    """Undoes `_pack`: float64 (size,), with `empty` in place of null."""
    plain = [packed["all"]] * size if "all" in packed else packed["each"]
    return np.array([empty if v is None else v for v in plain], dtype=np.float64)
