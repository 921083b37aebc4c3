"""One diagnosis from a loaded request to a written run directory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.comparison.request import Request
from aetfx.comparison.session import Session, open_lab, prepare_model
from aetfx.data import write_array
from aetfx.diagnosis import record as records
from aetfx.diagnosis.engine import Outcome, run_chain
from aetfx.diagnosis.evaluation_table import write_evaluation
from aetfx.diagnosis.result import Diagnosis
from aetfx.diagnosis.samples import collect_samples, write_samples
from aetfx.diagnosis.status import decide
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.models.draws import undisturbed
from aetfx.models.passing import reconstruct
from aetfx.run import Run, read_json, write_json, write_text
from aetfx.training.progress import Progress

_BUDGET = 8.0  # trainings: 3 + 3 confirm one cause, the rest screens
_LEAST_BUDGET_SECONDS = 90.0  # small models: start-up and Python dominate (METHOD section 6)
_RESPLIT_BUDGET = 14.0  # 5 + 5 trainings confirm one cause on re-splits


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
    study = request.study
    thresholds = Thresholds.with_overrides(study.diagnosis.thresholds)
    prepared = prepare_model(request, progress)
    with Run(directory) as run:
        for path, rows in request.arrays.items():
            write_array(rows, Path(path).parent, Path(path).stem)
        write_text(run.path("study.yaml"), study.to_yaml())
        session = open_lab(request, directory, prepared, progress)
        checked = [*directory.glob("statistics/*/*.pb"), *directory.glob("anomalies/*/*.pb")]
        checked += [run.path("findings.json"), run.path("schema", "schema.pbtxt")]
        run.finish("validation", request.inputs or "in memory", checked, seconds=time.perf_counter() - started)
        outcome = run_chain(
            session.lab,
            session.baseline,
            session.validation.findings,
            target=study.diagnosis.target,
            budget=budget(session.lab, study.diagnosis.budget, thresholds),
            thresholds=thresholds,
        )
        return _write(run, request, session, outcome, started, keep)


def budget(lab: Lab, asked: float | None, thresholds: Thresholds) -> float:
    """Returns the budget in units of the user's training, by nominal cost and not by the clock."""
    if asked is not None:
        return asked
    resplit = lab.resplits and len(lab.split().held_out) < thresholds.few_rows
    return max(_RESPLIT_BUDGET if resplit else _BUDGET, _LEAST_BUDGET_SECONDS / lab.unit_seconds)


def _write(run: Run, request: Request, session: Session, outcome: Outcome, started: float, keep: bool) -> Diagnosis:
    from aetfx.training.whole import raw_model, save_raw  # imports Keras

    assert request.rows is not None
    lab = session.lab
    first, last = outcome.steps[0].case, outcome.steps[-1].case
    score, _ = records.measured(lab, outcome, outcome.recipe)
    status = decide(outcome, last, score)
    fixed = lab.trial(outcome.recipe) if outcome.causes and outcome.recipe else None
    fixed_model = raw_model(fixed) if fixed is not None else None
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
        score_as_given=_score_as_given(lab, session.live),
    )
    if record["fixed"] is not None:
        record["fixed"]["path"] = f"fixed/{saved.name}" if saved is not None else None
    outputs = [run.path(name) for name in ("samples.npz", "histories.json", "evaluation.parquet", "study.yaml")]
    write_samples(outputs[0], samples)
    write_json(outputs[1], records.histories(lab, outcome))
    write_evaluation(outputs[2], lab, outcome)
    if saved is not None:
        outputs.append(saved)
    outputs.append(run.path("diagnosis.json"))
    write_json(outputs[-1], record)
    outputs += [path for path in (run.path("findings.json"), run.path("schema", "schema.pbtxt")) if path.exists()]
    run.finish("diagnosis", request.inputs or "in memory", outputs, seconds=time.perf_counter() - started)
    record = read_json(run.path("diagnosis.json"))
    if keep:
        return Diagnosis(record, fixed_model, run.directory, samples)
    small = [path for path in run.directory.iterdir() if path.suffix in (".json", ".yaml", ".parquet")]
    files = {path.name: path.read_bytes() for path in small if path.name not in ("diagnosis.json", "lineage.json")}
    return Diagnosis(record, fixed_model, None, samples, files)


def _score_as_given(lab: Lab, live: Any) -> float | None:
    """Scores a model that came with fitted weights; fresh ones predict next to nothing and are not shown."""
    iterations = getattr(getattr(live, "optimizer", None), "iterations", None)
    if iterations is None or int(iterations) == 0:
        return None
    rows = lab.split().confirm
    with undisturbed(live):
        predicted = np.asarray(reconstruct(live, rows.astype("float32")), dtype=np.float64)
    return lab.scorer().score(rows, predicted, rows=lab.judge).value
