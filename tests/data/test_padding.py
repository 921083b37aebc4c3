"""Tests of aetfx.data.padding: which steps of a sequence are padding, beside a loop that says the same."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.data.padding import padded_cells, padded_steps, without_padding


@pytest.mark.parametrize("seed", range(20))
def test_steps_are_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    value = float(rng.choice([0.0, -1.0, 0.1]))
    rows = rng.choice([value, 2.0], p=[0.7, 0.3], size=(30, rng.integers(1, 7), rng.integers(1, 4)))
    expected = np.zeros(rows.shape[:2], dtype=bool)
    for i, row in enumerate(rows):
        for step in reversed(range(len(row))):
            if not (row[step] == value).all():
                break
            expected[i, step] = True
    np.testing.assert_array_equal(padded_steps(rows, value), expected)
    np.testing.assert_array_equal(padded_steps(rows.astype(np.float32), value), expected)


def test_a_step_with_one_other_feature_is_there():
    rows = np.array([[[1.0, 1.0], [0.0, 3.0], [0.0, 0.0]]])
    np.testing.assert_array_equal(padded_cells(rows, 0.0), [[False, False, False, False, True, True]])
    flat = without_padding(rows.reshape(1, -1), 0.0, (3, 2))
    np.testing.assert_array_equal(flat, [[1, 1, 0, 3, np.nan, np.nan]])


def test_rows_without_steps_or_padding_are_left():
    rows = np.zeros((2, 4))
    assert padded_cells(rows, 0.0) is None
    assert without_padding(rows, 0.0, (4,)) is rows
    assert padded_cells(np.ones((2, 3, 2)), 0.0) is None
    assert padded_cells(np.zeros((2, 3, 2)), None) is None
