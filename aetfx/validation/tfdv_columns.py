"""Columns that hold no numbers of a row, through TFDV's own generators, in the pipeline that reads them.

Imports TFDV (7-10 s): import this module only where there are such columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import tensorflow_data_validation as tfdv

from aetfx.validation.exchange import Exchange


def write_statistics(columns: Any, splits: Sequence[str], work: Exchange) -> None:
    """Adds a branch to the pipeline that writes TFDV's statistics of each split into `work` as "others-<split>".

    Most frequent and distinct values are counted by TFDV's sketches, whose memory does not grow with the rows: the
    values are exact up to 1,024 distinct ones in a column, their number up to 16,384.

    Args:
      columns: PCollection of (split, RecordBatch of columns of lists).
    """
    for split in splits:
        (
            columns
            | f"Only {split}" >> beam.Filter(lambda element, split=split: element[0] == split)
            | f"Columns of {split}" >> beam.Values()
            | f"TFDV {split}" >> tfdv.GenerateStatistics(tfdv.StatsOptions(use_sketch_based_topk_uniques=True))
            | f"Write columns of {split}" >> beam.ParDo(_Write(work, split))
        )


class _Write(beam.DoFn):
    """DatasetFeatureStatisticsList -> a file in `work`."""

    def __init__(self, work: Exchange, split: str):
        self._work, self._split = work, split

    def process(self, statistics: Any) -> None:
        self._work.write(f"others-{self._split}", statistics.SerializeToString(deterministic=True))
