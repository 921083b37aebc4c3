"""`evaluate`: what any Keras autoencoders make of held-out rows, all of them in one pass.

Importing this module imports neither Beam nor TensorFlow; `evaluate` imports both.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aetfx.errors import DataError, ModelError, StudyError
from aetfx.evaluation.entries import Entry, Seed, find_entries, told_apart
from aetfx.study import Thresholds

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from aetfx.data.parts import Parts
    from aetfx.data.sources import Source
    from aetfx.evaluation.predictors import KerasPredictor
    from aetfx.evaluation.record import Configuration
    from aetfx.evaluation.score import Scorer
    from aetfx.evaluation.slices import Slicer
    from aetfx.validation.watch import Report

SPLIT = "eval"
SAMPLE_BYTES = 64 << 20  # of train rows, on which the score is fixed
FILES = ("evaluation.json", "evaluation.parquet", "samples.npz")
BLESSING = "blessing.json"


@dataclass
class Evaluation:
    """What `evaluate` found.

    Attributes:
      record: the content of `evaluation.json`.
      table: the rows of `evaluation.parquet`, a `pyarrow.Table`.
      samples: the arrays of `samples.npz`.
      blessing: the content of `blessing.json`; None where no thresholds were given.
      directory: where these were written, or None.
    """

    record: dict[str, Any]
    table: pa.Table
    samples: dict[str, np.ndarray] = field(repr=False)
    blessing: dict[str, Any] | None = None
    directory: Path | None = None

    @property
    def scores(self) -> dict[str, float | None]:
        """Score of each configuration by its name; None where it failed."""
        return {c["name"]: c["score"] for c in self.record["configurations"]}

    @property
    def blessed(self) -> bool | None:
        """Whether the thresholds are met; None where there are none."""
        return None if self.blessing is None else bool(self.blessing["blessed"])

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Writes `evaluation.json`, `evaluation.parquet`, `samples.npz` and, with thresholds, `blessing.json`.

        Returns:
          The files.

        Raises:
          RunError: the folder cannot be written.
        """
        from aetfx.evaluation.samples import write_samples
        from aetfx.evaluation.table import write_table
        from aetfx.run import write_json

        directory = Path(directory)
        paths = [directory / name for name in FILES]
        (directory / BLESSING).unlink(missing_ok=True)
        write_json(paths[0], self.record)
        write_table(paths[1], self.table)
        write_samples(paths[2], self.samples)
        if self.blessing is not None:
            paths.append(directory / BLESSING)
            write_json(paths[-1], self.blessing)
        self.directory = directory
        return paths


def evaluate(
    models: Any,
    data: Any,
    *,
    train: Any = None,
    out: str | os.PathLike[str] | None = None,
    slices: Sequence[str] = (),
    thresholds: Thresholds | Mapping[str, Any] | None = None,
    features: Any = "auto",
    padding: float | None = None,
    seed: int = 0,
    extremes: int = 20,
    random_rows: int = 200,
    name: str | None = None,
    beam_flags: Sequence[str] = (),
    report: Report | None = None,
) -> Evaluation:
    """Scores models on the same rows, in one pass that Beam deals out.

    Args:
      models: a path of a `.keras` file or of a run directory of `compare` or `diagnose`, a Keras model, or a list of
        any of these; or a dictionary of names to them. The first is the baseline.
      data: held-out rows: a path or glob, an array of shape (n, ...), a data frame, or a finite `tf.data.Dataset`; for
        models with several inputs a dictionary, list or tuple of arrays, or a dictionary of paths, as they take them.
      train: the train rows, which fix the score; where they are many a sample of them, by row hash, does. Without,
        a sample of `data` itself has to do.
      out: run directory to write; None writes nothing.
      slices: parts of the rows to tell apart, such as "sex", "country=NL", "age@4" or "age > 60 and sex == 1".
      thresholds: the `evaluation.thresholds` of a study: `score`, `against`, `at_most`, `slices`.
      features: "auto", "table" (one score per column), "tensor" (pooled), or the columns that the models are fed.
      padding: value with which sequences of unlike lengths were filled up at their end; padded steps are not scored.
        None takes what a model's `Masking` layer masks.
      seed: of samples and bootstrap draws.
      extremes: worst, best and typical rows to keep of each configuration.
      random_rows: rows to keep beside these, chosen by hash.
      name: of the study, in `evaluation.json`; by default that of the data.
      beam_flags: Beam's own options, e.g. `--runner=FlinkRunner`.
      report: told what was read, as it goes.

    Returns:
      An `Evaluation`.

    Raises:
      ModelError: no model can be loaded and fits the rows.
      DataError: the rows cannot be read.
      StudyError: a slice or a threshold cannot be read.
      RunError: `out` cannot be written.
    """
    limits = _thresholds(thresholds)
    if extremes < 0 or random_rows < 1:
        raise StudyError(f"extremes must be 0 or more and random_rows 1 or more but got {extremes} and {random_rows}.")
    with _entries(models) as (entries, worded):
        against = None
        if limits is not None and limits.against is not None:
            (against,) = find_entries([limits.against])[:1]
            if all(entry.identity != against.identity for entry in entries):
                entries = [*entries, against]
        if beam_flags:
            from aetfx.data.files import set_remote_options

            set_remote_options(beam_flags)
        from aetfx.data.rows import Rows
        from aetfx.validation.api import opened

        rows, train_rows = _joined(data, "data"), _joined(train, "train")
        # Not `getattr`: a `pathlib.Path` has parts of its own.
        parts, train_parts = (side.parts if isinstance(side, Rows) else None for side in (rows, train_rows))
        with opened(rows, features, "data") as source:
            same = source.column_selection if features == "auto" else None
            with opened(train_rows, features if same is None else same, "train") as train_source:
                _check_alike(source, train_source, parts, train_parts)
                asked = [*slices, *(limits.slices if limits is not None else ())]
                work = _Work(
                    entries, source, train_source, asked, seed, extremes, random_rows, beam_flags, report,
                    features=features if isinstance(features, str) else "auto", padding=padding, parts=parts,
                    worded=worded,
                )  # fmt: skip
                found = work.run(name or _stem(data), limits, against)
    if out is not None:
        from aetfx.run import Run

        with Run(out):
            found.save(out)
    return found


@dataclass
class _Work:
    """The request, with its sources open."""

    entries: list[Entry]
    source: Source
    train: Source | None
    slices: Sequence[str]
    seed: int
    extremes: int
    random_rows: int
    beam_flags: Sequence[str]
    report: Report | None
    features: str = "auto"
    padding: float | None = None
    parts: Parts | None = None
    worded: Callable[[str], str] = str  # to messages

    def run(self, name: str, limits: Thresholds | None, against: Entry | None) -> Evaluation:
        from aetfx.evaluation.predictors import forget

        try:
            return self._run(name, limits, against)
        finally:
            forget()

    def _run(self, name: str, limits: Thresholds | None, against: Entry | None) -> Evaluation:
        from aetfx.evaluation.beam_pass import run_pass
        from aetfx.evaluation.blessing import bless
        from aetfx.evaluation.record import Figures, make_record, make_table
        from aetfx.evaluation.references import MEAN, cross_entropy_floor, fit_pca, pca_widths
        from aetfx.evaluation.samples import collect, sample_size
        from aetfx.evaluation.tally import Plan

        source = self.source
        rows, n_train = self._train_rows()
        slicer = self._slicer(rows.values, limits)
        self._say("loading the models")
        loaded, configurations = self._load()
        models = [model for models in loaded for model in models]
        scorer = self._scorer(rows.values, models)
        widths = pca_widths(models, len(rows), source.n_columns)
        references = fit_pca(scorer, rows.values, widths)
        owner = [i for i, mine in enumerate(loaded) for _ in mine]
        plan = Plan(
            scorer,
            (*owner, *[-1] * len(references)),
            slicer,
            seed=self.seed,
            extremes=self.extremes,
            sample=sample_size(source.n_columns, self.random_rows),
        )
        plan.check()
        passed = run_pass(
            source,
            plan,
            [*(model.label for model in models), *references.values()],
            parts=self.parts,
            beam_flags=self.beam_flags,
            report=self.report,
        )
        if not passed.tally.n_rows[0]:
            raise DataError(
                f"{source.path}: no row is left: all {passed.n_quarantined} rows are quarantined. Mend the file."
            )
        figures = Figures(passed.tally, tuple(configurations))
        told: list[tuple[str, int | float]] = [MEAN]
        told += [(label, len(models) + i) for i, label in enumerate(references)]
        floor = cross_entropy_floor(rows.values, scorer, [seed.path for entry in self.entries for seed in entry.seeds])
        record = make_record(
            figures,
            study_name=name,
            n_train=n_train,
            n_quarantined=passed.n_quarantined,
            n_outside=passed.n_outside,
            references=[*told, *([floor] if floor is not None else [])],
            notes=self._notes(n_train, len(rows), passed.n_outside),
        )
        leads = [mine[0] for mine in loaded]

        def answer(truth: np.ndarray, number: int) -> tuple[np.ndarray | None, np.ndarray | None]:
            return next(leads[number].answers(truth)), leads[number].codes(truth)

        going = [i for i, c in enumerate(configurations) if c.failed is None]
        samples = collect(passed.tally, going, len(configurations), answer, self.random_rows)
        blessing = None
        if limits is not None:
            other = None if against is None else next(c for c in configurations if c.identity == against.identity)
            blessing = bless(figures, limits, other)
            record["thresholds"] = {"blessed": blessing["blessed"], "reasons": blessing["reasons"]}
        return Evaluation(record, make_table(figures, SPLIT), samples, blessing)

    def _train_rows(self) -> tuple[Any, int | None]:
        """Returns the rows that the score is fixed on, and how many train rows there are; None without any."""
        from aetfx.data.shards import read_sample

        self._say(f"reading {'train rows' if self.train is not None else 'a sample of the rows'}")
        rows, _ = read_sample(self.train or self.source, SAMPLE_BYTES, self.seed)
        return rows, None if self.train is None else rows.n_read - len(rows.quarantined)

    def _slicer(self, train: np.ndarray, limits: Thresholds | None) -> Slicer:
        """Reads the slices, and checks those that thresholds name."""
        from aetfx.evaluation.slices import check_named, make_slicer

        texts = self.source.with_others([text.split("=")[0].strip().strip("`") for text in self.slices]).others
        slicer = make_slicer(self.slices, self.source.names, train.reshape(len(train), -1), texts)
        if limits is not None:
            check_named(list(limits.slices), slicer, "thresholds.slices")
        return slicer

    def _scorer(self, train: np.ndarray, models: Sequence[KerasPredictor]) -> Scorer:
        """Fixes the score, with what the models tell of padding and of which parts are given back."""
        from aetfx.data.padding import ends_with

        padding = self.padding
        if padding is None:
            padding = ends_with(train, dict.fromkeys(value for model in models for value in model.masked))
        parts = None if self.parts is None else self.parts.with_scored(set(models[0].gives))
        return fix_scorer(
            train, self.source, features=self.features, padding=padding, parts=parts, held_out=self._held_out()
        )

    def _held_out(self) -> Iterator[np.ndarray]:
        """Yields a sample of the rows that are scored, where the score is fixed on others."""
        from aetfx.data.shards import read_sample

        if self.train is not None:
            yield read_sample(self.source, SAMPLE_BYTES, self.seed)[0].values

    def _load(self) -> tuple[list[list[KerasPredictor]], list[Configuration]]:
        """Loads all models here, for what can be read off them and for errors in words; workers do so again.

        Returns:
          The models of each configuration that can be evaluated, and all configurations.

        Raises:
          ModelError: none can be.
        """
        from aetfx.evaluation.predictors import load
        from aetfx.evaluation.record import Configuration
        from aetfx.quiet import quiet

        loaded: list[list[KerasPredictor]] = []
        found: list[Configuration] = []
        first: ModelError | None = None
        count = 0
        for entry in self.entries:
            entered = Configuration(entry.identity, entry.name, entry.settings, tuple(one.seed for one in entry.seeds))
            try:
                with quiet():  # TensorFlow warns of as many compiled functions as there are models
                    mine = [load(one.path, self.source.shape, self.parts) for one in entry.seeds]
                    architecture = mine[0].architecture
                _check_gives(mine[0], loaded[0][0] if loaded else mine[0])
            except ModelError as error:
                first = first or error
                found.append(dataclasses.replace(entered, failed=self.worded(str(error))))
                continue
            found.append(
                dataclasses.replace(
                    entered,
                    predictors=tuple(range(count, count + len(mine))),
                    codes=None if architecture is None else architecture.code_width,
                )
            )
            loaded.append(mine)
            count += len(mine)
        if first is not None and not loaded:
            raise first
        return loaded, found

    def _notes(self, n_train: int | None, n_sample: int, n_outside: int) -> list[str]:
        found = []
        if n_train is None:
            found.append(
                f"No train rows were given: the score is fixed on {n_sample:,} of the evaluated rows themselves, so "
                "that 1 is what their own mean would score."
            )
        elif n_sample < n_train:
            found.append(f"The score is fixed on {n_sample:,} of the {n_train:,} train rows, chosen by row hash.")
        if n_outside:
            found.append(
                f"{n_outside:,} rows hold cells far outside of what the train rows hold, and are in no figure: one "
                "such cell would own the score."
            )
        return found

    def _say(self, what: str) -> None:
        if self.report is not None:
            self.report(what, 0.0, 0.0)


def fix_scorer(
    train: np.ndarray,
    source: Source,
    *,
    features: str = "auto",
    padding: float | None = None,
    parts: Parts | None = None,
    held_out: Iterable[np.ndarray] = (),
) -> Scorer:
    """Fixes the score on train rows (n, *shape), as `compare` does (METHOD section 1).

    Cells that stand for "missing" are found in them and not scored; where there are gross outliers, fences are set.

    Args:
      source: says what rows are and what their columns are called.
      features, padding, parts, held_out: as for `Scorer.fit`.
    """
    import numpy as np

    from aetfx.data.padding import without_padding
    from aetfx.evaluation.score import Scorer
    from aetfx.validation.checks.missing import find_sentinels
    from aetfx.validation.checks.outliers import has_outliers, inner_fences
    from aetfx.validation.statistics import summarize

    with np.errstate(all="ignore"):
        there = without_padding(train.reshape(len(train), -1), padding, source.shape)
        statistics = summarize(there, source.names)
        fences = inner_fences(statistics) if has_outliers(statistics).any() else None
    return Scorer.fit(
        train,
        features=features,
        declared_shape=source.declared_shape,
        sentinels=find_sentinels(statistics),
        fences=fences,
        names=source.names,
        padding=padding,
        parts=parts,
        held_out=held_out,
    )


def _joined(data: Any, where: str) -> Any:
    """Returns rows of several parts as flat rows in memory; anything else as it is.

    Raises:
      DataError: the parts do not belong together.
    """
    from aetfx.data.parts import are_parts
    from aetfx.data.rows import load_parts, rows_from

    if isinstance(data, dict) and len(data) > 1 and all(isinstance(one, str | os.PathLike) for one in data.values()):
        return load_parts({str(name): os.fspath(path) for name, path in data.items()}, where)
    if isinstance(data, dict) or are_parts(data) or isinstance(getattr(data, "element_spec", None), dict | tuple):
        return rows_from(data)
    return data


def _check_alike(source: Source, train: Source | None, parts: Parts | None, train_parts: Parts | None) -> None:
    """Checks that train and held-out rows have the same columns, and the same inputs."""
    if train is None or (train.shape, train_parts) == (source.shape, parts):
        return
    here, there = (
        f"the inputs {', '.join(f'{part.name} {part.shape}' for part in inputs.parts)}"
        if inputs is not None
        else f"rows of shape {rows.shape}"
        for rows, inputs in ((train, train_parts), (source, parts))
    )
    raise DataError(f"{train.path}: {here} but '{source.path}' has {there}. Give train and data the same columns.")


def _check_gives(model: KerasPredictor, first: KerasPredictor) -> None:
    """Checks that a model with several inputs gives those back that the first one does."""
    missing = [name for name in first.gives if name not in model.gives]
    if missing:
        raise ModelError(
            f"{model.label}: does not give back '{missing[0]}', which {first.label} does. Compare models that give the "
            "same inputs back."
        )


@contextlib.contextmanager
def _entries(models: Any) -> Iterator[tuple[list[Entry], Callable[[str], str]]]:
    """What is evaluated; models that are in memory are saved once, for workers to load, and removed after.

    Yields:
      The configurations, and what puts their names for such files into messages.
    """
    listed = models if isinstance(models, list | tuple | dict) else [models]
    if not isinstance(listed, dict) and all(isinstance(model, str | os.PathLike) for model in listed):
        yield find_entries([os.fspath(model) for model in listed]), str
        return
    named = listed.items() if isinstance(listed, dict) else [(None, model) for model in listed]
    found: list[Entry] = []
    labels: dict[str, str] = {}

    def worded(message: str) -> str:
        for path, label in labels.items():
            message = message.replace(path, f"'{label}'")
        return message

    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        for number, (name, model) in enumerate(named):
            if isinstance(model, str | os.PathLike):
                mine = find_entries([os.fspath(model)])
                label = name
            else:
                label = name or getattr(model, "name", None) or f"model {number + 1}"
                path = Path(folder) / f"{number}.keras"
                mine = [_saved(model, path, str(label))]
                labels[str(path)] = str(label)
            for entry in mine:
                own = label if len(mine) == 1 else f"{label}/{entry.name}"
                found.append(entry if label is None else dataclasses.replace(entry, name=str(own)))
        try:
            yield told_apart(found), worded
        except (DataError, ModelError) as error:
            raise type(error)(worded(str(error))) from error


def _saved(model: Any, path: Path, label: str) -> Entry:
    if not callable(getattr(model, "save", None)):
        raise ModelError(
            f"'{label}': a model must be a path or a Keras model but got {type(model).__name__}. Give the path of a "
            ".keras file."
        )
    try:
        model.save(path)
    except (TypeError, ValueError, NotImplementedError) as error:
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise ModelError(f"'{label}': Keras cannot save it, so that workers cannot load it ({said}).") from error
    from aetfx.run import file_hash

    return Entry(file_hash(path), label, (Seed(str(path)),), {})


def _thresholds(given: Thresholds | Mapping[str, Any] | None) -> Thresholds | None:
    if given is None or isinstance(given, Thresholds):
        return None if given == Thresholds() else given
    from aetfx.study import parse_thresholds

    return parse_thresholds(dict(given))


def _stem(data: Any) -> str:
    return Path(os.fspath(data)).name.split(".")[0] if isinstance(data, str | os.PathLike) else "evaluation"
