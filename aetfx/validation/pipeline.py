"""The Beam pipeline of validation: shards in, statistics and row counts per split out. One pass over the data.

Shard descriptors travel, rows do not: each worker reads its shards, splits their rows by hash and feeds them to
accumulators. The runner is always named (`aetfx.validation.runner`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aetfx.data.rows import check_columns
from aetfx.data.sources import Quarantined, Source
from aetfx.data.split import check_sides
from aetfx.errors import DataError
from aetfx.quiet import quiet, quiet_imports
from aetfx.validation.exchange import Exchange, exchange
from aetfx.validation.runner import Workers, workers
from aetfx.validation.statistics import ColumnStatistics
from aetfx.validation.watch import Report, watching

TRAIN, EVAL = "train", "eval"


@dataclass(frozen=True)
class RowCounts:
    """Rows of one split: read = counted + quarantined."""

    read: int = 0
    counted: int = 0
    quarantined: int = 0

    def to_json(self) -> dict[str, int]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Computed:
    """What the pipeline found, per split. Rows quarantined before they could be split count as train rows.

    Attributes:
      others: TFDV's `DatasetFeatureStatisticsList` of the columns that sources hand on beside the numbers.
    """

    statistics: dict[str, ColumnStatistics]
    rows: dict[str, RowCounts]
    quarantined: dict[str, list[Quarantined]] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


def compute(
    train: Source,
    evaluation: Source | None = None,
    *,
    eval_fraction: float | None = None,
    seed: int = 0,
    beam_flags: Sequence[str] = (),
    report: Report | None = None,
    empty_columns: bool = False,
) -> Computed:
    """Reads everything once and computes the statistics of each split.

    Columns that a source hands on beside its numbers (`Source.with_others`) go through TFDV's generators on the way.

    Args:
      train: where train rows come from.
      evaluation: where eval rows come from; with names and shapes like those of `train`.
      eval_fraction: share of the train rows to hold out by row hash, where `evaluation` is None.
      seed: of the split.
      beam_flags: Beam's own options, e.g. `--runner=FlinkRunner`; by default a local runner in this process.
      report: told what was read, as it goes.
      empty_columns: accept columns without a single number, as long as others have some.

    Raises:
      AetfxError: a Beam flag is unknown.
      DataError: files are damaged, a split is left without rows, a column holds no numbers at all.
    """
    with working(beam_flags) as (hands, work):
        with watching(work, sum(len(s.shards()) for s in (train, evaluation) if s is not None), report):
            _run(work, hands, train, evaluation, eval_fraction, seed)
        return _collect(work, train, evaluation, eval_fraction, empty_columns)


@contextlib.contextmanager
def working(beam_flags: Sequence[str]) -> Iterator[tuple[Workers, Exchange]]:
    """Opens a runner, and the folder that its workers write to; nothing of Beam's reaches the terminal.

    Raises:
      AetfxError: a Beam flag is unknown.
      DataError: a worker raised it; in its own words, without Beam's wrapping.
    """
    with quiet():
        hands = workers(beam_flags)
        with exchange(hands.temp_location, beam_flags) as work:
            try:
                yield hands, work
            except Exception:
                for name in work.names("error-")[:1]:
                    raise DataError((work.read(name) or b"").decode("utf-8")) from None
                raise


def _run(
    work: Exchange, hands: Workers, train: Source, evaluation: Source | None, fraction: float | None, seed: int
) -> None:
    import apache_beam as beam

    from aetfx.validation.combiners.spill import spilling

    with spilling(work.local) if work.local else contextlib.nullcontext() as spill:
        pipeline = beam.Pipeline(runner=hands.runner, options=hands.options)
        add_steps(pipeline, work, train, evaluation, fraction, seed, spill)
        pipeline.run().wait_until_finish()


def add_steps(
    pipeline: Any,
    work: Exchange,
    train: Source,
    evaluation: Source | None,
    fraction: float | None,
    seed: int,
    spill: Any = None,
) -> None:
    """Adds the steps to a Beam pipeline.

    Args:
      pipeline: of any runner.
      work: where its workers write.
      train, evaluation, fraction, seed: see `compute`.
      spill: where accumulators put values that do not fit in memory; None where workers share no disk.
    """
    import apache_beam as beam

    from aetfx.validation.combiners.beam import AccumulatorFn
    from aetfx.validation.combiners.columns import Columns
    from aetfx.validation.combiners.quantiles import exact_budget
    from aetfx.validation.reading import NUMBERS, OTHERS, ReadShard, WriteResult

    sources = [(TRAIN, train)] + ([(EVAL, evaluation)] if evaluation is not None else [])
    todo = [(i, k) for i, (_, source) in enumerate(sources) for k in range(len(source.shards()))]
    reader = ReadShard(sources, work, fraction if evaluation is None else None, seed)
    budget = min(exact_budget(source.n_rows, source.value_bytes * source.n_columns) for _, source in sources)
    empty = functools.partial(
        Columns, train.n_columns, train.names, budget, spill=spill, deep=True, n_rows=train.n_rows
    )
    shards = pipeline | "Shards" >> beam.Create(todo, reshuffle=True)
    if any(source.others for _, source in sources):
        with quiet_imports():
            from aetfx.validation.tfdv_columns import write_statistics

        read = shards | "Read" >> beam.ParDo(reader).with_outputs(OTHERS, main=NUMBERS)
        batches = read[NUMBERS]
        write_statistics(read[OTHERS], _splits(evaluation, fraction), work)
    else:
        batches = shards | "Read" >> beam.ParDo(reader)
    _ = batches | "Accumulate" >> beam.CombinePerKey(AccumulatorFn(empty)) | "Write" >> beam.ParDo(WriteResult(work))


def _collect(
    work: Exchange, train: Source, evaluation: Source | None, fraction: float | None, empty_columns: bool
) -> Computed:
    """Reads what the workers wrote and checks that it can be used."""
    statistics: dict[str, ColumnStatistics] = {}
    quarantined: dict[str, list[Quarantined]] = {}
    splits = _splits(evaluation, fraction)
    for split in splits:
        found = work.read(f"statistics-{split}")
        if found is not None:
            read = train if split == TRAIN or evaluation is None else evaluation
            # Pickled by our own workers, a moment ago.
            statistics[split] = dataclasses.replace(pickle.loads(found), whole=_whole(read))
        quarantined[split] = [
            Quarantined(**json.loads(line))
            for name in work.names(f"quarantine-{split}-")
            for line in (work.read(name) or b"").decode("utf-8").splitlines()
        ]
    rows = {}
    for split in splits:
        counted = statistics[split].n_rows if split in statistics else 0
        bad = len(quarantined[split])
        rows[split] = RowCounts(counted + bad, counted, bad)
    if fraction is not None and evaluation is None:
        check_sides(rows[TRAIN].counted, rows[EVAL].counted, fraction)
    for split, source in ((TRAIN, train), (EVAL, evaluation)):
        if source is not None and not rows[split].counted:
            raise DataError(
                f"{source.path}: no row is left: all {rows[split].quarantined} rows are quarantined. Mend the file."
            )
    if train.padding is None:  # else some steps may be reached by no row
        check_columns(train.path, train.names, statistics[TRAIN].n_finite > 0, empty_columns)
    return Computed(statistics, rows, {split: bad for split, bad in quarantined.items() if bad}, _others(work))


def _splits(evaluation: Source | None, fraction: float | None) -> list[str]:
    return [TRAIN] + ([EVAL] if evaluation is not None or fraction is not None else [])


def _whole(source: Source) -> np.ndarray | None:
    """Which columns are of integers; None where none is."""
    return np.broadcast_to(source.whole, source.n_columns) if np.any(source.whole) else None


def _others(work: Exchange) -> dict[str, Any]:
    """The statistics of further columns that the workers wrote, by split."""
    names = work.names("others-")
    if not names:
        return {}
    from tensorflow_metadata.proto.v0 import statistics_pb2

    parse = statistics_pb2.DatasetFeatureStatisticsList.FromString
    return {name.removeprefix("others-"): parse(work.read(name)) for name in names}
