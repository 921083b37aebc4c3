"""`data.scaling.codes`: whole numbers that name something are reproduced as if they measured something.

Numbers of rows or of things (ids, time stamps): all cells of a column are different whole numbers, though so many
numbers drawn freely between its smallest and largest would repeat (the birthday problem: n draws from a span of s
numbers are all different with a chance of at most exp(-n (n - 1) / 2 s)). Where a column is too large to count
its distinct values, those at its edges stand once each, and its percentiles lie on a straight line.

Codes of categories: a few different whole numbers without a gap, in a table whose other columns are of another kind.
Nothing in such numbers tells a code from a count or a grade, hence only worth knowing.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, columns_word, number, only, worst
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import QUANTILES, ColumnStatistics
from aetfx.validation.thresholds import Thresholds

_STRAIGHT = 0.02  # of the range: twice the rank error of a sketch
_ROWS_PER_CODE = 10  # below, a column of few values is a short column


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """At most one finding about running numbers, and one about codes; none for tensors, nor again for eval."""
    if context.declared_shape or context.split != "train":
        return []
    ids, codes = id_columns(statistics, context.thresholds), code_columns(statistics, context.thresholds)
    found = []
    figures = {"smallest": statistics.minimum, "largest": statistics.maximum}
    if len(ids):
        names = [statistics.names[j] for j in ids]
        one, j = len(names) == 1, ids[0]
        found.append(
            Finding(
                "data.scaling.codes",
                only(names),
                context.split,
                "warning",
                f"{columns_word(names)} {'holds' if one else 'hold'} a different whole number in each row (in "
                f"'{names[0]}' from {number(statistics.minimum[j])} to {number(statistics.maximum[j])}): an id or a "
                "time stamp, which nothing else in a row can tell",
                {
                    "columns": len(names),
                    "worst": worst(statistics.names, figures, ids, context.thresholds.most_columns_shown),
                },
                f"Leave {'it' if one else 'them'} out with data.features.",
            )
        )
    if len(codes):
        assert statistics.n_distinct is not None
        names = [statistics.names[j] for j in codes]
        found.append(
            Finding(
                "data.scaling.codes",
                only(names),
                context.split,
                "info",
                f"{columns_word(names)} {'holds' if len(names) == 1 else 'hold'} few different whole numbers; if they "
                "name kinds (a region, a type), a number away means nothing, and a loss that measures it misleads",
                {
                    "columns": len(names),
                    "worst": worst(
                        statistics.names,
                        {"values": statistics.n_distinct, **figures},
                        codes,
                        context.thresholds.most_columns_shown,
                    ),
                },
                "If they are codes, give each kind a column of its own: keras.utils.to_categorical(x).",
            )
        )
    return found


def id_columns(statistics: ColumnStatistics, thresholds: Thresholds) -> np.ndarray:
    """Columns of whole numbers of which none repeats though chance would repeat some, int (k,)."""
    if statistics.n_distinct is None:
        return np.zeros(0, np.int64)
    n = statistics.n_finite.astype(np.float64)
    with np.errstate(all="ignore"):
        span = statistics.maximum - statistics.minimum + 1
        unlikely = n * (n - 1) / 2 / span > np.log(len(n) / thresholds.chance)
    different = statistics.n_distinct == statistics.n_finite if statistics.exact else _seems_different(statistics, span)
    return np.flatnonzero(_whole(statistics) & unlikely & different)


def code_columns(statistics: ColumnStatistics, thresholds: Thresholds) -> np.ndarray:
    """Columns of few whole numbers without a gap, where these are less than half of all columns, int (k,)."""
    if statistics.n_distinct is None:
        return np.zeros(0, np.int64)
    few = (statistics.n_distinct > 2) & (statistics.n_distinct <= thresholds.most_codes)
    few &= statistics.n_finite >= _ROWS_PER_CODE * statistics.n_distinct
    with np.errstate(all="ignore"):
        dense = statistics.maximum - statistics.minimum + 1 == statistics.n_distinct
    found = np.flatnonzero(_whole(statistics) & few & dense)
    # As many columns of few whole numbers are answers, grey levels or counts: of one kind, and fit to be compared.
    return found if np.count_nonzero(_whole(statistics) & few) * 2 < len(statistics.names) else found[:0]


def _whole(statistics: ColumnStatistics) -> np.ndarray:
    return (statistics.n_integer == statistics.n_finite) & (statistics.n_finite > 0)


def _seems_different(statistics: ColumnStatistics, span: np.ndarray) -> np.ndarray:
    """Columns whose values seem to be spread evenly, each once: at most every second number is left out; bool (D,)."""
    edges = statistics.edges
    if edges is None:
        return np.zeros(len(span), np.bool_)
    once = (edges.low_counts == 1).all(axis=0) & (edges.high_counts == 1).all(axis=0)
    with np.errstate(all="ignore"):
        line = statistics.minimum + np.asarray(QUANTILES)[:, None] * (statistics.maximum - statistics.minimum)
        straight = np.abs(statistics.quantiles - line).max(axis=0) <= _STRAIGHT * span
    return once & straight & (span <= 2 * statistics.n_finite)
