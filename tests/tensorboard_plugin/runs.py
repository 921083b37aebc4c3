"""Makes run directories as an evaluation leaves them, with NumPy and without training anything.

The "configurations" are principal components of real or made data, raw and standardised, so that every score, row
error and code in the files is a true figure of those data. Only the names of settings are invented.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.report.runs import one_thread

HOSTILE = "<img src=x onerror=alert(1)>"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass
class Made:
    """What was written, for tests to compare with."""

    directory: Path
    evaluation: dict[str, Any]
    samples: dict[str, np.ndarray]
    features: np.ndarray  # (C, D)


@one_thread
def make_evaluation(
    directory: Path,
    kind: str,
    *,
    configurations: int = 3,
    kept: int = 120,
    not_finite: bool = False,
    name: str | None = None,
    columns: int = 30,
) -> Made:
    """Writes `evaluation.json`, `evaluation.parquet` and `samples.npz`.

    Args:
      directory: created.
      kind: `table`, `picture`, `sequence` or `wide` (a table of `columns` columns).
      configurations: how many.
      kept: rows in `samples.npz`.
      not_finite: the last configuration predicts NaN for the first ten rows.
      name: of the study and of all features, where they shall be that.
    """
    directory.mkdir(parents=True, exist_ok=True)
    rows, shape, names = _rows(kind, columns, kept)
    if name is not None:
        names = [f"{name} {i}" for i in range(len(names))]
    pooled = kind in ("picture", "sequence")
    n, size = rows.shape
    settings = _settings(configurations, size)
    directions = {scaling: _directions(rows, scaling == "standard") for scaling in ("none", "standard")}
    made = [_project(*directions[item["scaling"]], rows, item["bottleneck"]) for item in settings]
    codes = [m[1] for m in made]
    outs = [m[0].astype(np.float32) for m in made]
    if not_finite:
        outs[-1][:10] = np.nan
    mean, variance = rows.mean(0), rows.var(0)
    middle = int(np.argmax(variance > 0.5 * variance.max()))
    member = np.stack([np.ones(n, bool), rows[:, middle] > np.median(rows[:, middle]), np.arange(n) % 7 == 0])
    slices = ["all", f"{names[middle]} above its median", "every seventh"]
    weights = np.random.default_rng(5).poisson(1, (120, n)).astype(float)

    def feature_scores(out: np.ndarray, keep: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            mse = np.mean((rows - out)[keep] ** 2, 0)
            return np.where(variance > 0, mse / variance, np.nan)

    def scores(out: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The score under each line of weights, (k, n)."""
        miss = np.minimum(np.nan_to_num((rows - out) ** 2, nan=4 * variance.max() + 1), 1e12)
        mse, base = weight @ miss, weight @ ((rows - mean) ** 2)
        if pooled:
            return np.minimum(4.0, mse.sum(1) / base.sum(1))
        return np.minimum(mse[:, variance > 0] / np.maximum(base[:, variance > 0], 1e-12), 4).mean(1)

    def score(out: np.ndarray, weight: np.ndarray) -> float:
        return float(scores(out, weight[None])[0])

    def row_errors(out: np.ndarray) -> np.ndarray:
        spread = np.full(size, np.sqrt(variance.mean())) if pooled else np.sqrt(np.where(variance > 0, variance, 1))
        return np.mean(((rows - out) / spread) ** 2, 1)

    draws = np.array([scores(out, weights[: 120 if configurations < 10 else 12]) for out in outs])
    identities = [f"c{i:07x}" for i in range(configurations)]
    records, entries = [], []
    features = np.stack([feature_scores(out, np.ones(n, bool)) for out in outs])
    errors = np.stack([row_errors(out) for out in outs])
    base = settings[0]
    for i, out in enumerate(outs):
        differs = [f"{key}={value}" for key, value in settings[i].items() if value != base[key]]
        label = ",".join(differs) or "baseline"
        value = score(out, np.ones(n))
        low, high = np.quantile(draws[i], [0.025, 0.975])
        entries.append(
            {
                "id": identities[i],
                "name": f"{name} {label}" if name else label,
                "settings": settings[i],
                "score": value,
                "low": float(low),
                "high": float(high),
                "seeds": 3,
                "n_not_finite": int((~np.isfinite(out)).any(1).sum()),
                "codes": int(codes[i].shape[1]),
                "failed": None,
            }
        )
        common = {"configuration": identities[i], "name": label, "seed": -1, "split": "held_out"}
        for s, slice_name in enumerate(slices):
            here = score(out, member[s].astype(float))
            records.append(
                common
                | {
                    "slice": slice_name,
                    "feature": None,
                    "metric": "fvu",
                    "value": here,
                    "low": here * 0.93,
                    "high": here * 1.07,
                    "n_rows": int(member[s].sum()),
                }
            )
        for j in range(size):
            if np.isfinite(features[i, j]):
                records.append(
                    common
                    | {"slice": "all", "feature": names[j], "metric": "fvu", "value": features[i, j], "n_rows": n}
                )
        for level in LEVELS:
            q = float(np.nanquantile(errors[i], level))
            metric = f"row_error_q{round(100 * level):02d}"
            records.append(common | {"slice": "all", "feature": None, "metric": metric, "value": q, "n_rows": n})
    paired = []
    for a in range(configurations):
        for b in range(a + 1, configurations):
            gains = 1 - draws[b] / draws[a]
            low, high = np.quantile(gains, [0.025, 0.975])
            gain = 1 - entries[b]["score"] / entries[a]["score"]
            paired.append(
                {"a": identities[a], "b": identities[b], "gain": gain, "low": float(low), "high": float(high)}
            )
    samples = _samples(rows, shape, outs, codes, errors, member, kept)
    pca = score(_project(*directions["none" if pooled else "standard"], rows, 8)[0], np.ones(n))
    evaluation = {
        "schema_version": 1,
        "study_name": name or kind,
        "metric": "fvu",
        "features": "tensor" if pooled else "table",
        "shape": list(shape),
        "names": names,
        "excluded": [],
        "rows": {"scored": n, "train": 4 * n, "without_a_scored_cell": 0},
        "configurations": entries,
        "references": [
            {"name": "mean of the train rows", "score": 1.0},
            {"name": "PCA, 8 numbers", "score": pca},
        ],
        "slices": [{"name": s, "n_rows": int(m.sum())} for s, m in zip(slices, member, strict=True)],
        "paired": paired,
        "thresholds": None,
        "date": "2026-03-02",
    }
    (directory / "evaluation.json").write_text(json.dumps(evaluation))
    _write_parquet(directory / "evaluation.parquet", records)
    np.savez(directory / "samples.npz", **samples)
    return Made(directory, evaluation, samples, features)


def _rows(kind: str, columns: int, kept: int) -> tuple[np.ndarray, tuple[int, ...], list[str]]:
    rng = np.random.default_rng(0)
    if kind == "table":
        from sklearn.datasets import load_breast_cancer

        data = load_breast_cancer()
        return data.data.astype(float), (30,), [str(name) for name in data.feature_names]
    if kind == "picture":
        from sklearn.datasets import load_digits

        small = np.kron(load_digits().images[:500], np.ones((1, 2, 2)))
        padded = np.pad(small, ((0, 0), (2, 2), (2, 2)))
        return padded.reshape(len(padded), -1) / 16, (20, 20), [f"pixel_{i}" for i in range(400)]
    if kind == "sequence":
        t = np.arange(60)
        phase, speed = rng.uniform(0, 6, (400, 1)), rng.uniform(0.1, 0.4, (400, 1))
        waves = [
            np.sin(phase + speed * t),
            np.cos(phase * 2 + speed * t * 1.5) * 0.5 + 0.1 * rng.normal(size=(400, 60)),
        ]
        both = np.stack(waves, axis=2)
        return both.reshape(400, -1), (60, 2), [f"t{i // 2}_{'ab'[i % 2]}" for i in range(120)]
    n = max(300, kept + kept // 5)
    hidden = rng.normal(size=(n, 24)) * np.linspace(3, 0.5, 24)
    rows = np.tanh(hidden @ rng.normal(size=(24, columns)) / 4) + 0.15 * rng.normal(size=(n, columns))
    return rows * rng.lognormal(0, 2, columns), (columns,), [f"sensor_{i:03d}" for i in range(columns)]


def _settings(count: int, size: int) -> list[dict[str, Any]]:
    """Returns the settings of `count` configurations, a poor baseline first."""
    widths = [w for w in (4, 2, 8, 16, 3, 6, 12, 1, 24, 5) if w < size]
    made = []
    for i in range(count):
        made.append(
            {
                "bottleneck": widths[(i // 2) % len(widths)] if count > 3 else (2, 4, 8)[i],
                "scaling": "standard" if (i % 2 if count > 3 else i > 0) else "none",
                "learning_rate": float(10.0 ** -(1 + i // (2 * len(widths)))),
            }
        )
    return made


def _directions(rows: np.ndarray, scaled: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns the spread that rows are divided by, and all principal directions, largest first."""
    spread = np.where(rows.std(0) > 0, rows.std(0), 1) if scaled else np.ones(rows.shape[1])
    fed = (rows - rows.mean(0)) / spread
    return spread, np.linalg.eigh(fed.T @ fed)[1][:, ::-1]


def _project(spread: np.ndarray, directions: np.ndarray, rows: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    codes = (rows - rows.mean(0)) / spread @ directions[:, :rank]
    return codes @ directions[:, :rank].T * spread + rows.mean(0), codes


def _samples(rows, shape, outs, codes, errors, member, kept) -> dict[str, np.ndarray]:
    n = len(rows)
    rng = np.random.default_rng(1)
    why = np.zeros(n, np.uint8)
    why[rng.permutation(n)[: max(1, kept // 2)]] |= 1
    for error in errors:
        order = np.argsort(-np.nan_to_num(error, nan=np.inf))
        middle = len(order) // 2
        each = max(2, kept // (8 * len(errors)))
        why[order[:each]] |= 2
        why[order[-each:]] |= 4
        why[order[middle : middle + each]] |= 8
    chosen = np.flatnonzero(why)
    if len(chosen) < kept:
        rest = np.setdiff1d(np.arange(n), chosen)
        extra = rng.permutation(rest)[: kept - len(chosen)]
        why[extra] |= 1
        chosen = np.flatnonzero(why)
    found: dict[str, np.ndarray] = {
        "schema": np.int64(2),
        "key": chosen.astype(np.uint64),
        "place": chosen.astype(np.int64),
        "why": why[chosen],
        "truth": rows[chosen].reshape(-1, *shape).astype(np.float32),
        "error": errors[:, chosen].astype(np.float32),
        "slices": member[:, chosen],
        "labels": (chosen % 3).astype(float),
    }
    for i, (out, code) in enumerate(zip(outs, codes, strict=True)):
        found[f"restored_{i}"] = out[chosen].reshape(-1, *shape).astype(np.float32)
        found[f"code_{i}"] = code[chosen].astype(np.float32)
        plane = np.pad(code, ((0, 0), (0, max(0, 2 - code.shape[1]))))[:, :2]
        found[f"plane_{i}"] = plane[chosen].astype(np.float32)
    return found


def _write_parquet(path: Path, records: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    strings = [(name, pa.string()) for name in ("configuration", "name")]
    more = [(name, pa.string()) for name in ("split", "slice", "feature", "metric")]
    numbers = [(name, pa.float64()) for name in ("value", "low", "high")]
    schema = pa.schema([*strings, ("seed", pa.int64()), *more, *numbers, ("n_rows", pa.int64())])
    pq.write_table(pa.Table.from_pylist(records, schema=schema), path)


def add_findings(made: Made, rows: np.ndarray) -> None:
    """Writes `findings.json` and the statistics of some rows (n, D) beside an evaluation."""
    from aetfx.validation.statistics import summarize
    from aetfx.validation.tfdv import to_proto

    names = made.evaluation["names"]
    proto = to_proto(summarize(rows, names, deep=True), "train")
    folder = made.directory / "statistics" / "Split-train"
    folder.mkdir(parents=True)
    (folder / "FeatureStats.pb").write_bytes(proto.SerializeToString())
    findings = [
        {
            "code": "data.scaling",
            "feature": None,
            "split": "train",
            "severity": "error",
            "message": "the columns have unlike scales; the largest own the loss",
            "evidence": {"largest": [{"column": names[3]}, {"column": names[23]}], "columns": 2},
            "remedy": "Scale the columns.",
        }
    ]
    counts = {"train": {"read": len(rows), "counted": len(rows), "quarantined": 0}}
    (made.directory / "findings.json").write_text(
        json.dumps({"schema_version": 1, "rows": counts, "findings": findings})
    )
