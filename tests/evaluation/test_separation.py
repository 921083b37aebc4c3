"""Tests of aetfx.evaluation.separation: chance is called chance, and shifts of every kind are seen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import roc_auc_score

from aetfx.evaluation.separation import _auc, told_apart

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("rows", [load_breast_cancer().data, load_digits().data, load_wine().data], ids=["a", "b", "c"])
def test_random_halves_of_real_rows_cannot_be_told_apart(rows):
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))
        found = told_apart(rows[order[::2]], rows[order[1::2]], seed=seed)
        assert found.low < 0.6
        assert found.auc == pytest.approx(0.5, abs=0.13)


def _moved(rows):
    return rows + 0.8


def _spread(rows):
    return rows * 1.8


def _one_column(rows):
    return rows + np.eye(rows.shape[1])[2] * 1.5


def _uncorrelated(rows):
    """Each column keeps its values: no look at single columns sees anything."""
    return np.stack([np.random.default_rng(j).permutation(column) for j, column in enumerate(rows.T)], axis=1)


@pytest.mark.parametrize("change", [_moved, _spread, _one_column, _uncorrelated])
def test_a_shift_is_seen(change):
    rows = RNG.normal(size=(600, 2)) @ RNG.normal(size=(2, 6)) + 0.3 * RNG.normal(size=(600, 6))
    rows /= rows.std(axis=0)
    assert told_apart(rows[:300], change(rows[300:])).low > 0.6
    assert told_apart(rows[:300], rows[300:]).low < 0.6


def test_wide_rows_with_holes():
    rows = RNG.random((300, 28, 28)).astype(np.float32)
    rows[RNG.random(rows.shape) < 0.02] = np.nan
    rows[0, 0, 0] = np.inf
    assert told_apart(rows[:200], rows[200:]).auc == pytest.approx(0.5, abs=0.15)
    assert told_apart(rows[:200], rows[200:] * 1.5).low > 0.6


def test_the_bound_covers_half_in_nearly_all_samples():
    lows = [told_apart(r[:80], r[80:]).low for r in np.random.default_rng(1).normal(size=(20, 160, 4))]
    assert np.mean(np.array(lows) < 0.5) >= 0.9


def test_too_few_rows_say_nothing():
    assert told_apart(RNG.random((100, 3)), RNG.random((10, 3)) + 5) is None


def test_area_is_that_of_scikit_learn():
    score, label = RNG.integers(0, 5, 200).astype(float), RNG.integers(0, 2, 200)
    assert _auc(score, label) == pytest.approx(roc_auc_score(label, score))
