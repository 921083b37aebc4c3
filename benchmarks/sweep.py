"""What a sweep costs: `aetfx compare` against the loop of `model.fit` that a person would write, in one run.

    python -m benchmarks.sweep [--data wide|tall ...] [--seeds 3] [--epochs N] [--json FILE]

Twelve configurations of a dense autoencoder (three code widths, four learning rates) on made-up rows: *tall* 60,000
x 64, *wide* 8,192 x 784. Every way is a fresh process from import to scores, so that start-up and warm-up count on all
sides, and trains the same configurations, seeds, epochs and batches on the same rows:

  loop            Keras: build, compile, fit(x, x, epochs, batch_size), one after the other
  steps           aetfx with one process and without XLA: whole epochs in one call, compiled programs used again
  xla             the same with XLA
  compare         `aetfx compare` as it is: XLA, and a process for each core
  halving         the same with `sweep: {halving: true}`
  stacked         no part of aetfx: the rates and seeds of one code width in one program, their weights side by side

The score is the fraction of variance unexplained on 20 % held-out rows, which each way chooses itself. Exits 1 where
compare is less than 3 times as fast as the loop, halving less than 5 times, a configuration's mean score differs from
the loop's by more than 2 standard errors (over seeds, both ways) in more than one of twelve, or the loop's winner is
neither first nor within 2 standard errors of the first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
WAYS = ("loop", "steps", "xla", "compare", "halving", "stacked")
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
DATA: dict[str, dict[str, Any]] = {
    "tall": {"rows": 60_000, "columns": 64, "rank": 12, "hidden": 64, "codes": (4, 8, 12), "batch": 64, "epochs": 3},
    "wide": {"rows": 8_192, "columns": 784, "rank": 24, "hidden": 128, "codes": (8, 16, 24), "batch": 64, "epochs": 10},
}
BOUNDS = {"compare": 3.0, "halving": 5.0}


def rows_of(kind: str) -> np.ndarray:
    """Returns bent mixtures of a few factors with noise, float32 (rows, columns)."""
    about, rng = DATA[kind], np.random.default_rng(0)
    factors = rng.normal(size=(about["rows"], about["rank"]))
    mixed = np.tanh(factors @ rng.normal(size=(about["rank"], about["columns"])) / 2)
    return (mixed + 0.1 * rng.normal(size=mixed.shape)).astype("float32")


def loop(path: Path, kind: str, seeds: int, epochs: int) -> dict[str, list[float]]:
    """Trains as a person would; returns the scores of each configuration, one per seed."""
    import keras

    about, rows = DATA[kind], np.load(path)
    held = np.random.default_rng(1).permutation(len(rows))[: len(rows) // 5]
    train, test = np.delete(rows, held, axis=0), rows[held]
    spread = np.square(test - train.mean(axis=0)).sum()
    found: dict[str, list[float]] = {}
    for code, rate in itertools.product(about["codes"], RATES):
        for seed in range(seeds):
            keras.utils.set_random_seed(seed)
            model = keras.Sequential(
                [
                    keras.Input((about["columns"],)),
                    keras.layers.Dense(about["hidden"], "relu"),
                    keras.layers.Dense(code),
                    keras.layers.Dense(about["hidden"], "relu"),
                    keras.layers.Dense(about["columns"]),
                ]
            )
            model.compile(keras.optimizers.Adam(rate), "mse")
            model.fit(train, train, epochs=epochs, batch_size=about["batch"], verbose=0)
            guess = model.predict(test, verbose=0, batch_size=1024)
            found.setdefault(f"{code}, {rate:g}", []).append(float(np.square(guess - test).sum() / spread))
    return found


def stacked(path: Path, kind: str, seeds: int, epochs: int) -> dict[str, list[float]]:
    """Trains all rates and seeds of one code width as one program, their weights side by side, with Adam by hand."""
    import keras
    import tensorflow as tf

    about, rows = DATA[kind], np.load(path)
    held = np.random.default_rng(1).permutation(len(rows))[: len(rows) // 5]
    train, test = np.delete(rows, held, axis=0), rows[held]
    spread = np.square(test - train.mean(axis=0)).sum()
    batch, updates = about["batch"], len(train) // about["batch"]
    inputs = tf.constant(train)
    found: dict[str, list[float]] = {}
    for code in about["codes"]:
        pairs = [(rate, seed) for rate in RATES for seed in range(seeds)]
        sizes = [about["columns"], about["hidden"], code, about["hidden"], about["columns"]]
        stack: list[list[np.ndarray]] = []
        for _, seed in pairs:
            keras.utils.set_random_seed(seed)
            glorot = keras.initializers.GlorotUniform()
            layers = [
                (np.asarray(glorot(size)), np.zeros((1, size[1]), "float32")) for size in itertools.pairwise(sizes)
            ]
            stack.append([part for layer in layers for part in layer])
        weights = [tf.Variable(np.stack(parts)) for parts in zip(*stack, strict=True)]
        means, squares = ([tf.Variable(tf.zeros_like(w)) for w in weights] for _ in range(2))
        rates = tf.reshape(tf.constant([rate for rate, _ in pairs]), (-1, 1, 1))
        count = tf.Variable(0.0)

        def forward(x: Any, weights: Any = weights) -> Any:
            for layer in range(4):
                x = tf.matmul(x, weights[2 * layer]) + weights[2 * layer + 1]
                x = tf.nn.relu(x) if layer in (0, 2) else x
            return x

        @tf.function(jit_compile=False)
        def epoch(orders: Any, weights: Any = weights, means: Any = means, squares: Any = squares,
                  rates: Any = rates, count: Any = count, forward: Any = forward) -> None:  # fmt: skip
            for update in tf.range(updates):
                x = tf.gather(inputs, orders[:, update])
                with tf.GradientTape() as tape:
                    loss = tf.reduce_sum(tf.reduce_mean(tf.square(forward(x) - x), axis=(1, 2)))
                gradients = tape.gradient(loss, weights)
                count.assign_add(1.0)
                step = rates * tf.sqrt(1 - 0.999**count) / (1 - 0.9**count)
                for w, g, m, v in zip(weights, gradients, means, squares, strict=True):
                    m.assign(0.9 * m + 0.1 * g)
                    v.assign(0.999 * v + 0.001 * tf.square(g))
                    w.assign_sub(step * m / (tf.sqrt(v) + 1e-7))

        draws = [np.random.default_rng(seed) for _, seed in pairs]
        for _ in range(epochs):
            orders = [draw.permutation(len(train))[: updates * batch].reshape(updates, batch) for draw in draws]
            epoch(tf.constant(np.stack(orders)))
        for number, (rate, _) in enumerate(pairs):
            guess = forward(test[None], [w[number : number + 1] for w in weights])[0]
            found.setdefault(f"{code}, {rate:g}", []).append(float(np.square(guess - test).sum() / spread))
    return found


def ours(path: Path, kind: str, way: str, seeds: int, epochs: int, out: Path) -> dict[str, list[float]]:
    """Trains with aetfx; returns the mean score of each configuration that was trained to the end, `seeds` times."""
    from aetfx.comparison import api
    from aetfx.study import parse_study

    if way == "steps":
        api._JIT_FROM_SECONDS = math.inf
    about = DATA[kind]
    study = parse_study(
        {
            "name": kind,
            "data": {"train": str(path), "eval": 0.2, "features": "tensor"},
            "model": {"hidden": [about["hidden"]], "bottleneck": about["codes"][0]},
            "training": {
                "epochs": epochs,
                "batch_size": about["batch"],
                "learning_rate": RATES[0],
                "processes": 1 if way in ("steps", "xla") else None,
            },
            "compare": {"model.bottleneck": list(about["codes"]), "training.learning_rate": list(RATES)},
            "sweep": {"seeds": seeds, "halving": way == "halving"},
        }
    )
    record = api.compare_study(study, out)
    names = {}
    for code, rate in itertools.product(about["codes"], RATES):
        name, _ = study.alternative({"model.bottleneck": code, "training.learning_rate": rate})
        names[name] = f"{code}, {rate:g}"
    return {names[row["name"]]: row["scores"] for row in record["rows"] if row["name"] in names and row.get("scores")}


def run(way: str, path: Path, kind: str, seeds: int, epochs: int) -> dict[str, Any]:
    """Runs one way in a process of its own; returns its seconds and scores."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        call = [sys.executable, "-m", "benchmarks.sweep", "--way", way, "--data", kind, "--seeds", str(seeds)]
        begun = time.perf_counter()
        done = subprocess.run(
            [*call, "--epochs", str(epochs), "--rows", str(path), "--out", folder],
            cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"{kind}, {way}: {done.stderr[-2000:]}")
    return {"seconds": round(seconds, 1), "scores": json.loads(done.stdout.splitlines()[-1])}


def judge(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns how much faster each way is than the loop, and how its scores stand to the loop's."""
    base = found["loop"]
    result: dict[str, Any] = {}
    for way, item in found.items():
        if way == "loop":
            continue
        apart = [
            abs(statistics.mean(scores) - statistics.mean(base["scores"][name])) / _error(scores, base["scores"][name])
            for name, scores in item["scores"].items()
        ]
        first = min(item["scores"], key=lambda name: statistics.mean(item["scores"][name]))
        winner = min(base["scores"], key=lambda name: statistics.mean(base["scores"][name]))
        mine = item["scores"].get(winner)
        ahead = 0.0 if mine is None else statistics.mean(mine) - statistics.mean(item["scores"][first])
        tied = mine is not None and ahead <= 2 * _error(mine, item["scores"][first])
        result[way] = {
            "times": round(base["seconds"] / item["seconds"], 2),
            "apart": sum(value > 2 for value in apart),
            "of": len(apart),
            "winner": winner,
            "first": first,
            "first_or_tied": winner == first or tied,
        }
    return result


def _error(one: list[float], other: list[float]) -> float:
    """Standard error of the difference of two means; at least 0.2 % of the score, below which nobody looks."""
    spread = sum(statistics.variance(scores) / len(scores) for scores in (one, other) if len(scores) > 1)
    return max(math.sqrt(spread), 0.001 * statistics.mean(other))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=tuple(DATA), default=list(DATA))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--json", type=Path)
    for inner in ("--way", "--rows", "--out"):
        parser.add_argument(inner, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        [kind], path = given.data, Path(given.rows)
        by_hand = {"loop": loop, "stacked": stacked}
        scores = (
            by_hand[given.way](path, kind, given.seeds, given.epochs)
            if given.way in by_hand
            else ours(path, kind, given.way, given.seeds, given.epochs, Path(given.out) / "run")
        )
        print(json.dumps(scores))
        return 0
    results: dict[str, Any] = {}
    missed = []
    for kind in given.data:
        epochs = given.epochs or DATA[kind]["epochs"]
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
            path = Path(folder) / "rows.npy"
            np.save(path, rows_of(kind))
            found = {way: run(way, path, kind, given.seeds, epochs) for way in given.ways}
        results[kind] = {"ways": found, "judged": judge(found) if "loop" in found else {}}
        print(f"\n{kind}: {DATA[kind]['rows']:,} x {DATA[kind]['columns']}, {epochs} epochs, {given.seeds} seeds")
        for way, item in found.items():
            judged = results[kind]["judged"].get(way)
            line = f"  {way:10}{item['seconds']:>8.1f} s"
            if judged:
                line += (
                    f"{judged['times']:>7.2f}x   {judged['apart']} of {judged['of']} scores apart; "
                    f"first {judged['first']}, the loop's winner {judged['winner']}"
                )
                if way in BOUNDS and judged["times"] < BOUNDS[way]:
                    missed.append(f"{kind}: {way} is {judged['times']} times as fast, not {BOUNDS[way]}")
                if judged["apart"] > 1 or not judged["first_or_tied"]:
                    missed.append(f"{kind}: the scores of {way} are not the loop's")
            print(line, flush=True)
    if given.json:
        about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "python": platform.python_version()}
        given.json.write_text(json.dumps(about | {"results": results}, indent=1) + "\n")
    for line in missed:
        print(f"MISSED {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
