"""A checked request, and the hash of all that its answer depends on."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aetfx.data import Rows, Source
from aetfx.run import content_hash, file_hash, versions
from aetfx.study import Study

# A change of the method must not hand out verdicts of an older one.
METHOD_VERSION = 1


@dataclass(frozen=True)
class Request:
    """What to diagnose.

    Attributes:
      study: the request; for arrays one that stands for them.
      rows: train rows, or all rows where eval is a fraction.
      eval_rows: the user's own eval rows, or None.
      train_path, eval_path: files that Beam reads.
      inputs: hash for resuming; None where the model exists in memory only.
      model: a Keras model or a factory; None builds the study's.
    """

    study: Study
    rows: Rows
    eval_rows: Rows | None
    train_path: str
    eval_path: str | None
    inputs: str | None
    model: Any = None


def study_inputs(study: Study, sources: Sequence[Source | None]) -> str:
    """Returns the hash of a study, the content of its files, and the versions that matter."""
    tree = study.model_dump(mode="json")
    tree["data"] = {**tree["data"], "train": None, "eval": tree["data"]["eval"] if sources[1] is None else None}
    files = [[file_hash(Path(file)) for file in source.files] if source else None for source in sources]
    code = [file_hash(path) for path in _model_files(study)]
    known = {name: version for name, version in versions().items() if name != "python"}
    return content_hash([METHOD_VERSION, tree, sorted(study.model.model_fields_set | study.training.model_fields_set), files, code, known])


def _model_files(study: Study) -> list[Path]:
    if study.model.path:
        return [Path(study.model.path)]
    if study.model.factory:
        spec = importlib.util.find_spec(study.model.factory.split(":")[0])
        if spec is not None and spec.origin and Path(spec.origin).exists():
            return [Path(spec.origin)]
    return []
