"""Reads back what `validate` left in a run directory: findings, statistics, anomalies, quarantined rows.

Only `findings.json` must be there. TFX's files are read with the protos alone (0.1 s), without TFDV.
"""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.errors import RunError
from aetfx.run import read_json
from aetfx.validation.findings import rank
from aetfx.validation.tfdv_features import POOLED

_MOST_QUARANTINED = 5  # shown; all of them are in quarantine/


@dataclass(frozen=True)
class Feature:
    """What a run directory knows of one column in one split.

    Attributes:
      rows: of the split.
      missing, infinite, zeros: numbers of cells.
      mean, sd, minimum, median, maximum: over finite cells; None for a column without any, and for text.
      counts: cells in each of k equal-width buckets between minimum and maximum, shape (k,), or None.
      quantiles: at 0, 1/m, ..., 1, shape (m + 1,), or None.
      top: the most frequent values of a text column with their counts.
      unique: distinct values of a text column.
      lengths: fewest and most values in a row that holds any.
    """

    name: str
    rows: int
    missing: int = 0
    infinite: int = 0
    zeros: int = 0
    mean: float | None = None
    sd: float | None = None
    minimum: float | None = None
    median: float | None = None
    maximum: float | None = None
    counts: np.ndarray | None = None
    quantiles: np.ndarray | None = None
    top: tuple[tuple[str, float], ...] = ()
    unique: int = 0
    lengths: tuple[int, int] = (1, 1)

    @property
    def constant(self) -> bool:
        """Whether the column has finite cells, all equal."""
        return self.minimum is not None and self.minimum == self.maximum


@dataclass(frozen=True)
class Anomaly:
    """What TFDV says of a feature that breaks a schema."""

    feature: str
    split: str
    is_error: bool
    title: str
    description: str


@dataclass
class ValidationFiles:
    """The content of a run directory that `validate` wrote.

    Attributes:
      findings: `findings.json`.
      features: split to the columns in their order.
      left_out: split to the columns that no model is trained on, as far as TFDV went over them.
      anomalies: of all splits, errors first.
      quarantined: split to the first few rows that could not be read, as (file, position, reason).
    """

    directory: Path
    findings: dict[str, Any]
    features: dict[str, list[Feature]] = field(default_factory=dict)
    left_out: dict[str, list[Feature]] = field(default_factory=dict)
    anomalies: list[Anomaly] = field(default_factory=list)
    quarantined: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    @property
    def found(self) -> list[dict[str, Any]]:
        """The findings, errors first."""
        found = [item for item in self.findings.get("findings") or [] if isinstance(item, dict)]
        return sorted(found, key=lambda item: rank(item.get("severity")))


def load(directory: Path) -> ValidationFiles:
    """Reads a run directory.

    Raises:
      RunError: `findings.json` is missing, or one of the files cannot be read.
    """
    directory = Path(directory)
    findings = read_json(directory / "findings.json")
    if not isinstance(findings, dict):
        raise RunError(f"{directory / 'findings.json'}: expected a JSON object. Run `aetfx validate` again.")
    features = {split: read_features(path) for split, path in _splits(directory / "statistics", "FeatureStats.pb")}
    names = set(findings.get("left_out") or [])
    return ValidationFiles(
        directory=directory,
        findings=findings,
        features={split: [item for item in found if item.name not in names] for split, found in features.items()},
        left_out={split: [item for item in found if item.name in names] for split, found in features.items()},
        anomalies=read_anomalies(directory),
        quarantined={path.stem: _quarantined(path) for path in sorted((directory / "quarantine").glob("*.csv"))},
    )


def read_features(path: Path) -> list[Feature]:
    """Reads the columns of a `FeatureStats.pb`, in their order; a tensor as a whole is none.

    Raises:
      RunError: the file cannot be read.
    """
    from tensorflow_metadata.proto.v0 import statistics_pb2

    found = _parsed(path, statistics_pb2.DatasetFeatureStatisticsList())
    return [
        _feature(item, data.num_examples)
        for data in found.datasets[:1]
        for item in data.features
        if all(statistic.name != POOLED for statistic in item.custom_stats)
    ]


def read_anomalies(directory: Path) -> list[Anomaly]:
    """Reads the anomalies of all splits of a run directory, errors first.

    Raises:
      RunError: a file cannot be read.
    """
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    found = []
    for split, path in _splits(Path(directory) / "anomalies", "SchemaDiff.pb"):
        anomalies = _parsed(path, anomalies_pb2.Anomalies())
        entries = [(name, anomalies.anomaly_info[name]) for name in sorted(anomalies.anomaly_info)]
        if anomalies.HasField("dataset_anomaly_info"):
            entries.append(("", anomalies.dataset_anomaly_info))
        for name, info in entries:
            is_error = info.severity == anomalies_pb2.AnomalyInfo.ERROR
            # The key is the path as text; one step of it may hold dots.
            feature = ".".join(info.path.step) or name
            found.append(Anomaly(feature, split, is_error, info.short_description, info.description))
    return sorted(found, key=lambda anomaly: not anomaly.is_error)


def _splits(folder: Path, file: str) -> list[tuple[str, Path]]:
    """The splits that TFX's layout holds below `folder`: train first."""
    paths = [path for path in folder.glob(f"Split-*/{file}") if path.is_file()]
    named = [(path.parent.name.removeprefix("Split-"), path) for path in paths]
    return sorted(named, key=lambda entry: (entry[0] != "train", entry[0]))


def _parsed(path: Path, proto: Any) -> Any:
    from google.protobuf.message import DecodeError

    try:
        proto.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise RunError(f"{path}: cannot be read ({error}). Run `aetfx validate` again.") from None
    return proto


def _feature(item: Any, rows: int) -> Feature:
    name = ".".join(item.path.step) or item.name
    if item.WhichOneof("stats") == "string_stats":
        stats = item.string_stats
        top = tuple((bucket.label, bucket.sample_count) for bucket in stats.rank_histogram.buckets)
        return Feature(name, rows, missing=stats.common_stats.num_missing, top=top, unique=stats.unique)
    stats = item.num_stats
    common = stats.common_stats
    # TFDV's kinds of histogram: 0 is of equal widths, 1 of quantiles.
    buckets = {histogram.type: histogram.buckets for histogram in stats.histograms if histogram.buckets}
    if 0 not in buckets:
        return Feature(name, rows, missing=common.num_missing, infinite=common.tot_num_values)
    counts = np.array([bucket.sample_count for bucket in buckets[0]])
    quantiles = buckets.get(1)
    return Feature(
        name,
        rows,
        missing=common.num_missing,
        infinite=max(0, round(common.tot_num_values - counts.sum())),
        zeros=stats.num_zeros,
        lengths=(common.min_num_values, common.max_num_values),
        mean=stats.mean,
        sd=stats.std_dev,
        minimum=stats.min,
        median=stats.median,
        maximum=stats.max,
        counts=counts,
        quantiles=None
        if quantiles is None
        else np.array([quantiles[0].low_value, *(bucket.high_value for bucket in quantiles)]),
    )


def _quarantined(path: Path) -> list[tuple[str, str, str]]:
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        lines = list(itertools.islice(csv.reader(file), 1, 1 + _MOST_QUARANTINED))
    return [(line[0], line[1], line[2]) for line in lines if len(line) >= 3]
