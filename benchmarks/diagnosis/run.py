"""Diagnoses every verified program of the suite as its user would, and keeps what was said; resumes per program.

    python -m benchmarks.diagnosis.run [--sample] [--only NAME ...] [--split tuning|seen|held_out]
                                        [--jobs N] [--out DIR]

Without `--split` these are the tuning and the held-out ones; programs that were held out once (`seen`) are diagnosed
where they are asked for. Held-out healthy programs are diagnosed with 3 seeds, others with one. Beside the verdict
stand the time of one plain `model.fit` (T), measured in the same process, and, where a cause was named, the scores that
its fix reaches when it is applied outside aetfx (`fixes.py`). Each base program has a process of its own; `--jobs 2`
runs two at a time, each on its share of the cores, which takes less time in all and makes each diagnosis look slower
than it is. A process that has grown large makes room for a new one. `--sample` takes a dozen programs, one seed each,
from both halves: at most 15 minutes on two cores. `--only` takes `base` or `base.case`. Ends with the tables of
`summary.py`, and with its exit status.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import platform
import queue
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.diagnosis import summary, verify
from benchmarks.diagnosis.program import Case, Program
from benchmarks.diagnosis.splits import SPLITS, split_of

RESULTS = Path(__file__).resolve().parent / "results"
HEALTHY_SEEDS = (0, 1, 2)
SAMPLE_FAULTS, SAMPLE_HEALTHY = 8, 4
LARGE = 4 << 30  # bytes; TensorFlow keeps what XLA compiled, some 200 MB for each diagnosis
GO_ON = 75  # exit status of a process that stopped because it is large


def diagnose(program: Program, case: Case, seed: int) -> dict[str, Any]:
    """Diagnoses one case once."""
    import aetfx
    from benchmarks.diagnosis.fixes import fresh_score
    from benchmarks.diagnosis.plain import plain_fit

    data = program.data(case)
    _, plain_seconds = plain_fit(program, case, data, seed=200 + seed)
    result: dict[str, Any] = {"seed": seed, "plain_s": round(plain_seconds, 2), "revision": _revision()}
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        out = Path(folder) / "run"
        begun = time.perf_counter()
        try:
            found = aetfx.diagnose(
                lambda: program.build(case),
                data.x_train,
                data.x_val,
                **data.asked,
                **program.fit(case),
                seed=seed,
                out=out,
            )
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            if not isinstance(error, aetfx.errors.AetfxError):
                said += "\n" + traceback.format_exc(limit=-3)
            return result | {"wall_s": round(time.perf_counter() - begun, 1), "error": said[:1500]}
        result["wall_s"] = round(time.perf_counter() - begun, 1)
        record = found.record
        kept = ("status", "causes", "suspected", "improvements", "ruled_out", "notes", "baseline", "cost", "rows")
        result |= {name: _short(record.get(name)) for name in kept}
        result["confirmed"] = [_short(item) for item in record["experiments"] if item["stage"] == "confirm"]
        if record["causes"] and case.kind != "healthy":
            result["after"] = _after(program, case, data, record["causes"], out)
        if found.fixed_model is not None:
            codes = {cause["code"] for cause in record["causes"]}
            result["fixed_fresh"] = fresh_score(data, functools.partial(found.fixed_model.predict, verbose=0), codes)
    return result


def _after(program: Program, case: Case, data: Any, causes: list[dict[str, Any]], out: Path) -> dict[str, Any]:
    from aetfx.figures.words import mended
    from benchmarks.diagnosis.fixes import scores_after
    from benchmarks.diagnosis.plain import is_scaled_apart

    found: dict[str, Any] = {}
    # Two causes of one step were mended together, and the gain is promised for both.
    # More rows, which stand beside a smaller model, cannot be added and are no part of the fix.
    causes = mended(causes) or causes
    wanted = {"first": [cause for cause in causes if cause["step"] == causes[0]["step"]]}
    if len(causes) > len(wanted["first"]):
        wanted["all"] = causes
    for name, chosen in wanted.items():
        try:
            found[name] = scores_after(program, case, data, chosen, out)
        except Exception as error:  # a fix that cannot be applied is itself a result
            found[name] = None
            found[f"{name}_error"] = f"{type(error).__name__}: {error}"[:600]
    # Verification judged the undamaged rows; a promise is of rows like the user's.
    if found["first"] and (data.x_worn is not None or is_scaled_apart(data)):
        found["before"] = scores_after(program, case, data, (), out)
    return found


def _short(value: Any) -> Any:
    """Leaves long words and texts of a record out."""
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, dict):
        left_out = ("keras", "meaning", "title", "remedy")
        return {key: _short(item) for key, item in value.items() if key not in left_out}
    return value


def path_of(out: Path, case: Case) -> Path:
    return out / f"{case.key}.json"


def run_base(base: str, keys: list[str], out: Path, sample: bool) -> None:
    """Diagnoses the missing cases of one base program.

    Raises:
      SystemExit: the process has become large, and is to be followed by another: status `GO_ON`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    _warm_up()
    program, measured = Program(base), verify.read(base)["cases"]
    for case in program.cases():
        if case.key not in keys:
            continue
        path = path_of(out, case)
        record = json.loads(path.read_text()) if path.exists() else {}
        if record.get("fingerprint") != measured[case.name]["fingerprint"]:
            record = {"runs": []}
        record |= {
            "case": case.key, "kind": case.kind, "codes": list(case.codes), "split": split_of(base),
            "architecture": program.architecture, "dataset": program.dataset,
            "fingerprint": measured[case.name]["fingerprint"],
            "score": measured[case.name]["score"], "as_given": measured[case.name]["as_given"],
            "good_score": measured[case.of]["score"], "date": time.strftime("%Y-%m-%d"),
        }  # fmt: skip
        counted = case.kind == "healthy" and record["split"] == "held_out" and not sample
        seeds = HEALTHY_SEEDS if counted else (0,)
        for seed in seeds:
            if any(run["seed"] == seed for run in record["runs"]):
                continue
            run = diagnose(program, case, seed)
            record["runs"].append(run)
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(record, indent=1) + "\n")
            os.replace(temporary, path)
            named = [cause["code"] for cause in run.get("causes", [])]
            said = run.get("error", "").splitlines()[:1] or [f"{run.get('status')} {named}"]
            print(f"{time.strftime('%H:%M:%S')} {case.key} ({' + '.join(case.codes) or 'healthy'}): {said[0]} "
                  f"in {run['wall_s']:.0f} s", flush=True)  # fmt: skip
            keras.backend.clear_session()
            if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > LARGE:
                sys.exit(GO_ON)


@functools.cache
def _revision() -> str:
    """The commit that is measured, with a mark where files differ from it; empty without git."""
    asked = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip()


def _warm_up() -> None:
    """Lets TensorFlow do what it does once per process, so that the first T is like the others."""
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.zeros((4, 2)), np.zeros((4, 2)), verbose=0)


def sampled(cases: list[Case]) -> list[Case]:
    """Takes a dozen cases: faults of as many causes as possible and healthy ones, from each split in turn."""
    chosen: list[Case] = []
    codes: set[str] = set()
    for kind, count in (("fault", SAMPLE_FAULTS), ("healthy", SAMPLE_HEALTHY)):
        found: list[Case] = []
        waiting = [[case for case in cases if case.kind == kind and split_of(case.base) == split] for split in SPLITS]
        bases: set[str] = set()
        while len(found) < count and any(waiting):
            for rest in waiting:
                fresh = [case for case in rest if case.base not in bases and not codes & set(case.codes)]
                if not (fresh or rest):
                    continue
                case = (fresh or rest)[len(fresh or rest) // 2]
                rest.remove(case)
                found.append(case)
                bases.add(case.base)
                codes |= set(case.codes)
        chosen += found[:count]
    return chosen


def _share(place: int, jobs: int) -> set[int]:
    """Returns the cores of one of several jobs; none where the system does not tell or there are fewer than jobs."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return set(cores[place::jobs]) if len(cores) >= jobs > 1 else set()


def _run_on(cores: set[int], *arguments: Any) -> None:
    if cores:
        os.sched_setaffinity(0, cores)
    run_base(*arguments)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--split", choices=tuple(SPLITS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="results/<date> by default, results/<date>-sample with --sample")
    given = parser.parse_args()
    label = time.strftime("%Y-%m-%d") + ("-sample" if given.sample else "")
    out = given.out or RESULTS / label
    out.mkdir(parents=True, exist_ok=True)
    cases = [case for case, _ in verify.verified_cases(given.split)]
    if not given.split and not given.only:
        cases = [case for case in cases if split_of(case.base) != "seen"]
    if given.only:
        cases = [case for case in cases if case.key in given.only or case.base in given.only]
    if given.sample:
        cases = sampled(cases)
    begun = time.perf_counter()

    # Side by side each would start helpers of its own for cores that the others are at.
    shares = queue.SimpleQueue[set[int]]()
    for place in range(given.jobs):
        shares.put(_share(place, given.jobs))

    def work(base: str) -> None:
        keys = [case.key for case in cases if case.base == base]
        share = shares.get()
        asked, status = (share, base, keys, out, given.sample), GO_ON
        while status == GO_ON:
            worker = multiprocessing.get_context("spawn").Process(target=_run_on, args=asked)
            worker.start()
            worker.join()
            status = worker.exitcode
        shares.put(share)
        if status:
            print(f"{base}: the process ended with {status}; run again to go on", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(work, dict.fromkeys(case.base for case in cases)))
    seconds = time.perf_counter() - begun
    print(f"{len(cases)} programs, {seconds:.0f} s, {os.cpu_count()} cores, Python {platform.python_version()}: {out}")
    return summary.report(out)


if __name__ == "__main__":
    sys.exit(main())
