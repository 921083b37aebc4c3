"""Quantiles of the finite cells: exact while the values fit in a byte budget, a sketch beyond.

The sketch is the KLL sketch of Apache DataSketches (Karnin, Lang, Liberty 2016), one per column, fed with
whole batches. With K = 256 its rank error is below 1 % with 99 % confidence. Whether a result is exact depends
only on how much was seen in all, not on the order of merging.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells
from aetfx.validation.combiners.distribution import Distribution, ExactDistribution, SketchDistribution

EXACT_BYTES = 48 << 20  # values kept per split; sorting them takes about as long as sketching them
SKETCH_K = 256


class Quantiles(Accumulator[Distribution]):
    """Holds the batches themselves, then one sketch per column."""

    def __init__(self, n_columns: int, exact_bytes: int = EXACT_BYTES):
        super().__init__(n_columns)
        self.exact_bytes = exact_bytes
        self.n_bytes = 0
        self.parts: list[np.ndarray] = []
        self.sketches: list[Any] | None = None
        self.counts = np.zeros(n_columns, np.int64)  # finite values inside the sketches

    def add(self, cells: Cells) -> Quantiles:
        return self._add_values(cells.finite())

    def merge(self, other: Quantiles) -> Quantiles:
        for part in other.parts:
            self._add_values(part)
        if other.sketches is not None:
            self._to_sketches()
            for mine, theirs in zip(self.sketches or [], other.sketches, strict=True):
                mine.merge(theirs)
            self.n_bytes += other.n_bytes
            self.counts = self.counts + other.counts
        return self

    def result(self) -> Distribution:
        if self.sketches is not None:
            return SketchDistribution(self.sketches, self.counts)
        return ExactDistribution(np.concatenate(self.parts) if self.parts else np.empty((0, self.n_columns)))

    def _add_values(self, finite: np.ndarray) -> Quantiles:
        self.n_bytes += finite.nbytes
        if self.sketches is None and self.n_bytes <= self.exact_bytes:
            self.parts.append(finite)
        else:
            self._to_sketches()
            self._sketch(finite)
        return self

    def _to_sketches(self) -> None:
        if self.sketches is None:
            self.sketches = [_sketch() for _ in range(self.n_columns)]
            for part in self.parts:
                self._sketch(part)
            self.parts = []

    def _sketch(self, finite: np.ndarray) -> None:
        columns = finite.T.astype(np.float64, order="C")
        self.counts += columns.shape[1] - np.count_nonzero(np.isnan(columns), axis=1)
        for sketch, column in zip(self.sketches or [], columns, strict=True):
            sketch.update(column)  # skips NaN

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if self.sketches is not None:
            state["sketches"] = [sketch.serialize() for sketch in self.sketches]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.sketches is not None:
            self.sketches = [_sketch(content) for content in self.sketches]


def _sketch(content: bytes | None = None) -> Any:
    from datasketches import kll_doubles_sketch

    return kll_doubles_sketch(SKETCH_K) if content is None else kll_doubles_sketch.deserialize(content)
