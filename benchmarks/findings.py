"""How strong a problem must be to be found, and how often clean data are accused.

    python -m benchmarks.findings            # table; also benchmarks/results/findings.json

Each problem is injected at graded strength into eight real data sets that come with scikit-learn (six tables, patches
of two photographs), after their columns were brought to one scale and their rows shuffled; one random column or cell
set each time, ten times per data set and strength, with a hash split of train and eval. *Found* is a finding of the
right code that names the column, or a data set-wide one of that code that the clean rows did not raise. The false
alarms are all findings on the clean rows: every problem that they do have (equal rows in iris, pixels that never
change) was looked up and is listed in `KNOWN`. Exits 1 where clean data raise an error, or more than one
warning per 50 columns.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets

from aetfx.data.split import held_out
from aetfx.validation.checks import run_checks
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import summarize

RESULTS = Path(__file__).resolve().parent / "results" / "findings.json"
REPEATS = 10

# What the clean data sets truly have.
KNOWN = {
    ("digits", "data.constant_features"): "three pixels at the border are 0 in every image",
    ("iris", "data.duplicates"): "flowers 101 and 142 have the same four measurements",
    ("linnerud", "data.too_few_rows"): "20 rows of 6 columns",
}

Pair = tuple[np.ndarray, np.ndarray]  # train and eval rows


def clean_sets() -> dict[str, np.ndarray]:
    """Rows of like scale, shuffled, float64 (n, D)."""
    found = {}
    for name in ("breast_cancer", "wine", "diabetes", "iris", "digits"):
        found[name] = np.asarray(getattr(sklearn.datasets, f"load_{name}")().data, np.float64)
    linnerud = sklearn.datasets.load_linnerud()
    found["linnerud"] = np.concatenate([linnerud.data, linnerud.target], axis=1)
    for i, name in enumerate(("china", "flower")):
        grey = sklearn.datasets.load_sample_images().images[i].mean(axis=2)[:424, :640]
        patches = grey.reshape(53, 8, 80, 8).swapaxes(1, 2).reshape(-1, 64)
        found[name] = np.unique(patches, axis=0)  # patches of plain sky repeat
    for name, rows in found.items():
        spread = rows.std(axis=0)
        rows = (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        found[name] = np.random.default_rng(0).permutation(rows)
    return found


def _scaled(pair: Pair, j: int, factor: float, rng: np.random.Generator) -> Pair:
    for rows in pair:
        rows[:, j] *= factor
    return pair


def _marked(value: float) -> Callable[..., Pair]:
    def inject(pair: Pair, j: int, share: float, rng: np.random.Generator) -> Pair:
        train = pair[0]
        n = max(1, round(share * len(train)))
        train[rng.choice(len(train), n, replace=False), j] = value
        return pair

    return inject


def _outage(pair: Pair, j: int, length: float, rng: np.random.Generator) -> Pair:
    """A cell in twenty is empty, in runs of so many rows."""
    train = pair[0]
    for start in rng.choice(len(train), max(1, round(0.05 * len(train) / length))):
        train[start : start + int(length), j] = np.nan
    return pair


def _untold(pair: Pair, j: int, noise: float, rng: np.random.Generator) -> Pair:
    """A cell in ten is empty: where another column, with noise added, is largest."""
    train = pair[0]
    moving = np.flatnonzero(train.std(axis=0) > 0.1)
    score = train[:, rng.choice(moving[moving != j])] + noise * rng.normal(size=len(train))
    train[np.argsort(score)[-round(0.1 * len(train)) :], j] = np.nan
    return pair


def _eval_empty(pair: Pair, j: int, share: float, rng: np.random.Generator) -> Pair:
    evaluation = pair[1]
    evaluation[rng.choice(len(evaluation), max(1, round(share * len(evaluation))), replace=False), j] = np.nan
    return pair


def _zeros(pair: Pair, j: int, share: float, rng: np.random.Generator) -> Pair:
    """A column whose smallest value is half its median, with zeros."""
    everything = np.concatenate([rows[:, j] for rows in pair])
    for rows in pair:
        rows[:, j] += np.median(everything) - 2 * everything.min()
    train = pair[0]
    train[rng.choice(len(train), max(1, round(share * len(train))), replace=False), j] = 0.0
    return pair


def _skewed(pair: Pair, j: int, sigma: float, rng: np.random.Generator) -> Pair:
    for rows in pair:
        rows[:, j] = np.exp(sigma * rows[:, j])
    return pair


def _numbered(pair: Pair, j: int, spread: float, rng: np.random.Generator) -> Pair:
    """Each row has a number of its own, from so many times as many as there are rows."""
    n = sum(len(rows) for rows in pair)
    numbers = rng.choice(int(spread * n), n, replace=False)
    for rows, own in zip(pair, np.split(numbers, [len(pair[0])]), strict=True):
        rows[:, j] = own
    return pair


def _coded(pair: Pair, j: int, kinds: float, rng: np.random.Generator) -> Pair:
    shares = rng.dirichlet(np.full(int(kinds), 3.0))
    for rows in pair:
        rows[:, j] = rng.choice(int(kinds), len(rows), p=shares)
    return pair


def _outliers(pair: Pair, j: int, size: float, rng: np.random.Generator) -> Pair:
    train = pair[0]
    n = max(1, round(0.005 * len(train)))
    cells = rng.choice(len(train), n, replace=False)
    train[cells, j] = size * rng.uniform(1.0, 1.3, n) * rng.choice([-1, 1], n)
    return pair


def _constant(pair: Pair, j: int, share: float, rng: np.random.Generator) -> Pair:
    for rows in pair:
        rows[rng.random(len(rows)) < share, j] = 1.5
    return pair


def _copied(pair: Pair, j: int, noise: float, rng: np.random.Generator) -> Pair:
    train, evaluation = (np.column_stack([rows, rows[:, j] + noise * rng.normal(size=len(rows))]) for rows in pair)
    return train, evaluation


def _repeated(pair: Pair, j: int, share: float, rng: np.random.Generator) -> Pair:
    train, evaluation = pair
    again = train[rng.choice(len(train), max(1, round(share * len(train))))]
    return rng.permutation(np.concatenate([train, again])), evaluation


def _leaked(pair: Pair, j: int, share: float, rng: np.random.Generator) -> Pair:
    train, evaluation = pair
    n = max(1, round(share * len(evaluation)))
    evaluation[:n] = train[rng.choice(len(train), n)]
    return train, evaluation


def _shifted(pair: Pair, j: int, sds: float, rng: np.random.Generator) -> Pair:
    pair[1][:, j] += sds
    return pair


def _ordered(pair: Pair, j: int, share: float, rng: np.random.Generator) -> Pair:
    train, evaluation = pair
    chosen = np.flatnonzero(rng.random(len(train)) < share)
    train[chosen] = train[chosen[np.argsort(train[chosen, j])]]
    return train, evaluation


def _crossed(pair: Pair, j: int, distance: float, rng: np.random.Generator) -> Pair:
    """One row in a hundred exchanges half of its cells with a row that lies so far off along the first axis."""
    train = pair[0]
    centred = train - train.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    along /= along.std()
    for _ in range(max(1, round(0.005 * len(train)))):
        one = rng.integers(len(train))
        other = np.argmin(np.abs(along - (along[one] - np.sign(along[one]) * distance)))
        cells = rng.permutation(train.shape[1])[: train.shape[1] // 2]
        train[np.ix_([one, other], cells)] = train[np.ix_([other, one], cells)]
    return pair


PROBLEMS: dict[str, tuple[str, str, Callable[..., Pair], tuple[float, ...]]] = {
    "one column x f": ("data.scaling", "f", _scaled, (5, 10, 20, 50, 100, 1000)),
    "empty cells": ("data.missing", "share of a column", _marked(np.nan), (0.001, 0.01, 0.1, 0.6)),
    "-999 for missing": ("data.missing", "share of a column", _marked(-999.0), (0.002, 0.005, 0.01, 0.05, 0.2)),
    "mostly empty": ("data.missing.mostly", "share of a column", _marked(np.nan), (0.4, 0.55, 0.7, 0.95)),
    "outages, 5 %": ("data.missing.blocks", "rows in a run", _outage, (1, 2, 3, 5, 10, 20)),
    "untold values, 10 %": ("data.missing.tied", "noise in the choice, in sd", _untold, (0.0, 1.0, 2.0, 4.0, 1000.0)),
    "empty in eval only": ("data.missing.eval_only", "share of a column", _eval_empty, (0.005, 0.02, 0.1, 0.3)),
    "0 for missing": ("data.missing.zero", "share of a column", _zeros, (0.002, 0.01, 0.05, 0.2, 0.4)),
    "skewed column": ("data.scaling.skew", "sd of its logarithm", _skewed, (0.25, 0.5, 1.0, 1.5, 2.0)),
    "numbered rows": ("data.scaling.codes", "numbers per row", _numbered, (1, 3, 10, 100, 1000)),
    "codes of kinds": ("data.scaling.codes", "kinds", _coded, (2, 3, 5, 10, 20)),
    "outliers, 0.5 %": ("data.outliers", "standard deviations", _outliers, (4, 6, 8, 12, 20, 50, 200)),
    "rows crossed, 1 %": ("data.outliers.rows", "standard deviations apart", _crossed, (1, 2, 3, 4)),
    "nearly constant": ("data.constant_features", "share of one value", _constant, (0.9, 0.99, 0.999, 1.0)),
    "copied column": ("data.collinear|data.duplicates", "noise added, in sd", _copied, (0.0, 0.001, 0.01, 0.03, 0.1)),
    "repeated rows": ("data.duplicates", "share of rows", _repeated, (0.002, 0.01, 0.05, 0.2)),
    "rows in both sets": ("data.leak", "share of eval", _leaked, (0.002, 0.01, 0.05, 0.2)),
    "eval shifted": ("data.train_eval_shift", "standard deviations", _shifted, (0.1, 0.25, 0.5, 1.0, 2.0)),
    "rows in order": ("data.row_order", "share of rows sorted", _ordered, (0.1, 0.25, 0.5, 1.0)),
}


def split(rows: np.ndarray, seed: int) -> Pair:
    out = held_out(rows, 0.25, seed)
    return rows[~out].copy(), rows[out].copy()


def findings(pair: Pair) -> list[Finding]:
    return run_checks({name: summarize(rows, deep=True) for name, rows in zip(("train", "eval"), pair, strict=True)})


def is_found(found: list[Finding], clean: list[Finding], codes: list[str], j: int, n_columns: int) -> bool:
    """Whether a finding of the code names the column, or none of that code was there before."""
    before = {finding.code for finding in clean}
    for finding in found:
        if not any(finding.code == code or finding.code.startswith(code + ".") for code in codes):
            continue
        if finding.code not in before:
            return True
        named = json.dumps([finding.feature, finding.evidence.get("worst", [])], default=str)
        if f'"{j}"' in named or f'"{n_columns}"' in named:
            return True
    return False


def main() -> int:
    begun = time.perf_counter()
    data = clean_sets()
    alarms: list[dict[str, Any]] = []
    n_columns = 0
    for name, rows in data.items():
        for seed in range(REPEATS):
            n_columns += rows.shape[1]
            for finding in findings(split(rows, seed)):
                known = (name, finding.code) in KNOWN
                alarms.append({"data": name, "seed": seed, "code": finding.code, "severity": finding.severity,
                               "known": known, "message": finding.message})  # fmt: skip
    rates: dict[str, dict[str, float]] = {}
    for problem, (codes, _, inject, strengths) in PROBLEMS.items():
        rates[problem] = {}
        for strength in strengths:
            hits = []
            for k, rows in enumerate(data.values()):
                for seed in range(REPEATS):
                    rng = np.random.default_rng([k, seed])
                    pair = split(rows, seed)
                    moving = np.flatnonzero((pair[0].std(axis=0) > 0.1) & (pair[1].std(axis=0) > 0))
                    j = int(rng.choice(moving))
                    changed = inject((pair[0].copy(), pair[1].copy()), j, strength, rng)
                    hits.append(is_found(findings(changed), findings(pair), codes.split("|"), j, rows.shape[1]))
            rates[problem][f"{strength:g}"] = float(np.mean(hits))
    print(f"{'problem':20}{'strength':24}" + "detection rate at each strength, over 8 data sets x 10")
    for problem, (_, unit, _, _) in PROBLEMS.items():
        cells = "  ".join(f"{strength}: {rate:.0%}" for strength, rate in rates[problem].items())
        print(f"{problem:20}{unit:24}{cells}")
    false = [alarm for alarm in alarms if not alarm["known"]]
    errors = sum(alarm["severity"] == "error" for alarm in false)
    warnings = sum(alarm["severity"] == "warning" for alarm in false)
    print(
        f"\nclean: {errors} errors, {warnings} warnings on {n_columns} columns ({50 * warnings / n_columns:.2f} per 50)"
    )
    for line in sorted({f"  {a['severity']} {a['data']}: {a['code']}" for a in false}):
        print(line, sum(f"  {a['severity']} {a['data']}: {a['code']}" == line for a in false), "of", REPEATS)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    result = {"date": time.strftime("%Y-%m-%d"), "rates": rates, "errors": errors, "warnings": warnings,
              "columns": n_columns, "alarms": false}  # fmt: skip
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{time.perf_counter() - begun:.0f} s")
    return 1 if errors or 50 * warnings > n_columns else 0


if __name__ == "__main__":
    sys.exit(main())
