"""A checked request: what is to be trained on which rows, and the hash of all that the answer depends on.

Everything that can be wrong is checked here, before TensorFlow is imported.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from aetfx.data import Rows, Source, load, open_source
from aetfx.data.files import open_binary
from aetfx.data.labels import open_labels
from aetfx.data.parts import Parts
from aetfx.data.rows import check_columns, load_parts
from aetfx.data.shards import DiskRows, read_sample, rows_bytes, stream
from aetfx.data.split import halve, held_out
from aetfx.errors import DataError, ModelError
from aetfx.models.load import check_model_request, resolved
from aetfx.run import content_hash, file_hash, stream_hash, versions
from aetfx.study import DATA_PATHS, Study

# A change of the method must not hand out verdicts of an older one.
METHOD_VERSION = 19
_SAMPLE = 1 / 4  # of data.memory, for each of the two samples that are kept of rows on disk


@dataclass(frozen=True)
class Request:
    """What to do.

    Attributes:
      study: the request; for arrays one that stands for them.
      train_path, eval_path: files that Beam reads; eval_path is None where eval is a fraction. Both are empty for
        several inputs until the request is `placed`.
      inputs: hash for resuming; None where the model exists in memory only.
      rows: train rows, or all rows where eval is a fraction; None until loaded.
      eval_rows: the user's own eval rows, or None.
      targets, eval_targets: what `fit` asks back for both; None asks the rows themselves.
      model: a Keras model or a factory; None builds the study's.
      labels: as `aetfx.diagnosis.labels` has checked them; None without any.
      disk, disk_targets: all train rows and what is asked back for them, where they are too many for memory; `rows` and
        `eval_rows` are samples then.
      arrays: rows that came from memory, by the path at which they are written once the run directory is held.
    """

    study: Study
    train_path: str
    eval_path: str | None
    inputs: str | None
    rows: Rows | None = None
    eval_rows: Rows | None = None
    targets: Rows | None = None
    eval_targets: Rows | None = None
    model: Any = None
    labels: Any = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    disk: DiskRows | None = None
    disk_targets: DiskRows | None = None

    def loaded(self) -> Request:
        """Returns the request with its rows in memory and the split checked.

        Raises:
          DataError: the files are damaged, or a side of the split is empty.
        """
        if not isinstance(self.study.data.train, str):
            return self._loaded_parts()
        source, eval_source, target, eval_target = self._sources()
        eval_rows = eval_targets = None
        if eval_source is not None:
            eval_rows, eval_targets = self._read(eval_source, eval_target)
        rows, targets = self._read(source, target)
        check_split(rows, eval_rows, self.study)
        return self._with(rows, eval_rows, targets, eval_targets)

    @property
    def is_large(self) -> bool:
        """Whether the train rows are too many for memory."""
        if self.rows is not None or not isinstance(self.study.data.train, str):
            return False
        source, _, target, _ = self._sources()
        return sum(rows_bytes(side) for side in (source, target) if side is not None) > self._most_bytes

    def streamed(self, folder: Path, tell: Callable[[int], None] | None = None) -> Request:
        """Returns the request with its train rows on disk and samples of both sides in memory.

        Args:
          folder: where the rows are written; what is there already is used again.
          tell: told how many rows were read.

        Raises:
          DataError: the files are damaged, or a side of the split is empty.
          RunError: the disk is full.
        """
        source, eval_source, target, eval_target = self._sources()
        data, seed, most = self.study.data, self.study.training.seed, int(self._most_bytes * _SAMPLE)
        fraction = data.eval if isinstance(data.eval, float) else 0.0
        files = [[_content(file) for file in side.files] if side else None for side in (source, target)]
        key = content_hash([files, source.names, source.value_bytes, fraction, seed, most])
        found = stream(
            source, folder, key=key, fraction=fraction, seed=seed, most_bytes=most, targets=target, tell=tell
        )
        eval_rows, eval_targets = found.held_out, found.target_held_out
        if eval_source is not None:
            eval_rows, eval_targets = read_sample(eval_source, most, seed, eval_target)
        assert eval_rows is not None
        halve(eval_rows.values, seed)
        request = self._with(found.sample, eval_rows, found.target_sample, eval_targets)
        return dataclasses.replace(request, disk=found.train, disk_targets=found.targets)

    @property
    def _most_bytes(self) -> int:
        return int(self.study.data.memory * 2**30)

    def _sources(self) -> tuple[Source, Source | None, Source | None, Source | None]:
        """Opens train, eval, and what is asked back for both; None for what was not given."""
        data = self.study.data
        source = open_source(self.train_path, data.features)
        selection = source.column_selection or data.features
        others = (self.eval_path, None if data.target == "input" else data.target, data.eval_target)
        evaluation, target, eval_target = (None if path is None else open_source(path, selection) for path in others)
        return source, evaluation, target, eval_target

    def _read(self, source: Source, target: Source | None) -> tuple[Rows, Rows | None]:
        """Reads rows and what is asked back for them into memory, or as many of both as fit."""
        if rows_bytes(source) > self._most_bytes:
            if self.study.data.labels is not None:
                raise DataError(
                    f"data.labels: the rows of {source.path} are too many for memory, and which labels a sample has is "
                    "not known. Raise data.memory (gigabytes), or leave the labels out."
                )
            return read_sample(source, self._most_bytes, self.study.training.seed, target)
        return load(source), None if target is None else load(target)

    def _with(self, rows: Rows, eval_rows: Rows | None, targets: Rows | None, eval_targets: Rows | None) -> Request:
        data = self.study.data
        check_targets(rows, targets, self.train_path, data.target)
        if eval_rows is not None and self.eval_path is not None:
            check_targets(eval_rows, eval_targets, str(self.eval_path), str(data.eval_target))
        return dataclasses.replace(self, rows=rows, eval_rows=eval_rows, targets=targets, eval_targets=eval_targets)

    def _loaded_parts(self) -> Request:
        train, evaluation = self.study.data.train, self.study.data.eval
        assert isinstance(train, dict)
        rows = load_parts(train, "data.train")
        eval_rows = load_parts(evaluation, "data.eval") if isinstance(evaluation, dict) else None
        if eval_rows is not None and rows.parts != eval_rows.parts:
            raise DataError("data.eval: its inputs have other shapes than those of data.train. Give both the same.")
        check_numbers(rows, eval_rows, "data.eval")
        check_split(rows, eval_rows, self.study)
        return dataclasses.replace(self, rows=rows, eval_rows=eval_rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self._sources()[0].shape if self.rows is None else self.rows.shape

    @property
    def parts(self) -> Parts | None:
        """Where the parts of a row lie, for models with several inputs."""
        return None if self.rows is None else self.rows.parts

    def placed(self, directory: Path) -> Request:
        """Returns the request with a place in a run directory for rows that are in no file as they are used."""
        if self.train_path or self.rows is None:
            return self
        train, evaluation = (str(directory / "data" / f"{name}.npy") for name in ("train", "eval"))
        arrays = {train: self.rows.values}
        if self.eval_rows is not None:
            arrays[evaluation] = self.eval_rows.values
        return dataclasses.replace(
            self, train_path=train, eval_path=None if self.eval_rows is None else evaluation, arrays=arrays
        )


def open_request(study: Study) -> Request:
    """Checks a study against its model file and the headers of its data.

    Raises:
      AetfxError: with what is wrong and what to do.
    """
    for _, alternative in study.alternatives():
        check_model_request(alternative.model)
    labels = [open_labels(path) for path in (study.data.labels, study.data.eval_labels) if path is not None]
    if isinstance(study.data.train, dict):
        paths = [*study.data.train.values(), *(study.data.eval.values() if isinstance(study.data.eval, dict) else ())]
        return Request(study, "", None, _inputs(study, [*map(open_source, paths), *labels]))
    source = open_source(study.data.train, study.data.features)
    for name, alternative in study.alternatives():
        try:
            resolved(alternative.model, source.shape)
        except ModelError as error:
            raise error if name == "baseline" else ModelError(f"{name}: {error}") from None
    if "model.family" not in study.compare:  # else what suits one family would be asked of the others
        study = replace(study, model=resolved(study.model, source.shape))
    eval_source = None
    if isinstance(study.data.eval, str):
        eval_source = open_source(study.data.eval, source.column_selection or study.data.features)
        check_same_shape(source.shape, eval_source.shape, study.data.train, study.data.eval)
    selection = source.column_selection or study.data.features
    target_paths = [p for p in (study.data.target, study.data.eval_target) if p not in (None, "input")]
    targets = [open_source(str(path), selection) for path in target_paths]
    return Request(
        study=study,
        train_path=study.data.train,
        eval_path=study.data.eval if isinstance(study.data.eval, str) else None,
        inputs=_inputs(study, [source, eval_source, *targets, *labels]),
    )


def check_same_shape(train: tuple[int, ...], evaluation: tuple[int, ...], train_name: str, eval_name: str) -> None:
    """Checks that train and eval rows can be compared.

    Raises:
      DataError: the rows differ in shape.
    """
    if train != evaluation:
        raise DataError(
            f"{eval_name}: rows of shape {evaluation}, but {train_name} has rows of shape {train}. "
            "Give train and eval the same columns."
        )


def check_numbers(rows: Rows, eval_rows: Rows | None, name: str) -> None:
    """Checks that eval has numbers in every column where train has some.

    Raises:
      DataError: names the first column without any.
    """
    if eval_rows is not None:
        has = [np.isfinite(part.values.reshape(len(part), -1)).any(axis=0) for part in (rows, eval_rows)]
        check_columns(name, eval_rows.names, has[1] | ~has[0])


def check_targets(rows: Rows, targets: Rows | None, name: str, target_name: str) -> None:
    """Checks that targets belong to rows one by one.

    Raises:
      DataError: another shape or number, or rows that could not be read, so that the pairs are not known.
    """
    if targets is None:
        return
    if targets.shape != rows.shape:
        raise DataError(
            f"{target_name}: targets of shape {targets.shape}, but {name} has rows of shape {rows.shape}. "
            "An autoencoder gives rows back: for class labels or other answers leave the targets out."
        )
    if len(targets) != len(rows) or rows.quarantined or targets.quarantined:
        left_out = len(rows.quarantined) + len(targets.quarantined)
        unreadable = f" ({left_out} rows could not be read)" if left_out else ""
        raise DataError(
            f"{target_name}: {len(targets):,} targets for the {len(rows):,} rows of {name}{unreadable}. "
            "Give one target for each row, in the same order."
        )


def check_split(rows: Rows, eval_rows: Rows | None, study: Study) -> None:
    """Checks that every side of the split has rows, before anything heavy is imported.

    Raises:
      DataError: a side is empty.
    """
    if eval_rows is None:
        assert isinstance(study.data.eval, float)
        out = rows.values[held_out(rows.values, study.data.eval, study.training.seed)]
    else:
        out = eval_rows.values
    halve(out, study.training.seed)


def _inputs(study: Study, sources: Sequence[Source | None]) -> str:
    """Returns the hash of a study, the content of its files, and the versions that matter."""
    tree = study.to_tree()
    # Where the files lie does not matter, what is in them does.
    tree["data"] = {
        key: None if key in DATA_PATHS and isinstance(value, str) else list(value) if isinstance(value, dict) else value
        for key, value in tree["data"].items()
    }
    for key in ("processes", "checkpoint_seconds"):  # change how long it takes, and nothing else
        del tree["training"][key]
    files = [[_content(file) for file in s.files] if s else None for s in sources]
    code = [file_hash(path) for path in _model_files(study)]
    known = {name: version for name, version in versions().items() if name != "python"}
    return content_hash([METHOD_VERSION, tree, files, code, known])


def _content(file: str) -> str:
    with open_binary(file, packed=False) as stream:
        return stream_hash(stream)


def _model_files(study: Study) -> list[Path]:
    found = []
    for _, alternative in study.alternatives():
        if alternative.model.path:
            found.append(Path(alternative.model.path))
        elif alternative.model.factory:
            spec = importlib.util.find_spec(alternative.model.factory.split(":")[0])
            if spec is not None and spec.origin and Path(spec.origin).exists():
                found.append(Path(spec.origin))
    against = study.evaluation.thresholds.against
    if against is not None and Path(against).exists():
        found.append(Path(against))
    return found
