"""Tests of aetfx.comparison.row_changes: each change touches its side only, and changes add up."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from aetfx.comparison.row_changes import added, changed, on_train, share, with_select
from aetfx.comparison.splits import Part, split_rows

DIGITS = np.random.default_rng(0).permutation(load_digits().data / 16)
KEY = np.random.default_rng(1).random(64)


def split(factor=1.0):
    evaluation = DIGITS[1200:] * factor
    return split_rows(Part.of(DIGITS[:1200], None), Part.of(evaluation, None), 0.0, 0, reserve=True)


def rows_in(rows, others):
    return np.isin((rows @ KEY).round(9), (others @ KEY).round(9)).mean()


def test_a_smaller_share_lies_within_a_larger_one_and_another_draw_does_not():
    quarter, half = (changed(split(), share(part), 0).train for part in (0.25, 0.5))
    assert (len(quarter), len(half)) == (300, 600)
    assert rows_in(quarter, half) == 1.0
    other = changed(split(), share(0.25, 1), 0).train
    assert len(other) == 300
    assert 0.1 < rows_in(other, quarter) < 0.5


def test_the_reserve_takes_the_place_of_as_many_train_rows():
    before = split()
    after = changed(before, "with_reserve", 0)
    assert len(after.train) == len(before.train)
    n_reserve = len(before.part("reserve"))
    assert rows_in(after.train, before.part("reserve").inputs) * len(after.train) == n_reserve
    assert rows_in(after.train, before.held_out) == 0
    np.testing.assert_array_equal(after.held_out, before.held_out)


@pytest.mark.parametrize("times", [1, 2])
def test_select_rows_are_added_so_many_times_as_there_are_train_rows(times):
    before = split_rows(Part.of(DIGITS[:100], None), Part.of(DIGITS[1200:], None), 0.0, 0)
    after = changed(before, with_select(times), 0)
    np.testing.assert_array_equal(after.train[:100], before.train)
    np.testing.assert_array_equal(after.train[100:], before.select[: 100 * times])
    np.testing.assert_array_equal(after.confirm, before.confirm)


def test_aligning_changes_the_rows_to_judge_by_and_nothing_else():
    before = split(255.0)
    after = changed(before, "aligned", 0)
    np.testing.assert_array_equal(after.train, before.train)
    for name in ("select", "confirm", "reserve"):
        np.testing.assert_allclose(after.part(name).inputs, before.part(name).inputs / 255, atol=1e-6)
        assert after.part(name).targets is after.part(name).inputs
    assert on_train("aligned") == ""
    assert on_train(added("aligned", share(0.5))) == "share=0.5"


def test_changes_add_up():
    both = changed(split(255.0), added("aligned", "with_reserve"), 0)
    assert both.train.max() < 1.1
