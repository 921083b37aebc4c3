"""The steps of the pipeline that touch files. Imports Beam: import this module only where a pipeline is built."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np

from aetfx.data.sources import Quarantined, Source
from aetfx.data.split import falls_below, row_hash
from aetfx.errors import AetfxError
from aetfx.validation.statistics import ColumnStatistics


class ReadShard(beam.DoFn):
    """(source number, shard number) -> (split, array of shape (rows, D)) for each batch.

    Quarantined rows and a data error's message are written into `work`, named by shard, so that a repeated
    attempt overwrites its own traces.
    """

    def __init__(self, sources: Sequence[tuple[str, Source]], work: str, fraction: float | None, seed: int):
        self._sources, self._work, self._fraction, self._seed = list(sources), Path(work), fraction, seed

    def process(self, element: tuple[int, int]) -> Iterator[tuple[str, np.ndarray]]:
        number, place = element
        split, source = self._sources[number]
        bad: list[Quarantined] = []
        try:
            for batch in source.read(source.shards()[place]):
                bad += batch.quarantined
                if batch.n_rows:
                    yield from self._split(split, batch.values())
        except AetfxError as error:
            (self._work / f"error-{number}-{place:08d}").write_text(str(error), encoding="utf-8")
            raise
        if bad:
            lines = [json.dumps(dataclasses.asdict(row)) + "\n" for row in bad]
            (self._work / f"quarantine-{split}-{place:08d}").write_text("".join(lines), encoding="utf-8")

    def _split(self, split: str, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        if self._fraction is None:
            yield split, values
            return
        held = falls_below(row_hash(values, self._seed), self._fraction)
        for name, rows in (("train", ~held), ("eval", held)):
            if rows.any():
                yield name, values[rows]


class WriteResult(beam.DoFn):
    """(split, statistics) -> a file in `work`."""

    def __init__(self, work: str):
        self._work = Path(work)

    def process(self, element: tuple[str, ColumnStatistics]) -> None:
        split, statistics = element
        (self._work / f"statistics-{split}").write_bytes(pickle.dumps(statistics))
