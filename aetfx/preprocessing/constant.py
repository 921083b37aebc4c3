"""Columns that hardly move: what `preprocessing.constant: drop` leaves out of the network's work.

A column is one of them when it has no value at all, when fewer than 5 % of its cells differ from the median, or when
all that moves is jitter a millionth of its size. Fed as they are such columns cost nothing; divided by their own
standard deviation they become NaN, or weigh as much as a column that says something.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.statistics import ColumnStatistics

LEAST_DIFFERING = 0.05  # part of the cells that must differ from the median for a column to say something (METHOD §8)
# Values closer to the median than this part of it are equal to it for a float32 network (its resolution is 1.2e-7).
SAME = 1e-7
_JITTER = 1e-6  # sd relative to the largest value: a stuck sensor or rounding


def constant_columns(flat: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Returns which columns of float64 (n, D) rows hardly move, bool (D,); `missing` (n, D) cells do not count."""
    values = np.where(missing, np.nan, flat)
    found = missing.all(axis=0)
    known = ~found
    if known.any():
        some = values[:, known]
        middle, size = np.nanmedian(some, axis=0), np.nanmax(np.abs(some), axis=0)
        with np.errstate(invalid="ignore"):
            differs = (np.abs(some - middle) > SAME * np.abs(middle)).sum(axis=0)
        count = np.isfinite(some).sum(axis=0)
        found[known] = (differs < LEAST_DIFFERING * count) | (np.nanstd(some, axis=0) < _JITTER * size)
    return found


def constant_by_statistics(statistics: ColumnStatistics) -> np.ndarray:
    """Returns the same from statistics, bool (D,): quantiles and the values that repeat stand for the cells."""
    commonest = np.zeros(len(statistics.names), np.int64)
    for spike in statistics.spikes:
        commonest[spike.column] = max(commonest[spike.column], spike.count)
    size = np.fmax(np.abs(statistics.minimum), np.abs(statistics.maximum))
    with np.errstate(invalid="ignore"):
        still = ~(statistics.maximum > statistics.minimum) | (statistics.sd < _JITTER * size)
    return still | (commonest > (1 - LEAST_DIFFERING) * statistics.n_finite)
