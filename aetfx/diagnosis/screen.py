"""Screening: every admitted experiment once, one seed, on the select rows; nothing is reported from it alone."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY, Experiment
from aetfx.training.recipe import Recipe

_SHARES = (1.0, 0.5, 0.25)
_NEAR_BEST = 1.10  # the mildest variant within 10 % of the best score stands for its cause


@dataclass(frozen=True)
class Screened:
    """One screened experiment: score on the select rows, and gain over the baseline at the same length."""

    experiment: Experiment
    score: float
    gain: float


@dataclass(frozen=True)
class Plan:
    """What a step will screen, at what length, and what there is no budget for."""

    experiments: list[Experiment]
    share: float
    dropped: list[Experiment]
    cost: float


def plan(case: Case, experiments: list[Experiment], allowance: float) -> Plan:
    """Fits the screens of a step into an allowance, in units of the user's training.

    Fair screens are shortened first; what still does not fit is dropped from the end of the cause order.
    """
    for share in _SHARES:
        cost = sum(_cost(case, e, share) for e in experiments if not _prefix_of_another(e, experiments))
        if cost <= allowance:
            return Plan(experiments, share, [], cost)
    kept, dropped, cost = [], [], 0.0
    for experiment in sorted(experiments, key=lambda e: REGISTRY[e.code].order):
        one = 0.0 if _prefix_of_another(experiment, experiments) else _cost(case, experiment, _SHARES[-1])
        if cost + one <= allowance or not kept:
            kept.append(experiment)
            cost += one
        else:
            dropped.append(experiment)
    return Plan(kept, _SHARES[-1], dropped, cost)


def screen(case: Case, planned: Plan) -> list[Screened]:
    """Trains each planned experiment once, the longest of a kind first so that shorter ones are read off it."""
    found: dict[str, Screened] = {}
    for experiment in sorted(planned.experiments, key=lambda e: -e.recipe.epochs):
        recipe = shortened(experiment, planned.share)
        epochs = recipe.epochs
        before = (
            case.trial.scores.get(epochs, case.select_score) if recipe is not experiment.recipe else case.select_score
        )
        score = case.lab.score_of_prefix(recipe)
        if score is None:
            shorter = [
                other.recipe.epochs for other in planned.experiments
                if other.recipe.changed(epochs=epochs).identity == recipe.identity and other.recipe.epochs < epochs
            ]  # fmt: skip
            trial = case.lab.trial(recipe, score_at=shorter)
            score = case.lab.score(trial, "select").value
        floor = case.thresholds.score_floor
        gain = 1 - max(score, floor) / max(before, floor)
        found[experiment.recipe.identity] = Screened(experiment, score, gain)
    return [found[e.recipe.identity] for e in planned.experiments]


def checkpoints(epochs: int) -> list[int]:
    """Returns the epochs at which a baseline is scored, so that shortened screens have something to compare with."""
    return sorted({max(1, math.ceil(epochs * share)) for share in _SHARES})


def shortened(experiment: Experiment, share: float) -> Recipe:
    """Returns the recipe of a screen; the full one where shortening would not be fair."""
    recipe = experiment.recipe
    if share == 1.0 or not experiment.shortenable:
        return recipe
    return recipe.changed(epochs=max(1, math.ceil(recipe.epochs * share)))


def leaders(case: Case, screened: list[Screened], report_only: set[str]) -> list[Screened]:
    """Returns the experiments worth confirming: one per cause, the largest gains first.

    A wider code buys a lower error from any data, so that it joins only when nothing else helps, or when it
    leaves less than half of what every other single fix leaves (METHOD section 5).
    """
    t = case.thresholds
    chosen: list[Screened] = []
    for code in {item.experiment.code for item in screened}:
        for late in (False, True):
            variants = [s for s in screened if s.experiment.code == code and s.experiment.late == late]
            if variants and code not in report_only:
                gains = {s.experiment.recipe.name: s.gain for s in variants}
                best = min(s.score for s in variants)
                mildest = next(s for s in variants if s.score <= best * _NEAR_BEST)
                if late:
                    mildest = _code_width(case, variants) or mildest
                if mildest.gain >= t.screen_gain and REGISTRY[code].may_be_named(case, gains):
                    chosen.append(mildest)
    early = [s for s in chosen if not s.experiment.late]
    late_ones = [s for s in chosen if s.experiment.late]
    others = min((s.score for s in screened if not s.experiment.late), default=math.inf)
    if late_ones:
        widest = min(s.score for s in screened if s.experiment.late)
        helpful = any(s.gain >= t.least_gain for s in early)
        if (helpful and widest >= t.code_advantage * others) or not _doubling_pays(case, screened):
            late_ones = []
    return sorted(early + late_ones, key=lambda s: -s.gain)[: int(t.most_candidates)]


def _code_width(case: Case, variants: list[Screened]) -> Screened | None:
    """Returns the narrowest wider code that reaches the target, else the widest tried."""
    by_width = sorted(variants, key=lambda s: s.experiment.study.get("model.bottleneck", 0))
    return next((s for s in by_width if s.score <= case.target), by_width[-1])


def _doubling_pays(case: Case, screened: list[Screened]) -> bool:
    scores = [case.select_score, *(s.score for s in screened if s.experiment.late)]
    gains = [1 - after / max(before, 1e-12) for before, after in itertools.pairwise(scores)]
    return bool(gains) and min(gains) >= case.thresholds.doubling_gain


def _prefix_of_another(experiment: Experiment, experiments: list[Experiment]) -> bool:
    """Whether a longer training of the same recipe is planned, off which this one is read for nothing."""
    recipe = experiment.recipe
    return any(
        other.recipe.epochs > recipe.epochs and other.recipe.changed(epochs=recipe.epochs).identity == recipe.identity
        for other in experiments
    )


def _cost(case: Case, experiment: Experiment, share: float) -> float:
    return case.lab.cost(shortened(experiment, share))
