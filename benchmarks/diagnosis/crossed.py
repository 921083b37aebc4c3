"""Which faults of data and code are admitted before anything is trained, on the rows of every program that was seen.

    python -m benchmarks.diagnosis.crossed [--only NAME ...] [--faults NAME ...] [--json FILE]

Every fault below is put into the rows of every program of the suite that is not held out, where its `data` can take it
and the fault changes something, and the diagnosis is planned as for a user. *Admitted* is what the plan tries or leaves
to the first training. Nothing is trained, so that a thousand combinations take half an hour; whether each would be
kept as a fault is not measured, and a cell that is not admitted is a question rather than a miss.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diagnosis.damage import Late, Marked, Mispaired, Rescaled, Spikes, Stuck
from benchmarks.diagnosis.program import Data, Program, names
from benchmarks.diagnosis.splits import split_of

OUTLIERS, MISSING, CONSTANT = "data.outliers", "data.missing", "data.constant_features"
TARGET, PREPARED, SHIFT = "code.target_mismatch", "code.train_eval_preprocessing_mismatch", "data.train_eval_shift"
LEAST_MOVE = 0.5  # rms way of the eval rows, in sd of train: less is no fault
LEAST_APART = 0.25  # the same of their means, where cells only change places: rows that look alike so have none


def turned_over(rows: np.ndarray) -> np.ndarray:
    """Columns, lines of a picture or steps of a sequence from the last to the first."""
    return np.ascontiguousarray(rows[:, ::-1])


def blue_first(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows[..., ::-1]) if rows.ndim == 4 and rows.shape[-1] == 3 else rows


def along_the_widest(rows: np.ndarray) -> np.ndarray:
    """Orders rows by their first principal component."""
    flat = rows.reshape(len(rows), -1)
    flat = (flat - flat.mean(axis=0)) / np.where(flat.std(axis=0) > 0, flat.std(axis=0), 1)
    return np.asarray(flat @ np.linalg.svd(flat[:2000], full_matrices=False)[2][0])


FAULTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "spikes": (OUTLIERS, {"damage": Spikes(0.003, 50.0)}),
    "many spikes": (OUTLIERS, {"damage": Spikes(0.01, 40.0)}),
    "few spikes": (OUTLIERS, {"damage": Spikes(0.0005, 100.0)}),
    "NaN": (MISSING, {"damage": Marked(0.01, float("nan"))}),
    "-999": (MISSING, {"damage": Marked(0.02, -999.0)}),
    "9999 in every fourth": (MISSING, {"damage": Marked(0.05, 9999.0, every=4)}),
    "stuck": (CONSTANT, {"damage": Stuck(20), "scaler": "standard"}),
    "many stuck": (CONSTANT, {"damage": Stuck(60), "scaler": "standard"}),
    "late": (TARGET, {"target": Late()}),
    "mispaired": (TARGET, {"target": Mispaired()}),
    "inverted": (TARGET, {"target": Rescaled(-1.0, 1.0)}),
    "tenfold": (TARGET, {"target": Rescaled(10.0)}),
    "eval standardised": (PREPARED, {"eval_scaler": "standard"}),
    "eval between its extremes": (PREPARED, {"eval_scaler": "minmax"}),
    "eval as it was": (PREPARED, {"eval_scaler": "none"}),
    "eval standardised as a whole": (PREPARED, {"eval_scaler": "pooled"}),
    "eval divided by 255": (PREPARED, {"eval_scaler": 255.0}),
    "eval turned over": (PREPARED, {"eval_rows": turned_over}),
    "eval with blue first": (PREPARED, {"eval_rows": blue_first}),
    "in order": (SHIFT, {"train_first": along_the_widest}),
}


def combinations(only: list[str], faults: list[str]) -> Iterator[tuple[Program, str, Data, Callable[[], Any]]]:
    """Yields programs, faults, the rows with the fault where it changes something, and what builds a model for them."""
    for base in names():
        if split_of(base) == "held_out" or (only and base not in only):
            continue
        program = Program(base)
        good = program.data()
        if good.x_val is None or not isinstance(good.x_train, np.ndarray):
            continue
        for name in faults or FAULTS:
            code, changes = FAULTS[name]
            if good.y_train is not None and code != PREPARED:
                continue  # what denoising asks back is made from the rows before they are damaged
            if code == CONSTANT and good.x_train.ndim != 2:
                continue
            if "eval_rows" in changes:
                moved = changes["eval_rows"](good.x_val)
                if good.y_train is None and _apart(moved, good.x_val) >= LEAST_APART:
                    yield program, name, dataclasses.replace(good, x_val=moved), program.module.build
                continue
            try:
                data = program.module.data(**changes)
            except TypeError:  # it knows no such argument
                continue
            if code == PREPARED and _way(data.x_val, good.x_val) < LEAST_MOVE:
                continue
            fits = data.x_train.shape[1:] == good.x_train.shape[1:]
            yield program, name, data, program.module.build if fits else _plain(data.x_train.shape[1])


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    spread = np.sqrt(np.mean(other.var(axis=0)))
    return float(np.sqrt(np.mean(np.square(one.mean(axis=0) - other.mean(axis=0)))) / spread)


def _way(one: np.ndarray | None, other: np.ndarray) -> float:
    assert one is not None
    spread = other.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.where(spread > 0, (one - other) / spread, 0.0)
    return float(np.sqrt(np.mean(np.square(away))))


def planned(program: Program, data: Data, build: Callable[[], Any]) -> dict[str, dict[str, Any]]:
    """Returns the plan's causes by code."""
    from aetfx.diagnosis.api import request_in_memory
    from aetfx.diagnosis.planning import plan_request

    with tempfile.TemporaryDirectory(prefix="crossed-") as folder:
        request = request_in_memory(
            build, data.x_train, data.x_val, **data.asked, **program.module.FIT, directory=Path(folder)
        )
        return {cause["code"]: cause for cause in plan_request(request, progress=None)["causes"]}


def _plain(width: int) -> Callable[[], Any]:
    def build() -> Any:
        import keras

        sizes = (32, 8, 32)
        hidden = [keras.layers.Dense(units, "relu" if units > 8 else "linear") for units in sizes]
        model = keras.Sequential([keras.Input((width,)), *hidden, keras.layers.Dense(width)])
        model.compile("adam", "mse")
        return model

    return build


def main(argv: list[str] | None = None) -> int:
    """Plans all combinations; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these programs")
    parser.add_argument("--faults", nargs="+", default=[], metavar="NAME", choices=list(FAULTS), help="these faults")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found here as well")
    asked = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found: dict[str, dict[str, str]] = {name: {} for name in asked.faults or FAULTS}
    for program, name, data, build in combinations(asked.only, asked.faults):
        code = FAULTS[name][0]
        try:
            cause = planned(program, data, build)[code]
            said = "" if cause["state"] != "ruled out" else cause["reason"]
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        found[name][program.base] = said
        if said:
            print(f"{program.base}, {name}: {said}", flush=True)
        if asked.json:
            asked.json.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{'fault':<30} {'cause':<42} admitted")
    for name, programs in found.items():
        if programs:
            admitted = sum(not said for said in programs.values())
            print(f"{name:<30} {FAULTS[name][0]:<42} {admitted} of {len(programs)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
