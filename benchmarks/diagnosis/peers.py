"""What users would do instead: random search and Optuna's TPE, on the faulty programs, in the seconds a diagnosis took.

    python -m benchmarks.diagnosis.peers RESULTS [--only NAME ...] [--seconds S]

RESULTS is a folder of `run.py`. Each search takes the faulty program as it is and may change learning rate,
optimizer, batch size, activation, initialiser, hidden width (x0.5 ... x4), scaling (none, standard, min-max), loss and
epochs, as far as the program has that argument. It trains with plain `model.fit` until the wall seconds of the
diagnosis are used up (a training in progress is finished), selects on the first half of `x_val` (a fifth of the train
rows where there is none), and its best model is scored on the fresh rows that nobody selected on; aetfx enters with
the fix it named, trained anew. `pip install optuna` adds the TPE column; without it that column is empty. Resumes;
writes `peers/<case>.json` into RESULTS and prints the medians, and how often each is beaten.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import inspect
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diagnosis.plain import is_table, judge, score, targets
from benchmarks.diagnosis.program import Case, Data, Program
from benchmarks.diagnosis.rows import Scaler
from benchmarks.diagnosis.search import ACTIVATIONS, HIGHEST_RATE, INITIALIZERS, LOWEST_RATE, OPTIMIZERS

Suggest = Callable[[str, Any], Any]  # a name and either a list of choices or (low, high) of a log-uniform number

WIDTHS = ("width", "hidden", "units", "filters")
SPACE: dict[str, Any] = {
    "learning_rate": (LOWEST_RATE, HIGHEST_RATE),
    "optimizer": [*OPTIMIZERS, "sgd"],
    "activation": list(ACTIVATIONS),
    "initializer": list(INITIALIZERS),
    "loss": ["mse", "mae", "huber", "binary_crossentropy"],
}
BATCHES = [16, 32, 64, 128]
EPOCHS = [1, 2, 4]
FACTORS = [0.5, 1.0, 2.0, 4.0]
SCALERS = ["none", "standard", "minmax"]


def trial(program: Program, case: Case, data: Data, suggest: Suggest, seed: int) -> tuple[float, float]:
    """Trains one suggestion; returns its score on the rows to select on and on the fresh rows."""
    import keras

    accepted = inspect.signature(program.module.build).parameters
    build = dict(case.build)
    for name, choices in SPACE.items():
        if name in accepted:
            build[name] = suggest(name, choices)
    for name in WIDTHS:
        if name in accepted:
            usual = build.get(name, accepted[name].default)
            build[name] = max(2, round(usual * suggest("width", FACTORS)))
    fit = program.fit(case)
    fit["batch_size"] = suggest("batch_size", BATCHES)
    fit["epochs"] *= suggest("epochs", EPOCHS)
    scaler = Scaler(suggest("scaler", SCALERS), data.x_train)
    keras.utils.set_random_seed(seed)
    model = program.module.build(**build)
    same = data.y_train is None
    y_train = scaler.apply(data.x_train if same else targets(data))
    model.fit(scaler.apply(data.x_train), y_train, verbose=0, **fit)

    def restored(rows: np.ndarray) -> np.ndarray:
        return scaler.restore(model.predict(scaler.apply(rows), verbose=0))

    assert data.x_val is not None
    wanted = data.x_val if data.y_val is None else data.y_val
    whole = np.isfinite(wanted.reshape(len(wanted), -1)).all(axis=1)  # rows with empty cells cannot be scored
    guess = restored(data.x_val[whole])
    selected = score(wanted[whole], guess, data.fed_mean, table=is_table(data.x_train), scored=data.scored)
    fresh = judge(data, restored(data.x_fresh))
    keras.backend.clear_session()
    return selected, fresh


def rows_to_select_on(data: Data) -> Data:
    """Keeps half of the val rows to select on, or takes a fifth of the train rows for it."""
    if data.x_val is not None:
        half = len(data.x_val) // 2
        y_val = None if data.y_val is None else data.y_val[:half]
        return dataclasses.replace(data, x_val=data.x_val[:half], y_val=y_val)
    cut = int(0.8 * len(data.x_train))
    held = {"x_train": data.x_train[:cut], "x_val": data.x_train[cut:]}
    if data.y_train is not None:
        held |= {"y_train": data.y_train[:cut], "y_val": data.y_train[cut:]}
    return dataclasses.replace(data, **held)


def random_search(program: Program, case: Case, data: Data, seconds: float) -> dict[str, Any]:
    """Draws each setting anew."""
    rng = np.random.default_rng(11)

    def suggest(name: str, choices: Any) -> Any:
        if isinstance(choices, tuple):
            return float(np.exp(rng.uniform(*np.log(choices))))
        return choices[int(rng.integers(len(choices)))]

    found: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        found.append(trial(program, case, data, suggest, seed=len(found)))
    return _best(found)


def tpe(program: Program, case: Case, data: Data, seconds: float) -> dict[str, Any] | None:
    """Optuna's default sampler; None where Optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        return None
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found: list[tuple[float, float]] = []

    def objective(asked: Any) -> float:
        def suggest(name: str, choices: Any) -> Any:
            if isinstance(choices, tuple):
                return asked.suggest_float(name, *choices, log=True)
            return asked.suggest_categorical(name, choices)

        found.append(trial(program, case, data, suggest, seed=len(found)))
        return found[-1][0]

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=11))
    study.optimize(objective, timeout=seconds)
    return _best(found)


def _best(found: list[tuple[float, float]]) -> dict[str, Any]:
    selected, fresh = min(found)
    return {"trials": len(found), "selected": round(selected, 5), "score": round(fresh, 5)}


def compare(path: Path, out: Path, seconds: float | None) -> None:
    """Runs both searches for one result file of a faulty program."""
    record = json.loads(path.read_text())
    kept = out / path.name
    if record["kind"] == "healthy" or kept.exists():
        return
    run = record["runs"][0]
    base, name = record["case"].split(".", 1)
    program = Program(base)
    case = next(case for case in program.cases() if case.name == name)
    data = rows_to_select_on(program.data(case))
    after = run.get("after", {})
    repaired = after.get("all") or after.get("first")
    budget = seconds or run["wall_s"]
    result = {
        "case": record["case"], "seconds": budget, "good": record["good_score"], "faulty": record["score"],
        "aetfx": statistics.median(repaired["score"]) if repaired else record["score"],
        "random": random_search(program, case, data, budget), "tpe": tpe(program, case, data, budget),
    }  # fmt: skip
    kept.write_text(json.dumps(result, indent=1) + "\n")
    told = result["tpe"]
    print(f"{record['case']}: aetfx {result['aetfx']:.3f}, random search {result['random']['score']:.3f} "
          f"({result['random']['trials']} trials), TPE {told['score'] if told else '-'}", flush=True)  # fmt: skip


def table(out: Path) -> None:
    """Prints medians and how often aetfx reached the lower score."""
    found = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    if not found:
        return
    for name in ("faulty", "good", "aetfx"):
        print(f"{name:16}{statistics.median(item[name] for item in found):8.3f}  median score of {len(found)} programs")
    for name in ("random", "tpe"):
        with_peer = [item for item in found if item[name]]
        if not with_peer:
            print(f"{name:16}       -  not installed")
            continue
        better = sum(item["aetfx"] < item[name]["score"] for item in with_peer)
        median = statistics.median(item[name]["score"] for item in with_peer)
        print(f"{name:16}{median:8.3f}  aetfx better on {better} of {len(with_peer)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--seconds", type=float, help="instead of the wall seconds of each diagnosis")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    out = given.results / "peers"
    out.mkdir(exist_ok=True)
    for path in sorted(given.results.glob("*.*.json")):
        if not given.only or path.stem in given.only:
            compare(path, out, given.seconds)
    table(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
