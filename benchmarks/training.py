"""What telemetry, a strategy of one replica and rows from disk cost, and how memory grows with the rows.

    python -m benchmarks.training [--parts telemetry strategy input memory] [--repeats 15] [--rows 60000]
                                  [--gigabytes 1 2 4 8] [--json FILE]

  telemetry   a training with its figures read after each epoch, against the same training without
  strategy    a training under `MirroredStrategy` of one device, against the same training without a strategy
  input       rows per second from disk (`data.memory` exceeded), against the same rows in memory; the files of this
              size are in the page cache from the first epoch on
  memory      peak memory of `aetfx compare` on 1, 2, 4 and 8 GB of rows in one `.npy` file, a process each; the
              folder for temporary files (TMPDIR) needs twice the largest size, and must lie on a disk

The first three train a dense autoencoder on 60,000 x 784 rows, batch 256, both ways in turn in one process. The time of
a training is the median of its epochs; told is the median of the ratios of neighbouring trainings, and between which of
them that median lies in 95 % of cases (order statistics): the speed of a shared machine changes from one to the next.

The file is written after each part. Exits 1 where telemetry or the strategy costs more than 3 %, rows from disk come at
less than 90 % of the speed from memory, or 8 GB take more than 1.15 times the memory of 1 GB.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.validation import peak_mb

ROOT = Path(__file__).resolve().parents[1]
ROWS, COLUMNS, BATCH, EPOCHS = 60_000, 784, 256, 9
GIGABYTES = (1, 2, 4, 8)
PARTS = ("telemetry", "strategy", "input", "memory")
MOST_OVERHEAD, LEAST_SPEED, MOST_GROWTH = 0.03, 0.90, 1.15


def rows_of(count: int, seed: int = 0) -> np.ndarray:
    """Returns mixtures of a few factors with noise, float32 (count, COLUMNS)."""
    rng, mixing = np.random.default_rng(seed), np.random.default_rng(1).normal(size=(24, COLUMNS)) / 5
    rows = rng.standard_normal((count, 24), dtype="float32") @ mixing.astype("float32")
    return rows + 0.1 * rng.standard_normal((count, COLUMNS), dtype="float32")


class Bench:
    """One recipe, its rows in memory and on disk, and a workshop for each way."""

    def __init__(self, folder: Path, n_rows: int):
        from aetfx.data import open_source
        from aetfx.data.shards import stream
        from aetfx.preprocessing.fit import fit_rows
        from aetfx.study import parse_study
        from aetfx.training.build import recipe_from_study

        self.rows = rows_of(n_rows)
        np.save(folder / "rows.npy", self.rows)
        tree = {
            "data": {"train": str(folder / "rows.npy"), "features": "tensor"},
            "model": {"hidden": [128], "bottleneck": 24},
            "training": {"epochs": EPOCHS, "batch_size": BATCH},
        }
        self.recipe = recipe_from_study(parse_study(tree, where="benchmark"), (COLUMNS,), None)
        self.preprocessing = fit_rows({}, self.rows[:1000])
        source = open_source(str(folder / "rows.npy"), "tensor")
        self.disk = stream(source, folder / "data", key="", fraction=0.0, seed=0, most_bytes=1 << 20).train

    def seconds(self, workshop: Any, *, telemetry: bool = False, disk: bool = False) -> float:
        """Trains once; returns the median seconds of its epochs but the first, which may compile something."""
        from aetfx.training.trial import train

        ends: list[float] = []
        train(
            self.recipe,
            self.disk if disk else self.rows,
            self.preprocessing,
            seed=0,
            workshop=workshop,
            telemetry=telemetry,
            on_epoch=lambda _: ends.append(time.perf_counter()),
        )
        return float(np.median(np.diff(ends)))


def in_turn(first: Callable[[], float], second: Callable[[], float], repeats: int) -> tuple[float, list[float]]:
    """Returns the median of second / first, each measured beside the other, and all ratios in order of size."""
    first(), second()
    ratios = []
    for number in range(repeats):
        if number % 2:
            after, before = second(), first()
        else:
            before, after = first(), second()
        ratios.append(after / before)
    return statistics.median(ratios), sorted(ratios)


def between(ratios: list[float]) -> tuple[float, float]:
    """Returns the 95 % interval of the median of sorted ratios, from the binomial distribution.

    >>> between([float(i) for i in range(1, 16)])
    (4.0, 12.0)
    """
    n, below, rank = len(ratios), 0.0, 0
    while rank < (n - 1) // 2 and below + math.comb(n, rank) / 2**n <= 0.025:
        below += math.comb(n, rank) / 2**n
        rank += 1
    return ratios[max(rank - 1, 0)], ratios[n - max(rank, 1)]


def overheads(parts: list[str], repeats: int, n_rows: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measures telemetry, strategy and input in this process; yields the name of each and what was found."""
    import tensorflow as tf

    from aetfx.training.workshop import Workshop

    with tempfile.TemporaryDirectory(prefix="training-") as name:
        bench, plain = Bench(Path(name), n_rows), Workshop()
        if "telemetry" in parts:
            ratio, ratios = in_turn(lambda: bench.seconds(plain), lambda: bench.seconds(plain, telemetry=True), repeats)
            yield "telemetry", {"overhead": ratio - 1, "ratios": ratios}
        if "strategy" in parts:
            mirrored = Workshop(tf.distribute.MirroredStrategy(["/cpu:0"]))
            ratio, ratios = in_turn(lambda: bench.seconds(plain), lambda: bench.seconds(mirrored), repeats)
            yield "strategy", {"overhead": ratio - 1, "ratios": ratios}
        if "input" in parts:
            ratio, ratios = in_turn(lambda: bench.seconds(plain), lambda: bench.seconds(plain, disk=True), repeats)
            rate = n_rows / bench.seconds(plain, disk=True)
            yield "input", {"speed": 1 / ratio, "ratios": ratios, "rows_per_second": round(rate)}


def write_rows(path: Path, gigabytes: float) -> None:
    """Writes a `.npy` file piece by piece."""
    piece = 50_000
    count = int(gigabytes * 1e9 / (4 * COLUMNS))
    file = np.lib.format.open_memmap(path, mode="w+", dtype="float32", shape=(count, COLUMNS))
    for start in range(0, count, piece):
        stop = min(start + piece, count)
        file[start:stop] = rows_of(stop - start, seed=start)
    file.flush()


def compare_once(path: Path, out: Path) -> None:
    """Trains two configurations for one epoch, and prints the peak memory of this process in bytes."""
    from aetfx.comparison.api import compare_study
    from aetfx.study import parse_study

    tree = {
        "data": {"train": str(path), "features": "tensor"},
        "model": {"hidden": [128], "bottleneck": 24},
        "training": {"epochs": 1, "batch_size": 1024, "processes": 1},
        "compare": {"training.learning_rate": [0.001, 0.003]},
        "sweep": {"seeds": 1},
    }
    begun = time.perf_counter()
    record = compare_study(parse_study(tree, where="benchmark"), out)
    print(json.dumps({"peak": peak_mb() * 2**20, "seconds": time.perf_counter() - begun,
                      "train_rows": record["train_rows"], "score": record["rows"][0]["score"]}))  # fmt: skip


def memory(sizes: list[float]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Runs `compare_once` on files of each size; yields the size and what was found."""
    for gigabytes in sizes:
        with tempfile.TemporaryDirectory(prefix="training-") as folder:
            write_rows(Path(folder) / "rows.npy", gigabytes)
            call = [sys.executable, "-m", "benchmarks.training", "--once", folder]
            done = subprocess.run(
                call, cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
        if done.returncode:
            sys.exit(f"{gigabytes:g} GB: {done.stderr[-2000:]}")
        item = json.loads(done.stdout.splitlines()[-1])
        print(
            f"  {gigabytes:g} GB: peak {item['peak'] / 2**30:.2f} GB, {item['train_rows']:,} train rows, "
            f"{item['seconds']:.0f} s",
            flush=True,
        )
        yield f"{gigabytes:g}", item


def verdict(name: str, item: dict[str, Any]) -> str:
    """Prints what was found of one part but memory; returns which bound it misses, or ""."""
    low, high = between(item["ratios"])
    if name == "input":
        range_ = f"({100 / high:.0f} to {100 / low:.0f}), {item['rows_per_second']:,} rows/s"
        print(f"  input     {100 * item['speed']:>7.0f} % of the speed from memory {range_}")
        missed = f"rows from disk come at {100 * item['speed']:.0f} %, not {100 * LEAST_SPEED:.0f} % at least"
        return missed if item["speed"] < LEAST_SPEED else ""
    print(f"  {name:10}{100 * item['overhead']:>+7.1f} % ({100 * (low - 1):+.1f} to {100 * (high - 1):+.1f})")
    missed = f"{name} costs {100 * item['overhead']:.1f} %, not {100 * MOST_OVERHEAD:.0f} % at most"
    return missed if item["overhead"] > MOST_OVERHEAD else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--gigabytes", nargs="+", type=float, default=list(GIGABYTES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--once", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        compare_once(Path(given.once) / "rows.npy", Path(given.once) / "run")
        return 0
    found: dict[str, Any] = {}
    missed: list[str] = []

    def keep() -> None:
        if given.json:
            about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "python": platform.python_version()}
            given.json.write_text(json.dumps(about | {"rows": given.rows, "results": found}, indent=1) + "\n")

    if set(given.parts) != {"memory"}:
        for name, item in overheads(given.parts, given.repeats, given.rows):
            found[name] = item
            missed += filter(None, [verdict(name, item)])
            sys.stdout.flush()
            keep()
    if "memory" in given.parts:
        sizes = found["memory"] = {}
        for size, item in memory(sorted(given.gigabytes)):
            sizes[size] = item
            keep()
        peaks = [item["peak"] for item in sizes.values()]
        if peaks[-1] > MOST_GROWTH * peaks[0]:
            missed.append(f"peak memory grows {peaks[-1] / peaks[0]:.2f}-fold, not {MOST_GROWTH} at most")
    for line in missed:
        print(f"MISSED {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
