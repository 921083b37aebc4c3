"""Tests of `aetfx.diagnose`, end to end: real rows, real Beam, real training."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_wine

import aetfx
from tests.diagnosis.test_causes import PLANE, make_case


def _model(n_columns: int):
    import keras

    model = keras.Sequential(
        [
            keras.Input((n_columns,)),
            keras.layers.Dense(12, "relu"),
            keras.layers.Dense(4),
            keras.layers.Dense(12, "relu"),
            keras.layers.Dense(n_columns),
        ]
    )
    model.compile("adam", "mse")
    return model


@pytest.fixture(scope="module")
def wine():
    """Wine: 13 columns whose ranges run from 0.5 to 1,400; held-out rows of the same wines."""
    rows = load_wine().data
    order = np.random.default_rng(0).permutation(len(rows))
    return rows[order[:130]], rows[order[130:]]


@pytest.fixture(scope="module")
def diagnosed(wine, tmp_path_factory):
    train, held = wine
    model = _model(13)
    before = (train.copy(), held.copy(), [w.copy() for w in model.get_weights()], json.dumps(model.get_config()))
    directory = tmp_path_factory.mktemp("runs") / "wine"
    diagnosis = aetfx.diagnose(model, train, held, epochs=40, batch_size=16, budget=14, out=directory)
    return diagnosis, model, before, directory


def test_names_unlike_scales_first(diagnosed):
    diagnosis, *_ = diagnosed
    first = diagnosis.causes[0]
    assert diagnosis.status == "faulty"
    assert not diagnosis.healthy
    assert (first.code, first.verdict, first.step) == ("data.scaling", "verified", 1)
    assert first.score_after < 0.6 * first.score_before
    assert first.gain_interval[0] <= first.gain <= first.gain_interval[1]
    assert first.gain_interval[0] > 0.1
    assert any("proline" in line or "'12'" in line for line in first.evidence)
    assert "model.fit" in first.keras


def test_the_users_model_and_rows_are_untouched(diagnosed, wine):
    _, model, (train, held, weights, config), _ = diagnosed
    np.testing.assert_array_equal(wine[0], train)
    np.testing.assert_array_equal(wine[1], held)
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)
    assert json.dumps(model.get_config()) == config


def test_of_the_repaired_trainings_the_best_is_handed_over():
    case = make_case(PLANE, epochs=2)
    other = case.recipe.changed(epochs=30, name="longer")
    scores = {seed: case.lab.score(case.lab.trial(case.recipe, seed=seed), "select").value for seed in range(5)}
    assert case.lab.score(case.lab.trial(other), "select").value < min(scores.values())
    best = case.lab.best_trial(case.recipe)
    assert (best.recipe.name, best.seed) == (case.recipe.name, min(scores, key=scores.__getitem__))
    assert scores[best.seed] < scores[case.lab.seed], "not merely the first"


def test_the_repaired_model_takes_and_gives_raw_rows(diagnosed, wine):
    diagnosis, *_ = diagnosed
    held = wine[1]
    restored = diagnosis.fixed_model.predict(held, verbose=0)
    # In the proline column (hundreds) and the hue column (tenths) alike, better than the column's own mean.
    error = ((restored - held) ** 2).mean(axis=0) / held.var(axis=0)
    assert np.median(error) < 0.7
    assert restored.shape == held.shape


def test_the_repaired_model_loads_elsewhere(diagnosed, wine):
    diagnosis, _, _, directory = diagnosed
    np.save(directory / "rows.npy", wine[1][:3])
    script = (
        "import sys, numpy as np, keras, aetfx.preprocessing.layers\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print(model.predict(np.load(sys.argv[2]), verbose=0).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(directory / "fixed" / "model.keras"), str(directory / "rows.npy")],
        capture_output=True,
        text=True,
        check=True,
    )
    there = np.array(json.loads(done.stdout.strip().splitlines()[-1]))
    np.testing.assert_allclose(there, diagnosis.fixed_model.predict(wine[1][:3], verbose=0), rtol=1e-5)


def test_samples_hold_random_rows_with_their_reconstructions_and_codes(diagnosed):
    with np.load(diagnosed[3] / "samples.npz") as found:
        samples = dict(found)
    kept, random = samples["kept_index"], samples["kept_random"]
    assert set(samples["row_index"]) <= set(kept)
    assert random.sum() >= 20
    extreme = np.searchsorted(kept, samples["row_index"])
    np.testing.assert_allclose(samples["kept_rows"][extreme], samples["rows"], rtol=1e-6)
    for side in ("before", "after"):
        made = samples[f"kept_reconstruction_{side}"]
        np.testing.assert_allclose(made[extreme], samples[f"reconstruction_{side}"], rtol=1e-5)
        np.testing.assert_array_equal(samples[f"kept_error_{side}"], samples[f"errors_{side}"][kept])
        plane = samples[f"kept_plane_{side}"]
        np.testing.assert_array_equal(np.isfinite(plane).all(axis=1), random)
        places = dict(zip(map(tuple, samples[f"latent_{side}"]), samples[f"latent_error_{side}"], strict=True))
        assert [places[tuple(point)] for point in plane[random]] == samples[f"kept_error_{side}"][random].tolist()


def test_the_run_directory_is_whole(diagnosed):
    diagnosis, _, _, directory = diagnosed
    for name in (
        "study.yaml", "lineage.json", "statistics/Split-train/FeatureStats.pb", "statistics/Split-eval/FeatureStats.pb",
        "schema/schema.pbtxt", "anomalies/Split-eval/SchemaDiff.pb", "findings.json", "evaluation.parquet",
        "samples.npz",
        "diagnosis.json", "fixed/model.keras", "report.html", "histories.json",
    ):  # fmt: skip
        assert (directory / name).stat().st_size > 0, name
    trials = list(directory.glob("configurations/*/seed-*"))
    assert len(trials) == diagnosis.record["trials"]
    assert all((trial / "history.parquet").exists() for trial in trials)
    assert not list(directory.rglob(".*-*")), "temporary files are left"
    assert not (directory / ".lock").exists()


def test_the_record_tells_all_that_was_tried(diagnosed):
    diagnosis, *_ = diagnosed
    record = diagnosis.record
    named = {cause.code for cause in [*diagnosis.causes, *diagnosis.improvements]}
    named |= {item["code"] for item in diagnosis.suspected}
    out = {item["code"] for item in diagnosis.ruled_out}
    from aetfx.diagnosis.causes import REGISTRY

    assert named | out == set(REGISTRY)
    assert not named & out
    assert all(item["reason"] for item in diagnosis.ruled_out)
    assert record["rows"]["select"] + record["rows"]["confirm"] == 48
    assert record["score_metric"] == "fvu"
    assert record["data"]["features"] == "table"
    assert 0 < record["sensitivity"]["detectable_gain"] < 1


def test_views(diagnosed):
    diagnosis, *_ = diagnosed
    assert "Unscaled data" in repr(diagnosis)
    html = diagnosis._repr_html_()
    assert "data.scaling" in html or "Unscaled data" in html
    assert "<script src" not in html


def test_a_finished_run_is_read_back(diagnosed):
    diagnosis, _, _, directory = diagnosed
    again = aetfx.load_run(directory)
    assert again.record == diagnosis.record
    assert [cause.code for cause in again.causes] == [cause.code for cause in diagnosis.causes]


@pytest.mark.slow
def test_nothing_is_kept_without_out(wine, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    train = (wine[0] - wine[0].mean(axis=0)) / wine[0].std(axis=0)
    diagnosis = aetfx.diagnose(lambda: _model(13), train, epochs=2, batch_size=16, budget=1.0)
    assert list(tmp_path.iterdir()) == []
    saved = diagnosis.save(tmp_path / "kept")
    assert {"diagnosis.json", "samples.npz", "report.html", "findings.json"} <= {p.name for p in saved.iterdir()}


@pytest.mark.slow
def test_gross_cells_in_most_rows_are_not_judged_and_the_others_are(tmp_path):
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(700, 3)) @ rng.normal(size=(3, 100)) / 3**0.5
    hot = rng.random(clean.shape) < 0.01
    rows = np.where(hot, clean + 50 * rng.choice([-1, 1], clean.shape), clean)
    assert hot.any(axis=1).mean() > 0.5
    import keras

    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(6), keras.layers.Dense(100)])
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    found = aetfx.diagnose(model, rows[:500], rows[500:], epochs=15, batch_size=25, out=tmp_path / "run")
    assert found.record["data"]["judged_on"] == "cells"
    assert found.causes[0].code == "data.outliers"
    assert found.causes[0].score_after < 0.1
    answer = found.fixed_model.predict(rows[500:], verbose=0)
    cool = ~hot[500:]
    left = np.square(answer - clean[500:])[cool].sum() / np.square(clean[500:])[cool].sum()
    assert left < 0.15


def test_a_column_that_became_nan_by_standardising_is_a_verdict_and_no_error():
    """Nobody reads a warning of NumPy: the rows come as they are, NaN from top to bottom in one column."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(500, 3)) @ rng.normal(size=(3, 9)), np.full((500, 1), 4.0)], axis=1)
    with np.errstate(invalid="ignore"):
        rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    assert np.isnan(rows[:, 9]).all()
    diagnosis = aetfx.diagnose(_model(10), rows, epochs=20, batch_size=16, budget=14)
    assert diagnosis.causes[0].code == "data.constant_features"
    assert diagnosis.causes[0].score_before == 4.0
    assert "NaN or infinite in every row" in " ".join(diagnosis.causes[0].evidence)
    assert np.isfinite(diagnosis.fixed_model.predict(rows, verbose=0)).all()


@pytest.mark.slow
def test_eval_rows_that_were_scaled_otherwise_are_brought_back_without_another_training():
    rng = np.random.default_rng(0)
    rows = 0.5 + 0.1 * rng.normal(size=(900, 3)) @ rng.normal(size=(3, 10))
    model = _model(10)
    diagnosis = aetfx.diagnose(model, rows[:500], rows[500:] / 255, epochs=20, batch_size=16, budget=14)
    first = diagnosis.causes[0]
    assert (first.code, first.seeds) == ("code.train_eval_preprocessing_mismatch", 5)
    assert "multiply by 255" in first.remedy
    assert first.score_after < 0.5 * first.score_before


@pytest.mark.slow
def test_eval_columns_in_another_order_are_put_back_without_another_training():
    rng = np.random.default_rng(0)
    rows = np.linspace(-2, 2, 10) + rng.normal(size=(900, 3)) @ rng.normal(size=(3, 10))
    order = [9, 2, 3, 1, 0, 4, 5, 7, 6, 8]
    diagnosis = aetfx.diagnose(_model(10), rows[:500], rows[500:][:, order], epochs=20, batch_size=16, budget=14)
    first = diagnosis.causes[0]
    assert (diagnosis.status, first.code) == ("faulty", "code.train_eval_preprocessing_mismatch")
    assert f"x_val = x_val[:, {np.argsort(order).tolist()}]" in first.keras
    assert "columns in another order" in first.remedy
    assert first.score_after < 0.5 * first.score_before
    assert not any(cause.code == "data.train_eval_shift" for cause in diagnosis.causes)
