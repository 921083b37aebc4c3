"""Takes damaged files through the validation pipeline: `python -m tests.fuzz.run --seed 0 --count 300`.

Each input goes through a worker that was forked from this process after Beam was imported, which saves six seconds an
input. A worker that hangs, dies or outgrows its memory is ended and another one forked. Some inputs also go through
the command line. Prints a table of damage by outcome, and exits 1 if anything but success or one clear error came of
any input.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.damage import Case, cases
from tests.fuzz.judge import LIMIT_BYTES, LIMIT_SECONDS, Outcome, complaint, validate

OUTCOMES = ("success", "quarantine", "error", "violation")
ADDRESS_SPACE = 12 << 30  # keeps the machine usable, whatever happens; memory itself is watched


class Worker:
    """A process that reads one file after the other."""

    def __init__(self) -> None:
        fork = mp.get_context("fork")
        self._ours, theirs = fork.Pipe()
        self._process = fork.Process(target=_work, args=(theirs, self._ours), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, path: Path) -> Outcome:
        """Reads a file; whatever happens to the process is an outcome."""
        start = time.monotonic()
        self._ours.send(path)
        while not self._ours.poll(0.05):
            seconds = time.monotonic() - start
            if not self._process.is_alive():
                return Outcome("crash", f"the process ended with {self._process.exitcode}", seconds=seconds)
            if seconds > LIMIT_SECONDS:
                self.stop()
                return Outcome("hang", f"no answer in {LIMIT_SECONDS:.0f} s", seconds=seconds)
            if (size := _resident(self._process.pid)) > LIMIT_BYTES:
                self.stop()
                return Outcome("memory", f"{size / 2**30:.1f} GiB", peak_bytes=size, seconds=seconds)
        try:
            outcome = self._ours.recv()
        except EOFError:
            self._process.join()
            return Outcome("crash", f"the process ended with {self._process.exitcode}")
        outcome.seconds = time.monotonic() - start
        return outcome

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def stop(self) -> None:
        self._process.kill()
        self._process.join()


def _work(ours: mp.connection.Connection, theirs: mp.connection.Connection) -> None:
    theirs.close()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            path = ours.recv()
        except EOFError:
            return
        _forget_peak()
        outcome = validate(path)
        outcome.peak_bytes = _peak()
        ours.send(outcome)


def _status(pid: int | str, key: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(key)), 0)


def _resident(pid: int | None) -> int:
    return _status(pid or 0, "VmRSS:")


def _peak() -> int:
    return _status("self", "VmHWM:")


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _run_all(chosen: list[Case], folder: Path, report: Callable[[Case, Path, Outcome], None], jobs: int) -> None:
    def one(worker_cases: list[Case]) -> None:
        worker = Worker()
        for case in worker_cases:
            path = folder / f"f{case.number:05d}{case.ending}"
            path.write_bytes(case.data)
            if not worker.is_alive:
                worker = Worker()
            report(case, path, worker.run(path))
        worker.stop()

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(one, chosen[i::jobs]) for i in range(jobs)]:
            done.result()


def _command_line(path: Path, outcome: Outcome) -> str | None:
    """Takes one file through `aetfx validate`; says what is wrong, or None."""
    with tempfile.TemporaryDirectory() as out:
        ended = subprocess.run(
            [sys.executable, "-m", "aetfx.cli", "validate", str(path), "--quiet", "--out", f"{out}/run"],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
    if outcome.kind == "success":
        return None if ended.returncode == 0 else f"exit code {ended.returncode}: {ended.stderr[-500:]}"
    if ended.returncode != 2 or ended.stderr.count("\n") != 1 or not ended.stderr.startswith("aetfx: error: "):
        return f"exit code {ended.returncode}, stderr {ended.stderr[-500:]!r}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cli", type=int, default=6, help="inputs that also go through the command line")
    parser.add_argument("--keep", type=Path, help="folder to keep the inputs of violations in")
    options = parser.parse_args()
    from aetfx.quiet import quiet

    with quiet():  # before the workers are forked
        import apache_beam.runners.portability.fn_api_runner  # noqa: F401

        import aetfx.validation.reading  # noqa: F401

    table: dict[str, Counter[str]] = {}
    violations: list[str] = []
    ended: list[tuple[Case, Path, Outcome]] = []

    def report(case: Case, path: Path, outcome: Outcome) -> None:
        wrong = complaint(case, path, outcome)
        kind = "violation" if wrong else "quarantine" if outcome.quarantined else outcome.kind
        table.setdefault(f"{case.ending} {case.damage}", Counter())[kind] += 1
        ended.append((case, path, outcome))
        if wrong:
            violations.append(f"case {case.number} ({case.ending}, {case.damage}): {wrong}")
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / path.name).write_bytes(case.data)

    with tempfile.TemporaryDirectory(prefix="aetfx-fuzz-") as folder:
        _run_all(list(cases(options.seed, options.count)), Path(folder), report, options.jobs)
        # Each success costs 20 s (TFDV), so one is enough.
        told = sorted((e for e in ended if e[2].kind == "error"), key=lambda e: e[0].number)
        through = told[:: max(1, len(told) // max(1, options.cli - 1))][: max(0, options.cli - 1)]
        through += [e for e in ended if e[2].kind == "success"][: min(1, options.cli)]
        for case, path, outcome in through:
            if wrong := _command_line(path, outcome):
                violations.append(f"case {case.number} ({case.ending}, {case.damage}), command line: {wrong}")

    width = max(map(len, table))
    print(f"{'':{width}}" + "".join(f"{name:>12}" for name in OUTCOMES))
    for name in sorted(table):
        print(f"{name:{width}}" + "".join(f"{table[name][kind] or '':>12}" for kind in OUTCOMES))
    total = sum(table.values(), Counter())
    print(f"{'all':{width}}" + "".join(f"{total[kind]:>12}" for kind in OUTCOMES))
    slowest = max(ended, key=lambda e: e[2].seconds)
    largest = max(ended, key=lambda e: e[2].peak_bytes)
    print(f"slowest: {slowest[2].seconds:.1f} s ({slowest[0].ending}, {slowest[0].damage})")
    print(f"largest: {largest[2].peak_bytes / 2**20:.0f} MiB ({largest[0].ending}, {largest[0].damage})")
    print(f"through the command line: {len(through)}")
    for text in violations:
        print(f"violation: {text}", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
