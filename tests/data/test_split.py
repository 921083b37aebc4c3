"""Tests of aetfx.data.split: the same rows on the same side everywhere, equal rows together."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aetfx.data.split import halve, held_out, row_hash
from aetfx.errors import DataError

ROWS = np.random.default_rng(0).normal(size=(2000, 3))


def test_the_hash_is_blake2b_of_little_endian_float64():
    row = np.array([[1.0, 2.5]])
    digest = hashlib.blake2b(
        row.astype("<f8").tobytes(), digest_size=8, key=(7).to_bytes(8, "little"), person=b"held out"
    )
    assert row_hash(row, 7)[0] == int.from_bytes(digest.digest(), "little")


def test_golden_values_never_change():
    """Written once: a change would move rows between splits of old runs."""
    values = np.array([[0.0, 1.0], [np.nan, -2.5]])
    assert row_hash(values, 0).tolist() == GOLDEN


GOLDEN = [15094405508650068376, 2903463597563206537]


@given(hnp.arrays(np.float64, (5, 2), elements=st.floats(-1e6, 1e6, width=32)), st.integers(0, 2**40))
def test_dtype_layout_and_order_do_not_matter(values, seed):
    hashes = row_hash(values, seed)
    np.testing.assert_array_equal(hashes, row_hash(values.astype(np.float32), seed))
    np.testing.assert_array_equal(hashes, row_hash(np.asfortranarray(values.astype(">f8")), seed))
    np.testing.assert_array_equal(hashes[::-1], row_hash(values[::-1], seed))
    np.testing.assert_array_equal(hashes, row_hash(values.reshape(5, 1, 2), seed))


def test_nan_and_negative_zero_are_canonical():
    odd_nan = np.array([0x7FF8000000000123], np.uint64).view(np.float64)[0]
    values = np.array([[np.nan, 0.0], [-np.nan, -0.0], [odd_nan, 0.0]])
    before = values.copy()
    assert len(set(row_hash(values, 1).tolist())) == 1
    np.testing.assert_array_equal(values, before)


def test_fraction_is_met_and_seeds_differ():
    chosen = held_out(ROWS, 0.2, seed=0)
    assert chosen.dtype == bool
    assert abs(chosen.mean() - 0.2) < 0.03
    assert (chosen != held_out(ROWS, 0.2, seed=1)).any()


def test_a_larger_fraction_holds_out_the_same_rows_and_more():
    assert not (held_out(ROWS, 0.1, 3) & ~held_out(ROWS, 0.3, 3)).any()


def test_equal_rows_stay_together():
    chosen = held_out(np.repeat(ROWS[:50], 4, axis=0), 0.5, 0).reshape(50, 4)
    assert (chosen.all(axis=1) | ~chosen.any(axis=1)).all()


def test_halves_are_independent_of_the_first_split():
    chosen = held_out(ROWS, 0.5, 0)
    confirm = halve(ROWS[chosen], 0)
    assert abs(confirm.mean() - 0.5) < 0.06


def test_rows_so_common_that_they_are_a_kind_of_data_are_in_both_halves():
    rows = np.concatenate([np.zeros((30, ROWS.shape[1])), np.repeat(ROWS[:135], 2, axis=0)])
    confirm = halve(np.random.default_rng(0).permutation(rows), 0)
    shuffled = np.random.default_rng(0).permutation(rows)
    empty = ~shuffled.any(axis=1)
    assert confirm[empty].sum() == 15
    _, pair = np.unique(shuffled[~empty], axis=0, return_inverse=True)
    for number in range(135):
        assert len(set(confirm[~empty][pair == number])) == 1


def test_an_empty_side_is_an_error_with_both_counts():
    same = np.ones((40, 2))
    with pytest.raises(DataError) as caught:
        held_out(same, 0.2, 0)
    assert "train and" in str(caught.value)
    assert "of 40" in str(caught.value)
    assert "data.eval" in str(caught.value)
    with pytest.raises(DataError, match="the 4 held-out rows cannot be halved"):
        halve(same[:4], 0)
