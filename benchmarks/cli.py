"""How long `aetfx --help` and mistyped commands take: median and worst of 5 after one warm-up, in seconds.

    python benchmarks/cli.py

The bound is 0.5 s on two cores (README). `bare python` is what the interpreter alone costs here; `cpu` is the
processor's share of the median, which other work on the machine does not lengthen. Exits 1 when a median is
above the bound.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BOUND_SECONDS = 0.5
COMMANDS = {
    "bare python": None,
    "aetfx --help": ["--help"],
    "aetfx diagnose --help": ["diagnose", "--help"],
    "unknown command": ["diagnos"],
    "unknown option": ["demo", "--bogus"],
    "option out of range": ["demo", "--replicas", "0"],
    "missing argument": ["diagnose"],
    "missing study": ["diagnose", "missing.yaml"],
    "unknown key in study": ["diagnose", "key.yaml"],
    "study is not YAML": ["diagnose", "broken.yaml"],
    "missing data": ["validate", "missing.csv"],
    "missing run": ["report", "missing"],
}


def measure(arguments: list[str] | None, folder: Path, repeats: int = 5) -> tuple[list[float], list[float]]:
    """Returns wall and processor seconds of each run."""
    script = Path(sys.executable).with_name("aetfx")
    command = [sys.executable, "-c", "pass"] if arguments is None else [str(script), *arguments]
    wall, cpu = [], []
    for _ in range(repeats + 1):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=folder, capture_output=True, env={**os.environ, "COLUMNS": "100"})
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return wall[1:], cpu[1:]


def main() -> int:
    print(f"{time.strftime('%Y-%m-%d')}  Python {platform.python_version()}  {os.cpu_count()} cores")
    print(f"{'':24}{'median':>8}{'worst':>8}{'cpu':>8}")
    late = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key.yaml").write_text("data: {train: a.csv}\ntrainning: {epochs: 3}\n")
        (folder / "broken.yaml").write_text("data: {train: a.csv\n")
        for what, arguments in COMMANDS.items():
            wall, cpu = measure(arguments, folder)
            median = statistics.median(wall)
            print(f"{what:24}{median:8.2f}{max(wall):8.2f}{statistics.median(cpu):8.2f}")
            if median > BOUND_SECONDS:
                late.append(what)
    if late:
        print(f"above {BOUND_SECONDS} s: {', '.join(late)}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
