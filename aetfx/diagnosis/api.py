"""`diagnose`: from a study or from arrays to a finished run. Checks first, spends later.

A request is checked whole (study, model file, data headers, split) before TensorFlow is imported;
a run that is finished and whose inputs hash the same is read back without importing it at all.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aetfx.comparison.request import Request, check_numbers, check_same_shape, check_split, check_targets, open_request
from aetfx.data import Rows, rows_from
from aetfx.data.labels import read_labels
from aetfx.data.rows import unpaired
from aetfx.diagnosis.labels import Labels, check_labels
from aetfx.diagnosis.result import Diagnosis, load_run
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.errors import DataError
from aetfx.run import Run
from aetfx.study import Study, parse_study
from aetfx.training.progress import Progress

_WRITTEN = ("train", "eval", "targets", "eval_targets")  # names of the files of rows that came from memory


def diagnose_study(
    study: Study, out: Path, *, replicas: int | None = None, progress: Progress | None = None
) -> Diagnosis:
    """Diagnoses a study and writes a run directory.

    Args:
      study: checked.
      out: run directory; a finished run with the same inputs is read back.
      replicas: overrides `training.replicas`.
      progress: told what is being done.

    Raises:
      AetfxError: the request, the data or the model is wrong, or the directory cannot be written.
    """
    if replicas is not None:
        study = study.with_changes({"training.replicas": replicas})
    Thresholds.with_overrides(study.diagnosis.thresholds)
    request = open_request(study)
    if _finished(Path(out), request.inputs):
        return load_run(out)
    request = request.loaded()
    request = dataclasses.replace(request, labels=_labels_of(study, request))
    from aetfx.diagnosis.session import run_request

    return run_request(request, Path(out), progress=progress)


def plan_study(study: Study, *, progress: Progress | None = None) -> dict[str, Any]:
    """Says what a diagnosis of a study would try and cost, without training anything or keeping a file.

    Returns:
      See `aetfx.diagnosis.planning.plan_request`.

    Raises:
      AetfxError: the request, the data or the model is wrong.
    """
    Thresholds.with_overrides(study.diagnosis.thresholds)
    request = open_request(study).loaded()
    from aetfx.diagnosis.planning import plan_request

    return plan_request(request, progress=progress)


def diagnose(
    model: Any,
    x_train: Any,
    x_val: Any = None,
    *,
    out: str | Path | None = None,
    progress: Progress | None = None,
    **given: Any,
) -> Diagnosis:
    """Diagnoses a model on rows in memory. See `aetfx.diagnose` for the arguments and errors."""
    with ExitStack() as stack:
        if out is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aetfx-")))
        else:
            directory = Path(out)
        name = "diagnosis" if out is None else directory.resolve().name.replace("\\", "_") or "diagnosis"
        request = request_in_memory(model, x_train, x_val, directory=directory, name=name, **given)
        from aetfx.diagnosis.session import run_request

        return run_request(request, directory, progress=progress, keep=out is not None)


def request_in_memory(
    model: Any,
    x_train: Any,
    x_val: Any = None,
    *,
    directory: Path,
    name: str = "diagnosis",
    y_train: Any = None,
    y_val: Any = None,
    epochs: int,
    batch_size: int = 32,
    budget: float | None = None,
    target: float | None = None,
    experiments: bool = True,
    labels: Any = None,
    labels_val: Any = None,
    features: str | Sequence[str] = "auto",
    padding: float | None = None,
    seed: int = 0,
) -> Request:
    """Makes the request of a diagnosis from rows in memory, and writes nothing. See `aetfx.diagnose` for the arguments.

    Args:
      directory: the run directory: rows from memory are written there once it is held.
      name: of the study.

    Raises:
      AetfxError: the data or the request is wrong.
    """
    x_train, paired = unpaired(x_train)
    x_val, paired_val = unpaired(x_val)
    rows = rows_from(x_train, features, empty_columns=True)
    eval_rows = rows_from(x_val, features, empty_columns=True) if x_val is not None else None
    if eval_rows is not None:
        check_same_shape(rows.shape, eval_rows.shape, "x_train", "x_val")
        if rows.parts != eval_rows.parts:
            raise DataError("x_val: its parts differ from those of x_train. Give both the same inputs, in one order.")
    check_numbers(rows, eval_rows, "x_val")
    targets, eval_targets = _targets(
        rows, paired if y_train is None else y_train, eval_rows, paired_val if y_val is None else y_val, features
    )
    known = check_labels(labels, labels_val, len(rows), None if eval_rows is None else len(eval_rows))
    train_path = x_train if isinstance(x_train, str | Path) else None
    eval_path = x_val if isinstance(x_val, str | Path) else None
    places = {part: str(directory / "data" / f"{part}.npy") for part in _WRITTEN}
    asked = {"budget": budget, "target": target, "experiments": None if experiments else False}
    tree: dict[str, Any] = {
        "name": name,
        "data": {
            "train": str(train_path or places["train"]),
            "eval": 0.2 if eval_rows is None else str(eval_path or places["eval"]),
            **({} if targets is None else {"target": places["targets"]}),
            **({} if eval_targets is None else {"eval_target": places["eval_targets"]}),
            "features": features if isinstance(features, str) else list(features),
            **({} if padding is None else {"padding": padding}),
        },
        "training": {"epochs": epochs, "batch_size": batch_size, "seed": seed},
        "diagnosis": {key: value for key, value in asked.items() if value is not None},
    }
    study = parse_study(tree, where="diagnose")
    check_split(rows, eval_rows, study)
    from_files = {"train": train_path is not None, "eval": eval_path is not None}
    sides = dict(zip(_WRITTEN, (rows, eval_rows, targets, eval_targets), strict=True))
    arrays = {
        places[part]: side.values for part, side in sides.items() if side is not None and not from_files.get(part)
    }
    return Request(
        study=study,
        rows=rows,
        eval_rows=eval_rows,
        targets=targets,
        eval_targets=eval_targets,
        train_path=str(train_path or places["train"]),
        eval_path=study.data.eval if isinstance(study.data.eval, str) else None,
        inputs=None,
        model=model,
        labels=known,
        arrays=arrays,
    )


def _labels_of(study: Study, request: Request) -> Labels | None:
    """Reads the labels of a study and checks them against its rows."""
    rows, eval_rows = request.rows, request.eval_rows
    assert rows is not None
    for side, path in ((rows, study.data.labels), (eval_rows, study.data.eval_labels)):
        if side is not None and path is not None and side.quarantined:
            raise DataError(
                f"{path}: {len(side.quarantined)} of the rows that these are the labels of cannot be read "
                f"({side.quarantined[0].reason}). Mend or remove these rows and their labels."
            )
    first, second = (
        None if path is None else read_labels(path) for path in (study.data.labels, study.data.eval_labels)
    )
    names = ("data.labels", "data.eval_labels", "data.train", "data.eval")
    return check_labels(first, second, len(rows), None if eval_rows is None else len(eval_rows), names)


def _targets(
    rows: Rows, y_train: Any, eval_rows: Rows | None, y_val: Any, features: Any
) -> tuple[Rows | None, Rows | None]:
    """Returns the targets of the train and the eval rows, checked; None where they are the rows themselves."""
    targets = None if y_train is None else rows_from(y_train, features, empty_columns=True)
    eval_targets = None if y_val is None else rows_from(y_val, features, empty_columns=True)
    if targets is None and y_val is not None:
        raise DataError("y_val: given without y_train. Give both, or neither to ask the rows themselves back.")
    if targets is not None and eval_rows is not None and eval_targets is None:
        raise DataError("y_val: missing. Give the targets of x_val too, as y_train was given.")
    check_targets(rows, targets, "x_train", "y_train")
    if eval_rows is not None:
        check_targets(eval_rows, eval_targets, "x_val", "y_val")
    return targets, eval_targets if eval_rows is not None else None


def _finished(out: Path, inputs: str | None) -> bool:
    if inputs is None or not (out / "lineage.json").exists():
        return False
    with Run(out) as run:
        return run.done("diagnosis", inputs)
