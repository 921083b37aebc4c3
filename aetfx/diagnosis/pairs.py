"""Two changes at once, for scores that no single change mends (METHOD section 4).

A sigmoid output with cross-entropy on standardised rows is such a case: either fix alone leaves the
other fault in the way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

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
    for i, item in enumerate(ordered[:_MOST_FIRST]):
        behind = [*(REGISTRY[second.experiment.code] for second in ordered[i + 1 :]), *hidden]
        found += _on_top(case, item.experiment, behind, singles)
        if item.gain < case.thresholds.screen_gain:
            leaders = [cause for cause in behind if _gained_alone(case, cause, singles)]
            for other in _others(case, item.experiment) if leaders else ():
                found += _on_top(case, other, leaders, singles)
    return found


def _on_top(case: Case, first: Experiment, behind: list[Cause], singles: dict[str, Screened]) -> Iterator[Experiment]:
    trial = case.lab.trial(first.recipe)
    changed = dataclasses.replace(case, recipe=first.recipe, trial=trial)
    for cause in behind:
        # A generous change on top of any other helps a little always; such pairs say nothing, unless what is
        # changed was far from usual (all rows in one batch).
        if (cause.is_generous(case) and not cause.unusual(changed)) or not cause.admit(changed).admitted:
            continue
        priority = -round(100 * singles[cause.code].gain) if _gained_alone(case, cause, singles) else 0
        yield from (_join(first, e, priority) for e in cause.experiments(changed)[:2])


def _gained_alone(case: Case, cause: Cause, singles: dict[str, Screened]) -> bool:
    return cause.code in singles and singles[cause.code].gain >= case.thresholds.screen_gain


def _others(case: Case, best: Experiment) -> list[Experiment]:
    """Returns the first of a cause's experiments: where the best of them gained nothing, it is best by chance alone
    (a robust loss, with the gross cells still in the scale and a softmax at the output)."""
    first = REGISTRY[best.code].experiments(case)[:2]
    return [experiment for experiment in first if experiment.recipe.identity != best.recipe.identity]


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
