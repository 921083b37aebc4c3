"""Counts per column: rows, missing and infinite cells, zeros, whole numbers. Exact."""

from __future__ import annotations

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells, column_counts


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
            self.n_missing += column_counts(cells.missing)
        whole = values == np.rint(values)  # False for NaN, True for infinities
        if cells.infinite is not None:
            self.n_infinite += column_counts(cells.infinite)
            whole &= ~cells.infinite
        self.n_integer += column_counts(whole)
        self.n_zero += column_counts(values == 0)
        return self

    def merge(self, other: Counts) -> Counts:
        self.n_rows += other.n_rows
        for name in ("n_missing", "n_infinite", "n_zero", "n_integer"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def result(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in ("n_missing", "n_infinite", "n_zero", "n_integer")}
