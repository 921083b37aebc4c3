"""Our figures as TFDV's `FeatureNameStatistics`: one per column, and one for all elements of a tensor together.

Missing cells are missing values. Figures are over finite cells: where a column holds infinities TFDV's own mean and
maximum would be infinite, and useless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.validation.statistics import BUCKETS, ColumnStatistics

POOLED = "pooled elements"  # the custom statistic that marks a feature made of others; its value is their number
_INT, _FLOAT = 0, 1  # FeatureNameStatistics.Type
_STANDARD, _QUANTILES = 0, 1  # Histogram.HistogramType


@dataclass(frozen=True)
class Figures:
    """What TFDV says of one numeric feature.

    Attributes:
      whole: it is of integers.
      present, missing: rows that hold it, and that do not.
      width: values in each row that holds it.
      n_finite, n_nan, n_zero: values.
      counts: values in each of `BUCKETS` equal buckets between minimum and maximum, shape (BUCKETS,), or None.
      deciles: shape (BUCKETS + 1,), or None.
    """

    name: str
    whole: bool
    present: int
    missing: int
    width: int
    n_finite: int
    n_nan: int
    n_zero: int
    mean: float
    sd: float
    minimum: float
    median: float
    maximum: float
    counts: np.ndarray | None = None
    deciles: np.ndarray | None = None


def of_column(statistics: ColumnStatistics, j: int) -> Figures:
    """The figures of column j."""
    n_finite, missing = int(statistics.n_finite[j]), int(statistics.n_missing[j])
    return Figures(
        name=statistics.names[j],
        whole=statistics.whole is not None and bool(statistics.whole[j]),
        present=statistics.n_rows - missing,
        missing=missing,
        width=1,
        n_finite=n_finite,
        n_nan=0,
        n_zero=int(statistics.n_zero[j]),
        mean=float(statistics.mean[j]),
        sd=float(statistics.sd[j]),
        minimum=float(statistics.minimum[j]),
        median=float(statistics.quantile(0.5)[j]),
        maximum=float(statistics.maximum[j]),
        counts=None if statistics.histogram is None else statistics.histogram[:, j] * n_finite,
        deciles=None if statistics.deciles is None else statistics.deciles[:, j],
    )


def pooled(statistics: ColumnStatistics, name: str) -> Figures | None:
    """The figures of all elements of a tensor together; None where no element has a finite value.

    Counts, mean, standard deviation and extremes are exact. Median, deciles and histogram come from the percentiles
    of each element: within half a percentile in rank, which is finer than the 1 % of TFDV's own.

    A row is missing where all its elements are. How many are, only the elements' own counts tell: at most as many as
    the fullest element lacks, and that many are taken, which is exact where elements are missing together.
    """
    n = statistics.n_finite
    curves = statistics.percentiles if statistics.percentiles is not None else statistics.deciles
    if not n.any() or curves is None:
        return None
    held = n > 0
    mean = float(np.average(statistics.mean[held], weights=n[held]))
    around = statistics.sd[held] ** 2 + (statistics.mean[held] - mean) ** 2
    minimum, maximum = float(statistics.minimum[held].min()), float(statistics.maximum[held].max())
    ranked = _Ranked(curves[:, held], n[held])
    edges = np.linspace(minimum, maximum, BUCKETS + 1)
    deciles = ranked.quantiles(np.linspace(0.0, 1.0, BUCKETS + 1))
    deciles[0], deciles[-1] = minimum, maximum
    below = np.concatenate([[0.0], ranked.below(edges[1:-1]), [1.0]])
    missing, width = int(statistics.n_missing.min()), len(statistics.names)
    return Figures(
        name=name,
        whole=statistics.whole is not None and bool(np.all(statistics.whole)),
        present=statistics.n_rows - missing,
        missing=missing,
        width=width,
        n_finite=int(n.sum()),
        n_nan=int(statistics.n_missing.sum()) - missing * width,
        n_zero=int(statistics.n_zero.sum()),
        mean=mean,
        sd=float(np.sqrt(np.average(around, weights=n[held]))),
        minimum=minimum,
        median=float(ranked.quantiles(np.array([0.5]))[0]),
        maximum=maximum,
        counts=np.diff(below) * int(n.sum()),
        deciles=deciles,
    )


class _Ranked:
    """The values of several columns together, each column as its percentiles.

    Args:
      curves: quantiles at equal steps from 0 to 1, shape (k + 1, D).
      n: values in each column, shape (D,).
    """

    def __init__(self, curves: np.ndarray, n: np.ndarray):
        weights = np.full(len(curves), 1.0)
        weights[[0, -1]] = 0.5  # each stands for the ranks nearest to it: the ends for half as many
        values = curves.ravel()
        order = np.argsort(values, kind="stable")
        self._values = values[order]
        share = (weights[:, None] * n).ravel()[order]
        self._below = np.concatenate([[0.0], np.cumsum(share)])
        self._below /= self._below[-1]

    def quantiles(self, levels: np.ndarray) -> np.ndarray:
        return np.interp(levels, (self._below[1:] + self._below[:-1]) / 2, self._values)

    def below(self, x: np.ndarray) -> np.ndarray:
        """Share of the values below each x."""
        return self._below[np.searchsorted(self._values, x, side="left")]


def write_feature(figures: Figures, feature: Any) -> None:
    """Fills a `FeatureNameStatistics`."""
    feature.path.step.append(figures.name)
    feature.type = _INT if figures.whole else _FLOAT
    numeric = feature.num_stats
    common = numeric.common_stats
    common.num_missing = figures.missing
    if not figures.present:
        return
    width = figures.width
    common.num_non_missing, common.tot_num_values = figures.present, figures.present * width
    common.min_num_values = common.max_num_values = width
    common.avg_num_values = width
    common.num_values_histogram.type = _QUANTILES
    for _ in range(BUCKETS):
        common.num_values_histogram.buckets.add(
            low_value=width, high_value=width, sample_count=figures.present / BUCKETS
        )
    if not figures.n_finite:
        return
    numeric.mean, numeric.std_dev, numeric.num_zeros = figures.mean, figures.sd, figures.n_zero
    numeric.min, numeric.median, numeric.max = figures.minimum, figures.median, figures.maximum
    if figures.counts is None or figures.deciles is None:
        return
    standard = numeric.histograms.add(type=_STANDARD, num_nan=figures.n_nan)
    quantiles = numeric.histograms.add(type=_QUANTILES, num_nan=figures.n_nan)
    low, high = figures.minimum, figures.maximum
    edges = np.linspace(low, high, BUCKETS + 1)
    if low == high:  # TFDV's way with a constant column
        standard.buckets.add(low_value=low, high_value=high, sample_count=figures.n_finite)
    for i in range(BUCKETS):
        if low < high:
            standard.buckets.add(low_value=edges[i], high_value=edges[i + 1], sample_count=figures.counts[i])
        quantiles.buckets.add(
            low_value=figures.deciles[i],
            high_value=figures.deciles[i + 1],
            sample_count=figures.n_finite / BUCKETS,
        )
