"""What `compare` leaves of its held-out rows (aetfx.comparison.evaluating), and `aetfx evaluate` on what it left."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

import aetfx
from aetfx.comparison.api import compare_study
from aetfx.data.split import held_out
from aetfx.errors import ModelError, StudyError
from aetfx.evaluation.entries import find_entries
from aetfx.run import read_json
from aetfx.study import load_study
from aetfx.tensorboard_plugin.reading import read_found

STUDY = """
data: {train: rows.csv, eval: 0.3}
preprocessing: {scaling: standard}
model: {hidden: [6], bottleneck: 2, activation: tanh}
training: {epochs: 2, batch_size: 16}
compare: {training.learning_rate: [0.001, 0.05]}
sweep: {seeds: 2}
evaluation: {slices: ["a@2", "b > 0"], thresholds: {score: 0.0001}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluating")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 4)) + 0.05 * rng.normal(size=(200, 4))
    np.savetxt(folder / "rows.csv", rows, delimiter=",", header="a,b,c,d", comments="", fmt="%.6f")
    (folder / "study.yaml").write_text(STUDY)
    compare_study(load_study(folder / "study.yaml"), folder / "run")
    return folder


def test_it_tells_the_same_as_the_leaderboard(folder):
    comparison, evaluation = (read_json(folder / "run" / f"{name}.json") for name in ("comparison", "evaluation"))
    ranked = {row["configuration"]: row for row in comparison["rows"] if row.get("configuration")}
    assert [c["name"] for c in evaluation["configurations"]] == ["baseline", "learning_rate=0.05"]
    for found in evaluation["configurations"]:
        row = ranked[found["id"]]
        assert found["score"] == pytest.approx(row["score"], rel=1e-9)
        assert [found["low"], found["high"]] == pytest.approx(row["interval"], rel=1e-9)
        assert found["seeds"] == 2
        assert found["codes"] == 2
    assert evaluation["configurations"][1]["settings"] == {"training.learning_rate": 0.05}
    assert evaluation["rows"]["scored"] == comparison["held_out_rows"]
    assert evaluation["rows"]["train"] == comparison["train_rows"]
    references = {row["name"]: row["score"] for row in comparison["rows"] if row.get("kind") == "reference"}
    assert {row["name"]: row["score"] for row in evaluation["references"]} == references
    (pair,) = evaluation["paired"]
    assert pair["gain"] == pytest.approx(ranked[pair["b"]]["gain"], rel=1e-9)
    assert evaluation["thresholds"]["blessed"] is False
    assert read_json(folder / "run" / "blessing.json")["name"] == "learning_rate=0.05"


def test_columns_of_the_train_rows_before_and_after_preprocessing(folder):
    rows = np.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1)
    train = rows[~held_out(rows, 0.3, 0)]
    with np.load(folder / "run" / "samples.npz", allow_pickle=False) as samples:
        levels, raw, fed = (samples[f"quantile{name}"] for name in ("_levels", "s_raw", "s_fed_before"))
    middle = int(np.argmin(np.abs(levels - 0.5)))
    assert levels[middle] == 0.5
    assert raw[middle] == pytest.approx(np.median(train, axis=0), abs=0.02)
    scaled = (train - train.mean(axis=0)) / train.std(axis=0)
    assert fed[middle] == pytest.approx(np.median(scaled, axis=0), abs=0.02)
    assert read_found(folder / "run").quantiles.keys() == {"levels", "raw", "fed_before"}


def test_slices_and_samples_are_of_the_held_out_rows(folder):
    rows = np.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1)
    out = held_out(rows, 0.3, 0)
    evaluation = read_json(folder / "run" / "evaluation.json")
    sizes = {part["name"]: part["n_rows"] for part in evaluation["slices"]}
    middle = np.quantile(rows[~out, 0], 0.5, method="lower")
    low = f"a <= {middle:.6g}"
    assert sizes == {
        "all": out.sum(),
        low: (rows[out, 0] <= middle).sum(),
        low.replace("<=", ">"): (rows[out, 0] > middle).sum(),
        "b > 0": (rows[out, 1] > 0).sum(),
    }
    table = pq.read_table(folder / "run" / "evaluation.parquet").to_pandas()
    assert set(table.split) == {"select", "confirm", "held_out"}
    assert set(table[table.split == "held_out"].slice) == set(sizes)
    with np.load(folder / "run" / "samples.npz", allow_pickle=False) as samples:
        assert samples["truth"] == pytest.approx(rows[samples["place"]].astype(np.float32))
        assert out[samples["place"]].all()
        assert samples["restored_1"].shape == samples["truth"].shape
        assert samples["code_0"].shape == (len(samples["truth"]), 2)
        distance = ((samples["restored_1"] - samples["truth"]) ** 2).sum(axis=1) / rows[~out].var(axis=0).sum()
        assert samples["error"][1] == pytest.approx(distance, rel=1e-3)


def test_evaluate_scores_the_run_directory_by_configuration(folder):
    rows = np.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1)
    out = held_out(rows, 0.3, 0)
    found = aetfx.evaluate(folder / "run", rows[out], train=rows[~out])
    before = read_json(folder / "run" / "evaluation.json")
    for mine, theirs in zip(found.record["configurations"], before["configurations"], strict=True):
        assert (mine["id"], mine["name"], mine["seeds"]) == (theirs["id"], theirs["name"], theirs["seeds"])
        assert mine["settings"] == theirs["settings"]
        assert mine["codes"] == 2, "that of the network inside its scaling"
        assert mine["score"] == pytest.approx(theirs["score"], rel=1e-5)
        assert [mine["low"], mine["high"]] == pytest.approx([theirs["low"], theirs["high"]], rel=1e-4)


@pytest.mark.parametrize(
    ("section", "kind", "said"),
    [
        ("{slices: [z > 0]}", StudyError, "no column 'z'"),
        ("{thresholds: {slices: {a@2: 0.5}}}", StudyError, "not the name of one slice"),
        ("{thresholds: {against: gone.keras}}", ModelError, "no such model file"),
        ("{thresholds: {scoer: 1}}", StudyError, "Did you mean 'score'"),
        ("{thresholds: {score: -1}}", StudyError, "a number above 0"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(folder, tmp_path, monkeypatch, section, kind, said):
    def never(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr("aetfx.comparison.lab.train", never)
    (tmp_path / "rows.csv").write_text((folder / "rows.csv").read_text())
    (tmp_path / "study.yaml").write_text(STUDY.split("evaluation:")[0] + f"evaluation: {section}\n")
    with pytest.raises(kind, match=said):
        compare_study(load_study(tmp_path / "study.yaml"), tmp_path / "run")


def test_single_files_of_a_run_are_named_after_what_they_are(folder):
    files = sorted((folder / "run" / "configurations").glob("*/seed-*/model.keras"))
    names = {entry.name for entry in find_entries(files)}
    assert names == {f"{name}, seed {seed}" for name in ("baseline", "learning_rate=0.05") for seed in (0, 1)}
