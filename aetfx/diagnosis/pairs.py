"""Two changes at once, for scores that no single change mends (METHOD section 4).

A sigmoid output with cross-entropy on standardised rows is such a case: either fix alone leaves the
other fault in the way.
"""

from __future__ import annotations

import dataclasses

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY, Cause, Experiment, in_order
from aetfx.diagnosis.screen import Screened

_MOST_FIRST = 3


def hidden_causes(case: Case) -> list[Cause]:
    """Returns the causes whose setting is far from usual and which have no sign.

    Another fault may hide it: a range test on rows that hold marks says nothing of a rate.
    """
    return [cause for cause in in_order() if cause.unusual(case) and not cause.admit(case).admitted]


def pair_experiments(case: Case, screened: list[Screened]) -> list[Experiment]:
    """Returns admitted changes on top of each other, in the order of the causes.

    Where not all can be paid for, those stay whose second change gained by itself, as far as the first let it.

    Args:
      case: where no single change was verified.
      screened: the single changes, each tried at least in part. Settings far from usual are paired without.
    """
    singles: dict[str, Screened] = {}
    for item in sorted(screened, key=lambda s: s.score):
        if not item.experiment.late:
            singles.setdefault(item.experiment.code, item)
    ordered = sorted(singles.values(), key=lambda s: REGISTRY[s.experiment.code].order)
    hidden = hidden_causes(case)
    found: list[Experiment] = []
    for i, first in enumerate(ordered[:_MOST_FIRST]):
        trial = case.lab.trial(first.experiment.recipe)
        changed = dataclasses.replace(case, recipe=first.experiment.recipe, trial=trial)
        for cause in [*(REGISTRY[second.experiment.code] for second in ordered[i + 1 :]), *hidden]:
            # A generous change on top of any other helps a little always; such pairs say nothing, unless what is
            # changed was far from usual (all rows in one batch).
            if (cause.is_generous(case) and not cause.unusual(changed)) or not cause.admit(changed).admitted:
                continue
            alone = singles[cause.code].gain if cause.code in singles else 0.0
            priority = -round(100 * alone) if alone >= case.thresholds.screen_gain else 0
            found += [_join(first.experiment, e, priority) for e in cause.experiments(changed)[:2]]
    return found


def _join(first: Experiment, second: Experiment, priority: int) -> Experiment:
    return Experiment(
        code=first.code,
        recipe=second.recipe.changed(name=f"{first.recipe.name},{second.recipe.name}"),
        remedy=f"{first.remedy} {second.remedy}",
        keras=f"{first.keras}\n{second.keras}",
        study={**first.study, **second.study},
        shortenable=False,
        priority=priority,
        also=(second.code,),
    )
