"""How the finite values of each column are spread: quantiles at any level, ranks, repeated values.

Two forms with one interface: from the values themselves (exact), or from sketches of them.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from aetfx.validation.combiners.side_by_side import in_blocks

GRID = np.linspace(0, 1, 1001)  # levels at which a sketch is read: finer than its rank error
TIED_LEVELS = 20  # a kept item of a sketch stands for up to 0.2 % of the rows; 2 % at one value is a real repeat


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

    def __init__(self, columns: np.ndarray):
        """`columns`: shape (D, n), NaN where there is no finite number; sorted in place."""
        in_blocks(len(columns), columns.nbytes, lambda block: columns[block].sort(axis=1))
        self.ordered = columns
        self.counts = np.full(len(columns), columns.shape[1])
        holed = np.flatnonzero(np.isnan(columns[:, -1:]).any(axis=1))  # NaN are last
        self.counts[holed] -= np.count_nonzero(np.isnan(columns[holed]), axis=1)

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
        place = np.clip(np.asarray(levels), 0, 1) * (self.counts[j] - 1)
        below = np.floor(place).astype(np.int64)
        low = self.ordered[j, below].astype(np.float64)
        return low + (place - below) * (self.ordered[j, np.minimum(below + 1, self.counts[j] - 1)] - low)

    def histogram(self, edges: np.ndarray) -> np.ndarray:
        shares = np.zeros((len(edges) - 1, len(self.ordered)))
        for j, count in enumerate(self.counts):
            if count:
                inner = np.searchsorted(self.ordered[j, :count], edges[1:-1, j], side="left")
                shares[:, j] = np.diff(np.concatenate([[0], inner, [count]])) / count
        return shares

    def n_distinct(self) -> np.ndarray:
        return np.count_nonzero(self._starts, axis=1)

    def repeated(self, least: int, most: int) -> list[tuple[int, float, int]]:
        found = []
        for j in np.flatnonzero(self.n_distinct() < self.counts):
            first = np.flatnonzero(self._starts[j])
            count = np.diff(first, append=self.counts[j])
            often = np.flatnonzero(count >= least)
            often = often[np.argsort(-count[often], kind="stable")[:most]]
            found += [(int(j), float(self.ordered[j, first[i]]) + 0.0, int(count[i])) for i in often]
        return found

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where a new value begins, shape (D, n); False on NaN."""
        starts = np.ones(self.ordered.shape, np.bool_)
        values = self.ordered

        def compare(block: slice) -> None:
            np.not_equal(values[block, 1:], values[block, :-1], out=starts[block, 1:])

        in_blocks(len(values), values.nbytes, compare)
        for j in np.flatnonzero(self.counts < self.ordered.shape[1]):
            starts[j, self.counts[j] :] = False
        return starts


class SketchDistribution(Distribution):
    """Weighted items of each column, read once."""

    exact = False

    def __init__(self, blocks: Sequence[tuple[np.ndarray, np.ndarray]], counts: np.ndarray):
        """Reads off the quantiles at the levels of `GRID`: each is a value that occurs.

        Args:
          blocks: items, shape (D, M), NaN where a column has none, and the rows that each item of a column stands for,
            shape (D,).
          counts: finite values in each column, shape (D,).
        """
        self.counts = counts
        self.grid = np.full((len(counts), len(GRID)), np.nan)
        for j in np.flatnonzero(counts > 0):
            finite = [(items[j][np.isfinite(items[j])], weights[j]) for items, weights in blocks]
            values = np.concatenate([items for items, _ in finite])
            rows = np.concatenate([np.full(len(items), weight) for items, weight in finite])
            order = np.argsort(values, kind="stable")
            upto = np.cumsum(rows[order])
            places = np.searchsorted(upto, GRID * upto[-1], side="left")
            self.grid[j] = values[order][np.minimum(places, len(values) - 1)] + 0.0

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
