"""Confirming: candidates at full length, with fresh seeds, on rows that nobody selected on (METHOD section 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.comparison.pool import Job
from aetfx.diagnosis.causes import REGISTRY, Experiment
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.evaluation.paired import (
    Gain,
    alike,
    detectable_gain,
    gain_over_resplits,
    gain_over_seeds,
    holm,
    pooled_log_variance,
)
from aetfx.evaluation.score import paired_row_variance
from aetfx.training.recipe import Recipe

_SEEDS = 3
_SEEDS_FEW_ROWS = 5
_RESPLITS = 5
_MORE = 3
_INSISTENCE = 3  # times that much again, where a step would end with a suspicion
_REJECT_AFTER = 2


Pools = dict[str, dict[tuple[int, int], float]]


@dataclass
class Candidate:
    """An experiment under confirmation and what came of it.

    Attributes:
      experiment: the change.
      screened: its gain in the screen.
      before, after: paired scores.
      gain: the estimate, once there are pairs enough.
      level: the level at which Holm's procedure tests it.
      decision: verified | improvement | suspected | no effect.
      close: it gained enough for a cause, but not surely enough: more pairs may tell.
    """

    experiment: Experiment
    screened: float
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    gain: Gain | None = None
    level: float = 0.05
    decision: str = "no effect"
    close: bool = False

    @property
    def lower(self) -> float:
        return self.gain.lower_at(self.level) if self.gain else -math.inf


class Confirmation:
    """Trains baseline and candidates on the same seeds or re-splits and decides.

    Args:
      lab: where trials come from.
      baseline: the recipe of this step.
      thresholds: the numbers of the method.
      step: of the chain; the error level is halved at each.
      pools: scores of the whole run, by configuration, then by (seed, split); the between-seed variance is pooled
        from them.
      target: score that counts as good. Below it a generous change (epochs, width, batch, activations) is an
        improvement and no cause, unless it takes away two thirds of the error: it would help healthy models as well.
      behind: the baseline is so far behind PCA that a good score excuses nothing, nor that little is left to gain; a
        wider code stays a choice.
      generous: codes of such changes; by default as the causes declare them.
      before_more: codes of fixes behind which more epochs and units stand back however much more these do.
      dear: those of them that gain by costing more. Of the others, at equal cost or from an unusual setting, no healthy
        model gains much, so that less is asked of them; by default as the causes declare them.
    """

    def __init__(
        self,
        lab: Lab,
        baseline: Recipe,
        thresholds: Thresholds,
        step: int,
        pools: Pools,
        target: float = 0.0,
        generous: frozenset[str] | None = None,
        behind: bool = False,
        dear: frozenset[str] | None = None,
        before_more: frozenset[str] = frozenset(),
    ):
        self.generous = {c for c, cause in REGISTRY.items() if cause.generous} if generous is None else generous
        self.dear = {c for c in self.generous if not REGISTRY[c].equal_cost} if dear is None else dear
        self.lab = lab
        self.before_more = before_more
        self.target, self.behind = target, behind
        self.baseline = baseline
        self.thresholds = thresholds
        self.alpha = thresholds.level / 2**step
        self.pools = pools
        self.resplit = lab.resplits and len(lab.split().held_out) < thresholds.few_rows
        self.extra = 0

    def pairs(self) -> list[tuple[int, int]]:
        """Returns (seed, split index) of each pair."""
        first = self.lab.seed + 1
        if self.resplit:
            return [(first + i, 1 + i) for i in range(_RESPLITS + self.extra)]
        # Where eval is unlike train no row may change sides: five seeds stand for five re-splits (METHOD section 2).
        few = self.lab.reserve or len(self.lab.split().held_out) < self.thresholds.few_rows
        return [(first + i, 0) for i in range((_SEEDS_FEW_ROWS if few else _SEEDS) + self.extra)]

    def cost(self, candidates: list[Experiment]) -> float:
        """Returns the cost of confirming, in units; a confirmed fix is the next step's baseline and costs nothing."""
        known = self.pools.get(self.baseline.identity, {})
        n_new = sum(pair not in known for pair in self.pairs())
        n_pairs = len(self.pairs())
        return n_new * self.lab.cost(self.baseline) + n_pairs * sum(self.lab.cost(c.recipe) for c in candidates)

    def run(self, candidates: list[Candidate]) -> None:
        """Measures all candidates and writes gain and decision into each."""
        if not candidates:
            return
        self._measure(candidates)
        self._decide(candidates)
        self._once_more(candidates)

    def insist(self, candidates: list[Candidate], allowance: float) -> None:
        """Measures what is still suspected with further seeds, as long as the allowance (in units) lasts.

        For a step that would otherwise end with a suspicion: a budget that is left over is of no other use.
        """
        for _ in range(_INSISTENCE):
            undecided = self._undecided(candidates)
            if not undecided or self._cost_of_more(undecided) > allowance:
                return
            allowance -= self._cost_of_more(undecided)
            self._once_more(candidates)

    def _undecided(self, candidates: list[Candidate]) -> list[Candidate]:
        return [c for c in candidates if c.close and len(c.after) == len(self.pairs())]

    def _cost_of_more(self, candidates: list[Candidate]) -> float:
        recipes = [self.baseline, *(c.experiment.recipe for c in candidates)]
        return _MORE * sum(self.lab.cost(recipe) for recipe in recipes)

    def _once_more(self, candidates: list[Candidate]) -> None:
        """Measures those that gained enough, but not surely enough, with more pairs."""
        undecided = self._undecided(candidates)
        if undecided:
            self.extra += _MORE
            self._measure(undecided)
            self._decide(candidates)

    def best(self, candidates: list[Candidate], unusual: set[str]) -> tuple[Candidate | None, list[Candidate]]:
        """Returns the verified candidate to name, and those that do as well.

        Of fixes that are alike, a setting outside its usual range goes first, then the order of the causes. More
        units or epochs make up for a part of any fault, so that they stand back behind a fix of the others that does
        most of what they do; they have their turn in the next step.
        """
        verified = [c for c in candidates if c.decision == "verified"]
        if not verified:
            return None, []
        leader = max(verified, key=_log_gain)
        if leader.experiment.code in self.dear:
            most = self.thresholds.most_of_it * _log_gain(leader)
            others = [c for c in verified if c.experiment.code not in self.dear]
            nearer = [c for c in others if _log_gain(c) >= most or c.experiment.code in self.before_more]
            leader = max(nearer, key=_log_gain, default=leader)
        same = [c for c in verified if c is leader or self._alike(leader, c)]
        same.sort(key=lambda c: (c.experiment.code not in unusual, REGISTRY[c.experiment.code].order))
        return same[0], same[1:]

    def detectable(self) -> float | None:
        """Returns the gain that would have been found with 80 % power, from the noise of this run."""
        variance, df = self._pooled()
        if df < 1:
            return None
        n_pairs = len(self.pairs())
        share = 1 / n_pairs + (self._ratio() if self.resplit else 0.0)
        df = n_pairs - 1 if self.resplit else df
        return detectable_gain(math.sqrt(2 * variance * share), df, self.alpha, least=self.thresholds.least_gain)

    def measure_baseline(self) -> None:
        """Trains the baseline on all pairs, where that has not been done."""
        rows = "held_out" if self.resplit and not self.baseline.early_stopping else "confirm"
        self._prepare([], self.pairs())
        for seed, index in self.pairs():
            if (seed, index) not in self.pools.get(self.baseline.identity, {}):
                self._score(self.baseline, seed, index, rows)

    def _measure(self, candidates: list[Candidate]) -> None:
        stops = any(c.experiment.recipe.early_stopping for c in candidates) or self.baseline.early_stopping
        rows = "held_out" if self.resplit and not stops else "confirm"
        for i, (seed, index) in enumerate(self.pairs()):
            if i in (0, _REJECT_AFTER):  # what two pairs rule out is not trained any further
                self._prepare([c for c in candidates if not self._hopeless(c)], self._wave(i))
            before = self._score(self.baseline, seed, index, rows)
            for candidate in candidates:
                if len(candidate.after) > i or self._hopeless(candidate):
                    continue
                candidate.before.append(before)
                candidate.after.append(self._score(candidate.experiment.recipe, seed, index, rows))

    def _wave(self, first: int) -> list[tuple[int, int]]:
        return self.pairs()[:_REJECT_AFTER] if first == 0 else self.pairs()[_REJECT_AFTER:]

    def _prepare(self, candidates: list[Candidate], pairs: list[tuple[int, int]]) -> None:
        """Has the trainings of some pairs done side by side."""
        recipes = [self.baseline, *(c.experiment.recipe for c in candidates)]
        known = [set(self.pools.get(recipe.identity, {})) for recipe in recipes]
        self.lab.prepare(
            Job(recipe, seed, index)
            for seed, index in pairs
            for recipe, done in zip(recipes, known, strict=True)
            if (seed, index) not in done
        )

    def _score(self, recipe: Recipe, seed: int, index: int, rows: str) -> float:
        trial = self.lab.trial(recipe, seed=seed, index=index)
        value = self.lab.score(trial, rows, index).value
        self.pools.setdefault(recipe.identity, {})[(seed, index)] = value
        return value

    def _pooled(self) -> tuple[float, int]:
        return pooled_log_variance([list(scores.values()) for scores in self.pools.values()])

    def _hopeless(self, candidate: Candidate) -> bool:
        if len(candidate.after) < _REJECT_AFTER:
            return False
        floor = self.thresholds.score_floor
        logs = [math.log(max(b, floor) / max(a, floor)) for b, a in zip(candidate.before, candidate.after, strict=True)]
        return max(logs) < -math.log(1 - self.thresholds.early_rejection_gain)

    def _estimate(self, before: list[float], after: list[float], row_variance: float) -> Gain:
        if self.resplit:
            return gain_over_resplits(before, after, test_train_ratio=self._ratio(), alpha=self.alpha)
        return gain_over_seeds(before, after, pooled=self._pooled(), row_variance=row_variance, alpha=self.alpha)

    def _ratio(self) -> float:
        split = self.lab.split(0)
        return len(split.held_out) / len(split.train)

    def _decide(self, candidates: list[Candidate]) -> None:
        t = self.thresholds
        for c in candidates:
            if len(c.after) < len(self.pairs()) - self.extra:
                c.decision, c.gain = "no effect", None
                continue
            c.gain = self._estimate(c.before, c.after, self._row_variance(c))
        measured = [c for c in candidates if c.gain is not None]
        bounds = {id(c): self._bound(c) for c in measured}
        levels = holm([c.gain.p_value(bounds[id(c)]) for c in measured if c.gain], self.alpha)
        for c, level in zip(measured, levels, strict=True):
            assert c.gain is not None
            c.level = level
            drop = float(np.mean(c.before) - np.mean(c.after))
            generous = c.experiment.code in self.generous
            good = generous and float(np.mean(c.before)) <= self.target
            plain = c.experiment.code not in self.dear and not c.experiment.late
            glaring = c.lower >= self._glaring(plain)
            chosen = good and (c.experiment.late or not glaring)
            # No healthy model gains that much at equal cost, however little there is to gain.
            strict = not generous or self.behind or plain
            worth_it = c.gain.gain >= t.least_gain and drop >= (t.least_drop_strict if strict else t.least_drop)
            enough = worth_it and (drop >= t.least_drop or not generous or glaring)
            c.close = worth_it and (plain or not chosen) and (chosen or not enough or c.lower < bounds[id(c)])
            if enough and not chosen:
                c.decision = "verified" if c.lower >= bounds[id(c)] else "suspected"
            elif c.lower > t.improvement_lower_bound:
                c.decision = "improvement"
            else:
                c.decision = "no effect"

    def _bound(self, candidate: Candidate) -> float:
        dear = candidate.experiment.code in self.dear
        return self.thresholds.least_lower_bound_dear if dear else self.thresholds.least_lower_bound

    def _glaring(self, plain: bool) -> float:
        """Returns the lower bound from which on a good score excuses nothing; `plain` changes cost no more."""
        t = self.thresholds
        if plain:
            return t.least_lower_bound_plain_behind if self.behind else t.least_lower_bound_plain
        return t.least_lower_bound_behind if self.behind else t.least_lower_bound_good

    def _row_variance(self, candidate: Candidate) -> float:
        """Variance of ln(before / after) over redrawn confirm rows; re-splits redraw the rows themselves."""
        if self.resplit:
            return 0.0
        scorer, after = self.lab.scorer(), candidate.experiment.recipe
        seed, index = self.pairs()[0]
        predictions = []
        for recipe in (self.baseline, after):
            trial = self.lab.trial(recipe, seed=seed, index=index)
            truth, predicted = self.lab.compared(recipe, trial.predict, "confirm")
            predictions.append(predicted)
        return paired_row_variance(scorer, truth, *predictions, seed=self.lab.seed, rows=self.lab.judged_rows)

    def _alike(self, a: Candidate, b: Candidate) -> bool:
        """Whether two fixes repair the same: no sure difference, or one too small to be a fault by itself."""
        n = min(len(a.after), len(b.after))
        if abs(float(np.mean(a.after[:n])) - float(np.mean(b.after[:n]))) < self.thresholds.least_drop:
            return True
        return alike(a.after[:n], b.after[:n], partial(self._estimate, row_variance=0.0))


def _log_gain(candidate: Candidate) -> float:
    return candidate.gain.log_ratio if candidate.gain else -math.inf
