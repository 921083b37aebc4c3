"""What a pass over the rows adds up: for each predictor and slice all that scores, intervals and samples follow from.

Terms: a *predictor* gives rows back: a model (one seed of a configuration) or a reference such as PCA. A *draw* of the
bootstrap weights each row by a Poisson number that follows from the row's hash, so that all predictors see the same
weights and workers add up the same draws.

For tallies a, b, c of one plan: merging is associative and commutative up to rounding (quantiles: up to the rank error
of a sketch once there are many rows), and adding batches one after another equals merging tallies of one batch each.
Everything is float64.

The error of a row is told in the spread of the train rows (`Scorer.row_errors(spread=train_spread)`), which is known
before the pass: the mean over the rows that are scored is not, and a table's row errors could not be brought to it
afterwards. Its mean over rows is thus the raw score only where these rows vary as much as the train rows do.

A row for which a predictor gives back NaN or infinity counts with `CAP`: its error is that many times its denominator.
Its own error is infinite, and such rows are counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aetfx.errors import StudyError
from aetfx.evaluation import columns
from aetfx.evaluation.kept import Kept
from aetfx.evaluation.resample import poisson_weights
from aetfx.evaluation.score import NEGLIGIBLE, Scorer
from aetfx.evaluation.slices import Slicer
from aetfx.evaluation.sums import CAP, by_group, mean_over_groups
from aetfx.validation.combiners.base import Cells
from aetfx.validation.combiners.quantiles import Quantiles

DRAWS = 200
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_BLOCK_CELLS = 1 << 16  # 512 KB of float64: a block and its squares stay in the cache
_WEIGHT_ROWS = 1024  # weighted at a time
_EXACT_BYTES = 4 << 20  # of row errors per slice, before a sketch stands for them
_SUM_BYTES, _DRAW_BYTES = 1 << 30, 256 << 20
_HUGE = float(np.finfo(np.float64).max)  # an infinite row error among the quantiles


@dataclass(frozen=True)
class Plan:
    """What is added up. Picklable.

    Attributes:
      scorer: fixed on the train rows.
      configuration: of each of the M predictors, -1 for a reference. The first predictor of each configuration
        stands for it where one reconstruction is shown.
      slicer: of the S slices.
      seed: of the row hash.
      extremes, sample: rows to keep, see `Kept`.
      n_draws: B.
    """

    scorer: Scorer
    configuration: tuple[int, ...]
    slicer: Slicer
    seed: int = 0
    extremes: int = 20
    sample: int = 512
    n_draws: int = DRAWS

    @cached_property
    def leads(self) -> tuple[int, ...]:
        """The first predictor of each configuration, in the order of the configurations."""
        return tuple(self.configuration.index(i) for i in range(max(self.configuration, default=-1) + 1))

    @property
    def n_columns(self) -> int:
        """C, columns that are scored."""
        return int(self.scorer.included.sum())

    @cached_property
    def n_slices(self) -> int:
        return len(self.slicer.names)

    @cached_property
    def n_drawn_slices(self) -> int:
        """Slices with bootstrap draws: all of them, or the first where the draws would not fit."""
        size = 8 * len(self.configuration) * self.n_slices * self.n_draws * self.scorer.n_groups
        return self.n_slices if size <= _DRAW_BYTES else 1

    def check(self) -> None:
        """Checks that the sums fit in memory, and tells where intervals of slices do not.

        Raises:
          StudyError: the sums do not.
        """
        size = 8 * 4 * len(self.configuration) * self.n_slices * self.n_columns
        if size > _SUM_BYTES:
            raise StudyError(
                f"{len(self.configuration)} models x {self.n_slices} slices x {self.n_columns:,} columns are too much "
                f"to add up at once ({size / 2**30:.1f} GB). Give fewer slices, or evaluate fewer models at a time."
            )
        if self.n_drawn_slices < self.n_slices:
            warnings.warn(
                f"{len(self.configuration)} models x {self.n_slices} slices x {self.scorer.n_groups:,} groups of "
                "columns are too much to draw again: scores of slices have no intervals, only those of all rows do. "
                "Give fewer slices, or evaluate fewer models at a time.",
                stacklevel=2,
            )


class Tally:
    """Sums over rows; see the module's docstring.

    Attributes:
      n_rows: int64 (S,).
      n_empty: rows without a scored cell.
      n_lost: int64 (number of configurations,), rows for which some prediction is not finite.
      count, denominator: float64 (S, C), scored cells and the error of the train mean.
      error, squared, absolute: float64 (M, S, C). The first is the score's; the others are in raw units, over
        `answered` (M, S, C) cells: those of rows with a finite prediction.
      drawn_denominator: float64 (S', B, G), of each group in each draw. drawn_error: float64 (M, S', B, G).
      quantiles: of the row errors of the M predictors, one for each slice.
      kept: rows.
    """

    def __init__(self, plan: Plan):
        self.plan = plan
        m, s, c = len(plan.configuration), plan.n_slices, plan.n_columns
        drawn = (plan.n_drawn_slices, plan.n_draws, plan.scorer.n_groups)
        self.n_rows, self.n_empty = np.zeros(s, np.int64), 0
        self.n_lost = np.zeros(len(plan.leads), np.int64)
        self.count, self.denominator = np.zeros((s, c)), np.zeros((s, c))
        self.error, self.squared, self.absolute, self.answered = (np.zeros((m, s, c)) for _ in range(4))
        self.drawn_denominator, self.drawn_error = np.zeros(drawn), np.zeros((m, *drawn))
        self.quantiles = [Quantiles(m, _EXACT_BYTES) for _ in range(s)]
        self.kept = Kept(len(plan.leads), plan.extremes, plan.sample)

    def add(
        self,
        truth: np.ndarray,
        answers: Iterable[Iterable[np.ndarray]],
        *,
        keys: np.ndarray,
        texts: dict[str, np.ndarray] | None = None,
        places: Callable[[], np.ndarray] | None = None,
    ) -> Tally:
        """Takes in a batch of rows.

        Args:
          truth: (n, *shape), raw units.
          answers: for each predictor its reconstructions, (n, *shape) each: one, or the draws of a stochastic model,
            whose errors are averaged.
          keys: uint64 (n,), hashes of the rows.
          texts: see `Slicer.member`.
          places: see `Kept.add`.
        """
        rows = _Rows.of(self.plan, truth, texts)
        self.n_rows += rows.member.sum(axis=1)
        self.n_empty += rows.n_empty
        self.count += rows.added(rows.scored)
        self.denominator += rows.added(rows.denominator)
        weights = [
            poisson_weights(keys[start : start + _WEIGHT_ROWS], self.plan.n_draws)
            for start in range(0, len(keys), _WEIGHT_ROWS)
        ]
        self._draw(self.drawn_denominator, weights, rows, by_group(rows.denominator, rows.group, rows.n_groups))
        row_errors = np.empty((len(self.plan.configuration), len(truth)))
        lost: dict[int, np.ndarray] = {}
        for m, drawn in enumerate(answers):
            grouped, bad = self._add_answer(m, rows, list(drawn))
            self._draw(self.drawn_error[m], weights, rows, grouped)
            row_errors[m] = np.where(bad & ~rows.empty, np.inf, self.plan.scorer.row_ratios(grouped, rows.unit))
            config = self.plan.configuration[m]
            if config >= 0:
                lost[config] = lost.get(config, False) | bad
        for config, bad in lost.items():
            self.n_lost[config] += int(bad.sum())
        told = np.minimum(row_errors, _HUGE).T  # NaN stays
        for s, quantiles in enumerate(self.quantiles):
            if rows.member[s].any():
                quantiles.add(Cells(told if s == 0 else told[rows.member[s]]))
        flat = truth.reshape(len(truth), -1)
        self.kept.add(row_errors[list(self.plan.leads)], keys, flat, rows.member, places)
        return self

    def merge(self, other: Tally) -> Tally:
        """Takes in all that another tally of the same plan has seen; it must not be used further."""
        for name in (
            "n_rows", "n_lost", "count", "denominator", "error", "squared", "absolute", "answered",
            "drawn_denominator", "drawn_error",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.n_empty += other.n_empty
        for mine, theirs in zip(self.quantiles, other.quantiles, strict=True):
            mine.merge(theirs)
        self.kept.merge(other.kept)
        return self

    def ratios(self, m: int, s: int) -> np.ndarray:
        """Returns error over denominator of each column of a slice, (C,), not capped; NaN where there is nothing."""
        usable = self._usable(s)
        return np.divide(self.error[m, s], self.denominator[s], out=np.full(len(usable), np.nan), where=usable)

    def score(self, m: int, s: int = 0) -> float:
        """Returns the score of a predictor on a slice; NaN where nothing can be scored."""
        usable, scorer = self._usable(s), self.plan.scorer
        count = np.maximum(self.count[s], 1)
        sums = [np.where(usable, part / count, 0.0)[None] for part in (self.error[m, s], self.denominator[s])]
        group = scorer.group[scorer.included]
        error, denominator = (by_group(part, group, scorer.n_groups) for part in sums)
        return float(_capped(error, denominator, scorer)[0])

    def draws(self, m: int, s: int = 0) -> np.ndarray | None:
        """Returns the score in each draw of the bootstrap, (B,); None for a slice that has none.

        Where cells of a group are missing they are pooled over rows and columns at once: the draws tell how much the
        score varies, not where it lies.
        """
        if s >= self.plan.n_drawn_slices:
            return None
        scorer = self.plan.scorer
        group = scorer.group[scorer.included]
        used = by_group(self._usable(s)[None].astype(np.float64), group, scorer.n_groups)[0] > 0
        return _capped(self.drawn_error[m, s], np.where(used, self.drawn_denominator[s], 0.0), scorer)

    def _usable(self, s: int) -> np.ndarray:
        spread = self.plan.scorer.train_spread[self.plan.scorer.included]
        return self.denominator[s] > NEGLIGIBLE * spread * self.count[s]

    def _add_answer(self, m: int, rows: _Rows, drawn: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Adds the reconstructions of one predictor; returns errors by group, (n, G), and rows without a finite one."""
        grouped, lost = np.zeros((rows.n, rows.n_groups)), np.zeros(rows.n, bool)
        share = 1.0 / len(drawn)
        for answer in drawn:
            guess = np.asarray(answer).reshape(rows.n, -1)
            for block in rows.blocks:
                apart, error, bad = rows.compare(guess, block)
                answered = rows.mask_of(block)
                if bad is not None:
                    lost[block] |= bad
                    answered = ~bad[:, None] & (np.ones(error.shape, bool) if answered is None else answered)
                self.answered[m] += share * rows.added(answered, block)
                squared = error if self.plan.scorer.metric == "fvu" and bad is None else _zeroed(np.square(apart), bad)
                self.squared[m] += share * rows.added(squared, block)
                self.error[m] += share * rows.added(error, block)
                self.absolute[m] += share * rows.added(np.abs(apart, out=apart), block)
                grouped[block] += share * by_group(error, rows.group, rows.n_groups)
        return grouped, lost

    def _draw(self, sums: np.ndarray, weights: Sequence[np.ndarray], rows: _Rows, grouped: np.ndarray) -> None:
        """Adds weighted errors (n, G) to sums (S', B, G)."""
        for k, drawn in enumerate(weights):
            part = slice(k * _WEIGHT_ROWS, k * _WEIGHT_ROWS + drawn.shape[1])
            here = grouped[part]
            sums[0] += drawn @ here
            for s in range(1, len(sums)):
                inside = rows.member[s, part]
                if inside.any():
                    sums[s] += drawn[:, inside] @ here[inside]


@dataclass(frozen=True)
class _Rows:
    """A batch, with all that does not depend on the predictor."""

    scorer: Scorer
    truth: np.ndarray  # (n, C) float64, included columns; 0 in cells that are not scored
    mask: np.ndarray | None  # bool (n, C), cells whose errors are added; None for all
    scored: np.ndarray | None  # bool (n, C), cells that count, padding too; None for all
    denominator: np.ndarray  # (n, C)
    unit: np.ndarray  # (n, G) what the train mean leaves on average in the scored cells
    member: np.ndarray  # bool (S, n)
    empty: np.ndarray  # bool (n,)
    group: np.ndarray
    n_groups: int

    @classmethod
    def of(cls, plan: Plan, truth: np.ndarray, texts: dict[str, np.ndarray] | None) -> _Rows:
        scorer = plan.scorer
        flat = columns.flatten(truth)
        member = plan.slicer.member(flat, texts)
        scored = columns.scored_cells(flat, scorer.sentinels)
        present = columns.there(flat, scorer.padding, scorer.shape)
        mask = scored if present is None else scored & present
        scored, mask = scored[:, scorer.included], mask[:, scorer.included]
        whole = bool(mask.all())
        values = flat if scorer.included.all() else flat[:, scorer.included]
        if not whole:
            values = np.where(mask, values, 0.0)
        denominator = scorer.denominators(values)
        spread = np.broadcast_to(scorer.train_spread[scorer.included], values.shape)
        if not whole:
            denominator, spread = np.where(mask, denominator, 0.0), np.where(mask, spread, 0.0)
        group = scorer.group[scorer.included]
        return cls(
            scorer=scorer,
            truth=values,
            mask=None if whole else mask,
            scored=None if scored.all() else scored,
            denominator=denominator,
            unit=by_group(spread, group, scorer.n_groups),
            member=member,
            empty=np.zeros(len(flat), bool) if whole else ~mask.any(axis=1),
            group=group,
            n_groups=scorer.n_groups,
        )

    @property
    def n(self) -> int:
        return len(self.truth)

    @property
    def n_empty(self) -> int:
        return int(self.empty.sum())

    @property
    def blocks(self) -> list[slice]:
        step = max(1, _BLOCK_CELLS // max(1, self.truth.shape[1]))
        return [slice(start, min(start + step, self.n)) for start in range(0, self.n, step)]

    def mask_of(self, block: slice) -> np.ndarray | None:
        return None if self.mask is None else self.mask[block]

    def added(self, cells: np.ndarray | None, block: slice | None = None) -> np.ndarray:
        """Returns the sum over the rows of each slice, (S, C); None stands for ones."""
        member = self.member if block is None else self.member[:, block]
        if cells is None:
            return np.repeat(member.sum(axis=1, dtype=np.float64)[:, None], self.truth.shape[1], axis=1)
        if len(member) == 1:
            return cells.sum(axis=0, dtype=np.float64)[None]
        return member.astype(np.float64) @ cells.astype(np.float64, copy=False)

    def compare(self, guess: np.ndarray, block: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Returns for a block of reconstructions (n, D) the difference and the error of each cell, (rows, C).

        The third is which rows are not finite, bool (rows,), or None where all are. Their difference is 0 and their
        error `CAP` times their denominator.
        """
        here = guess[block]
        here = here if self.scorer.included.all() else here[:, self.scorer.included]
        truth, mask = self.truth[block], self.mask_of(block)
        with np.errstate(over="ignore", invalid="ignore"):
            apart = here - truth
            if mask is not None:
                apart[~mask] = 0.0
            if self.scorer.metric == "fvu":
                error = np.square(apart)
            else:
                error = self.scorer.errors(truth, here if mask is None else np.where(mask, here, 0.5))
                if mask is not None:
                    error[~mask] = 0.0
            sound = np.isfinite(apart.sum() + error.sum())  # a sum is finite only if all its terms are
        if sound:
            return apart, error, None
        bad = ~(np.isfinite(apart) & np.isfinite(error)).all(axis=1)
        if not bad.any():
            return apart, error, None
        apart[bad] = 0.0
        error[bad] = CAP * self.denominator[block][bad]
        return apart, error, bad


def _zeroed(cells: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    if rows is not None:
        cells[rows] = 0.0
    return cells


def _capped(error: np.ndarray, denominator: np.ndarray, scorer: Scorer) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(denominator > 0, error / denominator, np.nan)
    return mean_over_groups(np.minimum(ratios, CAP), scorer.group_weights)
