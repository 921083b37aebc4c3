"""Tests of aetfx.evaluation.layout: other orders of cells are found and undone, and ordinary rows have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_sample_images, load_wine

from aetfx.evaluation.layout import layout

DIGITS = load_digits().images / 16


def patches(size=8):
    image = load_sample_images().images[1].astype(float) / 255
    high, wide = (edge // size for edge in image.shape[:2])
    cut = image[: high * size, : wide * size].reshape(high, size, wide, size, 3).swapaxes(1, 2)
    return cut.reshape(-1, size, size, 3)[:1200]


def halves(rows, seed=0):
    order = np.random.default_rng(seed).permutation(len(rows))
    cut = int(0.7 * len(rows))
    return rows[order[:cut]], rows[order[cut:]]


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        (lambda rows: rows[:, ::-1], "the train rows upside down", "[:, ::-1]"),
        (lambda rows: rows[:, :, ::-1], "the train rows mirrored left to right", "[:, :, ::-1]"),
        (lambda rows: rows[:, ::-1, ::-1], "the train rows turned by 180 degrees", "[:, ::-1, ::-1]"),
        (lambda rows: rows.swapaxes(1, 2), "the train rows transposed", ".swapaxes(1, 2)"),
        (
            lambda rows: np.rot90(rows, -1, axes=(1, 2)),
            "the train rows turned by 90 degrees to the right",
            ".swapaxes(1, 2)[:, ::-1]",
        ),
    ],
)
def test_a_turned_picture_is_named_and_turned_back(change, words, code):
    train, evaluation = halves(DIGITS)
    for here, there in ((train, evaluation), (train[..., None], evaluation[..., None])):
        given = change(there)
        found = layout(here, given)
        assert (found.words, found.code) == (words, code)
        np.testing.assert_array_equal(found(given), there)
        np.testing.assert_array_equal(eval("x_val" + code, {"x_val": given}), there)


@pytest.mark.parametrize("change", [lambda rows: rows[:, ::-1], lambda rows: rows[:, :, ::-1]])
def test_pictures_are_told_behind_flattening_too(change):
    train, evaluation = halves(DIGITS)
    flat, there = train.reshape(len(train), -1), evaluation.reshape(len(evaluation), -1)
    given = change(evaluation).reshape(len(evaluation), -1)
    found = layout(flat, given)
    np.testing.assert_array_equal(found(given), there)
    np.testing.assert_array_equal(eval("x_val" + found.code, {"x_val": given}), there)


def test_blue_first_is_told_from_red_first():
    train, evaluation = halves(patches())
    found = layout(train, evaluation[..., ::-1])
    assert (found.words, found.code) == ("the train rows with channels 2, 1, 0 in this order", "[..., [2, 1, 0]]")
    np.testing.assert_array_equal(found(evaluation[..., ::-1]), evaluation)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(13)))
def test_any_order_of_columns_is_undone(order):
    train, evaluation = halves(load_wine().data)
    given = evaluation[:, order]
    found = layout(train, given)
    moved = np.mean(np.array(order) != np.arange(13))
    if found is None:
        assert moved < 0.5
        return
    np.testing.assert_array_equal(found(given), evaluation)
    assert found.before > 8 * found.after


def test_sequences_from_their_end():
    rng = np.random.default_rng(0)
    rows = np.cumsum(rng.normal(0.3, 0.2, size=(400, 12, 2)), axis=1)
    train, evaluation = halves(rows)
    assert layout(train, evaluation[:, ::-1]).words == "the train rows reversed"


@pytest.mark.parametrize("seed", range(5))
def test_other_rows_of_the_same_kind_are_in_the_same_order(seed):
    for rows in (DIGITS, patches(), load_wine().data, load_iris().data, load_breast_cancer().data):
        assert layout(*halves(rows, seed)) is None


def test_rows_that_differ_in_more_than_their_order_have_none():
    digits = load_digits()
    few, many = (digits.images[digits.target < 5] / 16, digits.images[digits.target >= 5] / 16)
    assert layout(few, many) is None, "other digits"
    train, evaluation = halves(load_wine().data)
    assert layout(train, evaluation * 2) is None, "another scale"
    assert layout(train, evaluation[:, ::-1] + 3 * train.std(axis=0)) is None, "another place as well"
    assert layout(train[:20], evaluation[:, ::-1]) is None, "too few rows to tell"
    cancer = load_breast_cancer()
    assert layout(cancer.data[cancer.target == 1], cancer.data[cancer.target == 0]) is None, "the other class"


def test_cells_without_a_figure_are_left_out():
    train, evaluation = halves(load_wine().data)
    holed = evaluation[:, ::-1].copy()
    holed[::7, 3] = np.nan
    np.testing.assert_array_equal(layout(train, holed)(holed), holed[:, ::-1])
