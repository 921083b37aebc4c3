"""`data.constant_features`: columns that say nothing (or next to nothing), or whose only movement is jitter.

A constant column becomes NaN when it is divided by its standard deviation; a jittering one is blown up to the size
of real columns and then owns a mean over features. Where one value holds 99.9 % of a column, standardising puts each
other cell over 30 standard deviations out.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, columns_word, only
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics
from aetfx.words import percent

_REMEDY = "Leave them out with data.features."


def constant_columns(statistics: ColumnStatistics) -> np.ndarray:
    """Columns whose finite cells are all equal (or that have none), bool (D,)."""
    return ~(statistics.maximum > statistics.minimum)


def commonest(statistics: ColumnStatistics) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent value of each column and its cells, (D,) each; NaN and 0 where none repeats thrice."""
    values, counts = np.full(len(statistics.names), np.nan), np.zeros(len(statistics.names), np.int64)
    for spike in statistics.spikes:
        if spike.count > counts[spike.column]:
            values[spike.column], counts[spike.column] = spike.value, spike.count
    return values, counts


def nearly_constant_columns(statistics: ColumnStatistics, share: float) -> np.ndarray:
    """Columns that vary, but in which one value holds at least `share` of the finite cells, bool (D,)."""
    return ~constant_columns(statistics) & (commonest(statistics)[1] >= share * statistics.n_finite)


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for (nearly) constant columns, one for jittering ones; in images both are only worth knowing."""
    constant = constant_columns(statistics)
    nearly = nearly_constant_columns(statistics, context.thresholds.near_constant)
    size = np.maximum(np.abs(statistics.minimum), np.abs(statistics.maximum))
    with np.errstate(invalid="ignore"):
        jitter = ~constant & ~nearly & (statistics.sd < context.thresholds.jitter * size)
    least = percent(context.thresholds.near_constant, 1)
    still = "standardising divides by zero" if constant.any() else ""
    if nearly.any():
        still += (", or " if still else "standardising ") + "puts the few other cells far out"
    found = []
    for mask, what, harm in (
        (constant | nearly, "constant" + (f" in at least {least} of the rows" if nearly.any() else ""), still),
        (jitter, "constant but for jitter", "standardising blows the jitter up to the size of real columns"),
    ):
        places = np.flatnonzero(mask)
        if not len(places):
            continue
        names = [statistics.names[j] for j in places]
        most = context.thresholds.most_columns_shown
        found.append(
            Finding(
                "data.constant_features",
                only(names),
                context.split,
                "info" if context.declared_shape else "warning",
                f"{columns_word(names)} {'is' if len(names) == 1 else 'are'} {what}: {harm}",
                {
                    "columns": len(names),
                    "nearly": int(np.count_nonzero(mask & nearly)),
                    "worst": [
                        {
                            "column": statistics.names[j],
                            "value": float(statistics.mean[j]),
                            "sd": float(statistics.sd[j]),
                        }
                        for j in places[:most]
                    ],
                },
                _REMEDY,
            )
        )
    return found
