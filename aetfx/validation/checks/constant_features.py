"""`data.constant_features`: columns that say nothing, or whose only movement is jitter.

A constant column becomes NaN when it is divided by its standard deviation; a jittering one is blown up to the size
of real columns and then owns a mean over features.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, columns_word, only
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics

_REMEDY = "Leave them out with data.features."


def constant_columns(statistics: ColumnStatistics) -> np.ndarray:
    """Columns whose finite cells are all equal (or that have none), bool (D,)."""
    return ~(statistics.maximum > statistics.minimum)


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for constant columns, one for jittering ones; in images both are only worth knowing."""
    constant = constant_columns(statistics)
    size = np.maximum(np.abs(statistics.minimum), np.abs(statistics.maximum))
    with np.errstate(invalid="ignore"):
        jitter = ~constant & (statistics.sd < context.thresholds.jitter * size)
    found = []
    for mask, what, harm in (
        (constant, "constant", "standardising divides by zero"),
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
