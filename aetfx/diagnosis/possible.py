"""Which changes can be tried on a recipe at some step of the chain."""

from __future__ import annotations

from aetfx.comparison.lab import Lab
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY, Admission, Experiment


def admit(case: Case, code: str) -> Admission:
    """Asks a cause whether it may be tried at this step of the chain."""
    cause = REGISTRY[code]
    if case.step > 1 and cause.is_generous(case) and case.is_good and cause.excused(case):
        return Admission.no(f"the score of {case.select_score:.3f} is good by now; more would be a choice")
    if code in case.fixed and code != "model.capacity_too_small":
        return Admission.no("mended in an earlier step")
    return cause.admit(case)


def possible_experiments(case: Case, codes: list[str]) -> list[Experiment]:
    """Returns the experiments of some causes, without changes that change nothing or do not fit the model."""
    found: dict[str, Experiment] = {}
    for code in codes:
        for experiment in REGISTRY[code].experiments(case) if REGISTRY[code].screened else ():
            identity = experiment.recipe.identity
            if identity != case.recipe.identity and identity not in found and buildable(case.lab, experiment):
                found[identity] = experiment
    return list(found.values())


def buildable(lab: Lab, experiment: Experiment) -> bool:
    """A change of widths may not fit the rest of a model (a fixed reshape); such an experiment is left out."""
    from aetfx.errors import ModelError

    try:
        lab.store.work(experiment.recipe)
    except ModelError:
        return False
    return True
