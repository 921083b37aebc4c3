"""What TensorBoard shows of a validation: the findings as text, and the histograms of the columns.

Written with TensorBoard's own protos, because TensorFlow's import takes longer than the validation. Each split is a
run of its own, so that TensorBoard puts the histograms of a column beside each other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.figures.words import findings_rows
from aetfx.report.finding_cards import study_blocks
from aetfx.tensorboard_plugin.event_file import write_events
from aetfx.validation.files import Feature, ValidationFiles, load
from aetfx.validation.members import members
from aetfx.words import replace_unprintable

_MOST_COLUMNS = 200  # histograms: TensorBoard asks for every tag of a dashboard; all columns are in validation.html
_MOST_FINDINGS = 50
_NAMES = {"error": "Errors", "warning": "Warnings", "info": "Worth knowing"}


def write_logs(directory: str | Path) -> Path:
    """Writes the TensorBoard logs of a validation below `tensorboard/` of its run directory, replacing older ones.

    Args:
      directory: holds `findings.json`; histograms come from `statistics/`, where that is there.

    Returns:
      The log directory, for `tensorboard --logdir`.

    Raises:
      RunError: a file cannot be read, or the logs cannot be written.
    """
    files = load(Path(directory))
    named = members(files)
    logs = files.directory / "tensorboard"
    write_events(logs / "data", [_text("findings", _markdown(files, named))])
    first = list(dict.fromkeys(name for names in named for name in names))
    for split, features in files.features.items():
        by_name = {feature.name: feature for feature in features}
        order = [by_name[name] for name in first if name in by_name] + [f for f in features if f.name not in set(first)]
        shown = [feature for feature in order if feature.counts is not None][:_MOST_COLUMNS]
        write_events(logs / "data" / split, [_histogram(feature) for feature in shown])
    return logs


def _markdown(files: ValidationFiles, named: list[list[str]]) -> str:
    """The findings in Markdown: TensorBoard turns it into HTML and leaves out what is not harmless."""
    lines = [f"**{_plain(findings_rows(files.findings))}**", ""]
    found = files.found
    if not found:
        lines.append("No findings: nothing in these data stands in the way of training.")
    severity = None
    for item, names in list(zip(found, named, strict=True))[:_MOST_FINDINGS]:
        if item.get("severity") != severity:
            severity = item.get("severity")
            lines += [f"## {_NAMES.get(str(severity), _plain(severity))}", ""]
        about = ", ".join(_plain(name) for name in names[:5]) + (f" and {len(names) - 5:,} more" if names[5:] else "")
        lines += [f"### {_plain(item.get('code'))}", "", _plain(item.get("message")), ""]
        lines += [f"Columns: {about}", ""] if about else []
        lines += [_plain(item["remedy"]), ""] if item.get("remedy") else []
        for block in study_blocks(item, names, files):
            lines += [*("    " + line for line in block.splitlines()), "", "<!-- -->", ""]
    if len(found) > _MOST_FINDINGS:
        lines += [f"{len(found) - _MOST_FINDINGS:,} more are in findings.json.", ""]
    if files.anomalies:
        lines += ["## What breaks the schema", ""]
        lines += [f"- {_plain(a.feature)}: {_plain(a.description)}" for a in files.anomalies[:_MOST_FINDINGS]]
    return "\n".join(lines)


def _plain(value: Any) -> str:
    """Words from the data as Markdown shows them letter by letter."""
    text = replace_unprintable(value or "")
    return re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


def _text(tag: str, markdown: str) -> Any:
    from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
    from tensorboard.plugins.text import metadata

    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING,
        string_val=[markdown.encode()],
        tensor_shape=tensor_shape_pb2.TensorShapeProto(),
    )
    about = metadata.create_summary_metadata(display_name=tag, description="What `aetfx validate` found.")
    return summary_pb2.Summary.Value(tag=tag, metadata=about, tensor=tensor)


def _histogram(feature: Feature) -> Any:
    """The equal-width buckets of a column as TensorBoard takes them: (left, right, count), shape (k, 3)."""
    from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
    from tensorboard.plugins.histogram import metadata

    counts = np.rint(np.asarray(feature.counts, float))
    edges = np.linspace(feature.minimum or 0.0, feature.maximum or 0.0, len(counts) + 1)
    buckets = np.stack([edges[:-1], edges[1:], counts], axis=1)
    shape = tensor_shape_pb2.TensorShapeProto(
        dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in buckets.shape]
    )
    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_DOUBLE, tensor_content=buckets.astype("<f8").tobytes(), tensor_shape=shape
    )
    name = replace_unprintable(feature.name)
    about = metadata.create_summary_metadata(display_name=name, description="")
    return summary_pb2.Summary.Value(tag=name, metadata=about, tensor=tensor)
