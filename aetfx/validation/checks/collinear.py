"""`data.collinear`: pairs of columns that are a straight line to each other, copies left out.

No fault for an autoencoder (it compresses them well), but the pair counts twice in the loss, and a score looks better
than it is: one of the two is free.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, number
from aetfx.validation.checks.constant_features import commonest, constant_columns
from aetfx.validation.checks.duplicates import copies
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all pairs; nothing without a correlation matrix."""
    limits = context.thresholds
    if statistics.correlation is None:
        return []
    varied = statistics.n_finite - commonest(statistics)[1] >= limits.collinear_cells
    varied &= ~constant_columns(statistics)
    strength = np.nan_to_num(np.abs(np.triu(statistics.correlation, 1)))
    strength *= varied[:, None] & varied
    for group in copies(statistics):
        strength[np.ix_(group, group)] = 0.0
    first, second = np.nonzero(strength > limits.collinear)
    if not len(first):
        return []
    order = np.argsort(-strength[first, second], kind="stable")
    pairs = [(int(first[i]), int(second[i])) for i in order]
    names, (a, b) = statistics.names, pairs[0]
    columns = len({j for pair in pairs for j in pair})
    what = "1 pair of columns is" if len(pairs) == 1 else f"{len(pairs):,} pairs of {columns} columns are"
    return [
        Finding(
            "data.collinear",
            None,
            context.split,
            "info",
            f"{what} on a straight line (|r| above {number(limits.collinear)}): '{names[a]}' and '{names[b]}' "
            f"with r {statistics.correlation[a, b]:.5f}; what they share counts twice in the loss",
            {
                "pairs": len(pairs),
                "columns": columns,
                "strongest": [
                    {"columns": [names[i], names[j]], "correlation": float(statistics.correlation[i, j])}
                    for i, j in pairs[: limits.most_columns_shown]
                ],
            },
            "Harmless to train on. To weigh each quantity once, keep one column of each pair with data.features.",
        )
    ]
