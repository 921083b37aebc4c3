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
            suspect = not np.isfinite(self.values.sum(dtype=np.float64))
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
