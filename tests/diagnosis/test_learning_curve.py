"""Tests of aetfx.diagnosis.learning_curve: power laws are continued, and what is not known is admitted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetfx.diagnosis.learning_curve import FOUR, SHARES, TWICE, more_rows


def law(a, b, c, n):
    return a * n**-b + c


def scores(a, b, c, noise=0.0, seed=0, trainings=3):
    rng = np.random.default_rng(seed)
    return {n: law(a, b, c, n) * np.exp(noise * rng.standard_normal(trainings)) for n in SHARES}


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 2), st.floats(0.1, 2), st.floats(0, 1))
def test_a_power_law_is_continued_exactly(a, b, c):
    found = more_rows(scores(a, b, c))
    assert found.twice == pytest.approx(1 - law(a, b, c, 2) / law(a, b, c, 1), abs=1e-6)
    assert found.four == pytest.approx(1 - law(a, b, c, 4) / law(a, b, c, 1), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-4, 4), min_size=9, max_size=9))
def test_any_scores_give_gains_in_order(values):
    found = more_rows({n: values[3 * i : 3 * i + 3] for i, n in enumerate(SHARES)})
    for gain, (low, high) in ((found.twice, found.twice_interval), (found.four, found.four_interval)):
        assert low <= gain <= high
        assert high < 1
    assert found.twice <= 0 or found.twice <= found.four < 1


@pytest.mark.parametrize(("b", "c"), [(0.3, 0.0), (0.7, 0.1), (1.0, 0.2), (1.5, 0.05)])
@pytest.mark.parametrize("noise", [0.03, 0.1])
def test_the_truth_lies_in_the_interval_as_often_as_promised(b, c, noise):
    """As a user would find it: the mean of three trainings on the real 2n and 4n rows."""
    rng = np.random.default_rng(1)
    hits = []
    for seed in range(60):
        found = more_rows(scores(0.3, b, c, noise, seed))
        full = found.scores[1.0]
        for times, interval in ((2, found.twice_interval), (4, found.four_interval)):
            real = law(0.3, b, c, times) * np.exp(noise * rng.standard_normal() / np.sqrt(3))
            hits.append(interval[0] <= 1 - real / full <= interval[1])
    assert np.mean(hits) >= 0.9


def test_noise_widens_the_interval_and_a_flat_curve_promises_nothing():
    calm, loud = (more_rows(scores(0.3, 0.7, 0.1, noise, 3)).twice_interval for noise in (0.01, 0.1))
    assert calm[1] - calm[0] < 0.5 * (loud[1] - loud[0])
    flat = more_rows(scores(0.0, 1.0, 0.2, 0.02, 4))
    assert flat.twice_interval[0] < 0.05
    assert flat.twice < 0.1


def test_a_curve_needs_its_three_sizes():
    with pytest.raises(ValueError, match="two scores or more at each"):
        more_rows({0.5: [0.3, 0.3], 1.0: [0.2, 0.2]})


def test_a_curve_that_has_not_begun_to_fall_may_do_so_by_as_much_as_the_gap_allows():
    flat = scores(0.0, 1.0, 0.4, 0.02, 4)
    alone, beside = more_rows(flat), more_rows(flat, train_score=0.1)
    assert beside.twice_interval[1] == pytest.approx(0.75 / 2, abs=0.01)
    assert beside.four_interval[1] == pytest.approx(0.75 * 3 / 4, abs=0.01)
    assert (beside.twice, beside.twice_lower, beside.twice_interval[0]) == (
        alone.twice, alone.twice_lower, alone.twice_interval[0]
    )  # fmt: skip
    falling = scores(0.4, 0.7, 0.0)
    assert more_rows(falling, train_score=0.0) == more_rows(falling)


def test_rows_known_by_heart_promise_what_the_gap_says_where_the_curve_does_not_refute_it():
    """Noise at three sizes (0.237, 0.175, 0.151) hides a gain; of 100 patches, 13 times as many rows gained 47 %."""
    noisy = {0.25: [0.30, 0.19, 0.23], 0.5: [0.21, 0.15, 0.17], 1.0: [0.18, 0.12, 0.16]}
    alone, beside = more_rows(noisy), more_rows(noisy, train_score=0.033, by_heart=True)
    assert beside.four > alone.four
    assert 0 < beside.twice <= beside.four < 0.65 * 0.75 + 0.05
    flat = scores(0.0, 1.0, 0.98, 0.01, 4)
    refuted = more_rows(flat, train_score=0.1, by_heart=True)
    assert refuted.four_lower < 0 < refuted.four_interval[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-4, 4), min_size=9, max_size=9), st.floats(0, 4))
def test_any_scores_beside_a_gap_give_gains_in_order(values, train_score):
    given_scores = {n: values[3 * i : 3 * i + 3] for i, n in enumerate(SHARES)}
    found = more_rows(given_scores, train_score=train_score, by_heart=True)
    for gain, (low, high) in ((found.twice, found.twice_interval), (found.four, found.four_interval)):
        assert low <= gain <= high < 1
    assert found.twice <= found.four


def test_twice_the_rows_where_they_are_at_hand_are_measured_and_four_times_as_many_follow():
    noisy = scores(0.3, 0.7, 0.05, 0.1, 1)
    rng = np.random.default_rng(9)
    measured = {**noisy, TWICE: law(0.3, 0.7, 0.05, 2) * np.exp(0.1 * rng.standard_normal(3))}
    foreseen, found = more_rows(noisy), more_rows(measured)
    means = {share: np.exp(np.mean(np.log(values))) for share, values in measured.items()}
    assert found.twice == pytest.approx(1 - means[2.0] / means[1.0])
    width = lambda interval: interval[1] - interval[0]  # noqa: E731
    assert width(found.twice_interval) < width(foreseen.twice_interval)
    late = more_rows({**{share: [0.3] * 3 for share in (*SHARES, TWICE)}, FOUR: [0.1] * 3})
    assert (late.twice, late.four) == (pytest.approx(0), pytest.approx(2 / 3)), "a curve that falls late is measured"
    with pytest.raises(ValueError, match="are needed"):
        more_rows({**noisy, FOUR: [0.1] * 3})
    exact = more_rows({share: [law(0.3, 0.7, 0.05, share)] * 3 for share in (*SHARES, TWICE)})
    assert exact.four == pytest.approx(1 - law(0.3, 0.7, 0.05, 4) / law(0.3, 0.7, 0.05, 1), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-4, 4), min_size=12, max_size=12), st.booleans())
def test_any_scores_at_twice_the_rows_give_gains_within_their_intervals(values, by_heart):
    given_scores = {n: values[3 * i : 3 * i + 3] for i, n in enumerate((*SHARES, TWICE))}
    found = more_rows(given_scores, train_score=0.5, by_heart=by_heart)
    for gain, (low, high) in ((found.twice, found.twice_interval), (found.four, found.four_interval)):
        assert low <= gain <= high < 1
    assert found.twice <= 0 or found.twice <= found.four
