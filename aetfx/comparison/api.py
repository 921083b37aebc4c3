"""`compare`: every configuration of a study, trained with the same seeds, scored on the same held-out rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.evaluating import evaluate_candidates, open_slices
from aetfx.comparison.evaluation_table import trial_records
from aetfx.comparison.lab import Lab
from aetfx.comparison.reference import fed_cells, pca_scores
from aetfx.comparison.request import Request, open_request
from aetfx.comparison.session import open_lab, prepare_model
from aetfx.comparison.sweep import Candidate, sweep
from aetfx.errors import StudyError
from aetfx.evaluation.interval import score_interval
from aetfx.evaluation.paired import gain_over_seeds, pooled_log_variance
from aetfx.evaluation.references import MEAN
from aetfx.evaluation.table import as_table, join
from aetfx.preprocessing.fit import Preprocessing
from aetfx.run import Run, content_hash, read_json, write_json, write_text
from aetfx.study import Study
from aetfx.training.build import recipe_from_study
from aetfx.training.progress import Progress
from aetfx.training.recipe import Recipe
from aetfx.words import components


def compare_study(
    study: Study, out: Path, *, replicas: int | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Trains and ranks all configurations of a study.

    Args:
      study: with alternatives under `compare`.
      out: run directory; finished trials are not trained again.
      replicas: overrides `training.replicas`.
      progress: told what is being done.

    Returns:
      The content of `comparison.json`: `rows` (best first: name, configuration, score, interval, gain over the
      baseline, seeds, seconds) and `baselines` (mean, PCA).

    Raises:
      AetfxError: the study compares nothing, or the data or a model cannot be used.
    """
    if replicas is not None:
        study = study.with_changes({"training.replicas": replicas})
    if not study.compare:
        raise StudyError(
            f"{study.name}: nothing to compare. Add alternatives, "
            "e.g. compare: {training.learning_rate: [0.001, 0.01]}."
        )
    request = open_request(study)
    study = request.study
    if (out / "lineage.json").exists():
        with Run(out) as run:
            if run.done("comparison", request.inputs or ""):
                return dict(read_json(run.path("comparison.json")))
    if not request.is_large:
        request = request.loaded().placed(out)
    started = time.perf_counter()
    prepared = prepare_model(request, progress)

    def build(name: str, alternative: Study) -> Recipe:
        return recipe_from_study(alternative, request.shape, request.parts).changed(name=name)

    with Run(out) as run:
        if request.is_large:
            request = request.streamed(run.path("data"), _reading(progress))
        lab = open_lab(request, out, prepared, progress).lab
        slicer = open_slices(study, lab)
        lab.telemetry = study.training.telemetry
        write_text(run.path("study.yaml"), study.to_yaml())
        try:
            candidates = sweep(study, lab, build)
        finally:
            lab.close()
        record = _record(request, lab, candidates)
        references = [(row["name"], row["score"]) for row in record["rows"] if row.get("kind") == "reference"]
        evaluation = evaluate_candidates(lab, study, candidates, slicer, references)
        evaluation.table = join(as_table(_evaluation(lab, study, candidates)), evaluation.table)
        outputs = [*evaluation.save(out), run.path("comparison.json")]
        write_json(outputs[-1], record)
        run.finish("comparison", request.inputs or "", outputs, seconds=time.perf_counter() - started)
    return record


def _reading(progress: Progress | None) -> Callable[[int], None]:
    """Returns what tells how many rows were written to disk; how many there are is not always known before."""

    def tell(n_rows: int) -> None:
        if progress is not None:
            progress.update(f"writing rows to disk: {n_rows:,}", 0.0, 1.0)

    return tell


def _record(request: Request, lab: Lab, candidates: list[Candidate]) -> dict[str, Any]:
    seeds = [lab.seed + i for i in range(request.study.sweep.seeds)]
    finished = [candidate for candidate in candidates if candidate.finished]
    scores = {
        c.recipe.identity: [lab.score(lab.trial(c.recipe, seed=s), "held_out").value for s in seeds] for c in finished
    }
    pooled = pooled_log_variance(list(scores.values())) if len(seeds) > 1 else None
    first = scores.get(candidates[0].recipe.identity)
    rows: list[dict[str, Any]] = []
    for candidate in finished:
        recipe = candidate.recipe
        trials = [lab.trial(recipe, seed=seed) for seed in seeds]
        mine = scores[recipe.identity]
        pairs = [lab.compared(recipe, trial.predict, "held_out") for trial in trials]
        interval = score_interval(
            lab.scorer(),
            pairs[0][0],
            [predicted for _, predicted in pairs],
            lab.seed,
            rows=lab.judged_rows,
            pooled=pooled,
        )
        gain = None
        if first is not None and pooled is not None and candidate is not candidates[0]:
            gain = gain_over_seeds(first, mine, pooled=pooled)
        rows.append(
            {
                "name": candidate.name,
                "configuration": recipe.identity,
                "settings": candidate.settings,
                "score": float(np.mean(mine)),
                "scores": mine,
                "interval": list(interval),
                "worst": float(max(mine)),
                "gain": gain.gain if gain else None,
                "gain_interval": list(gain.interval) if gain else None,
                "seeds": len(mine),
                "seconds": round(float(np.mean([t.seconds for t in trials])), 2),
            }
        )
    rows.sort(key=lambda row: row["score"])
    rest = [candidate for candidate in candidates if not candidate.finished]
    rest.sort(key=lambda c: (bool(c.failed), -(c.dropped_at or 0), c.rungs.get(c.dropped_at or 0, math.inf)))
    return {
        "schema_version": 1,
        "study_name": request.study.name,
        "score_metric": lab.scorer().metric,
        "features": lab.scorer().features,
        "rows": [*rows, *map(_unfinished, rest), *_references(lab, [candidate.recipe for candidate in finished])],
        "train_rows": len(lab.fed_from(candidates[0].recipe)[0]),
        "held_out_rows": len(lab.split().held_out),
    }


def _evaluation(lab: Lab, study: Study, candidates: list[Candidate]) -> list[dict[str, Any]]:
    """Returns the scores of all finished configurations in long form, on both halves of the held-out rows."""
    return [
        record
        for candidate in candidates
        if candidate.finished
        for seed in range(lab.seed, lab.seed + study.sweep.seeds)
        for split in ("select", "confirm")
        for record in trial_records(lab, lab.trial(candidate.recipe, seed=seed), split)
    ]


def _unfinished(candidate: Candidate) -> dict[str, Any]:
    """Words a configuration that was dropped or failed; its score at the rung is one of select rows."""
    return {
        "name": candidate.name,
        "configuration": candidate.identity,
        "score": None,
        "dropped_at": candidate.dropped_at,
        "rungs": [{"epoch": epoch, "score": score} for epoch, score in sorted(candidate.rungs.items())],
        "failed": candidate.failed or None,
    }


def _references(lab: Lab, recipes: list[Recipe]) -> list[dict[str, Any]]:
    """Returns the mean predictor, and PCA at each code width and preprocessing that was compared."""
    widths: dict[str, set[int]] = {}
    preprocessed: dict[str, tuple[str, Preprocessing]] = {}
    for recipe in recipes:
        trial = lab.trial(recipe)
        architecture = lab.architecture(trial)
        if architecture.code_width is None or (architecture.over_time and architecture.is_recurrent):
            continue
        key = content_hash(trial.preprocessing.to_config())
        scaling = recipe.preprocessing.get("scaling", "none")
        preprocessed[key] = f", scaling={scaling}" if scaling != "none" else "", trial.preprocessing
        widths.setdefault(key, set()).add(architecture.code_width)
    found: dict[str, float] = {}
    for key, (more, preprocessing) in preprocessed.items():
        cells = fed_cells(lab, preprocessing)
        for width, score in pca_scores(lab, preprocessing, widths[key], cells=cells, on="held_out").items():
            found[components(width) + more] = score
    return [{"name": name, "kind": "reference", "score": score} for name, score in [*found.items(), MEAN]]
