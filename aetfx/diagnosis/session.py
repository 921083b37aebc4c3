"""One diagnosis from a loaded request to a written run directory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.comparison.request import Request
from aetfx.comparison.session import Session, open_lab, prepare_model
from aetfx.diagnosis import record as records
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.engine import Outcome, run_chain
from aetfx.diagnosis.evaluation_table import write_evaluation
from aetfx.diagnosis.halves import Halves, which_half
from aetfx.diagnosis.labels import effect
from aetfx.diagnosis.order import row_order
from aetfx.diagnosis.repair import recipes
from aetfx.diagnosis.result import Diagnosis
from aetfx.diagnosis.samples import collect_samples, write_samples
from aetfx.diagnosis.status import decide
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.errors import StudyError
from aetfx.models.draws import undisturbed
from aetfx.models.packing import unpack_model
from aetfx.models.passing import reconstruct
from aetfx.run import Run, read_json, write_json, write_text
from aetfx.training.progress import Progress
from aetfx.training.recipe import Recipe
from aetfx.training.trial import OutOfTime

_BUDGET = 8.0  # trainings: 3 + 3 confirm one cause, the rest screens
_LEAST_BUDGET_SECONDS = 120.0  # small models: start-up and Python dominate (METHOD section 6)
_RESPLIT_BUDGET = 14.0  # 5 + 5 trainings confirm one cause on re-splits, or where eval is told from train


def run_request(request: Request, directory: Path, *, progress: Progress | None, keep: bool = True) -> Diagnosis:
    """Runs a loaded request.

    Args:
      request: what to diagnose.
      directory: where the run lives.
      progress: told what is being done.
      keep: False for a directory that will be deleted: nothing of it is promised to the caller.

    Raises:
      AetfxError: the model does not fit the data, or the directory cannot be written.
    """
    started = time.perf_counter()
    request, study = request.placed(directory), request.study
    thresholds = Thresholds.with_overrides(study.diagnosis.thresholds)
    prepared = prepare_model(request, progress)
    with Run(directory) as run:
        write_text(run.path("study.yaml"), study.to_yaml())
        session = open_lab(request, directory, prepared, progress, shift_auc=thresholds.shift_auc)
        checked = [*directory.glob("statistics/*/*.pb"), *directory.glob("anomalies/*/*.pb")]
        checked += [run.path("findings.json"), run.path("schema", "schema.pbtxt")]
        run.finish("validation", request.inputs or "in memory", checked, seconds=time.perf_counter() - started)
        if study.diagnosis.max_seconds is not None:
            session.lab.deadline = time.monotonic() - (time.perf_counter() - started) + study.diagnosis.max_seconds
        try:
            outcome = run_chain(
                session.lab,
                session.baseline,
                session.validation.findings,
                target=study.diagnosis.target,
                budget=budget(session.lab, study.diagnosis.budget, thresholds),
                thresholds=thresholds,
                strict=study.diagnosis.budget is not None,
                experiments=study.diagnosis.experiments,
                interruptible=not keep,  # with a run directory the same command goes on instead
            )
        except OutOfTime:
            raise StudyError(
                f"diagnosis.max_seconds: {study.diagnosis.max_seconds:g} seconds ended before the model was trained "
                "once as it is. Give more time, or fewer epochs."
            ) from None
        finally:
            session.lab.close()
        session.lab.deadline = None  # what is left is to write down what was found
        return _write(run, request, session, outcome, started, keep)


def budget(lab: Lab, asked: float | None, thresholds: Thresholds) -> float:
    """Returns the budget in units of the user's training, by nominal cost and not by the clock."""
    if asked is not None:
        return asked
    resplit = lab.resplits and len(lab.split().held_out) < thresholds.few_rows
    return max(_RESPLIT_BUDGET if resplit or lab.reserve else _BUDGET, _LEAST_BUDGET_SECONDS / lab.unit_seconds)


def _write(run: Run, request: Request, session: Session, outcome: Outcome, started: float, keep: bool) -> Diagnosis:
    from aetfx.training.whole import raw_model, save_raw  # imports Keras

    assert request.rows is not None
    lab = session.lab
    first, last = outcome.steps[0].case, outcome.steps[-1].case
    score, _ = records.measured(lab, outcome, outcome.recipe)
    status = decide(outcome, last, score)
    if request.rows.is_sample:
        status.statements.append(
            f"Diagnosed on {len(request.rows):,} of {request.rows.n_read:,} rows, chosen by their hashes: more do not "
            f"fit in the {request.study.data.memory:g} GB of data.memory."
        )
    halves = _halves(outcome, first)
    order = row_order(first) if not outcome.truncated else None
    fixed = lab.best_trial(outcome.recipe) if outcome.repaired and outcome.recipe else None
    fixed_model = raw_model(fixed.model, fixed.preprocessing) if fixed is not None else None
    if fixed_model is not None and lab.parts is not None:
        fixed_model = unpack_model(fixed_model, lab.parts)
    saved, because = save_raw(fixed_model, run.path("fixed")) if fixed_model is not None else (None, "")
    if because:
        status.statements.append(
            f"The repaired model could not be saved whole ({because}). Its weights are in fixed/{saved.name}, in the "
            "order of model.get_weights(); diagnosis.fixed_model works as long as this process runs."
        )
    samples = collect_samples(first, fixed)
    record = records.build_record(
        lab=lab,
        outcome=outcome,
        status=status,
        study_name=request.study.name,
        data={"path": request.train_path, "rows_read": request.rows.n_read},
        seconds=time.perf_counter() - started,
        halves=halves,
        order=order,
        score_as_given=_score_as_given(lab, session.baseline, session.live),
    )
    if record["fixed"] is not None:
        record["fixed"]["path"] = f"fixed/{saved.name}" if saved is not None else None
    outputs = [run.path(name) for name in ("samples.npz", "histories.json", "evaluation.parquet", "study.yaml")]
    write_samples(outputs[0], samples)
    repaired = outcome.recipe if outcome.repaired else None
    if request.labels is not None:
        record["labels"] = effect(lab, request.labels, first.recipe, repaired)
    outputs.append(run.path(recipes.FILE))
    write_json(outputs[-1], recipes.to_json(lab, request, first.recipe, repaired))
    write_json(outputs[1], records.histories(lab, outcome))
    write_evaluation(outputs[2], lab, outcome)
    if saved is not None:
        outputs.append(saved)
    outputs.append(run.path("diagnosis.json"))
    write_json(outputs[-1], record)
    outputs += [path for path in (run.path("findings.json"), run.path("schema", "schema.pbtxt")) if path.exists()]
    # What the clock cut short is gone on with by the same command, so that it is not finished.
    inputs = "truncated" if outcome.truncated else request.inputs or "in memory"
    run.finish("diagnosis", inputs, outputs, seconds=time.perf_counter() - started)
    record = read_json(run.path("diagnosis.json"))
    own = dict(first.recipe.source.objects)
    if keep:
        return Diagnosis(record, fixed_model, run.directory, samples, objects=own)
    small = [path for path in run.directory.iterdir() if path.suffix in (".json", ".yaml", ".parquet")]
    files = {path.name: path.read_bytes() for path in small if path.name not in ("diagnosis.json", "lineage.json")}
    return Diagnosis(record, fixed_model, None, samples, files, own)


def _halves(outcome: Outcome, case: Case) -> Halves | None:
    """Asks which half is at fault where the model may be: not where the data, the code or the clock explain it."""
    named = outcome.causes[0].code.split(".")[0] if outcome.causes else "model"
    if outcome.truncated or outcome.only_signs or named in ("data", "code") or case.is_noise:
        return None
    return which_half(case) if case.select_score > case.target else None


def _score_as_given(lab: Lab, baseline: Recipe, live: Any) -> float | None:
    """Scores a model that came with fitted weights; fresh ones predict next to nothing and are not shown."""
    iterations = getattr(getattr(live, "optimizer", None), "iterations", None)
    if iterations is None or int(iterations) == 0:
        return None

    def predict(rows: np.ndarray) -> np.ndarray:
        with undisturbed(live):
            return np.asarray(reconstruct(live, rows.astype("float32")), dtype=np.float64)

    truth, predicted = lab.compared(baseline, predict, "confirm")
    return lab.scorer().score(truth, predicted, rows=lab.judged_rows).value
