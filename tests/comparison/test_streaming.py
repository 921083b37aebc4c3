"""aetfx compare on rows that are too many for memory: streamed from disk, judged by samples, and gone on with."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aetfx.comparison.api import compare_study
from aetfx.comparison.request import open_request
from aetfx.errors import DataError
from aetfx.study import parse_study

RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(3000, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(3000, 6))).astype("float32")
FEW = 40_000 / 2**30  # gigabytes: the rows take 72,000 bytes


def study(folder, memory=FEW, **data):
    np.save(folder / "rows.npy", ROWS)
    return parse_study(
        {
            "data": {"train": str(folder / "rows.npy"), "memory": memory, **data},
            "preprocessing": {"scaling": "standard"},
            "model": {"hidden": [8], "bottleneck": 2},
            "training": {"epochs": 6, "processes": 1, "learning_rate": 0.01},
            "compare": {"model.bottleneck": [1, 2]},
            "sweep": {"seeds": 2},
        }
    )


def scores(record):
    return {row["name"]: row["score"] for row in record["rows"] if row.get("kind") != "reference"}


def test_it_comes_to_what_it_comes_to_in_memory(tmp_path):
    streamed = compare_study(study(tmp_path), tmp_path / "streamed")
    whole = compare_study(study(tmp_path, 1.0), tmp_path / "whole")
    assert streamed["train_rows"] == whole["train_rows"] > 2000
    assert streamed["held_out_rows"] < whole["held_out_rows"]
    assert not (tmp_path / "whole" / "data").exists()
    for name, score in scores(whole).items():
        assert scores(streamed)[name] == pytest.approx(score, rel=0.15)
    again = compare_study(study(tmp_path), tmp_path / "again")
    assert scores(again) == scores(streamed)


@pytest.mark.slow
def test_a_finished_trial_is_used_again_only_for_the_same_rows(tmp_path):
    first = compare_study(study(tmp_path), tmp_path / "run")
    trials = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("configurations/*/*/trial.json")}
    (tmp_path / "run" / "lineage.json").unlink()
    assert scores(compare_study(study(tmp_path), tmp_path / "run")) == scores(first)
    assert {path: path.stat().st_mtime_ns for path in trials} == trials
    given = study(tmp_path)
    np.save(tmp_path / "rows.npy", ROWS[::-1] * 2)
    compare_study(given, tmp_path / "run")
    assert all(path.stat().st_mtime_ns > time for path, time in trials.items() if path.exists())


def test_eval_rows_of_a_file_of_their_own_are_sampled(tmp_path):
    np.save(tmp_path / "eval.npy", ROWS[:1000] + 0.01)
    record = compare_study(study(tmp_path, eval=str(tmp_path / "eval.npy")), tmp_path / "run")
    assert record["train_rows"] == 3000
    assert 300 < record["held_out_rows"] < 1000


def test_a_diagnosis_keeps_a_sample_and_labels_are_refused_then(tmp_path):
    request = open_request(study(tmp_path)).loaded()
    assert request.rows.is_sample
    assert len(request.rows) == 40_000 // 24
    np.save(tmp_path / "labels.npy", np.zeros((3000, 1), int))
    with pytest.raises(DataError, match=r"data.labels: .* Raise data.memory"):
        open_request(study(tmp_path, labels=str(tmp_path / "labels.npy"))).loaded()


def test_what_is_wrong_with_large_rows_is_said(tmp_path):
    given = study(tmp_path, target=str(tmp_path / "asked.npy"))
    np.save(tmp_path / "asked.npy", ROWS[:-1])
    with pytest.raises(DataError, match="fewer targets than there are rows"):
        compare_study(given, tmp_path / "run")
    assert not list((tmp_path / "run").glob("data/*.json"))
    np.save(tmp_path / "rows.npy", np.full_like(ROWS, np.nan))
    with pytest.raises(DataError, match="no"):
        compare_study(study_of_nothing(tmp_path), tmp_path / "run")


def study_of_nothing(folder):
    given = study(folder)
    np.save(folder / "rows.npy", np.full_like(ROWS, np.nan))
    return given


def test_the_samples_are_kept_with_the_rows(tmp_path):
    compare_study(study(tmp_path), tmp_path / "run")
    about = json.loads((tmp_path / "run" / "data" / "about.json").read_text())
    assert about["n_read"] == 3000
    assert sum(about["disk"][0]["counts"]) + about["n_held_out"] == 3000
