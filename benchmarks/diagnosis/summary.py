"""Counts a folder of results: per cause and overall, splits apart, with Wilson 95 % intervals.

    python -m benchmarks.diagnosis.summary DIR [--misses]

Writes `summary.json` into the folder. `outcome.py` says what counts as what. Exits 1 where the held-out split misses
one of the bounds of the acceptance (`BOUNDS`).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.diagnosis.outcome import Outcome, count
from benchmarks.diagnosis.splits import SPLITS
from benchmarks.diagnosis.verify import read as measured

BOUNDS = {
    "top-1 with equivalents": ("at least", 0.85),
    "top-3 strict": ("at least", 0.95),
    "false alarms": ("at most", 0.05),
    "inconclusive, healthy": ("at most", 0.10),
    "promised gain holds": ("at least", 0.90),
}
MOST_MULTIPLE, MOST_SECONDS = 5.0, 90.0  # of the median cost; either will do, since every T here is below 20 s


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def read(folder: Path) -> list[Outcome]:
    """Reads the results of all programs; several runs of one program are several outcomes.

    Programs that are choices (`verify.py`) are neither faulty nor healthy, and are left out.
    """
    found = []
    for path in sorted(folder.glob("*.*.json")):
        record = json.loads(path.read_text())
        base, name = path.stem.split(".", 1)
        if not measured(base)["cases"].get(name, {}).get("choice"):
            found += [count(record, run) for run in record["runs"]]
    return found


def shares(outcomes: list[Outcome]) -> dict[str, tuple[int, int]]:
    """Returns hits and number of each measure."""
    faulty = [item for item in outcomes if item.kind != "healthy"]
    healthy = [item for item in outcomes if item.kind == "healthy"]
    told = [item for item in faulty if item.holds is not None]
    return {
        "top-1 strict": (sum(item.strict for item in faulty), len(faulty)),
        "top-1 with equivalents": (sum(item.equivalent for item in faulty), len(faulty)),
        "top-3 strict": (sum(item.top3 for item in faulty), len(faulty)),
        "top-3 with equivalents": (sum(item.top3_equivalent for item in faulty), len(faulty)),
        "inconclusive, faulty": (sum(item.status == "inconclusive" for item in faulty), len(faulty)),
        "errors": (sum(item.status == "error" for item in outcomes), len(outcomes)),
        "false alarms": (sum(item.status == "faulty" for item in healthy), len(healthy)),
        "inconclusive, healthy": (sum(item.status == "inconclusive" for item in healthy), len(healthy)),
        "promised gain holds": (sum(bool(item.holds) for item in told), len(told)),
    }


def cost(outcomes: list[Outcome]) -> dict[str, float]:
    """Returns medians of the wall seconds and of the multiples of T."""
    if not outcomes:
        return {}
    return {
        "median_seconds": round(statistics.median(item.wall_s for item in outcomes), 1),
        "median_multiple": round(statistics.median(item.multiple for item in outcomes), 1),
        "worst_seconds": round(max(item.wall_s for item in outcomes), 1),
    }


def summarize(outcomes: list[Outcome]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for split in SPLITS:
        part = [item for item in outcomes if item.split == split]
        result[split] = {
            "overall": shares(part),
            "cost": cost(part),
            "codes": {
                code: shares([item for item in part if item.kind == "fault" and item.codes[0] == code])
                for code in sorted({item.codes[0] for item in part if item.kind == "fault"})
            },
            "compounds": shares([item for item in part if item.kind == "compound"]),
        }
    return result


def _cell(pair: tuple[int, int]) -> str:
    hits, n = pair
    if n == 0:
        return "-"
    low, high = wilson(hits, n)
    return f"{hits}/{n} = {hits / n:.0%} ({low:.0%} to {high:.0%})"


def show(result: dict[str, Any], outcomes: list[Outcome], *, misses: bool) -> None:
    """Prints the tables, a column for each split that has results."""
    shown = {split: found for split, found in result.items() if found["cost"]}
    print(f"{'':28}" + "".join(f"{split:32}" for split in shown))
    for name in next(iter(shown.values()))["overall"]:
        print(f"{name:28}" + "".join(f"{_cell(found['overall'][name]):32}" for found in shown.values()))
    for name in ("median_seconds", "median_multiple", "worst_seconds"):
        print(f"{name.replace('_', ' '):28}" + "".join(f"{found['cost'][name]!s:32}" for found in shown.values()))
    print(f"\n{'strict / equivalent / top-3 of n':44}" + "".join(f"{split:>18}" for split in shown))
    codes = sorted({code for found in shown.values() for code in found["codes"]})
    keys = ("top-1 strict", "top-1 with equivalents", "top-3 with equivalents")
    for name in [*codes, "compounds"]:
        cells = []
        for found in shown.values():
            counted = found["compounds"] if name == "compounds" else found["codes"].get(name)
            one, same, three = [counted[key] for key in keys] if counted else [(0, 0)] * 3
            cells.append(f"{one[0]}/{same[0]}/{three[0]} of {one[1]}" if one[1] else "-")
        print(f"{name:44}" + "".join(f"{cell:>18}" for cell in cells))
    if misses:
        print()
        for item in outcomes:
            missed = item.status == "faulty" if item.kind == "healthy" else not (item.equivalent and item.top3)
            if missed:
                ratio = "" if item.repaired_ratio is None else f", repaired to {item.repaired_ratio:.2f}x of good"
                print(f"{item.case} ({' + '.join(item.codes) or 'healthy'}): {item.status} {list(item.ranking)}{ratio}")


def report(folder: Path, *, misses: bool = False) -> int:
    """Counts a folder, prints the tables and writes `summary.json`; returns the exit status."""
    outcomes = read(folder)
    if not outcomes:
        print(f"{folder}: no results. Run python -m benchmarks.diagnosis.run first.", file=sys.stderr)
        return 2
    result = summarize(outcomes)
    show(result, outcomes, misses=misses)
    (folder / "summary.json").write_text(json.dumps(result, indent=1) + "\n")
    missed = []
    for name, (side, bound) in BOUNDS.items():
        hits, n = result["held_out"]["overall"][name]
        if n and (hits / n < bound if side == "at least" else hits / n > bound):
            missed.append(f"{name} is {hits / n:.0%}, not {side} {bound:.0%}")
    spent = result["held_out"]["cost"]
    if spent and spent["median_multiple"] > MOST_MULTIPLE and spent["median_seconds"] > MOST_SECONDS:
        missed.append(f"the median diagnosis takes {spent['median_multiple']} T and {spent['median_seconds']} s")
    if missed:
        print("\nheld out: " + "; ".join(missed))
    return 1 if missed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--misses", action="store_true", help="list what was not found, and false alarms")
    given = parser.parse_args()
    return report(given.folder, misses=given.misses)


if __name__ == "__main__":
    sys.exit(main())
