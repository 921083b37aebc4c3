"""`data.leak`: eval rows that are in train too, so that the eval score is partly a train score.

Some rows repeat by nature (see `duplicates`). A fair split of such rows shares about as many as have a twin
within train; only what is beyond that is a leak. In data whose rows all differ, each shared row is one.
"""

from __future__ import annotations

import numpy as np

from aetfx.validation.checks.base import Context
from aetfx.validation.findings import Finding, Severity
from aetfx.validation.statistics import ColumnStatistics
from aetfx.words import percent


def check(train: ColumnStatistics, evaluation: ColumnStatistics, context: Context) -> list[Finding]:
    """At most one finding: error, warning or, where the twins explain it, worth knowing."""
    mine, theirs, limits = train.row_hashes, evaluation.row_hashes, context.thresholds
    if mine is None or theirs is None:
        return []
    threshold = min(mine.threshold, theirs.threshold)  # the rows that both splits sampled
    in_train, train_counts = mine.below(threshold)
    in_eval, counts = theirs.below(threshold)
    shared = np.isin(in_eval, in_train, assume_unique=True)
    if not shared.any():
        return []
    n = int(counts.sum())
    found = int(counts[shared].sum())
    twins = float(train_counts[train_counts > 1].sum() / max(1, train_counts.sum()))
    share, expected = found / n, twins
    # Rows with a twin are shared in bunches; three standard deviations of the bunches' sum.
    spread = 3 * np.sqrt(twins * (1 - twins) / n * float((counts**2).sum()) / n)
    beyond = max(0.0, share - expected - spread)
    severity: Severity = (
        "error" if beyond >= limits.leak_error_share else "warning" if beyond >= limits.leak_share else "info"
    )
    exact = mine.exact and theirs.exact
    rows = round(share * theirs.n_rows)
    chance = (
        f"; {percent(twins, 1)} of the train rows have a twin in train, so that a fair split shares about as many"
        if severity == "info" and twins
        else "; the eval score is too good on them"
    )
    return [
        Finding(
            "data.leak",
            None,
            context.split,
            severity,
            f"{'' if exact else 'about '}{rows:,} of {theirs.n_rows:,} eval rows ({percent(share, 1)}) "
            f"{'is' if rows == 1 else 'are'} in train too{chance}",
            {
                "shared_rows": rows,
                "share": share,
                "train_twin_share": twins,
                "beyond_chance": beyond,
                "estimated": not exact,
            },
            "Take those rows out of eval, or hold rows out by hash (data.eval: 0.2), which keeps equal rows together.",
        )
    ]
