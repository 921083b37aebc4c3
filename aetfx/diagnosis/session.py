"""One diagnosis from a checked request to a written run directory."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.diagnosis import record as records
from aetfx.diagnosis.engine import Outcome, run_chain
from aetfx.diagnosis.evaluation_table import write_evaluation
from aetfx.diagnosis.lab import Lab
from aetfx.diagnosis.request import Request
from aetfx.diagnosis.result import Diagnosis
from aetfx.diagnosis.samples import collect_samples, write_samples
from aetfx.diagnosis.status import decide
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.models.reading import read_architecture
from aetfx.preprocessing.layers import wrap
from aetfx.run import Run, atomic, write_json, write_text
from aetfx.training.build import recipe_from_model, recipe_from_study
from aetfx.training.logs import write_hparams_config
from aetfx.training.progress import Progress
from aetfx.training.recipe import Recipe
from aetfx.training.store import TrialStore
from aetfx.training.strategy import prepare_devices
from aetfx.training.trial import Trial
from aetfx.training.workshop import Workshop
from aetfx.validation.api import Validation, validate
from aetfx.validation.checks.missing import find_sentinels
from aetfx.validation.checks.outliers import fences

_LEAST_BUDGET_SECONDS = 90.0  # small models: start-up and Python dominate (METHOD section 6)
_RESPLIT_BUDGET = 14.0  # 5 + 5 trainings confirm one cause on re-splits


def run_request(request: Request, directory: Path, *, progress: Progress | None, keep: bool = True) -> Diagnosis:
    """Runs a checked request.

    Args:
      request: what to diagnose.
      directory: where the run lives.
      progress: told what is being done.
      keep: False for a directory that will be deleted: nothing of it is promised to the caller.

    Raises:
      AetfxError: the model does not fit the data, or the directory cannot be written.
    """
    started = time.perf_counter()
    study = request.study
    thresholds = Thresholds.with_overrides(study.diagnosis.thresholds)
    if progress is not None:
        progress.update("loading TensorFlow", 0.0, 1.0)
    strategy = prepare_devices(study.training.strategy, study.training.replicas)
    recipe, live = _recipe(request)
    output_range = read_architecture(recipe.source.build(), request.rows.shape).output_range
    with ExitStack() as stack:
        run = stack.enter_context(Run(directory))
        write_text(run.path("study.yaml"), study.to_yaml())
        if progress is not None:
            progress.update("validating the data on Beam", 0.0, 1.0)
        validation = validate(
            request.train_path,
            request.eval_path,
            features=study.data.features,
            eval_fraction=study.data.eval if isinstance(study.data.eval, float) else None,
            seed=study.training.seed,
            out=directory,
            output_range=output_range,
        )
        write_hparams_config(run.path("tensorboard"))
        lab = _lab(request, validation, TrialStore(directory), strategy, progress)
        lab.unit_seconds = lab.nominal_seconds(recipe)
        outcome = run_chain(
            lab,
            recipe,
            validation.findings,
            target=study.diagnosis.target,
            budget=budget(lab, study.diagnosis.budget, thresholds),
            thresholds=thresholds,
        )
        return _write(run, request, lab, outcome, live, started, keep)


def budget(lab: Lab, asked: float, thresholds: Thresholds) -> float:
    """Returns the budget in units of the user's training, by nominal cost and not by the clock."""
    if lab.resplits and len(lab.split().held_out) < thresholds.few_rows and asked == 8.0:
        asked = _RESPLIT_BUDGET
    return max(asked, _LEAST_BUDGET_SECONDS / lab.unit_seconds)


def _recipe(request: Request) -> tuple[Recipe, Any]:
    """Returns the baseline recipe, and the user's live model where one was given."""
    if request.model is None:
        return recipe_from_study(request.study, request.rows.shape), None
    return recipe_from_model(request.model, request.study, request.rows.shape)


def _lab(
    request: Request, validation: Validation, store: TrialStore, strategy: Any, progress: Progress | None
) -> Lab:
    study, train = request.study, validation.statistics["train"]
    outliers = [f for f in validation.findings if f.code.startswith("data.outliers") and f.severity != "info"]
    features = study.data.features if isinstance(study.data.features, str) else "auto"
    return Lab(
        rows=request.rows.values,
        eval_rows=None if request.eval_rows is None else request.eval_rows.values,
        fraction=study.data.eval if isinstance(study.data.eval, float) else 0.0,
        seed=study.training.seed,
        features=features,
        declared_shape=request.rows.declared_shape,
        names=request.rows.names,
        sentinels=find_sentinels(train),
        fences=fences(train) if outliers else None,
        judge="inliers" if outliers else None,
        store=store,
        workshop=Workshop(strategy),
        progress=progress,
    )


def _write(
    run: Run, request: Request, lab: Lab, outcome: Outcome, live: Any, started: float, keep: bool
) -> Diagnosis:
    first, last = outcome.steps[0].case, outcome.steps[-1].case
    score, _ = records.measured(lab, outcome, outcome.recipe)
    status = decide(outcome, last, score)
    fixed: Trial | None = lab.trial(outcome.recipe) if outcome.causes and outcome.recipe else None
    fixed_model = wrap(fixed.model, fixed.preprocessing) if fixed is not None else None
    samples = collect_samples(first, fixed)
    record = records.build_record(
        lab=lab,
        outcome=outcome,
        status=status,
        study_name=request.study.name,
        data={"path": request.train_path, "rows_read": request.rows.n_read},
        seconds=time.perf_counter() - started,
        score_as_given=_score_as_given(lab, live),
    )
    outputs = [run.path(name) for name in ("samples.npz", "histories.json", "evaluation.parquet", "study.yaml")]
    write_samples(outputs[0], samples)
    write_json(outputs[1], records.histories(lab, outcome))
    write_evaluation(outputs[2], lab, outcome)
    if fixed_model is not None:
        outputs.append(run.path("fixed", "model.keras"))
        with atomic(outputs[-1]) as temporary:
            fixed_model.save(temporary)
    outputs.append(run.path("diagnosis.json"))
    write_json(outputs[-1], record)
    outputs += [path for path in (run.path("findings.json"), run.path("schema", "schema.pbtxt")) if path.exists()]
    run.finish("diagnosis", request.inputs or "in memory", outputs, seconds=time.perf_counter() - started)
    from aetfx.run import read_json

    plain = read_json(run.path("diagnosis.json"))
    return Diagnosis(plain, fixed_model, run.directory if keep else None, samples)


def _score_as_given(lab: Lab, live: Any) -> float | None:
    """Scores a model that came with fitted weights; fresh ones predict next to nothing and are not shown."""
    if live is None or getattr(live.optimizer, "iterations", None) is None or int(live.optimizer.iterations) == 0:
        return None
    rows = lab.split().confirm
    predicted = np.asarray(live(rows.astype("float32"), training=False), dtype=np.float64)
    return lab.scorer().score(rows, predicted, rows=lab.judge).value
