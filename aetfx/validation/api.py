"""`validate`: everything that can be said about data before a model is trained.

Importing this module imports neither Beam nor TFDV; `validate` imports Beam, and TFDV only where a schema or anomalies
are asked for (that takes 10-20 s).
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from aetfx.data.files import set_remote_options
from aetfx.data.rows import rows_from, write_array, write_table
from aetfx.data.sources import Features, Quarantined, Source, open_source
from aetfx.errors import DataError
from aetfx.validation import tfdv
from aetfx.validation.checks import run_checks
from aetfx.validation.checks.base import Context
from aetfx.validation.findings import Finding, findings_json
from aetfx.validation.output_range import OutputRange
from aetfx.validation.pipeline import EVAL, TRAIN, RowCounts, compute
from aetfx.validation.statistics import ColumnStatistics
from aetfx.validation.thresholds import Thresholds
from aetfx.validation.watch import Report


@dataclass
class Validation:
    """What `validate` found.

    Attributes:
      findings: what is wrong, errors first.
      rows: per split the rows read, counted and quarantined.
      statistics: per split.
      directory: where files were written, or None.
      quarantined: per split the rows that could not be read.
      skipped_text: columns left out because they hold no numbers.
      given_schema: the schema that was handed in, or None.
      others: TFDV's statistics of those columns per split, as far as TFDV can take them.
      tensor: what the columns together are called, where they are the elements of a tensor.
      compared: the eval split was handed in, not held out by chance: it may have drifted.
      thresholds: the numbers that comparators of an inferred schema rest on.
    """

    findings: list[Finding]
    rows: dict[str, RowCounts]
    statistics: dict[str, ColumnStatistics]
    directory: Path | None = None
    quarantined: dict[str, list[Quarantined]] = field(default_factory=dict)
    skipped_text: tuple[str, ...] = ()
    given_schema: Any = None
    others: dict[str, Any] = field(default_factory=dict)
    tensor: str | None = None
    compared: bool = False
    thresholds: Thresholds = Thresholds()

    @cached_property
    def statistics_protos(self) -> dict[str, Any]:
        """TFDV's `DatasetFeatureStatisticsList` per split."""
        return {
            split: tfdv.to_proto(statistics, tensor=self.tensor, others=self.others.get(split))
            for split, statistics in self.statistics.items()
        }

    @cached_property
    def schema(self) -> Any:
        """The schema that was handed in, as it is; or TFDV's for the train split, to which drift comparators are added
        where there is something to compare with.
        """
        if self.given_schema is not None:
            return self.given_schema
        protos = self.statistics_protos
        schema = tfdv.infer_schema(protos[TRAIN])
        if self.compared:
            from aetfx.validation.drift import add_comparators

            add_comparators(schema, protos[TRAIN], protos[EVAL], self.statistics[TRAIN], self.thresholds)
        return schema

    @cached_property
    def anomalies(self) -> dict[str, Any]:
        """TFDV's `Anomalies` per split; of the train split only against a schema that was handed in.

        Where the schema has comparators the eval split is compared with the train split.
        """
        judged = [split for split in self.statistics if split != TRAIN or self.given_schema is not None]
        protos = self.statistics_protos
        return {
            split: tfdv.find_anomalies(protos[split], self.schema, None if split == TRAIN else protos[TRAIN])
            for split in judged
        }

    def to_json(self) -> dict[str, Any]:
        """The content of `findings.json`."""
        return findings_json(
            self.findings, {split: counts.to_json() for split, counts in self.rows.items()}, self.skipped_text
        )

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Writes statistics, schema, anomalies, findings and quarantined rows below `directory`, in TFX's layout.

        Raises:
          RunError: the disk is full or the folder cannot be written.
        """
        from aetfx.run import write_json, write_text

        directory = Path(directory)
        statistics, schema, anomalies = self.statistics_protos, self.schema, self.anomalies  # all before any write
        for stale in ("statistics", "schema", "anomalies", "quarantine"):
            shutil.rmtree(directory / stale, ignore_errors=True)
        tfdv.write(directory, statistics, schema, anomalies)
        for split, rows in self.quarantined.items():
            lines = ["file,position,reason\n", *(f"{_quoted(r.file)},{r.position},{_quoted(r.reason)}\n" for r in rows)]
            write_text(directory / "quarantine" / f"{split}.csv", "".join(lines))
        write_json(directory / "findings.json", self.to_json())
        self.directory = directory
        return directory


def validate(
    data: Any,
    against: Any = None,
    *,
    schema: str | os.PathLike[str] | Any = None,
    features: Features = "auto",
    eval_fraction: float | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    output_range: OutputRange | None = None,
    thresholds: Mapping[str, float] | Thresholds | None = None,
    beam_flags: Sequence[str] = (),
    report: Report | None = None,
    empty_columns: bool = False,
) -> Validation:
    """Checks data for what makes autoencoders fail.

    Args:
      data: a path or glob, an array of shape (n, ...), a pandas data frame, or a finite `tf.data.Dataset`.
      against: rows to compare with (the eval split), of any of these kinds.
      schema: a TFDV schema, or the path of a `schema.pbtxt`, to check against instead of one inferred from `data`.
      features: "auto", "table", "tensor", or the columns to use.
      eval_fraction: without `against`, the share of rows to hold out by row hash as the eval split.
      seed: of that split.
      out: directory to write TFX's files and `findings.json` into.
      output_range: what the model's output can take, where a model is known.
      thresholds: overrides of `aetfx.validation.thresholds`, by name.
      beam_flags: Beam's own options, e.g. `--runner=FlinkRunner`; by default the work is done in this process.
      report: told `(what, shards done, shards in all)` while rows are read.
      empty_columns: accept columns without a single number: whoever trains on them is to hear what comes of it.

    Raises:
      DataError: the data or the schema cannot be read or used.
      StudyError: a threshold's name is unknown.
      RunError: `out` cannot be written.
    """
    limits = thresholds if isinstance(thresholds, Thresholds) else Thresholds().replace(thresholds)
    if eval_fraction is not None and not 0 < eval_fraction < 1:
        raise DataError(f"eval_fraction must be between 0 and 1 but got {eval_fraction}.")
    if beam_flags:
        set_remote_options(beam_flags)
    given = tfdv.read_schema(schema) if isinstance(schema, str | os.PathLike) else schema
    with opened(data, features, "data") as train:
        same = train.column_selection if features == "auto" else None
        with opened(against, features if same is None else same, "against", train.skipped_text) as evaluation:
            if evaluation is not None:
                _check_alike(train, evaluation)
            text = train.skipped_text
            found = compute(
                train.with_others(text), None if evaluation is None else evaluation.with_others(text),
                eval_fraction=eval_fraction, seed=seed, beam_flags=beam_flags, report=report,
                empty_columns=empty_columns,
            )  # fmt: skip
            context = Context(output_range=output_range, declared_shape=train.declared_shape, thresholds=limits)
            findings = run_checks(found.statistics, context)
            if any(finding.code in ("data.outliers", "data.outliers.rows") for finding in findings):
                from aetfx.validation.worst_rows import add_worst_rows

                findings = add_worst_rows(
                    findings, found.statistics, train, evaluation, eval_fraction=eval_fraction, seed=seed,
                    thresholds=limits, beam_flags=beam_flags, report=report,
                    shown=_shown(data, train) | _shown(against, evaluation),
                )  # fmt: skip
    validation = Validation(
        findings=findings,
        rows=found.rows,
        statistics=found.statistics,
        quarantined=found.quarantined,
        skipped_text=train.skipped_text,
        given_schema=given,
        others=found.others,
        tensor=train.tensor_name if train.declared_shape else None,
        compared=evaluation is not None,
        thresholds=limits,
    )
    if out is not None:
        from aetfx.run import Run

        with Run(out):  # another process may be at work there
            validation.save(out)
    return validation


@contextmanager
def opened(data: Any, features: Features, name: str, others: Sequence[str] = ()) -> Iterator[Any]:
    """A source for data of any kind; what is in memory is written once, for workers to read, and removed after.

    Args:
      others: columns to be had beside `features`, as far as they are there.
    """
    if data is None or isinstance(data, Source):
        yield data
    elif isinstance(data, str | os.PathLike):
        yield open_source(data, features)
    else:
        is_frame = hasattr(data, "columns")
        rows = rows_from(data, features if isinstance(features, str) or is_frame else "auto")
        with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
            chosen = features if isinstance(features, str) or is_frame is False else "auto"
            changes: dict[str, Any] = {"path": name, "skipped_text": rows.skipped_text, "whole": rows.whole}
            columns = [str(column) for column in data.columns] if is_frame else []
            further = [column for column in columns if column in (*rows.skipped_text, *others)]
            if further and len(set(columns)) == len(columns):
                source = open_source(write_table(rows, data, further, folder, name), list(rows.names))
            else:
                source = open_source(write_array(rows.values, folder, name), chosen)
            if is_frame or rows.parts is not None:
                changes["names"] = rows.names
            yield dataclasses.replace(source, **changes)


def _shown(data: Any, source: Source | None) -> dict[str, str]:
    """What to call the file that rows from memory were written to."""
    if source is None or isinstance(data, str | os.PathLike | Source):
        return {}
    return dict.fromkeys(source.files, source.path)


def _check_alike(train: Source, evaluation: Source) -> None:
    """Checks that both sources have the same columns.

    Raises:
      DataError: says how they differ.
    """
    if evaluation.shape != train.shape:
        raise DataError(
            f"{evaluation.path}: rows of shape {evaluation.shape} but '{train.path}' has rows of shape {train.shape}. "
            "Give both the same columns."
        )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
