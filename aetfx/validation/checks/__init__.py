"""The checks, each a pure function of statistics. Adding a check is adding a file and a line to `CHECKS`.

A check that compares train with eval is given the statistics of both and has its line in `PAIR_CHECKS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from aetfx.validation.checks import (
    collinear,
    constant_features,
    duplicates,
    integer_codes,
    leak,
    missing,
    missing_in_eval,
    missing_patterns,
    missing_ties,
    outliers,
    outlying_rows,
    row_order,
    scaling,
    shift,
    skew,
    too_few_rows,
    zeros,
)
from aetfx.validation.checks.base import Context
from aetfx.validation.findings import Finding, by_severity
from aetfx.validation.statistics import ColumnStatistics

Check = Callable[[ColumnStatistics, Context], list[Finding]]
PairCheck = Callable[[ColumnStatistics, ColumnStatistics, Context], list[Finding]]  # train, eval

CHECKS: dict[str, Check] = {
    "data.scaling": scaling.check,
    "data.scaling.skew": skew.check,
    "data.scaling.codes": integer_codes.check,
    "data.missing": missing.check,
    "data.missing.patterns": missing_patterns.check,
    "data.missing.tied": missing_ties.check,
    "data.missing.zero": zeros.check,
    "data.outliers": outliers.check,
    "data.outliers.rows": outlying_rows.check,
    "data.constant_features": constant_features.check,
    "data.duplicates": duplicates.check,
    "data.collinear": collinear.check,
    "data.row_order": row_order.check,
    "data.too_few_rows": too_few_rows.check,
}

PAIR_CHECKS: dict[str, PairCheck] = {
    "data.leak": leak.check,
    "data.missing.eval_only": missing_in_eval.check,
    "data.train_eval_shift": shift.check,
}

__all__ = ["CHECKS", "PAIR_CHECKS", "Check", "Context", "PairCheck", "run_checks"]


def run_checks(statistics_by_split: dict[str, ColumnStatistics], context: Context | None = None) -> list[Finding]:
    """Runs every check on every split, and those of two splits on train and eval; errors first.

    What is already said of the train split is not said again of another: of those, only findings with a new code
    are kept.

    Args:
      statistics_by_split: "train" first, then "eval" where there is one.
      context: what is known of data and model; its `split` is set here.
    """
    context = context or Context()
    found: list[Finding] = []
    said: set[str] = set()
    for split, statistics in statistics_by_split.items():
        here = dataclasses.replace(context, split=split)
        with np.errstate(all="ignore"):  # figures of columns without a finite number are NaN, and compare as such
            fresh = [finding for check in CHECKS.values() for finding in check(statistics, here)]
        found += [finding for finding in fresh if finding.code not in said]
        said |= {finding.code for finding in fresh}
    train, evaluation = statistics_by_split.get("train"), statistics_by_split.get("eval")
    if train is not None and evaluation is not None:
        here = dataclasses.replace(context, split="eval")
        with np.errstate(all="ignore"):
            found += [finding for check in PAIR_CHECKS.values() for finding in check(train, evaluation, here)]
    return by_severity(found)
