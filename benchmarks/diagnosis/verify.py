"""Measures which faults are faults and which programs are healthy; resumes, and writes one file per program.

    python -m benchmarks.diagnosis.verify [NAME ...] [--table]

A *fault* is kept if its score is at least 1.5x the good program's (geometric means over 5 seeds, fresh rows, plain
Keras). A program is *healthy* if its score (the same mean) is within 1.33x of the best of 25 random-search trials
with the same widths, epochs and number of updates; variants that are points of that search share it. A search that
already beats the good program by more is stopped there: the verdict can no longer change.

Some programs would be both. One whose code is narrow, or whose epochs or updates are few, is compared with searches
that are as narrow and as short, and where its score is good as well (at most the target of 0.30), nobody who has only
this program can tell it from a healthy one: how much wider or longer is a choice then (METHOD, section 5). Such a
*choice* is not kept, neither as a fault nor as healthy; the table marks it. Nor is a compound of which one part is a
choice: once the other part is mended, what is left is that choice.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.study import DiagnosisSection
from benchmarks.diagnosis.plain import Bench
from benchmarks.diagnosis.program import Case, Data, Program, names
from benchmarks.diagnosis.splits import SPLITS, split_of

VERIFIED = Path(__file__).resolve().parent / "verified"
SEEDS = 5
SEARCH_TRIALS = 25
FAULT_RATIO = 1.5
HEALTHY_RATIO = 1.33
GOOD_SCORE = DiagnosisSection().target
# What the definition of health holds fixed: widths, epochs, number of updates.
HELD_FIXED = ("model.capacity_too_small", "optimizer.undertrained", "optimizer.batch_size")
FLOOR = 1e-6


def mean_score(scores: list[float]) -> float:
    """Returns the geometric mean."""
    return float(np.exp(np.mean(np.log(np.maximum(scores, FLOOR)))))


def fingerprint(program: Program, case: Case) -> str:
    """Hashes all that a case's score depends on inside its file."""
    module = program.module
    own = [inspect.getsource(value) for name, value in sorted(vars(module).items())
           if getattr(value, "__module__", None) == module.__name__ and callable(value)]  # fmt: skip
    changes = [[(name, getattr(value, "__qualname__", value)) for name, value in sorted(part.items())]
               for part in (case.data, case.build)]  # fmt: skip
    told = repr([own, program.fit(case), *changes, repr(case.search)])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def path_of(base: str) -> Path:
    return VERIFIED / f"{base}.json"


def read(base: str) -> dict[str, Any]:
    path = path_of(base)
    return json.loads(path.read_text()) if path.exists() else {"base": base, "cases": {}, "searches": {}}


def write(record: dict[str, Any]) -> None:
    path = path_of(record["base"])
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(record, indent=1)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text + "\n")
    os.replace(temporary, path)


def measure_case(bench: Bench, case: Case, data: Data) -> dict[str, Any]:
    """Trains a case with 5 seeds."""
    runs = [bench.measure(case, data, seed) for seed in range(SEEDS)]
    return {
        "kind": case.kind,
        "codes": list(case.codes),
        "fingerprint": fingerprint(bench.program, case),
        "scores": [run["score"] for run in runs],
        "as_given": [run["as_given"] for run in runs],
        "score": round(mean_score([run["score"] for run in runs]), 5),
        "cpu_s": float(np.median([run["cpu_s"] for run in runs])),
    }


def search(program: Program, case: Case, score: float) -> dict[str, Any]:
    """Searches for better settings than those of a case; stops when one is found that is better by too much."""
    from benchmarks.diagnosis.search import healthy_trials

    bench, trials = Bench(program), []
    for trial in healthy_trials(program, case, SEARCH_TRIALS):
        found = bench.measure(trial, program.data(trial), seed=100)["score"]
        changes = {**trial.data, **trial.build}
        trials.append({"score": found, **{k: v for k, v in changes.items() if isinstance(v, int | float | str)}})
        if found * HEALTHY_RATIO < score:
            break
    best = min(trials, key=lambda item: item["score"])
    return {"fingerprint": fingerprint(program, case), "trials": len(trials), "best": best,
            "scores": [item["score"] for item in trials]}  # fmt: skip


def measure_cases(base: str) -> None:
    """Trains what is new or changed of one base program."""
    program, record = Program(base), read(base)
    bench = Bench(program)
    record |= {
        "architecture": program.architecture,
        "dataset": program.dataset,
        "split": split_of(base),
        "fit": program.fit(),
    }
    cases = {case.name: case for case in program.cases()}
    measured = record["cases"]
    record["cases"] = {name: measured[name] for name in cases if name in measured}
    for name, case in cases.items():
        kept = record["cases"].get(name)
        if not kept or kept["fingerprint"] != fingerprint(program, case):
            record["cases"][name] = measure_case(bench, case, program.data(case))
            _say(base, name, record["cases"][name])
        judge_all(program, record)


def search_all(base: str) -> None:
    """Searches where a healthy program of one base has none yet."""
    program, record = Program(base), read(base)
    cases = {case.name: case for case in program.cases() if case.search or may_be_choice(record["cases"][case.name])}
    record["searches"] = {name: item for name, item in record["searches"].items() if name in cases}
    for name, case in cases.items():
        if record["searches"].get(name, {}).get("fingerprint") != fingerprint(program, case):
            found = record["searches"][name] = search(program, case, record["cases"][name]["score"])
            ratio = record["cases"][name]["score"] / max(found["best"]["score"], FLOOR)
            print(f"{base}.{name}: {ratio:.2f}x of the best of {found['trials']} trials: {found['best']}", flush=True)
        judge_all(program, record)


def may_be_choice(measured: dict[str, Any]) -> bool:
    """Whether a fault is one of a setting that the definition of health holds fixed, and its score is good."""
    one = measured["kind"] == "fault" and len(measured["codes"]) == 1 and measured["codes"][0] in HELD_FIXED
    return one and measured["score"] <= GOOD_SCORE


def judge_all(program: Program, record: dict[str, Any]) -> None:
    """Says of each measured case whether it is kept (None where its search is still to come), and writes the record."""
    measured = record["cases"]
    for case in program.cases():
        kept = measured.get(case.name)
        if kept is None:
            continue
        kept["of"] = case.of
        if case.kind == "healthy":
            of = case.name if case.search else "good"
            searched = record["searches"].get(of)
            if searched and searched["fingerprint"] == measured[of]["fingerprint"]:
                kept["ratio"] = round(kept["score"] / max(searched["best"]["score"], FLOOR), 3)
                kept["kept"] = searched["trials"] == SEARCH_TRIALS and kept["ratio"] <= HEALTHY_RATIO
            else:
                kept["ratio"] = kept["kept"] = None
        else:
            healthy = measured[case.of]
            kept["ratio"] = round(kept["score"] / max(healthy["score"], FLOOR), 3)
            kept["kept"] = False if kept["ratio"] < FAULT_RATIO else healthy["kept"]
            searched = record["searches"].get(case.name)
            if kept["kept"] and may_be_choice(kept) and searched and searched["fingerprint"] == kept["fingerprint"]:
                best = max(searched["best"]["score"], FLOOR)
                kept["choice"] = searched["trials"] == SEARCH_TRIALS and kept["score"] <= HEALTHY_RATIO * best
                kept["kept"] = not kept["choice"]
            if case.kind == "compound" and any(measured.get(part, {}).get("choice") for part in case.name.split("+")):
                kept["choice"], kept["kept"] = True, False
    write(record)


def _forget() -> None:
    """Lets compiled models go."""
    import gc

    import keras

    keras.backend.clear_session()
    gc.collect()


def _say(base: str, name: str, kept: dict[str, Any]) -> None:
    scores = " ".join(f"{score:.3f}" for score in kept["scores"])
    print(
        f"{time.strftime('%H:%M:%S')} {base}.{name}: {kept['score']:.4f} ({scores}) in {kept['cpu_s']:.1f} s",
        flush=True,
    )


def verified_cases(split: str | None = None) -> list[tuple[Case, dict[str, Any]]]:
    """Returns the programs of the suite that hold as they are now, with what was measured of them."""
    found = []
    for base in names():
        record = read(base)
        if split is not None and split_of(base) != split:
            continue
        program = Program(base)
        for case in program.cases():
            kept = record["cases"].get(case.name)
            if kept and kept["kept"] and kept["fingerprint"] == fingerprint(program, case):
                found.append((case, kept))
    return found


def table() -> None:
    """Prints what holds and what does not."""
    counts: dict[tuple[str, str], int] = {}
    codes: dict[str, list[str]] = {}
    print(f"{'program':44}{'split':10}{'cause':52}{'score':>8}{'ratio':>9}{'cpu':>6}")
    for base in names():
        record = read(base)
        for name, kept in record["cases"].items():
            mark = {True: "", False: "   NOT KEPT", None: "   not searched yet"}[kept["kept"]]
            mark += " (a choice)" if kept.get("choice") else ""
            cause = " + ".join(kept["codes"]) or "healthy"
            print(
                f"{f'{base}.{name}':44}{split_of(base):10}{cause:52}{kept['score']:8.3f}"
                f"{kept['ratio'] or float('nan'):8.2f}x{kept['cpu_s']:6.1f}{mark}"
            )
            if kept.get("kept"):
                counts[kept["kind"], split_of(base)] = counts.get((kept["kind"], split_of(base)), 0) + 1
                if kept["kind"] == "fault":
                    codes.setdefault(kept["codes"][0], []).append(split_of(base))
    print()
    for code, splits in sorted(codes.items()):
        print(f"{code:44}" + "".join(f"{splits.count(split):4} {split}" for split in SPLITS))
    for (kind, split), count in sorted(counts.items()):
        print(f"{kind:12}{split:10}{count:4}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="base programs; all by default")
    parser.add_argument("--table", action="store_true", help="print what was measured, and measure nothing")
    given = parser.parse_args()
    if not given.table:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        chosen = given.names or names()
        for work in (measure_cases, search_all):
            for base in chosen:
                work(base)
                _forget()
    table()
    return 0


if __name__ == "__main__":
    sys.exit(main())
