"""`data.too_few_rows`: fewer distinct train rows than the width asks for.

n rows span at most n - 1 directions: with no more rows than columns, a linear code of that width gives back every train
row exactly and has learnt nothing of the others. Up to a few rows per column the directions of largest variance are
still badly known: of pure noise, the variances along the principal directions of n = 5 D rows spread from 0.3 to 2.1
times the true one (Marchenko and Pastur 1967: (1 +- sqrt(D / n))^2). Five rows per column is also the least that
textbooks ask of a factor analysis (Gorsuch 1983). Pixels that move together need far fewer: for tensors this is never
more than worth knowing. Whether rows are too few for a *model*, the diagnosis measures.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, number
from aetfx.validation.checks.constant_features import constant_columns
from aetfx.validation.checks.duplicates import copies
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding on the train split; nothing without row hashes (only distinct rows count)."""
    if statistics.row_hashes is None or context.split != "train":
        return []
    rows = statistics.row_hashes.n_distinct
    columns = int(np.count_nonzero(~constant_columns(statistics)))
    columns -= sum(len(group) - 1 for group in copies(statistics))
    least = context.thresholds.rows_per_column
    if rows >= least * columns:
        return []
    short = rows <= columns
    return [
        Finding(
            "data.too_few_rows",
            None,
            context.split,
            "warning" if short and not context.declared_shape else "info",
            f"{rows:,} distinct rows for {columns:,} columns that vary: "
            + (
                "a code as wide as the rows are many can learn each of them by heart"
                if short
                else f"fewer than {number(least)} per column, so that the main directions are badly known"
            ),
            {"distinct_rows": rows, "columns": columns, "rows_per_column": rows / max(1, columns), "threshold": least},
            "Give more rows or fewer columns (data.features), or keep the code narrow (model.bottleneck).",
        )
    ]
