"""What each model family reaches out of the box: `aetfx compare examples/<family>.yaml`, beside PCA and the mean.

    python -m benchmarks.families [FAMILY ...] [--json FILE]

Each study trains its family on real data with three seeds. Told is the best configuration's score (the share of
variance that is lost on held-out rows), its interval, and PCA's with as many numbers where that is a reference. The
mean of the train rows is 1 by definition. Exits 1 where a family does not reach half of the mean's error.
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
    subprocess.run([sys.executable, "examples/make_data.py"], cwd=ROOT, check=True, capture_output=True)
    begun = time.perf_counter()
    code = "from aetfx.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", f"examples/{family}.yaml", "--out", str(folder), "--quiet"],
        cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{family}: {done.stderr[-2000:]}")
    record = json.loads((folder / "comparison.json").read_text())
    best = record["rows"][0]
    references = [row for row in record["rows"] if row.get("kind") == "reference" and row["name"].startswith("PCA")]
    return {
        "seconds": round(time.perf_counter() - begun, 1),
        "best": best["name"],
        "score": best["score"],
        "interval": best["interval"],
        "pca": {row["name"]: row["score"] for row in references},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found, missed = {}, []
    print(f"{'family':11}{'best':24}{'score':>7}  {'95 % interval':16}{'PCA':24}{'seconds':>8}")
    for family in given.families or families():
        with tempfile.TemporaryDirectory(prefix="families-") as folder:
            found[family] = item = compared(family, Path(folder) / "run")
        low, high = item["interval"]
        pca = ", ".join(f"{name.split(',')[1].strip().split()[0]}: {score:.3f}" for name, score in item["pca"].items())
        print(
            f"{family:11}{item['best']:24}{item['score']:>7.3f}  {f'{low:.3f} to {high:.3f}':16}{pca:24}"
            f"{item['seconds']:>8.0f}",
            flush=True,
        )
        if item["score"] > _WORST:
            missed.append(family)
    if given.json:
        about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "python": platform.python_version()}
        given.json.write_text(json.dumps(about | {"results": found}, indent=1) + "\n")
    for family in missed:
        print(f"MISSED {family} does not halve the mean's error")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
