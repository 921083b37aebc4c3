"""Pearson correlations of all pairs of columns, each over the rows in which both cells are finite.

Batches are centred, brought to a like size per column and multiplied in float32 by BLAS (twice as fast as float64);
sums are kept in float64 and merged by shifting each part to a common origin (Chan, Golub and LeVeque 1979). Against
`np.corrcoef` in float64 a correlation is off by less than 1e-5, also for columns of 1e9 plus noise of 1.

While every cell is finite one matrix of D x D is kept; from the first batch with a hole on, four (each pair of columns
has its own rows, hence its own count, sums and squares).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg.blas import sgemm, ssyrk

from aetfx.validation.combiners.base import Accumulator, Cells

MOST_COLUMNS = 1000  # 32 MB in the worst case; the cost per row grows with the square of the width
_CHUNK_ROWS = 4096
_ROUNDING = 8 * np.finfo(np.float64).eps  # a spread this small beside the mean is rounding: a constant column
_SHARED = 1e-5  # of the column's variance; a pair whose shared rows hold less is beyond what float32 can tell


@dataclass
class _Sums:
    """Sums over rows about an origin, per pair (i, j) of columns; only rows in which both cells are finite count.

    Attributes:
      origin: shape (D,).
      products: of x_i and x_j, shape (D, D); the upper triangle is used.
      count, first, squares: number of rows, sum of x_i and of its square, shape (D, D), or n, shape (D, 1) and
        (D, 1) where all cells are finite, so that they are the same for all j.
    """

    origin: np.ndarray
    products: np.ndarray
    count: np.ndarray
    first: np.ndarray
    squares: np.ndarray

    def is_near(self) -> bool:
        """Whether the origin lies within a standard deviation of each mean, so that the squares lose no digits."""
        n, first, squares = (np.diagonal(np.broadcast_to(part, self.products.shape))
                             for part in (self.count, self.first, self.squares))  # fmt: skip
        return bool((2 * first * first <= squares * n).all())

    def increase(self, new: _Sums) -> None:
        """Adds sums about the same origin."""
        self.products += new.products
        self.count = self.count + new.count
        self.first = self.first + new.first
        self.squares = self.squares + new.squares

    def moved(self, origin: np.ndarray) -> _Sums:
        """The same sums about another origin."""
        step = np.where(np.isfinite(origin), self.origin - origin, 0.0)[:, None]
        if not step.any():
            return self
        return _Sums(
            self.origin - step[:, 0],
            self.products + step * self.first.T + step.T * self.first + self.count * (step * step.T),
            self.count,
            self.first + self.count * step,
            self.squares + 2 * step * self.first + self.count * step * step,
        )


class Correlation(Accumulator[np.ndarray | None]):
    """Correlation matrix, float64 (D, D); None above `MOST_COLUMNS` columns.

    NaN on columns without spread, and on pairs whose shared rows are fewer than two or hardly vary.
    """

    def __init__(self, n_columns: int):
        super().__init__(n_columns)
        self.sums: _Sums | None = None
        self.waiting: list[np.ndarray] = []  # small batches, until there are enough to be worth a D x D product
        self.n_waiting = 0

    @property
    def active(self) -> bool:
        return 2 <= self.n_columns <= MOST_COLUMNS

    def add(self, cells: Cells) -> Correlation:
        if self.active and cells.n_rows:
            self.waiting.append(cells.values)
            self.n_waiting += cells.n_rows
            if self.n_waiting >= _CHUNK_ROWS:
                self._flush()
        return self

    @np.errstate(over="ignore", invalid="ignore", under="ignore")  # values near 1e308: NaN in the end
    def _flush(self) -> None:
        if not self.waiting:
            return
        cells = Cells(np.concatenate(self.waiting))
        self.waiting, self.n_waiting = [], 0
        if self.sums is not None:  # about the origin in use, batches are simply added
            new = _sums(cells, self.sums.origin)
            if new.is_near():
                self.sums.increase(new.moved(self.sums.origin))  # as rounded to the dtype of this batch
                return
        self._merge(_sums(cells))

    def __getstate__(self) -> dict[str, Any]:
        self._flush()
        return self.__dict__

    @np.errstate(over="ignore", invalid="ignore", under="ignore")
    def merge(self, other: Correlation) -> Correlation:
        for values in other.waiting:
            self.add(Cells(values))
        if other.sums is not None:
            self._merge(replace(other.sums, products=other.sums.products.copy()))  # ours is changed in place
        return self

    def _merge(self, new: _Sums) -> None:
        old = self.sums
        if old is None:
            self.sums = new
            return
        # A common origin near the mean of all cells so far: sums about it lose no digits.
        n_old, n_new = _cells_per_column(old), _cells_per_column(new)
        share = n_new / np.maximum(n_old + n_new, 1.0)
        origin = old.origin + (new.origin - old.origin) * share
        self.sums = old.moved(origin)
        self.sums.increase(new.moved(origin))

    @np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")
    def result(self) -> np.ndarray | None:
        self._flush()
        if not self.active or self.sums is None:
            return None
        sums = self.sums
        n = np.maximum(sums.count, 1.0)
        covariance = np.triu(sums.products / n - sums.first * sums.first.T / n**2, 1)
        covariance = covariance + covariance.T
        spread = sums.squares / n - (sums.first / n) ** 2  # of x_i over the rows that it shares with x_j
        own = np.diagonal(np.broadcast_to(spread, covariance.shape))[:, None]
        some = (spread > (_ROUNDING * sums.origin[:, None]) ** 2) & (spread > _SHARED * own)
        spread = np.where(some, spread, np.nan)
        found = np.clip(covariance / np.sqrt(spread) / np.sqrt(spread.T), -1.0, 1.0)
        found = np.where(sums.count >= 2, found, np.nan)
        np.fill_diagonal(found, np.where(np.isfinite(np.diagonal(np.broadcast_to(spread, found.shape))), 1.0, np.nan))
        return found


def _cells_per_column(sums: _Sums) -> np.ndarray:
    """Finite cells per column, shape (D,) or (1,)."""
    return np.diagonal(sums.count) if sums.count.shape[1] > 1 else sums.count[:, 0]


def _sums(cells: Cells, origin: np.ndarray | None = None) -> _Sums:
    """Sums of a batch, about an origin or else about its own mean."""
    values, n = cells.values, cells.n_rows
    use = None if cells.all_finite else np.isfinite(values)
    filled = values if use is None else np.where(use, values, values.dtype.type(0))
    count = np.full(cells.n_columns, n) if use is None else np.count_nonzero(use, axis=0)
    if origin is None:
        origin = filled.sum(axis=0, dtype=np.float64) / np.maximum(count, 1)
    # In the dtype of the values, so that the difference is exact for a constant column of float32.
    origin = origin.astype(values.dtype)
    centred = values - origin
    if use is not None:
        centred[~use] = 0
    size = _size(centred)
    scaled = np.multiply(centred, (1.0 / size).astype(centred.dtype)).astype(np.float32, copy=False)
    products = _gram(scaled)
    products *= size
    products *= size[:, None]
    first = centred.sum(axis=0, dtype=np.float64)[:, None]
    squares = np.diagonal(products)[:, None].copy()
    counts = np.full((1, 1), float(n))
    if use is not None:  # a column with holes takes rows from every pair that it is part of
        holed = np.flatnonzero(count < n)
        present = use[:, holed].astype(np.float32)
        counts, first, squares = (np.broadcast_to(part, products.shape).copy() for part in (counts, first, squares))
        counts[:, holed] = sgemm(1.0, use.astype(np.float32).T, present.T, trans_b=True)
        counts[holed] = counts[:, holed].T
        first[:, holed] = sgemm(1.0, scaled.T, present.T, trans_b=True) * size[:, None]
        squares[:, holed] = sgemm(1.0, (scaled * scaled).T, present.T, trans_b=True) * size[:, None] ** 2
    return _Sums(origin.astype(np.float64), products, counts, first, squares)


def _size(centred: np.ndarray) -> np.ndarray:
    """A power of two near the largest value of each column: dividing by it is exact, and squares fit in float32."""
    largest = np.maximum(centred.max(axis=0), -centred.min(axis=0)).astype(np.float64)
    return np.ldexp(1.0, np.frexp(np.where(largest > 0, largest, 1.0))[1])


def _gram(a: np.ndarray) -> np.ndarray:
    """a^T a of a float32 (n, D), as float64; the upper triangle. SciPy's routine does half the work of `a.T @ a`."""
    return ssyrk(1.0, a.T).astype(np.float64)
