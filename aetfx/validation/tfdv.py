"""Our statistics in TFDV's own formats, so that TFDV infers schemas, validates and draws them.

Every column is a FLOAT feature with one value per row; missing cells are missing values. Figures are over finite
cells: where a column holds infinities TFDV's own mean and maximum would be infinite, and useless.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.errors import DataError
from aetfx.validation.quiet import quiet
from aetfx.validation.statistics import BUCKETS, ColumnStatistics


def to_proto(statistics: ColumnStatistics, split: str | None = None) -> Any:
    """Returns a `DatasetFeatureStatisticsList` with one data set.

    Args:
      statistics: of one split; with `histogram` and `deciles`.
      split: name of the data set; TFDV's own are without one.
    """
    from tensorflow_metadata.proto.v0 import statistics_pb2

    found = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = found.datasets.add(num_examples=statistics.n_rows)
    if split is not None:
        dataset.name = split
    for j in range(len(statistics.names)):
        _feature(statistics, j, dataset.features.add())
    return found


def infer_schema(statistics: Any) -> Any:
    """TFDV's schema for a `DatasetFeatureStatisticsList`."""
    with quiet():
        import tensorflow_data_validation as tfdv

        return tfdv.infer_schema(statistics)


def find_anomalies(statistics: Any, schema: Any) -> Any:
    """TFDV's anomalies of statistics against a schema."""
    with quiet():
        import tensorflow_data_validation as tfdv

        return tfdv.validate_statistics(statistics, schema)


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


def _feature(statistics: ColumnStatistics, j: int, feature: Any) -> None:
    present = statistics.n_rows - int(statistics.n_missing[j])
    feature.path.step.append(statistics.names[j])
    feature.type = 1  # FeatureNameStatistics.FLOAT
    numeric = feature.num_stats
    common = numeric.common_stats
    common.num_missing = int(statistics.n_missing[j])
    if not present:
        return
    common.num_non_missing = common.tot_num_values = present
    common.min_num_values = common.max_num_values = 1
    common.avg_num_values = 1.0
    common.num_values_histogram.type = 1  # Histogram.QUANTILES
    for _ in range(BUCKETS):
        common.num_values_histogram.buckets.add(low_value=1, high_value=1, sample_count=present / BUCKETS)
    n_finite = int(statistics.n_finite[j])
    if not n_finite:
        return
    numeric.mean, numeric.std_dev = float(statistics.mean[j]), float(statistics.sd[j])
    numeric.num_zeros = int(statistics.n_zero[j])
    numeric.min, numeric.max = float(statistics.minimum[j]), float(statistics.maximum[j])
    numeric.median = float(statistics.quantile(0.5)[j])
    if statistics.histogram is None or statistics.deciles is None:
        return
    low, high = float(statistics.minimum[j]), float(statistics.maximum[j])
    edges = np.linspace(low, high, BUCKETS + 1)
    standard = numeric.histograms.add(type=0)
    quantiles = numeric.histograms.add(type=1)
    if low == high:  # TFDV's way with a constant column
        standard.buckets.add(low_value=low, high_value=high, sample_count=n_finite)
    for i in range(BUCKETS):
        if low < high:
            share = float(statistics.histogram[i, j])
            standard.buckets.add(low_value=edges[i], high_value=edges[i + 1], sample_count=share * n_finite)
        quantiles.buckets.add(
            low_value=statistics.deciles[i, j],
            high_value=statistics.deciles[i + 1, j],
            sample_count=n_finite / BUCKETS,
        )
