"""How far consecutive rows are alike: the variance between the means of short runs of rows.

Each batch is cut into runs of consecutive rows. In random order the means of the runs differ by chance only; in data
sorted or written block by block they own much of a column's variance (the correlation ratio, Fisher 1925). Batches
carry no position and need none: runs never cross a batch. How rows are cut into batches therefore matters a little.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells, column_sums

MOST_RUNS = 16  # per batch: a sixteenth of a file is what a tail split would take
LEAST_ROWS = 8  # per run: below, chance alone owns more than an eighth of the variance


@dataclass(frozen=True)
class RunMeans:
    """What the runs of each column say.

    Attributes:
      between: sum over runs of rows x (mean of the run - mean of the column)^2, shape (D,).
      runs: runs with a finite cell, shape (D,).
    """

    between: np.ndarray
    runs: np.ndarray


class RowOrder(Accumulator[RunMeans]):
    """count, mean and between of the runs per column, shape (D,), merged as in `moments`."""

    def __init__(self, n_columns: int):
        super().__init__(n_columns)
        self.count, self.mean, self.between, self.runs = np.zeros((4, n_columns))

    @np.errstate(over="ignore", invalid="ignore")
    def add(self, cells: Cells) -> RowOrder:
        n = cells.n_rows
        if not n:
            return self
        k = min(MOST_RUNS, max(1, n // LEAST_ROWS))
        edges = np.linspace(0, n, k + 1).astype(np.int64)
        if cells.all_finite:
            sums = _sums(cells.values, edges)
            counts = np.repeat(np.diff(edges)[:, None].astype(np.float64), self.n_columns, axis=1)
        else:
            use = np.isfinite(cells.values)
            sums = _sums(np.where(use, cells.values, 0), edges)
            counts = _sums(use, edges)
        means = sums / np.maximum(counts, 1.0)
        count = counts.sum(axis=0)
        mean = sums.sum(axis=0) / np.maximum(count, 1.0)
        between = (counts * (means - mean) ** 2).sum(axis=0)
        return self._merge(count, mean, between, np.count_nonzero(counts, axis=0))

    def merge(self, other: RowOrder) -> RowOrder:
        return self._merge(other.count, other.mean, other.between, other.runs)

    @np.errstate(over="ignore", invalid="ignore")
    def _merge(self, count: np.ndarray, mean: np.ndarray, between: np.ndarray, runs: np.ndarray) -> RowOrder:
        total = self.count + count
        share = count / np.maximum(total, 1.0)
        delta = mean - self.mean
        self.between = self.between + between + delta * delta * self.count * share
        self.mean = self.mean + delta * share
        self.count, self.runs = total, self.runs + runs
        return self

    def result(self) -> RunMeans:
        return RunMeans(self.between, self.runs)


def _sums(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sum of the rows between two edges each, float64 (k, D)."""
    return np.stack([column_sums(values[a:b]) for a, b in itertools.pairwise(edges)])
