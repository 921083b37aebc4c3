"""The steps of the pipeline that touch files. Imports Beam: import this module only where a pipeline is built."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Iterator, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa

from aetfx.data.padding import without_padding
from aetfx.data.sources import Quarantined, Source
from aetfx.data.split import falls_below, row_hash
from aetfx.errors import AetfxError
from aetfx.validation.exchange import Exchange
from aetfx.validation.statistics import ColumnStatistics

NUMBERS, OTHERS = "numbers", "others"  # the outputs of ReadShard


class ReadShard(beam.DoFn):
    """(source number, shard number) -> (split, array of shape (rows, D)) for each batch.

    Where a source hands on further columns, the output `OTHERS` holds (split, RecordBatch of them) for the same rows.

    Quarantined rows and a data error's message are written into `work`, named by shard, so that a repeated
    attempt overwrites its own traces.
    """

    def __init__(self, sources: Sequence[tuple[str, Source]], work: Exchange, fraction: float | None, seed: int):
        self._sources, self._work, self._fraction, self._seed = list(sources), work, fraction, seed

    def setup(self) -> None:
        self._work.setup()

    def process(self, element: tuple[int, int]) -> Iterator[tuple[str, np.ndarray] | beam.pvalue.TaggedOutput]:
        number, place = element
        split, source = self._sources[number]
        bad: list[Quarantined] = []
        n_rows = 0
        try:
            for batch in source.read(source.shards()[place]):
                bad += batch.quarantined
                n_rows += batch.n_rows
                if batch.n_rows:
                    yield from self._split(split, source, batch.values(), batch.others())
        except AetfxError as error:
            self._work.write(f"error-{number}-{place:08d}", str(error).encode("utf-8"))
            raise
        if bad:
            lines = [json.dumps(dataclasses.asdict(row)) + "\n" for row in bad]
            self._work.write(f"quarantine-{split}-{place:08d}", "".join(lines).encode("utf-8"))
        self._work.write(f"read-{number}-{place:08d}", str(n_rows + len(bad)).encode())

    def _split(
        self, split: str, source: Source, values: np.ndarray, others: pa.RecordBatch | None
    ) -> Iterator[tuple[str, np.ndarray] | beam.pvalue.TaggedOutput]:
        for name, rows in parts(split, values, self._fraction, self._seed):
            # Only now, because rows are split by a hash of all their numbers.
            yield name, without_padding(values if rows is None else values[rows], source.padding, source.shape)
            if others is not None:
                chosen = others if rows is None else others.filter(pa.array(rows))
                yield beam.pvalue.TaggedOutput(OTHERS, (name, chosen))


def parts(split: str, values: np.ndarray, fraction: float | None, seed: int) -> list[tuple[str, np.ndarray | None]]:
    """The splits that rows belong to, each with which rows those are: bool (n,), or None for all.

    Args:
      split: where they belong unless they are split by hash.
      values: shape (n, D).
      fraction: share of rows that is held out by hash; None for none.
      seed: of that split.
    """
    if fraction is None:
        return [(split, None)]
    held = falls_below(row_hash(values, seed), fraction)
    return [(name, rows) for name, rows in (("train", ~held), ("eval", held)) if rows.any()]


class WriteResult(beam.DoFn):
    """(split, statistics) -> a file in `work`."""

    def __init__(self, work: Exchange):
        self._work = work

    def process(self, element: tuple[str, ColumnStatistics]) -> None:
        split, statistics = element
        self._work.write(f"statistics-{split}", pickle.dumps(statistics))
