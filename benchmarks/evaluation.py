"""Speed and memory of `aetfx evaluate` beside bare `model.predict` calls, and how often its intervals hold the truth.

    python -m benchmarks.evaluation                     # everything; resumes: what was measured is not run again
    python -m benchmarks.evaluation --only speed --rows 2000 --models 3 --rounds 1

Each measurement is a fresh process on a file in the page cache; figures are medians of the rounds, and the order
alternates. Imports, loading the models and the first small batch are outside the clock for `predict` and inside it for
`aetfx`, which does much more besides: it reads, scores, draws 200 bootstrap samples, and keeps rows.

* speed: 12 models x 60,000 x 784, one pass, against twelve `model.predict(rows)` with their default batch of 32; beside
  it the same with a batch of 4,096. Required: at least 0.8 times the rows per second of the first.
* memory: one model, 20 columns, 10^5 to 10^7 rows. Required: at most 1.3 times as much at 10^7.
* workers: the speed case with 1 worker, 2 processes, and Beam's portable runner; the figures must be the same.
* coverage: 1,000 simulated evaluations of 250 rows; the 95 % intervals of scores and gains must hold the truth in 93 to
  97 % of them.

Exits 1 when a requirement is missed. Results: `benchmarks/results/evaluation.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.validation import peak_mb, warm, write_data

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "results" / "evaluation.json"
WIDTH, CODE = 784, 32
MEMORY_ROWS = (100_000, 1_000_000, 10_000_000)
WORKERS = {
    "1 worker": (),
    "2 processes": ("--direct_num_workers=2", "--direct_running_mode=multi_processing"),
    "portable": ("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"),
}
COVERAGE = 1000
_LIMIT_SECONDS = 3600


def make_models(folder: Path, count: int, width: int) -> list[str]:
    """Writes untrained dense autoencoders: how good they are does not matter to the clock."""
    import keras

    found = []
    for number in range(count):
        path = folder / f"{width}-{number}.keras"
        if not path.exists():
            keras.utils.set_random_seed(number)
            code = min(CODE, width // 2) - number % 4
            keras.Sequential(
                [
                    keras.Input((width,)),
                    keras.layers.Dense(4 * CODE, activation="relu"),
                    keras.layers.Dense(code),
                    keras.layers.Dense(4 * CODE, activation="relu"),
                    keras.layers.Dense(width),
                ]
            ).save(path)
        found.append(str(path))
    return found


def with_predict(path: str, models: list[str], flags: list[str]) -> dict[str, Any]:
    """What people do now: read the rows, and ask one model after the other."""
    import keras
    import numpy as np

    loaded = [keras.models.load_model(model, compile=False) for model in models]
    for model in loaded:
        model.predict(np.zeros((64, model.input_shape[1]), "float32"), verbose=0)
    started, cpu = time.perf_counter(), time.process_time()
    rows = np.load(path)
    batch = int(flags[0]) if flags else 32
    scores = []
    for model in loaded:
        restored = model.predict(rows, batch_size=batch, verbose=0)
        scores.append(float(((restored - rows) ** 2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum()))
    return {"run_s": time.perf_counter() - started, "cpu_s": time.process_time() - cpu, "scores": scores}


def with_aetfx(path: str, models: list[str], flags: list[str]) -> dict[str, Any]:
    import keras

    import aetfx
    import aetfx.evaluation.beam_pass

    assert keras
    started, cpu = time.perf_counter(), time.process_time()
    found = aetfx.evaluate(models, path, beam_flags=flags)
    return {
        "run_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "scores": list(found.scores.values()),
    }


def coverage(count: int) -> dict[str, float]:
    """Returns the share of simulated evaluations whose intervals of a score and of a gain hold the truth."""
    import numpy as np

    from aetfx.data.split import row_hash
    from aetfx.evaluation.record import Configuration, Figures
    from aetfx.evaluation.score import Scorer
    from aetfx.evaluation.slices import Slicer
    from aetfx.evaluation.tally import Plan, Tally

    def problem(seed: int, n: int) -> tuple[Any, Any, Any]:
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=(n, 5))
        shared = rng.normal(size=truth.shape) * rng.gamma(1.0, size=(n, 1))
        return truth, truth + 0.6 * shared + 0.1 * rng.normal(size=truth.shape), truth + 0.5 * shared

    truth, a, b = problem(10**6, 200_000)
    scorer = Scorer.fit(truth[:20_000])
    true_a, true_b = (scorer.score(truth, one).value for one in (a, b))
    configurations = (Configuration("a", "a", predictors=(0,)), Configuration("b", "b", predictors=(1,)))
    hits = np.zeros(2)
    for seed in range(count):
        truth, a, b = problem(seed, 250)
        plan = Plan(scorer, (0, 1), Slicer(scorer.names), extremes=1, sample=1)
        keys = row_hash(truth, 0, purpose=b"bootstrap")
        figures = Figures(Tally(plan).add(truth, [[a], [b]], keys=keys), configurations)
        low, high = figures.interval(configurations[0]) or (0.0, 0.0)
        (pair,) = figures.paired()
        hits += [low <= true_a <= high, pair["low"] <= 1 - true_b / true_a <= pair["high"]]
    return {"score": float(hits[0] / count), "gain": float(hits[1] / count)}


def measure_here(what: str, path: str, models: list[str], flags: list[str]) -> dict[str, Any]:
    found = (with_predict if what.startswith("predict") else with_aetfx)(path, models, flags)
    return {**found, "peak_mb": peak_mb()}


def cases(given: argparse.Namespace) -> list[tuple[str, str, Path, int, int, tuple[str, ...]]]:
    """Name, what runs, file, rows, models and flags of each case."""
    wide = given.data / f"{given.rows}x{WIDTH}.npy"
    found = [
        ("speed: predict", "predict", wide, given.rows, given.models, ()),
        ("speed: predict in batches of 4,096", "predict", wide, given.rows, given.models, ("4096",)),
    ]
    found += [
        (f"speed: aetfx, {name}", "aetfx", wide, given.rows, given.models, flags) for name, flags in WORKERS.items()
    ]
    for rows in MEMORY_ROWS:
        rows = min(rows, given.most)
        found.append((f"memory: {rows} x 20", "aetfx", given.data / f"{rows}x20.npy", rows, 1, ()))
    return list({case[0]: case for case in found}.values())


def show(state: dict[str, Any], given: argparse.Namespace) -> list[str]:
    """Prints the table; returns the requirements that were missed."""
    missed = []
    middle = {
        name: {key: statistics.median(item[key] for item in items) for key in ("run_s", "cpu_s", "peak_mb")}
        for name, items in state["measured"].items()
    }
    print(f"\n{'':44}{'run s':>8}{'cpu s':>8}{'rows/s x models':>17}{'peak MB':>9}")
    for name, _, _, rows, models, _ in cases(given):
        if name in middle:
            item = middle[name]
            rate = rows * models / item["run_s"]
            print(f"{name:44}{item['run_s']:8.1f}{item['cpu_s']:8.1f}{rate:17,.0f}{item['peak_mb']:9.0f}")
    plain, ours = middle.get("speed: predict"), middle.get("speed: aetfx, 1 worker")
    if plain and ours:
        ratio = plain["run_s"] / ours["run_s"]
        print(f"aetfx reaches {ratio:.2f} times the rows per second of bare predict calls")
        if ratio < 0.8:
            missed.append(f"speed: {ratio:.2f} times bare predict, required 0.8")
    scores = [items[0]["scores"] for name, items in state["measured"].items() if name.startswith("speed")]
    for other in scores[1:]:
        if any(abs(a - b) > 1e-5 * abs(a) for a, b in zip(scores[0], other, strict=True)):
            missed.append("speed: the scores are not the same whoever computes them")
    memory = [item["peak_mb"] for name, item in middle.items() if name.startswith("memory")]
    if len(memory) > 1 and max(memory) > 1.3 * memory[0]:
        missed.append(f"memory: {memory[0]:.0f} MB at first, {max(memory):.0f} at most")
    held = state.get("coverage")
    if held:
        print(f"intervals hold the truth: scores {held['score']:.1%}, gains {held['gain']:.1%}")
        missed += [f"coverage of {name}: {share:.1%}" for name, share in held.items() if not 0.93 <= share <= 0.97]
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--most", type=int, default=MEMORY_ROWS[-1], help="rows of the memory cases, at most")
    parser.add_argument("--coverage", type=int, default=COVERAGE)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "runs" / "benchmarks")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="measure anew")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure_here(**json.loads(given.child))))
        return 0
    state: dict[str, Any] = {"measured": {}}
    if given.results.exists() and not given.again:
        state = json.loads(given.results.read_text())
    state["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    state["date"] = time.strftime("%Y-%m-%d")
    given.results.parent.mkdir(parents=True, exist_ok=True)

    def keep() -> None:
        partial = given.results.with_suffix(".part")
        partial.write_text(json.dumps(state, indent=1) + "\n")
        os.replace(partial, given.results)

    wanted = [case for case in cases(given) if given.only in case[0]]
    for number in range(given.rounds):
        for name, what, path, rows, count, flags in wanted if number % 2 == 0 else wanted[::-1]:
            if len(state["measured"].get(name, [])) > number:
                continue
            width = int(path.stem.split("x")[1])
            write_data(path, rows, width)
            models = make_models(given.data, count, width)
            warm(path)
            asked = json.dumps({"what": what, "path": str(path), "models": models, "flags": list(flags)})
            ran = subprocess.run(
                [sys.executable, "-m", "benchmarks.evaluation", "--child", asked],
                cwd=ROOT.parent, capture_output=True, text=True, timeout=_LIMIT_SECONDS,
            )  # fmt: skip
            if ran.returncode:
                print(f"{name}: failed\n{ran.stderr[-2000:]}", flush=True)
                continue
            item = json.loads(ran.stdout.splitlines()[-1])
            state["measured"].setdefault(name, []).append(item)
            keep()
            print(f"{name} {number}: {item['run_s']:.2f} s, {item['peak_mb']:.0f} MB", flush=True)
    if given.only in "coverage" and "coverage" not in state:
        state["coverage"] = coverage(given.coverage)
        keep()
    missed = show(state, given)
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
