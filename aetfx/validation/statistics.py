"""What is known about each column of a data set, as plain NumPy arrays.

Terms: D is the number of columns (a tensor feature is flattened, one column per element),
Q the number of kept quantiles. All figures but the counts are over *finite* values.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)


@dataclass(frozen=True)
class Spike:
    """One exact value that many rows of a column share."""

    column: int
    value: float
    count: int


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


def summarize(values: np.ndarray, names: Sequence[str] | None = None) -> ColumnStatistics:
    """Computes the statistics of rows that are in memory.

    Args:
      values: shape (n, ...), any numeric dtype; trailing axes are flattened to D columns.
      names: D column names; by default "0", "1", ...
    """
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    n_columns = flat.shape[1]
    names = tuple(names) if names is not None else tuple(str(j) for j in range(n_columns))
    missing, infinite = np.isnan(flat), np.isinf(flat)
    finite = np.where(missing | infinite, np.nan, flat)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any finite value
        some_missing = bool(missing.any() or infinite.any())
        quantile = np.nanquantile if some_missing else np.quantile
        quantiles = quantile(finite, QUANTILES, axis=0)
        mean, sd = np.nanmean(finite, axis=0), np.nanstd(finite, axis=0)
    return ColumnStatistics(
        names=names,
        n_rows=len(flat),
        n_missing=missing.sum(axis=0),
        n_infinite=infinite.sum(axis=0),
        n_zero=(flat == 0).sum(axis=0),
        n_integer=(finite == np.rint(finite)).sum(axis=0),
        mean=mean,
        sd=sd,
        minimum=quantiles[0],
        maximum=quantiles[-1],
        quantiles=quantiles,
        spikes=_spikes(finite),
    )


def _spikes(finite: np.ndarray, least: int = 3, most_per_column: int = 5) -> tuple[Spike, ...]:
    """Finds repeated exact values at the edges of each column, where sentinels live, and the mode."""
    found = []
    for j in range(finite.shape[1]):
        column = finite[:, j]
        column = column[~np.isnan(column)]
        values, counts = np.unique(column, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:most_per_column]
        edges = {0, 1, len(values) - 2, len(values) - 1} & set(range(len(values)))
        for i in sorted(set(order.tolist()) | edges, key=lambda i: -counts[i]):
            if counts[i] >= least:
                found.append(Spike(j, float(values[i]), int(counts[i])))
    return tuple(found)
