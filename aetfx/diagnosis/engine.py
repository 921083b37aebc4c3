"""The chain: look, screen, confirm, name, apply the fix, and go on with the rest (METHOD sections 3 to 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY, Admission, Experiment, in_order
from aetfx.diagnosis.confirm import Candidate, Confirmation, Pools
from aetfx.diagnosis.more_rows import Promise, promise_of_more_rows
from aetfx.diagnosis.pairs import pair_experiments
from aetfx.diagnosis.result import CauseVerdict
from aetfx.diagnosis.screen import Plan, Screened, checkpoints, leaders, plan, screen
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.training.recipe import Recipe
from aetfx.validation.findings import Finding
from aetfx.words import percent

_ALIKE_AT_MOST = 2.0  # times the leader's screened score: no interval is that wide
_SCREEN_SHARE = 0.5  # of the remaining budget; the rest is for confirming


@dataclass
class Step:
    """All that one step of the chain did."""

    case: Case
    admissions: dict[str, Admission]
    plan: Plan
    screened: list[Screened]
    candidates: list[Candidate]
    named: Candidate | None
    equivalents: list[Candidate]
    confirmation: Confirmation
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
    """

    causes: list[CauseVerdict] = field(default_factory=list)
    improvements: list[CauseVerdict] = field(default_factory=list)
    suspected: list[dict[str, Any]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    recipe: Recipe | None = None
    short_of_budget: bool = False
    pools: Pools = field(default_factory=dict)

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
) -> Outcome:
    """Diagnoses a recipe.

    Args:
      lab: rows, score and trials.
      recipe: the user's own.
      findings: of the raw data.
      target: score that counts as good.
      budget: in units of the user's own training.
      thresholds: the numbers of the method.
    """
    outcome = Outcome(recipe=recipe)
    lab.planned = budget
    fixed: frozenset[str] = frozenset()
    for number in range(1, int(thresholds.most_steps) + 1):
        trial = lab.trial(recipe, score_at=checkpoints(recipe.epochs))
        case = Case(lab, recipe, trial, thresholds, target, findings, fixed, number)
        step = _run_step(case, outcome, budget)
        outcome.steps.append(step)
        _collect(step, outcome)
        if step.named is None:
            # The noise between seeds says what a verdict could have seen, so it is always measured.
            step.confirmation.measure_baseline()
            _ask_for_more_rows(step, outcome, budget)
            _open_the_rest(step, outcome, budget)
            break
        fixed |= {step.named.experiment.code, *step.named.experiment.also}
        recipe = step.named.experiment.recipe
        outcome.recipe = recipe
    return outcome


def _run_step(case: Case, outcome: Outcome, budget: float) -> Step:
    lab, t = case.lab, case.thresholds
    admissions = {cause.code: _admit(case, cause.code) for cause in in_order()}
    admitted = [code for code, admission in admissions.items() if admission.admitted]
    experiments = _experiments(case, admitted)
    generous = frozenset(code for code, cause in REGISTRY.items() if cause.is_generous(case))
    confirmation = Confirmation(lab, case.recipe, t, case.step, outcome.pools, case.target, generous)
    left = max(0.0, budget - lab.spent)
    planned = plan(case, [e for e in experiments if not e.last_resort], left * _SCREEN_SHARE)
    lab.planned = lab.spent + planned.cost + min(left, confirmation.cost(experiments[:2]))
    screened = screen(case, planned)
    if max((s.gain for s in screened), default=0.0) < t.least_gain and not case.is_noise:
        resort = plan(case, [e for e in experiments if e.last_resort], (budget - lab.spent) * _SCREEN_SHARE)
        screened += screen(case, resort) if resort.share == 1.0 else []
    report_only = {code for code, admission in admissions.items() if admission.report_only}
    chosen = leaders(case, screened, report_only)
    first = [item for item in chosen if item.score <= _ALIKE_AT_MOST * min(s.score for s in chosen)]
    candidates: list[Candidate] = []
    for group in (first, [item for item in chosen if item not in first]):
        # Those far behind the leader cannot be its equal; they have their turn in the next step, or when it fails.
        if any(c.decision == "verified" for c in candidates):
            break
        asked = [Candidate(item.experiment, item.gain) for item in group]
        paid = _affordable(case, confirmation, asked, budget)
        outcome.short_of_budget |= len(paid) < len(asked)
        candidates += paid
        lab.planned = lab.spent + confirmation.cost([c.experiment for c in paid])
        confirmation.run(candidates)
    outcome.short_of_budget |= any(e.code not in {k.code for k in planned.experiments} for e in planned.dropped)
    unusual = {code for code, cause in REGISTRY.items() if cause.unusual(case)}
    named, equivalents = confirmation.best(candidates, unusual)
    if named is None and case.select_score > case.target and not case.is_noise:
        named = _try_pairs(case, confirmation, screened, candidates, budget)
    return Step(case, admissions, planned, screened, candidates, named, equivalents, confirmation)


def _experiments(case: Case, codes: list[str]) -> list[Experiment]:
    """Returns the experiments of some causes, without changes that change nothing or do not fit the model."""
    found: dict[str, Experiment] = {}
    for code in codes:
        for experiment in REGISTRY[code].experiments(case) if REGISTRY[code].screened else ():
            identity = experiment.recipe.identity
            if identity != case.recipe.identity and identity not in found and _buildable(case.lab, experiment):
                found[identity] = experiment
    return list(found.values())


def _affordable(case: Case, confirmation: Confirmation, chosen: list[Candidate], budget: float) -> list[Candidate]:
    """Returns the leading candidates that can be confirmed; on the user's own recipe always the first."""
    left = max(budget - case.lab.spent, 0.0)
    kept = list(chosen)
    while kept and confirmation.cost([c.experiment for c in kept]) > left and not (len(kept) == 1 and case.step == 1):
        kept.pop()
    return kept


def _try_pairs(
    case: Case, confirmation: Confirmation, screened: list[Screened], candidates: list[Candidate], budget: float
) -> Candidate | None:
    """Tries two admitted changes together where none helps alone; adds the pair to the candidates."""
    pairs = [pair for pair in pair_experiments(case, screened) if _buildable(case.lab, pair)]
    planned = plan(case, pairs, max(0.0, budget - case.lab.spent) * _SCREEN_SHARE)
    tried = screen(case, planned)
    singles = min((s.score for s in screened), default=case.select_score)
    best = min(tried, key=lambda s: s.score, default=None)
    # Both changes must be needed: the pair has to beat the better of the two by as much as a cause must.
    if best is None or best.score > (1 - case.thresholds.least_gain) * min(singles, case.select_score):
        return None
    pair = Candidate(best.experiment, best.gain)
    confirmation.run([pair])
    candidates.append(pair)
    return pair if pair.decision == "verified" else None


def _admit(case: Case, code: str) -> Admission:
    if case.step > 1 and REGISTRY[code].is_generous(case) and case.select_score <= case.target:
        return Admission.no(f"the score of {case.select_score:.3f} is good by now; more would be a choice")
    if code in case.fixed and code != "model.capacity_too_small":
        return Admission.no("mended in an earlier step")
    return REGISTRY[code].admit(case)


def _buildable(lab: Lab, experiment: Experiment) -> bool:
    """A change of widths may not fit the rest of a model (a fixed reshape); such an experiment is left out."""
    from aetfx.errors import ModelError

    try:
        lab.store.parameters(experiment.recipe)
    except ModelError:
        return False
    return True


def _collect(step: Step, outcome: Outcome) -> None:
    """Turns a step's decisions into verdicts."""
    if step.named is not None:
        outcome.causes.append(_verdict(step, step.named, "verified"))
        for code in step.named.experiment.also:
            outcome.causes.append(_verdict(step, step.named, "verified", code))
        # What was seen against the unrepaired recipe is looked at again in the next step.
        return
    for candidate in step.candidates:
        if candidate.decision == "improvement":
            outcome.improvements.append(_verdict(step, candidate, "improvement"))
        elif candidate.decision == "suspected" and candidate.gain is not None:
            cause = REGISTRY[candidate.experiment.code]
            low = candidate.lower
            outcome.suspected.append(
                {
                    "code": cause.code,
                    "title": cause.title,
                    "evidence": [
                        *step.admissions[cause.code].evidence,
                        (
                            f"{candidate.experiment.recipe.name} gained {percent(candidate.gain.gain)}, but the lower "
                            f"bound of that is only {percent(low)}"
                        ),
                    ],
                    "gain": candidate.gain.gain,
                    "gain_interval": list(candidate.gain.interval),
                    "experiment": candidate.experiment.recipe.identity,
                    "experiment_name": candidate.experiment.recipe.name,
                    "remedy": candidate.experiment.remedy,
                    "step": step.case.step,
                }
            )


def _ask_for_more_rows(step: Step, outcome: Outcome, budget: float) -> None:
    """Sees what more rows promise, where nothing that can be changed was verified."""
    left = max(0.0, budget - step.case.lab.spent)
    step.promise = promise_of_more_rows(step.case, step.confirmation, step.screened, left)
    outcome.short_of_budget |= step.promise.short_of_budget
    if step.promise.verdict is not None:
        outcome.causes.append(step.promise.verdict)


def _open_the_rest(step: Step, outcome: Outcome, budget: float) -> None:
    """Runs what was not admitted once, where the score is bad and nothing explains it (METHOD section 4).

    A gain found this way has no precondition behind it, so that it is a suspicion and never a cause.
    """
    case, t = step.case, step.case.thresholds
    good = case.pca is not None and case.select_score <= t.pca_close * case.pca
    if outcome.causes or outcome.suspected or case.select_score <= case.target or good or case.is_noise:
        return
    rest = [code for code, admission in step.admissions.items() if not admission.admitted]
    experiments = _experiments(case, rest)
    planned = plan(case, experiments, max(0.0, budget - case.lab.spent))
    if planned.share < 1.0:
        outcome.short_of_budget = True
        return
    opened = screen(case, planned)
    step.screened.extend(opened)
    for item in opened:
        if item.gain >= t.least_gain and not REGISTRY[item.experiment.code].is_generous(case):
            cause = REGISTRY[item.experiment.code]
            outcome.suspected.append(
                {
                    "code": cause.code,
                    "title": cause.title,
                    "evidence": [
                        f"nothing pointed to it, but {item.experiment.recipe.name} gained {percent(item.gain)} once"
                    ],
                    "gain": item.gain,
                    "gain_interval": None,
                    "experiment": item.experiment.recipe.identity,
                    "experiment_name": item.experiment.recipe.name,
                    "remedy": item.experiment.remedy,
                    "step": case.step,
                }
            )


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
        gain_interval=gain.interval,
        score_before=float(np.mean(candidate.before)),
        score_after=float(np.mean(candidate.after)),
        equivalents=same,
        evidence=[
            *step.admissions[cause.code].evidence,
            *(f"helps only together with the fix for {other}" for other in together),
        ],
        remedy=experiment.remedy,
        keras=experiment.keras,
        study=experiment.study,
        title=cause.title,
        meaning=cause.meaning,
        experiment=experiment.recipe.identity,
        experiment_name=experiment.recipe.name,
        seeds=len(candidate.after),
        step=step.case.step,
    )
