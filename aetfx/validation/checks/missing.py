"""`data.missing`: cells that are NaN, empty or infinite, and sentinels that stand for a missing value.

A sentinel is one exact value in at least `sentinel_share` of the rows that is farther from all other values than
their 1-99 % range, so that it is recognised whatever the column's scale (METHOD section 3). The same in fewer
rows (from three cells on) may as well be an outlier, unless the same value is a sentinel of another column, or stands
as far off in several columns and in that many rows of all of them together, as where lines of a picture were lost; it
is reported as a warning and belongs to both. A value that is ordinary in many other columns is neither: ink at the
margin of a page is what ink is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aetfx.validation.checks.base import Context, columns_word, in_others, number, only, worst
from aetfx.validation.combiners.repeats import FAR_FROM_LEVELS, LEAST_CODED, LEAST_REPEATS
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics, Spike
from aetfx.validation.thresholds import Thresholds
from aetfx.words import percent

_LEAST_BITS = 3  # columns of 0 and 1 that bear a third value: of fewer it may be an answer of its own
_MANY_COLUMNS = 5  # in which one value stands equally far off
_FLAGS = (-1.0, 0.0, 1.0)  # of columns with two values: what is a mark elsewhere is one of them here

_REMEDY = "Impute and leave them out of the loss: preprocessing.missing: mean."


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding each for empty cells, infinite cells, sentinels and rare repeated spikes."""
    found = []
    for counts, what in ((statistics.n_missing, "missing (NaN or empty)"), (statistics.n_infinite, "infinite")):
        if counts.any():
            found.append(_cells(statistics, context, counts, what))
    for spikes, rare in ((sentinel_spikes(statistics, context.thresholds), False),
                         (rare_spikes(statistics, context.thresholds), True)):  # fmt: skip
        if spikes:
            found.append(_spikes(statistics, context, spikes, rare))
    return found


def find_sentinels(statistics: ColumnStatistics, thresholds: Thresholds | None = None) -> dict[int, tuple[float, ...]]:
    """Finds values that stand for "missing".

    Returns:
      Column index to its sentinel values; columns without any are left out.
    """
    found: dict[int, tuple[float, ...]] = {}
    for spike in sentinel_spikes(statistics, thresholds or Thresholds()):
        found[spike.column] = (*found.get(spike.column, ()), spike.value)
    return found


def missing_counts(statistics: ColumnStatistics, thresholds: Thresholds) -> np.ndarray:
    """Cells that are NaN, infinite or a sentinel, per column, int64 (D,)."""
    counts = statistics.n_missing + statistics.n_infinite
    for spike in sentinel_spikes(statistics, thresholds):
        counts[spike.column] += spike.count
    return counts


def missing_mask(values: np.ndarray, sentinels: Mapping[int, Sequence[float]] | None = None) -> np.ndarray:
    """Marks the cells that are NaN, infinite or a sentinel of their column.

    Args:
      values: shape (n, ...), any float dtype; trailing axes are flattened to find the column.
      sentinels: column index to values, as from `find_sentinels`.

    Returns:
      bool, the shape of `values`.
    """
    values = np.asarray(values)
    mask = ~np.isfinite(values).reshape(len(values), -1)
    flat = values.reshape(len(values), -1)
    for column, marks in (sentinels or {}).items():
        for mark in marks:
            mask[:, column] |= flat[:, column] == flat.dtype.type(mark)
    return mask.reshape(values.shape)


def sentinel_spikes(statistics: ColumnStatistics, thresholds: Thresholds) -> list[Spike]:
    """Spikes apart from the bulk in enough rows to be sentinels, or of a value that is one in another column."""
    return _sorted_out(statistics, thresholds)[0]


def rare_spikes(statistics: ColumnStatistics, thresholds: Thresholds) -> list[Spike]:
    """Spikes apart from the bulk in too few rows to be sure: a sentinel or an outlier."""
    return _sorted_out(statistics, thresholds)[1]


def _sorted_out(statistics: ColumnStatistics, thresholds: Thresholds) -> tuple[list[Spike], list[Spike]]:
    """Spikes apart from the bulk: the sentinels, and what is too rare to be sure."""
    apart = _apart(statistics, thresholds)
    sure = {spike.value for spike in apart if spike.count >= thresholds.sentinel_share * statistics.n_rows}
    sure |= _in_many(apart, thresholds.sentinel_share * statistics.n_rows)
    found = [spike for spike in apart if spike.value in sure]
    found += _among_bits(statistics, thresholds)
    found += _beside_few(sure, {(spike.column, spike.value) for spike in found}, statistics)
    found += _strays(sure, {(spike.column, spike.value) for spike in found}, statistics)
    return found, [spike for spike in apart if spike.value not in sure]


def _in_many(apart: Sequence[Spike], least: float) -> set[float]:
    """Values far off in several columns, which gross cells would share by chance only, in `least` cells together."""
    return {
        value
        for value, spikes in _by_value(apart).items()
        if len(spikes) >= _MANY_COLUMNS and sum(spike.count for spike in spikes) >= least
    }


def _by_value(spikes: Sequence[Spike]) -> dict[float, list[Spike]]:
    found: dict[float, list[Spike]] = {}
    for spike in spikes:
        found.setdefault(spike.value, []).append(spike)
    return found


def _by_column(statistics: ColumnStatistics) -> list[list[Spike]]:
    found: list[list[Spike]] = [[] for _ in statistics.names]
    for spike in statistics.spikes:
        found[spike.column].append(spike)
    return found


def _beside_few(sure: set[float], known: set[tuple[int, float]], statistics: ColumnStatistics) -> list[Spike]:
    """Such values in columns whose other cells hold a few values: too few to say by themselves what is far."""
    found = []
    for column, levels in enumerate(_by_column(statistics)):
        empty = statistics.n_missing[column] + statistics.n_infinite[column]
        counted = sum(level.count for level in levels) + int(empty)
        for spike in levels:
            rest = [level.value for level in levels if level is not spike]
            if spike.value not in sure or (column, spike.value) in known or spike.value in _FLAGS or not rest:
                continue
            low, high = min(rest), max(rest)
            gap = max(low - spike.value, spike.value - high)
            rare = spike.count <= (1 - LEAST_CODED) * statistics.n_rows
            if counted == statistics.n_rows and rare and gap > FAR_FROM_LEVELS * (high - low):
                found.append(Spike(column, spike.value, spike.count, gap, low, high))
    return found


def _among_bits(statistics: ColumnStatistics, thresholds: Thresholds) -> list[Spike]:
    """One third value of columns that hold 0 and 1, where all columns do and it is seldom: yes, no, and not known.

    One such column may as well hold answers of three kinds, and a 2 beside 0 and 1 be a count.
    """
    extra = {spike.value for spike in statistics.spikes} - {0.0, 1.0}
    if len(extra) != 1 or 0 <= (value := extra.pop()) <= 2:
        return []
    possible = [0.0, 1.0, value]
    if not (np.isin(statistics.minimum, possible) & np.isin(statistics.maximum, possible)).all():
        return []
    n_cells = statistics.n_rows - statistics.n_missing - statistics.n_infinite
    found = []
    for column, spikes in enumerate(_by_column(statistics)):
        # Levels of one or two cells are not counted.
        if sum(spike.count for spike in spikes) + (LEAST_REPEATS - 1) * (3 - len(spikes)) < n_cells[column]:
            return []
        for spike in spikes:
            if spike.value == value:
                gap = max(-value, value - 1)
                found.append(Spike(column, value, spike.count, gap, 0.0, 1.0))
    seldom = [spike.count <= (1 - LEAST_CODED) * statistics.n_rows for spike in found]
    often = [spike.count >= thresholds.sentinel_share * statistics.n_rows for spike in found]
    return found if all(seldom) and sum(often) >= _LEAST_BITS else []


def _strays(sure: set[float], known: set[tuple[int, float]], statistics: ColumnStatistics) -> list[Spike]:
    """The one or two cells of other columns that hold such a value, as extremes that stand apart."""
    low, high = statistics.quantile(0.01), statistics.quantile(0.99)
    found = []
    for value in sorted(sure):
        gap = np.where(statistics.minimum == value, low - value, value - high)
        extreme = (statistics.minimum == value) | (statistics.maximum == value)
        for j in np.flatnonzero(extreme & (gap > high - low)).tolist():
            if (j, value) not in known:
                found.append(Spike(j, value, 1, float(gap[j]), float(low[j]), float(high[j])))
    return found


def _apart(statistics: ColumnStatistics, thresholds: Thresholds) -> list[Spike]:
    found = [
        spike
        for spike in statistics.spikes
        if spike.gap > spike.rest_high - spike.rest_low and spike.count >= thresholds.least_repeats
    ]
    columns = {value: [spike.column for spike in spikes] for value, spikes in _by_value(found).items()}
    ordinary = _ordinary(columns, statistics, thresholds)
    return [spike for spike in found if spike.value not in ordinary]


def _ordinary(
    columns: Mapping[float, Sequence[int]], statistics: ColumnStatistics, thresholds: Thresholds
) -> set[float]:
    """Returns the values that are ordinary in many columns, of those that stand apart in the given columns."""
    if not columns:
        return set()
    low, high = statistics.quantile(0.1), statistics.quantile(0.9)
    enough = max(thresholds.ordinary_columns, thresholds.ordinary_share * len(statistics.names))
    found = set()
    for value, apart in columns.items():
        inside = (low <= value) & (value <= high)
        inside[list(apart)] = False  # a mark in many columns widens their ranges itself
        if inside.sum() >= enough:
            found.add(value)
    return found


def _cells(statistics: ColumnStatistics, context: Context, counts: np.ndarray, what: str) -> Finding:
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    names = [statistics.names[j] for j in order]
    share = counts / max(1, statistics.n_rows)
    total = int(counts.sum())
    verb = "is" if total == 1 else "are"
    return Finding(
        "data.missing",
        only(names),
        context.split,
        "error",
        f"{total:,} cell{'s' * (total != 1)} {verb} {what}, in {columns_word(names)}, up to "
        f"{percent(share.max(), 1)} of a column; one such cell turns the loss to NaN",
        {
            "cells": total,
            "columns": len(names),
            "largest_share": float(share.max()),
            "worst": worst(
                statistics.names, {"cells": counts, "share": share}, order, context.thresholds.most_columns_shown
            ),
        },
        _REMEDY,
    )


def _spikes(statistics: ColumnStatistics, context: Context, spikes: list[Spike], rare: bool) -> Finding:
    spikes = sorted(spikes, key=lambda spike: -spike.count)
    names = list(dict.fromkeys(statistics.names[spike.column] for spike in spikes))
    first = spikes[0]
    seen = (
        f"the value {number(first.value)} stands in {first.count:,} rows of column '{statistics.names[first.column]}'"
    )
    others = in_others(names, "such values")
    away = f"far from all others, which span {number(first.rest_low)} to {number(first.rest_high)}"
    return Finding(
        "data.missing.sentinel",
        only(names),
        context.split,
        "warning" if rare else "error",
        f"{seen}{others}, {away}: "
        + ("a mark for a missing value, or an outlier" if rare else "a mark for a missing value"),
        {
            "columns": len(names),
            "worst": [
                {
                    "column": statistics.names[spike.column],
                    "value": spike.value,
                    "cells": spike.count,
                    "share": spike.count / max(1, statistics.n_rows),
                    "others_low": spike.rest_low,
                    "others_high": spike.rest_high,
                }
                for spike in spikes[: context.thresholds.most_columns_shown]
            ],
        },
        "Check the value. " + ("If it is a mark: " if rare else "") + _REMEDY,
    )
