"""Screening: every admitted experiment once, one seed, on the select rows; nothing is reported from it alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from aetfx.comparison.pool import Job
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY, Experiment
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.errors import ModelError
from aetfx.training.recipe import Recipe

_SHARES = (1.0, 0.5, 0.25)
_ABOUT_ONE = 1.5  # times the user's training: what twice the epochs cost is more
_NEAR_BEST = 1.10  # the mildest variant within 10 % of the best score stands for its cause


@dataclass(frozen=True)
class Screened:
    """One screened experiment on the select rows: the baseline's score at the same length, its own, and the gain."""

    experiment: Experiment
    before: float
    score: float
    gain: float


@dataclass(frozen=True)
class Plan:
    """What a step will screen, at what length, and what there is no budget for; why experiments broke off, by code."""

    experiments: list[Experiment]
    share: float
    dropped: list[Experiment]
    cost: float
    broken: dict[str, str] = field(default_factory=dict)


def plan(case: Case, experiments: list[Experiment], allowance: float, unsigned: frozenset[str] = frozenset()) -> Plan:
    """Fits the screens of a step into an allowance, in units of the user's training.

    Fair screens are shortened first; of what still does not fit, further variants of a cause are dropped first, then
    causes that are `unsigned`: tried although nothing points to them.
    """
    for share in _SHARES:
        kept, cost = _fill(case, experiments, share, allowance, unsigned)
        if len(kept) == len(experiments):
            break
    return Plan(kept, share, [e for e in experiments if e not in kept], cost)


def _fill(
    case: Case, experiments: list[Experiment], share: float, allowance: float, unsigned: frozenset[str]
) -> tuple[list[Experiment], float]:
    """Takes one experiment of every cause before a second of any, so that each gets a look before one gets many.

    What costs about one training goes before what costs several: more epochs and wider layers, which most models gain
    from a little, would else take the budget of those that could tell.
    """
    rank: dict[str, int] = {}
    seen: dict[str, int] = {}
    for experiment in sorted(experiments, key=lambda e: e.priority):
        rank[experiment.recipe.identity] = seen.get(experiment.code, 0)
        seen[experiment.code] = rank[experiment.recipe.identity] + 1
    kept: list[Experiment] = []
    spent = 0.0

    def turn(e: Experiment) -> tuple[int, bool, bool, int]:
        dear = _cost(case, e, share) > _ABOUT_ONE
        return rank[e.recipe.identity], e.code in unsigned, dear, REGISTRY[e.code].order

    for experiment in sorted(experiments, key=turn):
        # A longer training of the same recipe replaces the shorter one, which is then read off it.
        free = max((_cost(case, e, share) for e in kept if _continues(experiment, e)), default=0.0)
        cost = _cost(case, experiment, share) - free
        if spent + cost <= allowance or not kept:
            kept.append(experiment)
            spent += cost
    return [e for e in experiments if e in kept], spent


def screen(case: Case, planned: Plan) -> Iterator[Screened]:
    """Trains each planned experiment once, the longest of a kind first so that shorter ones are read off it.

    A change that the user's code cannot take (a batch size written into a train_step) breaks off its own experiment
    only; the plan says so.
    """
    case.lab.prepare(_jobs(case, planned))
    for experiment in sorted(planned.experiments, key=lambda e: -e.recipe.epochs):
        recipe = shortened(experiment, planned.share)
        epochs = recipe.epochs
        before = (
            case.trial.scores.get(epochs, case.select_score) if recipe is not experiment.recipe else case.select_score
        )
        score = case.lab.score_of_prefix(recipe)
        if score is None:
            try:
                trial = case.lab.trial(recipe, score_at=_score_at(planned, experiment))
            except ModelError as error:
                planned.broken[experiment.code] = str(error)
                continue
            score = case.lab.score(trial, "select").value
        floor = case.thresholds.score_floor
        gain = 1 - max(score, floor) / max(before, floor)
        yield Screened(experiment, before, score, gain)


def _score_at(planned: Plan, experiment: Experiment) -> tuple[int, ...]:
    """Returns the epochs at which a trial is scored: where others are read off it, and where the next step looks.

    A fix that is named is the next step's baseline, whose shortened screens are compared with it at these epochs.
    """
    shorter = [other.recipe.epochs for other in planned.experiments if _continues(experiment, other)]
    recipe = shortened(experiment, planned.share)
    return tuple(sorted({*shorter, *(checkpoints(recipe.epochs) if recipe is experiment.recipe else ())}))


def _jobs(case: Case, planned: Plan) -> list[Job]:
    """Returns the trainings of a plan; those that are read off a longer one need none."""
    own = [e for e in planned.experiments if not any(_continues(longer, e) for longer in planned.experiments)]
    return [
        Job(shortened(e, planned.share), case.lab.seed, 0, _score_at(planned, e)) for e in own
    ]  # fmt: skip


def checkpoints(epochs: int) -> list[int]:
    """Returns the epochs at which a baseline is scored, so that shortened screens have something to compare with."""
    return sorted({max(1, math.ceil(epochs * share)) for share in _SHARES})


def shortened(experiment: Experiment, share: float) -> Recipe:
    """Returns the recipe of a screen; the full one where shortening would not be fair."""
    recipe = experiment.recipe
    if share == 1.0 or not experiment.shortenable:
        return recipe
    return recipe.changed(epochs=max(1, math.ceil(recipe.epochs * share)))


def leaders(case: Case, screened: list[Screened], report_only: set[str], *, exhausted: bool = False) -> list[Screened]:
    """Returns the experiments worth confirming: one per cause, the largest gains first.

    A wider code buys a lower error from any data, so that it joins only when nothing else helps, or when it
    leaves less than half of what every other single fix leaves (METHOD section 5).

    Args:
      case, screened: of the step.
      report_only: codes that are never named.
      exhausted: what else helped in its screen was not confirmed.
    """
    t = case.thresholds
    chosen: list[Screened] = []
    for code in dict.fromkeys(item.experiment.code for item in screened):
        for late in (False, True):
            variants = [s for s in screened if s.experiment.code == code and s.experiment.late == late]
            if variants and code not in report_only:
                gains = {s.experiment.recipe.name: s.gain for s in variants}
                strongest = min(variants, key=lambda s: s.score)
                best = strongest.score
                wanted = max(best * _NEAR_BEST, case.target if REGISTRY[code].enough else 0.0)
                sure = min(strongest.gain, t.sure_gain)
                mildest = next(s for s in variants if s.score <= wanted and s.gain >= sure)
                if late:
                    mildest = _code_width(case, variants) or mildest
                if mildest.gain >= t.screen_gain and REGISTRY[code].may_be_named(case, gains):
                    chosen.append(mildest)
    early = [s for s in chosen if not s.experiment.late]
    late_ones = [s for s in chosen if s.experiment.late]
    others = min((s.score for s in screened if not s.experiment.late), default=math.inf)
    if late_ones:
        widest = min(s.score for s in screened if s.experiment.late)
        helpful = not exhausted and any(s.gain >= t.least_gain for s in early)
        if (helpful and widest >= t.code_advantage * others) or not _doubling_pays(case, screened):
            late_ones = []
    ranked = _unusual_first(case, sorted(early + late_ones, key=partial(_rank, case)))
    if ranked and REGISTRY[ranked[0].experiment.code].is_dear(case):
        # More epochs are dear to confirm as well: what they stand back behind is paid for first.
        ranked.sort(key=lambda item: not _before_more(case, item))
    return ranked[: int(t.most_candidates)]


def _rank(case: Case, item: Screened) -> tuple[bool, float]:
    """Order of confirmation: by ln(before / after), of which that of more units or epochs counts in part.

    Where the score is good they are hardly ever named, so that they do not take the place of what may be.
    """
    dear = REGISTRY[item.experiment.code].is_dear(case)
    return dear and case.is_good, -_log_gain(item) * (case.thresholds.most_of_it if dear else 1.0)


def _log_gain(item: Screened) -> float:
    return -math.log(max(1 - item.gain, 1e-12))


def confirmed_first(case: Case, chosen: list[Screened]) -> list[Screened]:
    """Returns the leaders that may be named in this step; others have their turn in the next, or when it fails."""
    if not chosen:
        return []
    best = min(chosen, key=lambda s: s.score)
    most = case.thresholds.most_of_it * _log_gain(best)
    is_dear = {s.experiment.code: REGISTRY[s.experiment.code].is_dear(case) for s in chosen}
    stands_back = is_dear[best.experiment.code]
    return [
        item
        for item in chosen
        if may_be_alike(item, best.score, case.thresholds)
        or (stands_back and not is_dear[item.experiment.code] and (_log_gain(item) >= most or _before_more(case, item)))
    ]


def _before_more(case: Case, item: Screened) -> bool:
    return item.gain >= case.thresholds.least_gain and REGISTRY[item.experiment.code].comes_before_more(case)


def may_be_alike(item: Screened, best: float, thresholds: Thresholds) -> bool:
    """Whether what was screened may turn out to do as well as the best: what is alike is said in `confirm`."""
    return item.score <= thresholds.alike * best or item.score - best < thresholds.least_drop


def _unusual_first(case: Case, ranked: list[Screened]) -> list[Screened]:
    """Moves what was found in the rows, and settings outside their usual range, up behind the leader.

    Both stand, whatever a single training says of their rank: what is named of fixes that are alike is tried.
    """

    def is_first(item: Screened) -> bool:
        alike = may_be_alike(item, ranked[0].score, case.thresholds)
        code = item.experiment.code
        stands = REGISTRY[code].unusual(case) or code.startswith(("data.", "code."))
        return item is ranked[0] or (alike and stands)

    return sorted(ranked, key=lambda item: not is_first(item))


def _code_width(case: Case, variants: list[Screened]) -> Screened | None:
    """Returns the narrowest wider code that reaches the target, else the widest tried."""
    by_width = sorted(variants, key=lambda s: s.experiment.study.get("model.bottleneck", 0))
    return next((s for s in by_width if s.score <= case.target), by_width[-1])


def _doubling_pays(case: Case, screened: list[Screened]) -> bool:
    """Whether twice the code gains enough, and four times does not lose that again: the knee may lie between them.

    Where more than half of the variance is lost no doubling takes a quarter of it off (of 784 pixels through 2 numbers
    PCA loses 0.83, through 4 0.72): there both together must, and each its part.
    """
    t, late = case.thresholds, [s for s in screened if s.experiment.late]
    scores = [*(s.before for s in late[:1]), *(s.score for s in late)]  # at the same length, shortened or not
    gains = [1 - after / max(before, 1e-12) for before, after in itertools.pairwise(scores)]
    if not gains or min(gains) < 0:
        return False
    both = 1 - scores[-1] / max(scores[0], 1e-12)
    mostly_lost = scores[0] > t.mostly_lost and both >= t.doubling_gain and min(gains) >= t.doubling_part
    return gains[0] >= t.doubling_gain or mostly_lost


def _continues(longer: Experiment, shorter: Experiment) -> bool:
    """Whether one experiment is the other with more epochs."""
    epochs = shorter.recipe.epochs
    return longer.recipe.epochs > epochs and longer.recipe.changed(epochs=epochs).identity == shorter.recipe.identity


def _cost(case: Case, experiment: Experiment, share: float) -> float:
    return case.lab.cost(shortened(experiment, share))
