"""Tests of aetfx.evaluation.baselines against scikit-learn, and of the noise alarm on real data and on noise."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from aetfx.evaluation.baselines import (
    MEAN_SCORE,
    knee,
    linear_bound,
    looks_like_noise,
    pca_scores,
    pca_spectrum,
    reduced_rank,
    spectrum_ratio,
)
from aetfx.evaluation.score import Scorer


@pytest.mark.parametrize(("rows", "k"), [(1500, 8), (40, 5)])  # more rows than columns, and fewer
def test_pca_against_scikit_learn(rows, k):
    data = load_digits().data
    train, held_out = data[:rows], data[-200:]
    scorer = Scorer.fit(train)
    ours = pca_scores(scorer, train / 16, held_out / 16, held_out, lambda y: y * 16, [k])[0]
    theirs = PCA(k, svd_solver="full").fit(train)
    rebuilt = theirs.inverse_transform(theirs.transform(held_out))
    assert ours == pytest.approx(scorer.score(held_out, rebuilt).value, rel=1e-8)
    full = PCA(svd_solver="full").fit(train)
    assert pca_spectrum(train) == pytest.approx(full.explained_variance_, abs=1e-9)


def test_pca_of_width_zero_is_the_mean_and_of_full_width_perfect():
    data = load_wine().data
    scorer = Scorer.fit(data)
    assert pca_scores(scorer, data, data, data, lambda y: y, [0])[0] == pytest.approx(MEAN_SCORE)
    assert pca_scores(scorer, data, data, data, lambda y: y, [99])[0] == pytest.approx(0, abs=1e-8)


def test_missing_cells_are_filled_with_the_train_mean():
    data = load_diabetes().data.copy()
    data[::9, 2] = np.nan
    filled = np.where(np.isnan(data), np.nanmean(data, axis=0), data)
    scorer = Scorer.fit(data)
    theirs = PCA(3, svd_solver="full").fit(filled)
    rebuilt = theirs.inverse_transform(theirs.transform(filled))
    ours = pca_scores(scorer, data, data, data, lambda y: y, [3])[0]
    assert ours == pytest.approx(scorer.score(data, rebuilt).value, rel=1e-8)


def test_images_keep_their_shape():
    images = load_digits().images
    scorer = Scorer.fit(images, declared_shape=True)
    flat = load_digits().data
    ours = pca_scores(scorer, images, images, images, lambda y: y, [10])[0]
    assert ours == pytest.approx(pca_scores(Scorer.fit(flat), flat, flat, flat, lambda y: y, [10])[0])


def test_spectrum_ratio_by_hand():
    assert spectrum_ratio(np.array([5.0, 4.0, 2.0, 1.0, 1.0]), 2) == pytest.approx(1.5 / (4 / 3))
    assert spectrum_ratio(np.ones(50), 8) == 1
    assert spectrum_ratio(np.ones(8), 8) == 1
    assert spectrum_ratio(np.array([9.0, 3.0]), 1) == 1
    assert spectrum_ratio(pca_spectrum(load_digits().data), 2) > 2


def test_linear_bound_is_what_pca_reaches_on_fresh_noise():
    rng = np.random.default_rng(0)
    train, fresh = rng.random((4000, 40)), rng.random((4000, 40))
    scorer = Scorer.fit(train)
    reached = pca_scores(scorer, train, fresh, fresh, lambda y: y, [8])[0]
    assert linear_bound(40, 8) == 0.8
    assert reached == pytest.approx(0.8, abs=0.02)
    assert reached >= 0.795


@pytest.mark.parametrize(("n", "D"), [(1000, 784), (800, 784), (300, 300), (400, 50), (100, 10), (60, 300)])
def test_uniform_and_normal_noise_is_noise(n, D):
    rng = np.random.default_rng(n + D)
    for scale in (1, 1000):
        assert looks_like_noise(pca_spectrum(rng.random((n, D)) * scale), n, D)
    assert looks_like_noise(pca_spectrum(rng.normal(size=(n, D))), n, D)


def correlated():
    rng = np.random.default_rng(0)
    return rng.normal(size=(500, 12)) @ rng.normal(size=(12, 12))


def one_weak_factor():
    rng = np.random.default_rng(1)
    return rng.normal(size=(1000, 784)) + rng.normal(size=(1000, 1)) * rng.normal(size=784) * 0.1


def standardised(data):
    spread = data.std(axis=0)
    return (data - data.mean(axis=0)) / np.where(spread > 0, spread, 1)


@pytest.mark.parametrize(
    "data",
    [
        load_digits().data,
        standardised(load_digits().data),
        load_diabetes().data,
        standardised(load_diabetes().data),
        load_wine().data,
        standardised(load_wine().data),
        standardised(load_breast_cancer().data),
        load_digits().data[:60],
        correlated(),
        one_weak_factor(),
        np.random.default_rng(0).normal(size=(500, 20)) * np.linspace(1, 3, 20),  # unequal variances
        np.random.default_rng(0).random((20, 50)),  # too few rows to tell
        np.zeros((100, 10)),
    ],
)
def test_no_false_alarm_of_noise(data):
    assert not looks_like_noise(pca_spectrum(data), *data.shape)


def test_several_widths_at_once_are_each_as_alone():
    data = np.random.default_rng(2).normal(size=(200, 6)) * [6, 5, 4, 3, 2, 1]
    scorer = Scorer.fit(data)
    together = pca_scores(scorer, data, data, data, lambda y: y, [1, 2, 4])
    assert together == pytest.approx([pca_scores(scorer, data, data, data, lambda y: y, [k])[0] for k in (1, 2, 4)])
    assert together == sorted(together, reverse=True)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([1, 0.5, 0.1, 0.09, 0.08], 4), ([1, 0.75, 0.5, 0.25, 0.0], None), ([1, 0.1, 0.09, 0.08, 0.07], 2)],
)
def test_the_knee_is_where_more_width_stops_paying(scores, expected):
    assert knee([1, 2, 4, 8, 16], scores) == expected


def test_two_points_have_no_knee():
    assert knee([1, 2], [1.0, 0.1]) is None


def test_reduced_rank_regression_is_least_squares_at_full_rank_and_pca_of_rows_onto_themselves():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 6))
    x = y + 0.5 * rng.normal(size=y.shape)
    assert reduced_rank(x, y, 6)(x) == pytest.approx(LinearRegression().fit(x, y).predict(x))
    pca = PCA(2).fit(y + 3)
    assert reduced_rank(y + 3, y + 3, 2)(y + 3) == pytest.approx(pca.inverse_transform(pca.transform(y + 3)))
    errors = [np.square(reduced_rank(x, y, k)(x) - y).sum() for k in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]
    assert np.linalg.matrix_rank(reduced_rank(x, y, 2)(x) - y.mean(axis=0)) == 2
