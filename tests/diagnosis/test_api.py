"""aetfx.diagnosis.api: what `diagnose` takes from Python, and what a refused request leaves behind."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import aetfx
from aetfx.diagnosis.api import diagnose
from aetfx.errors import AetfxError, DataError, ModelError, RunError, StudyError
from aetfx.run import Run

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(120, 2)) @ RNG.normal(size=(2, 4)) * [1, 1000, 1, 0.01]


def model(n=4, compiled=True, n_out=None):
    made = keras.Sequential([keras.Input((n,)), keras.layers.Dense(2), keras.layers.Dense(n_out or n)])
    if compiled:
        made.compile("adam", "mse")
    return made


def broken():
    raise KeyError("layer")


@pytest.mark.parametrize(
    ("given", "rows", "settings", "error", "said"),
    [
        ("model.keras", ROWS, {}, ModelError, "compiled keras.Model, or a function that returns one, but got str"),
        (lambda: model(compiled=False), ROWS, {}, ModelError, "not compiled"),
        (lambda: model(3), ROWS, {}, ModelError, "shape (4,)"),
        (lambda: model(n_out=3), ROWS, {}, ModelError, "shape (3,) for rows of shape (4,)"),
        (broken, ROWS, {}, ModelError, "KeyError"),
        (model, ROWS[0], {}, DataError, "shape (4,)"),
        (model, np.full((50, 4), np.nan), {}, DataError, "column '0' holds no numbers"),
        (model, np.ones((50, 4)), {}, DataError, "0 rows are left"),
        (model, ROWS.astype(str), {}, DataError, "holds no numbers"),
        (model, ROWS, {"x_val": ROWS[:, :3]}, DataError, "x_val: rows of shape (3,), but x_train has rows"),
        (model, ROWS, {"epochs": 0}, StudyError, "training.epochs"),
        (model, ROWS, {"batch_size": -1}, StudyError, "training.batch_size"),
        (model, ROWS, {"budget": 0}, StudyError, "diagnosis.budget"),
        (model, ROWS, {"features": ["0", "9"]}, DataError, "'9'"),
        (model, "gone.csv", {}, DataError, "gone.csv: no such file"),
    ],
)
def test_a_refused_request_is_one_line_and_leaves_nothing(given, rows, settings, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AetfxError) as caught:
        diagnose(given, rows, out="run", **{"epochs": 2, **settings})
    assert isinstance(caught.value, error)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_use_is_not_touched(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.npy").write_bytes(b"of the other process")
    with Run(tmp_path), pytest.raises(RunError, match="another aetfx process"):
        diagnose(model(), ROWS, epochs=2, out=tmp_path)
    assert (tmp_path / "data" / "train.npy").read_bytes() == b"of the other process"


def test_a_data_frame_keeps_its_names_and_its_selection(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(ROWS, columns=["small", "large", "unused", "tiny"])
    frame["word"] = "text"
    before = frame.copy()
    live = model(3)
    found = diagnose(live, frame, features=["tiny", "small", "large"], epochs=2, budget=1.0, out=".")
    pd.testing.assert_frame_equal(frame, before)
    assert found.record["study_name"] == tmp_path.name
    assert found.record["data"]["columns"] == 3
    findings = json.loads((tmp_path / "findings.json").read_text())["findings"]
    named = {finding["feature"] for finding in findings} - {None}
    assert named <= {"small", "large", "tiny"}
    scaling = [item for item in found.record["experiments"] if item["code"] == "data.scaling"]
    assert scaling, "unlike scales are seen"
    assert found.samples["names"].tolist() == ["tiny", "small", "large"]
    statistics = (tmp_path / "statistics" / "Split-train" / "FeatureStats.pb").read_bytes()
    assert b"tiny" in statistics
    assert b"unused" not in statistics


def test_without_experiments_signs_are_told_and_nothing_is_verified():
    found = aetfx.diagnose(model, ROWS, epochs=3, experiments=False)
    assert found.status == "inconclusive"
    assert not found.causes
    assert "data.scaling" in [item["code"] for item in found.suspected]
    assert found.record["experiments"] == []
    assert found.record["trials"] == 1
