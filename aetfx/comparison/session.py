"""Opening a laboratory for a loaded request: devices, model, validation on Beam, score."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.comparison.request import Request
from aetfx.data import open_source, write_array
from aetfx.data.padding import ends_with
from aetfx.data.targets import SAME, relation
from aetfx.evaluation.score import LEAST_INSIDE
from aetfx.evaluation.separation import told_apart
from aetfx.models.reading import read_architecture
from aetfx.models.serial import leaf_layers
from aetfx.training.build import recipe_from_model, recipe_from_study
from aetfx.training.logs import write_hparams_config
from aetfx.training.progress import Progress
from aetfx.training.recipe import Recipe
from aetfx.training.store import TrialStore
from aetfx.training.strategy import prepare_devices
from aetfx.training.workshop import Workshop
from aetfx.validation.api import Validation, validate
from aetfx.validation.checks.missing import find_sentinels
from aetfx.validation.checks.outliers import inner_fences

_LEAST_CELLS_INSIDE = 0.9  # of the eval rows: gross cells are few
# What validation says about absent cells; of sequences that are padded it only says how long they are.
_GAPS = ("data.missing", "data.missing.mostly", "data.missing.blocks", "data.missing.tied", "data.missing.eval_only")


@dataclass(frozen=True)
class Session:
    """What a request becomes before the first trial.

    Attributes:
      lab: rows, splits, score and trials.
      baseline: the user's own recipe.
      live: the user's live model, where one was given in Python.
      validation: what was found in the data.
    """

    lab: Lab
    baseline: Recipe
    live: Any
    validation: Validation


def prepare_model(request: Request, progress: Progress | None) -> tuple[Recipe, Any, Any]:
    """Imports TensorFlow, chooses devices and builds the baseline recipe. Nothing is written.

    Returns:
      Strategy, recipe and live model.

    Raises:
      ModelError: the model cannot be built or does not fit the rows.
    """
    _say(progress, "loading TensorFlow")
    training = request.study.training
    strategy = prepare_devices(training.strategy, training.replicas)
    _say(progress, "building the model")
    if request.model is None:
        recipe, live = recipe_from_study(request.study, request.shape, request.parts), None
    else:
        recipe, live = recipe_from_model(request.model, request.study, request.shape, request.parts)
    return strategy, recipe, live


def open_lab(
    request: Request,
    directory: Path,
    prepared: tuple[Any, Recipe, Any],
    progress: Progress | None,
    *,
    shift_auc: float | None = None,
) -> Session:
    """Validates the data and fixes the score. The caller holds the run's lock.

    Args:
      request: loaded.
      directory: the run directory.
      prepared: from `prepare_model`.
      progress: told what is being done.
      shift_auc: where a classifier surely tells eval rows from train rows better than this, half of the eval rows is
        set aside for experiments; None where there will be none.
    """
    assert request.rows is not None
    for path, values in request.arrays.items():
        write_array(values, Path(path).parent, Path(path).stem)
    strategy, recipe, live = prepared
    study, rows = request.study, request.rows
    model = recipe.source.build()
    padding = _padding(request, model)
    _say(progress, "validating the data on Beam")
    fraction = study.data.eval if isinstance(study.data.eval, float) else None
    architecture = read_architecture(model, rows.shape)
    validation = validate(
        _source(request, request.train_path, padding),
        _source(request, request.eval_path, padding),
        features=study.data.features,
        eval_fraction=fraction,
        seed=study.training.seed,
        empty_columns=True,  # they were accepted, or refused, when the rows were loaded
        output_range=architecture.output_range,
    )
    sides = [side.values for side in (rows, request.eval_rows) if side is not None]
    if padding is not None and not any(np.isnan(values).any() for values in sides):
        validation.findings = [f for f in validation.findings if f.code not in _GAPS]
    validation.save(directory)
    write_hparams_config(directory / "tensorboard")
    train = validation.statistics["train"]
    outliers = any(f.code.startswith("data.outliers") and f.severity != "info" for f in validation.findings)
    eval_rows = None if request.eval_rows is None else request.eval_rows.values
    separation = None
    if eval_rows is not None and shift_auc is not None:
        separation = told_apart(rows.values, eval_rows, seed=study.training.seed)
    fences = inner_fences(train) if outliers else None
    lab = Lab(
        rows=rows.values,
        eval_rows=eval_rows,
        fraction=fraction or 0.0,  # none where eval rows were held out while the rows were written to disk
        seed=study.training.seed,
        features=study.data.features if isinstance(study.data.features, str) else "auto",
        declared_shape=rows.declared_shape,
        names=rows.names,
        sentinels=find_sentinels(train),
        fences=fences,
        judge="inliers" if fences is not None else None,
        padding=padding,
        parts=recipe.source.parts,
        store=TrialStore(directory),
        workshop=Workshop(strategy),
        progress=progress,
        processes=study.training.processes,
        checkpoint_seconds=study.training.checkpoint_seconds,
        disk=request.disk,
        disk_targets=request.disk_targets,
        targets=None if request.targets is None else request.targets.values,
        eval_targets=None if request.eval_targets is None else request.eval_targets.values,
        relation=SAME
        if request.targets is None
        else relation(rows.values, request.targets.values, recurrent=architecture.is_recurrent),
        reserve=shift_auc is not None and separation is not None and separation.low > shift_auc,
        separation=separation,
    )
    if lab.judge is not None:
        lab.judge = _judged_by(lab)
    lab.unit_seconds = lab.nominal_seconds(recipe)
    return Session(lab, recipe, live, validation)


def _judged_by(lab: Lab) -> str | None:
    """Returns `Lab.judge` where outliers were found.

    Where few eval rows lie inside the fences of train, they leave next to none to judge by; where few cells do, these
    are other rows.
    """
    part = lab.split(0, "aligned" if any(lab.alignments) else "").part("held_out")
    truth, scorer = lab.truth_of(part), lab.scorer()
    if scorer.inlier_rows(truth).mean() >= LEAST_INSIDE:
        return "inliers"
    return "cells" if scorer.inlier_share(truth) >= _LEAST_CELLS_INSIDE else None


def _padding(request: Request, model: Any) -> float | None:
    """Returns the value of padded steps: what the study says, or what the model masks where rows end with it."""
    assert request.rows is not None
    asked = request.study.data.padding
    masked = [layer.mask_value for layer in leaf_layers(model).values() if type(layer).__name__ == "Masking"]
    return ends_with(request.rows.values, [asked] if asked is not None else masked)


def _source(request: Request, path: str | None, padding: float | None) -> Any:
    """Returns what is to be validated: a path, or rows from memory under the names that they had there."""
    features = request.study.data.features
    if path is None or request.rows is None or (path not in request.arrays and padding is None):
        return path
    if path not in request.arrays:
        return dataclasses.replace(open_source(path, features), padding=padding)
    # A selection of columns was made before they were written.
    source = open_source(path, features if isinstance(features, str) else "auto")
    return dataclasses.replace(source, names=request.rows.names, padding=padding)


def _say(progress: Progress | None, doing: str) -> None:
    if progress is not None:
        progress.update(doing, 0.0, 1.0)
