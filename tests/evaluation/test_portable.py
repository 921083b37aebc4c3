"""Models are scored alike by workers that a job service has started (aetfx.evaluation.api)."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

import aetfx
from tests.portable import job_service_flags


def test_a_job_service_with_a_worker_process_of_its_own(tmp_path):
    rows = np.random.default_rng(0).normal(size=(300, 3)) @ np.diag([1.0, 10.0, 100.0])
    pd.DataFrame(rows, columns=["a", "b", "c"]).to_csv(tmp_path / "rows.csv", index=False)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(3)])
    model.set_weights([np.eye(3, 2), np.zeros(2), np.eye(2, 3), np.zeros(3)])  # gives a and b back, and 0 for c
    model.save(tmp_path / "model.keras")
    found = {}
    with job_service_flags() as flags:
        for name, given in (("here", ()), ("there", flags)):
            done = aetfx.evaluate(tmp_path / "model.keras", tmp_path / "rows.csv", slices=["a > 0"], beam_flags=given)
            found[name] = done.record
    here, there = found["here"], found["there"]
    assert here["rows"]["scored"] == there["rows"]["scored"] == 300
    (one,), (other,) = here["configurations"], there["configurations"]
    assert one["score"] == pytest.approx(10_000 / 10_101, abs=0.01)
    for key in ("score", "low", "high"):
        assert one[key] == pytest.approx(other[key], rel=1e-9)
