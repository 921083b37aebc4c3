"""Tuner, Trainer, Evaluator, Diagnoser and Pusher: from Examples to a model in use."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aetfx.data.examples import pattern
from aetfx.data.files import is_remote
from aetfx.errors import DataError, ModelError, RunError, StudyError
from aetfx.run import read_json, write_bytes, write_json, write_text
from aetfx.steps.configurations import Configuration, configuration, configurations, on_examples, read, values_of
from aetfx.steps.data import Metadata, check_digest, data_digest
from aetfx.steps.places import copy_tree, fetch, tree_hash

if TYPE_CHECKING:
    from aetfx.comparison.one import Trained

BLESSED, NOT_BLESSED = "BLESSED", "NOT_BLESSED"


def tuner(examples: str, study: str, best_hyperparameters: Path, tuner_results: Path) -> Metadata:
    """Trains what a study compares, side by side on this machine, and tells which values are best.

    Args:
      examples: that ExampleGen wrote.
      study: its text; one that compares nothing gives its baseline.
      best_hyperparameters: folder for `best_hyperparameters.txt`, as KerasTuner writes its own.
      tuner_results: folder for `tuner_results.json` and what `aetfx compare` leaves.
    """
    from aetfx.comparison.api import compare_study

    request = read(study)
    best = configuration(request, {})
    metadata: dict[str, Any] = {"configurations": 1}
    if request.compare:
        record = compare_study(on_examples(request, examples), tuner_results)
        finished = [row for row in record["rows"] if row.get("seeds")]
        if not finished:
            reasons = "; ".join(f"{row['name']}: {row['failed']}" for row in record["rows"] if row.get("failed"))
            raise ModelError(f"{request.name}: no configuration could be trained ({reasons}).")
        best = configuration(request, finished[0]["settings"])
        metadata = {"configurations": len(finished), "score": finished[0]["score"], "seeds": finished[0]["seeds"]}
        write_json(tuner_results / "tuner_results.json", record["rows"])
    else:
        write_json(tuner_results / "tuner_results.json", [])
    text = json.dumps({"space": [], "values": best.values})
    write_text(best_hyperparameters / "best_hyperparameters.txt", text)
    metadata |= {"configuration": best.identity, "name": best.name}
    return {
        "best_hyperparameters": {**metadata, "values": json.dumps(best.values)},
        "tuner_results": dict(metadata),
        "metrics": {key: metadata[key] for key in ("configurations", "score") if key in metadata},
    }


def trainer(
    examples: str,
    transform_graph: Path,
    study: str,
    model: Path,
    model_run: Path,
    values: str = "",
    seeds: int = 1,
    publish_to: str = "",
) -> Metadata:
    """Trains one configuration and writes `Model`: `Format-Serving/` and `model.keras`, raw rows in, raw rows out.

    Args:
      examples, transform_graph: that the steps before wrote; both for the same rows and configuration.
      study: its text.
      model: folder to write the model of the first seed into.
      model_run: folder for its TensorBoard logs.
      values: of the keys under `compare`, as JSON; "" for the baseline.
      seeds: how many to train.
      publish_to: a place that steps which list models look below; "" to publish nothing.

    Raises:
      ModelError: it cannot be trained or saved.
      DataError: the graph was fitted on other rows or for another configuration.
    """
    from aetfx.comparison.one import train_study
    from aetfx.preprocessing.transform_graph import FITTED
    from aetfx.training.export import export_model

    chosen = configuration(read(study), values_of(values))
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        trained = train_study(on_examples(chosen.study, examples), Path(folder), seeds=seeds)
        if trained.preprocessing.to_config() != read_json(transform_graph / FITTED)["fitted"]:
            raise DataError(
                f"{transform_graph}: holds another preprocessing than '{chosen.name}' has on these Examples. Run "
                "Transform again, with the values and the Examples of this step."
            )
        export_model(trained.models[0], model)
        copy_tree(Path(folder, "tensorboard"), str(model_run))
        metadata = {
            "configuration": chosen.identity,
            "name": chosen.name,
            "values": chosen.values,
            "recipe": trained.configuration,
            "score": trained.score,
            "seeds": seeds,
            "preprocessing": read_json(transform_graph / FITTED)["hash"],
        }
        write_json(model / "model.json", {"schema_version": 1, **metadata})
        if publish_to:
            _publish(trained, chosen, study, publish_to)
    return {"model": metadata, "model_run": {"configuration": chosen.identity}, "metrics": {"score": trained.score}}


def _publish(trained: Trained, chosen: Configuration, study: str, place: str) -> str:
    """Copies the models of a configuration to a place laid out as a run directory: `aetfx evaluate` takes it."""
    here, now = f"configurations/{chosen.identity}", time.time_ns()
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        for path, score in zip(trained.models, trained.scores, strict=True):
            seed = Path(folder, here, path.parent.name)
            write_bytes(seed / "model.keras", path.read_bytes())
            write_json(
                seed / "trial.json",
                {
                    "schema_version": 1,
                    "configuration": chosen.identity,
                    "name": chosen.name,
                    "values": chosen.values,
                    "seed": int(path.parent.name.removeprefix("seed-")),
                    "split": 0,
                    "score": score,
                    "published": now,
                },
            )
        write_text(Path(folder, "study.yaml"), study)
        copy_tree(folder, place)
    return f"{place.rstrip('/')}/{here}"


def train_one(study: str, index: int, publish_to: str, seeds: int = 1) -> str:
    """Trains configuration `index` of a study on the study's own rows, and publishes it: a pod of a fan-out.

    Args:
      study: its text.
      index: from 0, the baseline, in the order of `configurations`.
      publish_to: place below which `evaluator_of_many` and `aetfx evaluate` find the models.
      seeds: how many to train.

    Returns:
      The place of the models.

    Raises:
      StudyError: there is no such configuration.
      AetfxError: it cannot be trained, or the place not be written.
    """
    from aetfx.comparison.one import train_study

    asked = configurations(read(study))
    if not 0 <= index < len(asked):
        raise StudyError(f"configuration {index}: the study has {len(asked)}. Give 0 to {len(asked) - 1}.")
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        trained = train_study(asked[index].study, Path(folder), seeds=seeds)
        return _publish(trained, asked[index], study, publish_to)


def evaluator(
    model: Path, examples: str, study: str, evaluation: Path, blessing: Path, beam_flags: Sequence[str] = ()
) -> Metadata:
    """Scores a model on the eval split, and blesses it where it meets the thresholds of the study.

    Args:
      model: that Trainer wrote.
      examples: that ExampleGen wrote.
      study: its text, with `evaluation: {slices, thresholds}`.
      evaluation: folder for `ModelEvaluation`.
      blessing: folder for `ModelBlessing`: an empty file BLESSED or NOT_BLESSED.
      beam_flags: Beam's own options.
    """
    name = str(read_json(model / "model.json")["name"])
    return _evaluate({name: model / "model.keras"}, examples, study, evaluation, blessing, beam_flags)


def evaluator_of_many(
    models_at: str, examples: str, study: str, evaluation: Path, blessing: Path, beam_flags: Sequence[str] = ()
) -> Metadata:
    """As `evaluator`, for all configurations of a study, found by listing the place that they were published below.

    Raises:
      DataError: a configuration of the study has no model there.
    """
    asked = configurations(read(study))
    place = models_at.rstrip("/")
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        # Only what this study asks for, and of it what was published last: at the same place may lie what another study
        # left, or the same one with more seeds.
        for one in asked:
            try:
                found = f"{place}/configurations/{one.identity}/seed-*"
                trials = fetch(f"{found}/trial.json", Path(folder), place)
                fetch(f"{found}/model.keras", Path(folder), place)
            except DataError as error:
                raise DataError(
                    f"{error} There '{one.name}' should be: see whether its Trainer failed. Where the models were "
                    "removed since it was done, give another models_at, and all are trained again."
                ) from None
            published = {path.parent: read_json(path).get("published", 0) for path in trials}
            for seed in published:
                if published[seed] < max(published.values()):
                    shutil.rmtree(seed)
        write_text(Path(folder, "study.yaml"), study)
        return _evaluate([folder], examples, study, evaluation, blessing, beam_flags)


def _evaluate(models: Any, examples: str, study: str, out: Path, blessing: Path, beam_flags: Sequence[str]) -> Metadata:
    from aetfx.evaluation.api import evaluate

    request = read(study)
    found = evaluate(
        models,
        pattern(examples, "eval"),
        train=pattern(examples, "train"),
        out=out,
        name=request.name,
        features=on_examples(request, examples).data.features,
        slices=request.evaluation.slices,
        thresholds=request.evaluation.thresholds,
        beam_flags=list(beam_flags),
    )
    record = found.record
    judged = record.get("thresholds")
    reasons = ["the study sets no evaluation.thresholds"] if judged is None else list(judged["reasons"])
    blessed = judged is not None and bool(judged["blessed"])
    for name in (BLESSED, NOT_BLESSED):
        (blessing / name).unlink(missing_ok=True)
    write_bytes(blessing / (BLESSED if blessed else NOT_BLESSED), b"")
    scored = [c for c in record["configurations"] if c["score"] is not None]
    best = min(scored, key=lambda c: c["score"]) if scored else None
    metrics = {"score": best["score"], "score_low": best["low"], "score_high": best["high"]} if best else {}
    return {
        "evaluation": {
            "configurations": len(record["configurations"]),
            "rows": record["rows"]["scored"],
            "features": len(record["names"]),
            **({"score": best["score"], "best": best["name"]} if best else {}),
        },
        "blessing": {"blessed": int(blessed), "reasons": reasons, "current_model": best["name"] if best else ""},
        "metrics": {key: value for key, value in metrics.items() if value is not None},
    }


def diagnoser(study: str, digest: str, diagnosis: Path, report: Path) -> Metadata:
    """Diagnoses a study, as `aetfx diagnose` does, and writes the whole run directory.

    It reads the rows that the study names, not the Examples: those are float32 and in fixed splits, and where rows are
    few a diagnosis splits them anew.

    Args:
      study: its text.
      digest: `data_digest` when the pipeline was started; "" to take the rows as they are.
      diagnosis: folder to write.
      report: `report.html`.

    Raises:
      DataError: the rows have changed since.
    """
    from aetfx.diagnosis.api import diagnose_study
    from aetfx.report.html import write_report

    if digest:
        check_digest(digest, data_digest(study), "the rows of the study")
    record = diagnose_study(read(study), diagnosis).record
    write_bytes(report, write_report(diagnosis).read_bytes())
    baseline, fixed = record["baseline"], record.get("fixed") or {}
    score = {"score_before": baseline.get("score"), "score_after": fixed.get("score")}
    score = {key: value for key, value in score.items() if value is not None}
    codes = [cause["code"] for cause in record["causes"]]
    return {
        "diagnosis": {"status": record["status"], "causes": codes, **score},
        "metrics": {"causes": len(codes), **score},
    }


def pusher(model: Path, blessing: Path, pushed_model: Path, push_to: str) -> Metadata:
    """Copies `Format-Serving/` of a blessed model to a place that TensorFlow Serving watches, as a new version.

    A model that is the newest version there already stays as it is; of a remote place that is not asked.

    Args:
      model, blessing: that the steps before wrote.
      pushed_model: folder for `PushedModel`: `push.json` with what was done and why.
      push_to: a place; "" pushes nothing.

    Raises:
      RunError: the place cannot be written.
    """
    served = model / "Format-Serving"
    digest = tree_hash(served)
    if not (blessing / BLESSED).exists():
        told: dict[str, Any] = {"pushed": False, "reason": "the model is not blessed"}
    elif not push_to:
        told = {"pushed": False, "reason": "no place to push to was given"}
    elif (newest := _newest_version(push_to)) is not None and tree_hash(newest) == digest:
        told = {"pushed": False, "reason": f"it is the newest version already: {newest}"}
    else:
        # TensorFlow Serving takes the largest number; a version appears file by file, its graph at the end.
        version = str(max(int(time.time()), int(newest.name) + 1 if newest else 0))
        destination = f"{push_to.rstrip('/')}/{version}"
        _copy_serving(served, destination)
        told = {"pushed": True, "destination": destination, "pushed_version": version}
    told["model_hash"] = digest
    write_json(pushed_model / "push.json", {"schema_version": 1, **told})
    return {"pushed_model": told}


def _newest_version(place: str) -> Path | None:
    """Returns the folder of a local place that TensorFlow Serving would load."""
    folder = Path(place)
    if is_remote(place) or not folder.is_dir():
        return None
    versions = [path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]
    return max(versions, key=lambda path: int(path.name), default=None)


def _copy_serving(folder: Path, destination: str) -> None:
    """Copies a SavedModel so that `saved_model.pb`, by which a server knows one, comes last."""
    if not (folder / "saved_model.pb").exists():
        raise RunError(f"{folder}: holds no saved_model.pb. Run Trainer again.")
    with tempfile.TemporaryDirectory(prefix="aetfx-") as last:
        write_bytes(Path(last, "saved_model.pb"), (folder / "saved_model.pb").read_bytes())
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                copy_tree(path, f"{destination}/{path.name}")
            elif path.name != "saved_model.pb":
                with tempfile.TemporaryDirectory(prefix="aetfx-") as one:
                    write_bytes(Path(one, path.name), path.read_bytes())
                    copy_tree(one, destination)
        copy_tree(last, destination)
