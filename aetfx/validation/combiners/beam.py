"""Any accumulator as a Beam `CombineFn`. Imports Beam: import this module only where a pipeline is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam

from aetfx.validation.combiners.base import Accumulator, Cells


class AccumulatorFn(beam.CombineFn):
    """Combines batches (arrays of shape (rows, D)) with an accumulator.

    Args:
      empty: returns an empty accumulator; must be picklable, e.g. `functools.partial(Columns, 30)`.
      merged_only: the output is the merged accumulator instead of its result.
    """

    def __init__(self, empty: Callable[[], Accumulator[Any]], merged_only: bool = False):
        self._empty = empty
        self._merged_only = merged_only

    def create_accumulator(self) -> Accumulator[Any]:
        return self._empty()

    def add_input(self, accumulator: Accumulator[Any], element: Any) -> Accumulator[Any]:
        return accumulator.add(Cells(element))

    def merge_accumulators(self, accumulators: Iterable[Accumulator[Any]]) -> Accumulator[Any]:
        merged = self._empty()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: Accumulator[Any]) -> Any:
        return accumulator if self._merged_only else accumulator.result()
