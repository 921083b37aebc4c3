"""Speed and memory of `aetfx evaluate` beside bare `model.predict` calls, and how often its intervals hold the truth.

    python -m benchmarks.evaluation                     # everything; resumes: what was measured is not run again
    python -m benchmarks.evaluation --only speed --rows 2000 --models 3 --rounds 1

Each measurement is a fresh process on a file in the page cache; figures are medians of the rounds, and the order
alternates. Imports, loading the models and the first small batch are outside the clock for `predict` and inside it for
`aetfx`, which does much more besides: it reads, scores, draws 200 bootstrap samples, and keeps rows. Results of other
sizes are kept side by side, and are never taken for each other.

* speed: 12 models x 60,000 x 784, one pass, against twelve `model.predict(rows)` with their default batch of 32; beside
  it the same with a batch of 4,096. Required: at least 0.8 times the rows per second of the first.
* workers: the speed case with 1 worker, 2 processes, and Beam's portable runner. Required: the same counts, figures
  that are equal to 1e-9, and quantiles of row errors (sketches, of so many rows) within 0.5 % of their rank in the
  errors that NumPy computes of all rows of the first and the last model.
* memory: one model, 20 columns, 10^5 to 10^7 rows. Required: at most 1.3 times as much at 10^7.
* coverage: 1,000 simulated evaluations of 500 rows, of recipes with 3 seeds and of single models; the 95 % intervals of
  scores and gains must hold the truth in 93 to 97 % of them.

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
from collections.abc import Callable
from dataclasses import dataclass
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
COVERAGE, LEAST, MOST = 1000, 0.93, 0.97
_SPEED, _SAME, _RANK, _FLAT = 0.8, 1e-9, 0.005, 1.3
_LIMIT_SECONDS = 3600


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
      name: for people, and what `--only` looks into.
      what: "predict", "aetfx" or "ranks".
      path, rows, width: of the data.
      models: how many.
      flags: of the batch, or Beam's.
    """

    name: str
    what: str
    path: Path
    rows: int
    width: int
    models: int
    flags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.name}, {self.rows} x {self.width}, {self.models} models"


def make_models(folder: Path, count: int, width: int) -> list[str]:
    """Writes untrained dense autoencoders: how good they are does not matter to the clock."""
    import keras

    found = []
    for number in range(count):
        path = folder / f"{width}-{number}.keras"
        if not path.exists():
            keras.utils.set_random_seed(number)
            code = min(CODE, width // 2) - number % 4
            partial = path.with_name(f"part-{path.name}")
            keras.Sequential(
                [
                    keras.Input((width,)),
                    keras.layers.Dense(4 * CODE, activation="relu"),
                    keras.layers.Dense(code),
                    keras.layers.Dense(4 * CODE, activation="relu"),
                    keras.layers.Dense(width),
                ]
            ).save(partial)
            os.replace(partial, path)
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
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    table = found.table.to_pydict()
    figures, quantiles = [], {}
    for i, (metric, value) in enumerate(zip(table["metric"], table["value"], strict=True)):
        if not metric.startswith("row_error_q"):
            figures += [value, *(table[end][i] for end in ("low", "high") if table[end][i] is not None)]
        elif table["seed"][i] == -1:
            quantiles[f"{table['name'][i]} {metric}"] = value
    figures += [pair[key] for pair in found.record["paired"] for key in ("gain", "low", "high")]
    counts = [*found.record["rows"].values(), *(part["n_rows"] for part in found.record["slices"])]
    return {
        "run_s": seconds,
        "cpu_s": cpu,
        "scores": list(found.scores.values()),
        "counts": counts + [c["n_not_finite"] for c in found.record["configurations"]],
        "figures": figures,
        "quantiles": quantiles,
        "kept": [int(key) for key in found.samples["key"]],
    }


def with_numpy(path: str, models: list[str], flags: list[str]) -> dict[str, Any]:
    """Returns the bounds within which quantiles of row errors must lie, of the first and the last model."""
    import numpy as np

    from aetfx.data import open_source
    from aetfx.data.shards import read_sample
    from aetfx.evaluation.api import SAMPLE_BYTES, fix_scorer
    from aetfx.evaluation.predictors import load
    from aetfx.evaluation.tally import LEVELS

    started, cpu = time.perf_counter(), time.process_time()
    source = open_source(path)
    scorer = fix_scorer(read_sample(source, SAMPLE_BYTES, 0)[0].values, source)
    rows, bounds = np.load(path), {}
    for model in {models[0], models[-1]}:
        answer = next(load(model, source.shape).answers(rows))
        errors = np.sort(
            np.concatenate(
                [
                    scorer.row_errors(rows[i : i + 4096], answer[i : i + 4096], spread=scorer.train_spread)
                    for i in range(0, len(rows), 4096)
                ]
            )
        )
        for level in LEVELS:
            ends = np.quantile(errors, np.clip([level - _RANK, level + _RANK], 0, 1), method="nearest")
            bounds[f"{Path(model).stem} row_error_q{round(100 * level):02d}"] = ends.tolist()
    return {"run_s": time.perf_counter() - started, "cpu_s": time.process_time() - cpu, "bounds": bounds}


_TOOLS: dict[str, Callable[[str, list[str], list[str]], dict[str, Any]]] = {
    "predict": with_predict,
    "aetfx": with_aetfx,
    "ranks": with_numpy,
}


def coverage(
    count: int, n: int = 500, *, recipes: int = 2, seeds: int = 3, n_draws: int = 100, shape: float = 4.0
) -> dict[str, float]:
    """Returns the share of simulated evaluations whose 95 % intervals hold the truth.

    The errors of all models hang together, as those of real ones do, and are heavier-tailed than a normal; models of a
    recipe differ by a log-normal factor, whose mean logarithm is 0.

    Args:
      count: evaluations.
      n: rows of each.
      recipes, seeds: of each there are so many.
      n_draws: of the bootstrap.
      shape: of the gamma distribution of the size of a row's error. The fewer, the heavier the tail: at 4 the squared
        errors of rows vary by 1.5 times their mean, at 1 by 2.8 times, where intervals of single models held the truth
        in 92 % of 1,000 cases.

    Returns:
      For "score" and "gain" of recipes, the variance between seeds included, and for "score of a model" and "gain of a
      model" of single ones, from their rows alone.
    """
    import numpy as np

    from aetfx.data.split import row_hash
    from aetfx.evaluation.record import Configuration, Figures
    from aetfx.evaluation.score import Scorer
    from aetfx.evaluation.slices import Slicer
    from aetfx.evaluation.tally import Plan, Tally

    scorer = Scorer.fit(np.random.default_rng(10**6).normal(size=(20_000, 4)))
    share, spread = 0.6 - 0.05 * np.arange(recipes), 0.3
    truth_of = share**2 + 0.01  # the variance of the data is 1
    places = [tuple(range(seeds * i, seeds * (i + 1))) for i in range(recipes)]
    grouped = tuple(
        Configuration(f"{i}", f"{i}", seeds=tuple(range(seeds)), predictors=mine) for i, mine in enumerate(places)
    )
    single = tuple(Configuration(f"{i}", f"{i}", predictors=mine[:1]) for i, mine in enumerate(places))
    plan = Plan(
        scorer,
        tuple(i for i, mine in enumerate(places) for _ in mine),
        Slicer(scorer.names),
        extremes=0,
        sample=1,
        n_draws=n_draws,
    )
    hits = np.zeros((2, 2))
    for number in range(count):
        rng = np.random.default_rng(number)
        rows = rng.normal(size=(n, 4))
        shared = rng.normal(size=rows.shape) * rng.gamma(
            shape, 1 / np.sqrt(shape * (shape + 1)), size=(n, 1)
        )  # its square has mean 1
        apart = [share[i] * shared + 0.1 * rng.normal(size=rows.shape) for i in range(recipes)]
        factors = np.exp(spread * rng.normal(size=(recipes, seeds)))  # of the score
        answers = [[rows + np.sqrt(k) * apart[i]] for i, mine in enumerate(factors) for k in mine]
        tally = Tally(plan).add(rows, answers, keys=row_hash(rows, 0, purpose=b"bootstrap"))
        for kind, (configurations, truth) in enumerate(((grouped, truth_of), (single, truth_of * factors[:, 0]))):
            figures = Figures(tally, configurations)
            low, high = figures.interval(configurations[0]) or (0.0, 0.0)
            pair = next(pair for pair in figures.paired() if (pair["a"], pair["b"]) == ("0", f"{recipes - 1}"))
            gain = 1 - truth[-1] / truth[0]
            hits[kind] += [low <= truth[0] <= high, pair["low"] <= gain <= pair["high"]]
    names = ("score", "gain", "score of a model", "gain of a model")
    return dict(zip(names, (hits / count).reshape(-1).tolist(), strict=True))


def measure_here(what: str, path: str, models: list[str], flags: list[str]) -> dict[str, Any]:
    return {**_TOOLS[what](path, models, flags), "peak_mb": peak_mb()}


def measure(what: str, path: str, models: list[str], flags: list[str]) -> dict[str, Any]:
    """Measures in a process of its own."""
    asked = json.dumps({"what": what, "path": path, "models": models, "flags": flags})
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.evaluation", "--child", asked],
        cwd=ROOT.parent, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=True,
    )  # fmt: skip
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def cases(given: argparse.Namespace) -> list[Case]:
    wide = (given.data / f"{given.rows}x{WIDTH}.npy", given.rows, WIDTH, given.models)
    found = [
        Case("speed: predict", "predict", *wide),
        Case("speed: predict in batches of 4,096", "predict", *wide, ("4096",)),
        *(Case(f"speed: aetfx, {name}", "aetfx", *wide, flags) for name, flags in WORKERS.items()),
        Case("ranks", "ranks", *wide),
    ]
    for rows in sorted({min(rows, given.most) for rows in MEMORY_ROWS}):
        found.append(Case("memory", "aetfx", given.data / f"{rows}x20.npy", rows, 20, 1))
    return found


def show(state: dict[str, Any], given: argparse.Namespace) -> list[str]:
    """Prints the table; returns the requirements that were missed."""
    known = [(case, state["measured"][case.key]) for case in cases(given) if case.key in state["measured"]]
    middle = {
        case.key: {key: statistics.median(item[key] for item in items) for key in ("run_s", "cpu_s", "peak_mb")}
        for case, items in known
    }
    print(f"\n{'':64}{'run s':>8}{'cpu s':>8}{'rows/s x models':>17}{'peak MB':>9}")
    for case, _ in known:
        item = middle[case.key]
        rate = case.rows * case.models / item["run_s"]
        print(f"{case.key:64}{item['run_s']:8.1f}{item['cpu_s']:8.1f}{rate:17,.0f}{item['peak_mb']:9.0f}")
    missed = []
    seconds = {case.name: middle[case.key]["run_s"] for case, _ in known}
    if {"speed: predict", "speed: aetfx, 1 worker"} <= seconds.keys():
        ratio = seconds["speed: predict"] / seconds["speed: aetfx, 1 worker"]
        print(f"aetfx reaches {ratio:.2f} times the rows per second of bare predict calls")
        if ratio < _SPEED:
            missed.append(f"speed: {ratio:.2f} times bare predict, required {_SPEED}")
    missed += unlike({case.name: items[0] for case, items in known if case.name != "memory"})
    memory = [middle[case.key]["peak_mb"] for case, _ in known if case.name == "memory"]
    if len(memory) > 1 and max(memory) > _FLAT * memory[0]:
        missed.append(f"memory: {memory[0]:.0f} MB at first, {max(memory):.0f} at most")
    held = state["coverage"].get(str(given.coverage))
    if held:
        print("intervals hold the truth: " + ", ".join(f"{name} {share:.1%}" for name, share in held.items()))
        missed += [f"coverage of {name}: {share:.1%}" for name, share in held.items() if not LEAST <= share <= MOST]
    return missed


def unlike(found: dict[str, dict[str, Any]]) -> list[str]:
    """Returns in what the figures differ, whoever computed them."""
    import numpy as np

    ours = {name: item for name, item in found.items() if "figures" in item}
    missed = []
    for name, item in list(ours.items())[1:]:
        first = next(iter(ours.values()))
        if (item["counts"], item["kept"]) != (first["counts"], first["kept"]):
            missed.append(f"{name}: other counts, or other rows kept, than with one worker")
        if len(item["figures"]) != len(first["figures"]) or not np.allclose(
            item["figures"], first["figures"], rtol=_SAME, atol=0
        ):
            missed.append(f"{name}: other figures than with one worker")
    # Ours are fixed on a sample of the rows, so that 1 is not quite the mean of these very rows.
    for name, item in found.items():
        if "scores" in item and not np.allclose(item["scores"], next(iter(found.values()))["scores"], rtol=1e-3):
            missed.append(f"{name}: other scores than of bare predict calls")
    for name, (low, high) in found.get("ranks", {}).get("bounds", {}).items():
        for who, item in ours.items():
            value = item["quantiles"][name]
            if not low * (1 - 1e-6) <= value <= high * (1 + 1e-6):
                missed.append(f"{who}: {name} is {value:.6g}, not between {low:.6g} and {high:.6g}")
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
    state: dict[str, Any] = {"measured": {}, "coverage": {}}
    if given.results.exists() and not given.again:
        state = json.loads(given.results.read_text())
    state["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    state["date"] = time.strftime("%Y-%m-%d")
    given.results.parent.mkdir(parents=True, exist_ok=True)

    def keep() -> None:
        partial = given.results.with_suffix(".part")
        partial.write_text(json.dumps(state) + "\n")
        os.replace(partial, given.results)

    missed = []
    wanted = [case for case in cases(given) if given.only in case.name]
    for number in range(given.rounds):
        for case in wanted if number % 2 == 0 else wanted[::-1]:
            rounds = 1 if case.what == "ranks" else given.rounds  # nothing is timed there
            if number >= rounds or len(state["measured"].get(case.key, [])) > number:
                continue
            write_data(case.path, case.rows, case.width)
            models = make_models(given.data, case.models, case.width)
            warm(case.path)
            try:
                item = measure(case.what, str(case.path), models, list(case.flags))
            except subprocess.SubprocessError as error:
                print(f"{case.key}: failed\n{getattr(error, 'stderr', error)!s:.2000}", flush=True)
                missed.append(f"{case.key}: failed")
                continue
            state["measured"].setdefault(case.key, []).append(item)
            keep()
            print(f"{case.key} {number}: {item['run_s']:.2f} s, {item['peak_mb']:.0f} MB", flush=True)
    if given.only in "coverage" and str(given.coverage) not in state["coverage"]:
        state["coverage"][str(given.coverage)] = coverage(given.coverage)
        keep()
    missed += show(state, given)
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
