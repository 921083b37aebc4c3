"""Our statistics in TFDV's own formats, so that TFDV infers schemas, validates, compares and draws them.

Every column of numbers is a feature with one value per row, INT or FLOAT as its file has it. A tensor is one feature
more: all its elements together. Columns without numbers are as TFDV's own generators found them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aetfx.errors import DataError
from aetfx.quiet import quiet, quiet_imports
from aetfx.validation.statistics import ColumnStatistics
from aetfx.validation.tfdv_features import POOLED, of_column, pooled, write_feature

_TENSOR = "values"  # of a tensor whose own name one of its elements has


def to_proto(
    statistics: ColumnStatistics, split: str | None = None, tensor: str | None = None, others: Any = None
) -> Any:
    """Returns a `DatasetFeatureStatisticsList` with one data set.

    Args:
      statistics: of one split; with `histogram` and `deciles`.
      split: name of the data set; TFDV's own are without one.
      tensor: what all columns together are called, where they are the elements of a tensor.
      others: a `DatasetFeatureStatisticsList` of further columns of the same rows.
    """
    from tensorflow_metadata.proto.v0 import statistics_pb2

    found = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = found.datasets.add(num_examples=statistics.n_rows)
    if split is not None:
        dataset.name = split
    for j in range(len(statistics.names)):
        write_feature(of_column(statistics, j), dataset.features.add())
    if tensor is not None and len(statistics.names) > 1:
        whole = pooled(statistics, _TENSOR if tensor in statistics.names else tensor)
        if whole is not None:
            feature = dataset.features.add()
            write_feature(whole, feature)
            feature.custom_stats.add(name=POOLED, num=whole.width)
    if others is not None:
        dataset.features.extend(others.datasets[0].features)
    return found


def infer_schema(statistics: Any) -> Any:
    """TFDV's schema for a `DatasetFeatureStatisticsList`."""
    with quiet():
        return _tfdv().infer_schema(statistics)


def find_anomalies(statistics: Any, schema: Any, before: Any = None) -> Any:
    """TFDV's anomalies of statistics against a schema.

    Args:
      before: statistics to compare with, as far as the schema has comparators: those of drift take them for the data
        of an earlier day, those of skew for the data on the other side of a deployment.
    """
    with quiet():
        return _tfdv().validate_statistics(
            statistics,
            schema,
            previous_statistics=before if _compares(schema, "drift_comparator") else None,
            serving_statistics=before if _compares(schema, "skew_comparator") else None,
        )


def _tfdv() -> Any:
    with quiet_imports():
        import tensorflow_data_validation as tfdv
    return tfdv


def _compares(schema: Any, comparator: str) -> bool:
    """Whether any feature of a schema has such a comparator; TFDV also has one for the number of rows."""
    if comparator == "drift_comparator" and schema.dataset_constraints.HasField("num_examples_drift_comparator"):
        return True
    return any(feature.HasField(comparator) for feature in schema.feature)


def read_schema(path: str | os.PathLike[str]) -> Any:
    """Reads a `schema.pbtxt`.

    Raises:
      DataError: the file is missing or is no schema.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), schema_pb2.Schema())
    except FileNotFoundError:
        raise DataError(f"{path}: no such schema file. Give a schema.pbtxt as TFDV writes it.") from None
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        said = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a TFDV schema ({said}). Give a schema.pbtxt as TFDV writes it.") from None


def write(
    directory: Path, statistics: Mapping[str, Any], schema: Any | None, anomalies: Mapping[str, Any]
) -> list[Path]:
    """Writes TFX's layout below `directory`, each file atomically; returns the files.

    Args:
      statistics, anomalies: split name to proto.
    """
    from google.protobuf import text_format

    from aetfx.run import write_bytes, write_text

    written = []
    for split, proto in statistics.items():
        written.append(directory / "statistics" / f"Split-{split}" / "FeatureStats.pb")
        write_bytes(written[-1], proto.SerializeToString(deterministic=True))
    if schema is not None:
        written.append(directory / "schema" / "schema.pbtxt")
        write_text(written[-1], text_format.MessageToString(schema))
    for split, proto in anomalies.items():
        written.append(directory / "anomalies" / f"Split-{split}" / "SchemaDiff.pb")
        write_bytes(written[-1], proto.SerializeToString(deterministic=True))
    return written
