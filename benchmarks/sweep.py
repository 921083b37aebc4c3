"""What a sweep costs: `aetfx compare` against the loop of `model.fit` that a person would write.

    python -m benchmarks.sweep [--data wide|tall ...] [--ways ...] [--seeds 3] [--epochs N] [--json FILE] [--small]

Twelve configurations of a dense autoencoder (three code widths, four learning rates) on made-up rows: *tall* 60,000
x 64, *wide* 8,192 x 784. Every way is a fresh process from import to scores, so that start-up, tracing and compiling
count on all sides, and trains the same configurations, seeds, epochs and batches on the same 80 % of the rows:

  loop            Keras: build, compile, fit(x, x, epochs, batch_size), one after the other
  steps           aetfx with one process and without XLA: many updates in one call, traced programs used again
  xla             the same, and XLA compiles each update
  program         the same, and XLA compiles the loop over the batches too (`aetfx.training.execution`)
  compare         `aetfx compare` as it is: all of that, and a process for each core
  halving         the same with `sweep: {halving: true}`
  stacked         no part of aetfx: the rates and seeds of one code width in one program, their weights side by side

The score is the fraction of variance unexplained on the same other 20 %. Exits 1 where

- compare is less than 3 times as fast as the loop, or halving less than 5 times;
- more than one configuration's mean score is more than 2 standard errors from the loop's. The standard errors come
  from the spread over seeds, pooled over configurations on a log scale (of twelve that agree, every second comparison
  finds one apart by chance, every tenth two);
- the configuration that a way finds first is, by the loop's own scores, more than 2 standard errors behind the loop's
  first.

With `--json` each way is kept as soon as it is measured, and not measured again when the same command is given once
more; times are only compared within one file. The load of the machine before each way is kept beside its time.
`--small` takes a tenth of the rows and two seeds, to see that all ways work; speeds are not judged then.
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
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
DATA: dict[str, dict[str, Any]] = {
    "tall": {"rows": 60_000, "columns": 64, "rank": 12, "hidden": 64, "codes": (4, 8, 12), "batch": 64, "epochs": 10},
    "wide": {"rows": 8_192, "columns": 784, "rank": 24, "hidden": 128, "codes": (8, 16, 24), "batch": 64, "epochs": 10},
}
BOUNDS = {"compare": 3.0, "halving": 5.0}
_SMALL = 10
_LEAST_ERROR = 0.001  # of the score: a difference that nobody looks at

Scores = dict[str, list[float]]


def n_rows(kind: str, *, small: bool) -> int:
    return int(DATA[kind]["rows"]) // (_SMALL if small else 1)


def write_rows(folder: Path, kind: str, *, small: bool) -> None:
    """Writes bent mixtures of a few factors with noise, float32: `train.npy` and `eval.npy`."""
    about, rng = DATA[kind], np.random.default_rng(0)
    factors = rng.normal(size=(n_rows(kind, small=small), about["rank"]))
    mixed = np.tanh(factors @ rng.normal(size=(about["rank"], about["columns"])) / 2)
    rows = (mixed + 0.1 * rng.normal(size=mixed.shape)).astype("float32")
    held = len(rows) // 5
    np.save(folder / "train.npy", rows[held:])
    np.save(folder / "eval.npy", rows[:held])


def configurations(kind: str) -> list[tuple[int, float]]:
    """Returns code width and learning rate of each."""
    return list(itertools.product(DATA[kind]["codes"], RATES))


def name_of(code: int, rate: float) -> str:
    return f"{code}, {rate:g}"


class ByHand:
    """Rows as a person would load them, and the score."""

    def __init__(self, folder: Path):
        self.train, self.test = np.load(folder / "train.npy"), np.load(folder / "eval.npy")
        self._spread = np.square(self.test - self.train.mean(axis=0)).sum()

    def score(self, guess: np.ndarray) -> float:
        return float(np.square(guess - self.test).sum() / self._spread)


def loop(folder: Path, kind: str, seeds: int, epochs: int) -> Scores:
    """Trains as a person would.

    The seed is that of the initial weights alone: after `keras.utils.set_random_seed`, `fit` puts the rows in the same
    order in every epoch (Keras 3.15, TensorFlow 2.16), which made scores up to 3 % worse.
    """
    import keras

    about, rows = DATA[kind], ByHand(folder)
    found: Scores = {}
    for code, rate in configurations(kind):
        for seed in range(seeds):
            start = [keras.initializers.GlorotUniform(4 * seed + layer) for layer in range(4)]
            model = keras.Sequential(
                [
                    keras.Input((about["columns"],)),
                    keras.layers.Dense(about["hidden"], "relu", kernel_initializer=start[0]),
                    keras.layers.Dense(code, kernel_initializer=start[1]),
                    keras.layers.Dense(about["hidden"], "relu", kernel_initializer=start[2]),
                    keras.layers.Dense(about["columns"], kernel_initializer=start[3]),
                ]
            )
            model.compile(keras.optimizers.Adam(rate), "mse")
            model.fit(rows.train, rows.train, epochs=epochs, batch_size=about["batch"], verbose=0)
            guess = model.predict(rows.test, verbose=0, batch_size=1024)
            found.setdefault(name_of(code, rate), []).append(rows.score(guess))
    return found


def stacked(folder: Path, kind: str, seeds: int, epochs: int) -> Scores:
    """Trains all rates and seeds of one code width as one program, their weights side by side, with Adam by hand.

    The rows that do not fill a batch are left out of an epoch, other ones each time.
    """
    import keras
    import tensorflow as tf

    about, rows = DATA[kind], ByHand(folder)
    batch = about["batch"]
    updates = len(rows.train) // batch
    inputs = tf.constant(rows.train)
    found: Scores = {}
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

        @tf.function(jit_compile=True)
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
            orders = [draw.permutation(len(rows.train))[: updates * batch].reshape(updates, batch) for draw in draws]
            epoch(tf.constant(np.stack(orders)))
        for number, (rate, _) in enumerate(pairs):
            guess = forward(rows.test[None], [w[number : number + 1] for w in weights])[0]
            found.setdefault(name_of(code, rate), []).append(rows.score(np.asarray(guess)))
    return found


def ours(folder: Path, kind: str, way: str, seeds: int, epochs: int) -> Scores:
    """Trains with aetfx; returns the scores of the configurations that were trained to the end."""
    from aetfx.comparison import api, lab
    from aetfx.study import parse_study
    from aetfx.training import workshop

    if way == "steps":
        lab._JIT_FROM_SECONDS = math.inf
    elif way == "xla":
        workshop.Execution = lambda *about: None  # type: ignore[assignment,misc,return-value]
    about = DATA[kind]
    study = parse_study(
        {
            "name": kind,
            "data": {"train": str(folder / "train.npy"), "eval": str(folder / "eval.npy"), "features": "tensor"},
            "model": {"hidden": [about["hidden"]], "bottleneck": about["codes"][0]},
            "training": {
                "epochs": epochs,
                "batch_size": about["batch"],
                "learning_rate": RATES[0],
                "processes": 1 if way in ("steps", "xla", "program") else None,
            },
            "compare": {"model.bottleneck": list(about["codes"]), "training.learning_rate": list(RATES)},
            "sweep": {"seeds": seeds, "halving": way == "halving"},
        }
    )
    record = api.compare_study(study, folder / f"run-{way}")
    names = {
        study.alternative({"model.bottleneck": code, "training.learning_rate": rate})[0]: name_of(code, rate)
        for code, rate in configurations(kind)
    }
    return {names[row["name"]]: row["scores"] for row in record["rows"] if row["name"] in names and row.get("scores")}


WAYS = {"loop": loop, "steps": ours, "xla": ours, "program": ours, "compare": ours, "halving": ours, "stacked": stacked}


def train(way: str, folder: Path, kind: str, seeds: int, epochs: int) -> Scores:
    """Runs one way in this process."""
    if WAYS[way] is ours:
        return ours(folder, kind, way, seeds, epochs)
    return WAYS[way](folder, kind, seeds, epochs)  # type: ignore[call-arg]


def measure(way: str, folder: Path, kind: str, seeds: int, epochs: int) -> dict[str, Any]:
    """Runs one way in a process of its own; returns its seconds and scores."""
    call = [sys.executable, "-m", "benchmarks.sweep", "--inner", way, str(folder), "--data", kind]
    load, begun = os.getloadavg()[0], time.perf_counter()
    done = _python([*call, "--seeds", str(seeds), "--epochs", str(epochs)])
    seconds = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"{kind}, {way}: {done.stderr[-2000:]}")
    scores = json.loads(done.stdout.splitlines()[-1])
    return {"seconds": round(seconds, 1), "load_before": round(load, 2), "scores": scores}


def _python(call: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def judge(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns how much faster each way is than the loop, and how its scores stand to the loop's.

    >>> loop = {"seconds": 9.0, "scores": {"a": [0.5, 0.6], "b": [0.2, 0.21], "c": [0.2, 0.22]}}
    >>> fast = {"seconds": 3.0, "scores": {"c": [0.19, 0.2], "b": [0.2, 0.2], "a": [0.9, 1.0]}}
    >>> judge({"loop": loop, "fast": fast})["fast"]
    {'times': 3.0, 'apart': ['a'], 'of': 3, 'first': 'c', 'loop_first': 'b', 'first_or_tied': True}
    """
    base = found["loop"]["scores"]
    result: dict[str, dict[str, Any]] = {}
    for way, item in found.items():
        if way == "loop":
            continue
        spread = _pooled([*base.values(), *item["scores"].values()])
        apart = [name for name, scores in item["scores"].items() if _is_apart(scores, base[name], spread)]
        first, loop_first = (min(scores, key=lambda name: _mean(scores[name])) for scores in (item["scores"], base))
        result[way] = {
            "times": round(found["loop"]["seconds"] / item["seconds"], 2),
            "apart": apart,
            "of": len(item["scores"]),
            "first": first,
            "loop_first": loop_first,
            "first_or_tied": not _is_apart(base[first], base[loop_first], _pooled(list(base.values()))),
        }
    return result


def _mean(scores: list[float]) -> float:
    """Mean of logarithms: scores differ by factors."""
    return statistics.mean(map(math.log, scores))


def _pooled(groups: list[list[float]]) -> float:
    """Standard deviation of a log score over seeds, pooled."""
    variances = [statistics.variance(map(math.log, scores)) for scores in groups if len(scores) > 1]
    return math.sqrt(statistics.mean(variances)) if variances else 0.0


def _is_apart(one: list[float], other: list[float], spread: float) -> bool:
    error = max(spread * math.sqrt(1 / len(one) + 1 / len(other)), _LEAST_ERROR)
    return abs(_mean(one) - _mean(other)) > 2 * error


def missed(kind: str, judged: dict[str, dict[str, Any]], *, speed: bool) -> list[str]:
    """Returns which bounds do not hold."""
    found = []
    for way, item in judged.items():
        if speed and item["times"] < BOUNDS.get(way, 0.0):
            found.append(f"{kind}: {way} is {item['times']} times as fast as the loop, not {BOUNDS[way]:g}")
        if len(item["apart"]) > 1 or not item["first_or_tied"]:
            found.append(f"{kind}: the scores of {way} are not the loop's")
    return found


def show(title: str, found: dict[str, dict[str, Any]], judged: dict[str, dict[str, Any]]) -> None:
    print(f"\n{title}")
    for way, item in found.items():
        line = f"  {way:10}{item['seconds']:>8.1f} s"
        if about := judged.get(way):
            line += (
                f"{about['times']:>7.2f}x   {len(about['apart'])} of {about['of']} scores apart; "
                f"first {about['first']}, the loop's {about['loop_first']}"
            )
        print(line, flush=True)


class Kept:
    """What was measured, in a file where one is named.

    Args:
      path: of the file; None keeps nothing.
      settings: what must be the same for a file to be gone on with.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]):
        self._path, self._settings = path, settings
        self.results: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            before = json.loads(path.read_text())
            if before["settings"] != settings:
                sys.exit(f"{path} holds other settings: {before['settings']}. Name another file, or delete it.")
            self.results = before["results"]

    def ways(self, kind: str) -> dict[str, dict[str, Any]]:
        return self.results.setdefault(kind, {"ways": {}, "judged": {}})["ways"]  # type: ignore[no-any-return]

    def save(self) -> None:
        if self._path is None:
            return
        content = {"date": time.strftime("%Y-%m-%d"), "settings": self._settings, "results": self.results}
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps(content, indent=1) + "\n")
        beside.replace(self._path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=tuple(DATA), default=list(DATA))
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inner", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        print(json.dumps(train(given.inner[0], Path(given.inner[1]), given.data[0], given.seeds, given.epochs)))
        return 0
    seeds = given.seeds or (2 if given.small else 3)
    epochs = {kind: given.epochs or DATA[kind]["epochs"] for kind in DATA}
    settings = {
        "seeds": seeds, "epochs": epochs, "small": given.small, "cores": os.cpu_count(),
        "python": platform.python_version(), "tensorflow": metadata.version("tensorflow"),
    }  # fmt: skip
    kept, wrong = Kept(given.json, settings), []
    # The first process that imports TensorFlow reads it from disk; none of the ways should pay for the others.
    _python([sys.executable, "-c", "import tensorflow, keras, apache_beam, aetfx.comparison.api"])
    for kind in given.data:
        found = kept.ways(kind)
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
            write_rows(Path(folder), kind, small=given.small)
            for way in given.ways:
                if way not in found:
                    found[way] = measure(way, Path(folder), kind, seeds, epochs[kind])
                    kept.save()
        judged = judge(found) if "loop" in found else {}
        kept.results[kind]["judged"] = judged
        kept.save()
        size = f"{n_rows(kind, small=given.small):,} x {DATA[kind]['columns']}"
        show(f"{kind}: {size}, {epochs[kind]} epochs, {seeds} seeds", found, judged)
        wrong += missed(kind, judged, speed=not given.small)
    for line in wrong:
        print(f"MISSED {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
