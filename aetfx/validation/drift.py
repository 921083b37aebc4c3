"""TFDV's drift comparators for an inferred schema: how far a feature may move before TFDV says so.

TFDV compares the histograms of two data sets: numbers by the Jensen-Shannon divergence (in bits) of their histograms
of ten equal buckets, each brought to the edges of both as though values lay evenly in a bucket; text by the largest
difference of any value's share (the L-infinity distance). One fixed threshold does not do. The edges of a histogram
are the extremes of its split, and where one split lacks the largest of a few whole numbers, or the end of a long tail,
the divergence of two random halves of one data set reaches 0.7 of at most 1 (pixels of digits). So each threshold is
the larger of two: the effect from which on `data.shift` speaks too, and what chance gives for that feature with these
numbers of rows. The second is found by drawing pairs of histograms from the feature's own distribution in train.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.validation.statistics import BUCKETS, QUANTILES, ColumnStatistics
from aetfx.validation.thresholds import Thresholds

_DRAWS = 100  # pairs per feature: mean and spread of the divergence by chance are then known to a tenth
_MOST_FEATURES = 2000  # TFDV's comparison takes time by their square: 18 s for 5,000
_TAIL = 10  # values: a slope from fewer is chance
_BOUND = 7.0  # values expected one step beyond the last, of which none is there: by a chance of e^-7, 1 in 1,000
_INT, _FLOAT, _BYTES = 2, 3, 1  # schema_pb2.FeatureType

# Of r samples: their smallest and largest values, shape (r,), and the share in each bucket between, shape (r, BUCKETS).
Histograms = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Curve:
    """Quantiles of the n values of one feature in train: `values` at `levels` from 0 to 1, both of shape (k,).

    Attributes:
      whole: all values are whole numbers.
      bounds: whether no value can lie below the smallest, or above the largest.
    """

    n: int
    levels: np.ndarray
    values: np.ndarray
    whole: bool = False
    bounds: tuple[bool, bool] = (False, False)


def add_comparators(
    schema: Any, train: Any, evaluation: Any, statistics: ColumnStatistics, thresholds: Thresholds
) -> None:
    """Gives each feature of an inferred schema a drift comparator, in place; none where there are too many features.

    Args:
      train, evaluation: TFDV's `DatasetFeatureStatisticsList` of both splits.
      statistics: of the numeric columns of train.
    """
    if len(schema.feature) > _MOST_FEATURES:
        return
    here, there = ({f.path.step[0]: f for f in found.datasets[0].features} for found in (train, evaluation))
    curves = _curves(statistics)
    chance = thresholds.chance / max(1, len(schema.feature))
    rng = np.random.default_rng(0)
    effect = thresholds.shift_distance**2 / math.log(2)  # a distance in nats is the root of a divergence in nats
    for feature in schema.feature:
        one, other = here.get(feature.name), there.get(feature.name)
        if one is None or other is None:
            continue
        if feature.type == _BYTES:
            floor = _share_by_chance(one.string_stats, other.string_stats, chance)
            feature.drift_comparator.infinity_norm.threshold = max(thresholds.category_share, floor)
        elif feature.type in (_INT, _FLOAT):
            curve = curves.get(feature.name) or _curve_of(one.num_stats)
            n, m = (_n_values(stats.num_stats) for stats in (one, other))
            # A constant has no distribution to draw from, and any other cell in eval would be all that TFDV can say.
            if curve is not None and curve.values[0] < curve.values[-1] and n >= 2 and m >= 2:
                floor = divergence_by_chance(curve, n, m, chance, rng)
                feature.drift_comparator.jensen_shannon_divergence.threshold = min(1.0, max(effect, floor))


def divergence_by_chance(curve: Curve, n: int, m: int, chance: float, rng: np.random.Generator) -> float:
    """The divergence in bits that two samples of n and m values reach with a probability of `chance`.

    Mean and spread are those of `_DRAWS` pairs; the tail is that of a gamma distribution (a divergence by chance is
    about a sum of squares).
    """
    from scipy.stats import gamma

    drawn = divergence(_draw(curve, n, rng), _draw(curve, m, rng))
    mean, variance = float(drawn.mean()), float(drawn.var())
    if not variance:
        return mean
    return max(float(drawn.max()), float(gamma.isf(chance, mean**2 / variance, scale=variance / mean)))


def divergence(one: Histograms, other: Histograms) -> np.ndarray:
    """The Jensen-Shannon divergence in bits of r pairs of histograms, as TFDV finds it, shape (r,)."""
    (low, high, p), (low2, high2, q) = one, other
    steps = np.linspace(0.0, 1.0, BUCKETS + 1)
    ends = [(low, high), (low2, high2)]
    edges = np.sort(np.concatenate([a[:, None] + (b - a)[:, None] * steps for a, b in ends], axis=1), axis=1)
    shares = [np.diff(_cumulated(edges, a, b, counts), axis=1) for (a, b), counts in zip(ends, (p, q), strict=True)]
    middle = (shares[0] + shares[1]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(side > 0, side * np.log2(side / middle), 0.0).sum(axis=1) for side in shares]
    found = np.clip((terms[0] + terms[1]) / 2, 0.0, 1.0)
    # To TFDV a constant is as far as can be from everything but itself.
    constant = [a == b for a, b in ends]
    same = constant[0] & constant[1] & (low == low2)
    return np.where(constant[0] | constant[1], np.where(same, 0.0, 1.0), found)


def _cumulated(edges: np.ndarray, low: np.ndarray, high: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Share of a histogram below each edge, values lying evenly in its buckets; shape of `edges`."""
    below = np.concatenate([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)], axis=1)
    width = (high - low)[:, None] / BUCKETS
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where(width > 0, (edges - low[:, None]) / width, np.where(edges > low[:, None], BUCKETS, 0.0))
    place = np.clip(place, 0.0, BUCKETS)
    bucket = np.minimum(place.astype(np.int64), BUCKETS - 1)
    left, right = np.take_along_axis(below, bucket, 1), np.take_along_axis(below, bucket + 1, 1)
    return left + (place - bucket) * (right - left)


def _draw(curve: Curve, n: int, rng: np.random.Generator) -> Histograms:
    """Histograms of `_DRAWS` samples of n values."""
    ranks = 1 - rng.random((2, _DRAWS)) ** (1 / n)  # from either end to the most extreme of n values
    low = -_extreme(1 - curve.levels[::-1], -curve.values[::-1], curve.n, curve.bounds[0], ranks[0])
    high = _extreme(curve.levels, curve.values, curve.n, curve.bounds[1], ranks[1])
    if curve.whole:
        low, high = np.rint(low), np.rint(high)
    low, high = np.minimum(low, high), np.maximum(low, high)
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, BUCKETS + 1)
    below = _share_below(curve, edges)
    below[:, 0], below[:, -1] = 0.0, 1.0
    expected = np.clip(np.diff(below, axis=1), 0.0, 1.0)
    return low, high, rng.multinomial(n, expected / expected.sum(axis=1, keepdims=True)) / n


def _extreme(levels: np.ndarray, values: np.ndarray, n: int, bound: bool, ranks: np.ndarray) -> np.ndarray:
    """The values so far from the upper end in rank, shape of `ranks`.

    The last stretch is an exponential tail through the largest of the n values in train and the last quantile that at
    least `_TAIL` of them exceed; it goes on beyond the largest, as another sample does, unless that is a bound.
    """
    if bound:
        return np.interp(1 - ranks, levels, values)
    at = int(np.flatnonzero(levels <= max(0.5, 1 - _TAIL / n))[-1])
    rest = 1 - levels[at]
    slope = (values[-1] - values[at]) / max(1.0, math.log(rest * n))
    tail = values[at] + slope * np.log(rest / ranks)
    return np.where(ranks < rest, tail, np.interp(1 - ranks, levels, values))


def _share_below(curve: Curve, x: np.ndarray) -> np.ndarray:
    """Share of the values below x; a value at which the curve stands still is a step."""
    right = np.searchsorted(curve.values, x, side="left")
    low, high = np.clip(right - 1, 0, None), np.clip(right, None, len(curve.values) - 1)
    gap = curve.values[high] - curve.values[low]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(gap > 0, (x - curve.values[low]) / gap, 0.0)
    if curve.whole:
        part = np.where(part < 1, 0.0, part)  # nothing lies between two whole numbers
    share = curve.levels[low] + np.clip(part, 0.0, 1.0) * (curve.levels[high] - curve.levels[low])
    return np.where(right == 0, 0.0, np.where(right == len(curve.values), 1.0, share))


def _curves(statistics: ColumnStatistics) -> dict[str, Curve]:
    if statistics.percentiles is None:
        return {}
    levels = np.linspace(0.0, 1.0, len(statistics.percentiles))
    order = np.argsort(np.concatenate([levels, QUANTILES]), kind="stable")
    levels = np.concatenate([levels, QUANTILES])[order]
    values = np.maximum.accumulate(np.concatenate([statistics.percentiles, statistics.quantiles])[order], axis=0)
    whole = statistics.n_integer == statistics.n_finite
    edges = statistics.edges
    bounds = np.zeros((2, len(whole)), bool)
    if edges is not None:  # the last value falls off as the one before it, or is as frequent as that
        for side, counts in enumerate((edges.low_counts, edges.high_counts)):
            bounds[side] = counts[0] * np.minimum(1.0, counts[0] / np.maximum(counts[1], 1)) >= _BOUND
    finite = np.flatnonzero(statistics.n_finite > 0)
    return {
        statistics.names[j]: Curve(
            int(statistics.n_finite[j]), levels, values[:, j], bool(whole[j]), (bool(bounds[0, j]), bool(bounds[1, j]))
        )
        for j in finite
    }


def _curve_of(stats: Any) -> Curve | None:
    """The quantiles of a feature that TFDV's own generators went over."""
    buckets = next((h.buckets for h in stats.histograms if h.type == 1), ())  # 1: of quantiles
    if not buckets:
        return None
    values = np.array([buckets[0].low_value, *(bucket.high_value for bucket in buckets)])
    return Curve(_n_values(stats), np.linspace(0.0, 1.0, len(values)), values)


def _n_values(stats: Any) -> int:
    buckets = next((h.buckets for h in stats.histograms if h.type == 0), ())
    return round(sum(bucket.sample_count for bucket in buckets))


def _share_by_chance(one: Any, other: Any, chance: float) -> float:
    """How far the share of any value of a text feature may differ by chance: that of a value that half the rows hold.

    The values are as many tests.
    """
    from scipy.stats import norm

    n, m = one.common_stats.tot_num_values, other.common_stats.tot_num_values
    if not n or not m:
        return 1.0
    tests = 2 * max(1, one.unique, other.unique)
    return min(1.0, float(norm.isf(chance / tests)) * 0.5 * math.sqrt(1 / n + 1 / m))
