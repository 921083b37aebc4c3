"""The algebra that every accumulator obeys, and the view of a batch that they share.

For accumulators a, b, c over the same D columns and an empty one e:

* `a.merge(e)` and `e.merge(a)` equal a;
* merging is associative and commutative, up to rounding (and, for sketches, up to their stated error);
* adding batches one after another equals merging accumulators of one batch each.

`add` and `merge` change the receiver in place and return it; the argument of `merge` is left as it was and
must not be used further (its arrays may be shared).
"""

from __future__ import annotations

import abc
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike

Result = TypeVar("Result")


class Cells:
    """A batch of rows, with what several accumulators need worked out once.

    Attributes:
      values: shape (n, D), float32 or float64.
      missing: bool (n, D), or None where no cell is NaN.
      infinite: bool (n, D), or None where no cell is infinite.
    """

    def __init__(self, values: np.ndarray):
        values = np.asarray(values)
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(np.float64)
        self.values = values.reshape(len(values), -1)
        self.missing: np.ndarray | None = None
        self.infinite: np.ndarray | None = None
        # A sum is finite only if all its terms are; that one pass settles the usual case. (It may overflow:
        # then the masks below are computed for nothing, and come out empty.)
        with np.errstate(over="ignore", invalid="ignore"):
            suspect = not np.isfinite(self.values.sum())
        if suspect:
            missing, infinite = np.isnan(self.values), np.isinf(self.values)
            self.missing = missing if missing.any() else None
            self.infinite = infinite if infinite.any() else None

    @property
    def all_finite(self) -> bool:
        return self.missing is None and self.infinite is None

    @property
    def n_rows(self) -> int:
        return len(self.values)

    @property
    def n_columns(self) -> int:
        return self.values.shape[1]

    def finite(self) -> np.ndarray:
        """The values with infinite cells as NaN, so that only finite numbers count."""
        return self.values if self.infinite is None else np.where(self.infinite, np.nan, self.values)


_FOLDED = 1024  # cells: NumPy adds rows of this length three times as fast as rows of twenty


def column_sums(values: np.ndarray, dtype: DTypeLike = np.float64) -> np.ndarray:
    """Sums over rows, shape (n, D) to (D,): `values.sum(axis=0)`, but as fast for narrow rows as for wide ones."""
    whole, fold = _fold(values)
    if not whole:
        return np.asarray(values.sum(axis=0, dtype=dtype))
    n_columns = values.shape[1]
    folded = values[:whole].reshape(-1, fold * n_columns).sum(axis=0, dtype=dtype)
    return np.asarray(folded.reshape(fold, n_columns).sum(axis=0) + values[whole:].sum(axis=0, dtype=dtype))


def column_counts(mask: np.ndarray) -> np.ndarray:
    """Number of true cells per column of a batch, bool (n, D) to int64 (D,)."""
    return column_sums(mask.view(np.uint8), np.uint32).astype(np.int64)


def subtract_row(values: np.ndarray, row: np.ndarray) -> None:
    """`values -= row` for shapes (n, D) and (D,)."""
    whole, fold = _fold(values)
    if whole:
        values[:whole].reshape(-1, fold * values.shape[1])[...] -= np.tile(row, fold)
    values[whole:] -= row


def _fold(values: np.ndarray) -> tuple[int, int]:
    """How many leading rows can be seen as rows that are `fold` times as long; 0 where that is not worth while."""
    n, n_columns = values.shape
    fold = _FOLDED // max(1, n_columns)
    worth = fold >= 2 and n >= 4 * fold and values.flags.c_contiguous
    return (n // fold * fold, fold) if worth else (0, 1)


class Accumulator(abc.ABC, Generic[Result]):
    """What has been seen so far of D columns. `type(self)(n_columns)` is the empty accumulator."""

    def __init__(self, n_columns: int):
        self.n_columns = n_columns

    @abc.abstractmethod
    def add(self, cells: Cells) -> Any:
        """Takes in a batch."""

    @abc.abstractmethod
    def merge(self, other: Any) -> Any:
        """Takes in all that another accumulator over the same columns has seen."""

    @abc.abstractmethod
    def result(self) -> Result:
        """What this quantity is; may be asked at any time."""
