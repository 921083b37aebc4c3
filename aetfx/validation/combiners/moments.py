"""Mean and variance of the finite cells of each column, in float64.

Batches are merged by the pairwise update of Chan, Golub and LeVeque (1979), which keeps its digits where
"sum of squares minus square of the sum" loses them (a column of 1e9 plus noise of 1).
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells, column_counts, column_sums, subtract_row

_BLOCK_CELLS = 1 << 20  # 8 MB of float64 at a time: rows in memory may come as one batch of any size


class Moments(Accumulator[tuple[np.ndarray, np.ndarray]]):
    """count, mean and m2 (sum of squared deviations) per column, shape (D,)."""

    def __init__(self, n_columns: int):
        super().__init__(n_columns)
        self.count, self.mean, self.m2 = np.zeros((3, n_columns))

    def add(self, cells: Cells) -> Moments:
        step = max(1, _BLOCK_CELLS // max(1, self.n_columns))
        for start in range(0, cells.n_rows, step):
            self._add(cells.values[start : start + step].astype(np.float64), cells.all_finite)
        return self

    @np.errstate(over="ignore", invalid="ignore")  # sums of values near 1e308: mean and sd become inf or NaN
    def _add(self, values: np.ndarray, all_finite: bool) -> None:
        """Takes in a float64 block, which is changed."""
        if all_finite:
            count = np.full(self.n_columns, float(len(values)))
        else:
            use = np.isfinite(values)
            count = column_counts(use).astype(np.float64)
            values[~use] = 0.0
        mean = column_sums(values) / np.maximum(count, 1.0)
        subtract_row(values, mean)
        if not all_finite:
            values[~use] = 0.0
        self._merge(count, mean, np.einsum("ij,ij->j", values, values))

    def merge(self, other: Moments) -> Moments:
        return self._merge(other.count, other.mean, other.m2)

    @np.errstate(over="ignore", invalid="ignore")
    def _merge(self, count: np.ndarray, mean: np.ndarray, m2: np.ndarray) -> Moments:
        total = self.count + count
        share = count / np.maximum(total, 1.0)
        delta = mean - self.mean
        self.m2 = self.m2 + m2 + delta * delta * self.count * share
        self.mean = self.mean + delta * share
        self.count = total
        return self

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and population standard deviation; NaN for columns without finite cells."""
        some = self.count > 0
        mean = np.where(some, self.mean, np.nan)
        return mean, np.where(some, np.sqrt(self.m2 / np.maximum(self.count, 1.0)), np.nan)
