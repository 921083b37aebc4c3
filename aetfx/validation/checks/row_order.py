"""`data.row_order`: consecutive rows are alike, so that the last rows of the file are no fair sample of all.

The share of a column's variance between runs of consecutive rows (`combiners.row_order`), less what chance gives:
in random order n x share follows a chi-square law with as many degrees of freedom as runs less one.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, only, worst
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics
from aetfx.words import percent


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all columns that follow the order of rows."""
    if statistics.row_order is None:
        return []
    share, floor = order_shares(statistics, context.thresholds.chance)
    order = np.argsort(-share, kind="stable")
    order = order[(share > np.maximum(floor, context.thresholds.row_order))[order]]
    if not len(order):
        return []
    names = [statistics.names[j] for j in order]
    others = f" (and over {percent(context.thresholds.row_order)} in {len(names) - 1} more)" if len(names) > 1 else ""
    return [
        Finding(
            "data.row_order",
            only(names),
            context.split,
            "info",
            f"the rows come in an order: {percent(share[order[0]])} of the variance of '{names[0]}' lies between "
            f"runs of consecutive rows{others}; the last rows are no fair sample",
            {
                "columns": len(names),
                "worst": worst(
                    statistics.names,
                    {"share_between_runs": share, "noise_floor": floor},
                    order,
                    context.thresholds.most_columns_shown,
                ),
            },
            "Hold rows out by hash (data.eval: 0.2), not the last ones (Keras's validation_split takes those).",
        )
    ]


def order_shares(statistics: ColumnStatistics, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Share of each column's variance between runs, less the expected share of chance, and the noise floor; (D,) each.

    Args:
      chance: that any column of rows in random order reaches its floor.
    """
    from scipy.stats import chi2

    assert statistics.row_order is not None
    runs, n = statistics.row_order.runs, statistics.n_finite
    freedom, rest = np.maximum(runs - 1, 1), np.maximum(n - 1, 1)
    total = n * statistics.sd**2
    with np.errstate(all="ignore"):
        usable = (runs >= 2) & (n > 2 * runs) & (statistics.maximum > statistics.minimum) & (total > 0)
        share = np.where(usable, np.clip(statistics.row_order.between / total, 0.0, 1.0), 0.0)
    unbiased = np.where(usable, 1.0 - (1.0 - share) * rest / np.maximum(n - runs, 1), 0.0)
    return np.maximum(unbiased, 0.0), (chi2.isf(chance / max(1, len(runs)), freedom) - freedom) / rest
