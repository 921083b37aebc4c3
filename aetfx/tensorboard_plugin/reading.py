"""Reads what a run directory holds for the dashboard; every file may be missing, and a damaged one stops no other.

A comparison or a diagnosis that was never evaluated as a whole has no `evaluation.json`. What its own files say is
then put into that form, so that behind this module there is one form only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.errors import RunError
from aetfx.figures.words import mended
from aetfx.run import read_arrays, read_json
from aetfx.tensorboard_plugin.payload import BEST, MEDIAN, RANDOM, STAGES, WORST
from aetfx.validation.files import ValidationFiles
from aetfx.validation.files import load as load_validation
from aetfx.words import components

SOURCES = (
    "evaluation.json",
    "evaluation.parquet",
    "samples.npz",
    "comparison.json",
    "diagnosis.json",
    "histories.json",
    "findings.json",
    "statistics/*/*.pb",
)  # patterns below a run directory
_SPLITS = ("held_out", "all", "eval", "confirm", "select")  # whose scores are shown, the first that is there
_WHY = {"worst": WORST, "best": BEST, "median": MEDIAN}


@dataclass
class Scores:
    """Scores beside the pooled ones of `evaluation.json`; NaN where there is none.

    Attributes:
      slices: value, low and high of each configuration on each slice, (3, C, S).
      features: (C, D).
      quantiles: level of the row error to its value, (C,).
    """

    slices: np.ndarray
    features: np.ndarray
    quantiles: dict[float, np.ndarray] = field(default_factory=dict)


@dataclass
class Found:
    """The content of a run directory.

    Attributes:
      evaluation: in the form of `evaluation.json`; {} where nothing was scored.
      scores: None where nothing was scored.
      samples: arrays as in `samples.npz` (schema 2), or {}.
      quantiles: `levels` (Q,), and of each of `payload.STAGES` that is known the columns' quantiles, (Q, D).
      diagnosis, histories, comparison: their JSON, or {}.
      validation: findings and statistics, or None.
      problems: one sentence for each file that could not be read.
    """

    directory: Path
    evaluation: dict[str, Any] = field(default_factory=dict)
    scores: Scores | None = None
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    quantiles: dict[str, np.ndarray] = field(default_factory=dict)
    diagnosis: dict[str, Any] = field(default_factory=dict)
    histories: dict[str, Any] = field(default_factory=dict)
    comparison: dict[str, Any] = field(default_factory=dict)
    validation: ValidationFiles | None = None
    problems: list[str] = field(default_factory=list)


def read_found(directory: Path) -> Found:
    """Reads a run directory, whatever it holds."""
    found = Found(directory)

    def attempt(name: str, read: Callable[[Path], Any], default: Any) -> Any:
        path = directory / name
        if not path.exists():
            return default
        try:
            return read(path)
        except RunError as error:
            found.problems.append(str(error).replace(f"{directory}/", ""))
            return default

    found.evaluation = attempt("evaluation.json", _object, {})
    for name in ("diagnosis", "histories", "comparison"):
        setattr(found, name, attempt(f"{name}.json", _object, {}))
    samples = attempt("samples.npz", read_arrays, {})
    found.validation = attempt("findings.json", lambda path: load_validation(path.parent), None)
    if not found.evaluation and found.comparison:
        found.evaluation = from_comparison(found.comparison)
    if found.evaluation:
        found.scores = attempt("evaluation.parquet", lambda path: read_scores(path, found.evaluation), None)
        found.samples = samples if "schema" in samples else {}
        if found.samples and not _fits(found.samples, len(found.evaluation["configurations"])):
            found.problems.append("samples.npz: belongs to another evaluation, and is not shown. Evaluate again.")
            found.samples = {}
    elif found.diagnosis:
        found.evaluation = from_diagnosis(found.diagnosis, samples)
        found.samples, found.scores = from_diagnosis_samples(samples)
    found.quantiles = read_quantiles(samples)
    return found


def read_quantiles(samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns what `Found.quantiles` holds; {} where `samples.npz` has none (of models that were only evaluated)."""
    levels = np.ravel(samples.get("quantile_levels", []))
    stages = {
        stage: np.asarray(samples[f"quantiles_{stage}"], float).reshape(len(levels), -1)
        for stage in STAGES
        if len(samples.get(f"quantiles_{stage}", ())) == len(levels) > 2
    }
    return {"levels": levels, **stages} if stages else {}


def _fits(samples: dict[str, np.ndarray], count: int) -> bool:
    """Whether all arrays are of the same rows, and of so many configurations."""
    truth, errors = samples.get("truth"), samples.get("error")
    if truth is None or errors is None or errors.shape != (count, len(truth)):
        return False
    same_rows = all(len(samples[name]) == len(truth) for name in ("why", "place", "labels") if name in samples)
    restored = [samples[f"restored_{i}"] for i in range(count) if f"restored_{i}" in samples]
    return same_rows and all(values.shape == truth.shape for values in restored)


def read_scores(path: Path, evaluation: dict[str, Any]) -> Scores:
    """Reads the scores of one split from `evaluation.parquet`: those over all seeds, or the mean of the seeds'.

    Raises:
      RunError: the file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = ["configuration", "seed", "split", "slice", "feature", "metric", "value", "low", "high"]
    try:
        table = pq.read_table(path, columns=wanted)
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise RunError(f"{path}: cannot be read as Parquet ({error}). Run the same command again.") from None

    def places(column: str, known: list[str]) -> np.ndarray:
        value_set = pa.array([str(name) for name in known], pa.string())
        return pc.fill_null(pc.index_in(table[column], value_set=value_set), -1).to_numpy()

    names = [str(name) for name in evaluation.get("names") or []]
    slices = [str(item["name"]) for item in evaluation.get("slices") or []]
    configuration = places("configuration", [item["id"] for item in evaluation["configurations"]])
    seeds, splits = table["seed"].to_numpy(), table["split"].to_pylist()
    present = set(splits)
    split = next((name for name in _SPLITS if name in present), next(iter(sorted(present)), ""))
    keep = (configuration >= 0) & np.array([name == split for name in splits], bool)
    if (seeds == -1).any():
        keep &= seeds == -1
    metric = np.array(table["metric"].to_pylist(), dtype=object)
    is_score, pooled = metric == evaluation.get("metric"), table["feature"].is_null().to_numpy()
    where, feature = places("slice", slices), places("feature", names)
    values = [table[name].to_numpy().astype(float) for name in ("value", "low", "high")]
    of_slice = keep & is_score & pooled & (where >= 0)
    of_feature = keep & is_score & (feature >= 0) & (where == (slices.index("all") if "all" in slices else -1))
    shape = (len(evaluation["configurations"]), len(slices))
    found = Scores(
        slices=np.stack([_mean(shape, configuration[of_slice], where[of_slice], v[of_slice]) for v in values]),
        features=_mean((shape[0], len(names)), configuration[of_feature], feature[of_feature], values[0][of_feature]),
    )
    everywhere = keep & pooled & ((where == 0) | (len(slices) == 0))
    for name in sorted({str(m) for m in metric[everywhere]}):
        if name.startswith("row_error_q"):
            chosen = everywhere & (metric == name)
            zero = np.zeros(chosen.sum(), int)
            level = float(name.removeprefix("row_error_q")) / 100
            found.quantiles[level] = _mean((shape[0], 1), configuration[chosen], zero, values[0][chosen])[:, 0]
    return found


def from_comparison(comparison: dict[str, Any]) -> dict[str, Any]:
    """Words `comparison.json` as an evaluation without slices, features and samples; the baseline first."""
    rows = [row for row in comparison.get("rows") or [] if row.get("kind") != "reference"]
    rows.sort(key=lambda row: row.get("name") != "baseline")
    baseline = str(rows[0].get("configuration")) if rows and rows[0].get("name") == "baseline" else None
    configurations, paired = [], []
    for row in rows:
        identity = str(row.get("configuration"))
        low, high = row.get("interval") or (None, None)
        configurations.append(
            {
                "id": identity,
                "name": row.get("name"),
                "settings": {},
                "score": row.get("score"),
                "low": low,
                "high": high,
                "seeds": row.get("seeds"),
                "n_not_finite": 0,
                "codes": None,
                "failed": row.get("failed"),
                "dropped_at": row.get("dropped_at"),
                "seconds": row.get("seconds"),
            }
        )
        if baseline and row.get("gain") is not None:
            low, high = row.get("gain_interval") or (None, None)
            paired.append({"a": baseline, "b": identity, "gain": row["gain"], "low": low, "high": high})
    references = [row for row in comparison.get("rows") or [] if row.get("kind") == "reference"]
    return {
        "study_name": comparison.get("study_name"),
        "metric": comparison.get("score_metric", "fvu"),
        "features": comparison.get("features"),
        "rows": {"scored": comparison.get("held_out_rows"), "train": comparison.get("train_rows")},
        "configurations": configurations,
        "references": [{"name": row.get("name"), "score": row.get("score")} for row in references],
        "slices": [{"name": "all", "n_rows": comparison.get("held_out_rows")}],
        "paired": paired,
    }


def from_diagnosis(diagnosis: dict[str, Any], samples: dict[str, np.ndarray]) -> dict[str, Any]:
    """Words a diagnosis as an evaluation of two configurations: the model as it is, and repaired."""
    baseline, fixed = diagnosis.get("baseline") or {}, diagnosis.get("fixed")
    if baseline.get("score") is None:
        return {}
    data = diagnosis.get("data") or {}
    bounds = [baseline.get("score_interval"), (fixed or {}).get("interval")]
    causes = mended(diagnosis.get("causes") or [])
    change = ", ".join(str(cause.get("experiment_name") or cause.get("code")) for cause in causes)
    sides = [("before", "your model", baseline["score"])]
    if fixed and fixed.get("score") is not None:
        sides.append(("after", f"repaired ({change})" if change else "repaired", fixed["score"]))
    configurations = []
    for (identity, name, score), interval in zip(sides, bounds, strict=False):
        low, high = interval or (None, None)
        codes = baseline.get("bottleneck") if identity == "before" else None
        about = {"settings": {}, "seeds": None, "n_not_finite": 0, "codes": codes, "failed": None}
        configurations.append({"id": identity, "name": name, "score": score, "low": low, "high": high, **about})
    paired = []
    if len(sides) == 2 and len(causes) == 1 and causes[0].get("gain") is not None:
        low, high = causes[0].get("gain_interval") or (None, None)
        paired = [{"a": "before", "b": "after", "gain": causes[0]["gain"], "low": low, "high": high}]
    rows = diagnosis.get("rows") or {}
    n_scored = len(np.ravel(samples["errors_before"])) if "errors_before" in samples else None
    references = [{"name": "mean of the train rows", "score": baseline.get("mean_score", 1.0)}]
    pca = (fixed or baseline).get("pca_score")
    if pca is not None:
        references.insert(0, {"name": components(baseline.get("bottleneck")), "score": pca})
    return {
        "study_name": diagnosis.get("study_name"),
        "metric": diagnosis.get("score_metric", "fvu"),
        "features": data.get("features"),
        "shape": data.get("shape"),
        "names": [str(name) for name in np.ravel(samples.get("names", []))],
        "rows": {"scored": n_scored, "train": rows.get("train")},
        "configurations": configurations,
        "references": references,
        "slices": [{"name": "all", "n_rows": n_scored}],
        "paired": paired,
    }


def from_diagnosis_samples(samples: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], Scores | None]:
    """Puts the samples of a diagnosis (`..._before`, `..._after`) into the form of an evaluation's.

    A run of an older aetfx holds its worst, median and best rows only, and no rows drawn at random (`kept_...`).
    """
    sides = [side for side in ("before", "after") if f"reconstruction_{side}" in samples]
    if not sides or not {"rows", "row_index", "row_kind"} <= samples.keys():
        return {}, None
    rows, kept = ("kept_rows", "kept_") if "kept_rows" in samples else ("rows", "")
    place = np.asarray(samples["kept_index" if kept else "row_index"], np.int64)
    n = len(place)
    kinds = dict(zip(np.ravel(samples["row_index"]).tolist(), np.ravel(samples["row_kind"]).tolist(), strict=False))
    why = np.array([_WHY.get(kinds.get(i, ""), 0) for i in place.tolist()], np.uint8)
    why |= np.where(samples.get("kept_random", np.zeros(n, bool)), RANDOM, 0).astype(np.uint8)
    shape = (n, *(int(size) for size in np.ravel(samples.get("shape", [samples["rows"].shape[1]]))))
    found = {
        "place": place,
        "why": why,
        "truth": np.asarray(samples[rows], np.float32).reshape(shape),
        "error": np.stack([np.asarray(samples.get(f"{kept}error_{s}", np.full(n, np.nan)), float) for s in sides]),
        "slices": np.ones((1, n), bool),
    }
    for number, side in enumerate(sides):
        found[f"restored_{number}"] = np.asarray(samples[f"{kept}reconstruction_{side}"], np.float32).reshape(shape)
        if f"kept_plane_{side}" in samples:
            found[f"plane_{number}"] = np.asarray(samples[f"kept_plane_{side}"], np.float32)
    if all(f"errors_{side}" in samples for side in sides):
        found["every_error"] = np.stack([np.asarray(samples[f"errors_{side}"], float) for side in sides])
    if not all(f"feature_score_{side}" in samples for side in sides):
        return found, None
    features = np.stack([np.asarray(samples[f"feature_score_{side}"], float) for side in sides])
    return found, Scores(slices=np.full((3, len(sides), 1), np.nan), features=features)


def _mean(shape: tuple[int, int], first: np.ndarray, second: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the mean of the values of each place of a table, NaN where there is none."""
    there = ~np.isnan(values)
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (first[there], second[there]), values[there])
    np.add.at(count, (first[there], second[there]), 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a JSON object. Run the same command again.")
    return content
