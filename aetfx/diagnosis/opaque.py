"""What could not be tried because a model's layers cannot be rewritten, in plain words."""

from __future__ import annotations

from aetfx.diagnosis.engine import Outcome, Step, untried


def not_rewritable(outcome: Outcome) -> list[str]:
    """Returns one sentence where the user's model cannot be rewritten, else none."""
    step = outcome.steps[0]
    if step.case.rewritable:
        return []
    codes = [code for step in outcome.steps for code in untried(step)]
    tried = f"these causes could not be tried: {', '.join(dict.fromkeys(codes))}" if codes else "no cause needed it"
    return [f"This model's layers cannot be rewritten, because {_reason(step)}; {tried}."]


def _reason(step: Step) -> str:
    if step.case.recipe.source.opaque_because:
        return step.case.recipe.source.opaque_because
    if step.case.architecture.opaque:
        return "it has hardly any layers that can be seen"
    return f"{step.case.architecture.kind} makes them itself and its configuration does not hold them"
