"""What a diagnosis would do and cost, worked out without training anything.

Some causes are decided by the data and the recipe alone; the signs of others (a loss that still falls, dead units) show
only in the first training. A plan says which is which, so that its total is what a diagnosis may spend at most.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from aetfx.comparison.request import Request
from aetfx.comparison.session import open_lab, prepare_model
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import Experiment, in_order
from aetfx.diagnosis.confirm import Confirmation
from aetfx.diagnosis.possible import admit, possible_experiments
from aetfx.diagnosis.session import budget
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.preprocessing.fit import Preprocessing
from aetfx.training.progress import Progress
from aetfx.training.recipe import Recipe


class NotTrainedYet(Exception):
    """Raised where something is asked that only a training can tell."""


@dataclass
class Untrained:
    """Stands for the trial of a recipe that was not trained: the model is there, nothing that training gives is.

    Attributes:
      recipe, seed, preprocessing: as of the trial.
      model: with its initial weights.
    """

    recipe: Recipe
    seed: int
    model: Any
    preprocessing: Preprocessing

    def __getattr__(self, name: str) -> NoReturn:
        raise NotTrainedYet(name)


def plan_request(request: Request, *, progress: Progress | None) -> dict[str, Any]:
    """Plans the diagnosis of a loaded request.

    Returns:
      `unit_seconds` (one training as the user wrote it), `budget` (in such units) and `confirmation` (cost of
      confirming one cause); `causes`, each with `code`, `title`, `state` ("will be tried", "after the first training"
      or "ruled out"), `reason`, and `experiments` with `name` and `cost`.

    Raises:
      AetfxError: the model does not fit the data.
    """
    thresholds = Thresholds.with_overrides(request.study.diagnosis.thresholds)
    prepared = prepare_model(request, progress)
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        session = open_lab(
            request.placed(Path(folder)), Path(folder), prepared, progress, shift_auc=thresholds.shift_auc
        )
        lab, recipe = session.lab, session.baseline
        untrained: Any = Untrained(recipe, lab.seed, recipe.source.build(), lab.preprocessing(recipe))
        findings = session.validation.findings
        case = Case(lab, recipe, untrained, thresholds, request.study.diagnosis.target, findings)
        confirmation = Confirmation(lab, recipe, thresholds, 1, {})
        pairs = len(confirmation.pairs())
        return {
            "schema_version": 1,
            "unit_seconds": round(lab.unit_seconds, 2),
            "budget": round(budget(lab, request.study.diagnosis.budget, thresholds), 2),
            "pairs": pairs,
            "confirmation": 2.0 * pairs,
            "rows": {part: len(getattr(lab.split(), part)) for part in ("train", "select", "confirm")},
            "causes": [_planned(case, cause.code, cause.title) for cause in in_order()],
        }


def _planned(case: Case, code: str, title: str) -> dict[str, Any]:
    try:
        admission = admit(case, code)
        state, reason = ("will be tried" if admission.admitted else "ruled out"), admission.evidence[0]
    except NotTrainedYet:
        state, reason = "after the first training", "its signs show in the loss, the weights or the reconstructions"
    found: list[Experiment] = []
    if state != "ruled out":
        with contextlib.suppress(NotTrainedYet):
            found = possible_experiments(case, [code])
    return {
        "code": code,
        "title": title,
        "state": state,
        "reason": reason,
        "experiments": [{"name": e.recipe.name, "cost": round(case.lab.cost(e.recipe), 2)} for e in found],
    }
