"""ExampleGen, StatisticsGen, SchemaGen, ExampleValidator and Transform: from rows to what a model is fed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aetfx.data import open_source
from aetfx.data.digest import digest as digest_of
from aetfx.data.examples import SPLITS, pattern
from aetfx.errors import DataError
from aetfx.run import content_hash, write_bytes
from aetfx.steps.configurations import configuration, on_examples, read, values_of

Metadata = dict[str, dict[str, Any]]


def data_digest(study: str) -> str:
    """Returns one hash of all rows that a study names: the train path, and the eval path where there is one.

    Raises:
      AetfxError: the study is wrong, or a path cannot be read.
    """
    data = read(study).data
    assert isinstance(data.train, str)
    return content_hash([digest_of(path) for path in (data.train, data.eval) if isinstance(path, str)])


def check_digest(wanted: str, found: str, what: str) -> None:
    """Checks that something is still what a pipeline was started with.

    Raises:
      DataError: it has changed since.
    """
    if wanted != found:
        raise DataError(
            f"{what}: the content has changed since the pipeline was started (digest {found}, not {wanted}). Start it "
            "again: `python -m pipelines arguments` prints the digests of now."
        )


def example_gen(study: str, digest: str, examples: str, beam_flags: Sequence[str] = ()) -> Metadata:
    """Writes the rows of a study as `Examples`: TFRecords of `tf.Example` in `Split-train` and `Split-eval`.

    Args:
      study: its text.
      digest: `data_digest` when the pipeline was started; "" to take the rows as they are.
      examples: place to write.
      beam_flags: Beam's own options.

    Raises:
      DataError: the rows have changed since, or cannot be read.
    """
    from aetfx.validation.examples import write_examples

    request = read(study)
    data = request.data
    assert isinstance(data.train, str)
    found = data_digest(study)
    if digest:
        check_digest(digest, found, data.train)
    source = open_source(data.train, data.features)
    fraction = data.eval if isinstance(data.eval, float) else None
    evaluation = open_source(data.eval, source.column_selection or data.features) if fraction is None else None  # type: ignore[arg-type]
    written = write_examples(
        source, evaluation, examples, eval_fraction=fraction, seed=request.training.seed, beam_flags=beam_flags
    )
    rows = {split: counts.counted for split, counts in written.rows.items()}
    return {
        "examples": {
            "rows": sum(rows.values()),
            **{f"rows_{split}": count for split, count in rows.items()},
            "rows_quarantined": sum(counts.quarantined for counts in written.rows.values()),
            "features": source.n_columns,
            "hash": written.digest,
            "data_digest": found,
            "split_names": _split_names(),
            "file_format": "tfrecords_gzip",
            "payload_format": "FORMAT_TF_EXAMPLE",
            "span": 0,
            "version": 0,
        }
    }


def statistics_gen(examples: str, statistics: Path, report: Path, beam_flags: Sequence[str] = ()) -> Metadata:
    """Writes `ExampleStatistics` (`Split-*/FeatureStats.pb`, and `findings.json` beside) and a page that shows them."""
    from aetfx.report.validation import write_views
    from aetfx.validation.api import validate

    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        found = validate(
            pattern(examples, "train"), pattern(examples, "eval"), out=folder, beam_flags=beam_flags, empty_columns=True
        )
        write_views(folder)
        for file in sorted(Path(folder, "statistics").rglob("*.pb")):
            write_bytes(statistics / file.parent.name / file.name, file.read_bytes())
        write_bytes(statistics / "findings.json", Path(folder, "findings.json").read_bytes())
        # What the eval split adds to a schema needs more than FeatureStats.pb holds.
        write_bytes(statistics / "schema.pbtxt", Path(folder, "schema", "schema.pbtxt").read_bytes())
        write_bytes(report, Path(folder, "validation.html").read_bytes())
    severities = [finding.severity for finding in found.findings]
    return {
        "statistics": {
            "rows": sum(counts.counted for counts in found.rows.values()),
            "features": len(found.statistics["train"].names),
            "findings": len(severities),
            "errors": severities.count("error"),
            "split_names": _split_names(),
            "span": 0,
        }
    }


def schema_gen(statistics: Path, schema: Path, given: str = "", digest: str = "") -> Metadata:
    """Writes `Schema` (`schema.pbtxt`): TFDV's for the train split, or a reviewed one that is given.

    Args:
      statistics: that `statistics_gen` wrote.
      schema: folder to write.
      given: place of a `schema.pbtxt` to use instead; "" to infer one.
      digest: of its content when the pipeline was started; "" to take it as it is.

    Raises:
      DataError: it is missing, has changed since, or is no schema.
    """
    from aetfx.data.files import open_binary
    from aetfx.validation import tfdv

    if given:
        if digest:
            check_digest(digest, digest_of(given), given)
        with open_binary(given) as stream:
            write_bytes(schema / "schema.pbtxt", stream.read())
    else:
        write_bytes(schema / "schema.pbtxt", (statistics / "schema.pbtxt").read_bytes())
    features = len(tfdv.read_schema(schema / "schema.pbtxt").feature)
    return {"schema": {"features": features, "source": "given" if given else "inferred"}}


def example_validator(statistics: Path, schema: Path, anomalies: Path, strict: bool = False) -> Metadata:
    """Writes `ExampleAnomalies` (`Split-*/SchemaDiff.pb`) of statistics against a schema.

    Args:
      statistics, schema: that the steps before wrote.
      anomalies: folder to write.
      strict: raise where a finding or an anomaly is an error: the data should not be trained on.

    Raises:
      DataError: they should not; says why.
    """
    from aetfx.report.validation import errors
    from aetfx.validation import tfdv

    read_schema = tfdv.read_schema(schema / "schema.pbtxt")
    protos = {split: _read_statistics(statistics / f"Split-{split}" / "FeatureStats.pb") for split in SPLITS}
    found = {
        split: tfdv.find_anomalies(proto, read_schema, None if split == "train" else protos["train"])
        for split, proto in protos.items()
    }
    for split, proto in found.items():
        write_bytes(anomalies / f"Split-{split}" / "SchemaDiff.pb", proto.SerializeToString(deterministic=True))
    counts = {split: len(proto.anomaly_info) for split, proto in found.items()}
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        run = Path(folder)
        shutil.copytree(anomalies, run / "anomalies")
        shutil.copyfile(statistics / "findings.json", run / "findings.json")
        reasons = errors(run)
    if strict and reasons:
        raise DataError(
            f"the data are refused: {reasons}. See the report of StatisticsGen, and mend the data or the schema."
        )
    return {
        "anomalies": {
            **{f"anomalies_{split}": count for split, count in counts.items()},
            "blessed": {split: int(not count) for split, count in counts.items()},
            "refused": bool(reasons),
            "split_names": _split_names(),
            "span": 0,
        }
    }


def transform(examples: str, study: str, transform_graph: Path, values: str = "") -> Metadata:
    """Writes `TransformGraph`: the preprocessing of one configuration, fitted on the train split.

    Args:
      examples: that `example_gen` wrote.
      study: its text.
      transform_graph: folder to write.
      values: of the keys under `compare`, as JSON; "" for the baseline.
    """
    from aetfx.comparison.one import fit_preprocessing
    from aetfx.data.sources.tfrecord import TfrecordSource
    from aetfx.preprocessing.transform_graph import Column, write_transform_graph

    chosen = configuration(read(study), values_of(values))
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        fitted = fit_preprocessing(on_examples(chosen.study, examples), Path(folder))
    source = open_source(pattern(examples, "train"))
    assert isinstance(source, TfrecordSource)
    columns = [Column(*column) for column in zip(source.columns, source.sizes, source.integers, strict=True)]
    digest = write_transform_graph(fitted, columns, transform_graph)
    return {
        "transform_graph": {
            "configuration": chosen.identity,
            "features": source.n_columns,
            "preprocessing": digest,
            "spec": {key: value for key, value in fitted.spec.items() if value != "none"},
        }
    }


def _read_statistics(path: Path) -> Any:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    try:
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    except Exception as error:
        raise DataError(f"{path}: not statistics of TFDV ({type(error).__name__}). Run StatisticsGen again.") from None


def _split_names() -> str:
    return '["train","eval"]'
