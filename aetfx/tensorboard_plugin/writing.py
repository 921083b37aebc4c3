"""Turns a run directory into one event file that the dashboard reads: numbers and rows, no figures and no sentences.

Figures and sentences are made when somebody looks, so that a newer aetfx shows older runs its own way.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.figures.data_columns import data_columns
from aetfx.tensorboard_plugin import payload, projector, rows
from aetfx.tensorboard_plugin.event_file import tensor, write_events
from aetfx.tensorboard_plugin.images import with_pictures
from aetfx.tensorboard_plugin.payload import plain
from aetfx.tensorboard_plugin.reading import SOURCES, Found, read_found
from aetfx.training.progress import Standing
from aetfx.validation.findings import rank
from aetfx.validation.members import members
from aetfx.words import replace_unprintable

_MOST_FINDINGS = 100
_MOST_COLUMNS = 400  # with a histogram
_PREPARED = 2_000  # columns whose quantiles are kept
_MOST_CURVES = 40
_POINTS = 120  # of a curve
_NAME = 200  # characters of a name
_CLUSTERED = 2_000  # features, at most


def write_dashboard(run: Path) -> None:
    """Writes the event file of the dashboard, and what feeds the Projector and the Images tab, below `tensorboard/`.

    Args:
      run: a run directory. Any of its files may be missing; one that cannot be read is named in the dashboard.

    Raises:
      RunError: the logs cannot be written.
    """
    run = Path(run)
    found = read_found(run)
    directory = run / "tensorboard" / payload.FOLDER
    report, tensors = _report(found)
    directory.mkdir(parents=True, exist_ok=True)
    report["projector"] = _write_projector(directory, found, report)
    _write(directory, report, tensors)


def update_dashboard(run: Path) -> None:
    """Writes the dashboard unless it is newer than every file that it is made from: a finished run is only shown.

    Raises:
      RunError: the logs cannot be written.
    """
    run = Path(run)
    logs = [path.stat().st_mtime for path in (run / "tensorboard" / payload.FOLDER).glob("events.out.tfevents.*")]
    sources = [path.stat().st_mtime for name in SOURCES for path in run.glob(name)]
    if not logs or not sources or max(logs) < max(sources):
        write_dashboard(run)


def write_standings(run: Path, study_name: str, standings: Sequence[Standing]) -> None:
    """Writes how the configurations of a running sweep stand, until `write_dashboard` replaces it.

    Raises:
      RunError: the logs cannot be written.
    """
    entries = [
        {"name": _name(item.name), "part": item.part, "score": item.score, "ended": item.ended} for item in standings
    ]
    report = {"study_name": _name(study_name), "kinds": ["sweep"], "standings": plain(entries)}
    _write(Path(run) / "tensorboard" / payload.FOLDER, report, iter(()))


def _write(directory: Path, report: dict[str, Any], tensors: Iterator[tuple[str, np.ndarray]]) -> None:
    step = time.time_ns() // 1_000_000  # two writings within a second differ
    report = {"format": payload.FORMAT, "step": step, **report}
    about = {key: report.get(key) for key in ("study_name", "kinds", "date")}

    def values() -> Iterator[Any]:
        # First, so that a reader has the leaderboard while the rows are still being read.
        yield _value(payload.REPORT, [json.dumps(report, allow_nan=False).encode()], about)
        for tag, array in tensors:
            yield _value(tag, array)

    best = _best(report)
    all_values = with_pictures(values(), report, best) if best is not None else values()
    write_events(directory, all_values, step_of=lambda tag: step if tag.startswith(f"{payload.PLUGIN}/") else 0)


def _value(tag: str, values: np.ndarray | list[bytes], about: dict[str, Any] | None = None) -> Any:
    from tensorboard.compat.proto import summary_pb2

    metadata = summary_pb2.SummaryMetadata(
        # Without a class TensorBoard does not show the data of a plugin that is not its own.
        data_class=summary_pb2.DATA_CLASS_TENSOR,
        plugin_data=summary_pb2.SummaryMetadata.PluginData(
            plugin_name=payload.PLUGIN, content=json.dumps(about).encode() if about else b""
        ),
    )
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor(values))


def _report(found: Found) -> tuple[dict[str, Any], Iterator[tuple[str, np.ndarray]]]:
    """Returns the JSON of a run and, lazily, its tensors by tag."""
    evaluation = dict(found.evaluation)
    configurations = [_configuration(item) for item in evaluation.get("configurations") or []]
    kinds = [
        name
        for name, there in (
            ("evaluation", bool(configurations)),
            ("comparison", bool(found.comparison)),
            ("diagnosis", bool(found.diagnosis)),
            ("data", found.validation is not None),
        )
        if there
    ]
    report: dict[str, Any] = {
        "study_name": _name(
            evaluation.get("study_name") or found.diagnosis.get("study_name") or found.directory.resolve().name
        ),
        "kinds": kinds,
        "date": evaluation.get("date"),
        "problems": [_name(problem, 400) for problem in found.problems],
        "diagnosis": plain(found.diagnosis) or None,
        "histories": _curves(found.histories),
        "data": _data(found),
    }
    report["prepared"], quantiles = _prepared(found)
    first = iter(() if quantiles is None else ((payload.QUANTILES, quantiles),))
    if not configurations:
        return report, first
    scores, samples = found.scores, found.samples
    names = [_name(name) for name in evaluation.get("names") or []]
    report["evaluation"] = plain(
        {
            key: evaluation.get(key)
            for key in ("metric", "features", "shape", "excluded", "rows", "references", "paired", "thresholds")
        }
    ) | {"configurations": configurations, "slices": _slices(evaluation)}
    if scores is not None:
        report["slice_scores"] = plain(scores.slices)
        report["quantiles"] = plain(scores.quantiles)
    kept = rows.choose(samples, evaluation, None if scores is None else scores.features, len(configurations))
    report["features"], features = _features(found, names)
    report["rows"] = _rows(kept, samples, names)
    return report, chain(first, _tensors(features, kept, samples, len(configurations)))


def _prepared(found: Found) -> tuple[dict[str, Any] | None, np.ndarray | None]:
    """Returns what is said of the columns before and after preprocessing, and their quantiles."""
    stages = [stage for stage in payload.STAGES if stage in found.quantiles]
    if not stages or len({found.quantiles[stage].shape for stage in stages}) > 1:
        return None, None
    size = found.quantiles[stages[0]].shape[1]
    scores = None if found.scores is None else found.scores.features[:1]
    kept = rows.worst_columns(scores, size, _PREPARED) if size > _PREPARED else np.arange(size)
    names = [_name(name) for name in found.evaluation.get("names") or []]
    about = {
        "stages": stages,
        "levels": plain(found.quantiles["levels"]),
        "names": [names[i] for i in kept] if len(names) == size else None,
    }
    return about, np.stack([found.quantiles[stage][:, kept] for stage in stages]).astype(np.float32)


def _tensors(
    features: np.ndarray | None, kept: rows.Rows | None, samples: dict[str, np.ndarray], count: int
) -> Iterator[tuple[str, np.ndarray]]:
    if features is not None:
        yield payload.FEATURES, features
    if kept is None:
        return
    yield payload.SCALE, kept.scale
    yield payload.TRUTH, kept.truth
    errors = np.full((count, len(samples["truth"])), np.nan, np.float32)
    given = np.asarray(samples.get("error", errors), np.float32)
    errors[: len(given)] = given[:count]
    yield payload.ERRORS, errors[:, kept.chosen]
    planes = np.full((count, len(kept.chosen), 2), np.nan, np.float32)
    for place in range(count):
        if f"plane_{place}" in samples:
            planes[place] = samples[f"plane_{place}"][kept.chosen][:, :2]
    yield payload.PLANES, planes
    for place in range(count):
        if f"restored_{place}" in samples:
            yield payload.rows_tag(place), kept.cells(samples[f"restored_{place}"])


def _configuration(item: dict[str, Any]) -> dict[str, Any]:
    known = plain(item)
    known["id"], known["name"] = str(item.get("id")), _roomy(_name(item.get("name") or item.get("id")))
    known["settings"] = {_name(key): _setting(value) for key, value in (item.get("settings") or {}).items()}
    known["failed"] = None if item.get("failed") is None else _name(item["failed"], 400)
    return dict(known)


def _roomy(name: str) -> str:
    """Puts a space behind each comma, so that "a=1,b=2" reads and wraps."""
    return re.sub(r",(?=\S)", ", ", name)


def _setting(value: Any) -> Any:
    return _name(value) if not isinstance(value, int | float | bool) else plain(value)


def _slices(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": _name(item.get("name")), "n_rows": item.get("n_rows")} for item in evaluation.get("slices") or []]


def _features(found: Found, names: list[str]) -> tuple[dict[str, Any] | None, np.ndarray | None]:
    """Returns what is said of the features, and their scores, float32 (C, D')."""
    if found.scores is None or not found.scores.features.size:
        return None, None
    scores = found.scores.features
    count, size = scores.shape
    shape = tuple(int(s) for s in found.evaluation.get("shape") or (size,))
    kind = rows.kind_of(shape, found.evaluation.get("features"))
    most = rows.MOST_BYTES // (4 * count)
    about: dict[str, Any] = {"n": size, "shape": None, "kept": None, "names": None}
    if kind == "picture" and np.prod(shape) == size:
        height, width = shape[0], shape[1]
        step = max(1, -(-max(height, width) // 96))
        with np.errstate(all="ignore"):
            import warnings

            warnings.simplefilter("ignore", RuntimeWarning)
            maps = np.nanmean(scores.reshape(count, height, width, -1), axis=3)[:, ::step, ::step]
        about["shape"] = list(maps.shape[1:])
        scores = maps.reshape(count, -1)
    else:
        if size > most:
            kept = rows.worst_columns(scores, size, most)
            scores, names = scores[:, kept], [names[i] for i in kept] if len(names) == size else []
            about["kept"] = len(kept)
        about["names"] = names if len(names) == scores.shape[1] else [f"x{i}" for i in range(scores.shape[1])]
        about["order"] = _clustered(scores.T)
    about["configuration_order"] = _clustered(scores)
    return about, scores.astype(np.float32)


def _clustered(scores: np.ndarray) -> list[int]:
    """Returns an order in which alike lines of a matrix stand together; worst first where there are too many."""
    filled = np.log10(np.clip(np.where(np.isfinite(scores), scores, 4.0), 1e-4, 4.0))
    if not 3 <= len(filled) <= _CLUSTERED:
        return [int(i) for i in np.argsort(-filled.mean(axis=1), kind="stable")]
    from scipy.cluster.hierarchy import leaves_list, linkage

    order = leaves_list(linkage(filled, "average"))
    means = filled[order].mean(axis=1)
    # A tree has no first side; the worse half goes first.
    half = len(order) // 2
    if means[:half].mean() < means[half:].mean():
        order = order[::-1]
    return [int(i) for i in order]


def _rows(kept: rows.Rows | None, samples: dict[str, np.ndarray], names: list[str]) -> dict[str, Any] | None:
    """Returns what is said of the kept rows."""
    if kept is None:
        return None
    n_all = len(samples["truth"])
    own = names if kept.columns is None else [names[i] for i in kept.columns if i < len(names)]
    nothing = np.full(n_all, -1)
    member = np.asarray(samples.get("slices", np.ones((1, n_all), bool)))[:, kept.chosen]
    about: dict[str, Any] = {
        "kind": kept.kind,
        "shape": list(kept.shape),
        "reduced": kept.reduced,
        "n": len(kept.chosen),
        "n_kept": n_all,
        "names": own if kept.kind == "table" and len(own) == kept.shape[0] else None,
        "channels": _channels(kept, names),
        "place": [int(i) for i in np.asarray(samples.get("place", nothing))[kept.chosen]],
        "why": [int(i) for i in np.asarray(samples.get("why", nothing * 0 + payload.RANDOM))[kept.chosen]],
        "slices": ["".join("1" if cell else "0" for cell in line) for line in member],
        "labels": plain(np.asarray(samples["labels"], float)[kept.chosen]) if "labels" in samples else None,
        "planes": any(f"plane_{place}" in samples for place in range(len(samples["error"]))),
        "every_error": plain(samples["every_error"], 3) if "every_error" in samples else None,
    }
    return about


def _channels(kept: rows.Rows, names: list[str]) -> list[str] | None:
    if kept.kind != "sequence":
        return None
    count = kept.shape[1]
    return names if len(names) == count else [f"channel {i}" for i in range(count)] if count > 1 else [""]


def _curves(histories: dict[str, Any]) -> dict[str, Any] | None:
    if not histories:
        return None
    found = {}
    for name, entry in list(histories.items())[:_MOST_CURVES]:
        if isinstance(entry, dict):
            found[_name(name)] = plain(
                {"code": entry.get("code"), "loss": entry.get("loss"), "score": entry.get("score")}
            )
    return found


def _data(found: Found) -> dict[str, Any] | None:
    """Returns findings and the histograms of the columns, those with findings first."""
    files = found.validation
    if files is None:
        return None
    named = members(files)
    drawn = data_columns(files, named)
    findings = [
        plain(item)
        | {"columns": [_name(name) for name in names[:50]], "n_columns": len(names), "rank": rank(item.get("severity"))}
        for item, names in list(zip(files.found, named, strict=True))[:_MOST_FINDINGS]
    ]
    return {
        "findings": findings,
        "n_findings": len(files.found),
        "rows": plain(files.findings.get("rows")),
        "splits": list(files.features),
        "columns": plain(drawn[:_MOST_COLUMNS]),
        "n_columns": len(drawn),
        "anomalies": [
            {"feature": _name(a.feature), "title": _name(a.title), "description": _name(a.description, 400)}
            for a in files.anomalies[:_MOST_FINDINGS]
        ],
    }


def _best(report: dict[str, Any]) -> int | None:
    """Returns the place of the configuration with the lowest score."""
    scores = [item.get("score") for item in report.get("evaluation", {}).get("configurations", [])]
    known = [(score, place) for place, score in enumerate(scores) if score is not None]
    return min(known)[1] if known else None


def _write_projector(directory: Path, found: Found, report: dict[str, Any]) -> bool:
    """Writes the codes of the best configuration that has some."""
    configurations = report.get("evaluation", {}).get("configurations", [])
    scored = [(c["score"], i) for i, c in enumerate(configurations) if c.get("score") is not None]
    place = next((i for _, i in sorted(scored) if f"code_{i}" in found.samples), None)
    if place is None:
        (directory / projector.CONFIG).unlink(missing_ok=True)
        return False
    samples = found.samples
    codes = np.asarray(samples[f"code_{place}"], float)
    places = np.asarray(samples.get("place", np.arange(len(codes))))
    labels: dict[str, list[Any]] = {
        "row": [f"row {p}" if p >= 0 else f"kept row {i}" for i, p in enumerate(places)],
        "error": [f"{e:.4g}" for e in np.asarray(samples["error"])[place]],
    }
    if "labels" in samples:
        labels["label"] = [f"{v:g}" for v in samples["labels"]]
    for item, member in zip(report["evaluation"]["slices"][1:9], np.asarray(samples["slices"])[1:9], strict=False):
        labels[f"slice {item['name']}"] = ["in" if cell else "out" for cell in member]
    pictures = None
    kept = report.get("rows")
    if kept and kept["kind"] == "picture":
        truth = np.asarray(samples["truth"])
        pictures = truth.reshape(*truth.shape[:3], -1)
    return projector.write_codes(directory, codes.reshape(len(codes), -1), labels, pictures)


def _name(value: Any, limit: int = _NAME) -> str:
    """Words from a run: printable, and not endless."""
    text = replace_unprintable("" if value is None else value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
