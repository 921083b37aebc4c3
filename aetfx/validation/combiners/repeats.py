"""Exact values that many rows share, and how far each stands from the bulk of its column.

Terms: the *bulk* of a column is what remains after up to `KEPT` distinct values at each edge are taken off, chosen
such that each edge is separated from the bulk by more than the bulk's own 1-99 % range. What was taken off
stands apart: sentinels where it repeats, stray cells where it does not.
"""

from __future__ import annotations

import itertools

import numpy as np

from aetfx.validation.combiners.distribution import Distribution
from aetfx.validation.combiners.edges import KEPT, EdgeValues
from aetfx.validation.statistics import Spike

LEAST_REPEATS = 3  # two equal cells happen by chance in any rounded column
MOST_PER_COLUMN = 5
LEAST_DISTINCT = 10  # a bulk of fewer values is a code (0/1, grades), whose levels are no sentinels, but for one ...
LEAST_LEVELS, LEAST_CODED = 3, 0.9  # ... beside so many others, which so many of the rows hold, ...
FAR_FROM_LEVELS = 5.0  # ... and so many of their ranges off: 99 beside the grades 1 to 5


def find_spikes(distribution: Distribution, edges: EdgeValues, n_distinct: np.ndarray) -> tuple[Spike, ...]:
    """Returns the repeated values of each column, most frequent first, edges included.

    Args:
      n_distinct: distinct values per column (a lower bound will do), shape (D,).
    """
    counts: list[dict[float, int]] = [{} for _ in range(len(n_distinct))]
    for column, value, count in distribution.repeated(LEAST_REPEATS, MOST_PER_COLUMN):
        counts[column][value] = count
    for values, numbers in ((edges.low, edges.low_counts), (edges.high, edges.high_counts)):
        for i, j in np.argwhere(numbers >= LEAST_REPEATS):
            counts[j][float(values[i, j])] = int(numbers[i, j])  # exact, where a sketch only estimates
    found = []
    for j, known in enumerate(counts):
        apart = _apart(j, distribution, edges, int(n_distinct[j])) if known else None
        for value, count in sorted(known.items(), key=lambda item: (-item[1], item[0])):
            gap, (low, high) = (np.nan, (np.nan, np.nan)) if apart is None else _distance(value, apart)
            found.append(Spike(j, value, count, gap, low, high))
    return tuple(found)


_Bulk = tuple[float, float, float, float]  # smallest, largest, 1 % and 99 % quantile


def _distance(value: float, bulk: _Bulk) -> tuple[float, tuple[float, float]]:
    smallest, largest, low, high = bulk
    return max(smallest - value, value - largest, 0.0), (low, high)


def _apart(j: int, distribution: Distribution, edges: EdgeValues, n_distinct: int) -> _Bulk | None:
    """Finds the bulk of column j, or None where nothing stands apart."""
    low, high = edges.low[:, j], edges.high[:, j]
    low_counts, high_counts = np.cumsum(edges.low_counts[:, j]), np.cumsum(edges.high_counts[:, j])
    total = int(distribution.counts[j])
    best: tuple[int, _Bulk] | None = None
    for a, b in itertools.product(range(KEPT), range(KEPT)):  # the KEPT-th value must stay in the bulk
        if a + b == 0 or n_distinct - a - b < LEAST_LEVELS or (best and a + b <= best[0]):
            continue
        coded = n_distinct - a - b < LEAST_DISTINCT
        cut_low, cut_high = int(low_counts[a - 1]) if a else 0, int(high_counts[b - 1]) if b else 0
        rest = total - cut_low - cut_high
        if rest <= total * (LEAST_CODED if coded else 0.5):
            continue  # a minority only: else which part is the bulk is a matter of taste
        levels = [(cut_low + p * (rest - 1)) / max(1, total - 1) for p in (0.01, 0.99)]
        first, last = (float(q) for q in distribution.column_quantiles(j, levels))
        spread = last - first
        gap_low = low[a] - low[a - 1] if a else np.inf
        gap_high = high[b - 1] - high[b] if b else np.inf
        if spread > 0 and min(gap_low, gap_high) > (FAR_FROM_LEVELS if coded else 1.0) * spread:
            best = a + b, (float(low[a]), float(high[b]), first, last)
    return best[1] if best else None
