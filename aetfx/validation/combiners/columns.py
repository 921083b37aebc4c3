"""All statistics of a set of columns together: one accumulator that yields `ColumnStatistics`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells
from aetfx.validation.combiners.counts import Counts
from aetfx.validation.combiners.edges import Edges
from aetfx.validation.combiners.moments import Moments
from aetfx.validation.combiners.quantiles import EXACT_BYTES, Quantiles
from aetfx.validation.combiners.repeats import find_spikes
from aetfx.validation.statistics import BUCKETS, QUANTILES, ColumnStatistics


class Columns(Accumulator[ColumnStatistics]):
    """Feeds each batch to every accumulator.

    Args:
      n_columns: D.
      names: D column names; by default "0", "1", ...
      exact_bytes: budget within which quantiles are exact.
    """

    def __init__(self, n_columns: int, names: Sequence[str] | None = None, exact_bytes: int = EXACT_BYTES):
        super().__init__(n_columns)
        self.names = tuple(names) if names is not None else tuple(map(str, range(n_columns)))
        self.counts, self.moments, self.edges = Counts(n_columns), Moments(n_columns), Edges(n_columns)
        self.quantiles = Quantiles(n_columns, exact_bytes)

    def add(self, cells: Cells) -> Columns:
        if cells.n_rows:
            for part in (self.counts, self.moments, self.edges, self.quantiles):
                part.add(cells)
        return self

    def merge(self, other: Columns) -> Columns:
        self.counts.merge(other.counts)
        self.moments.merge(other.moments)
        self.edges.merge(other.edges)
        self.quantiles.merge(other.quantiles)
        return self

    def result(self) -> ColumnStatistics:
        distribution, edges = self.quantiles.result(), self.edges.result()
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
        )
