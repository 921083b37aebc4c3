"""`data.duplicates`: rows that occur more than once, and columns that are copies of each other.

Repeated rows weigh more in a mean loss. In columns of few values they come by chance (150 irises share two leaves
of the same size); a warning is given only where there is room for all rows to differ. A split by hash keeps equal rows
together, so that they are no leak there.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, listed
from aetfx.validation.checks.constant_features import constant_columns
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics
from aetfx.words import percent


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for rows, one for columns; nothing without row hashes."""
    return _rows(statistics, context) + _columns(statistics, context)


def copies(statistics: ColumnStatistics) -> list[list[int]]:
    """Groups of columns with the same values in the same rows; constant columns are left out."""
    if statistics.row_hashes is None:
        return []
    groups: dict[int, list[int]] = {}
    for j in np.flatnonzero(~constant_columns(statistics)).tolist():
        groups.setdefault(int(statistics.row_hashes.columns[j]), []).append(j)
    return [group for group in groups.values() if len(group) > 1]


def _rows(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    rows, limits = statistics.row_hashes, context.thresholds
    if rows is None or rows.surplus_share == 0:
        return []
    share, most = rows.surplus_share, int(rows.counts.max())
    surplus = round(share * rows.n_rows)
    repeated = np.sort(rows.counts[rows.counts > 1])[::-1]
    crowded = share >= limits.duplicate_share and _has_room(statistics, limits.roomy)
    about = "" if rows.exact else "about "
    verb = "repeats" if surplus == 1 else "repeat"
    return [
        Finding(
            "data.duplicates",
            None,
            context.split,
            "warning" if crowded else "info",
            f"{about}{surplus:,} of {rows.n_rows:,} rows ({percent(share, 1)}) {verb} another row, "
            f"one row stands there {most:,} times; repeated rows weigh more in the loss",
            {
                "repeated_rows": surplus,
                "share": share,
                "distinct_rows": rows.n_distinct,
                "most_repeats": most,
                "repeats": repeated[: limits.most_columns_shown].tolist(),
                "estimated": not rows.exact,
            },
            "Keep each row once if the repeats are an accident of collecting or joining.",
        )
    ]


def _has_room(statistics: ColumnStatistics, factor: float) -> bool:
    """Whether the columns can hold many more different rows than there are."""
    if statistics.n_distinct is None:
        return True
    possible = np.log(np.maximum(statistics.n_distinct, 1)).sum()
    return bool(possible > np.log(factor * max(1, statistics.n_rows)))


def _columns(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    groups = copies(statistics)
    if not groups:
        return []
    surplus = sum(len(group) - 1 for group in groups)
    named = [[statistics.names[j] for j in group] for group in sorted(groups, key=len, reverse=True)]
    more = f", and {surplus - len(named[0]) + 1} more" if surplus > len(named[0]) - 1 else ""
    what = "1 column is a copy" if surplus == 1 else f"{surplus:,} columns are copies"
    return [
        Finding(
            "data.duplicates",
            named[0][1] if surplus == 1 else None,
            context.split,
            "info" if context.declared_shape else "warning",
            f"{what} of another: {listed(named[0])} hold the same values{more}; what they hold counts twice or more "
            "in the loss",
            {"columns": surplus, "groups": [group[:10] for group in named[: context.thresholds.most_columns_shown]]},
            "Keep one column of each group, with data.features.",
        )
    ]
