"""`data.scaling.skew`: columns of positive values so skewed that scaling alone leaves most of them in a corner.

Scaled by mean and standard deviation (or minimum and maximum) the bulk of such a column shares a hundredth of the range
with a few large values, and a squared loss learns these. Two figures, neither moved by a few outliers:

* the skewness of quantiles (q95 + q05 - 2 q50) / (q95 - q05), from -1 to 1 (Hinkley 1975): 0 for symmetric columns,
  0.56 for the exponential, 0.68 for the lognormal distribution (sigma 1);
* the 99th percentile over the median: 6.6 and 10.2 for these two.

A logarithm keeps the order of the values: the quantiles of the transformed column are the transformed quantiles, and
what it does to the skewness is measured without another pass. Columns that it does not help are left out, as are those
whose values end in a wall (the darkest and lightest grey), which have no tail to draw in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aetfx.validation.checks.base import Context, in_others, number, only, worst
from aetfx.validation.checks.missing import find_sentinels
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics
from aetfx.validation.thresholds import Thresholds

_LOG, _LOG1P, _LOG1P_SCALED = "np.log(x)", "np.log1p(x)", "np.log1p(x / np.median(x))"
_TRANSFORMS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {  # of values and the columns' medians
    _LOG: lambda x, _: np.log(x),  # -inf where there are zeros: then it helps nothing, and another is taken
    _LOG1P: lambda x, _: np.log1p(x),
    _LOG1P_SCALED: lambda x, median: np.log1p(x / median),
}
_WALL = 1.1  # largest value over the 99th percentile: grey levels 1.0, exponential 1.5, lognormal 2.2 of 1,000 rows


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all skewed columns of a table; none for eval, which is transformed as train is."""
    if context.declared_shape or context.split != "train":
        return []
    limits = context.thresholds
    before, tail = skewness(quantile_triple(statistics)), tail_ratio(statistics)
    with np.errstate(all="ignore"):
        after = np.stack(
            [skewness(f(quantile_triple(statistics), statistics.quantile(0.5))) for f in _TRANSFORMS.values()]
        )
    size = np.where(np.isfinite(after), np.abs(after), np.inf)
    best = np.argmin(size, axis=0)
    left = size[best, np.arange(len(before))]
    helped = left <= before * limits.skew_left
    skewed = _eligible(statistics, limits) & (before >= limits.skew) & (tail >= limits.skew_tail) & helped
    order = np.argsort(np.where(skewed, -tail, np.inf), kind="stable")[: np.count_nonzero(skewed)]
    if not len(order):
        return []
    names = [statistics.names[j] for j in order]
    lines = np.array(list(_TRANSFORMS))[best]
    j = order[0]
    others = in_others(names, "such a tail")
    figures = {"p99_over_median": tail, "skewness": before, "after": after[best, np.arange(len(before))],
               "transform": lines}  # fmt: skip
    return [
        Finding(
            "data.scaling.skew",
            only(names),
            context.split,
            "warning" if tail[j] >= limits.extreme_tail else "info",
            f"'{names[0]}' is skewed: its 99th percentile is {number(tail[j])} times its median{others}; "
            f"{lines[j]} takes the skewness from {number(before[j])} to {number(figures['after'][j])}",
            {"columns": len(names), "worst": worst(statistics.names, figures, order, limits.most_columns_shown)},
            "Transform the rows before they are scaled, and undo it at the output: "
            + ("x = np.log(x), back with np.exp." if lines[j] == _LOG else f"x = {lines[j]}, back with np.expm1."),
        )
    ]


def quantile_triple(statistics: ColumnStatistics) -> np.ndarray:
    """5th, 50th and 95th percentile, shape (3, D)."""
    return np.stack([statistics.quantile(level) for level in (0.05, 0.5, 0.95)])


def skewness(triple: np.ndarray) -> np.ndarray:
    """Skewness of quantiles, from -1 to 1; NaN without spread. `triple`: 5th, 50th and 95th percentile, (3, D).

    >>> skewness(np.array([[1.0], [2.0], [11.0]]))
    array([0.8])
    """
    low, middle, high = triple
    with np.errstate(all="ignore"):
        return ((high - middle) - (middle - low)) / (high - low)


def tail_ratio(statistics: ColumnStatistics) -> np.ndarray:
    """99th percentile over the median, shape (D,)."""
    with np.errstate(all="ignore"):
        return statistics.quantile(0.99) / statistics.quantile(0.5)


def _eligible(statistics: ColumnStatistics, thresholds: Thresholds) -> np.ndarray:
    """Columns that a logarithm can be taken of and that are not scaled yet, bool (D,)."""
    scaled = bool(np.nanmax(statistics.maximum, initial=-np.inf) <= 1.0)  # of min-max scaled columns the zero is gone
    positive = (statistics.minimum >= 0) & (statistics.quantile(0.5) > 0)
    tailed = statistics.maximum >= _WALL * statistics.quantile(0.99)
    enough = statistics.n_distinct is None or statistics.n_distinct >= thresholds.fence_distinct
    found = positive & tailed & enough & (not scaled)
    found[list(find_sentinels(statistics, thresholds))] = False
    return found
