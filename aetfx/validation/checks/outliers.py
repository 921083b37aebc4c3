"""`data.outliers`: cells beyond robust fences that a heavy tail does not explain (METHOD section 3).

Tukey's fences (quartiles and a multiple of their distance) flag every lognormal column. These fences follow
the tail instead: on each side the distances of the 75th, 90th and 95th percentile from the median tell
how fast the tail grows, as the parameter g of Tukey's g distribution, x = m + A (exp(g z) - 1) / g with z normal
(g = 0 is the normal distribution, g = 1 the lognormal); the fence is its value at z = `fence_reach`. With reach 8,
samples of 100 to 100,000 rows of normal, uniform, exponential, gamma (0.3), beta (0.3, 0.3), Poisson and
lognormal (sigma 1 and 2) columns all stay inside; of Student's t3 columns with 10,000 rows 6 % have a cell outside.
Up to 5 % of gross cells, half on each side, are found.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, columns_word, number, only, worst
from aetfx.validation.checks.missing import find_sentinels
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics
from aetfx.validation.thresholds import Thresholds

_Z75, _Z90, _Z95 = 0.6744897501960817, 1.2815515655446004, 1.6448536269514722  # normal quantiles
_G = np.linspace(0.0, 5.0, 501)
_LEAST_GAP, _WIDE_GAP = 5.0, 20.0  # times as far from the median as the next cell
_SURE_GAP = float(np.log(1e5))
_GAPPED, _LEAST_GAPPED = 0.2, 3  # share of the columns with a wide gap, and how many they are at least


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all columns with cells beyond the fences; sentinel cells are not outliers."""
    low, high = fences(statistics, context.thresholds)
    minimum, maximum = _extremes(statistics)
    middle = statistics.quantile(0.5)
    with np.errstate(invalid="ignore"):
        far_high = np.where(maximum > high, (maximum - middle) / (high - middle), 0.0)
        far_low = np.where(minimum < low, (middle - minimum) / (middle - low), 0.0)
    far = np.nan_to_num(np.maximum(far_high, far_low))
    order = np.argsort(-far, kind="stable")[: np.count_nonzero(far)]
    if not len(order):
        return []
    names = [statistics.names[j] for j in order]
    j = order[0]
    extreme = maximum[j] if far_high[j] >= far_low[j] else minimum[j]
    figures = {"minimum": minimum, "maximum": maximum, "fence_low": low, "fence_high": high}
    return [
        Finding(
            "data.outliers",
            only(names),
            context.split,
            "error" if far[j] > context.thresholds.gross_outlier else "warning",
            f"{columns_word(names)} {'holds' if len(names) == 1 else 'hold'} cells far outside: {number(extreme)} in "
            f"'{names[0]}', where 98 % lie between {number(statistics.quantile(0.01)[j])} and "
            f"{number(statistics.quantile(0.99)[j])}; a squared loss follows such cells",
            {
                "columns": len(names),
                "farthest": float(far[j]),
                "worst": worst(statistics.names, figures, order, context.thresholds.most_columns_shown),
            },
            "Clip them and scale robustly: preprocessing: {outliers: clip, scaling: robust}; or training.loss: huber.",
        )
    ]


def fences(statistics: ColumnStatistics, thresholds: Thresholds | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Robust fences per column.

    Returns:
      low, high: float64 (D,). Where the 95th (5th) percentile is the median, as many times the distance of the other
        one away; for columns of a few values, so many spans of the middle 98 % away; in a gap where there is one that
        no tail explains. Else infinite where that distance is none, or where only the 90th (10th) is the median, and
        for columns without any finite value.
    """
    thresholds = thresholds or Thresholds()
    middle = statistics.quantile(0.5)
    up75, up90, up95 = (statistics.quantile(level) - middle for level in (0.75, 0.9, 0.95))
    down25, down10, down05 = (middle - statistics.quantile(level) for level in (0.25, 0.1, 0.05))
    high = middle + tail_reach(up75, up90, up95, thresholds.fence_reach)
    low = middle - tail_reach(down25, down10, down05, thresholds.fence_reach)
    # At most one value in twenty lies beyond the paper of a page: how far the ink reaches says what is far there.
    high = np.where((up95 == 0) & (down05 > 0), middle + thresholds.fence_reach * down05, high)
    low = np.where((down05 == 0) & (up95 > 0), middle - thresholds.fence_reach * up95, low)
    if statistics.n_distinct is not None:
        # Codes, counts and grey levels have no tail to follow: so many spans of their middle 98 % away is far.
        codes = statistics.n_distinct < thresholds.fence_distinct
        at01, at99 = statistics.quantile(0.01), statistics.quantile(0.99)
        span = np.where(up95 + down05 > 0, thresholds.fence_reach * (at99 - at01), np.inf)
        low, high = np.where(codes, at01 - span, low), np.where(codes, at99 + span, high)
    in_gap_low, in_gap_high = _in_gaps(statistics, middle)
    low, high = np.fmax(low, in_gap_low), np.fmin(high, in_gap_high)
    unknown = np.isnan(middle)
    return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)


def _in_gaps(statistics: ColumnStatistics, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fences in the gap between a column's outermost cells and the next ones, infinite where there is no such gap.

    The tail of what has two humps, or is flat up to an end, is taken for a heavy one, and its fence for far away. But
    a tail is no heavier than its cells: of one that falls off as x^-a, k cells lie r times as far out as the next with
    a chance of r^(-k a) (Renyi 1953). Asked for is 1e-5 at a = 1, or one in twenty in a fifth of all columns.
    """
    reach, far = np.full((2, len(middle)), np.inf), np.zeros((2, len(middle)))
    edges, at05, at95 = statistics.edges, statistics.quantile(0.05), statistics.quantile(0.95)
    if edges is None:
        return middle - reach[0], middle + reach[1]
    low, high = _next_quantiles(statistics, len(edges.low))
    sides = (
        (middle - edges.low, edges.low_counts, middle - low, middle - at05),
        (edges.high - middle, edges.high_counts, high - middle, at95 - middle),
    )
    for side, (away, counts, bulk, tail) in enumerate(sides):
        distances = np.concatenate([np.where(counts > 0, away, np.nan), bulk[None]])
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios = np.where(distances[1:] >= tail, distances[:-1] / distances[1:], 0.0)
        ratios = np.where(tail > 0, np.nan_to_num(ratios), 0.0)  # a column that rests at one value has no tail
        sure = np.cumsum(counts, axis=0) * np.log(np.maximum(ratios, 1.0)) * (ratios >= _LEAST_GAP)
        at = np.argmax(sure, axis=0), np.arange(len(middle))
        inner, outer = np.stack([distances[:-1], distances[1:]])[:, at[0], at[1]]
        reach[side] = np.sqrt(np.maximum(inner * outer, 0.0))
        far[side] = np.where(sure[at] >= _SURE_GAP, 2, ratios[at] >= _WIDE_GAP)
    together = (far.max(axis=0) > 0).sum() >= max(_LEAST_GAPPED, _GAPPED * len(middle))
    reach[far < (1 if together else 2)] = np.inf
    return middle - reach[0], middle + reach[1]


def _next_quantiles(statistics: ColumnStatistics, known: int) -> tuple[np.ndarray, np.ndarray]:
    """The outermost quantiles that lie not much further in than so many cells at each end; NaN where none do."""
    for share in (0.001, 0.01):
        if known <= share * statistics.n_rows <= 5 * known:
            return statistics.quantile(share), statistics.quantile(1 - share)
    unknown = np.full(len(statistics.names), np.nan)
    return unknown, unknown


def inner_fences(statistics: ColumnStatistics, thresholds: Thresholds | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Fences to clip and to judge by, once outliers were found: nearer, so that none hides in a skewed column's tail.

    Of 100,000 ordinary cells about six lie outside (4 standard deviations), which moves no score; at a reach of 5 gross
    cells hid in columns whose quartiles are close, and owned the score of what was clipped. A column of
    a few distinct values has no tail to follow, and yet a slipped comma in a column of zeros and ones owns any score
    that is pooled over columns: its fences are as many spans of its middle 90 % away.

    Returns:
      low, high: float64 (D,), infinite as for `fences`.
    """
    thresholds = thresholds or Thresholds()
    reach = thresholds.inner_fence_reach
    low, high = fences(statistics, thresholds.replace({"fence_reach": reach}))
    if statistics.n_distinct is None:
        return low, high
    few = statistics.n_distinct < thresholds.fence_distinct
    at05, at95 = statistics.quantile(0.05), statistics.quantile(0.95)
    few &= at95 > at05
    span = reach * (at95 - at05)
    return np.where(few, at05 - span, low), np.where(few, at95 + span, high)


def has_outliers(statistics: ColumnStatistics, thresholds: Thresholds | None = None) -> np.ndarray:
    """Columns with cells beyond the fences that are not sentinels, bool (D,)."""
    low, high = fences(statistics, thresholds)
    minimum, maximum = _extremes(statistics)
    return (minimum < low) | (maximum > high)


def tail_reach(at75: np.ndarray, at90: np.ndarray, at95: np.ndarray, z: float) -> np.ndarray:
    """Distance of the fence from the median, from the distances of three percentiles on that side.

    Args:
      at75, at90, at95: distances of the percentiles from the median, any shape.
      z: reach of the fence, in standard deviations of the tail as extrapolated.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        growth = np.maximum(_growth(at90 / at75, _Z75, _Z90), _growth(at95 / at75, _Z75, _Z95))
        from75 = _extrapolated(at75, _Z75, growth, z)
        from90 = _extrapolated(at90, _Z90, _growth(at95 / at90, _Z90, _Z95), z)
    return np.where(at75 > 0, from75, np.where(at90 > 0, from90, np.inf))


def _growth(ratio: np.ndarray, z_inner: float, z_outer: float) -> np.ndarray:
    """The g at which two percentiles of the g distribution stand in this ratio; 0 for tails lighter than the normal."""
    return np.interp(ratio, _shape(_G, z_outer) / _shape(_G, z_inner), _G)


def _extrapolated(distance: np.ndarray, z_inner: float, g: np.ndarray, z: float) -> np.ndarray:
    return distance * _shape(g, z) / _shape(g, z_inner)


def _shape(g: np.ndarray, z: float) -> np.ndarray:
    """(exp(g z) - 1) / g, and z at g = 0."""
    small = g < 1e-9
    return np.where(small, z, np.expm1(g * z) / np.where(small, 1.0, g))


def _extremes(statistics: ColumnStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest cells that are not sentinels, shape (D,) each."""
    minimum, maximum = statistics.minimum.copy(), statistics.maximum.copy()
    if statistics.edges is not None:
        for j, marks in find_sentinels(statistics).items():
            minimum[j] = next((v for v in statistics.edges.low[:, j] if v not in marks), minimum[j])
            maximum[j] = next((v for v in statistics.edges.high[:, j] if v not in marks), maximum[j])
    return minimum, maximum
