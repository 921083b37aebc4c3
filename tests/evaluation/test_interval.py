"""Tests of aetfx.evaluation.interval and .resample: weights, variances and coverage, by simulation."""

import numpy as np
import pytest

from aetfx.evaluation.resample import poisson_weights
from aetfx.evaluation.score import Scorer, paired_row_variance, score_interval


def test_weights_are_poisson_and_belong_to_the_row():
    hashes = np.random.default_rng(0).integers(0, 2**61, size=2000, dtype=np.uint64)  # leading bits alike
    weights = poisson_weights(hashes, 200)
    assert weights.shape == (200, 2000)
    assert weights.mean() == pytest.approx(1, abs=0.01)
    assert weights.var() == pytest.approx(1, abs=0.01)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.005)
    order = np.random.default_rng(1).permutation(2000)
    assert (poisson_weights(hashes[order], 200) == weights[:, order]).all()
    assert (poisson_weights(hashes, 50, first=150) == weights[150:]).all()
    across = np.corrcoef(weights[:, :100].T)
    assert np.abs(across - np.eye(100)).max() < 0.35
    assert np.abs(np.corrcoef(weights[:50]) - np.eye(50)).max() < 0.15


def problem(seed, n=300):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 6))
    shared = rng.normal(size=rows.shape) * rng.gamma(1.0, size=(n, 1))
    return rows, rows + 0.6 * shared + 0.1 * rng.normal(size=rows.shape), rows + 0.5 * shared


def test_row_variance_is_that_of_new_rows():
    scorer = Scorer.fit(problem(0)[0])
    truth = []
    for seed in range(300):
        rows, a, b = problem(seed)
        truth.append(np.log(scorer.score(rows, a).value / scorer.score(rows, b).value))
    estimates = [paired_row_variance(scorer, *problem(seed), seed=3) for seed in range(8)]
    assert np.mean(estimates) == pytest.approx(np.var(truth, ddof=1), rel=0.35)


def test_row_variance_is_reproducible_and_pairs_the_rows():
    rows, a, b = problem(0)
    scorer = Scorer.fit(rows)
    paired = paired_row_variance(scorer, rows, a, b, seed=1)
    order = np.random.default_rng(0).permutation(len(rows))
    assert paired_row_variance(scorer, rows[order], a[order], b[order], seed=1) == pytest.approx(paired, rel=1e-9)
    assert paired_row_variance(scorer, rows, a, a, seed=1) == 0
    unpaired = paired_row_variance(scorer, rows, a, b[order], seed=1)
    assert paired < unpaired / 5


def test_masked_rows_can_be_drawn_too():
    rows, a, b = problem(0)
    rows = rows.copy()
    rows[::7, 2] = np.nan
    assert 0 < paired_row_variance(Scorer.fit(rows), rows, a, b, seed=1) < 0.1


def test_interval_covers_the_score():
    scorer = Scorer.fit(problem(0, 20_000)[0])
    expected = scorer.score(*problem(10**6, 50_000)[:2]).value
    hits = 0
    for seed in range(150):
        rows, a, _ = problem(seed)
        low, high = score_interval(scorer, rows, [a], 0, draws=100)
        hits += low <= expected <= high
    assert 0.88 <= hits / 150 <= 0.99


def test_interval_widens_with_the_spread_between_seeds():
    rows, a, _ = problem(0)
    scorer = Scorer.fit(rows)
    one = score_interval(scorer, rows, [a], 0)
    three = score_interval(scorer, rows, [a, a + 0.4 * (a - rows), a - 0.4 * (a - rows)], 0)
    pooled = score_interval(scorer, rows, [a, a, a], 0, pooled=(0.01, 12))
    assert one[0] < scorer.score(rows, a).value < one[1]
    assert three[1] - three[0] > pooled[1] - pooled[0] > one[1] - one[0]
    assert three[1] <= 4
