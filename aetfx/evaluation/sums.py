"""Per-row sums from which a score, and any re-weighted score of a bootstrap, follows by one matrix product.

Terms: a *column* is one element of a flattened row; a *group* is a set of columns that are scored together, in
one unit: all columns of a pooled tensor, one channel, or one column of a table. The score is the mean over groups
of (summed mean error / summed mean denominator), each capped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aetfx.evaluation import columns

CAP = 4.0
_BLOCK_CELLS = 1 << 22  # 32 MB of float64 at a time

# truth and guess of some columns, and which columns they are, to the error and denominator of each cell
Cells = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class RowSums:
    """What each of n rows adds to a score, in C parts.

    Attributes:
      error: float64 (n, C), error of the reconstruction, 0 in masked cells.
      denominator: float64 (n, C), error of the train-mean prediction, 0 in masked cells.
      count: float64 (n, C), number of scored cells (0 or 1), or None where every cell is scored.
      group: int (C,), the group that each part belongs to.
      n_groups: number of groups.
      weights: float64 (n_groups,), share of each group in the score; None where all count the same.
    """

    error: np.ndarray
    denominator: np.ndarray
    count: np.ndarray | None
    group: np.ndarray
    n_groups: int
    weights: np.ndarray | None = None

    def ratios(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Returns error over denominator per group for each row weighting, not capped.

        Args:
          weights: float64 (B, n), or None for one plain sum.

        Returns:
          float64 (B, n_groups); NaN where a group has nothing to be scored against.
        """
        if weights is None:
            weights = np.ones((1, len(self.error)))
        error, denominator = weights @ self.error, weights @ self.denominator
        if self.count is not None:
            count = weights @ self.count
            with np.errstate(divide="ignore", invalid="ignore"):
                error = np.where(count > 0, error / count, 0.0)
                denominator = np.where(count > 0, denominator / count, 0.0)
        error, denominator = (by_group(parts, self.group, self.n_groups) for parts in (error, denominator))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(denominator > 0, error / denominator, np.nan)

    def scores(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Returns the capped score for each row weighting, float64 (B,); NaN where no group can be scored."""
        return mean_over_groups(np.minimum(self.ratios(weights), CAP), self.weights)


def by_group(parts: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Adds up the parts of each group, float64 (n, C) to (n, n_groups)."""
    if parts.shape[1] == n_groups:  # one part per group, in order
        return parts
    if n_groups == 1:
        return parts.sum(axis=1, keepdims=True)
    summed = np.zeros((len(parts), n_groups))
    for g in range(n_groups):
        summed[:, g] = parts[:, group == g].sum(axis=1)
    return summed


def mean_over_groups(ratios: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Returns the (weighted) mean of (B, n_groups) ratios over the groups that are known, (B,); NaN where none is."""
    known = ~np.isnan(ratios)
    share = known.astype(np.float64) if weights is None else np.where(known, weights, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            known.any(axis=1), (np.where(known, ratios, 0.0) * share).sum(axis=1) / share.sum(axis=1), np.nan
        )


@dataclass(frozen=True)
class Totals:
    """What `add_up` found.

    Attributes:
      sums: per row.
      per_column: float64 (D,), error over denominator, not capped; NaN where excluded or nothing to score against.
      diverged: some guess of a scored cell is NaN or infinite. `sums` then score `CAP` in every draw.
      recall: fraction of ones guessed above 0.5; None unless asked for, or without ones.
    """

    sums: RowSums
    per_column: np.ndarray
    diverged: bool
    recall: float | None


def add_up(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    *,
    cells: Cells,
    included: np.ndarray,
    group: np.ndarray,
    sentinels: dict[int, tuple[float, ...]],
    negligible: np.ndarray,
    bits: bool,
    padding: float | None = None,
    weights: np.ndarray | None = None,
) -> Totals:
    """Adds up errors over rows and over columns, a block of rows at a time.

    Args:
      y_true, y_pred: (n, *shape), raw units.
      cells: error and denominator of each cell.
      included: bool (D,).
      group: int (D,), numbered from 0 without gaps; -1 where excluded.
      sentinels: values per column that stand for "missing".
      negligible: float64 (D,), a mean denominator up to this is nothing to be scored against.
      bits: whether to count the recall of ones.
      padding: value of padded steps. They add to neither sum and still count as cells, so that all steps that are
        there weigh the same: error and denominator are pooled over time.
      weights: float64 (n_groups,), share of each group in the score, or None.
    """
    shape = tuple(y_true.shape[1:])
    n, inner = len(y_true), group[included]
    n_groups = int(inner.max()) + 1
    step = max(1, _BLOCK_CELLS // len(included))
    blocks = [slice(start, start + step) for start in range(0, n, step)]
    full = all(columns.scored_cells(columns.flatten(y_true[rows]), sentinels)[:, included].all() for rows in blocks)
    # Without masked cells the parts of a group can be added up at once: (n, D) shrinks to (n, n_groups).
    collapse = full and n_groups < len(inner)
    member = (inner[:, None] == np.arange(n_groups)).astype(np.float64)
    parts = n_groups if collapse else len(inner)
    row_error, row_denominator = np.empty((n, parts)), np.empty((n, parts))
    row_count = None if full else np.empty((n, parts))
    error_sum, denominator_sum, count = np.zeros(len(inner)), np.zeros(len(inner)), np.zeros(len(inner))
    diverged, ones, found = False, 0, 0
    for rows in blocks:
        whole = columns.flatten(y_true[rows])
        truth, guess = whole[:, included], columns.flatten(y_pred[rows])[:, included]
        with np.errstate(over="ignore", invalid="ignore"):
            error, denominator = cells(truth, guess, included)
        bad = ~np.isfinite(error) | ~np.isfinite(guess)
        one = truth == 1
        present = columns.there(whole, padding, shape)
        if present is not None:
            present = present[:, included]
            error, denominator = np.where(present, error, 0.0), np.where(present, denominator, 0.0)
            bad, one = bad & present, one & present
        if row_count is None:
            count += len(truth)
        else:
            mask = columns.scored_cells(whole, sentinels)[:, included]
            error, denominator = np.where(mask, error, 0.0), np.where(mask, denominator, 0.0)
            bad, one = bad & mask, one & mask
            row_count[rows] = mask
            count += mask.sum(axis=0)
        if bits:
            ones += int(one.sum())
            with np.errstate(invalid="ignore"):
                found += int((one & (guess > 0.5)).sum())
        error_sum += np.where(bad, np.inf, error).sum(axis=0)
        denominator_sum += denominator.sum(axis=0)
        diverged |= bool(bad.any())
        error = np.where(bad, 0.0, error)
        row_error[rows] = error @ member if collapse else error
        row_denominator[rows] = denominator @ member if collapse else denominator
    usable = denominator_sum > negligible[included] * count
    if not collapse:  # a column with nothing to be scored against must not count in any draw either
        row_error[:, ~usable] = 0.0
        row_denominator[:, ~usable] = 0.0
    if diverged:
        row_error = CAP * row_denominator
    per_column = np.full(len(included), np.nan)
    per_column[included] = np.divide(error_sum, denominator_sum, out=np.full(len(inner), np.nan), where=usable)
    return Totals(
        sums=RowSums(row_error, row_denominator, row_count, np.arange(parts) if collapse else inner, n_groups, weights),
        per_column=per_column,
        diverged=diverged,
        recall=found / ones if ones else None,
    )
