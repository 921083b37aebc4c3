"""`data.missing.zero`: zeros in a column that seems unable to be zero, such as a blood pressure.

Of a column without negative values two things tell that a zero is no measurement: the smallest other value is far
from zero as the column's values go (at least `zero_level` of their median; `common_zero_level` where one cell in ten is
zero), and the step from it down to zero is wide beside the steps between the smallest values (`zero_step` times). Rain,
counts and pixels have small values near zero. Amounts that are either nothing or at least something look the same,
hence never an error.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, in_others, number, only, worst
from aetfx.validation.checks.missing import find_sentinels
from aetfx.validation.combiners.repeats import LEAST_DISTINCT
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import QUANTILES, ColumnStatistics
from aetfx.validation.thresholds import Thresholds
from aetfx.words import percent

_COMMON = 0.1  # of the cells: where so many are zero, these are no tail of the others


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all columns with zeros apart; none for tensors of like units, where zero is black or silent."""
    if context.declared_shape:
        return []
    columns = zero_columns(statistics, context.thresholds)
    order = columns[np.argsort(-statistics.n_zero[columns], kind="stable")]
    if not len(order):
        return []
    assert statistics.edges is not None
    names = [statistics.names[j] for j in order]
    share = statistics.n_zero / np.maximum(statistics.n_finite, 1)
    next_value, middle = statistics.edges.low[1], positive_medians(statistics)
    j = order[0]
    others = in_others(names, "such zeros")
    return [
        Finding(
            "data.missing.zero",
            only(names),
            context.split,
            "warning",
            f"'{names[0]}' is 0 in {statistics.n_zero[j]:,} rows ({percent(share[j], 1)}), while no other value is "
            f"below {number(next_value[j])} and half are above {number(middle[j])}{others}: perhaps a mark for a "
            "missing value",
            {
                "columns": len(names),
                "worst": worst(
                    statistics.names,
                    {"zeros": statistics.n_zero, "share": share, "next_value": next_value, "median_of_others": middle},
                    order,
                    context.thresholds.most_columns_shown,
                ),
            },
            "Check the zeros. If they are marks: make them NaN, x[x == 0] = np.nan, then preprocessing.missing: mean.",
        )
    ]


def zero_columns(statistics: ColumnStatistics, thresholds: Thresholds) -> np.ndarray:
    """Columns whose zeros stand apart from their other values, int (k,)."""
    edges = statistics.edges
    if edges is None or statistics.n_distinct is None:
        return np.zeros(0, np.int64)
    _, second, third, fourth = edges.low[:4]
    marked = find_sentinels(statistics, thresholds)
    known = np.array([0.0 in marked.get(j, ()) for j in range(len(statistics.names))], np.bool_)
    with np.errstate(all="ignore"):
        step = (fourth - second) / 2  # mean step between the three smallest values
        common = statistics.n_zero >= _COMMON * statistics.n_finite
        level = np.where(common, thresholds.common_zero_level, thresholds.zero_level)
        apart = (second >= thresholds.zero_step * step) & (second >= level * positive_medians(statistics))
    some = (statistics.n_zero >= thresholds.least_repeats) & (statistics.n_zero <= statistics.n_finite / 2)
    varied = statistics.n_distinct > LEAST_DISTINCT  # fewer are codes, whose levels stand apart
    return np.flatnonzero((statistics.minimum == 0) & some & varied & apart & np.isfinite(third) & ~known)


def positive_medians(statistics: ColumnStatistics) -> np.ndarray:
    """Median of the cells above zero of columns without negative values, shape (D,); read off the quantiles."""
    zeros = statistics.n_zero / np.maximum(statistics.n_finite, 1)
    return np.array(
        [
            np.interp((1 + share) / 2, QUANTILES, curve)
            for share, curve in zip(zeros, statistics.quantiles.T, strict=True)
        ]
    )
