"""From sums to figures: the content of `evaluation.json`, and the rows of `evaluation.parquet`.

A configuration's score is the mean over its seeds. Its interval, and that of the gain of one configuration over
another, rest on the same bootstrap draws for all (`Tally`), plus the variance between seeds, pooled over the
configurations (`aetfx.evaluation.interval`, `aetfx.evaluation.paired`). Of models that were trained once there is no
such variance: the interval then speaks of these models and not of their recipe.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aetfx.evaluation.interval import FLOOR, interval_from_draws
from aetfx.evaluation.paired import gain_on_rows, pooled_log_variance
from aetfx.evaluation.sums import CAP
from aetfx.evaluation.table import schema
from aetfx.evaluation.tally import LEVELS, Tally

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_FEATURE_CELLS = 200_000  # configurations x slices x columns told one by one; beyond, those of all rows only
_HUGE = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Configuration:
    """What was evaluated.

    Attributes:
      identity, name, settings: see `aetfx.evaluation.entries.Entry`.
      seeds: of its models.
      predictors: their numbers in the tally; empty where it failed.
      codes: width of the narrowest layer, or None.
      failed: why it could not be evaluated, or None.
    """

    identity: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    predictors: tuple[int, ...] = ()
    codes: int | None = None
    failed: str | None = None


@dataclass(frozen=True)
class Figures:
    """Figures of the configurations that did not fail, read off a tally."""

    tally: Tally
    configurations: tuple[Configuration, ...]

    @cached_property
    def going(self) -> tuple[Configuration, ...]:
        return tuple(c for c in self.configurations if c.failed is None)

    @cached_property
    def _scores(self) -> np.ndarray:
        """Score of each predictor on each slice, (M, S)."""
        n_slices = self.tally.plan.n_slices
        return np.array(
            [[self.tally.score(m, s) for s in range(n_slices)] for m in range(len(self.tally.plan.configuration))]
        )

    def scores(self, configuration: Configuration, s: int = 0) -> np.ndarray:
        """Returns the score of each seed on a slice, (seeds,)."""
        return self._scores[list(configuration.predictors), s]

    def pooled(self, s: int = 0) -> tuple[float, int] | None:
        """Returns the variance between seeds of ln(score), pooled over the configurations; None without several."""
        groups = [self.scores(c, s) for c in self.going]
        found = pooled_log_variance([list(group) for group in groups if np.isfinite(group).all()])
        return found if found[1] > 0 else None

    def log_draws(self, configuration: Configuration, s: int = 0) -> np.ndarray | None:
        """Returns ln(score) of each seed in each draw, (seeds, B); None for slices without draws."""
        found = [self.tally.draws(m, s) for m in configuration.predictors]
        if any(draws is None for draws in found):
            return None
        return np.log(np.maximum(np.array(found, dtype=np.float64), FLOOR))

    def interval(self, configuration: Configuration, s: int = 0) -> tuple[float, float] | None:
        """Returns the two-sided 95 % interval of the score on a slice; None where it is not known."""
        scores, logs, n_rows = self.scores(configuration, s), self.log_draws(configuration, s), self.n_rows(s)
        if not _are_enough(scores, logs, n_rows):
            return None
        return interval_from_draws(scores, logs, n_rows=n_rows, pooled=self.pooled(s))

    def n_rows(self, s: int = 0) -> int:
        return int(self.tally.n_rows[s])

    def paired(self) -> list[dict[str, Any]]:
        """Returns the gain of each configuration over each one before it, with 95 % intervals."""
        found, pooled, n_rows = [], self.pooled() or (0.0, 0), self.n_rows()
        means = {c.identity: self.log_draws(c) for c in self.going}
        for i, a in enumerate(self.going):
            for b in self.going[i + 1 :]:
                before, after = means[a.identity], means[b.identity]
                scores = self.scores(a), self.scores(b)
                if not all(_are_enough(*side, n_rows) for side in zip(scores, (before, after), strict=True)):
                    continue
                variance = float(np.nanvar(before.mean(axis=0) - after.mean(axis=0), ddof=1))
                gain = gain_on_rows(
                    list(scores[0]), list(scores[1]), row_variance=variance, n_rows=n_rows, pooled=pooled
                )
                low, high = gain.interval
                found.append({"a": a.identity, "b": b.identity, "gain": gain.gain, "low": low, "high": high})
        return found

    def quantiles(self, s: int) -> np.ndarray | None:
        """Returns the quantiles of the row errors at `LEVELS`, float64 (levels, M); None for an empty slice."""
        if not self.n_rows(s):
            return None
        found = self.tally.quantiles[s].result()[0].quantiles(LEVELS)
        return np.where(found >= _HUGE, np.inf, found)

    @property
    def shown_slices(self) -> list[int]:
        """Numbers of the slices that are told: all but those that hold what is left over and hold nothing."""
        rests = self.tally.plan.slicer.rests
        return [s for s, rest in enumerate(rests) if not rest or self.n_rows(s)]


def _are_enough(scores: np.ndarray, logs: np.ndarray | None, n_rows: int) -> bool:
    """Whether an interval can rest on these draws: one without rows has no score, and of very few rows many are."""
    return logs is not None and n_rows > 1 and bool(np.isfinite(scores).all()) and np.isnan(logs).mean() <= 0.05


def make_record(
    figures: Figures,
    *,
    study_name: str,
    n_train: int | None,
    n_quarantined: int,
    n_outside: int = 0,
    references: Sequence[tuple[str, int | float]] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns the content of `evaluation.json`, `thresholds` left null.

    Args:
      n_train: rows that the score is fixed on; None where there were none but the evaluated rows.
      n_quarantined: rows that could not be read.
      n_outside: rows outside the fences, which are not scored.
      references: name, and the number of a predictor in the tally or a score.
      notes: sentences on how the figures came about.
    """
    tally, scorer = figures.tally, figures.tally.plan.scorer
    names = tally.plan.slicer.names
    known = [
        {"name": name, "score": _number(tally.score(value) if isinstance(value, int) else value)}
        for name, value in references
    ]
    return {
        "schema_version": 1,
        "study_name": study_name,
        "metric": scorer.metric,
        "features": scorer.features,
        "shape": list(scorer.shape),
        "names": list(scorer.names),
        "excluded": list(scorer.excluded),
        "rows": {
            "scored": figures.n_rows(),
            "train": n_train,
            "without_a_scored_cell": tally.n_empty,
            "outside_fences": n_outside,
            "quarantined": n_quarantined,
        },
        "configurations": [_configuration(figures, c) for c in figures.configurations],
        "references": known,
        "slices": [{"name": names[s], "n_rows": figures.n_rows(s)} for s in figures.shown_slices],
        "paired": figures.paired(),
        "thresholds": None,
        "notes": list(notes),
        "date": time.strftime("%Y-%m-%d"),
    }


def _configuration(figures: Figures, configuration: Configuration) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": configuration.identity,
        "name": configuration.name,
        "settings": configuration.settings,
        "score": None,
        "low": None,
        "high": None,
        "seeds": len(configuration.seeds),
        "n_not_finite": 0,
        "codes": configuration.codes,
        "failed": configuration.failed,
    }
    if configuration.failed is None:
        low, high = figures.interval(configuration) or (None, None)
        place = figures.going.index(configuration)
        found |= {
            "score": _number(figures.scores(configuration).mean()),
            "low": low,
            "high": high,
            "n_not_finite": int(figures.tally.n_lost[place]),
        }
    return found


def make_table(figures: Figures, split: str) -> pa.Table:
    """Returns the rows of `evaluation.parquet` for one split."""
    import pyarrow as pa

    tally, scorer = figures.tally, figures.tally.plan.scorer
    columns = np.flatnonzero(scorer.included)
    features = [scorer.names[j] for j in columns]
    slices = figures.shown_slices
    detailed = len(figures.going) * len(slices) * len(features) <= _MOST_FEATURE_CELLS
    out = _Rows(split)
    for s in slices:
        name, n_rows, quantiles = tally.plan.slicer.names[s], figures.n_rows(s), figures.quantiles(s)
        for configuration in figures.going:
            scores, mine = figures.scores(configuration, s), list(configuration.predictors)
            low, high = figures.interval(configuration, s) or (None, None)
            at = (configuration, name, n_rows)
            seeds = [*configuration.seeds, -1]
            for seed, value in zip(seeds, [*scores, scores.mean()], strict=True):
                ends = (low, high) if seed == -1 else (None, None)
                out.add(at, seed, [None], scorer.metric, [value], *ends)
            if scorer.features == "tensor":  # of one unit: else a mean over columns says nothing
                for metric, sums in (("mse", tally.squared), ("mae", tally.absolute)):
                    each = [_ratio(sums[m, s].sum(), tally.answered[m, s].sum()) for m in mine]
                    for seed, value in zip(seeds, [*each, float(np.mean(each))], strict=True):
                        out.add(at, seed, [None], metric, [value])
            if quantiles is not None:
                for level, row in zip(LEVELS, quantiles, strict=True):
                    metric = f"row_error_q{round(100 * level):02d}"
                    for seed, value in zip(seeds, [*row[mine], row[mine].mean()], strict=True):
                        out.add(at, seed, [None], metric, [value])
            if s == 0 or detailed:
                ratios = np.mean([np.minimum(tally.ratios(m, s), CAP) for m in mine], axis=0)
                out.add(at, -1, features, scorer.metric, ratios)
                for metric, sums in (("mse", tally.squared), ("mae", tally.absolute)):
                    each = [_ratio(sums[m, s], tally.answered[m, s]) for m in mine]
                    out.add(at, -1, features, metric, np.mean(each, axis=0))
    return pa.table(out.columns, schema=schema())


class _Rows:
    """Columns of the table as they grow."""

    def __init__(self, split: str):
        self.split = split
        self.columns: dict[str, list[Any]] = {name: [] for name in schema().names}

    def add(
        self,
        at: tuple[Configuration, str, int],
        seed: int,
        features: Sequence[str | None],
        metric: str,
        values: Any,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        configuration, name, n_rows = at
        kept = [(f, float(v)) for f, v in zip(features, values, strict=True) if not math.isnan(v)]
        same = {
            "configuration": configuration.identity,
            "name": configuration.name,
            "seed": seed,
            "split": self.split,
            "slice": name,
            "metric": metric,
            "low": low,
            "high": high,
            "n_rows": n_rows,
        }
        for key, value in same.items():
            self.columns[key] += [value] * len(kept)
        self.columns["feature"] += [feature for feature, _ in kept]
        self.columns["value"] += [value for _, value in kept]


def _ratio(top: Any, bottom: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(bottom) > 0, np.divide(top, bottom), np.nan)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
