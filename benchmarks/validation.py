"""Speed and memory of `aetfx validate` beside TFDV, polars and one plain NumPy pass, on the same files.

    python -m benchmarks.validation                     # everything; resumes: what was measured is not run again
    python -m benchmarks.validation --only 784 --tools numpy aetfx

Each measurement is a fresh process of the same shape (`TOOL FILE`) on a file that is in the page cache; the order of
the tools alternates from round to round; figures are medians of three. Start-up (imports) is given apart. Results go
to `benchmarks/results/validation.json` as they come. Exits 1 when a required ratio is missed.

The tools: `numpy` computes moments and covariance in float64, batch by batch; `aetfx` all of its statistics, as TFDV's
protocol buffer; `tfdv` is `GenerateStatistics` fed with one column per feature by the same reader and runner; `polars`
is `DataFrame.describe()`.
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

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "results" / "validation.json"
CASES = {
    "60,000 x 784": (60_000, 784),
    "60,000 x 100": (60_000, 100),
    "10^5 x 20": (100_000, 20),
    "10^6 x 20": (1_000_000, 20),
    "10^7 x 20": (10_000_000, 20),
}
FORMATS = ("npy", "parquet")
TOOLS = ("numpy", "aetfx", "tfdv", "polars")
ROUNDS = 3
_LIMIT_SECONDS = 1800


# One function per tool: file in, (start-up is over when it is called) statistics out.


def with_numpy(path: str) -> Any:
    """The least that any tool has to do: read, and add up moments and co-moments in float64."""
    import numpy as np

    from aetfx.data.sources import open_source

    n, total, products = 0, 0.0, 0.0
    for batch in open_source(path).batches():
        values = batch.values().astype(np.float64)
        n += len(values)
        total = total + values.sum(axis=0)
        products = products + values.T @ values
    mean = total / n
    return mean, products / n - np.outer(mean, mean)


def with_aetfx(path: str) -> Any:
    from aetfx.data.sources import open_source
    from aetfx.validation import tfdv
    from aetfx.validation.pipeline import compute

    found = compute(open_source(path))
    return tfdv.to_proto(found.statistics["train"]).SerializeToString()


def with_tfdv(path: str) -> Any:
    import apache_beam as beam
    import tensorflow_data_validation as tfdv
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    from aetfx.data.sources import open_source

    source = open_source(path)
    found: list[Any] = []
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    (
        pipeline
        | beam.Create(list(range(len(source.shards()))))
        | beam.FlatMap(_record_batches, path)
        | tfdv.GenerateStatistics(tfdv.StatsOptions())
        | beam.Map(lambda proto: found.append(proto.SerializeToString()))
    )
    pipeline.run().wait_until_finish()
    return found


def with_polars(path: str) -> Any:
    import numpy as np
    import polars

    frame = polars.read_parquet(path) if path.endswith(".parquet") else polars.from_numpy(np.load(path))
    return frame.describe()


def _record_batches(shard: int, path: str) -> Any:
    """TFDV's input: a list column per feature."""
    import numpy as np
    import pyarrow as pa

    from aetfx.data.sources import open_source

    source = open_source(path)
    for batch in source.read(source.shards()[shard]):
        values = batch.values()
        offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32))
        columns = [pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(column))) for column in values.T]
        yield pa.RecordBatch.from_arrays(columns, list(source.names))


IMPORTS = {
    "numpy": "import numpy, pyarrow.parquet",
    "aetfx": "import apache_beam.runners.portability.fn_api_runner, tensorflow_metadata.proto.v0.statistics_pb2, "
    "aetfx.validation.pipeline, aetfx.validation.reading, aetfx.validation.combiners.columns, aetfx.validation.tfdv",
    "tfdv": "import tensorflow_data_validation",
    "polars": "import polars",
}


def measure_here(tool: str, path: str) -> dict[str, float]:
    """Runs a tool in this process."""
    begun = time.perf_counter()
    exec(IMPORTS[tool])
    started = time.perf_counter()
    cpu = time.process_time()
    {"numpy": with_numpy, "aetfx": with_aetfx, "tfdv": with_tfdv, "polars": with_polars}[tool](path)
    return {
        "startup_s": started - begun,
        "run_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """Most memory that this process has held. Not `ru_maxrss`: that outlives `exec`, so that it is the parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def write_data(path: Path, rows: int, columns: int) -> None:
    """Writes normal float32 columns, a block at a time, under a temporary name."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rng, partial = np.random.default_rng(0), path.with_suffix(".part")
    block = 200_000 if columns < 100 else 20_000
    blocks = (rng.standard_normal((min(block, rows - i), columns), dtype=np.float32) for i in range(0, rows, block))
    if path.suffix == ".npy":
        target = np.lib.format.open_memmap(partial, "w+", np.float32, (rows, columns))
        for i, values in enumerate(blocks):
            target[i * block : i * block + len(values)] = values
        target.flush()
    else:
        names = [f"c{j}" for j in range(columns)]
        with pq.ParquetWriter(partial, pa.schema([(name, pa.float32()) for name in names])) as writer:
            for values in blocks:
                writer.write_table(pa.table({name: values[:, j] for j, name in enumerate(names)}))
    os.replace(partial, path)


def warm(path: Path) -> None:
    """Reads a file into the page cache."""
    with path.open("rb") as stream:
        while stream.read(1 << 24):
            pass


def summary(measured: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Medians per case, format and tool."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in measured:
        groups.setdefault(f"{item['case']} {item['format']}|{item['tool']}", []).append(item)
    return {
        key: {
            name: statistics.median(item[name] for item in items) for name in ("startup_s", "run_s", "cpu_s", "peak_mb")
        }
        for key, items in groups.items()
    }


def show(measured: list[dict[str, Any]]) -> list[str]:
    """Prints the table; returns the requirements that were missed."""
    found, missed = summary(measured), []
    print(f"\n{'':24}{'tool':8}{'run s':>8}{'rows/s':>12}{'MB/s':>8}{'peak MB':>9}{'start s':>9}{'x aetfx':>9}")
    for case, (rows, columns) in CASES.items():
        for kind in FORMATS:
            here = {tool: found[f"{case} {kind}|{tool}"] for tool in TOOLS if f"{case} {kind}|{tool}" in found}
            for tool, item in here.items():
                ratio = item["run_s"] / here["aetfx"]["run_s"] if "aetfx" in here else float("nan")
                seconds, size = item["run_s"], rows * columns * 4 / 1e6
                print(
                    f"{case + ' ' + kind:24}{tool:8}{seconds:8.2f}{rows / seconds:12,.0f}{size / seconds:8.0f}"
                    f"{item['peak_mb']:9.0f}{item['startup_s']:9.2f}{ratio:9.2f}"
                )
            if "aetfx" not in here:
                continue
            ours = here["aetfx"]["run_s"]
            if "tfdv" in here and columns == 784 and here["tfdv"]["run_s"] < 8 * ours:
                missed.append(f"{case} {kind}: {here['tfdv']['run_s'] / ours:.1f} times TFDV's speed, required 8")
            if "numpy" in here and rows == 60_000 and ours > 2.5 * here["numpy"]["run_s"]:
                missed.append(f"{case} {kind}: {ours / here['numpy']['run_s']:.1f} NumPy passes, allowed 2.5")
            if "polars" in here and columns >= 100 and ours > here["polars"]["run_s"]:
                missed.append(f"{case} {kind}: {ours:.2f} s, polars {here['polars']['run_s']:.2f} s")
    for kind in FORMATS:
        small, large = (found.get(f"{case} {kind}|aetfx") for case in ("10^5 x 20", "10^7 x 20"))
        if small and large and (large["peak_mb"] > 1.3 * small["peak_mb"] or large["peak_mb"] > 1500):
            missed.append(f"memory {kind}: {small['peak_mb']:.0f} MB at 10^5 rows, {large['peak_mb']:.0f} at 10^7")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=FORMATS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "runs" / "benchmarks")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="measure anew")
    parser.add_argument("--child", nargs=2, metavar=("TOOL", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure_here(*given.child)))
        return 0
    state: dict[str, Any] = {"measured": []}
    if given.results.exists() and not given.again:
        state = json.loads(given.results.read_text())
    state["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    done = {(m["case"], m["format"], m["tool"], m["round"]) for m in state["measured"]}
    given.results.parent.mkdir(parents=True, exist_ok=True)
    for case, (rows, columns) in CASES.items():
        for kind in given.formats if given.only in case else ():
            path = given.data / f"{rows}x{columns}.{kind}"
            todo = [
                (k, tool)
                for k in range(given.rounds)
                for tool in (given.tools if k % 2 == 0 else given.tools[::-1])
                if (case, kind, tool, k) not in done
            ]
            if todo:
                write_data(path, rows, columns)
            for k, tool in todo:
                warm(path)
                command = [sys.executable, "-m", "benchmarks.validation", "--child", tool, str(path)]
                try:
                    ran = subprocess.run(
                        command, cwd=ROOT.parent, capture_output=True, text=True, timeout=_LIMIT_SECONDS
                    )
                except subprocess.TimeoutExpired:
                    print(f"{case} {kind} {tool}: stopped after {_LIMIT_SECONDS} s", flush=True)
                    continue
                if ran.returncode:
                    print(f"{case} {kind} {tool}: failed\n{ran.stderr[-2000:]}", flush=True)
                    continue
                item = json.loads(ran.stdout.splitlines()[-1])
                state["measured"].append({"case": case, "format": kind, "tool": tool, "round": k, **item})
                state["date"] = time.strftime("%Y-%m-%d")
                partial = given.results.with_suffix(".part")
                partial.write_text(json.dumps(state, indent=1) + "\n")
                os.replace(partial, given.results)
                print(f"{case} {kind} {tool} {k}: {item['run_s']:.2f} s, {item['peak_mb']:.0f} MB", flush=True)
    missed = show(state["measured"])
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
