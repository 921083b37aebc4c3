"""Whether more rows do what the learning curve of a diagnosis promised, with real rows that were held back.

    python -m benchmarks.more_rows [--only NAME ...] [--json FILE]

Of each data set a few rows are given to `aetfx.diagnose`, with a network that learns them by heart. Where the record
holds a learning curve, the rest of the rows answers: plain Keras trains the same network on n, 2n and 4n rows, as many
updates each, 5 seeds, and scores it on rows that neither saw. A promise holds where the gain that was got lies in its
95 % interval. In half of the cases eval has too few rows to be trained on as well, so that twice the rows are foreseen
too. Resumes per case with `--json`. Exits 1 where fewer than 90 % of the promises hold.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HELD = 0.90  # share of the promises
SEEDS = 5
UPDATES = 1200
BATCH = 16


@dataclass(frozen=True)
class Case:
    """A data set, how many rows of it are given, which of them, and the widths of the network.

    The first draw has all eval rows, so that some can be lent to training; the second one and a half times the rows.
    """

    dataset: str
    rows: int
    draw: int
    hidden: int
    code: int

    @property
    def name(self) -> str:
        return f"{self.dataset}-{self.rows}-{self.draw}"


_SETS = {
    "digits": (64, 10),
    "wdbc": (64, 6),
    "diabetes": (32, 4),
    "china": (64, 8),
    "flower": (64, 8),
    "plane": (64, 3),
}
_SIZES = {"digits": (60, 150), "wdbc": (30, 60), "diabetes": (25, 50), "china": (60, 150), "flower": (60, 150),
          "plane": (30, 60)}  # fmt: skip
CASES = [Case(name, n, draw, *_SETS[name]) for draw in range(2) for name, sizes in _SIZES.items() for n in sizes]


def rows_of(dataset: str) -> Any:
    """Returns all rows of a data set, float64 (n, d)."""
    import numpy as np
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

    from benchmarks.diagnosis import rowsets

    if dataset in ("china", "flower"):
        patches = rowsets.patches(("china", "flower").index(dataset))
        return patches.reshape(len(patches), -1)
    if dataset == "plane":
        return rowsets.plane(800, 20, 8)
    load = {"digits": load_digits, "wdbc": load_breast_cancer, "diabetes": load_diabetes}[dataset]
    return np.asarray(load().data, np.float64)


def build(case: Case, width: int) -> Any:
    """Returns a compiled network that is wide enough to learn these rows by heart."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((width,)),
            layers.Dense(case.hidden, "relu"),
            layers.Dense(case.code),
            layers.Dense(case.hidden, "relu"),
            layers.Dense(width),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), loss="mse")
    return model


def check(case: Case) -> dict[str, Any]:
    """Diagnoses with the given rows and trains with those that were held back."""
    import keras
    import numpy as np

    import aetfx

    rng = np.random.default_rng(1000 + case.draw)
    rows = rng.permutation(rows_of(case.dataset))
    known, held = rows[: 4 * case.rows], rows[4 * case.rows :]
    mean, sd = known[: case.rows].mean(axis=0), known[: case.rows].std(axis=0)
    known, held = (((part - mean) / np.where(sd > 0, sd, 1)).astype("float32") for part in (known, held))
    held = held[:, sd > 0]
    known = known[:, sd > 0]
    cut = len(held) // 2
    given_to_judge = held[:cut] if case.draw == 0 else held[: min(cut, 3 * case.rows // 2)]
    epochs = math.ceil(UPDATES / math.ceil(case.rows / BATCH))
    begun = time.perf_counter()
    found = aetfx.diagnose(
        lambda: build(case, known.shape[1]), known[: case.rows], given_to_judge, epochs=epochs, batch_size=BATCH, seed=0
    )
    record = found.record
    result: dict[str, Any] = {
        "name": case.name, "columns": known.shape[1], "status": found.status,
        "causes": [cause.code for cause in found.causes], "seconds": round(time.perf_counter() - begun, 1),
    }  # fmt: skip
    curve = {point["rows"]: point for point in record["learning_curve"]}
    if not curve:
        why = [item["reason"] for item in record["ruled_out"] if item["code"] == "data.too_few_rows"]
        return result | {"promised": None, "why": why}
    given = curve[case.rows]["score"]
    scores: dict[int, list[float]] = {}
    for times in (1, 2, 4):
        part = known[: times * case.rows]
        rounds = math.ceil(UPDATES / math.ceil(len(part) / BATCH))
        for seed in range(SEEDS):
            keras.utils.set_random_seed(500 + seed)
            model = build(case, known.shape[1])
            model.fit(part, part, epochs=rounds, batch_size=BATCH, verbose=0)
            restored = model.predict(held[cut:], verbose=0)
            error = np.square(held[cut:] - restored).mean(axis=0)
            spread = np.square(held[cut:] - known[: case.rows].mean(axis=0)).mean(axis=0)
            scores.setdefault(times, []).append(float(error.sum() / spread.sum()))
            keras.backend.clear_session()
    for times in (2, 4):
        low, high = (1 - bound / given for bound in reversed(curve[times * case.rows]["interval"]))
        got = 1 - float(np.exp(np.mean(np.log(scores[times])) - np.mean(np.log(scores[1]))))
        promised = 1 - curve[times * case.rows]["score"] / given
        result[f"x{times}"] = {
            "promised": promised, "interval": [low, high], "got": got, "holds": low <= got <= high
        }  # fmt: skip
    return result | {"score": given, "scores": {times: float(np.mean(s)) for times, s in scores.items()}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", default=[], help="of these data sets or cases")
    parser.add_argument("--json", type=Path, help="write the figures here as they come, and go on from what is there")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    done = json.loads(given.json.read_text())["cases"] if given.json and given.json.exists() else {}
    for case in CASES:
        if given.only and not {case.name, case.dataset} & set(given.only):
            continue
        if case.name not in done:
            done[case.name] = check(case)
            if given.json:
                text = json.dumps({"date": time.strftime("%Y-%m-%d"), "python": platform.python_version(),
                                   "cores": os.cpu_count(), "cases": done}, indent=1)  # fmt: skip
                given.json.write_text(text + "\n")
        print(_line(done[case.name]), flush=True)
    promises = [found[times] for found in done.values() for times in ("x2", "x4") if times in found]
    held = sum(promise["holds"] for promise in promises)
    named = sum("data.too_few_rows" in found["causes"] for found in done.values())
    print(f"{held} of {len(promises)} promises hold; {named} of {len(done)} cases were named data.too_few_rows")
    return 0 if promises and held >= HELD * len(promises) else 1


def _line(found: dict[str, Any]) -> str:
    said = f"{found['name']:16}{found['status']:13}{', '.join(found['causes'])[:40]:42}"
    for times in ("x2", "x4"):
        if times in found:
            p = found[times]
            low, high = p["interval"]
            said += (
                f"{times} {p['promised']:.0%} [{low:.0%}, {high:.0%}] got {p['got']:.0%}{'' if p['holds'] else ' !'}  "
            )
    return said + ("" if "x2" in found else "; ".join(found["why"])[:120])


if __name__ == "__main__":
    sys.exit(main())
