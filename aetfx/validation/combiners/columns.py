"""All statistics of a set of columns together: one accumulator that yields `ColumnStatistics`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aetfx.data.split import falls_below
from aetfx.validation.combiners.base import Accumulator, Cells
from aetfx.validation.combiners.correlation import Correlation
from aetfx.validation.combiners.counts import Counts
from aetfx.validation.combiners.missing_runs import RunsOfMissing
from aetfx.validation.combiners.moments import Moments
from aetfx.validation.combiners.quantiles import EXACT_BYTES, Quantiles
from aetfx.validation.combiners.repeats import find_spikes
from aetfx.validation.combiners.row_hashes import RowHasher, hash_rows
from aetfx.validation.combiners.row_order import RowOrder
from aetfx.validation.combiners.row_sample import RowSample
from aetfx.validation.combiners.side_by_side import WORTH_BYTES, side_by_side
from aetfx.validation.combiners.spill import Spill
from aetfx.validation.statistics import BUCKETS, PERCENTILES, QUANTILES, ColumnStatistics

PAIR_ROWS = 20_000  # a correlation of 0.999 is then known to 0.00002; all rows would double the whole cost


class Columns(Accumulator[ColumnStatistics]):
    """Feeds each batch to every accumulator.

    Args:
      n_columns: D.
      names: D column names; by default "0", "1", ...
      exact_bytes, spill: as for `Quantiles`.
      deep: also look at rows and pairs of columns; off where statistics are taken many times of rows in memory.
      n_rows: rows that will come, where that is known: of many, `PAIR_ROWS` are enough for pairs of columns.
    """

    def __init__(
        self,
        n_columns: int,
        names: Sequence[str] | None = None,
        exact_bytes: int = EXACT_BYTES,
        spill: Spill | None = None,
        deep: bool = False,
        n_rows: int | None = None,
    ):
        super().__init__(n_columns)
        self.names = tuple(names) if names is not None else tuple(map(str, range(n_columns)))
        self.counts, self.moments = Counts(n_columns), Moments(n_columns)
        self.quantiles = Quantiles(n_columns, exact_bytes, spill)
        self.pairs = Correlation(n_columns) if deep else None
        self.rows = RowHasher(n_columns) if deep else None
        self.order = RowOrder(n_columns) if deep else None
        self.sample = RowSample(n_columns) if deep else None
        self.holes = RunsOfMissing(n_columns) if deep else None
        self.sampled = min(1.0, PAIR_ROWS / n_rows) if n_rows else 1.0

    @property
    def _parts(self) -> list[Accumulator[Any]]:
        parts = (self.counts, self.moments, self.quantiles, self.pairs, self.rows, self.order, self.holes, self.sample)
        return [part for part in parts if part is not None]

    def add(self, cells: Cells) -> Columns:
        if not cells.n_rows:
            return self
        each = (self.quantiles, self.moments, self.counts, self.order, self.holes)
        parts = [part for part in each if part is not None]
        calls: list[Callable[[], Any]] = [functools.partial(part.add, cells) for part in parts]
        if self.rows is not None and self.pairs is not None:
            calls.insert(1, functools.partial(self._add_rows, cells, self.rows, self.pairs))
        if cells.values.nbytes < WORTH_BYTES:
            for call in calls:
                call()
        else:
            side_by_side(calls)
        return self

    def _add_rows(self, cells: Cells, rows: RowHasher, pairs: Correlation) -> None:
        hashes, columns = hash_rows(cells.values)
        rows.add_hashes(hashes, columns)
        if self.sample is not None:
            self.sample.add_rows(cells.values, hashes)
        # By hash, so that the sample is the same however the rows are dealt out.
        chosen = falls_below(hashes, self.sampled)
        if self.sampled == 1.0:
            pairs.add(cells)
        elif chosen.any():
            pairs.add(Cells(cells.values[chosen]))

    def merge(self, other: Columns) -> Columns:
        for mine, theirs in zip(self._parts, other._parts, strict=True):
            mine.merge(theirs)
        return self

    def result(self) -> ColumnStatistics:
        distribution, edges = self.quantiles.result()
        mean, sd = self.moments.result()
        some = self.moments.count > 0
        minimum, maximum = np.where(some, edges.low[0], np.nan), np.where(some, edges.high[0], np.nan)
        n_distinct = distribution.n_distinct()
        quantiles = distribution.quantiles(QUANTILES)
        quantiles[0], quantiles[-1] = minimum, maximum  # exact, where a sketch only estimates
        return ColumnStatistics(
            names=self.names,
            n_rows=self.counts.n_rows,
            **self.counts.result(),
            mean=mean,
            sd=np.where(maximum == minimum, 0.0, sd),  # the mean of equal values is rounded
            minimum=minimum,
            maximum=maximum,
            quantiles=quantiles,
            spikes=find_spikes(distribution, edges, n_distinct),
            n_distinct=n_distinct,
            edges=edges,
            histogram=distribution.histogram(np.linspace(minimum, maximum, BUCKETS + 1)),
            deciles=distribution.quantiles(np.linspace(0, 1, BUCKETS + 1).tolist()),
            exact=distribution.exact,
            percentiles=distribution.quantiles(np.linspace(0, 1, PERCENTILES + 1).tolist()) if self.rows else None,
            correlation=self.pairs.result() if self.pairs else None,
            row_hashes=self.rows.result() if self.rows else None,
            row_order=self.order.result() if self.order else None,
            row_sample=self.sample.result() if self.sample else None,
            missing_runs=self.holes.result() if self.holes else None,
        )
