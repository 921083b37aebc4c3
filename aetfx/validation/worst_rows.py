"""The rows behind an outlier finding, by file and position: a second pass over the same shards, made only for these.

Each worker scores the rows of its shards and keeps the worst few; merging keeps the worst of these, in an order that
does not depend on who read what. Imports Beam: import this module only where there is a finding to look into.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apache_beam as beam
import numpy as np

from aetfx.data.padding import without_padding
from aetfx.data.sources import Source
from aetfx.errors import AetfxError
from aetfx.validation.checks.missing import find_sentinels, missing_mask
from aetfx.validation.checks.outliers import fences
from aetfx.validation.checks.outlying_rows import find_scorer
from aetfx.validation.exchange import Exchange
from aetfx.validation.findings import Finding
from aetfx.validation.pipeline import EVAL, TRAIN, working
from aetfx.validation.reading import parts
from aetfx.validation.statistics import ColumnStatistics
from aetfx.validation.thresholds import Thresholds
from aetfx.validation.watch import Report, watching

MOST_ROWS = 20  # per finding: what a person looks at
_MOST_COLUMNS = 3  # named per row

Key = tuple[str, str]  # split and code of a finding


class Scorer(Protocol):
    """Tells how far out rows are, and which of their cells are to blame. Picklable."""

    def distances(self, values: np.ndarray) -> np.ndarray:
        """Of shape (n,) for values of shape (n, D); beyond 1 a row is outlying."""

    def oddness(self, values: np.ndarray) -> np.ndarray:
        """Of shape (n, D); 0 for cells that are not to blame."""


@dataclass(frozen=True)
class CellScorer:
    """Of each row the cell that is farthest beyond its column's fences, as in `data.outliers`.

    Attributes:
      middle, low, high: medians and fences, shape (D,).
      sentinels: column index to values that mean missing.
    """

    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    sentinels: Mapping[int, tuple[float, ...]]

    def distances(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(self.oddness(values).max(axis=1))

    def oddness(self, values: np.ndarray) -> np.ndarray:
        # Most batches hold no such cell: two comparisons settle that.
        far = np.zeros(values.shape)
        with np.errstate(invalid="ignore"):
            outside = (values > self.high) | (values < self.low)
        rows = np.flatnonzero(outside.any(axis=1))
        if len(rows):
            cells, middle = values[rows].astype(np.float64), self.middle
            with np.errstate(all="ignore"):
                found = np.where(
                    cells > middle, (cells - middle) / (self.high - middle), (middle - cells) / (middle - self.low)
                )
            far[rows] = np.where(outside[rows] & np.isfinite(cells) & ~missing_mask(cells, self.sentinels), found, 0.0)
        return far


@dataclass(frozen=True)
class WorstRow:
    """A row that is far out.

    Attributes:
      file: as the user gave it.
      position: row or line in it; None where the file is the row.
      distance: in units of the fence's.
      columns: name and value of the cells to blame, the worst first.
    """

    file: str
    position: int | None
    distance: float
    columns: tuple[tuple[str, float], ...]

    def to_json(self) -> dict[str, Any]:
        cells = [{"column": name, "value": value} for name, value in self.columns]
        return {"file": self.file, "position": self.position, "distance": self.distance, "columns": cells}


@dataclass(frozen=True)
class Worst:
    """The worst rows seen so far, and how many are beyond the fence."""

    n_far: int = 0
    rows: tuple[WorstRow, ...] = ()

    def merge(self, other: Worst) -> Worst:
        rows = sorted((*self.rows, *other.rows), key=lambda row: (-row.distance, row.file, row.position or 0))
        return Worst(self.n_far + other.n_far, tuple(rows[:MOST_ROWS]))


def add_worst_rows(
    findings: Sequence[Finding],
    statistics: Mapping[str, ColumnStatistics],
    train: Source,
    evaluation: Source | None = None,
    *,
    eval_fraction: float | None = None,
    seed: int = 0,
    thresholds: Thresholds | None = None,
    beam_flags: Sequence[str] = (),
    report: Report | None = None,
    shown: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Reads the data once more, and puts the worst rows into the evidence of each outlier finding.

    Args:
      findings: those without such rows are returned as they are.
      statistics: of each split, from the first pass.
      shown: what to call files that the user does not know.
      train, evaluation, eval_fraction, seed, beam_flags, report: as for `aetfx.validation.pipeline.compute`.

    Returns:
      The findings; the evidence of those of `data.outliers` and `data.outliers.rows` gains `all_far_rows`, the rows of
      the whole split beyond the fence, and `rows`, the worst of them.

    Raises:
      DataError: a file has changed since the first pass.
    """
    scorers = {
        (finding.split, finding.code): scorer
        for finding in findings
        if (scorer := _scorer(finding, statistics[finding.split], thresholds)) is not None
    }
    if not scorers:
        return list(findings)
    wanted = {split for split, _ in scorers}
    sources = [(split, source) for split, source in ((TRAIN, train), (EVAL, evaluation)) if source is not None]
    fraction = eval_fraction if evaluation is None else None
    sources = [(split, source.with_others(())) for split, source in sources if split in wanted or fraction is not None]
    with working(beam_flags) as (hands, work), watching(work, sum(len(s.shards()) for _, s in sources), report):
        todo = [(i, k) for i, (_, source) in enumerate(sources) for k in range(len(source.shards()))]
        pipeline = beam.Pipeline(runner=hands.runner, options=hands.options)
        found = pipeline | "Shards" >> beam.Create(todo, reshuffle=True)
        found = found | "Score" >> beam.ParDo(_ScoreShard(sources, scorers, work, fraction, seed, shown or {}))
        found = found | "Worst" >> beam.CombinePerKey(_Merge()) | "Write" >> beam.ParDo(_Write(work))
        pipeline.run().wait_until_finish()
        told = {key: json.loads(work.read(_name(key)) or b"null") for key in scorers}
    return [_with_rows(finding, told.get((finding.split, finding.code))) for finding in findings]


def _scorer(finding: Finding, statistics: ColumnStatistics, thresholds: Thresholds | None) -> Scorer | None:
    if finding.code == "data.outliers":
        with np.errstate(all="ignore"):
            low, high = fences(statistics, thresholds)
            return CellScorer(statistics.quantile(0.5), low, high, find_sentinels(statistics, thresholds))
    return find_scorer(statistics, thresholds) if finding.code == "data.outliers.rows" else None


def _with_rows(finding: Finding, told: dict[str, Any] | None) -> Finding:
    return finding if told is None else dataclasses.replace(finding, evidence=finding.evidence | told)


def _name(key: Key) -> str:
    return "worst-" + "-".join(key)


class _ScoreShard(beam.DoFn):
    """(source number, shard number) -> (split and code, the worst rows of the shard)."""

    def __init__(
        self,
        sources: Sequence[tuple[str, Source]],
        scorers: Mapping[Key, Scorer],
        work: Exchange,
        fraction: float | None,
        seed: int,
        shown: Mapping[str, str],
    ):
        self._sources, self._scorers, self._work = list(sources), dict(scorers), work
        self._fraction, self._seed, self._shown = fraction, seed, dict(shown)

    def setup(self) -> None:
        self._work.setup()

    def process(self, element: tuple[int, int]) -> Iterator[tuple[Key, Worst]]:
        number, place = element
        split, source = self._sources[number]
        worst = dict.fromkeys(self._scorers, Worst())
        n_rows = 0
        try:
            for batch, where in source.read_located(source.shards()[place]):
                n_rows += batch.n_rows + len(batch.quarantined)
                values, where = batch.values(), functools.cache(where)
                seen = without_padding(values, source.padding, source.shape)
                for name, chosen in parts(split, values, self._fraction, self._seed):
                    indices = np.arange(len(values)) if chosen is None else np.flatnonzero(chosen)
                    for key in [key for key in worst if key[0] == name]:
                        worst[key] = self._scored(key, worst[key], source.names, seen, indices, where)
        except AetfxError as error:
            self._work.write(f"error-{number}-{place:08d}", str(error).encode("utf-8"))
            raise
        self._work.write(f"read-{number}-{place:08d}", str(n_rows).encode())
        yield from worst.items()

    def _scored(
        self,
        key: Key,
        worst: Worst,
        names: Sequence[str],
        values: np.ndarray,
        indices: np.ndarray,
        where: Callable[[], Sequence[Any]],
    ) -> Worst:
        """Takes in the rows of a batch that `indices` choose. Places are asked for only where a row gets in."""
        scorer = self._scorers[key]
        rows = values if len(indices) == len(values) else values[indices]
        found = scorer.distances(rows)
        n_far = int(np.count_nonzero(found > 1))
        least = worst.rows[-1].distance if len(worst.rows) == MOST_ROWS else 1.0
        order = np.argsort(-found, kind="stable")[:MOST_ROWS]
        order = order[(found[order] >= least) & (found[order] > 1)]
        if not len(order):
            return worst.merge(Worst(n_far))
        odd, places, fresh = scorer.oddness(rows[order]), where(), []
        for k, cells in zip(order.tolist(), odd, strict=True):
            blame = [j for j in np.argsort(-cells, kind="stable")[:_MOST_COLUMNS].tolist() if cells[j] > 0]
            columns = tuple((names[j], float(rows[k, j])) for j in blame)
            file, position = places[int(indices[k])]
            fresh.append(WorstRow(self._shown.get(file, file), position, float(found[k]), columns))
        return worst.merge(Worst(n_far, tuple(fresh)))


class _Merge(beam.CombineFn):
    """Combines what was found in the shards."""

    def create_accumulator(self) -> Worst:
        return Worst()

    def add_input(self, accumulator: Worst, element: Worst) -> Worst:
        return accumulator.merge(element)

    def merge_accumulators(self, accumulators: Iterable[Worst]) -> Worst:
        return functools.reduce(Worst.merge, accumulators, Worst())

    def extract_output(self, accumulator: Worst) -> Worst:
        return accumulator


class _Write(beam.DoFn):
    """(split and code, rows) -> a file in `work`."""

    def __init__(self, work: Exchange):
        self._work = work

    def process(self, element: tuple[Key, Worst]) -> None:
        key, worst = element
        told = {"all_far_rows": worst.n_far, "rows": [row.to_json() for row in worst.rows]}
        self._work.write(_name(key), json.dumps(told).encode())
