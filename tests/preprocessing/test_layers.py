"""Tests of aetfx.preprocessing.layers: the layers do what the NumPy transform does, also after save and load."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import aetfx.errors
from aetfx.errors import ModelError
from aetfx.models.families import build
from aetfx.preprocessing.fit import fit_rows

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from aetfx.preprocessing.layers import Prepare, RawModel, wrap  # noqa: E402

RNG = np.random.default_rng(0)
SENTINELS = {1: (-999.1, 77.7), 3: (-1.0, -np.finfo(np.float64).max)}


def table(n=150):
    """Rows with all that goes wrong: a clock, sentinels, NaN, infinities, spikes."""
    rows = np.column_stack(
        [1.6e9 + RNG.uniform(0, 3600, n), RNG.normal(size=n) * 1e-3, RNG.gamma(1, 1e4, n), RNG.random(n)]
    )
    rows[2, 0], rows[3, 2], rows[4, 2] = np.nan, np.inf, -np.inf
    rows[5:9, 1], rows[9:12, 1], rows[12:15, 3] = -999.1, 77.7, -1.0
    rows[15, 3] = -np.finfo(np.float64).max
    rows[20, 2] = 1e9
    return rows


def linear(shape):
    """A model that gives back what it is fed."""
    return keras.Sequential([keras.Input(shape), keras.layers.Activation("linear")], name="core")


def test_a_still_sensor_comes_back_as_it_nearly_always_is():
    rows = np.column_stack([table(), np.full(150, 7.0)])
    rows[:2, 4] = 70.0
    fitted = fit_rows({"scaling": "standard", "missing": "mean", "constant": "drop"}, rows, sentinels=SENTINELS)
    restored = wrap(linear((5,)), fitted).predict(rows, verbose=0)
    assert (restored[:, 4] == 7.0).all()
    assert restored[50:, 0] == pytest.approx(rows[50:, 0], rel=1e-9)


def same(model, fitted, rows):
    expected = fitted.invert(fitted.apply(rows))
    for given in (model.predict(rows, verbose=0), np.asarray(model(rows)), model.predict_on_batch(rows)):
        assert given.dtype == np.float64
        assert given == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    "spec",
    [
        {"scaling": "standard", "missing": "mean", "outliers": "clip"},
        {"scaling": "minmax", "missing": "median"},
        {"scaling": "robust", "missing": "zero"},
        {"missing": "mean"},
        {"missing": "mean", "constant": "drop"},
        {"scaling": "standard", "missing": "median", "constant": "drop"},
    ],
)
def test_layers_are_the_numpy_transform_before_and_after_saving(spec, tmp_path):
    rows = table()
    fitted = fit_rows(spec, rows, sentinels=SENTINELS)
    model = wrap(linear((4,)), fitted)
    fed = keras.Model(model.input, model.get_layer("prepare").output).predict_on_batch(rows)
    assert fed.dtype == np.float32
    assert (fed == fitted.apply(rows)).all()
    assert np.isfinite(fed).all()
    same(model, fitted, rows)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert isinstance(loaded, RawModel)
    same(loaded, fitted, rows)
    same(keras.models.clone_model(loaded), fitted, rows)


def test_without_imputing_missing_cells_go_through_as_they_are():
    rows = table()
    for spec in ({"scaling": "standard"}, {"outliers": "clip"}):
        fitted = fit_rows(spec, rows, sentinels=SENTINELS)
        with np.errstate(invalid="ignore"):
            expected = fitted.apply(rows)
        fed = np.asarray(wrap(linear((4,)), fitted).get_layer("prepare")(rows))
        assert np.array_equal(fed, expected, equal_nan=True)
        assert np.isnan(fed[2, 0])


def test_predict_keeps_the_seconds_of_a_clock():
    rows = np.column_stack([1.6e9 + np.arange(0.0, 100.0), np.arange(100.0)])
    model = wrap(linear((2,)), fit_rows({"scaling": "standard"}, rows))
    assert np.abs(model.predict(rows, verbose=0) - rows).max() < 1e-3
    assert np.abs(model.predict(rows, batch_size=7, verbose=0) - rows).max() < 1e-3
    data_set = tf.data.Dataset.from_tensor_slices(rows).batch(9)
    assert np.abs(model.predict(data_set, verbose=0) - rows).max() < 1e-3
    import pandas

    assert np.abs(model.predict(pandas.DataFrame(rows), verbose=0) - rows).max() < 1e-3
    whole_numbers = rows.astype(np.int64)
    assert np.abs(model.predict(whole_numbers, verbose=0) - rows).max() < 1e-3


def test_float32_rows_and_sentinels_in_them():
    rows = table()[:, 1:]
    sentinels = {0: SENTINELS[1], 2: SENTINELS[3]}
    fitted = fit_rows({"scaling": "standard", "missing": "mean"}, rows, sentinels=sentinels)
    with np.errstate(over="ignore"):
        single = rows.astype(np.float32)
    model = wrap(linear((3,)), fitted)
    same(model, fitted, single)
    assert (fitted.apply(single)[5:12, 0] == 0).all()


def test_pooled_images_and_a_trained_convolution(tmp_path):
    images = RNG.integers(0, 256, size=(30, 8, 8, 1)).astype(np.uint8)
    fitted = fit_rows({"scaling": "minmax"}, images, scope="pooled")
    core = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(1, 3, padding="same"),
        ]
    )
    model = wrap(core, fitted)
    expected = fitted.invert(core.predict(fitted.apply(images), verbose=0))
    assert model.predict(images, verbose=0) == pytest.approx(expected, abs=1e-3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.predict(images, verbose=0) == pytest.approx(expected, abs=1e-3)
    assert len(loaded.trainable_weights) == len(core.trainable_weights)
    assert model.get_layer(core.name) is core


@keras.saving.register_keras_serializable(package="aetfx_tests")
class Subclassed(keras.Model):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.inner, self.outer = keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(width)

    def call(self, inputs):
        return self.outer(self.inner(inputs))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def functional():
    rows = keras.Input((4,))
    return keras.Model(rows, keras.layers.Dense(4)(keras.layers.Dense(2, activation="relu")(rows)))


@pytest.mark.parametrize("build", [lambda: Subclassed(4), functional])
def test_any_kind_of_core_goes_around_saves_and_loads(build, tmp_path):
    rows = table()
    fitted = fit_rows({"scaling": "standard", "missing": "mean"}, rows, sentinels=SENTINELS)
    core = build()
    model = wrap(core, fitted)
    expected = fitted.invert(core.predict(fitted.apply(rows), verbose=0))
    assert model.predict(rows, verbose=0) == pytest.approx(expected, rel=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.predict(rows, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_a_wrapped_model_can_be_trained_on(tmp_path):
    rows = RNG.normal(size=(64, 3)) * [1, 100, 1e4]
    model = wrap(functional_of(3), fit_rows({"scaling": "standard"}, rows))
    model.compile("adam", "mse")
    first, last = model.fit(rows, rows, epochs=3, verbose=0).history["loss"][::2]
    assert last < first


def functional_of(width):
    rows = keras.Input((width,))
    return keras.Model(rows, keras.layers.Dense(width)(rows))


def test_nothing_to_do_leaves_the_model_alone():
    core = linear((4,))
    assert wrap(core, fit_rows({}, table())) is core


def test_shapes_that_do_not_fit_are_said_in_one_line():
    fitted = fit_rows({"scaling": "standard"}, RNG.normal(size=(9, 4)))
    with pytest.raises(ModelError, match=r"does not take rows of shape \(4,\)") as raised:
        wrap(functional_of(3), fitted)
    assert "\n" not in str(raised.value)
    narrow = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name="narrow")
    with pytest.raises(ModelError, match=r"'narrow' gives back rows of shape \(3,\) for rows of shape \(4,\)"):
        wrap(narrow, fitted)


def test_config_is_plain():
    rows = table()
    fitted = fit_rows({"scaling": "standard", "missing": "mean"}, rows, sentinels=SENTINELS)
    layer = wrap(linear((4,)), fitted).get_layer("prepare")
    again = Prepare.from_config(json.loads(json.dumps(layer.get_config(), allow_nan=False)))
    assert np.array_equal(np.asarray(again(rows)), np.asarray(layer(rows)))


def test_one_import_is_all_that_loading_takes(tmp_path):
    """In a new process, `import aetfx.models.saved_layers` is enough, and it brings no Beam, TFDV or pandas."""
    rows = table()
    for family, shape in (("vae", (4,)), ("denoising", (4,)), ("lstm", (4, 2))):
        build(family, shape, {}).save(tmp_path / f"{family}.keras")
    fitted = fit_rows({"scaling": "standard", "missing": "mean"}, rows, sentinels=SENTINELS)
    wrap(linear((4,)), fitted).save(tmp_path / "model.keras")
    np.save(tmp_path / "rows.npy", rows)
    program = (
        "import sys, keras, numpy as np, aetfx.models.saved_layers\n"
        "assert not {'apache_beam', 'tensorflow_data_validation', 'msgspec'} & set(sys.modules)\n"
        "for name in ('vae', 'denoising', 'lstm'):\n    keras.models.load_model(f'{name}.keras')\n"
        "model = keras.models.load_model('model.keras')\n"
        "np.save('out.npy', model.predict(np.load('rows.npy'), verbose=0))\n"
    )
    root = Path(aetfx.errors.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{program}"], cwd=tmp_path, check=True
    )
    assert np.load(tmp_path / "out.npy") == pytest.approx(fitted.invert(fitted.apply(rows)), rel=1e-12)
