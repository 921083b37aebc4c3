"""Tests of aetfx.preprocessing.fit and .transform against scikit-learn, and of their laws with Hypothesis."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from aetfx.errors import DataError, StudyError
from aetfx.preprocessing.fit import Preprocessing, fit, fit_rows
from aetfx.validation.statistics import summarize

SCALERS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(unit_variance=True),
}


@pytest.mark.parametrize("scaling", SCALERS)
@pytest.mark.parametrize("data", [load_breast_cancer().data, load_wine().data])
def test_scaling_against_scikit_learn(scaling, data):
    expected = SCALERS[scaling].fit_transform(data)
    fitted = fit_rows({"scaling": scaling}, data)
    assert fitted.apply(data) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert fitted.apply(data).dtype == np.float32
    from_statistics = fit({"scaling": scaling}, summarize(data), shape=(data.shape[1],))
    assert from_statistics.center == pytest.approx(fitted.center, rel=1e-12)
    assert from_statistics.scale == pytest.approx(fitted.scale, rel=1e-9)


@pytest.mark.parametrize("missing", ["mean", "median", "zero"])
def test_imputing_against_scikit_learn(missing):
    data = load_wine().data.copy()
    data[np.random.default_rng(0).random(data.shape) < 0.1] = np.nan
    strategy = {"zero": {"strategy": "constant", "fill_value": 0}}.get(missing, {"strategy": missing})
    expected = SimpleImputer(**strategy).fit_transform(data)
    fitted = fit_rows({"missing": missing}, data)
    assert fitted.apply(data) == pytest.approx(expected, rel=1e-6)
    assert fit({"missing": missing}, summarize(data), shape=(13,)).fill == pytest.approx(fitted.fill, rel=1e-12)
    targets = fitted.apply(data, impute=False)
    assert (np.isnan(targets) == np.isnan(data)).all()


def test_sentinels_and_infinities_count_as_missing_only_where_asked_for():
    clean = np.random.default_rng(0).normal(size=(200, 3)) * 2 + 5
    rows = clean.copy()
    rows[::10, 1] = -999.0
    rows[3, 0] = np.inf
    spec = {"scaling": "standard", "missing": "mean"}
    fitted = fit_rows(spec, rows, sentinels={1: (-999.0,)})
    left = np.delete(clean[:, 1], np.arange(0, 200, 10))
    assert (fitted.center[1], fitted.scale[1]) == pytest.approx((left.mean(), left.std()))
    fed = fitted.apply(rows)
    assert fed[0, 1] == pytest.approx(0, abs=1e-6)
    assert fed[3, 0] == pytest.approx(0, abs=1e-6)
    assert np.isnan(fitted.apply(rows, impute=False)[[0, 3], [1, 0]]).all()
    assert (fitted.apply(rows.astype(np.float32))[::10, 1] == fed[::10, 1]).all()
    plain = fit_rows({"scaling": "standard"}, rows, sentinels={1: (-999.0,)})
    assert plain.scale[1] > 100
    assert plain.apply(rows)[3, 0] == np.inf
    with pytest.raises(ValueError, match="count the sentinel"):
        fit(spec, summarize(rows), shape=(3,), sentinels={1: (-999.0,)})


def test_clipping_at_fences_refits_the_scale():
    rows = np.random.default_rng(0).normal(size=(1000, 2))
    rows[::100, 0] = 1e4
    fences = (np.array([-5.0, np.nan]), np.array([5.0, np.nan]))
    fitted = fit_rows({"scaling": "standard", "outliers": "clip"}, rows, fences=fences)
    clipped = np.clip(rows[:, 0], -5, 5)
    assert (fitted.center[0], fitted.scale[0]) == pytest.approx((clipped.mean(), clipped.std()))
    assert fitted.apply(rows)[:, 0].max() == pytest.approx((5 - clipped.mean()) / clipped.std(), rel=1e-6)
    assert fitted.low.tolist() == [-5, -np.inf]
    own = fit_rows({"outliers": "clip"}, rows)
    low, high = np.quantile(rows[:, 0], [0.25, 0.75])
    assert own.high[0] == pytest.approx(high + 3 * (high - low))
    assert fit({"outliers": "clip"}, summarize(rows), shape=(2,)).high == pytest.approx(own.high)


def test_pooled_scope_of_images():
    images = load_digits().images
    for scaling in SCALERS:
        fitted = fit_rows({"scaling": scaling}, images, scope="pooled")
        expected = SCALERS[scaling].fit_transform(images.reshape(-1, 1)).reshape(images.shape)
        assert fitted.apply(images) == pytest.approx(expected, abs=1e-5)
        assert len(set(fitted.scale)) == 1
        assert "all" in fitted.to_config()["scale"]
        rough = fit({"scaling": scaling}, summarize(images), shape=(8, 8), scope="pooled")
        # quartiles come from the columns' curves, the rest is exact
        assert rough.scale[0] == pytest.approx(fitted.scale[0], rel=0.1 if scaling == "robust" else 1e-9)


def test_constant_columns_get_scale_one():
    rows = np.column_stack([np.full(50, 0.1), np.arange(50.0), np.full(50, -3e7)])
    for scaling in SCALERS:
        fitted = fit_rows({"scaling": scaling}, rows)
        assert fitted.scale[[0, 2]].tolist() == [1, 1]
        assert fitted.apply(rows)[:, [0, 2]] == pytest.approx(0, abs=1e-6)
        assert fitted.invert(fitted.apply(rows))[:, 2] == pytest.approx(-3e7)


def still_table():
    """Columns: moving, constant, nearly constant, jittering, without a number, often zero."""
    rng = np.random.default_rng(0)
    rows = np.full((200, 6), 7.0)
    rows[:, 0] = rng.normal(size=200)
    rows[:3, 2] = 9.0
    rows[:, 3] += 1e-8 * rng.normal(size=200)
    rows[:, 4] = np.nan
    rows[:, 5] = (rng.random(200) < 0.2) * 1.0
    return rows


@pytest.mark.parametrize("scope", ["column", "pooled"])
def test_constant_columns_are_left_out_and_come_back_as_they_nearly_always_are(scope):
    rows = still_table()
    fitted = fit_rows({"scaling": "standard", "missing": "median", "constant": "drop"}, rows, scope=scope)
    still = [1, 2, 3, 4]
    fed = fitted.apply(rows)
    assert (fed[:, still] == 0).all()
    assert fed[:, [0, 5]].std() == pytest.approx(1, abs=0.01)
    assert np.isnan(fitted.apply(rows, impute=False)[:, still]).all()
    back = fitted.invert(fed + 3.0)
    assert back[:, still] == pytest.approx(np.tile([7.0, 7.0, 7.0, 0.0], (200, 1)), abs=1e-6)
    assert fitted.invert(fed)[:, [0, 5]] == pytest.approx(rows[:, [0, 5]], abs=1e-5)
    from_statistics = fit(fitted.spec, summarize(rows), shape=(6,), scope=scope)
    assert np.isfinite(from_statistics.dropped).tolist() == np.isfinite(fitted.dropped).tolist()
    assert from_statistics.apply(rows) == pytest.approx(fed, abs=0.03)


def test_nothing_is_left_out_where_every_column_moves():
    assert fit_rows({"constant": "drop"}, still_table()[:, [0, 5]]).identity


def test_robust_scale_where_most_rows_share_one_value():
    rows = np.where(np.arange(100) < 80, 0.0, np.arange(100.0))[:, None]
    assert fit_rows({"scaling": "robust"}, rows).scale[0] == pytest.approx(rows.std())


def test_a_clock_keeps_its_seconds():
    rows = (1.6e9 + np.arange(0.0, 3600.0, 7.0))[:, None]
    fitted = fit_rows({"scaling": "standard"}, rows)
    assert np.abs(fitted.invert(fitted.apply(rows)) - rows).max() < 1e-3


def test_nothing_to_fill_with_is_said():
    rows = np.column_stack([np.arange(4.0), np.full(4, np.nan)])
    with pytest.raises(DataError, match=r"column 'age' has no finite value .* preprocessing.missing: zero"):
        fit_rows({"missing": "mean"}, rows, names=["id", "age"])
    with pytest.raises(DataError, match="column 'age'"):
        fit({"missing": "median"}, summarize(rows, ["id", "age"]), shape=(2,))
    assert fit_rows({"missing": "zero", "scaling": "standard"}, rows).apply(rows)[:, 1].tolist() == [0] * 4


def test_unknown_words_are_refused_with_the_nearest():
    with pytest.raises(StudyError, match=r"unknown key 'scalling'. Did you mean 'scaling'"):
        fit_rows({"scalling": "none"}, np.ones((2, 2)))
    with pytest.raises(
        StudyError, match=r"preprocessing.scaling is not known: got 'standart'. Did you mean 'standard'"
    ):
        fit_rows({"scaling": "standart"}, np.ones((2, 2)))


def test_identity():
    rows = np.random.default_rng(0).normal(size=(20, 4))
    fitted = fit_rows({}, rows)
    assert fitted.identity
    assert (fitted.apply(rows) == rows.astype(np.float32)).all()
    assert (fitted.invert(rows) == rows).all()
    assert not fit_rows({"missing": "mean"}, rows).identity


def test_config_is_exact_json():
    data = load_wine().data.copy()
    data[::7, 3] = np.nan
    data[::9, 4] = -1.1
    fences = (np.full(13, -np.inf), np.linspace(1, 2, 13) * 1000 / 3)
    spec = {"scaling": "standard", "missing": "median", "outliers": "clip"}
    fitted = fit_rows(spec, data, sentinels={4: (-1.1,)}, fences=fences)
    again = Preprocessing.from_config(json.loads(json.dumps(fitted.to_config(), allow_nan=False)))
    for name in ("fill", "low", "high", "center", "scale"):
        assert (getattr(again, name) == getattr(fitted, name)).all()
    assert again.sentinels == {4: (-1.1,)}
    assert (again.apply(data) == fitted.apply(data)).all()
    assert Preprocessing.from_config(fit_rows({}, data).to_config()).identity


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    scaling=st.sampled_from(["standard", "minmax", "robust"]),
    scope=st.sampled_from(["column", "pooled"]),
)
def test_invert_undoes_apply(data, scaling, scope):
    shape = data.draw(st.sampled_from([(2, 3), (17, 1), (5, 2, 2)]))
    size = st.floats(-1e9, 1e9, allow_subnormal=False)
    rows = data.draw(arrays(np.float64, shape, elements=size))
    fitted = fit_rows({"scaling": scaling}, rows, scope=scope)
    back = fitted.invert(fitted.apply(rows))
    assert back.shape == rows.shape
    # float32 holds a scaled value to 6e-8 of itself, float64 a raw one to 1e-16 of itself
    flat = rows.reshape(len(rows), -1)
    scaled = np.abs(flat - fitted.center) / fitted.scale
    allowed = 1e-6 * fitted.scale * np.maximum(scaled, 1) + 1e-14 * np.abs(flat).max()
    assert (np.abs(back.reshape(flat.shape) - flat) <= allowed).all()


@settings(max_examples=40, deadline=None)
@given(rows=arrays(np.float64, (12, 3), elements=st.floats(allow_nan=True, allow_infinity=True, width=32)))
def test_imputed_rows_are_always_finite(rows):
    rows[0] = 1.0
    spec = {"scaling": "standard", "missing": "median", "outliers": "clip"}
    fitted = fit_rows(spec, rows)
    with np.errstate(over="ignore"):
        assert np.isfinite(fitted.apply(rows)).all()
