"""How missing cells lie in the order of rows: the runs that they form in each column.

A run is a series of consecutive rows whose cells are missing. As in `row_order` batches carry no position: a run never
crosses a batch, so that one at the seam of two batches counts twice. While no cell is missing nothing is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells


@dataclass(frozen=True)
class MissingRuns:
    """The runs of missing cells (NaN or empty) per column, int64 (D,) each.

    Attributes:
      runs: number of runs.
      longest: rows of the longest one.
    """

    runs: np.ndarray
    longest: np.ndarray


class RunsOfMissing(Accumulator[MissingRuns | None]):
    """Counts the runs; None where no cell is missing."""

    def __init__(self, n_columns: int):
        super().__init__(n_columns)
        self.runs, self.longest = np.zeros((2, n_columns), np.int64)

    def add(self, cells: Cells) -> RunsOfMissing:
        if cells.missing is None:
            return self
        holed = np.flatnonzero(cells.missing.any(axis=0))
        # One column after another, parted by a row that is not missing: then one pass finds all runs.
        line = np.zeros((len(holed), cells.n_rows + 1), np.bool_)
        line[:, :-1] = cells.missing[:, holed].T
        edges = np.flatnonzero(np.diff(line.ravel(), prepend=False))  # where a run begins, where it has ended, ...
        begins, ends = edges[::2], edges[1::2]
        column = holed[begins // line.shape[1]]
        np.add.at(self.runs, column, 1)
        np.maximum.at(self.longest, column, ends - begins)
        return self

    def merge(self, other: RunsOfMissing) -> RunsOfMissing:
        self.runs = self.runs + other.runs
        self.longest = np.maximum(self.longest, other.longest)
        return self

    def result(self) -> MissingRuns | None:
        return MissingRuns(self.runs, self.longest) if self.runs.any() else None
