"""Tests of aetfx.data.parts: several inputs laid side by side, from whatever they are given in."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.data import rows_from
from aetfx.data.parts import are_parts, pack
from aetfx.errors import DataError

IMAGES = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
TABLE = np.arange(8, dtype=np.float32).reshape(4, 2) / 7


@pytest.mark.parametrize("data", [{"a": IMAGES, "b": TABLE}, [IMAGES, TABLE], (IMAGES, TABLE)])
def test_packed_and_split_again(data):
    rows = rows_from(data)
    assert rows.values.dtype == np.float32
    np.testing.assert_array_equal(rows.values, np.concatenate([IMAGES.reshape(4, -1), TABLE], axis=1))
    assert [(part.shape, part.start, part.stop) for part in rows.parts.parts] == [((3, 2), 0, 6), ((2,), 6, 8)]
    back = rows.parts.split(rows.values)
    assert type(back) is type(data)
    pairs = zip(back.values(), data.values(), strict=True) if isinstance(data, dict) else zip(back, data, strict=True)
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def test_names_say_part_and_place():
    assert rows_from({"img": IMAGES, "t": TABLE}).names[-4:] == ("img,2,0", "img,2,1", "t,0", "t,1")
    assert rows_from([TABLE, IMAGES]).names[:2] == ("0,0", "0,1")


@pytest.mark.parametrize("rows", [TABLE, TABLE.tolist(), [TABLE[0], TABLE[1]], [IMAGES], [IMAGES, TABLE[:2]], 3.0])
def test_rows_are_no_parts(rows):
    assert not are_parts(rows)


def test_a_part_of_plain_numbers_is_a_column_and_large_integers_keep_their_digits():
    values, parts = pack({"a": np.array([16777217, 2]), "b": TABLE[:2]}, "x")
    assert parts.parts[0].shape == (1,)
    assert values.dtype == np.float64
    assert values[0, 0] == 16777217


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"a": IMAGES, "b": TABLE[:3]}, r"different numbers of rows \('a' 4, 'b' 3\)"),
        ({}, "a dictionary without arrays"),
        ({"a": IMAGES, "words": np.array([["x"]] * 4)}, "words'.: holds no numbers"),
        ({"a": IMAGES, "gone": np.full((4, 2), np.nan)}, "column 'gone,0' holds no numbers"),
    ],
)
def test_what_cannot_be_packed_is_said(data, said):
    with pytest.raises(DataError, match=said):
        rows_from(data)


def test_columns_of_parts_are_not_selected():
    with pytest.raises(DataError, match="cannot select columns of several inputs"):
        rows_from({"a": TABLE, "b": TABLE}, ["0"])


def test_a_single_input_under_its_name_keeps_its_shape():
    rows = rows_from({"a": IMAGES})
    assert (rows.shape, rows.parts) == ((3, 2), None)


@pytest.mark.parametrize("batched", [False, True])
def test_datasets_of_several_inputs(batched):
    import tensorflow as tf

    def made(data):
        dataset = tf.data.Dataset.from_tensor_slices(data)
        return dataset.batch(3) if batched else dataset

    for data in ({"a": IMAGES, "b": TABLE}, ({"a": IMAGES, "b": TABLE}, TABLE)):
        rows = rows_from(made(data))
        assert [part.name for part in rows.parts.parts] == ["a", "b"]
        np.testing.assert_array_equal(rows.values, rows_from({"a": IMAGES, "b": TABLE}).values)
    pairs = rows_from(made(((IMAGES, TABLE), TABLE)))
    np.testing.assert_array_equal(pairs.values, rows_from((IMAGES, TABLE)).values)
    assert rows_from(made((IMAGES, TABLE))).parts is None, "of a pair (x, y) x is taken"
