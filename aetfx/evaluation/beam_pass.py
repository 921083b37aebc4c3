"""The one pass over the rows, on Beam: shards in, one tally out. Imports Beam: import only where a pass is run.

Numbers of shards travel, rows do not: each worker reads its shards and has all predictors answer them. Models travel
as paths, and each process loads them once. Where workers are on other machines, models are first copied to where the
workers can read (Beam's `--temp_location`). What all workers must know is written there once, too: it grows with the
width of the rows, and job services take no large pipelines (Dataflow: 10 MB).
"""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from aetfx.data.files import is_remote
from aetfx.data.parts import Parts
from aetfx.data.sources import Source
from aetfx.data.sources.base import Batch, Place
from aetfx.data.split import row_hash
from aetfx.errors import AetfxError
from aetfx.evaluation.predictors import Predictor, load
from aetfx.evaluation.score import LEAST_INSIDE
from aetfx.evaluation.tally import Plan, Tally
from aetfx.validation.exchange import Exchange
from aetfx.validation.pipeline import working
from aetfx.validation.watch import Report, watching

PURPOSE = b"bootstrap"  # of the row hash: as in `aetfx.evaluation.interval`, so that both weight a row alike
_INSIDE, _OUTSIDE = "inside", "outside"
_BATCH_CELLS = 1 << 21  # 16 MB of float64
_LEAST_ROWS, _MOST_ROWS = 64, 8192


@dataclass(frozen=True)
class Passed:
    """What a pass found.

    Attributes:
      tally: the sums over the rows that the score rests on.
      n_quarantined: rows that could not be read.
      n_outside: rows outside the fences of the score, which are in no sum; 0 where most rows are, and all were added.
    """

    tally: Tally
    n_quarantined: int
    n_outside: int = 0


def run_pass(
    source: Source,
    plan: Plan,
    predictors: Sequence[str | Predictor],
    *,
    parts: Parts | None = None,
    beam_flags: Sequence[str] = (),
    report: Report | None = None,
) -> Passed:
    """Reads all rows once and has every predictor answer them.

    Args:
      source: of the rows.
      plan: what is added up.
      predictors: M paths of models, or predictors that can be pickled.
      parts: what rows are made of, where models have several inputs.
      beam_flags: Beam's own options.
      report: told what was read, as it goes.

    Raises:
      AetfxError: a Beam flag is unknown.
      DataError: the files are damaged, or a model fails on the rows.
    """
    texts = plan.slicer.text_columns
    source = source.with_others(texts) if texts else source
    with working(beam_flags) as (hands, work):
        staged = tuple(_stage(work, i, item) for i, item in enumerate(predictors))
        work.write(_Request.NAME, pickle.dumps(_Request(source, plan, staged, parts)))
        with watching(work, len(source.shards()), report):
            pipeline = beam.Pipeline(runner=hands.runner, options=hands.options)
            (
                pipeline
                | "Shards" >> beam.Create(range(len(source.shards())), reshuffle=True)
                | "Evaluate" >> beam.ParDo(_EvaluateShard(work))
                | "Merge" >> beam.CombinePerKey(_Merge())
                | "Write" >> beam.ParDo(_Write(work))
            )
            pipeline.run().wait_until_finish()
        # Pickled by our own workers, a moment ago.
        found = {name: pickle.loads(work.read(name) or b"") for name in work.names("tally-")}
        bad = sum(json.loads(work.read(name) or b"0") for name in work.names("quarantined-"))
    inside, outside = (found.get(f"tally-{side}") or Tally(plan) for side in (_INSIDE, _OUTSIDE))
    if inside.n_rows[0] < LEAST_INSIDE * (inside.n_rows[0] + outside.n_rows[0]):
        return Passed(inside.merge(outside), bad)
    return Passed(inside, bad, int(outside.n_rows[0]))


def _stage(work: Exchange, number: int, item: str | Predictor) -> str | Predictor:
    """Copies a model of this machine to where workers on others can read it."""
    if not isinstance(item, str) or is_remote(item) or work.local is not None:
        return item
    name = f"model-{number}.keras"
    with open(item, "rb") as file:
        work.write(name, file.read())
    return f"{work.root.rstrip('/')}/{name}"


@dataclass(frozen=True)
class _Request:
    """Arguments of `run_pass`."""

    NAME: ClassVar[str] = "request"

    source: Source
    plan: Plan
    predictors: tuple[str | Predictor, ...]
    parts: Parts | None


class _EvaluateShard(beam.DoFn):
    """Shard number -> tallies of each bundle of them, of the rows inside the fences and of those outside.

    A data error's message, and how many rows are quarantined, are written into `work`, named by shard, so that a
    repeated attempt overwrites its own traces.
    """

    def __init__(self, work: Exchange):
        self._work = work

    def setup(self) -> None:
        self._work.setup()
        self._asked: _Request = pickle.loads(self._work.read(_Request.NAME) or b"")  # pickled by `run_pass`

    def start_bundle(self) -> None:
        self._tallies: dict[str, Tally] = {}

    def process(self, place: int) -> None:
        n_rows = n_bad = 0
        source, parts = self._asked.source, self._asked.parts
        try:
            predictors = [
                load(item, source.shape, parts) if isinstance(item, str) else item for item in self._asked.predictors
            ]
            for chunk in _chunks(source, source.shards()[place]):
                n_bad += chunk.n_quarantined
                n_rows += len(chunk.rows)
                self._add(chunk, predictors)
        except AetfxError as error:
            self._work.write(f"error-{place:08d}", str(error).encode("utf-8"))
            raise
        self._work.write(f"quarantined-{place:08d}", str(n_bad).encode())
        self._work.write(f"read-{place:08d}", str(n_rows + n_bad).encode())

    def _add(self, chunk: _Chunk, predictors: Sequence[Predictor]) -> None:
        plan = self._asked.plan
        rows = chunk.rows.reshape(-1, *self._asked.source.shape)
        keys = row_hash(chunk.rows, plan.seed, purpose=PURPOSE)
        texts = chunk.texts(plan.slicer.text_columns)
        inside = plan.scorer.inlier_rows(rows)
        whole = bool(inside.all())
        for side, mine in ((_INSIDE, inside), (_OUTSIDE, ~inside)):
            if not mine.any():
                continue
            here = slice(None) if whole else np.flatnonzero(mine)
            chosen = rows[here]
            if side not in self._tallies:
                self._tallies[side] = Tally(plan)
            self._tallies[side].add(
                chosen,
                (predictor.answers(chosen) for predictor in predictors),
                keys=keys[here],
                texts={name: cells[here] for name, cells in texts.items()},
                places=lambda here=here: chunk.places[here],
            )

    def finish_bundle(self) -> Iterator[WindowedValue]:
        tallies, self._tallies = self._tallies, {}
        for item in tallies.items():
            yield WindowedValue(item, GlobalWindow().max_timestamp(), [GlobalWindow()])


class _Merge(beam.CombineFn):
    """None is the empty sum: it needs no plan."""

    def create_accumulator(self) -> Tally | None:
        return None

    def add_input(self, accumulator: Tally | None, element: Tally | None) -> Tally | None:
        if accumulator is None or element is None:
            return element if accumulator is None else accumulator
        return accumulator.merge(element)

    def merge_accumulators(self, accumulators: Iterable[Tally | None]) -> Tally | None:
        return functools.reduce(self.add_input, accumulators, None)

    def extract_output(self, accumulator: Tally | None) -> Tally | None:
        return accumulator


class _Write(beam.DoFn):
    def __init__(self, work: Exchange):
        self._work = work

    def process(self, element: tuple[str, Tally]) -> None:
        side, tally = element
        self._work.write(f"tally-{side}", pickle.dumps(tally))


@dataclass(frozen=True)
class _Chunk:
    """Some batches of a shard together: as many rows as are worth one call of a model."""

    rows: np.ndarray
    batches: list[tuple[Batch, Callable[[], Sequence[Place]]]]

    @property
    def n_quarantined(self) -> int:
        return sum(len(batch.quarantined) for batch, _ in self.batches)

    @functools.cached_property
    def places(self) -> np.ndarray:
        """Row or line of each row in its file; -1 where the file is the row."""
        found = [place[1] for _, where in self.batches for place in where()]
        return np.array([-1 if place is None else place for place in found], np.int64)

    def texts(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        return {name: _cells(name, [batch for batch, _ in self.batches]) for name in names}


def _cells(name: str, batches: Sequence[Batch]) -> np.ndarray:
    """Returns a text column, object (n,); None where it is missing."""
    found: list[Any] = []
    for batch in batches:
        others = batch.others()
        for cell in others.column(others.schema.get_field_index(name)).to_pylist() if others is not None else ():
            value = cell[0] if cell else None
            found.append(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
    return np.array(found, dtype=object)


def _chunks(source: Source, shard: Any) -> Iterator[_Chunk]:
    wanted = int(np.clip(_BATCH_CELLS // max(1, source.n_columns), _LEAST_ROWS, _MOST_ROWS))
    waiting: list[tuple[Batch, Callable[[], Sequence[Place]]]] = []
    count = 0
    for batch, where in source.read_located(shard):
        waiting.append((batch, where))
        count += batch.n_rows
        if count >= wanted:
            yield _chunk(source, waiting)
            waiting, count = [], 0
    if waiting:
        yield _chunk(source, waiting)


def _chunk(source: Source, batches: list[tuple[Batch, Callable[[], Sequence[Place]]]]) -> _Chunk:
    parts = [batch.values() for batch, _ in batches if batch.n_rows]
    rows = np.concatenate(parts) if parts else np.empty((0, source.n_columns))
    return _Chunk(rows, batches)
