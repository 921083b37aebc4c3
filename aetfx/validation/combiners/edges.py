"""The few smallest and largest distinct values of each column and how often each occurs. Exact.

Sentinels (-999) live at the edges. The K smallest distinct values of a union are among the K smallest of its
parts, so that values and counts merge without error in memory that does not grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells

KEPT = 4  # distinct values per side: two sentinels and two stray cells, or the other way round


@dataclass(frozen=True)
class EdgeValues:
    """Distinct values per column from the outside inwards, and their counts; both of shape (KEPT, D).

    Where a column has fewer distinct values the rest is +inf (low side) or -inf (high side) with count 0.
    """

    low: np.ndarray
    low_counts: np.ndarray
    high: np.ndarray
    high_counts: np.ndarray


class Edges(Accumulator[EdgeValues]):
    """Keeps both sides; the high side is kept as the low side of the negated values."""

    def __init__(self, n_columns: int):
        super().__init__(n_columns)
        self.sides = [_empty(n_columns), _empty(n_columns)]

    def add(self, cells: Cells) -> Edges:
        finite = cells.finite()
        for i, values in enumerate((finite, -finite)):
            self.sides[i] = _add(self.sides[i], values)
        return self

    def merge(self, other: Edges) -> Edges:
        self.sides = [_merge(mine, theirs) for mine, theirs in zip(self.sides, other.sides, strict=True)]
        return self

    def result(self) -> EdgeValues:
        (low, low_counts), (high, high_counts) = self.sides
        return EdgeValues(low + 0.0, low_counts, -high + 0.0, high_counts)


_Side = tuple[np.ndarray, np.ndarray]


def _empty(n_columns: int) -> _Side:
    return np.full((KEPT, n_columns), np.inf), np.zeros((KEPT, n_columns), np.int64)


def _add(side: _Side, values: np.ndarray) -> _Side:
    """Counts the known edge values; columns with a new value among the smallest are looked at again."""
    known, counts = side
    bound = known[-1].astype(values.dtype)
    same = [np.count_nonzero(values == known[i].astype(values.dtype), axis=0) for i in range(KEPT)]
    below = np.count_nonzero(values < bound, axis=0)
    fresh = np.flatnonzero(below > sum(same[:-1]))
    counts = counts + np.where(known < np.inf, same, 0)
    if not len(fresh):
        return known, counts
    known = known.copy()
    known[:, fresh], counts[:, fresh] = _merge((side[0][:, fresh], side[1][:, fresh]), _smallest(values[:, fresh]))
    return known, counts


def _smallest(values: np.ndarray) -> _Side:
    """The KEPT smallest distinct values per column, and their counts; NaN is left out."""
    known, counts = _empty(values.shape[1])
    bound = np.full(values.shape[1], -np.inf, values.dtype)
    nothing = values.dtype.type(np.inf)
    for i in range(KEPT):
        bound = np.where(values > bound, values, nothing).min(axis=0)
        known[i] = bound
        counts[i] = np.where(known[i] < np.inf, np.count_nonzero(values == bound, axis=0), 0)
    return known, counts


def _merge(a: _Side, b: _Side) -> _Side:
    values, counts = np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])
    order = np.argsort(values, axis=0, kind="stable")
    values, counts = np.take_along_axis(values, order, 0), np.take_along_axis(counts, order, 0)
    for i in range(1, len(values)):  # a value that both sides hold stands twice in a row
        twice = (values[i] == values[i - 1]) & (values[i] < np.inf)
        counts[i - 1] += np.where(twice, counts[i], 0)
        counts[i] = np.where(twice, 0, counts[i])
        values[i] = np.where(twice, np.inf, values[i])
    order = np.argsort(values, axis=0, kind="stable")[:KEPT]
    return np.take_along_axis(values, order, 0), np.take_along_axis(counts, order, 0)
