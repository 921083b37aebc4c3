"""What each view of the dashboard is sent: sentences, figures of `aetfx.figures`, and packed numbers.

Terms: a *pick* is the place of a configuration that is shown, at most four, in the order in which they were picked; a
*pack* is JSON and raw arrays in one answer (`pack`), because long lists of numbers are slow as JSON.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aetfx import figures
from aetfx.figures import words
from aetfx.figures.theme import PICKED
from aetfx.tensorboard_plugin import answers, pairs, payload
from aetfx.tensorboard_plugin.payload import plain
from aetfx.tensorboard_plugin.store import NotThereError, Report

Read = Callable[[str], np.ndarray]

MOST_PICKS = len(PICKED)
MOST_ROWS = 48  # of one page of rows
_MOST_CELLS = 400_000  # of one page of rows and one configuration
_FEATURES = 12  # named in lists
_POINTS = 700  # of a scatter that plotly.js draws: 10 take it a millisecond


def board(report: Report, read: Read) -> dict[str, Any]:
    """The leaderboard: every configuration, the answer above it, and what the other views can be asked for."""
    content = report.content
    evaluation = content.get("evaluation") or {}
    configurations = report.configurations
    entries = []
    for place, item in enumerate(configurations):
        pair = None
        if place and item.get("score") is not None:
            pair = pairs.measured(evaluation, configurations[0]["id"], item["id"])
        entries.append(item | {"place": place, "gain": pair, "differs": _differs(configurations[0], item)})
    kept = content.get("rows") or {}
    features = content.get("features")
    return {
        "step": report.step,
        "study_name": content.get("study_name"),
        "kinds": content.get("kinds"),
        "problems": content.get("problems") or [],
        "standings": content.get("standings"),
        "answer": answers.board(report, _optional(read, payload.FEATURES) if features else None),
        "metric": evaluation.get("metric"),
        "rows": evaluation.get("rows"),
        "configurations": entries,
        "references": evaluation.get("references") or [],
        "slices": evaluation.get("slices") or [],
        "slice_scores": content.get("slice_scores"),
        "picks": default_picks(report),
        "has": {
            "errors": bool(kept or features),
            "rows": bool(kept),
            "latent": bool(kept.get("planes")),
            "data": content.get("data") is not None or content.get("prepared") is not None,
            "diagnosis": content.get("diagnosis") is not None,
            "projector": bool(content.get("projector")),
        },
        "kept": {key: kept.get(key) for key in ("kind", "n", "n_kept", "names", "labels")} if kept else None,
    }


def default_picks(report: Report) -> list[str]:
    """Returns the ids of the best configuration and of the one to see it against: the baseline, or the next best."""
    ranked = answers.standings(report)
    if not ranked:
        return []
    best = ranked[0][1]
    others = [report.configurations[0], *(item for _, item in ranked[1:])]
    other = next((item for item in others if item is not best and item.get("score") is not None), None)
    return [best["id"], other["id"]] if other is not None else [best["id"]]


def _differs(baseline: dict[str, Any], item: dict[str, Any]) -> list[list[Any]]:
    """Returns the settings in which a configuration is not the baseline, as [short name, value]."""
    settings, base = item.get("settings") or {}, baseline.get("settings") or {}
    return [[key.split(".")[-1], value] for key, value in settings.items() if base.get(key) != value]


def pair(report: Report, picks: Sequence[int], read: Read) -> dict[str, Any]:
    """Compares two configurations: the paired difference, slice by slice, feature by feature, row by row."""
    if len(picks) < 2:
        raise NotThereError("pick two configurations")
    a, b = (report.configurations[place] for place in picks[:2])
    names = (b["name"], a["name"])  # the first pick is told against the second
    found = pairs.measured(report.content["evaluation"], b["id"], a["id"])
    errors, about = _optional(read, payload.ERRORS), report.content.get("rows") or {}
    figure = None
    if errors is not None:
        first, second = errors[picks[1]], errors[picks[0]]
        found = found or pairs.estimated(first, second, np.array(about["why"]))
        chosen = _thinned(np.array(about["why"]))
        figure = figures.row_pairs(first[chosen], second[chosen], names, chosen)
        if figure is not None:
            figure["layout"]["meta"]["caption"] += _shown(chosen, len(first))
    features = _optional(read, payload.FEATURES) if (report.content.get("features") or {}).get("names") else None
    return {
        "sentence": answers.pair_sentence(names, found),
        "pair": found,
        "told_apart": answers.told_apart(found),
        "slices": _pair_slices(report, picks),
        "features": _pair_features(report, picks, features),
        "figure": figure,
    }


def _pair_slices(report: Report, picks: Sequence[int]) -> list[dict[str, Any]]:
    values = report.content.get("slice_scores")
    slices = report.content["evaluation"].get("slices") or []
    if not values or len(slices) < 2:
        return []
    own = values[0]
    lines = [
        {"name": item["name"], "n_rows": item.get("n_rows"), "a": own[picks[0]][i], "b": own[picks[1]][i]}
        for i, item in enumerate(slices)
    ]
    return [line for line in lines if line["a"] is not None and line["b"] is not None]


def _pair_features(report: Report, picks: Sequence[int], features: np.ndarray | None) -> list[dict[str, Any]]:
    """Returns the features in which two configurations differ most."""
    if features is None:
        return []
    a, b = (np.minimum(features[place].astype(float), 4) for place in picks[:2])
    names = report.content["features"]["names"]
    order = np.argsort(-np.nan_to_num(np.abs(a - b)), kind="stable")[:_FEATURES]
    return [plain({"name": names[i], "a": float(a[i]), "b": float(b[i])}) for i in order if np.isfinite(a[i] - b[i])]


def errors(report: Report, picks: Sequence[int], slice_place: int, read: Read) -> dict[str, Any]:
    """How the error is spread over rows, and which features are worst."""
    names = [report.configurations[place]["name"] for place in picks]
    seeds = any((report.configurations[place].get("seeds") or 1) > 1 for place in picks)
    about = report.content.get("rows")
    values, figure, sentence = [], None, ""
    if about is not None:
        every = about.get("every_error")
        kept = read(payload.ERRORS)
        member = _member(about, slice_place)
        random = np.array([(why & payload.RANDOM) > 0 for why in about["why"]])
        if every is not None:
            own = np.array([[np.nan if v is None else v for v in line] for line in every], float)
            values, rows = [own[place] for place in picks], "held-out rows"
        else:
            chosen = member & random if (member & random).sum() >= 20 else member
            drawn = bool((member & random).sum() >= 20)
            values = [kept[place][chosen] for place in picks]
            rows = "rows, drawn at random" if drawn else "kept rows, the worst among them"
            rows += " (first seed)" if seeds else ""
        sides = [(name, v, PICKED[i]) for i, (name, v) in enumerate(zip(names, values, strict=True))]
        figure = figures.error_distributions(sides, height=300, rows=rows)
        sentence = answers.errors(names, values, _middles(report, picks) if slice_place == 0 else None)
    features = report.content.get("features")
    return {
        "answer": sentence or "No rows are kept in this run; the scores of its features are below.",
        "figure": figure,
        "quantiles": _quantiles(report, picks) if slice_place == 0 else [],
        "seeds": seeds,
        "features": {key: features.get(key) for key in ("n", "kept", "shape", "names")} if features else None,
    }


def _quantiles(report: Report, picks: Sequence[int]) -> list[dict[str, Any]]:
    levels = report.content.get("quantiles") or {}
    return [
        {"level": float(level), "values": [values[place] for place in picks]}
        for level, values in sorted(levels.items(), key=lambda entry: float(entry[0]))
    ]


def _middles(report: Report, picks: Sequence[int]) -> list[tuple[float, float]] | None:
    """Returns median and 95th percentile of the row errors on all rows; None where they are not known."""
    levels = report.content.get("quantiles") or {}
    half, most = levels.get("0.5"), levels.get("0.95")
    found = [(half[place], most[place]) for place in picks] if half and most else []
    return found if found and all(v is not None for pair_ in found for v in pair_) else None


def heat(report: Report, read: Read) -> bytes:
    """The score of every feature of every configuration, packed: float32 (C, D') in the order in which to draw them."""
    about = report.content.get("features")
    if about is None:
        raise NotThereError("no features were scored in this run")
    scores = read(payload.FEATURES)
    lines = about.get("configuration_order") or list(range(len(scores)))
    columns = about.get("order") or list(range(scores.shape[1]))
    header = {"configurations": lines, "features": columns, "shape": about.get("shape"), "names": about.get("names")}
    return pack(header, [scores[lines][:, columns].astype("<f4")])


def rows(
    report: Report,
    picks: Sequence[int],
    slice_place: int,
    read: Read,
    *,
    order: str = "worst",
    offset: int = 0,
    limit: int = 12,
    at: int | None = None,
) -> bytes:
    """A page of rows: originals and reconstructions, packed.

    Args:
      report: of a run.
      picks: whose reconstructions; the first says the order.
      slice_place: only rows of this slice.
      read: reads a tensor.
      order: "worst" or "best" first under the first pick; "differs": most different between the first two picks.
      offset, limit: which of them.
      at: only this one of the kept rows.

    Returns:
      A pack: for each row the original, float32 (k, D), and for each pick its reconstruction, float32 (k, D).
    """
    about = report.content.get("rows")
    if about is None or not picks:
        raise NotThereError("no rows are kept in this run")
    kept = read(payload.ERRORS)
    own = kept[picks[0]]
    member = np.flatnonzero(_member(about, slice_place))
    key = np.nan_to_num(own[member].astype(float), nan=np.inf, posinf=np.inf)
    if order == "differs" and len(picks) > 1:
        with np.errstate(all="ignore"):
            key = np.abs(np.log(np.maximum(own, 1e-6)) - np.log(np.maximum(kept[picks[1]], 1e-6)))[member]
        key = np.nan_to_num(key, nan=np.inf)
    sign = 1 if order == "best" else -1
    ordered = member[np.argsort(sign * key, kind="stable")]
    size = int(np.prod(about["shape"]))
    limit = max(1, min(limit, MOST_ROWS, _MOST_CELLS // max(1, size)))
    chosen = np.array([at], int) if at is not None else ordered[offset : offset + limit]
    if at is not None and not 0 <= at < about["n"]:
        raise NotThereError("there is no such row")
    truth, scale = read(payload.TRUTH), read(payload.SCALE)
    arrays, restored = [truth[chosen]], []
    for place in picks:
        cells = _optional(read, payload.rows_tag(place))
        restored.append(cells is not None)
        if cells is not None:
            arrays.append(scale[0] + cells[chosen].astype(np.float32) * scale[1])
    names = [report.configurations[place]["name"] for place in picks]
    slices = report.content["evaluation"].get("slices") or []
    finite = truth[np.isfinite(truth)]
    header = {
        "answer": answers.rows(names[0], slices[slice_place]["name"] if slices else "all", own[member], len(member)),
        "kind": about["kind"],
        "shape": about["shape"],
        "reduced": about["reduced"],
        "names": about["names"],
        "channels": about["channels"],
        "total": len(ordered),
        "n_kept": about["n_kept"],
        "offset": offset,
        "range": [float(finite.min()), float(finite.max())] if finite.size else [0.0, 1.0],
        "restored": restored,
        "rows": [
            {
                "at": int(i),
                "place": about["place"][i],
                "why": about["why"][i],
                "errors": plain([float(kept[place][i]) for place in picks], 3),
                "slices": [item["name"] for s, item in enumerate(slices) if s and about["slices"][s][i] == "1"],
                "label": about["labels"][i] if about.get("labels") else None,
            }
            for i in chosen
        ],
    }
    return pack(plain(header, 6), [scale.astype("<f4"), *(array.astype("<f4") for array in arrays)])


def latent(report: Report, picks: Sequence[int], slice_place: int, colour: str, read: Read) -> dict[str, Any]:
    """The code of the kept rows in the plane, for each of the first two picks that has one.

    Args:
      colour: "error", "label", or "column:<number>" of the rows' own columns.
    """
    about = report.content.get("rows")
    if about is None:
        raise NotThereError("no rows are kept in this run")
    planes, kept = read(payload.PLANES), read(payload.ERRORS)
    member = np.flatnonzero(_member(about, slice_place))
    values, words_, log = _colour(about, colour, read)
    made, sentence = [], ""
    for number, place in enumerate(picks[:2]):
        points = planes[place][member].astype(float)
        if not np.isfinite(points).any():
            continue
        own = kept[place].astype(float) if values is None else values
        name = report.configurations[place]["name"]
        sentence = sentence or answers.latent(name, planes[place][member], kept[place][member])
        labels = [f"row {about['place'][i]}, error {kept[place][i]:.3g}" for i in member]
        about_points = {
            "title": name,
            "words": words_,
            "role": PICKED[number],
            "log": log,
            "bounds": _bounds(kept[list(picks[:2])][:, member]) if values is None else None,
        }
        trace = {"customdata": [int(i) for i in member], "text": labels}
        figure = figures.plane(points, own[member], **about_points, **trace)
        made.append({"pick": number, "figure": figure, "words": words_})
    return {
        "answer": sentence or "None of these configurations has a code of the kept rows.",
        "figures": made,
    }


def _colour(about: dict[str, Any], colour: str, read: Read) -> tuple[np.ndarray | None, str, bool]:
    """Returns the values that colour the points (None: each configuration's error), their name, and whether log."""
    if colour == "label" and about.get("labels"):
        return np.array([np.nan if v is None else v for v in about["labels"]], float), "label", False
    if colour.startswith("column:") and about.get("names"):
        number = colour.removeprefix("column:")
        if number.isdigit() and int(number) < len(about["names"]):
            return read(payload.TRUTH)[:, int(number)].astype(float), about["names"][int(number)], False
    return None, "row error", True


def _bounds(values: np.ndarray) -> tuple[float, float] | None:
    """Returns shared ends of the colours, so that one colour means one error in all figures."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    low, high = np.log10(np.maximum(np.quantile(finite, [0.02, 0.98]), 1e-6))
    return float(low), float(high if high > low else low + 1)


def data(report: Report, read: Read) -> dict[str, Any]:
    """Findings and histograms, and the columns before and after preprocessing."""
    content = report.content.get("data")
    return {"answer": answers.data(content), "data": content, "prepared": _prepared(report, read)}


def _prepared(report: Report, read: Read) -> list[dict[str, Any]]:
    """Returns a figure of the columns as they are, as the model got them, and as the repaired one gets them."""
    about = report.content.get("prepared")
    quantiles = _optional(read, payload.QUANTILES) if about else None
    if about is None or quantiles is None:
        return []
    samples: dict[str, Any] = {"quantile_levels": about["levels"], "names": about["names"] or []}
    samples |= {f"quantiles_{stage}": q.astype(float) for stage, q in zip(about["stages"], quantiles, strict=True)}
    features = _optional(read, payload.FEATURES) if report.content.get("features") else None
    if features is not None:
        samples["feature_score_before"] = features[0]
    made = [figures.distributions(samples, stage) for stage in about["stages"]]
    return [figure for figure in made if figure is not None]


def diagnosis(report: Report) -> dict[str, Any]:
    """The verdict, the chain of fixes as a ladder of scores, the experiments behind it, and the curves."""
    found = report.content.get("diagnosis")
    if not found:
        raise NotThereError("this run holds no diagnosis")
    histories = report.content.get("histories") or {}
    made = {
        "ladder": figures.ladder(found),
        "gains": figures.gains(found),
        "code_curve": figures.code_curve(found),
        "learning_curve": figures.learning_curve(found),
        "scores": figures.score_curves(histories, found) if histories else None,
        "losses": figures.loss_curves(histories, found) if histories else None,
    }
    return {
        "answer": words.verdict(found),
        "status": words.status(found),
        "status_word": words.STATUS[words.status(found)],
        "statements": words.statements(found),
        "sensitivity": words.sensitivity(found),
        "next": words.next_step(found),
        "rows": words.rows_line(found),
        "cost": words.cost_line(found),
        "causes": [_cause(item) for item in found.get("causes") or []],
        "improvements": [_cause(item) for item in found.get("improvements") or []],
        "suspected": [_cause(item) for item in found.get("suspected") or []],
        "ruled_out": found.get("ruled_out") or [],
        "experiments": found.get("experiments") or [],
        "figures": {name: figure for name, figure in made.items() if figure is not None},
    }


def _cause(item: dict[str, Any]) -> dict[str, Any]:
    keys = ("code", "meaning", "remedy", "keras", "evidence", "equivalents", "seeds", "step", "verdict", "gain")
    said = {key: item.get(key) for key in keys}
    scores = {key: item.get(key) for key in ("score_before", "score_after", "experiment_name")}
    return said | scores | {"title": words.title(item), "interval": words.interval(item.get("gain_interval"))}


def pack(header: dict[str, Any], arrays: Sequence[np.ndarray]) -> bytes:
    """Returns the length of the JSON (uint32, little-endian), the JSON, padding to a multiple of 4, then the arrays.

    The JSON gets `arrays`: the shape of each. All arrays are float32, little-endian.
    """
    text = json.dumps(header | {"arrays": [list(array.shape) for array in arrays]}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *(np.ascontiguousarray(a).tobytes() for a in arrays)])


def _member(about: dict[str, Any], slice_place: int) -> np.ndarray:
    lines = about["slices"]
    if not 0 <= slice_place < len(lines):
        return np.ones(about["n"], bool)
    return np.frombuffer(lines[slice_place].encode(), np.uint8) == ord("1")


def _thinned(why: np.ndarray) -> np.ndarray:
    """Returns which rows a scatter shows: all, or some evenly, half of them from the worst.

    Args:
      why: why each row is kept, (n,).
    """
    worst, rest = np.flatnonzero(why & payload.WORST), np.flatnonzero(~why & payload.WORST)
    worst = _evenly(worst, max(_POINTS // 2, _POINTS - len(rest)))
    return np.sort(np.concatenate([worst, _evenly(rest, _POINTS - len(worst))]))


def _evenly(places: np.ndarray, most: int) -> np.ndarray:
    return places[np.linspace(0, len(places) - 1, min(len(places), most)).astype(int)] if len(places) else places


def _shown(chosen: np.ndarray, count: int) -> str:
    """Says that not all rows are drawn; nothing where all are."""
    return f" Shown are {len(chosen):,} of {count:,} kept rows, the worst among them." if len(chosen) < count else ""


def _optional(read: Read, tag: str) -> np.ndarray | None:
    try:
        return read(tag)
    except NotThereError:
        return None
