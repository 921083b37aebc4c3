"""The order of two fixes, where the first one left the second nothing to show (METHOD section 4).

A fix may make up for a part of another fault, and so hide it: rows that were clipped and brought between 0 and 1,
because a ReLU at the output gives nothing else, leave no value that the output cannot give, and a poor model. The fix
of the output, first, leaves the outliers to be seen.
"""

from __future__ import annotations

import dataclasses

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.confirm import Candidate
from aetfx.diagnosis.possible import admit, possible_experiments
from aetfx.diagnosis.screen import plan, screen

_MOST_TRIED = 3


def better_first(opened: Case, named: Candidate, verified: list[Candidate], end: Case, left: float) -> Candidate | None:
    """Returns the fix that should have gone first; None where the order that was taken does as well.

    Args:
      opened: the step at which one of several verified fixes was chosen.
      named: that one.
      verified: the others, of causes that were not mended since.
      end: where the chain came to, with a score that is not good.
      left: what may be spent, in units of the user's own training.
    """
    code = named.experiment.code
    for other in sorted(verified, key=lambda c: -c.screened):
        recipe = other.experiment.recipe
        if left < 2 * end.lab.cost(recipe):
            return None
        start = end.lab.spent
        turned = dataclasses.replace(
            opened,
            recipe=recipe,
            trial=end.lab.trial(recipe),
            fixed=opened.fixed | {other.experiment.code},
            step=opened.step + 1,
        )
        if admit(turned, code).admitted:
            tried = plan(turned, possible_experiments(turned, [code])[:_MOST_TRIED], left)
            best = min((item.score for item in screen(turned, tried)), default=end.select_score)
            if best <= (1 - end.thresholds.least_gain) * end.select_score:
                return other
        left -= end.lab.spent - start
    return None
