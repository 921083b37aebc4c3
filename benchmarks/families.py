"""What each model family reaches out of the box: `aetfx compare examples/<family>.yaml`, beside PCA and the mean.

    python -m benchmarks.families [FAMILY ...] [--json FILE]

Each study trains its family on real data with three seeds. Told, as a table for the docs, is the best configuration's
score (the share of variance that is lost on held-out rows), its 95 % interval, and PCA's with as many numbers. The
mean of the train rows is 1 by definition. The file is written after each family. Exits 1 where a family fails, or does
not reach half of the mean's error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_WORST = 0.5


def families() -> list[str]:
    """Returns the families that have an example."""
    from aetfx.study import FAMILIES

    return [name for name in FAMILIES if (ROOT / "examples" / f"{name}.yaml").exists()]


def compared(family: str, folder: Path) -> dict[str, Any]:
    """Runs the command in a process of its own; returns what came of it."""
    begun = time.perf_counter()
    code = "from aetfx.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", f"examples/{family}.yaml", "--out", str(folder), "--quiet"],
        cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return {"failed": done.stderr[-2000:].strip() or f"exit code {done.returncode}"}
    record = json.loads((folder / "comparison.json").read_text())
    best = record["rows"][0]
    if best.get("score") is None or best.get("kind") == "reference":
        return {"failed": "no configuration was trained to the end"}
    references = {row["name"]: row["score"] for row in record["rows"] if row.get("kind") == "reference"}
    return {
        "seconds": round(time.perf_counter() - begun, 1),
        "best": ", ".join(f"{key.split('.')[-1]}={value}" for key, value in best["settings"].items()),
        "score": best["score"],
        "interval": best["interval"],
        "references": references,
    }


def line(family: str, item: dict[str, Any]) -> str:
    """Returns one row of the table."""
    low, high = item["interval"]
    pca = ", ".join(
        f"{name.split(',')[1].strip().split()[0]}: {score:.3f}"  # "PCA, 8 numbers"
        for name, score in item["references"].items()
        if name.startswith("PCA")
    )
    best = f"| {family} | {item['best']} | {item['score']:.3f} | {low:.3f} to {high:.3f} | {pca or 'none'} "
    return f"{best}| 1.000 | {item['seconds']:.0f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if unknown := [name for name in given.families if name not in families()]:
        parser.error(f"no example for {', '.join(unknown)}. There are: {', '.join(families())}.")
    subprocess.run([sys.executable, "examples/make_data.py"], cwd=ROOT, check=True, capture_output=True)
    found, missed = {}, []
    print("| family | best | score | 95 % interval | PCA, numbers: score | mean | seconds |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for family in given.families or families():
        with tempfile.TemporaryDirectory(prefix="families-") as folder:
            found[family] = item = compared(family, Path(folder) / "run")
        if "failed" in item:
            missed.append(f"{family}: {item['failed']}")
        else:
            print(line(family, item), flush=True)
            if item["score"] > _WORST:
                missed.append(f"{family} does not halve the mean's error")
        if given.json:
            about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "python": platform.python_version()}
            given.json.write_text(json.dumps(about | {"results": found}, indent=1) + "\n")
    for what in missed:
        print(f"MISSED {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
