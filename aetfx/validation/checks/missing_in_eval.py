"""`data.missing.eval_only`: cells are missing in eval where train has them all, or nearly all.

What fills a missing cell is fitted on train. A model that never met a filled cell of a column is judged on something
that it was not trained for, and where train had nothing to fill, the step is often left out altogether.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context, columns_word, only, worst
from aetfx.validation.checks.missing import missing_counts
from aetfx.validation.checks.noise import independent_share, share_bounds
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics
from aetfx.words import percent


def check(train: ColumnStatistics, evaluation: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all columns that miss more cells in eval, by more than a split at random gives."""
    limits = context.thresholds
    before, after = missing_counts(train, limits), missing_counts(evaluation, limits)
    if not after.any():
        return []
    n, m = max(1, train.n_rows), max(1, evaluation.n_rows)
    here, there = before / n, after / m
    # Each missing cell falls into eval as a row does.
    alone = min(independent_share(train), independent_share(evaluation))
    _, most = share_bounds((before + after) * alone, np.asarray(m / (n + m)), limits.chance / len(train.names))
    floor = most * (before + after) / m
    more = (there >= limits.eval_missing_share) & (there >= limits.eval_missing_times * here) & (there > floor)
    order = np.argsort(-there, kind="stable")
    order = order[more[order]]
    if not len(order):
        return []
    names = [train.names[j] for j in order]
    unseen = before[order] == 0
    figures = {"train_share": here, "eval_share": there, "noise_floor": floor}
    j = order[0]
    least = "nothing" if before[j] == 0 else f"only {percent(here[j], 1)}"
    which = f"of '{names[0]}' " if len(names) > 1 else ""
    return [
        Finding(
            "data.missing.eval_only",
            only(names),
            context.split,
            "error" if unseen.any() else "warning",
            f"{columns_word(names)} {'has' if len(names) == 1 else 'have'} missing cells in eval that train has not: "
            f"{percent(there[j], 1)} {which}against {least} in train; the model never learns to do without them",
            {
                "columns": len(names),
                "none_in_train": int(unseen.sum()),
                "worst": worst(train.names, figures, order, limits.most_columns_shown),
            },
            "Find out why eval lacks them (another source or a later format?); else train on rows that lack them too, "
            "with preprocessing.missing: mean.",
        )
    ]
