"""The chain: look, screen, confirm, name, apply the fix, and go on with the rest (METHOD sections 3 to 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY, Admission, Experiment, in_order
from aetfx.diagnosis.causes.keras_code import to_paste
from aetfx.diagnosis.confirm import Candidate, Confirmation, Pools
from aetfx.diagnosis.more_rows import CODE as MORE_ROWS
from aetfx.diagnosis.more_rows import Promise, promise_of_more_rows
from aetfx.diagnosis.other_order import better_first
from aetfx.diagnosis.pairs import hidden_causes, pair_experiments
from aetfx.diagnosis.possible import admit, buildable, possible_experiments
from aetfx.diagnosis.result import CauseVerdict
from aetfx.diagnosis.screen import Plan, Screened, checkpoints, confirmed_first, leaders, plan, screen
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.training.recipe import Recipe
from aetfx.training.trial import OutOfTime
from aetfx.validation.findings import Finding
from aetfx.words import percent

_SCREEN_SHARE = 0.5  # of the remaining budget; the rest is for confirming
_MORE = 0.5  # of the budget, where the score is above the target and a fix was found or none that helps alone


@dataclass
class Step:
    """All that one step of the chain did, filled in as it goes on: what an early end leaves behind is still true."""

    case: Case
    admissions: dict[str, Admission]
    confirmation: Confirmation
    plan: Plan = field(default_factory=lambda: Plan([], 1.0, [], 0.0))
    screened: list[Screened] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    named: Candidate | None = None
    equivalents: list[Candidate] = field(default_factory=list)
    promise: Promise | None = None


@dataclass
class Outcome:
    """What the chain came to.

    Attributes:
      causes: verified, in the order of the chain.
      improvements, suspected: of the user's own recipe and of later steps.
      steps: what was done.
      recipe: the last recipe of the chain: the user's own, or the repaired one.
      short_of_budget: something was admitted that could not be paid for.
      truncated: the time, and not the plan, ended the chain.
      only_signs: no experiment was run; what is suspected rests on signs alone.
      turned: of two fixes the one that came to be named second was tried first.
    """

    causes: list[CauseVerdict] = field(default_factory=list)
    improvements: list[CauseVerdict] = field(default_factory=list)
    suspected: list[dict[str, Any]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    recipe: Recipe | None = None
    short_of_budget: bool = False
    truncated: bool = False
    only_signs: bool = False
    turned: bool = False
    pools: Pools = field(default_factory=dict)

    @property
    def promise(self) -> Promise | None:
        """What more rows promise, of the last step that measured it, or else that asked."""
        asked = [step.promise for step in reversed(self.steps) if step.promise is not None]
        return next((promise for promise in asked if promise.points), asked[0] if asked else None)

    @property
    def repaired(self) -> bool:
        """Whether some cause was mended: more rows, which may be asked for, are not to be had here."""
        return any(cause.verdict == "verified" for cause in self.causes)


def run_chain(
    lab: Lab,
    recipe: Recipe,
    findings: list[Finding],
    *,
    target: float,
    budget: float,
    thresholds: Thresholds,
    strict: bool = False,
    experiments: bool = True,
    interruptible: bool = False,
) -> Outcome:
    """Diagnoses a recipe.

    Args:
      lab: rows, score and trials.
      recipe: the user's own.
      findings: of the raw data.
      target: score that counts as good.
      budget: in units of the user's own training.
      thresholds: the numbers of the method.
      strict: True where the user set the budget: what a fix leaves behind is then paid from it or not at all.
      experiments: False trains the user's recipe once and tells what its signs suggest.
      interruptible: an interrupt (Ctrl-C) ends the chain early, as the end of the time does, and is not passed on.

    Raises:
      OutOfTime, KeyboardInterrupt: before the user's own recipe was trained once.
    """
    outcome = Outcome(recipe=recipe, only_signs=not experiments)
    lab.planned = budget if experiments else lab.cost(recipe)
    endings = (OutOfTime, KeyboardInterrupt) if interruptible else (OutOfTime,)
    while len(outcome.steps) < int(thresholds.most_steps):
        try:
            trial = lab.trial(outcome.recipe, score_at=checkpoints(outcome.recipe.epochs))
            case = Case(
                lab, outcome.recipe, trial, thresholds, target, findings, _mended(outcome), len(outcome.steps) + 1
            )
            step = _open_step(case, outcome)
            if not experiments:
                outcome.suspected += [_suspicion(step, code) for code in _signs(step)]
                break
            _run_step(step, outcome, budget, strict)
            if step.named is not None and step.named.experiment.code == "model.capacity_too_large":
                _ask_for_more_rows(step, outcome, budget)  # where a smaller model makes up for little, rows go first
            _collect(step, outcome)
            if step.named is None:
                if _turn(outcome, budget, strict):
                    continue
                # The noise between seeds says what a verdict could have seen, so it is always measured.
                step.confirmation.measure_baseline()
                _ask_for_more_rows(step, outcome, budget)
                _open_the_rest(step, outcome, budget, strict)
                break
        except endings:
            if not outcome.steps:
                raise
            outcome.truncated = True
            _keep_what_was_seen(outcome)
            break
        outcome.recipe = step.named.experiment.recipe
    return outcome


def _mended(outcome: Outcome) -> frozenset[str]:
    named = [step.named.experiment for step in outcome.steps if step.named is not None]
    return frozenset(code for experiment in named for code in (experiment.code, *experiment.also))


def _turn(outcome: Outcome, budget: float, strict: bool) -> bool:
    """Goes back to a step at which another verified fix should have been first; what came of the one that was is left
    out of the verdict. Says whether there was such a step; it is done once."""
    end, mended = outcome.steps[-1].case, _mended(outcome)
    if outcome.turned or end.is_good or end.is_noise:
        return False
    for i, step in enumerate(outcome.steps[:-1]):
        left = budget - end.lab.spent
        left = left if strict else max(left, _MORE * budget)
        beside = [c for c in step.candidates if c.decision == "verified" and not c.experiment.also]
        others = [c for c in beside if c.experiment.code not in mended]
        first = better_first(step.case, step.named, others, end, left) if step.named else None
        if first is None:
            continue
        outcome.causes = [cause for cause in outcome.causes if cause.step < step.case.step]
        outcome.improvements, outcome.suspected = [], []
        del outcome.steps[i + 1 :]
        step.named, step.equivalents, step.promise = first, [], None
        _collect(step, outcome)
        outcome.recipe, outcome.turned = first.experiment.recipe, True
        return True
    return False


def _open_step(case: Case, outcome: Outcome) -> Step:
    admissions = {cause.code: admit(case, cause.code) for cause in in_order()}
    generous = frozenset(code for code, cause in REGISTRY.items() if cause.is_generous(case))
    dear = frozenset(code for code, cause in REGISTRY.items() if cause.is_dear(case))
    confirmation = Confirmation(
        case.lab,
        case.recipe,
        case.thresholds,
        case.step,
        outcome.pools,
        target=case.target,
        generous=generous,
        behind=case.far_behind_pca,
        dear=dear,
        before_more=frozenset(code for code, cause in REGISTRY.items() if cause.comes_before_more(case)),
    )
    step = Step(case, admissions, confirmation)
    outcome.steps.append(step)
    return step


def _run_step(step: Step, outcome: Outcome, budget: float, strict: bool) -> None:
    case, confirmation = step.case, step.confirmation
    lab, t = case.lab, case.thresholds
    admitted = [code for code, admission in step.admissions.items() if admission.admitted]
    experiments = possible_experiments(case, admitted)
    left = max(0.0, budget - lab.spent)
    if case.step > 1 and not strict and case.select_score > case.target:  # one cause was found, and not the only one
        left = max(left, _MORE * budget)
    unsigned = frozenset(code for code, admission in step.admissions.items() if not admission.has_sign)
    usual = [e for e in experiments if not e.last_resort]
    step.plan = planned = plan(case, usual, left * _SCREEN_SHARE, unsigned)
    lab.planned = lab.spent + planned.cost + min(left, confirmation.cost(experiments[:2]))
    _screen_into(step, planned)
    dropped = [e for e in planned.dropped if e.code not in unsigned]
    if dropped and not strict and case.select_score >= t.at_the_mean and _nothing_gains(step):
        # A score at the mean is no verdict, so that what has a sign is tried to its end.
        _screen_into(step, plan(case, dropped, max(budget - lab.spent, _MORE * budget) * _SCREEN_SHARE))
    if _nothing_gains(step) and not hidden_causes(case):  # where there are some, pairs are worth more than what is dear
        resort = plan(case, [e for e in experiments if e.last_resort], (budget - lab.spent) * _SCREEN_SHARE)
        if resort.share == 1.0 and (not strict or lab.spent + resort.cost <= budget):
            _screen_into(step, resort)
    report_only = {code for code, admission in step.admissions.items() if admission.report_only}
    chosen = leaders(case, step.screened, report_only)
    first = confirmed_first(case, chosen)
    unpaid: list[Candidate] = []
    exhausted = leaders(case, step.screened, report_only, exhausted=True)
    late = [item for item in exhausted if item.experiment.late and item not in chosen]
    for group in (first, [item for item in chosen if item not in first], late):
        # Those far behind the leader cannot be its equal; they have their turn in the next step, or when it fails.
        if any(c.decision == "verified" for c in step.candidates):
            break
        asked = [Candidate(item.experiment, item.gain) for item in group]
        paid = _affordable(step, asked, budget, strict)
        outcome.short_of_budget |= len(paid) < len(asked)
        unpaid += asked[len(paid) :]
        step.candidates += paid
        lab.planned = lab.spent + confirmation.cost([c.experiment for c in paid])
        confirmation.run(step.candidates)
    looked_at = {s.experiment.code for s in step.screened} | {e.code for e in planned.experiments}
    outcome.short_of_budget |= any(e.code not in looked_at for e in planned.dropped)
    unusual = {code for code, cause in REGISTRY.items() if cause.unusual(case)}
    named, step.equivalents = confirmation.best(step.candidates, unusual)
    if _gets_nowhere(named, t) and case.select_score > case.target and not case.is_noise:
        pair = _try_pairs(step, budget, strict)
        if pair is not None:
            named, step.equivalents = pair, []
    if named is None:
        confirmation.insist(step.candidates, budget - lab.spent)
        named, step.equivalents = confirmation.best(step.candidates, unusual)
    step.named = named
    if named is None and outcome.causes:
        outcome.suspected += [_unpaid(step, c) for c in unpaid if _helps(case, c)]


def _nothing_gains(step: Step) -> bool:
    """Whether no change that was screened gains enough, of rows that hold more than noise."""
    case = step.case
    return max((s.gain for s in step.screened), default=0.0) < case.thresholds.least_gain and not case.is_noise


def _gets_nowhere(named: Candidate | None, thresholds: Thresholds) -> bool:
    """Whether no single change mends anything, or only brings what was worse than the mean back to it."""
    return named is None or float(np.mean(named.after)) > thresholds.at_the_mean


def _screen_into(step: Step, planned: Plan) -> list[Screened]:
    """Screens a plan; each result is kept at once, in the order of the plan when all are there."""
    place = {experiment.recipe.identity: i for i, experiment in enumerate(planned.experiments)}
    start = len(step.screened)
    for item in screen(step.case, planned):
        step.screened.append(item)
    step.screened[start:] = sorted(step.screened[start:], key=lambda s: place[s.experiment.recipe.identity])
    return step.screened[start:]


def _affordable(step: Step, chosen: list[Candidate], budget: float, strict: bool) -> list[Candidate]:
    """Returns the leading candidates that can be confirmed.

    On the user's own recipe that is always the first; behind a fix too, where it has a sign and surely gains.
    """
    case, kept = step.case, list(chosen)
    left = max(budget - case.lab.spent, 0.0)
    while kept and step.confirmation.cost([c.experiment for c in kept]) > left:
        if len(kept) == 1 and (case.step == 1 or (not strict and _is_plain(step, kept[0]))):
            break
        kept.pop()
    return kept


def _is_plain(step: Step, candidate: Candidate) -> bool:
    """Whether a further cause shows by its sign and by what its screen gained."""
    admission = step.admissions[candidate.experiment.code]
    return admission.has_sign and candidate.screened >= step.case.thresholds.sure_gain


def _try_pairs(step: Step, budget: float, strict: bool) -> Candidate | None:
    """Tries two admitted changes together where none helps alone; adds the pair to the candidates.

    Behind a fix, and with a budget that the user set, only what is left of it is spent. The default budget gives way:
    a bad score that nothing explains is no verdict.
    """
    case, confirmation, screened, candidates = step.case, step.confirmation, step.screened, step.candidates
    capped = strict and case.step > 1
    if capped and budget <= case.lab.spent:
        return None
    pairs = [pair for pair in pair_experiments(case, screened) if buildable(case.lab, pair)]
    left = max(0.0, budget - case.lab.spent)
    planned = plan(case, pairs, (left if strict else max(left, _MORE * budget)) * _SCREEN_SHARE)
    tried = list(screen(case, planned))
    singles = min((s.score for s in screened), default=case.select_score)
    best = min(tried, key=lambda s: s.score, default=None)
    # Both changes must be needed: the pair has to beat the better of the two by as much as a cause must.
    if best is None or best.score > (1 - case.thresholds.least_gain) * min(singles, case.select_score):
        return None
    if capped and confirmation.cost([best.experiment]) > budget - case.lab.spent:
        return None
    pair = Candidate(best.experiment, best.gain)
    confirmation.run([pair])
    candidates.append(pair)
    return pair if pair.decision == "verified" else None


def _collect(step: Step, outcome: Outcome) -> None:
    """Turns a step's decisions into verdicts."""
    if step.named is not None:
        outcome.causes.append(_verdict(step, step.named, "verified"))
        for code in step.named.experiment.also:
            outcome.causes.append(_verdict(step, step.named, "verified", code))
        if step.promise is not None and step.promise.verdict and not step.promise.surely:
            put_by_gain(outcome, step.promise.verdict)
        # What was seen against the unrepaired recipe is looked at again in the next step.
        return
    for candidate in step.candidates:
        if candidate.decision == "improvement":
            outcome.improvements.append(_verdict(step, candidate, "improvement"))
        elif candidate.decision == "suspected" and candidate.gain is not None:
            seen = (
                f"{candidate.experiment.recipe.name} gained {percent(candidate.gain.gain)}, but the lower "
                f"bound of that is only {percent(candidate.lower)}"
            )
            outcome.suspected.append(_suspicion(step, candidate.experiment.code, candidate.experiment, seen,
                                                candidate.gain.gain, candidate.gain.repeated))  # fmt: skip


def put_by_gain(outcome: Outcome, verdict: CauseVerdict) -> None:
    """Puts a cause before those of its step that gained less, or behind them."""
    place = len(outcome.causes)
    while place and outcome.causes[place - 1].step == verdict.step and outcome.causes[place - 1].gain < verdict.gain:
        place -= 1
    outcome.causes.insert(place, verdict)


def _suspicion(
    step: Step,
    code: str,
    experiment: Experiment | None = None,
    seen: str | None = None,
    gain: float | None = None,
    interval: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Words one suspected cause; see DESIGN section 8 for the fields."""
    admission = step.admissions[code]
    return {
        "code": code,
        "title": REGISTRY[code].title,
        "evidence": [*(admission.evidence if admission.admitted else ()), *([seen] if seen else [])],
        "gain": gain,
        "gain_interval": None if interval is None else list(interval),
        "experiment": experiment.recipe.identity if experiment else None,
        "experiment_name": experiment.recipe.name if experiment else None,
        "remedy": experiment.remedy if experiment else REGISTRY[code].meaning,
        "step": step.case.step,
    }


def _helps(case: Case, candidate: Candidate) -> bool:
    """Whether a single training says so of a change that does not help good models as well."""
    excused = case.is_good and REGISTRY[candidate.experiment.code].is_generous(case)
    return candidate.screened >= case.thresholds.least_gain and not (candidate.experiment.late or excused)


def _unpaid(step: Step, candidate: Candidate) -> dict[str, Any]:
    """Words what helps beside the causes that were mended, where the budget ends before it could be confirmed."""
    experiment, gain = candidate.experiment, candidate.screened
    seen = f"{experiment.recipe.name} gained {percent(gain)} in one training; the budget did not allow more"
    return _suspicion(step, experiment.code, experiment, seen, gain)


def _signs(step: Step) -> list[str]:
    """Returns the causes that have a sign, those first that win ties."""
    found = [code for code, admission in step.admissions.items() if admission.admitted and admission.has_sign]
    found = [code for code in found if not step.admissions[code].report_only]
    return sorted(found, key=lambda code: (not REGISTRY[code].unusual(step.case), REGISTRY[code].order))


def _keep_what_was_seen(outcome: Outcome) -> None:
    """After an early end: what gained enough in a screen, or in too few seeds, is a suspicion and nothing more."""
    step = outcome.steps[-1]
    best: dict[str, Screened] = {}
    for item in sorted(step.screened, key=lambda s: -s.gain):
        if item.gain >= step.case.thresholds.least_gain and not item.experiment.late:
            best.setdefault(item.experiment.code, item)
    outcome.suspected += [
        _suspicion(
            step, code, item.experiment, f"{item.experiment.recipe.name} gained {percent(item.gain)} in one training",
            item.gain,
        )
        for code, item in best.items()
        if not step.admissions[code].report_only
    ]  # fmt: skip


def _ask_for_more_rows(step: Step, outcome: Outcome, budget: float) -> None:
    """Sees what more rows promise, where nothing that can be changed was verified, or only a smaller model."""
    if any(cause.code == MORE_ROWS for cause in outcome.causes):
        return
    left = max(0.0, budget - step.case.lab.spent)
    behind = step.named is not None
    step.promise = promise_of_more_rows(step.case, step.confirmation, step.screened, left, behind=behind)
    outcome.short_of_budget |= step.promise.short_of_budget
    if step.promise.verdict is not None and step.promise.surely:
        outcome.suspected = [item for item in outcome.suspected if item["code"] != MORE_ROWS]  # of an earlier step
        outcome.causes.append(step.promise.verdict)
    elif behind and step.promise.open:
        gain, interval = step.promise.open
        outcome.suspected.append(_suspicion(step, MORE_ROWS, None, step.promise.reason, gain, interval))


def untried(step: Step) -> list[str]:
    """Returns the causes that were admitted and had no experiment for this model."""
    planned = {e.code for e in [*step.plan.experiments, *step.plan.dropped]} | {
        s.experiment.code for s in step.screened
    }
    return [code for code, admission in step.admissions.items() if admission.admitted and code not in planned]


def _open_the_rest(step: Step, outcome: Outcome, budget: float, strict: bool) -> None:
    """Runs what was not admitted once, where the score is bad and nothing explains it (METHOD section 4).

    A gain found this way has no precondition behind it, so that it is a suspicion and never a cause. So is a sign that
    no experiment could follow, because this model's layers cannot be changed so.
    """
    case, t = step.case, step.case.thresholds
    good = case.linear_reference is not None and case.select_score <= t.pca_close * case.linear_reference
    if outcome.causes or outcome.suspected or case.is_good or good or case.is_noise:
        return
    without = set(untried(step)) - set(step.plan.broken)
    for code in _signs(step):
        if code.startswith("model.") and code in without:
            seen = "this model's layers cannot be changed for it, so that it was not tried"
            outcome.suspected.append(_suspicion(step, code, None, seen))
    rest = [code for code, admission in step.admissions.items() if not admission.admitted]
    # Another target is another task: where nothing speaks against the user's, it is not for us to choose.
    rest = [code for code in rest if code != "code.target_mismatch"]
    experiments = possible_experiments(case, rest)
    left = max(0.0, budget - case.lab.spent)
    planned = plan(case, experiments, left)
    if planned.share < 1.0 or (strict and planned.cost > left):
        outcome.short_of_budget = True
        return
    for item in _screen_into(step, planned):
        if item.gain >= t.least_gain and not REGISTRY[item.experiment.code].is_generous(case):
            seen = f"nothing pointed to it, but {item.experiment.recipe.name} gained {percent(item.gain)} once"
            outcome.suspected.append(_suspicion(step, item.experiment.code, item.experiment, seen, item.gain))


def _verdict(step: Step, candidate: Candidate, verdict: str, code: str | None = None) -> CauseVerdict:
    experiment, gain = candidate.experiment, candidate.gain
    assert gain is not None
    cause = REGISTRY[code or experiment.code]
    together = [c for c in (experiment.code, *experiment.also) if c != cause.code]
    same = [c.experiment.code for c in step.equivalents] if candidate is step.named else []
    return CauseVerdict(
        code=cause.code,
        verdict=verdict,
        gain=gain.gain,
        gain_interval=gain.repeated,
        score_before=float(np.mean(candidate.before)),
        score_after=float(np.mean(candidate.after)),
        equivalents=same,
        evidence=[
            *step.admissions[cause.code].evidence,
            *(f"helps only together with the fix for {other}" for other in together),
        ],
        remedy=experiment.remedy,
        keras=to_paste(step.case, experiment),
        study=experiment.study,
        title=cause.title,
        meaning=cause.meaning,
        experiment=experiment.recipe.identity,
        experiment_name=experiment.recipe.name,
        seeds=len(candidate.after),
        step=step.case.step,
    )
