"""Makes run directories as `aetfx diagnose` leaves them, from real data and without training anything.

The "reconstructions" are principal components of real data (scikit-learn's breast cancer and digits), so that
every score, row error and code in the files is a true figure of those data. Only names and costs are invented.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=2">\'"&{{7*7}}%{x}\x1b[31m'
LEVELS = np.array([0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0])


def make_run(directory: Path, kind: str) -> Path:
    """Writes one run.

    Args:
      directory: created.
      kind: `table`, `image`, `two_causes`, `healthy`, `limited`, `inconclusive`, `hostile` or `bare`
        (`diagnosis.json` with the least that it may hold).
    """
    directory.mkdir(parents=True, exist_ok=True)
    if kind == "bare":
        _write(directory, {"schema_version": 1, "status": "healthy", "healthy": True, "baseline": {"score": 0.2}})
        return directory
    images = kind in ("image", "limited")
    rows, names = _digits() if images else _cancer()
    # One component of the raw table is its largest column, and the small ones are lost: what training on
    # columns of unlike scales does. Components of the standardised table are what standardising brings.
    before = _project(rows, 2, scaled=False) if kind != "healthy" else _project(rows, 8, scaled=not images)
    if kind == "limited":
        before = _project(rows, 8, scaled=False)
    after = _project(rows, 30 if images else 8, scaled=not images)
    repaired = kind in ("table", "image", "two_causes", "hostile")
    if kind == "hostile":
        names = np.array([f"{HOSTILE} {index}" for index in range(len(names))])
    samples = _samples(rows, names, before, after if repaired else None, images)
    np.savez_compressed(directory / "samples.npz", **samples)
    pooled = _score(rows, before["out"], images), _score(rows, after["out"], images)
    diagnosis = _diagnosis(kind, rows, images, *pooled)
    findings = _findings(names, rows, repaired and not images)
    histories = _histories(diagnosis)
    if kind == "hostile":
        diagnosis, findings = _poison(diagnosis), _poison(findings)
        histories = {f"{name} {HOSTILE}": entry for name, entry in histories.items()}
    _write(directory, diagnosis, findings, histories)
    (directory / "study.yaml").write_text(
        f"data:\n  train: {HOSTILE if kind == 'hostile' else 'data/wdbc.csv'}\n  eval: 0.2\nmodel: {{bottleneck: 8}}\n"
    )
    return directory


def _cancer() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return data.data.astype(np.float64), np.array([str(name) for name in data.feature_names])


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    small = load_digits().images[:600]
    large = np.kron(small, np.ones((1, 3, 3)))[:, :, :]
    padded = np.pad(large, ((0, 0), (2, 2), (2, 2)))
    return padded.reshape(len(padded), -1) / 16.0, np.array([f"pixel_{i}" for i in range(28 * 28)])


def _project(rows: np.ndarray, rank: int, *, scaled: bool) -> dict[str, np.ndarray]:
    mean = rows.mean(0)
    spread = np.where(rows.std(0) > 0, rows.std(0), 1) if scaled else np.ones(rows.shape[1])
    fed = (rows - mean) / spread
    values, directions = _directions(fed.tobytes(), fed.shape)
    codes = fed @ directions[:rank].T
    share = values**2 / np.sum(values**2)
    out = codes @ directions[:rank] * spread + mean
    return {"out": out, "codes": codes[:, :2], "share": share[:2] / share[:rank].sum(), "fed": fed if scaled else rows}


@functools.cache
def _directions(rows: bytes, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Singular values and directions, once for all runs of a process that show these rows."""
    return np.linalg.svd(np.frombuffer(rows).reshape(shape), full_matrices=False)[1:]


def _columns(rows: np.ndarray, out: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.where(rows.var(0) > 0, np.mean((rows - out) ** 2, 0) / rows.var(0), np.nan)


def _score(rows: np.ndarray, out: np.ndarray, pooled: bool) -> float:
    if pooled:
        return float(np.mean((rows - out) ** 2, 0).sum() / rows.var(0).sum())
    return float(np.nanmean(np.minimum(_columns(rows, out), 4)))


def _row_errors(rows: np.ndarray, out: np.ndarray, pooled: bool) -> np.ndarray:
    spread = np.full(rows.shape[1], rows.std()) if pooled else np.where(rows.std(0) > 0, rows.std(0), 1)
    weights = ((rows - rows.mean(0)) / spread) ** 2
    return np.mean(((rows - out) / spread) ** 2, 1) / weights.mean()


def _samples(rows: np.ndarray, names: np.ndarray, before: Any, after: Any, images: bool) -> dict[str, np.ndarray]:
    held = np.arange(0, len(rows), 4)
    errors = {"before": _row_errors(rows, before["out"], images)[held]}
    if after:
        errors["after"] = _row_errors(rows, after["out"], images)[held]
    order = np.argsort(-errors["before"])
    middle = len(order) // 2
    chosen = np.concatenate([order[:5], order[middle - 2 : middle + 3], order[-5:]])
    found: dict[str, Any] = {
        "names": names,
        "shape": np.array([28, 28] if images else [rows.shape[1]]),
        "rows": rows[held][chosen],
        "row_kind": np.repeat(["worst", "median", "best"], 5),
        "row_index": held[chosen],
        "quantile_levels": LEVELS,
        "quantiles_raw": np.quantile(rows, LEVELS, axis=0),
    }
    for side, made in (("before", before), ("after", after)):
        if made is None:
            continue
        found[f"reconstruction_{side}"] = made["out"][held][chosen]
        found[f"error_{side}"] = errors[side][chosen]
        found[f"errors_{side}"] = errors[side]
        found[f"latent_{side}"] = made["codes"][held]
        found[f"latent_error_{side}"] = errors[side]
        found[f"latent_explained_{side}"] = made["share"]
        found[f"feature_score_{side}"] = _columns(rows, made["out"])
        found[f"quantiles_fed_{side}"] = np.quantile(made["fed"], LEVELS, axis=0)
    return found


_SCALING = {
    "code": "data.scaling",
    "title": "Columns of unlike scales",
    "meaning": "The loss adds up squared errors in raw units, so the largest columns drown all others.",
    "remedy": "Standardise each column with its mean and standard deviation on the train rows.",
    "keras": "norm = keras.layers.Normalization()\nnorm.adapt(x_train)\nautoencoder.fit(norm(x_train), norm(x_train))",
    "study": {"preprocessing.scaling": "standard"},
    "experiment_name": "scaling=standard",
    "evidence": [
        "The range of 'worst area' is 8,040 times that of the median column.",
        "The largest 2 of 30 columns make up 99.8 % of the loss.",
    ],
    "equivalents": ["optimizer.learning_rate_too_low"],
}
_NARROW = {
    "code": "model.capacity_too_small",
    "title": "Hidden layers too narrow",
    "meaning": "The layers around the code are too narrow to bend the data into it.",
    "remedy": "Widen the hidden layers; keep the code.",
    "keras": 'keras.layers.Dense(128, activation="relu")',
    "study": {"model.hidden": [128]},
    "experiment_name": "hidden=[128]",
    "evidence": ["PCA of the same code width reaches 0.32, the model 0.72.", "The train score is high too: 0.71."],
    "equivalents": [],
}
_SLOW = _SCALING | {
    "code": "optimizer.learning_rate_too_low",
    "title": "Learning rate too low",
    "meaning": "The loss was still falling when the epochs ran out.",
    "remedy": "Raise the learning rate from 1e-5 to 1e-3.",
    "keras": "keras.optimizers.Adam(learning_rate=1e-3)",
    "study": {"training.learning_rate": 1e-3},
    "experiment_name": "learning_rate=0.001",
    "evidence": ["The training loss fell by 31 % over the last fifth of the epochs."],
    "equivalents": [],
}
_RULED_OUT = [
    ("data.missing", "Missing values", None, "No NaN, infinite or sentinel cell in 569 rows.", None),
    ("data.outliers", "Gross outliers", "outliers=clip", "Clipping changes the score by 1 %.", 0.01),
    ("optimizer.learning_rate_too_high", "Learning rate too high", "learning_rate=0.0003", "A third is worse.", -0.21),
    ("optimizer.batch_size", "Batch too large", None, "A batch of 32 is far below a quarter of the rows.", None),
    ("loss.mismatch", "Loss does not fit the data", None, "MSE suits real-valued columns.", None),
    ("model.linear_activations", "Only linear activations", None, "The hidden layers use relu.", None),
]


def _step(cause: dict[str, Any], step: int, before: float, after: float) -> dict[str, Any]:
    gain = 1 - after / before
    numbers = {"gain": gain, "gain_interval": [gain - 0.04, min(0.99, gain + 0.03)], "seeds": 3, "step": step}
    scores = {"score_before": before, "score_after": after}
    return cause | numbers | scores | {"verdict": "verified", "experiment": "c0ffee"}


def _diagnosis(kind: str, rows: np.ndarray, images: bool, before: float, after: float) -> dict[str, Any]:
    status = {"healthy": "healthy", "limited": "limited", "inconclusive": "inconclusive"}.get(kind, "faulty")
    causes: list[dict[str, Any]] = []
    if kind in ("table", "hostile"):
        causes = [_step(_SCALING, 1, before, after)]
    elif kind == "image":
        causes = [_step(_NARROW, 1, before, after)]
    elif kind == "two_causes":
        causes = [_step(_SCALING, 1, before, after * 2.2), _step(_SLOW, 2, after * 2.2, after)]
    improvement = {
        "code": "optimizer.undertrained",
        "title": "More epochs",
        "remedy": "Train for 200 epochs instead of 100.",
        "experiment_name": "epochs=200",
        "gain": 0.12,
        "gain_interval": [0.06, 0.17],
        "score_after": after * 0.88,
        "step": len(causes) + 1,
    }
    suspect = {
        "code": "optimizer.learning_rate_too_low",
        "title": "Learning rate too low",
        "evidence": ["The loss was still falling at the end."],
        "gain": 0.29,
    }
    found: dict[str, Any] = {
        "schema_version": 1,
        "study_name": {"table": "wdbc"}.get(kind, kind),
        "status": status,
        "healthy": status == "healthy",
        "score_metric": "fvu",
        "causes": causes,
        "improvements": [improvement] if kind in ("table", "healthy") else [],
        "suspected": [suspect] if kind == "inconclusive" else [],
        "notes": ["no_bottleneck"] if kind == "healthy" else [],
        "statements": [],
        "ruled_out": [
            {"code": code, "title": title, "experiment": None, "experiment_name": name, "reason": why, "gain": gain}
            for code, title, name, why, gain in _RULED_OUT
        ],
        "baseline": {
            "score": before,
            "score_interval": [before * 0.96, before * 1.05],
            "pca_score": _score(rows, _project(rows, 8, scaled=not images)["out"], images) * 1.08,
            "bottleneck": 8,
            "mean_score": 1.0,
        },
        "fixed": {
            "score": after,
            "interval": [after * 0.9, after * 1.12],
            "pca_score": _score(rows, _project(rows, 8, scaled=True)["out"], images),
            "path": "fixed/model.keras",
        }
        if causes
        else None,
        "sensitivity": {
            "detectable_gain": 0.18,
            "sentence": "A fault worth 18 % of the score or more would have been found with 80 % power.",
        },
        "rows": {"train": 455, "select": 57, "confirm": 57},
        "cost": {"training_multiple": 6.4, "seconds": 71.3},
        "trials": 14,
        "truncated": False,
        "data": {
            "path": "data/wdbc.csv",
            "rows_read": len(rows),
            "columns": rows.shape[1],
            "shape": [28, 28] if images else [30],
            "features": "tensor" if images else "table",
            "binary": False,
        },
        "model": {
            "widths": "784-16-8-16-784" if images else "30-16-8-16-30",
            "bottleneck": 8,
            "activations": ["relu", "relu", "relu"],
            "output_activation": "linear",
            "loss": "mse",
            "optimizer": "adam",
            "learning_rate": 0.001,
            "batch_size": 32,
            "epochs": 100,
        },
        "code_curve": [],
    }
    if kind == "inconclusive":
        found["learning_curve"] = [
            {"rows": rows, "score": before * share, "interval": interval, "measured": interval is None}
            for rows, share, interval in (
                (100, 2.0, None), (200, 1.4, None), (400, 1.0, None),
                (800, 0.7, [before * 0.5, before * 0.9]), (1600, 0.5, [before * 0.2, before * 0.8]),
            )
        ]  # fmt: skip
    if kind == "limited":
        found["statements"] = [f"No linear code of 8 units does better than {before * 1.02:.2f} on these rows."]
        found["code_curve"] = [
            {
                "bottleneck": width,
                "score": _score(rows, _project(rows, width, scaled=False)["out"], True) * (1.05 if width > 8 else 0.97),
                "pca": _score(rows, _project(rows, width, scaled=False)["out"], True),
            }
            for width in (2, 4, 8, 16, 32)
        ]
    found["experiments"] = _experiments(causes, before, found["improvements"], found["suspected"])
    return found


def _experiments(causes: list[Any], before: float, improvements: list[Any], suspected: list[Any]) -> list[Any]:
    found = []
    for cause in causes:
        entry = {"name": cause["experiment_name"], "code": cause["code"], "configuration": "x", "step": cause["step"]}
        for stage, slack in (("screen", 0.03), ("confirm", 0.0)):
            found.append(
                entry
                | {
                    "stage": stage,
                    "score_before": cause["score_before"],
                    "score": cause["score_after"] * (1 + slack),
                    "gain": cause["gain"] - slack,
                    "gain_interval": cause["gain_interval"] if stage == "confirm" else None,
                    "decision": "verified" if stage == "confirm" else "confirm it",
                }
            )
    step = max(1, len(causes))
    others: list[tuple[str, str, float, Any, str]] = [
        ("outliers=clip", "data.outliers", 0.01, None, "no effect"),
        ("learning_rate=0.0003", "optimizer.learning_rate_too_high", -0.21, None, "no effect"),
        ("scaling=minmax", "data.scaling", 0.31, None, "no effect"),
        ("hidden=[128]", "model.capacity_too_small", 0.08, [0.01, 0.15], "no effect"),
    ]
    others += [("epochs=200", "optimizer.undertrained", 0.12, [0.06, 0.17], "improvement")] if improvements else []
    others += [("lr=0.01", "optimizer.learning_rate_too_low", 0.29, [0.02, 0.5], "suspected")] if suspected else []
    taken = {cause["experiment_name"] for cause in causes}
    for name, code, gain, interval, decision in others:
        if name in taken:
            continue
        found.append(
            {
                "name": name,
                "code": code,
                "configuration": "y",
                "stage": "confirm" if interval else "screen",
                "step": step,
                "score_before": before,
                "score": before * (1 - gain),
                "gain": gain,
                "gain_interval": interval,
                "decision": decision,
            }
        )
    return found


def _histories(diagnosis: dict[str, Any]) -> dict[str, Any]:
    scores = {"baseline": (None, diagnosis["baseline"]["score"])}
    scores |= {e["name"]: (e["code"], e["score"]) for e in diagnosis["experiments"]}
    epochs = np.arange(1, 101)
    noise = np.random.default_rng(0)
    found = {}
    for index, (name, (code, end)) in enumerate(scores.items()):
        curve = end + (1.05 - end) * np.exp(-epochs / (6 + 5 * index)) + noise.normal(0, 0.006, 100) * end
        found[name] = {
            "code": code,
            "loss": (curve * 10 ** (3 - index)).tolist(),
            "score": [[int(e), float(s)] for e, s in zip(epochs[4::5], curve[4::5], strict=True)],
        }
    return found


def _findings(names: np.ndarray, rows: np.ndarray, faulty: bool) -> dict[str, Any]:
    found = []
    if faulty:
        for index in np.argsort(-np.ptp(rows, axis=0))[:3]:
            found.append(
                {
                    "code": "data.scaling",
                    "feature": str(names[index]),
                    "split": "train",
                    "severity": "error",
                    "message": f"Ranges over {np.ptp(rows[:, index]):,.0f}; the median column over "
                    f"{np.median(np.ptp(rows, axis=0)):.2f}.",
                    "evidence": {"range": float(np.ptp(rows[:, index]))},
                    "remedy": "Standardise the columns.",
                }
            )
        found.append(
            {
                "code": "data.collinear",
                "feature": None,
                "split": "train",
                "severity": "info",
                "message": "21 pairs of columns correlate above 0.9.",
                "evidence": {"pairs": 21},
                "remedy": "",
            }
        )
    counts = {"train": {"read": 455, "counted": 455, "quarantined": 0}}
    return {
        "schema_version": 1,
        "rows": counts | {"eval": {"read": 114, "counted": 112, "quarantined": 2}},
        "findings": found,
    }


def _poison(value: Any) -> Any:
    """Appends hostile text to every string that is shown and not a keyword."""
    keywords = {"status", "score_metric", "stage", "decision", "severity", "features", "verdict", "optimizer"}
    if isinstance(value, dict):
        return {key: item if key in keywords else _poison(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_poison(item) for item in value]
    return f"{value} {HOSTILE}" if isinstance(value, str) else value


def _write(directory: Path, diagnosis: Any, findings: Any = None, histories: Any = None) -> None:
    for name, content in (("diagnosis", diagnosis), ("findings", findings), ("histories", histories)):
        if content is not None:
            (directory / f"{name}.json").write_text(json.dumps(content))
