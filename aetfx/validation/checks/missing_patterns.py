"""`data.missing.mostly`: columns that hold next to nothing; `data.missing.blocks`: missing cells in runs of rows.

A sensor that is off for an hour leaves a run of empty cells, a lost message a single one. In random order a run of
missing cells begins at m (n - m + 1) / n of the m missing cells of n rows, which is a draw without replacement (Wald
and Wolfowitz 1940): the mean run is as long as n / (n - m + 1) rows. A column is reported when its runs are longer by
`missing_run`, and longer than chance makes them.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, columns_word, in_others, number, only, worst
from aetfx.validation.checks.missing import missing_counts
from aetfx.validation.checks.noise import independent_share, share_bounds
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics
from aetfx.words import percent


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """At most one finding of each kind."""
    return _mostly(statistics, context) + _blocks(statistics, context)


def _mostly(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    share = missing_counts(statistics, context.thresholds) / max(1, statistics.n_rows)
    order = np.argsort(-share, kind="stable")[: np.count_nonzero(share > context.thresholds.mostly_missing)]
    if not len(order):
        return []
    names = [statistics.names[j] for j in order]
    present = statistics.n_rows - missing_counts(statistics, context.thresholds)
    return [
        Finding(
            "data.missing.mostly",
            only(names),
            context.split,
            "warning",
            f"{columns_word(names)} {'is' if len(names) == 1 else 'are'} missing in most rows, up to "
            f"{percent(share[order[0]], 1)}; what is filled in outweighs what was measured",
            {
                "columns": len(names),
                "worst": worst(
                    statistics.names,
                    {"share": share, "cells_left": present},
                    order,
                    context.thresholds.most_columns_shown,
                ),
            },
            "Leave them out with data.features.",
        )
    ]


def _blocks(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    found = run_lengths(statistics, context.thresholds.chance)
    if found is None:
        return []
    mean, by_chance, floor = found
    assert statistics.missing_runs is not None
    in_runs = (mean >= context.thresholds.missing_run * by_chance) & (mean > floor)
    cells = statistics.n_missing
    order = np.argsort(-cells, kind="stable")
    order = order[in_runs[order]]
    if not len(order):
        return []
    names = [statistics.names[j] for j in order]
    share = cells / statistics.n_rows
    first, longest = order[0], statistics.missing_runs.longest
    figures = {"mean_run_rows": mean, "by_chance_rows": by_chance, "noise_floor_rows": floor,
               "longest_run_rows": longest, "share": share}  # fmt: skip
    others = in_others(names, "such runs")
    return [
        Finding(
            "data.missing.blocks",
            only(names),
            context.split,
            "warning" if share[first] >= context.thresholds.block_share else "info",
            f"the missing cells of '{names[0]}' come in runs of {number(mean[first])} rows on average, where chance "
            f"gives {number(by_chance[first])} (longest {longest[first]:,} rows){others}: an outage, not single losses"
            "; a mean filled into a whole run looks like a state of its own",
            {
                "columns": len(names),
                "worst": worst(statistics.names, figures, order, context.thresholds.most_columns_shown),
            },
            "Leave the rows of an outage out, or impute the cells and leave them out of the loss: "
            "preprocessing.missing: mean.",
        )
    ]


def run_lengths(statistics: ColumnStatistics, chance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Lengths of runs of missing cells, in rows, shape (D,) each; None where nothing is missing or runs are unknown.

    Args:
      chance: that any column whose cells are missing at random reaches its floor.

    Returns:
      Mean length (NaN for columns without missing cells), what is expected in random order, and the noise floor.
    """
    if statistics.missing_runs is None:
        return None
    n, m = statistics.n_rows, statistics.n_missing.astype(np.float64)
    begins = (n - m + 1) / n  # expected share of the missing cells that begin a run
    least, _ = share_bounds(m * independent_share(statistics), begins, chance / max(1, np.count_nonzero(m)))
    with np.errstate(all="ignore"):
        floor = np.where(least > 0, 1 / least, np.inf)
        return m / statistics.missing_runs.runs, 1 / begins, floor
