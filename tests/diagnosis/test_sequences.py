"""Sequences through a whole diagnosis: padding, baselines of sequences, no PCA beside recurrent models."""

from __future__ import annotations

import json

import numpy as np
import pytest

import aetfx
from aetfx.errors import StudyError
from aetfx.report.console import print_diagnosis

keras = pytest.importorskip("keras")
STEPS = 10


def waves(seed=0, n=160, padded=True):
    rng = np.random.default_rng(seed)
    steps = np.arange(STEPS)
    rows = 40 + 8 * np.stack(
        [np.sin(rng.uniform(0.2, 0.7, (n, 1)) * steps + rng.uniform(0, 6, (n, 1))) for _ in range(2)], axis=-1
    )
    if padded:
        for row, length in zip(rows, rng.integers(4, STEPS + 1, n), strict=True):
            row[length:] = 0.0
    return rows.astype(np.float32)


def recurrent(masking=True):
    layers = [keras.layers.Masking(0.0)] if masking else []
    model = keras.Sequential(
        [
            keras.Input((STEPS, 2)),
            *layers,
            keras.layers.LSTM(6, name="code"),
            keras.layers.RepeatVector(STEPS),
            keras.layers.LSTM(8, return_sequences=True),
            keras.layers.TimeDistributed(keras.layers.Dense(2)),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "waves"
    return aetfx.diagnose(recurrent(), waves(), epochs=12, batch_size=32, budget=6, out=directory)


def test_the_masking_layer_tells_what_padding_is(found):
    assert found.record["data"]["padding"] == 0.0
    findings = json.loads((found.directory / "findings.json").read_text())["findings"]
    codes = {finding["code"] for finding in findings}
    assert not {code for code in codes if code.startswith("data.missing")}, "padding is no missing cell"
    assert found.record["data"]["excluded"] == []


def test_padding_is_no_value_of_the_data(found):
    rows = waves()
    quantiles = found.samples["quantiles_raw"]
    np.testing.assert_array_less(rows[rows != 0].min() - 1e-3, quantiles[0])


def test_baselines_of_sequences_and_no_pca(found, capsys):
    baseline = found.record["baseline"]
    assert baseline["pca_score"] is None
    assert baseline["last_value_score"] > baseline["mean_sequence_score"] > 0.3
    print_diagnosis(found.record, None)
    assert "repeating each sequence's last value scores" in " ".join(capsys.readouterr().out.split())
    assert "its mean" in (found.directory / "report.html").read_text()


def test_the_repaired_model_gives_padding_back(found):
    assert [cause.code for cause in found.causes][:1] == ["data.scaling"], found.record["suspected"]
    rows = waves()
    restored = found.fixed_model.predict(rows, verbose=0)
    assert (restored[rows == 0] == 0).all()
    there = rows != 0
    assert np.square(restored - rows)[there].mean() < rows[there].var()


@pytest.mark.slow
def test_a_padding_that_no_layer_masks_is_named(tmp_path):
    """Here by a model that is no recurrent one, so that nothing is said about repeated values either."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(3), keras.layers.Dense(2 * STEPS)]
    model = keras.Sequential([keras.Input((STEPS, 2)), *layers, keras.layers.Reshape((STEPS, 2))])
    model.compile("adam", "mse")
    found = aetfx.diagnose(model, waves(), epochs=1, budget=1, padding=0.0)
    assert found.record["data"]["padding"] == 0.0
    assert "last_value_score" not in found.record["baseline"]


def test_padding_must_be_a_number():
    with pytest.raises(StudyError, match=r"data\.padding must be a number"):
        aetfx.diagnose(recurrent(), waves(), epochs=1, padding="zero")


@pytest.mark.slow
def test_targets_from_the_end_are_told_and_no_fault(tmp_path, capsys):
    rows, out = waves(padded=False), tmp_path / "run"
    found = aetfx.diagnose(recurrent(masking=False), rows, y_train=rows[:, ::-1], epochs=3, budget=1, out=out)
    print_diagnosis(found.record, None)
    assert "Turn round what comes out" in " ".join(capsys.readouterr().out.split())
    assert "code.target_mismatch" in {item["code"] for item in found.record["ruled_out"]}
