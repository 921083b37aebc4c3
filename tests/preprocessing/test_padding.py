"""Padded sequences through every preprocessing, in NumPy and as Keras layers (aetfx.preprocessing)."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from aetfx.preprocessing.fit import fit_rows
from aetfx.preprocessing.layers import wrap
from aetfx.preprocessing.transform import Preprocessing

VALUE = 0.0


def rows(seed=0):
    rng = np.random.default_rng(seed)
    found = rng.normal(50, [5, 9], (60, 6, 2))
    for row, length in zip(found, rng.integers(1, 7, 60), strict=True):
        row[length:] = VALUE
    return found


@pytest.mark.parametrize(
    ("scaling", "missing", "outliers", "scope"),
    list(
        itertools.product(("standard", "minmax", "robust"), ("none", "median"), ("none", "clip"), ("column", "pooled"))
    ),
)
def test_padding_stays_and_enters_no_figure(scaling, missing, outliers, scope):
    spec = {"scaling": scaling, "missing": missing, "outliers": outliers}
    given = rows()
    there = given != VALUE
    fitted = fit_rows(spec, given, scope=scope, padding=VALUE)
    blank = fit_rows(spec, np.where(there, given, np.nan), scope=scope)
    for name in ("low", "high", "center", "scale"):
        ours, theirs = getattr(fitted, name), getattr(blank, name)
        np.testing.assert_array_equal(ours, theirs) if ours is not None else None
    fed = fitted.apply(given)
    assert (fed[~there] == VALUE).all()
    np.testing.assert_allclose(fed[there], blank.apply(given)[there])
    assert (fitted.apply(given, impute=False)[~there] == VALUE).all()
    restored = fitted.invert(fed + 1, given)
    assert (restored[~there] == VALUE).all()
    assert (fitted.invert(fed + 1)[~there] != VALUE).any(), "without the rows nobody can tell"
    again = Preprocessing.from_config(fitted.to_config())
    np.testing.assert_array_equal(again.apply(given), fed)

    model = wrap(_twice(), fitted)
    np.testing.assert_allclose(model.predict(given, verbose=0), fitted.invert(fed * 2, given), rtol=1e-6, atol=1e-5)


def test_a_saved_model_keeps_it(tmp_path):
    given, fitted = rows(), fit_rows({"scaling": "standard"}, rows(), padding=VALUE)
    model = wrap(_twice(), fitted)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(given, verbose=0), model.predict(given, verbose=0))
    assert (loaded.predict(given, verbose=0)[given == VALUE] == VALUE).all()


def test_a_step_that_no_row_reaches_is_filled_all_the_same():
    given = rows()
    given[:, 5] = VALUE
    fitted = fit_rows({"scaling": "standard", "missing": "mean"}, given, padding=VALUE)
    assert np.isfinite(fitted.apply(given)).all()


def _twice():
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.Rescaling(2.0)], name="twice")
    model(np.zeros((1, 6, 2)))
    return model
