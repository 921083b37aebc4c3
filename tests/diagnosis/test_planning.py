"""aetfx.diagnosis.planning: what a diagnosis would do, said before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.diagnosis.api import diagnose_study, plan_study
from aetfx.diagnosis.causes import REGISTRY
from aetfx.report.console import print_plan
from aetfx.study import parse_study
from tests.diagnosis.test_ending import ROWS, study

pytest.importorskip("keras")


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    return plan_study(study(tmp_path_factory.mktemp("plan")))


def states(planned):
    return {cause["code"]: cause["state"] for cause in planned["causes"]}


def test_every_cause_is_in_the_plan_with_its_state(planned):
    assert set(states(planned)) == set(REGISTRY)
    assert states(planned)["model.output_activation"] == "will be tried"
    assert states(planned)["data.missing"] == "ruled out"
    assert states(planned)["optimizer.undertrained"] == "after the first training"
    tried = next(cause for cause in planned["causes"] if cause["code"] == "model.output_activation")
    assert [experiment["name"] for experiment in tried["experiments"]] == ["output_activation=linear"]
    assert 0.9 < tried["experiments"][0]["cost"] < 1.1


def test_a_plan_trains_nothing_and_keeps_nothing(tmp_path, monkeypatch):
    import keras

    def trained(*args, **kwargs):
        raise AssertionError("something was trained")

    asked = study(tmp_path)
    monkeypatch.setattr(keras.Model, "fit", trained)
    monkeypatch.chdir(tmp_path)
    plan_study(asked)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]


@pytest.mark.slow
def test_the_diagnosis_keeps_to_its_plan(planned, tmp_path):
    found = diagnose_study(study(tmp_path), tmp_path / "run")
    tried = {item["code"] for item in found.record["experiments"]}
    assert tried <= {code for code, state in states(planned).items() if state != "ruled out"}
    assert found.record["cost"]["training_multiple"] <= planned["budget"]
    assert planned["rows"] == found.record["rows"]
    assert sum(planned["rows"].values()) == len(ROWS)


def test_a_shift_is_in_the_plan(tmp_path):
    np.save(tmp_path / "train.npy", ROWS)
    np.save(tmp_path / "eval.npy", ROWS + 3 * ROWS.std(axis=0) * np.sign(ROWS))
    tree = {
        "data": {name: str(tmp_path / f"{name}.npy") for name in ("train", "eval")},
        "model": {"hidden": [16], "bottleneck": 3},
    }
    planned = plan_study(parse_study(tree))
    assert states(planned)["data.train_eval_shift"] == "will be tried"
    assert sum(planned["rows"].values()) < 2 * len(ROWS), "half of the eval rows is set aside"


def test_the_plan_reads_well_in_a_narrow_terminal(planned, capsys):
    print_plan(planned)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "model.output_activation" in text
    assert f"{planned['budget']:.0f} T" in text
    assert np.isfinite(planned["unit_seconds"])
