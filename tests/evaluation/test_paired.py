"""Tests of aetfx.evaluation.paired: figures by hand, and false alarms, coverage and power by simulation."""

import functools

import numpy as np
import pytest
from scipy import stats

from aetfx.evaluation.paired import (
    alike,
    detectable_gain,
    gain_over_resplits,
    gain_over_seeds,
    holm,
    pooled_log_variance,
)


def test_pooled_variance_by_hand():
    groups = [np.exp([0.0, 0.2]), np.exp([1.0, 1.0, 1.3]), [0.5]]
    variance, df = pooled_log_variance(groups)
    assert df == 3
    assert variance == pytest.approx((0.02 + 0.06) / 3)
    assert pooled_log_variance([[0.5], [0.4]]) == (0.0, 0)
    assert pooled_log_variance([[0.0, 1e-9], [0.0, 0.0]]) == (0.0, 2)  # floored: perfect is perfect


def test_gain_by_hand():
    gain = gain_over_seeds([0.8, 0.8, 0.8], [0.4, 0.4, 0.4], pooled=(0.01, 6), row_variance=0.002, alpha=0.05)
    assert gain.gain == pytest.approx(0.5)
    error = np.sqrt(0.02 / 3 + 0.002)
    assert gain.standard_error == pytest.approx(error)
    df = (0.02 / 3 + 0.002) ** 2 / ((0.02 / 3) ** 2 / 6)
    assert gain.df == pytest.approx(df)
    assert gain.lower == pytest.approx(1 - np.exp(-(np.log(2) - stats.t.ppf(0.95, df) * error)))
    half = stats.t.ppf(0.975, df) * error
    assert gain.interval == pytest.approx((1 - np.exp(-(np.log(2) - half)), 1 - np.exp(-(np.log(2) + half))))
    assert gain.p_value(0.1) == pytest.approx(stats.t.sf((np.log(2) + np.log(0.9)) / error, df))
    assert gain.p_value(gain.lower) == pytest.approx(0.05)
    assert gain.lower_at(0.05) == gain.lower
    assert gain.lower_at(0.01) < gain.lower


def test_own_variance_where_it_exceeds_four_times_the_pool():
    steady, wild = [0.5, 0.5, 0.5], np.exp([-1.0, -0.5, 0.0])  # own variance 0.25
    calm = gain_over_seeds(steady, wild, pooled=(0.07, 10))
    assert calm.standard_error**2 == pytest.approx(2 * 0.07 / 3)
    assert calm.df == pytest.approx(10)
    own = gain_over_seeds(steady, wild, pooled=(0.01, 10))
    assert own.standard_error**2 == pytest.approx((0.01 + 0.25) / 3)
    assert own.df == pytest.approx(0.26**2 / (0.01**2 / 10 + 0.25**2 / 2))
    alone = gain_over_seeds(steady, wild, pooled=(0.0, 0))
    assert alone.standard_error**2 == pytest.approx(0.25 / 3)
    assert alone.df == pytest.approx(2)


def test_degenerate_scores():
    worse = gain_over_seeds([0.1] * 3, [4.0] * 3, pooled=(0.01, 4))
    assert worse.gain == pytest.approx(-39)
    perfect = gain_over_seeds([0.5] * 3, [0.0] * 3, pooled=(0.01, 4))
    assert perfect.gain == pytest.approx(1 - 1e-6 / 0.5)
    same = gain_over_seeds([0.5] * 3, [0.25] * 3, pooled=(0.0, 4))  # repeats to the last bit
    assert same.p_value(0.1) == pytest.approx(0, abs=1e-9)
    assert same.lower == pytest.approx(0.5)
    with pytest.raises(ValueError, match="one length"):
        gain_over_seeds([0.5], [0.5, 0.5], pooled=(0.1, 3))
    with pytest.raises(ValueError, match="no standard error"):
        gain_over_seeds([0.5], [0.5], pooled=(0.0, 0))
    with pytest.raises(ValueError, match="finite"):
        gain_over_seeds([np.nan], [0.5], pooled=(0.1, 3))
    with pytest.raises(ValueError, match="at least two"):
        gain_over_resplits([0.5], [0.5], test_train_ratio=0.25)


def test_resplits_by_hand():
    before, after = np.exp([0.0, 0.1, 0.0, -0.1, 0.0]), np.exp([-0.5, -0.6, -0.4, -0.5, -0.5])
    gain = gain_over_resplits(before, after, test_train_ratio=0.25)
    d = np.array([0.5, 0.7, 0.4, 0.4, 0.5])
    assert gain.log_ratio == pytest.approx(0.5)
    assert gain.standard_error == pytest.approx(np.sqrt((0.2 + 0.25) * d.var(ddof=1)))
    assert gain.df == 4


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05) == pytest.approx([0.05 / 3, 0.025, 0.025, 0.0125])
    assert holm([], 0.05) == []
    assert holm([0.2], 0.05) == [0.05]


@pytest.mark.parametrize("seed", range(20))
def test_holm_rejects_what_adjusted_p_values_reject(seed):
    p = np.random.default_rng(seed).random(6) ** 3
    order = np.argsort(p)
    adjusted = np.empty(6)
    adjusted[order] = np.maximum.accumulate(p[order] * (6 - np.arange(6)))
    assert (p <= np.array(holm(p, 0.05))).tolist() == (adjusted <= 0.05).tolist()


def test_alike():
    estimator = functools.partial(gain_over_seeds, pooled=(0.01, 6), alpha=0.05)
    assert alike([0.10, 0.11, 0.12], [0.11, 0.10, 0.12], estimator)
    assert not alike([0.10, 0.11, 0.12], [0.20, 0.22, 0.24], estimator)
    assert not alike([0.20, 0.22, 0.24], [0.10, 0.11, 0.12], estimator)


def simulate(true_gain, n, *, sd=0.1, seeds=3, configurations=5, noise=None, seed=0):
    """Yields a `Gain` per simulated run; the pool is that of all its configurations."""
    rng = np.random.default_rng(seed)
    noise = noise or rng.standard_normal
    for _ in range(n):
        logs = noise(size=(configurations, seeds)) * sd
        logs[1] += np.log(1 - true_gain)
        scores = np.exp(logs) * 0.3
        yield gain_over_seeds(scores[0], scores[1], pooled=pooled_log_variance(scores), alpha=0.05)


def test_false_alarms_and_coverage_over_seeds():
    gains = list(simulate(0.0, 2000))
    assert 0.03 <= np.mean([gain.lower > 0 for gain in gains]) <= 0.065
    assert 0.93 <= np.mean([gain.interval[0] <= 0 <= gain.interval[1] for gain in gains]) <= 0.97
    real = list(simulate(0.4, 2000, seed=1))
    assert 0.93 <= np.mean([gain.interval[0] <= 0.4 <= gain.interval[1] for gain in real]) <= 0.97
    assert 0.94 <= np.mean([gain.lower <= 0.4 for gain in real]) <= 0.97


def test_naming_rule_hardly_ever_names_a_fault_that_is_none():
    named = [gain.gain >= 0.25 and gain.lower >= 0.10 for gain in simulate(0.0, 2000, sd=0.15, seed=2)]
    assert np.mean(named) <= 0.005
    best_of_three = np.reshape(named[:1998], (-1, 3)).any(axis=1)
    assert best_of_three.mean() <= 0.02


def test_heavy_tailed_seeds_keep_the_level():
    rng = np.random.default_rng(3)
    gains = simulate(0.0, 2000, noise=functools.partial(rng.standard_t, 3), seed=3)
    assert np.mean([gain.lower > 0 for gain in gains]) <= 0.065


def test_one_unsteady_configuration_does_not_raise_false_alarms_much():
    rng = np.random.default_rng(4)
    alarms = []
    for _ in range(2000):
        logs = rng.normal(size=(5, 3)) * np.array([1, 6, 1, 1, 1])[:, None] * 0.05
        scores = np.exp(logs)
        gain = gain_over_seeds(scores[0], scores[1], pooled=pooled_log_variance(scores), alpha=0.05)
        alarms.append(gain.lower > 0)
    assert np.mean(alarms) <= 0.12  # a plain pool would be at 0.2


def test_false_alarms_over_resplits_that_share_rows():
    """Five test sets drawn from one sample share its luck: the plain t-test is far off its level, this one is on it."""
    rng = np.random.default_rng(5)
    corrected, plain = [], []
    for _ in range(2000):
        rows = rng.normal(size=200) * 0.3  # ln(before / after) of each row; its true mean is 0
        d = np.array([rows[rng.permutation(200)[:40]].mean() for _ in range(5)])
        corrected.append(gain_over_resplits(np.exp(d), np.ones(5), test_train_ratio=0.25).lower > 0)
        plain.append(stats.ttest_1samp(d, 0, alternative="greater").pvalue < 0.05)
    assert 0.03 <= np.mean(corrected) <= 0.075  # the correction is an approximation
    assert np.mean(plain) > 0.10


@pytest.mark.parametrize("sd", [0.02, 0.15, 0.4])
def test_detectable_gain_is_named_four_times_in_five(sd):
    error, df = sd * np.sqrt(2 / 3), 10
    worth = detectable_gain(error, df, 0.05)
    assert worth >= 0.25
    named = [gain.gain >= 0.25 and gain.lower >= 0.10 for gain in simulate(worth, 1500, sd=sd)]
    assert np.mean(named) == pytest.approx(0.8, abs=0.06)


def test_detectable_gain_grows_with_noise_and_falls_with_level():
    assert detectable_gain(1e-9, 10, 0.05) == pytest.approx(0.25)
    assert detectable_gain(0.2, 10, 0.05) > detectable_gain(0.1, 10, 0.05)
    assert detectable_gain(0.2, 10, 0.01) > detectable_gain(0.2, 10, 0.05)
