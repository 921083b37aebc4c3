"""The step of `aetfx.validation.examples` that touches files. Imports Beam: import it where a pipeline is built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import apache_beam as beam
import pyarrow as pa

from aetfx.data.examples import Encoder, ShardWriter, shard_name
from aetfx.data.sources import Source
from aetfx.errors import AetfxError
from aetfx.validation.examples import write_place
from aetfx.validation.exchange import Exchange
from aetfx.validation.reading import parts


class WriteShard(beam.DoFn):
    """(source number, shard number) -> nothing: writes the shard's rows as one file for each split.

    What was written is told in `work`, named by shard, so that a repeated attempt overwrites its own traces.
    """

    def __init__(
        self, sources: Sequence[tuple[str, Source]], work: Exchange, out: str, fraction: float | None, seed: int
    ):
        self._sources, self._work, self._out = list(sources), work, out
        self._fraction, self._seed = fraction, seed

    def setup(self) -> None:
        self._work.setup()

    def process(self, element: tuple[int, int]) -> None:
        number, place = element
        split, source = self._sources[number]
        try:
            told = self._write(split, source, place)
        except AetfxError as error:
            self._work.write(f"error-{number}-{place:08d}", str(error).encode("utf-8"))
            raise
        self._work.write(f"examples-{number}-{place:08d}", json.dumps(told).encode("utf-8"))

    def _write(self, split: str, source: Source, place: int) -> dict[str, object]:
        shards = source.shards()
        encoder, quarantined = Encoder(source), 0
        writers = {name: ShardWriter() for name in ([split] if self._fraction is None else ["train", "eval"])}
        for batch in source.read(shards[place]):
            quarantined += len(batch.quarantined)
            if not batch.n_rows:
                continue
            values, others = batch.values(), batch.others()
            for name, rows in parts(split, values, self._fraction, self._seed):
                chosen = others if others is None or rows is None else others.filter(pa.array(rows))
                for example in encoder.examples(values if rows is None else values[rows], chosen):
                    writers[name].add(example)
        told = []
        for name, writer in writers.items():
            content, file = writer.close(), shard_name(name, place, len(shards))
            write_place(self._out, file, content)
            digest = hashlib.blake2b(content, digest_size=8).hexdigest()
            told.append({"split": name, "name": file, "rows": writer.n_rows, "digest": digest})
        return {"split": split, "quarantined": quarantined, "shards": told}
