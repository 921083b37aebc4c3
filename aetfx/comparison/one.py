"""One configuration alone: its preprocessing fitted, or its model trained, as a comparison would."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.comparison.pool import Job
from aetfx.comparison.request import open_request
from aetfx.comparison.session import open_lab, prepare_model
from aetfx.errors import ModelError
from aetfx.preprocessing.fit import Preprocessing
from aetfx.run import Run, read_json, write_json, write_text
from aetfx.study import Study
from aetfx.training.progress import Progress
from aetfx.training.recipe import Recipe
from aetfx.training.store import configuration_folder


@dataclass(frozen=True)
class Trained:
    """One configuration that was trained.

    Attributes:
      configuration: identity of its recipe.
      models: `model.keras` of each seed, raw rows in and out, below the run directory.
      scores: of each seed on the held-out rows.
      preprocessing: what was fitted on the train rows.
    """

    configuration: str
    models: tuple[Path, ...]
    scores: tuple[float, ...]
    preprocessing: Preprocessing

    @property
    def score(self) -> float:
        return float(np.mean(self.scores))


def fit_preprocessing(study: Study, out: Path, *, progress: Progress | None = None) -> Preprocessing:
    """Fits the preprocessing of a study on its train rows, and trains nothing.

    Args:
      study: what it compares is passed over.
      out: run directory.

    Raises:
      AetfxError: the request, the data or the model is wrong, or `out` cannot be written.
    """
    with _opened(study, out, progress) as (_, lab, recipe):
        return lab.preprocessing(recipe)


def train_study(study: Study, out: Path, *, seeds: int = 1, progress: Progress | None = None) -> Trained:
    """Trains the configuration of a study itself.

    Args:
      study: what it compares is passed over.
      out: run directory; trials that were finished there are not trained again, one under way goes on.
      seeds: how many, from the study's on.

    Raises:
      ModelError: it diverged, or cannot be saved whole.
      AetfxError: the request, the data or the model is wrong, or `out` cannot be written.
    """
    started = time.perf_counter()
    with _opened(study, out, progress) as (run, lab, recipe):
        wanted = [lab.seed + i for i in range(seeds)]
        lab.telemetry = study.training.telemetry
        lab.planned = lab.cost(recipe) * seeds
        lab.prepare(Job(recipe, seed) for seed in wanted)
        models, scores = [], []
        for seed in wanted:
            trial = lab.trial(recipe, seed=seed)
            if trial.diverged:
                raise ModelError(
                    f"'{recipe.name}' cannot be trained: its loss became NaN or infinite in epoch {len(trial.losses)}. "
                    "Run `aetfx diagnose` on the study: it finds out why."
                )
            models.append(run.path("configurations", configuration_folder(recipe), f"seed-{seed}", "model.keras"))
            if not models[-1].exists():
                raise ModelError(
                    f"'{recipe.name}' was trained, but Keras cannot save its model whole. Give its classes get_config, "
                    "and register them with keras.saving.register_keras_serializable."
                )
            scores.append(lab.score(trial, "held_out").value)
        trained = Trained(recipe.identity, tuple(models), tuple(scores), lab.preprocessing(recipe))
        path = run.path("training.json")
        write_json(path, {"schema_version": 1, "configuration": recipe.identity, "seeds": wanted, "scores": scores})
        run.finish("training", recipe.identity, [*models, path], seconds=time.perf_counter() - started)
        return trained


def read_preprocessing(path: Path) -> Preprocessing:
    """Reads back what `Preprocessing.to_config` gave, as `preprocessing.json` holds it under `fitted`.

    Raises:
      RunError: the file is missing or no JSON.
    """
    return Preprocessing.from_config(read_json(path)["fitted"])


@contextlib.contextmanager
def _opened(study: Study, out: Path, progress: Progress | None) -> Iterator[tuple[Run, Lab, Recipe]]:
    request = open_request(study.alternatives()[0][1])
    if not request.is_large:
        request = request.loaded().placed(out)
    prepared: tuple[Any, Recipe, Any] = prepare_model(request, progress)
    with Run(out) as run:
        if request.is_large:
            request = request.streamed(run.path("data"))
        session = open_lab(request, out, prepared, progress)
        write_text(run.path("study.yaml"), request.study.to_yaml())
        try:
            yield run, session.lab, session.baseline
        finally:
            session.lab.close()
