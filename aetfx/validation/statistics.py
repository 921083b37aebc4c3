"""What is known about each column of a data set, as plain NumPy arrays.

Terms: D is the number of columns (a tensor feature is flattened, one column per element),
Q the number of kept quantiles. All figures but the counts are over *finite* values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from aetfx.validation.combiners.edges import EdgeValues
    from aetfx.validation.combiners.missing_runs import MissingRuns
    from aetfx.validation.combiners.row_hashes import RowHashes
    from aetfx.validation.combiners.row_order import RunMeans

QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
BUCKETS = 10  # of the histograms, as in TFDV
PERCENTILES = 100  # steps of the fine quantiles: as fine as a sketch is true


@dataclass(frozen=True)
class Spike:
    """One exact value that many rows of a column share.

    Attributes:
      column: column index.
      value, count: the value and the number of rows that hold it.
      gap: distance to the nearest value of the column's bulk (0 inside it; NaN where nothing in the
        column stands apart, see `aetfx.validation.combiners.repeats`).
      rest_low, rest_high: 1st and 99th percentile of that bulk.
    """

    column: int
    value: float
    count: int
    gap: float = float("nan")
    rest_low: float = float("nan")
    rest_high: float = float("nan")


@dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of D columns over n_rows rows. All arrays are float64 or int64 of shape (D,).

    Attributes:
      names: column names.
      n_rows: rows counted.
      n_missing: NaN or empty cells per column (infinities are not missing).
      n_infinite: infinite cells per column.
      n_zero: cells equal to zero per column.
      n_integer: finite cells that are whole numbers per column.
      mean, sd: mean and population standard deviation (ddof 0).
      minimum, maximum: extremes.
      quantiles: shape (Q, D), at the levels of `QUANTILES`.
      spikes: exact values that repeat in >= 3 rows, at most a few per column, most frequent first.
      n_distinct: distinct finite values per column (a lower bound where `exact` is False), or None.
      edges: the few smallest and largest distinct values with their exact counts, or None.
      histogram: share of the finite cells in each of `BUCKETS` equal-width buckets, shape (BUCKETS, D), or None.
      deciles: quantiles at 0, 0.1, ..., 1, shape (BUCKETS + 1, D), or None.
      exact: quantiles, histogram and spike counts are exact, not from sketches.
      whole: columns of integers by their file's own type, bool of shape (D,); None where none is, or no file said so.
      percentiles: quantiles at 0, 0.01, ..., 1, shape (PERCENTILES + 1, D), or None.
      correlation: Pearson's, shape (D, D), NaN where a column has no spread; None for too many columns.
      row_hashes: which rows and which columns repeat, or None.
      row_order: how far consecutive rows are alike, or None.
      row_sample: some of the distinct rows, chosen by hash, float64 (k, D), or None.
      missing_runs: runs of rows that missing cells form, or None (as where none is missing).
    Those from `percentiles` on are filled by the pipeline (`Columns(deep=True)`), and by `summarize` only on demand.
    Columns without any finite value have NaN figures.
    """

    names: tuple[str, ...]
    n_rows: int
    n_missing: np.ndarray
    n_infinite: np.ndarray
    n_zero: np.ndarray
    n_integer: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    quantiles: np.ndarray
    spikes: tuple[Spike, ...] = field(default=())
    n_distinct: np.ndarray | None = None
    edges: EdgeValues | None = None
    histogram: np.ndarray | None = None
    deciles: np.ndarray | None = None
    exact: bool = True
    whole: np.ndarray | None = None
    percentiles: np.ndarray | None = None
    correlation: np.ndarray | None = None
    row_hashes: RowHashes | None = None
    row_order: RunMeans | None = None
    row_sample: np.ndarray | None = None
    missing_runs: MissingRuns | None = None

    @property
    def n_finite(self) -> np.ndarray:
        """Finite cells per column, shape (D,)."""
        return self.n_rows - self.n_missing - self.n_infinite

    def quantile(self, level: float) -> np.ndarray:
        """Returns the quantile at `level` (one of `QUANTILES`) per column, shape (D,)."""
        return self.quantiles[QUANTILES.index(level)]

    @property
    def ranges(self) -> np.ndarray:
        """Range between the 1st and 99th percentile; the full range where that is 0 (METHOD §1)."""
        inner = self.quantile(0.99) - self.quantile(0.01)
        return np.where(inner > 0, inner, self.maximum - self.minimum)


def range_ratio(ranges: np.ndarray) -> float:
    """How unlike the scales of columns are (METHOD §1).

    Args:
      ranges: shape (D,), one range per column; zeros and NaN (constants, empty columns) are left out.

    Returns:
      The larger of 90th/10th percentile and largest/median of the ranges; 1.0 for fewer than two columns.

    >>> round(range_ratio(np.array([1.0, 1.0, 100.0])), 1)
    100.0
    """
    ranges = ranges[np.isfinite(ranges) & (ranges > 0)]
    if len(ranges) < 2:
        return 1.0
    low, middle, high = np.percentile(ranges, [10, 50, 90])
    return float(max(high / low, ranges.max() / middle))


def summarize(values: np.ndarray, names: Sequence[str] | None = None, deep: bool = False) -> ColumnStatistics:
    """Computes the statistics of rows that are in memory.

    Args:
      values: shape (n, ...), any numeric dtype; trailing axes are flattened to D columns.
      names: D column names; by default "0", "1", ...
      deep: also what looks at rows and pairs of columns (percentiles, correlation, row hashes and order).
    """
    from aetfx.validation.combiners.base import Cells
    from aetfx.validation.combiners.columns import Columns

    cells = Cells(np.asarray(values))
    return Columns(cells.n_columns, names, exact_bytes=cells.values.nbytes, deep=deep).add(cells).result()
