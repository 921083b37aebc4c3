"""`compare`: configurations trained on the same rows, ranked by score, once each (aetfx.comparison.api)."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest

from aetfx.comparison import lab
from aetfx.comparison.api import compare_study
from aetfx.errors import StudyError
from aetfx.run import read_json
from aetfx.study import Study, load_study

STUDY = """
data: {train: rows.csv, eval: 0.3}
model: {hidden: [6], bottleneck: 2, activation: tanh}
training: {epochs: 3, batch_size: 8}
compare: {training.learning_rate: [0.001, 0.05]}
"""


@dataclasses.dataclass
class Compared:
    """A finished comparison: the study's folder, its run directory, what was returned, and what was trained."""

    folder: object
    out: object
    record: dict
    trained: list[str]

    @property
    def study(self) -> Study:
        return load_study(self.folder / "study.yaml")

    def row(self, name: str) -> dict:
        return next(row for row in self.record["rows"] if row["name"] == name)


@pytest.fixture(scope="module")
def train():
    """Keeps a list of what is trained by the real `train`."""
    real, names = lab.train, []

    def counting(recipe, *args, **kwargs):
        names.append(recipe.name)
        return real(recipe, *args, **kwargs)

    lab.train = counting
    yield names
    lab.train = real


@pytest.fixture(scope="module")
def compared(train, tmp_path_factory):
    """100 rows of 4 columns that two numbers describe; two learning rates, 3 epochs."""
    folder = tmp_path_factory.mktemp("compare")
    write_rows(folder / "rows.csv", seed=0)
    (folder / "study.yaml").write_text(STUDY)
    out = folder / "run"
    record = compare_study(load_study(folder / "study.yaml"), out)
    return Compared(folder, out, record, list(train))


def write_rows(path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(100, 2)) @ rng.normal(size=(2, 4)) + 0.05 * rng.normal(size=(100, 4))
    np.savetxt(path, rows, delimiter=",", header="a,b,c,d", comments="", fmt="%.6f")


def test_configurations_are_ranked_by_score(compared):
    rows = [row for row in compared.record["rows"] if row.get("kind") != "reference"]
    assert [row["name"] for row in rows] == ["learning_rate=0.05", "baseline"], "3 epochs want large steps"
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores)
    for row in rows:
        low, high = row["interval"]
        assert 0 <= low <= row["score"] <= high
        assert row["score"] <= row["worst"]
        assert row["seeds"] == 3
        assert row["seconds"] > 0
    assert len({row["configuration"] for row in rows}) == 2


def test_gain_is_over_the_baseline(compared):
    best, baseline = compared.row("learning_rate=0.05"), compared.row("baseline")
    assert baseline["gain"] is None
    assert 0 < best["gain"] < 1
    low, high = best["gain_interval"]
    assert low <= best["gain"] <= high
    assert best["gain"] == pytest.approx(1 - best["score"] / baseline["score"], abs=0.1)


def test_references_stand_beside(compared):
    references = {row["name"]: row["score"] for row in compared.record["rows"] if row.get("kind") == "reference"}
    assert references["mean of the train rows"] == 1.0
    pca = references.pop("PCA, 2 numbers")
    assert 0 < pca < 0.05, "two directions carry all but the noise"
    assert compared.record["held_out_rows"] == pytest.approx(30, abs=12)


def test_scores_are_those_of_the_models_that_were_kept(compared):
    """Read back and computed by hand: mean over columns of squared error over variance around the train mean."""
    import keras

    from aetfx.data.split import held_out

    rows = np.loadtxt(compared.folder / "rows.csv", delimiter=",", skiprows=1)
    out = held_out(rows, 0.3, 0)
    train_rows, held = rows[~out], rows[out]
    row = compared.row("baseline")
    folder = compared.out / "configurations" / f"baseline-{row['configuration'][:8]}"
    found = []
    for seed in range(3):
        model = keras.models.load_model(folder / f"seed-{seed}" / "model.keras")
        error = ((np.asarray(model(held.astype("float32"))) - held) ** 2).sum(axis=0)
        variance = ((held - train_rows.mean(axis=0)) ** 2).sum(axis=0)
        pooled, by_column = error.sum() / variance.sum(), (error / variance).mean()
        found.append(by_column if compared.record["features"] == "table" else pooled)
    assert row["score"] == pytest.approx(np.mean(found), rel=1e-4)
    assert row["worst"] == pytest.approx(np.max(found), rel=1e-4)


def test_the_run_directory_holds_it_all(compared):
    assert read_json(compared.out / "comparison.json") == compared.record
    assert compared.record["schema_version"] == 1
    assert load_study(compared.out / "study.yaml").compare == compared.study.compare
    assert (compared.out / "findings.json").exists()
    assert len(list((compared.out / "tensorboard").glob("*/seed-*"))) == 6
    assert not (compared.out / ".lock").exists()
    assert sorted(compared.trained) == ["baseline"] * 3 + ["learning_rate=0.05"] * 3, "each once per seed"


@pytest.fixture
def again(compared, train, tmp_path):
    """A copy of the finished comparison, which a test may change; nothing is trained yet."""
    shutil.copytree(compared.folder, tmp_path / "copy")
    train.clear()
    return dataclasses.replace(compared, folder=tmp_path / "copy", out=tmp_path / "copy" / "run", trained=train)


def test_a_second_call_trains_nothing(again):
    assert compare_study(again.study, again.out) == again.record
    assert again.trained == []


def test_a_comparison_that_was_cut_off_uses_the_trials_it_has(again):
    (again.out / "lineage.json").unlink()
    shutil.rmtree(next((again.out / "configurations").glob("baseline-*")) / "seed-1")
    record = compare_study(again.study, again.out)
    assert again.trained == ["baseline"]
    scores, before = ([row["score"] for row in found["rows"]] for found in (record, again.record))
    assert scores == pytest.approx(before), "the same numbers as without the interruption"


def test_one_more_alternative_trains_that_one_only(again):
    (again.folder / "study.yaml").write_text(STUDY.replace("[0.001, 0.05]", "[0.001, 0.05, 0.01]"))
    record = compare_study(again.study, again.out)
    assert again.trained == ["learning_rate=0.01"] * 3
    assert len(record["rows"]) == len(again.record["rows"]) + 1


def test_other_data_under_the_same_name_are_trained_on(again):
    """A mended file must not be judged by models that were trained on the broken one."""
    write_rows(again.folder / "rows.csv", seed=1)
    record = compare_study(again.study, again.out)
    assert len(again.trained) == 6
    assert record["rows"][0]["score"] != again.record["rows"][0]["score"]


def test_nothing_to_compare_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "study.yaml").write_text("data: {train: gone.csv}\n")
    with pytest.raises(StudyError, match=r"study: nothing to compare. Add alternatives, e.g. compare: \{training"):
        compare_study(load_study(tmp_path / "study.yaml"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
