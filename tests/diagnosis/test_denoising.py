"""`fit(x, y)`: what differs from the inputs is scored as what is asked back, a wrong `y` is found out."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits

import aetfx
from aetfx.diagnosis.api import diagnose_study
from aetfx.errors import AetfxError
from aetfx.study import load_study

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
CLEAN = (RNG.normal(size=(700, 3)) @ RNG.normal(size=(3, 10))).astype("float32")
NOISY = CLEAN + 0.5 * RNG.normal(size=CLEAN.shape).astype("float32")


def model(activation="relu"):
    layers = [keras.layers.Dense(32, activation), keras.layers.Dense(4), keras.layers.Dense(32, activation)]
    made = keras.Sequential([keras.Input((10,)), *layers, keras.layers.Dense(10)])
    made.compile("adam", "mse")
    return made


def test_denoising_is_scored_against_what_is_asked_back():
    before = NOISY.copy(), CLEAN.copy()
    found = aetfx.diagnose(model, NOISY, y_train=CLEAN, epochs=25, budget=3)
    assert found.status == "healthy"
    assert found.record["baseline"]["score"] < 0.1, "the noise is not asked back"
    assert found.record["baseline"]["pca_score"] is None, "PCA of noisy rows is no reference for clean ones"
    np.testing.assert_array_equal(NOISY, before[0])
    np.testing.assert_array_equal(CLEAN, before[1])


def test_targets_of_other_rows_are_the_first_cause(tmp_path):
    mixed = RNG.permutation(NOISY)
    found = aetfx.diagnose(model, NOISY, y_train=mixed, epochs=25, budget=14, out=tmp_path)
    [cause] = found.causes
    assert cause.code == "code.target_mismatch"
    assert "another order" in cause.evidence[0]
    assert cause.score_before > 0.9
    assert cause.score_after < 0.3
    assert "model.fit(x_train, x_train" in cause.keras


@pytest.mark.slow
def test_clean_targets_on_another_scale_than_the_noisy_inputs_are_found_out():
    found = aetfx.diagnose(model, NOISY, y_train=0.6 * CLEAN + 1, epochs=25, budget=14)
    [cause] = found.causes
    assert cause.code == "code.target_mismatch"
    assert "noisy targets times 1.6" in cause.evidence[0]
    assert cause.score_after < 0.1 < 0.5 * cause.score_before
    line = cause.keras.splitlines()[0]
    asked = {"y_train": 0.6 * CLEAN + 1, "y_val": 0.6 * CLEAN[:9] + 1}
    exec(line, asked)
    assert np.abs(asked["y_train"] - CLEAN).max() < 0.3, "the line brings them back"
    assert np.abs(found.fixed_model.predict(NOISY, verbose=0) - CLEAN).mean() < 0.3, "on the scale of the inputs"
    repair = found.apply(model)
    again = repair.fit(NOISY, y=0.6 * CLEAN + 1, verbose=0)
    assert np.abs(again.predict(NOISY, verbose=0) - CLEAN).mean() < 0.3
    with pytest.raises(AetfxError, match="the targets of noisy rows are on another scale"):
        found.repro()


@pytest.mark.slow
def test_targets_that_another_generator_turned_are_found_out_and_turned_back():
    digits = load_digits().images.astype("float32") / 16
    turns = RNG.integers(4, size=(2, len(digits)))
    clean, apart = (np.stack([np.rot90(row, turn) for row, turn in zip(digits, each, strict=True)]) for each in turns)
    noisy = clean + 0.2 * RNG.normal(size=clean.shape).astype("float32")

    def build():
        inner = [keras.layers.Dense(n, "relu") for n in (96, 24, 96)]
        layers = [keras.layers.Flatten(), *inner, keras.layers.Dense(64), keras.layers.Reshape((8, 8))]
        made = keras.Sequential([keras.Input((8, 8)), *layers])
        made.compile(keras.optimizers.Adam(3e-3), "mse")
        return made

    found = aetfx.diagnose(build, noisy, y_train=apart, epochs=25, budget=14)
    cause = found.causes[0]
    assert cause.code == "code.target_mismatch"
    assert "turned or mirrored otherwise" in cause.evidence[0]
    assert cause.score_after < 0.5 * cause.score_before
    assert np.square(found.fixed_model.predict(noisy, verbose=0) - clean).mean() < 0.4 * clean.var()
    again = found.apply(build).fit(noisy, y=apart, verbose=0)
    assert np.square(again.predict(noisy, verbose=0) - clean).mean() < 0.4 * clean.var()
    with pytest.raises(AetfxError, match="turned otherwise than their rows"):
        found.repro()


@pytest.mark.slow
def test_code_to_paste_asks_for_the_targets_that_the_user_gave(tmp_path):
    scales = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 1000], "float32")
    found = aetfx.diagnose(model, NOISY * scales, y_train=CLEAN * scales, epochs=25, budget=14, out=tmp_path)
    [cause] = found.causes
    assert cause.code == "data.scaling"
    assert "y_scaled = (y_train - mean) / sd" in cause.keras
    assert "model.fit(x_scaled, y_scaled" in cause.keras
    assert "targets" in found.repro()
    assert str(tmp_path / "data" / "targets.npy") in (tmp_path / "study.yaml").read_text()


@pytest.mark.slow
def test_a_dataset_of_pairs_and_a_study_say_the_same(tmp_path):
    import tensorflow as tf

    np.save(tmp_path / "noisy.npy", NOISY)
    np.save(tmp_path / "clean.npy", CLEAN)
    tree = {
        "data": {"train": "noisy.npy", "target": "clean.npy"},
        "model": {"hidden": [32], "bottleneck": 4},
        "training": {"epochs": 25},
        "diagnosis": {"budget": 3},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tree))
    of_study = diagnose_study(load_study(tmp_path / "study.yaml"), tmp_path / "run")
    pairs = tf.data.Dataset.from_tensor_slices((NOISY, CLEAN)).shuffle(700, seed=3).batch(32)
    of_pairs = aetfx.diagnose(model, pairs, epochs=25, budget=3)
    assert of_study.status == of_pairs.status == "healthy"
    assert of_study.record["baseline"]["score"] == pytest.approx(of_pairs.record["baseline"]["score"], rel=0.3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"y_train": CLEAN[:, :4]}, "targets of shape (4,), but x_train has rows of shape (10,)"),
        ({"y_train": CLEAN[:99]}, "99 targets for the 700 rows of x_train"),
        ({"y_train": CLEAN, "x_val": NOISY[:50]}, "y_val: missing"),
        ({"y_val": CLEAN[:50], "x_val": NOISY[:50]}, "y_val: given without y_train"),
        ({"y_train": CLEAN, "x_val": NOISY[:50], "y_val": CLEAN[:49]}, "49 targets for the 50 rows of x_val"),
    ],
)
def test_targets_that_do_not_fit_are_refused(given, said):
    with pytest.raises(AetfxError) as caught:
        aetfx.diagnose(model, NOISY, epochs=1, **given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


RAISED = 255 * CLEAN[500:]


@pytest.mark.parametrize(
    ("noisy", "said"),
    [
        (RAISED + NOISY[500:] - CLEAN[500:], "the eval rows"),
        pytest.param(NOISY[500:], "in the targets, the eval", marks=pytest.mark.slow),
    ],
)
def test_eval_rows_on_another_scale_are_told_by_what_they_ask_back(noisy, said):
    def bounded():
        return model("tanh")  # layers of ReLU give 255 times as much back, as it should be

    found = aetfx.diagnose(bounded, NOISY[:500], noisy, y_train=CLEAN[:500], y_val=RAISED, epochs=40, budget=8)
    cause = found.causes[0]
    assert cause.code == "code.train_eval_preprocessing_mismatch", found.record["suspected"]
    assert cause.evidence[0].startswith(said)
    assert "times 255" in cause.evidence[0]
    assert f"{'y' if 'targets' in said else 'x'}_val / 255" in cause.keras
    assert cause.score_after < 0.15 < 0.5 * cause.score_before
