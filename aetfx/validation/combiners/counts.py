"""Counts per column: rows, missing and infinite cells, zeros, whole numbers. Exact."""

from __future__ import annotations

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells


class Counts(Accumulator[dict[str, np.ndarray]]):
    """int64 arrays of shape (D,): n_missing, n_infinite, n_zero, n_integer; and n_rows."""

    def __init__(self, n_columns: int):
        super().__init__(n_columns)
        self.n_rows = 0
        self.n_missing, self.n_infinite, self.n_zero, self.n_integer = np.zeros((4, n_columns), np.int64)

    def add(self, cells: Cells) -> Counts:
        values = cells.values
        self.n_rows += cells.n_rows
        if cells.missing is not None:
            self.n_missing += np.count_nonzero(cells.missing, axis=0)
        whole = values == np.rint(values)  # False for NaN, True for infinities
        if cells.infinite is not None:
            self.n_infinite += np.count_nonzero(cells.infinite, axis=0)
            whole &= ~cells.infinite
        self.n_integer += np.count_nonzero(whole, axis=0)
        self.n_zero += cells.n_rows - np.count_nonzero(values, axis=0)  # NaN counts as not zero
        return self

    def merge(self, other: Counts) -> Counts:
        self.n_rows += other.n_rows
        for name in ("n_missing", "n_infinite", "n_zero", "n_integer"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def result(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in ("n_missing", "n_infinite", "n_zero", "n_integer")}
