"""Tests of aetfx.data.rows: anything a user hands over becomes the same rows."""

import numpy as np
import pandas as pd
import pytest

from aetfx.data import open_source, rows_from, write_array
from aetfx.errors import DataError, RunError

VALUES = np.arange(12.0).reshape(4, 3)


def test_arrays_and_lists():
    rows = rows_from(VALUES)
    assert rows.names == ("0", "1", "2")
    assert rows.n_read == 4
    assert not rows.declared_shape
    assert rows_from(VALUES.tolist()).values.tolist() == VALUES.tolist()
    assert rows_from(np.ones((2, 3, 4, 1), np.uint8)).shape == (3, 4, 1)
    assert rows_from(VALUES, ["2", "0"]).values.tolist() == VALUES[:, [2, 0]].tolist()
    assert rows_from(rows) is rows


def test_data_frames():
    frame = pd.DataFrame({"a": [1, 2], "t": ["x", "y"], "b": pd.array([1, None], "Int64"), "c": [True, False]})
    rows = rows_from(frame)
    assert rows.names == ("a", "b", "c")
    assert rows.skipped_text == ("t",)
    np.testing.assert_array_equal(rows.values, [[1, 1, 1], [2, np.nan, 0]])
    with pytest.raises(DataError, match="column 't' holds no numbers .object.: the first value is 'x'"):
        rows_from(frame, ["t"])
    with pytest.raises(DataError, match="no column 'A' .data.features.. Choose one of|Did you mean 'a'"):
        rows_from(frame, ["A"])


def test_written_arrays_are_read_back(tmp_path):
    path = write_array(VALUES, tmp_path / "new", name="train")
    assert path.name == "train.npy"
    np.testing.assert_array_equal(rows_from(path).values, VALUES)
    np.testing.assert_array_equal(rows_from(open_source(path).path).values, VALUES)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_array(VALUES, tmp_path / "file" / "below")


@pytest.fixture(scope="module")
def make():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices


def test_datasets_in_every_way_of_batching(make):
    rows, images = make(VALUES), make(np.ones((6, 2, 2), np.float32))
    batched = [rows.batch(3), rows.batch(2, drop_remainder=True), rows.batch(2).prefetch(1), rows.batch(2).unbatch()]
    for dataset in (rows, *batched):
        np.testing.assert_array_equal(rows_from(dataset).values, VALUES)
    assert rows_from(images).values.shape == (6, 2, 2)
    assert rows_from(images.batch(3, drop_remainder=True).map(lambda x: x * 2)).values.shape == (6, 2, 2)


def test_datasets_of_pairs_give_their_first_part(make):
    np.testing.assert_array_equal(rows_from(make((VALUES, VALUES + 1)).batch(2)).values, VALUES)


def test_datasets_without_end_or_elements(make):
    with pytest.raises(DataError, match="repeats without end. Give a finite one"):
        rows_from(make(VALUES).repeat())
    with pytest.raises(DataError, match="no elements"):
        rows_from(make(VALUES).take(0))
