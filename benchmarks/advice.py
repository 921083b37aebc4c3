"""The usual advice for autoencoders, claim by claim, beside what it does to real data.

    python -m benchmarks.advice              # docs/usual-advice.md and benchmarks/results/advice.json; resumes

Each claim is one change of one healthy autoencoder, made on several real data sets that come with scikit-learn and
measured as `aetfx compare` measures: the same held-out rows, three paired seeds, the gain in the score with its 95 %
interval. The data sets differ on purpose: advice that helps one and hurts another is no advice. Where the claim is
about a fault (missing cells, outliers, unscaled columns), the fault is put into the data first.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets

from aetfx.comparison.api import compare_study
from aetfx.study import parse_study
from aetfx.words import percent

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "advice.json"
PAGE = HERE.parent / "docs" / "usual-advice.md"
_MATTERS = 0.10  # a gain or loss of the score below this is no reason to change anything

Rows = np.ndarray


@dataclass(frozen=True)
class Claim:
    """One piece of advice.

    Attributes:
      topic, claim: as people say it.
      change: dotted study keys of the change.
      base: dotted study keys of what is changed, where they differ from the healthy model.
      spoil: what is done to the rows first.
      sets: data sets; all by default.
    """

    topic: str
    claim: str
    change: dict[str, Any]
    base: dict[str, Any] = field(default_factory=dict)
    spoil: Callable[[Rows], Rows] | None = None
    sets: tuple[str, ...] = ("breast_cancer", "wine", "digits", "diabetes")


def data_sets() -> dict[str, Rows]:
    """Real rows in their own units, shuffled."""
    names = ("breast_cancer", "wine", "digits", "diabetes")
    return {
        name: np.random.default_rng(0).permutation(np.asarray(getattr(sklearn.datasets, f"load_{name}")().data))
        for name in names
    }


# Healthy for each: standardised rows (pixels share one scale), epochs until the loss has settled.
HEALTHY: dict[str, dict[str, Any]] = {
    "breast_cancer": {"model.hidden": [32], "model.bottleneck": 8, "training.epochs": 150},
    "wine": {"model.hidden": [16], "model.bottleneck": 6, "training.epochs": 300, "training.batch_size": 16},
    "digits": {"model.hidden": [64], "model.bottleneck": 12, "training.epochs": 60},
    "diabetes": {"model.hidden": [16], "model.bottleneck": 5, "training.epochs": 150},
}


def _with_sentinels(rows: Rows) -> Rows:
    changed = rows.astype(np.float64).copy()
    changed[np.random.default_rng(1).random(rows.shape) < 0.03] = np.nan
    return changed


def _with_spikes(rows: Rows) -> Rows:
    changed = rows.astype(np.float64).copy()
    cells = np.random.default_rng(1).random(rows.shape) < 0.003
    changed[cells] += 100 * np.broadcast_to(rows.std(axis=0), rows.shape)[cells]
    return changed


def _binary(rows: Rows) -> Rows:
    return (rows > rows.mean(axis=0)).astype(np.float64)


def _sparse(rows: Rows) -> Rows:
    return (rows > np.quantile(rows, 0.94, axis=0)).astype(np.float64)


_ADAM = {"training.optimizer": "adam", "training.learning_rate": 1e-3}
CLAIMS = [
    Claim("capacity", "Make the hidden layers wider", {"model.hidden": "x2"}),
    Claim("capacity", "Make the code wider", {"model.bottleneck": "x2"}),
    Claim("capacity", "Make the model smaller against overfitting", {"model.hidden": "x0.25"}),
    Claim("activations", "Linear layers will do", {"model.activation": "linear"}),
    Claim("activations", "Use ELU instead of ReLU", {"model.activation": "elu"}),
    Claim("activations", "Use tanh instead of ReLU", {"model.activation": "tanh"}),
    Claim(
        "activations", "End in a sigmoid", {"model.output_activation": "sigmoid"},
    ),
    Claim("learning rate", "Lower the learning rate", {"training.learning_rate": 1e-4}),
    Claim("learning rate", "Raise the learning rate", {"training.learning_rate": 1e-2}),
    Claim("learning rate", "Use SGD instead of Adam", {"training.optimizer": "sgd", "training.learning_rate": 1e-2}),
    Claim("batch size", "Use small batches", {"training.batch_size": 8}),
    Claim("batch size", "Use large batches", {"training.batch_size": 256}),
    Claim("epochs", "Train three times as long", {"training.epochs": "x3"}),
    Claim(
        "scaling", "Standardise the rows (columns of unlike units)", {"preprocessing.scaling": "standard"},
        {"preprocessing.scaling": "none"}, sets=("breast_cancer", "wine"),
    ),
    Claim(
        "scaling", "Standardise the rows (columns of like units)", {"preprocessing.scaling": "standard"},
        {"preprocessing.scaling": "none"}, sets=("digits", "diabetes"),
    ),
    Claim("scaling", "Scale to 0..1 instead of standardising", {"preprocessing.scaling": "minmax"}),
    Claim(
        "missing values", "Fill missing cells with the mean (3 % of the cells are missing)",
        {"preprocessing.missing": "mean"}, {"preprocessing.missing": "zero"}, _with_sentinels,
    ),
    Claim(
        "outliers", "Clip outliers (3 cells in 1,000 are 100 sd off)", {"preprocessing.outliers": "clip"},
        spoil=_with_spikes, sets=("breast_cancer", "wine", "diabetes"),
    ),
    Claim(
        "outliers", "Use the Huber loss against outliers", {"training.loss": "huber"},
        spoil=_with_spikes, sets=("breast_cancer", "wine", "diabetes"),
    ),
    Claim("loss", "Use the mean absolute error", {"training.loss": "mae"}),
    Claim(
        "loss", "Use cross-entropy on binary rows (half ones)", {"training.loss": "bce"},
        {"model.output_activation": "sigmoid", "preprocessing.scaling": "none"}, _binary,
    ),
    Claim(
        "loss", "Use cross-entropy on sparse binary rows (6 % ones)", {"training.loss": "bce"},
        {"model.output_activation": "sigmoid", "preprocessing.scaling": "none"}, _sparse,
    ),
]  # fmt: skip


def measure(claim: Claim, name: str, rows: Rows) -> dict[str, Any]:
    """Compares one data set with and without the change; returns scores, gain and interval."""
    base = {"preprocessing.scaling": "standard", "model.activation": "relu", **_ADAM, **HEALTHY[name], **claim.base}
    change = {key: _resolved(value, base.get(key)) for key, value in claim.change.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, claim.spoil(rows) if claim.spoil else rows)
        tree: dict[str, Any] = {"name": "advice", "data": {"train": str(path), "eval": 0.25}}
        for dotted, value in base.items():
            section, key = dotted.split(".")
            tree.setdefault(section, {})[key] = value
        # Keys that change together are compared as one configuration: the product's last entry.
        tree["compare"] = {key: [value] for key, value in change.items()}
        result = compare_study(parse_study(tree), Path(folder) / "run")
    found = {row["name"]: row for row in result["rows"] if row.get("gain") is not None or row["name"] == "baseline"}
    before = found.pop("baseline")
    after = next(iter(found.values()))
    return {
        "before": before["score"],
        "after": after["score"],
        "gain": after["gain"],
        "interval": after["gain_interval"],
        "change": after["name"],
        "metric": result["score_metric"],
    }


def _resolved(value: Any, base: Any) -> Any:
    """Turns "x2" into twice the base value."""
    if not (isinstance(value, str) and value.startswith("x") and value[1:].replace(".", "").isdigit()):
        return value
    factor = float(value[1:])
    return [max(1, int(b * factor)) for b in base] if isinstance(base, list) else max(1, int(base * factor))


def word(item: dict[str, Any]) -> str:
    """Says what a measurement is worth."""
    low, high = item["interval"]
    if low > 0 and item["gain"] >= _MATTERS:
        return "helps"
    if high < 0 and item["gain"] <= -_MATTERS:
        return "hurts"
    return "no matter" if abs(item["gain"]) < _MATTERS else "unclear"


def page(results: dict[str, Any], made: str) -> str:
    """Writes the docs page."""
    lines = [
        "# The usual advice, measured",
        "",
        "What people are told when an autoencoder gives back the wrong data, and what the same change does to a",
        "*healthy* autoencoder on four real data sets (breast cancer 569 x 30, wine 178 x 13, digits 1,797 x 64,",
        "diabetes 442 x 10). Score: share of the variance (binary rows: of the deviance) that is lost on held-out",
        "rows, in the data's own units. Gain: share of the score that the change takes away, mean of three paired",
        f"seeds with its 95 % interval; below {percent(_MATTERS)} either way it is called *no matter*. A negative gain",
        "is a loss.",
        "",
        f"Made by `python -m benchmarks.advice`, {made}. Two cores, TensorFlow 2.16.",
        "",
        "**In short**: no change of model or training helps everywhere, and most of the advice is about a fault that",
        "the model at hand may not have. What does decide is whether scale, missing cells, outliers and loss fit the",
        "data. That is why `aetfx diagnose` measures before it says anything.",
    ]
    topic = ""
    for claim in CLAIMS:
        found = results.get(claim.claim, {})
        if not found:
            continue
        if claim.topic != topic:
            topic = claim.topic
            lines += ["", f"## {topic.capitalize()}"]
        words = [word(item) for item in found.values()]
        tally = ", ".join(f"{w} on {words.count(w)}" for w in ("helps", "hurts", "no matter", "unclear") if w in words)
        lines += ["", f"**{claim.claim}.** {tally.capitalize()} of {len(words)}.", ""]
        lines += ["| data | change | score | gain | |", "|---|---|---|---|---|"]
        for name, item in found.items():
            low, high = (percent(edge) for edge in item["interval"])
            lines.append(
                f"| {name} | `{item['change']}` | {item['before']:.3f} -> {item['after']:.3f} | "
                f"{percent(item['gain'])} [{low}, {high}] | {word(item)} |"
            )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measures what has not been measured yet, then writes the page."""
    import datetime

    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    sets = data_sets()
    for claim in CLAIMS:
        for name in claim.sets:
            if name in results.get(claim.claim, {}):
                continue
            item = measure(claim, name, sets[name])
            results.setdefault(claim.claim, {})[name] = item
            RESULTS.write_text(json.dumps(results, indent=1))
            print(f"{claim.claim}: {name}: {item['before']:.3f} -> {item['after']:.3f}, {word(item)}", flush=True)
    PAGE.write_text(page(results, datetime.date.today().isoformat()))
    print(PAGE.relative_to(HERE.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
