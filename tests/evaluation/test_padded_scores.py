"""Scores of padded sequences, and of one value repeated, beside plain loops (aetfx.evaluation)."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.evaluation.baselines import last_value_score, mean_sequence_score
from aetfx.evaluation.score import Scorer, score_interval


def sequences(seed, n=40, steps=6, features=2, value=0.0):
    """Random sequences of random lengths (at least 2), and those lengths."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, steps, features)).cumsum(axis=1)
    lengths = rng.integers(2, steps + 1, n)
    for row, length in zip(rows, lengths, strict=True):
        row[length:] = value
    return rows, lengths


def by_hand(train, lengths, held, held_lengths, guess):
    """Error over denominator, both summed over all steps that are there."""
    mean = np.zeros(train.shape[1:])
    for step in range(train.shape[1]):
        mean[step] = train[lengths > step, step].mean(axis=0)
    error = denominator = 0.0
    for row, length, answer in zip(held, held_lengths, guess, strict=True):
        error += np.square(row[:length] - answer[:length]).sum()
        denominator += np.square(row[:length] - mean[:length]).sum()
    return error / denominator


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("value", [0.0, -99.0])
def test_padded_steps_count_in_neither_sum(seed, value):
    train, lengths = sequences(seed, value=value)
    held, held_lengths = sequences(seed + 100, n=25, value=value)
    scorer = Scorer.fit(train, declared_shape=True, padding=value)
    guess = held + np.random.default_rng(seed).normal(size=held.shape)
    expected = by_hand(train, lengths, held, held_lengths, guess)
    found = scorer.score(held, guess)
    assert found.value == pytest.approx(expected, rel=1e-12)
    nonsense = guess.copy()
    for row, length in zip(nonsense, held_lengths, strict=True):
        row[length:] = np.nan
    again = scorer.score(held, nonsense)
    assert again.value == found.value
    assert not again.diverged
    np.testing.assert_array_equal(again.per_feature, found.per_feature)
    np.testing.assert_array_equal(scorer.row_errors(held, nonsense), scorer.row_errors(held, guess))
    low, high = score_interval(scorer, held, [nonsense], seed)
    assert low <= found.value <= high


def test_without_padding_nothing_changes():
    train, _ = sequences(0, value=1.5)
    guess = train * 0.9
    plain = Scorer.fit(train, declared_shape=True)
    asked = Scorer.fit(train, declared_shape=True, padding=-7.0)
    assert asked.score(train, guess).value == plain.score(train, guess).value


def test_facts_of_the_score_leave_padding_out():
    train, lengths = sequences(3, value=1e6)
    scorer = Scorer.fit(train, declared_shape=True, padding=1e6)
    np.testing.assert_allclose(scorer.train_mean[-2:], train[lengths == 6, -1].mean(axis=0))
    assert scorer.range_ratio < 30
    assert scorer.mask(train).sum() == 2 * lengths.sum()


@pytest.mark.parametrize("seed", range(6))
def test_repeated_values_are_those_of_a_loop(seed):
    train, lengths = sequences(seed)
    held, held_lengths = sequences(seed + 50, n=20)
    scorer = Scorer.fit(train, declared_shape=True, padding=0.0)
    last, mean = np.empty_like(held), np.empty_like(held)
    for i, (row, length) in enumerate(zip(held, held_lengths, strict=True)):
        last[i], mean[i] = row[length - 1], row[:length].mean(axis=0)
    arguments = (train, lengths, held, held_lengths)
    assert last_value_score(scorer, held) == pytest.approx(min(4.0, by_hand(*arguments, last)), rel=1e-12)
    assert mean_sequence_score(scorer, held) == pytest.approx(min(4.0, by_hand(*arguments, mean)), rel=1e-12)


def test_missing_cells_are_no_last_value():
    train = np.random.default_rng(0).normal(size=(50, 4, 1)).cumsum(axis=1)
    held = np.array([[[1.0], [2.0], [5.0], [np.nan]], [[np.nan], [np.nan], [np.nan], [np.nan]]])
    scorer = Scorer.fit(train, declared_shape=True)
    answer = np.array([[[5.0]] * 4, [[0.0]] * 4])
    assert last_value_score(scorer, held) == scorer.score(held, answer).value
    answer[0] = 8 / 3
    assert mean_sequence_score(scorer, held) == pytest.approx(scorer.score(held, answer).value)


def test_a_constant_sequence_is_its_own_last_value():
    rows = np.repeat(np.random.default_rng(1).normal(size=(30, 1, 2)), 5, axis=1)
    scorer = Scorer.fit(rows, declared_shape=True)
    assert last_value_score(scorer, rows) == 0.0
    assert mean_sequence_score(scorer, rows) == pytest.approx(0.0, abs=1e-30)
