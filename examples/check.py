"""Runs the examples as a user would and checks that each diagnosis comes out as its comment says.

    python examples/check.py                   # all, two at a time: `make examples`
    python examples/check.py healthy noise     # some
    python examples/check.py --again healthy   # from the start, though its run is finished

Runs are kept under runs/examples/<name>. A finished one is not run again unless its study or data changed
(`aetfx diagnose` sees to that), so that a check that was stopped goes on where it was. Exits 1 on any miss.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
RUNS = ROOT / "runs" / "examples"
_LIMIT_SECONDS = 1800  # an example that hangs must not hang the check


@dataclass(frozen=True)
class Expected:
    """What an example must come to.

    Attributes:
      status: faulty | healthy | limited | inconclusive.
      cause: code of the first cause; None where there must be none.
      said: words that the statements of the diagnosis must hold.
    """

    status: str
    cause: str | None = None
    said: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.cause or self.status


# The one place that says what each example must come to; the longest runs first, so that two at a time end together.
EXPECTED: dict[str, Expected] = {
    "capacity_too_small": Expected("faulty", "model.capacity_too_small"),
    "noise": Expected("limited", said=("1 - 32/784 = 0.959", "A uniform scale did not matter to Adam")),
    "too_few_rows": Expected("faulty", "data.too_few_rows"),
    "overfitting": Expected("faulty", "model.capacity_too_large"),
    "sparse_binary": Expected("faulty", "loss.mismatch"),
    "linear_activations": Expected("faulty", "model.linear_activations"),
    "scaling_table": Expected("faulty", "data.scaling"),
    "train_eval_shift": Expected("faulty", "data.train_eval_shift"),
    "constant_columns": Expected("faulty", "data.constant_features"),
    "other_preprocessing": Expected("faulty", "code.train_eval_preprocessing_mismatch"),
    "wrong_targets": Expected("faulty", "code.target_mismatch"),
    "missing_values": Expected("faulty", "data.missing"),
    "outliers": Expected("faulty", "data.outliers"),
    "output_activation": Expected("faulty", "model.output_activation"),
    "scaling_sigmoid": Expected("faulty", "data.scaling"),
    "scaling_sgd": Expected("faulty", "data.scaling"),
    "learning_rate_too_high": Expected("faulty", "optimizer.learning_rate_too_high"),
    "learning_rate_too_low": Expected("faulty", "optimizer.learning_rate_too_low"),
    "thresholded_digits": Expected("healthy"),
    "healthy": Expected("healthy"),
    "batch_size": Expected("faulty", "optimizer.batch_size"),
    "undertrained": Expected("faulty", "optimizer.undertrained"),
    "dead_units": Expected("faulty", "model.dead_units"),
    "initialization": Expected("faulty", "model.initialization"),
    "regularization": Expected("faulty", "model.regularization"),
    "optimizer_choice": Expected("faulty", "optimizer.choice"),
    "factory": Expected("faulty", "loss.mismatch"),
    "from_python": Expected("faulty", "data.scaling"),
}


@dataclass(frozen=True)
class Result:
    """One example after its run: the content of diagnosis.json, what is wrong with it, and how long it took."""

    name: str
    record: dict[str, Any]
    misses: tuple[str, ...]
    seconds: float


def run_example(name: str, runs: Path = RUNS) -> Result:
    """Runs one example in a process of its own and checks its verdict.

    Args:
      name: key of `EXPECTED`; its data must have been made.
      runs: parent of the run directory.
    """
    out = runs / name
    script = EXAMPLES / f"{name}.py"
    if script.exists():
        command = [str(script), str(out)]
    else:
        command = ["-m", "aetfx.cli", "diagnose", str(EXAMPLES / f"{name}.yaml"), "--out", str(out), "--quiet"]
    started = time.perf_counter()
    if not (script.exists() and _newer(out / "diagnosis.json", script)):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return Result(name, {}, (f"exit code {done.returncode}: {last}",), time.perf_counter() - started)
    record = json.loads((out / "diagnosis.json").read_text(encoding="utf-8"))
    return Result(name, record, tuple(misses(record, EXPECTED[name])), time.perf_counter() - started)


def misses(record: dict[str, Any], expected: Expected) -> list[str]:
    """Says in which ways a diagnosis is not the expected one; nothing where it is."""
    found = []
    if record["status"] != expected.status:
        found.append(f"status {record['status']} instead of {expected.status}")
    first = record["causes"][0]["code"] if record["causes"] else None
    if first != expected.cause:
        found.append(f"first cause {first} instead of {expected.cause}")
    said = " ".join(record["statements"])
    found += [f"nowhere said: '{words}'" for words in expected.said if words not in said]
    return found


def line(result: Result) -> str:
    """Words one result as a line of the table."""
    record = result.record
    got = record["causes"][0]["code"] if record.get("causes") else record.get("status", "no diagnosis")
    scores, gain, same = "", "", ""
    if record.get("causes"):
        cause = record["causes"][0]
        low, high = cause["gain_interval"]
        scores = f"{cause['score_before']:.3f} -> {cause['score_after']:.3f}"
        gain = f"{cause['gain']:.0%} [{low:.0%}, {high:.0%}]"
        same = " ".join(["", *sorted(set(cause["equivalents"]))]).strip()
    elif record:
        scores = f"{record['baseline']['score']:.3f}"
    cells = (
        "miss" if result.misses else "ok", result.name, str(EXPECTED[result.name]), got, scores, gain,
        str(record.get("trials", "")), f"{result.seconds:.0f}", same,
    )  # fmt: skip
    return _aligned(cells)


def main() -> int:
    """Runs what the command line names and prints the table."""
    parser = argparse.ArgumentParser(description="Run the examples and check their verdicts.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples to run; all by default")
    parser.add_argument("--again", action="store_true", help="forget finished runs of these examples first")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where the run directories go (runs/examples)")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in EXPECTED]
    if unknown:
        parser.error(f"no example named {unknown[0]}. Known: {', '.join(EXPECTED)}.")
    names = [name for name in EXPECTED if name in asked.names or not asked.names]
    if asked.again:
        for name in names:
            shutil.rmtree(asked.runs / name, ignore_errors=True)

    sys.path.insert(0, str(EXAMPLES))
    from make_data import make

    make()
    started = time.perf_counter()
    print(_aligned(("", "example", "expected", "got", "score", "gain", "trials", "s", "as good")), flush=True)
    results = []
    with ThreadPoolExecutor(max_workers=asked.jobs) as pool:
        for result in pool.map(lambda name: run_example(name, asked.runs), names):
            results.append(result)
            print(line(result), flush=True)
    wrong = [result for result in results if result.misses]
    for result in wrong:
        print(f"{result.name}: {'; '.join(result.misses)}. See {asked.runs / result.name}.")
    minutes = (time.perf_counter() - started) / 60
    print(f"{len(results) - len(wrong)} of {len(results)} examples as expected, {minutes:.1f} minutes.")
    return 1 if wrong else 0


def _newer(path: Path, than: Path) -> bool:
    return path.exists() and path.stat().st_mtime > than.stat().st_mtime


def _aligned(cells: tuple[str, ...]) -> str:
    widths = (4, 22, 32, 32, 16, 18, 6, 5, 0)
    return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


if __name__ == "__main__":
    sys.exit(main())
