"""Which thresholds for naming the tuning split asks for: fitted on all base programs but one, judged on that one.

    python -m benchmarks.diagnosis.fit DIR

Replays the naming of the first cause from what each diagnosis confirmed (`confirmed` in its result), under every
combination of a grid; the trainings stay what they are, so that only rules after them can be fitted: which gain, lower
bounds and drops are asked for. Chosen is what names most faults less what it alarms on healthy programs, each kind
counted as a share; of combinations that do as well, the nearest to the shipped one. The other splits are never read.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from aetfx.diagnosis.thresholds import Thresholds
from benchmarks.diagnosis.outcome import count

GRID = {
    "least_gain": (0.15, 0.20, 0.25, 0.30, 0.35),
    "least_lower_bound": (0.05, 0.10, 0.15, 0.20),
    "least_lower_bound_dear": (0.10, 0.15, 0.20, 0.25, 0.30),
    "least_lower_bound_good": (0.50, 0.60, 0.67, 0.75),
    "least_lower_bound_behind": (0.20, 0.30, 0.40, 0.50),
    "least_drop_strict": (0.005, 0.01, 0.02, 0.03),
    "least_drop": (0.02, 0.03, 0.04),
}
Values = dict[str, float]
_PLAIN = Thresholds().least_lower_bound_plain


@dataclass(frozen=True)
class Told:
    """One confirmed change of a first step."""

    code: str
    generous: bool
    dear: bool
    gain: float
    lower: float
    drop: float
    before: float
    behind: bool


@dataclass(frozen=True)
class Run:
    """One diagnosis: what it confirmed, what it named, and whether that was right."""

    base: str
    healthy: bool
    told: tuple[Told, ...]
    named: str | None
    supported: bool
    right: frozenset[str]

    def first(self, values: Values, target: float) -> str | None:
        """Returns the cause that these thresholds name first."""
        if self.supported:
            return self.named
        found = {item.code: item.gain for item in self.told if _verified(item, values, target)}
        if not found:
            return None
        return self.named if self.named in found else max(found, key=lambda code: found[code])

    def is_right(self, values: Values, target: float) -> bool:
        first = self.first(values, target)
        return first is None if self.healthy else first in self.right


def _verified(item: Told, values: Values, target: float) -> bool:
    bound = values["least_lower_bound_dear" if item.dear else "least_lower_bound"]
    drop = values["least_drop" if item.generous and not item.behind else "least_drop_strict"]
    if item.dear:
        excused = values["least_lower_bound_behind" if item.behind else "least_lower_bound_good"]
    else:
        excused = -math.inf if item.behind else _PLAIN
    if item.generous and item.before <= target and item.lower < excused:
        return False
    return item.gain >= values["least_gain"] and item.lower >= bound and item.drop >= drop


def read(folder: Path, target_far: float) -> list[Run]:
    """Reads the runs of the tuning split."""
    from aetfx.diagnosis.causes import REGISTRY

    found = []
    for path in sorted(folder.glob("*.*.json")):
        record = json.loads(path.read_text())
        if record["split"] != "tuning":
            continue
        for run in record["runs"]:
            if "confirmed" not in run:
                continue
            pca, causes = run["baseline"]["pca_score"], run["causes"]
            outcome = count(record, run)
            right = set(record["codes"]) | ({causes[0]["code"]} if causes and outcome.equivalent else set())
            told = tuple(
                Told(
                    code=item["code"],
                    generous=REGISTRY[item["code"]].generous,
                    dear=REGISTRY[item["code"]].generous and not REGISTRY[item["code"]].equal_cost,
                    gain=item["gain"],
                    lower=_lower(item["gain_interval"]),
                    drop=item["score_before"] - item["score"],
                    before=item["score_before"],
                    behind=pca is not None and item["score_before"] > target_far * pca,
                )
                for item in run["confirmed"]
                if item["step"] == 1 and item["gain"] is not None
            )
            found.append(
                Run(
                    base=record["case"].split(".")[0],
                    healthy=record["kind"] == "healthy",
                    told=told,
                    named=causes[0]["code"] if causes else None,
                    supported=bool(causes) and causes[0]["verdict"] == "supported",
                    right=frozenset(right),
                )
            )
    return found


def _lower(interval: list[float]) -> float:
    """Returns the lower bound of the mean, from the interval of a repetition, which is wider by the root of 2."""
    low, high = (-math.log1p(-min(bound, 1 - 1e-12)) for bound in interval)
    return -math.expm1(-((low + high) / 2 - (high - low) / (2 * math.sqrt(2))))


def worth(runs: list[Run], values: Values, target: float) -> float:
    """Returns the share of faults named less the share of healthy programs alarmed on."""
    faulty = [run.is_right(values, target) for run in runs if not run.healthy]
    silent = [run.is_right(values, target) for run in runs if run.healthy]
    return sum(faulty) / max(len(faulty), 1) + sum(silent) / max(len(silent), 1) - 1


def best(runs: list[Run], shipped: Values, target: float) -> Values:
    """Returns the combination of the grid that does best; of equals the nearest to the shipped one."""
    grid = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]

    def far(values: Values) -> float:
        return sum(abs(GRID[name].index(values[name]) - GRID[name].index(shipped[name])) for name in GRID)

    return max(grid, key=lambda values: (round(worth(runs, values, target), 9), -far(values)))


def main() -> int:
    from aetfx.study import DiagnosisSection

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    thresholds, target = Thresholds(), DiagnosisSection().target
    shipped = {name: float(getattr(thresholds, name)) for name in GRID}
    runs = read(given.folder, thresholds.pca_far)
    if not runs:
        print(f"{given.folder}: no results of the tuning split. Run benchmarks.diagnosis.run.", file=sys.stderr)
        return 2
    chosen: dict[str, collections.Counter[float]] = {name: collections.Counter() for name in GRID}
    right: collections.Counter[tuple[str, bool]] = collections.Counter()
    total: collections.Counter[bool] = collections.Counter(run.healthy for run in runs)
    for base in dict.fromkeys(run.base for run in runs):
        fitted = best([run for run in runs if run.base != base], shipped, target)
        for name, value in fitted.items():
            chosen[name][value] += 1
        for run in (run for run in runs if run.base == base):
            right["fitted", run.healthy] += run.is_right(fitted, target)
            right["shipped", run.healthy] += run.is_right(shipped, target)
    print(f"{len(runs)} runs of {len({run.base for run in runs})} base programs, each left out once")
    print(f"{'':32}{'named first':>14}{'healthy, silent':>18}")
    for name in ("fitted", "shipped"):
        cells = [f"{right[name, healthy]}/{total[healthy]}" for healthy in (False, True)]
        print(f"{name + ' thresholds':32}{cells[0]:>14}{cells[1]:>18}")
    for name, counter in chosen.items():
        often = ", ".join(f"{value:g} ({times})" for value, times in counter.most_common())
        print(f"{name:32}{shipped[name]:g} shipped; chosen {often}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
