"""`data.outliers.rows`: rows whose cells are ordinary one by one but do not go together.

Swapped cells, columns that slipped by a row, a row put together from two others: every cell lies where its column lies,
and what the columns have in common is broken. `row_model` learns from a sample of the rows how columns go together, and
how far each row is from that. As in `outliers`, a heavy tail of distances is a tail: the fence follows it.

The reach was chosen on 18 kinds of clean samples and on the sets of `benchmarks.findings`. On 13 kinds that had no part
in that (copulas, compositions, counts, rings, mixtures, missing cells; 80 to 3,000 rows, 4 to 300 columns) 6 of 936
samples raise a finding, all of them compositions (rows that add up to 1). What breaks loosely related columns is not
found: such rows are no farther out than others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aetfx.validation.checks.base import Context, listed, only
from aetfx.validation.checks.missing import find_sentinels, missing_mask
from aetfx.validation.checks.outliers import fences, tail_reach
from aetfx.validation.findings import Finding
from aetfx.validation.row_model import RowModel, fit
from aetfx.validation.statistics import ColumnStatistics
from aetfx.validation.thresholds import Thresholds
from aetfx.words import percent

_NAMED = 3  # columns of a row that fit it worst


@dataclass(frozen=True)
class RowScorer:
    """Tells how far rows are beyond the fence. Picklable.

    Attributes:
      model: how columns go together.
      low, high: cells beyond are not judged here: `data.outliers` names them; shape (D,) each.
      sentinels: column index to values that mean missing; not judged either.
      middle, fence: distances of the middle row, and of a row on the fence.
    """

    model: RowModel
    low: np.ndarray
    high: np.ndarray
    sentinels: Mapping[int, tuple[float, ...]]
    middle: float
    fence: float

    def distances(self, values: np.ndarray) -> np.ndarray:
        """Distance from the middle in units of the fence's, shape (n,): beyond 1 a row is outlying."""
        found = self.model.distances(_judged(values, self.low, self.high, self.sentinels))
        return (found - self.middle) / (self.fence - self.middle)

    def oddness(self, values: np.ndarray) -> np.ndarray:
        """Per cell, how far it is from what the others of its row say, in standard deviations; shape (n, D)."""
        return self.model.oddness(_judged(values, self.low, self.high, self.sentinels))


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all outlying rows; nothing without a sample of rows."""
    scorer, far = _learned(statistics, context.thresholds)
    if scorer is None or statistics.row_sample is None:
        return []
    sample = statistics.row_sample
    chosen = np.argsort(-far, kind="stable")[: np.count_nonzero(far > 1)]
    odd = scorer.oddness(sample[chosen])
    first = np.argsort(-odd, axis=1, kind="stable")[:, :_NAMED]
    often = np.bincount(first.ravel(), minlength=statistics.row_sample.shape[1])
    columns = np.argsort(-often, kind="stable")[: min(np.count_nonzero(often), context.thresholds.most_columns_shown)]
    names = [statistics.names[j] for j in columns]
    n, n_sample = len(chosen), len(sample)
    of = f"{n_sample:,} rows looked at" if n_sample < statistics.n_rows else f"{n_sample:,} rows"
    return [
        Finding(
            "data.outliers.rows",
            only(names),
            context.split,
            "warning",
            f"{n:,} of {of} ({percent(n / n_sample, 1)}) {'is' if n == 1 else 'are'} made of ordinary cells that do "
            f"not go together, most of all in {listed(names)}; cells swapped or shifted between rows look like this",
            {
                "far_rows": n,
                "far_share": n / n_sample,
                "rows_looked_at": n_sample,
                "farthest": float(far.max()),
                "worst": [{"column": statistics.names[j], "named_by_rows": int(often[j])} for j in columns],
            },
            "Look at those rows; mend them or leave them out. A few of them are borne with training.loss: huber.",
        )
    ]


def find_scorer(statistics: ColumnStatistics, thresholds: Thresholds | None = None) -> RowScorer | None:
    """Returns what the check measures by; None where it finds nothing."""
    with np.errstate(all="ignore"):
        return _learned(statistics, thresholds or Thresholds())[0]


def _learned(statistics: ColumnStatistics, thresholds: Thresholds) -> tuple[RowScorer | None, np.ndarray]:
    """The scorer, and the distances of the sample's rows in units of the fence's."""
    nothing = None, np.zeros(0)
    if statistics.row_sample is None:
        return nothing
    low, high = fences(statistics, thresholds)
    sentinels = find_sentinels(statistics, thresholds)
    learned = fit(_judged(statistics.row_sample, low, high, sentinels))
    if learned is None:
        return nothing
    model, found = learned
    for reach, least in ((thresholds.row_reach, thresholds.least_far_rows), (thresholds.lone_row_reach, 1)):
        middle, fence = _fence(found, reach)
        if np.count_nonzero(found > fence) >= least:
            return RowScorer(model, low, high, sentinels, middle, fence), (found - middle) / (fence - middle)
    return nothing


def _fence(found: np.ndarray, reach: float) -> tuple[float, float]:
    """The median, and the distance that the tail of all others reaches (see `outliers`)."""
    middle, at75, at90, at95 = np.quantile(found, (0.5, 0.75, 0.9, 0.95))
    return middle, middle + float(tail_reach(at75 - middle, at90 - middle, at95 - middle, reach))


def _judged(
    values: np.ndarray, low: np.ndarray, high: np.ndarray, sentinels: Mapping[int, tuple[float, ...]]
) -> np.ndarray:
    """The values with NaN for cells that other checks name: missing, infinite, sentinels, beyond their fences."""
    with np.errstate(invalid="ignore"):
        inside = (values >= low) & (values <= high) & np.isfinite(values)
    return np.where(inside & ~missing_mask(values, sentinels), values, np.nan)
