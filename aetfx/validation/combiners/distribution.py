"""How the finite values of each column are spread: quantiles at any level, ranks, repeated values.

Two forms with one interface: from the values themselves (exact), or from sketches of them.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np

GRID = np.linspace(0, 1, 1001)  # levels at which a sketch is read: finer than its rank error
TIED_LEVELS = 20  # a kept item of a sketch stands for up to 0.4 % of the rows; 2 % at one value is a real repeat


class Distribution(abc.ABC):
    """The finite values of D columns."""

    exact: bool
    counts: np.ndarray  # finite values per column, shape (D,)

    @abc.abstractmethod
    def quantiles(self, levels: Sequence[float]) -> np.ndarray:
        """Quantiles (linear between neighbours), shape (levels, D); NaN for columns without values."""

    @abc.abstractmethod
    def column_quantiles(self, j: int, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of one column, shape (levels,)."""

    @abc.abstractmethod
    def histogram(self, edges: np.ndarray) -> np.ndarray:
        """Share of the values in each bucket; edges of shape (B + 1, D), the last one included. Shape (B, D)."""

    @abc.abstractmethod
    def n_distinct(self) -> np.ndarray:
        """Number of distinct values per column; from sketches a lower bound."""

    @abc.abstractmethod
    def repeated(self, least: int, most: int) -> list[tuple[int, float, int]]:
        """(column, value, count) of the most frequent values of each column that occur at least `least` times."""


class ExactDistribution(Distribution):
    """Keeps the sorted values, one row per column, NaN last."""

    exact = True

    def __init__(self, values: np.ndarray):
        """`values`: shape (n, D), NaN where there is no finite number."""
        self.ordered = np.sort(np.ascontiguousarray(values.T), axis=1)
        self.counts = self.ordered.shape[1] - np.count_nonzero(np.isnan(self.ordered), axis=1)

    def quantiles(self, levels: Sequence[float]) -> np.ndarray:
        out = np.full((len(levels), len(self.ordered)), np.nan)
        some = self.counts > 0
        rows = np.flatnonzero(some)
        for i, level in enumerate(levels):
            place = level * (self.counts[some] - 1)
            below = np.floor(place).astype(np.int64)
            above = np.minimum(below + 1, self.counts[some] - 1)
            low = self.ordered[rows, below].astype(np.float64)
            out[i, some] = low + (place - below) * (self.ordered[rows, above] - low)
        return out

    def column_quantiles(self, j: int, levels: Sequence[float]) -> np.ndarray:
        place = np.asarray(levels) * (self.counts[j] - 1)
        return np.interp(place, np.arange(self.counts[j]), self.ordered[j, : self.counts[j]])

    def histogram(self, edges: np.ndarray) -> np.ndarray:
        shares = np.zeros((len(edges) - 1, len(self.ordered)))
        for j, count in enumerate(self.counts):
            if count:
                inner = np.searchsorted(self.ordered[j, :count], edges[1:-1, j], side="left")
                shares[:, j] = np.diff(np.concatenate([[0], inner, [count]])) / count
        return shares

    def n_distinct(self) -> np.ndarray:
        return self._starts().sum(axis=1, dtype=np.int64)

    def repeated(self, least: int, most: int) -> list[tuple[int, float, int]]:
        if not self.ordered.size:
            return []
        width = self.ordered.shape[1]
        flat = np.flatnonzero(self._starts().ravel())
        if not len(flat):
            return []
        column = flat // width
        stop = np.append(flat[1:], 0)
        last = np.append(column[1:] != column[:-1], True)
        stop[last] = column[last] * width + self.counts[column[last]]
        count = stop - flat
        keep = np.flatnonzero(count >= least)
        keep = keep[np.lexsort((flat[keep], -count[keep], column[keep]))]
        rank = np.arange(len(keep)) - np.searchsorted(column[keep], column[keep])
        keep = keep[rank < most]
        values = self.ordered.ravel()[flat[keep]]
        return [(int(c), float(v) + 0.0, int(n)) for c, v, n in zip(column[keep], values, count[keep], strict=True)]

    def _starts(self) -> np.ndarray:
        """Where a new value begins, shape (D, n); False on NaN."""
        starts = np.ones(self.ordered.shape, np.bool_)
        starts[:, 1:] = self.ordered[:, 1:] != self.ordered[:, :-1]
        starts[np.isnan(self.ordered)] = False
        return starts


class SketchDistribution(Distribution):
    """Reads KLL sketches once, at the levels of `GRID`."""

    exact = False

    def __init__(self, sketches: Sequence[Any], counts: np.ndarray):
        """`counts`: finite values in each of the D sketches, shape (D,)."""
        self.counts = counts
        self.grid = np.full((len(counts), len(GRID)), np.nan)
        levels = GRID.tolist()
        for j in np.flatnonzero(counts > 0):
            self.grid[j] = sketches[j].get_quantiles(levels, True)

    def quantiles(self, levels: Sequence[float]) -> np.ndarray:
        place = np.asarray(levels) * (len(GRID) - 1)
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, len(GRID) - 1)
        low = self.grid[:, below]
        return (low + (place - below) * (self.grid[:, above] - low)).T

    def column_quantiles(self, j: int, levels: Sequence[float]) -> np.ndarray:
        return np.interp(levels, GRID, self.grid[j])

    def histogram(self, edges: np.ndarray) -> np.ndarray:
        shares = np.zeros((len(edges) - 1, len(self.grid)))
        for j in np.flatnonzero(self.counts > 0):
            inner = np.searchsorted(self.grid[j], edges[1:-1, j], side="left") / len(GRID)
            shares[:, j] = np.diff(np.concatenate([[0.0], inner, [1.0]]))
        return shares

    def n_distinct(self) -> np.ndarray:
        return np.where(self.counts > 0, 1 + np.count_nonzero(np.diff(self.grid, axis=1) > 0, axis=1), 0)

    def repeated(self, least: int, most: int) -> list[tuple[int, float, int]]:
        """Values that hold at least `TIED_LEVELS` levels of the grid; counts are estimates."""
        found = []
        for j in np.flatnonzero(self.counts > 0):
            values, levels = np.unique(self.grid[j], return_counts=True)
            tied = np.flatnonzero(levels >= TIED_LEVELS)
            for i in tied[np.argsort(-levels[tied], kind="stable")][:most]:
                count = round(levels[i] / len(GRID) * int(self.counts[j]))
                if count >= least:
                    found.append((int(j), float(values[i]) + 0.0, count))
        return found
