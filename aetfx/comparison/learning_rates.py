"""`find-lr`: which learning rates suit a study, by a range test that starts each rate from the same weights."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.request import open_request
from aetfx.comparison.session import open_lab, prepare_model
from aetfx.run import Run, read_json, write_json, write_text
from aetfx.study import Study
from aetfx.training.progress import Progress
from aetfx.training.range_test import range_test

_LOWEST, _HIGHEST, _PER_DECADE = 1e-6, 10.0, 3
_AS_GOOD = 0.10  # of what the best rate took off the loss: a rate that lacks no more than this is as good


def find_learning_rates(study: Study, out: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Trains a few hundred updates at each of 22 learning rates.

    Args:
      study: what to train; its own learning rate is among those tried.
      out: run directory; a finished test is shown again.
      progress: told what is being done.

    Returns:
      The content of `learning_rates.json`: `rates` (each with the loss that it reached, null where it diverged),
      `current`, `best`, and `good`, the lowest and the highest rate around the best one that are as good.

    Raises:
      AetfxError: the data or the model cannot be used.
    """
    request = open_request(study)
    study = request.study
    if (out / "lineage.json").exists():
        with Run(out) as run:
            if run.done("learning_rates", request.inputs or ""):
                return dict(read_json(run.path("learning_rates.json")))
    request = request.loaded().placed(out)
    started = time.perf_counter()
    prepared = prepare_model(request, progress)
    with Run(out) as run:
        session = open_lab(request, out, prepared, progress)
        lab, recipe = session.lab, session.baseline
        write_text(run.path("study.yaml"), study.to_yaml())
        part = lab.trained_on(recipe)
        rates = rates_around(recipe.learning_rate)

        def tell(done: int) -> None:
            if progress is not None:
                progress.update(f"learning rate {rates[min(done, len(rates) - 1)]:.3g}", done, len(rates))

        losses = range_test(
            recipe,
            part.inputs,
            lab.preprocessing(recipe),
            rates,
            seed=lab.seed,
            targets=part.targets,
            workshop=lab.workshop,
            jit=lab.jit(recipe),
            tell=tell,
        )
        record = {
            "schema_version": 1,
            "study_name": study.name,
            "optimizer": recipe.optimizer_name,
            "loss_name": recipe.loss_name,
            "current": recipe.learning_rate,
            "rates": [{"rate": rate, "loss": loss if math.isfinite(loss) else None} for rate, loss in losses.items()],
            **judged(losses),
        }
        write_json(run.path("learning_rates.json"), record)
        run.finish(
            "learning_rates",
            request.inputs or "",
            [run.path("learning_rates.json")],
            seconds=time.perf_counter() - started,
        )
    return record


def rates_around(current: float) -> list[float]:
    """Returns three rates per decade from 1e-6 to 10, and the study's own.

    >>> len(rates_around(1e-3)), len(rates_around(3e-3))
    (22, 23)
    """
    count = round(math.log10(_HIGHEST / _LOWEST) * _PER_DECADE) + 1
    grid = [float(f"{rate:.3g}") for rate in np.geomspace(_LOWEST, _HIGHEST, count)]
    return sorted({*grid, current})


def judged(losses: dict[float, float]) -> dict[str, Any]:
    """Returns the best rate, and the lowest and the highest of the rates around it that are as good.

    A rate is as good where it lacks no more than a tenth of what the best one took off the loss of the lowest rate.

    >>> judged({1e-4: 1.0, 1e-3: 0.25, 1e-2: 0.2, 1e-1: float("inf")})
    {'best': 0.01, 'good': [0.001, 0.01]}
    >>> judged({1e-4: float("inf")})
    {'best': None, 'good': None}
    """
    rates = sorted(rate for rate, loss in losses.items() if math.isfinite(loss))
    if not rates:
        return {"best": None, "good": None}
    best = min(rates, key=lambda rate: losses[rate])
    most = losses[best] + _AS_GOOD * (losses[rates[0]] - losses[best])
    low = high = rates.index(best)
    while low > 0 and losses[rates[low - 1]] <= most:
        low -= 1
    while high + 1 < len(rates) and losses[rates[high + 1]] <= most:
        high += 1
    return {"best": best, "good": [rates[low], rates[high]]}
