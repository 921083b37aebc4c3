"""What could not be tried because a model's layers cannot be rewritten, in plain words."""

from __future__ import annotations

from aetfx.diagnosis.engine import Outcome, Step


def not_rewritable(outcome: Outcome) -> list[str]:
    """Returns one sentence where the user's model cannot be rewritten, else none."""
    step = outcome.steps[0]
    if step.case.rewritable:
        return []
    codes = [code for step in outcome.steps for code in _untried(step)]
    tried = f"these causes could not be tried: {', '.join(dict.fromkeys(codes))}" if codes else "no cause needed it"
    return [f"This model's layers cannot be rewritten, because {_reason(step)}; {tried}."]


def _untried(step: Step) -> list[str]:
    """Returns the causes that were admitted and had no experiment for this model."""
    planned = {e.code for e in [*step.plan.experiments, *step.plan.dropped]} | {
        s.experiment.code for s in step.screened
    }
    return [code for code, admission in step.admissions.items() if admission.admitted and code not in planned]


def _reason(step: Step) -> str:
    if step.case.recipe.source.opaque_because:
        return step.case.recipe.source.opaque_because
    if step.case.architecture.opaque:
        return "it has hardly any layers that can be seen"
    return f"{step.case.architecture.kind} makes them itself and its configuration does not hold them"
