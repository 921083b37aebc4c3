"""A sample of the rows: those with the smallest row hashes, a bottom-k sample (Cohen and Kaplan 2007).

The hash depends on a row's values alone (`row_hashes`), so that the sample is the same however rows are dealt out,
and merging is exact. Of equal rows one is kept: it is a sample of the distinct rows, and thousands of blank rows cannot
fill it. The cost is that of a comparison per row: once the sample is full, only rows below its largest hash are copied,
about k ln(n / k) of n rows in random order.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells
from aetfx.validation.combiners.row_hashes import hash_rows

MOST_ROWS = 4096
LEAST_ROWS = 256
_CELLS = 1 << 20  # 8 MB of float64; wider rows are fewer, down to `LEAST_ROWS`
MOST_COLUMNS = 1 << 13  # there `LEAST_ROWS` take 16 MB


def most_rows(n_columns: int) -> int:
    """Rows kept of so many columns; 0 where rows are too wide to keep enough of them.

    >>> most_rows(30), most_rows(784), most_rows(8192), most_rows(8193)
    (4096, 1337, 256, 0)
    """
    if n_columns > MOST_COLUMNS:
        return 0
    return min(MOST_ROWS, max(LEAST_ROWS, _CELLS // max(1, n_columns)))


class RowSample(Accumulator[np.ndarray | None]):
    """Keeps rows below a threshold, and recent ones as they come; twice the sample at most, and a batch.

    Args:
      n_columns: D.
      most: rows to keep; by default as many as `most_rows` says.
    """

    def __init__(self, n_columns: int, most: int | None = None):
        super().__init__(n_columns)
        self.most = most_rows(n_columns) if most is None else most
        self.threshold: np.uint64 | None = None  # of a full sample, its largest hash
        self.hashes: list[np.ndarray] = []
        self.rows: list[np.ndarray] = []

    def add(self, cells: Cells) -> RowSample:
        return self.add_rows(cells.values, hash_rows(cells.values)[0])

    def add_rows(self, values: np.ndarray, hashes: np.ndarray) -> RowSample:
        """Takes in a batch.

        Args:
          values: shape (n, D).
          hashes: its rows' numbers from `hash_rows`, uint64 (n,).
        """
        if not self.most:
            return self
        if self.threshold is not None:
            below = np.flatnonzero(hashes < self.threshold)
            hashes = hashes[below]
        else:
            below = np.arange(len(hashes))
        if len(below) > self.most:  # of a large batch the smallest are enough
            chosen = np.sort(np.unique(hashes, return_index=True)[1][: self.most])
            below, hashes = below[chosen], hashes[chosen]
        if len(below):
            self.hashes.append(hashes)
            self.rows.append(values[below])  # a copy: batches share a buffer
            if sum(map(len, self.hashes)) > 2 * self.most:
                self._compact()
        return self

    def merge(self, other: RowSample) -> RowSample:
        self.hashes, self.rows = [*self.hashes, *other.hashes], [*self.rows, *other.rows]
        self._compact()
        return self

    def result(self) -> np.ndarray | None:
        """The rows in the order of their hashes, float64 (k, D), NaN and infinities as they came; None if too wide."""
        if not self.most:
            return None
        self._compact()
        if not self.rows:
            return np.empty((0, self.n_columns))
        return self.rows[0] + 0.0 if self.rows[0].dtype == np.float64 else self.rows[0].astype(np.float64) + 0.0

    def _compact(self) -> None:
        """Sorts by hash, keeps one of equal rows, and the smallest."""
        if not self.hashes:
            return
        hashes = np.concatenate(self.hashes)
        kept, first = np.unique(hashes, return_index=True)
        kept, first = kept[: self.most], first[: self.most]
        self.rows = [np.concatenate(self.rows)[first]]
        self.hashes = [kept]
        if len(kept) == self.most:
            self.threshold = kept[-1]
