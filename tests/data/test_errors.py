"""Tests of the wording of data errors: one line that says what, where, and what to do."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aetfx.data import rows_from
from aetfx.data.sources import REGISTRY
from aetfx.errors import DataError
from tests.data.refusals import said

CSV = {
    "missing.csv": (None, "missing.csv: no such file. Check the path."),
    "*.csv": (None, "*.csv: no file matches this pattern. Check the folder and the file ending."),
    "empty.csv": ("", "empty.csv: the file is empty (0 bytes). Give a file that holds rows."),
    "blank.csv": ("\n\n", "blank.csv: the file holds no rows, only blank lines. Give data with at least one row."),
    "header.csv": ("a,b\n", "header.csv: holds a header but no rows. Give data with at least one row."),
    "ragged.csv": (
        "a,b\n1,2\n1,2,3\n",
        "ragged.csv: line 3: expected 2 fields but got 3. Mend that line; in a ragged file no column can be trusted.",
    ),
    "short.csv": (
        "a,b\n1,2\n1\n",
        "short.csv: line 3: expected 2 fields but got 1. Mend that line; in a ragged file no column can be trusted.",
    ),
    "text.csv": (
        "a,b\nx,y\nz,w\n",
        (
            "text.csv: no column holds numbers: column 'a' is text: line 2 holds 'x' (2 of 2 cells are not numbers). "
            "Give data with at least one numeric column."
        ),
    ),
    "twice.csv": (
        "a,a\n1,2\n",
        "twice.csv: line 1 names the column 'a' twice. Give each column its own name.",
    ),
    "nan.csv": (
        "a,b\n1,\n2,NA\n",
        "nan.csv: column 'b' holds no numbers at all: every cell is NaN or empty. Leave it out with data.features.",
    ),
    "binary.csv": ("a\0b", "binary.csv: not a text file (it holds zero bytes). Give a CSV file in UTF-8."),
    "data.xyz": (
        "1",
        f"data.xyz: the ending '.xyz' is not known. Choose one of: {', '.join(sorted(REGISTRY))}.",
    ),
    "data.parqet": ("1", "data.parqet: the ending '.parqet' is not known. Did you mean '.parquet'?"),
}


@pytest.mark.parametrize("name", CSV)
def test_csv_and_path_errors(tmp_path, name):
    text, message = CSV[name]
    if text is not None:
        (tmp_path / name).write_bytes(text.encode())
    assert said(tmp_path / name) == message


def test_a_near_name_is_suggested(tmp_path):
    (tmp_path / "train.csv").write_text("1\n")
    assert "did you mean" in said(tmp_path / "trian.csv")


def test_selection_errors(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("age,name\n1,Bob\n2,Al\n")
    assert said(path, ["name"]) == (
        "t.csv: column 'name' is text: line 2 holds 'Bob' (2 of 2 cells are not numbers). "
        "Leave it out of data.features."
    )
    assert said(path, ["aeg"]) == "t.csv: no column 'aeg' (data.features). Did you mean 'age'?"
    assert said(path, []) == "t.csv: data.features selects no column. List at least one, or use 'auto'."
    pq.write_table(pa.table({"age": [1.0], "name": ["Bob"]}), tmp_path / "t.parquet")
    assert said(tmp_path / "t.parquet", ["name"]) == (
        "t.parquet: column 'name' holds no numbers (string): row 0 holds 'Bob'. Leave it out of data.features."
    )


ARRAYS = {
    "object": (np.array([[1, "a"]], object), "holds Python objects (dtype object); pickles are refused"),
    "complex": (np.ones((2, 2), complex), "complex numbers"),
    "structured": (np.zeros(3, [("a", "f4"), ("b", "f4")]), "structured dtype with fields a, b"),
    "text": (np.array([["a", "b"]]), "holds no numbers (dtype <U1)"),
    "vector": (np.zeros(5), "got shape (5,). Reshape it, e.g. array.reshape(-1, 1)."),
    "scalar": (np.array(3.0), "got shape (). Reshape it"),
    "rows": (np.zeros((0, 3)), "the array has no rows (shape (0, 3))"),
    "nan": (np.array([[1.0, np.nan], [2.0, np.nan]]), "column '1' holds no numbers at all"),
}


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_array_errors(tmp_path, kind, ending):
    array, message = ARRAYS[kind]
    path = tmp_path / f"a{ending}"
    np.save(path, array, allow_pickle=True) if ending == ".npy" else np.savez(path, x=array)
    assert message in said(path)
    if kind != "object":
        with pytest.raises(DataError) as caught:
            rows_from(array)
        assert message in str(caught.value)


def test_damaged_files(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((100, 3)))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:1000])
    assert "a.npy: the .npy file is truncated or damaged" in said(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(b"no numpy file")
    assert "b.npy: not a readable .npy file" in said(tmp_path / "b.npy")
    pq.write_table(pa.table({"a": [1.0] * 1000}), tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    assert "a.parquet: not a readable Parquet file, or truncated" in said(tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", x=np.ones((100, 3)))
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:500])
    assert said(tmp_path / "a.npz") == "a.npz: not a readable .npz archive. Write it again with np.savez."
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    (tmp_path / "a.csv.gz").write_bytes(packed[: len(packed) // 2])
    assert "a.csv.gz: cannot be unpacked" in said(tmp_path / "a.csv.gz")


def test_an_archive_with_several_arrays_lists_them(tmp_path):
    np.savez(tmp_path / "a.npz", left=np.ones((2, 2)), right=np.ones((2, 2)))
    assert said(tmp_path / "a.npz") == (
        "a.npz: holds several arrays (left, right) and none is called 'x' or 'x_train'. "
        "Save the one to use alone, or as x=..."
    )


def test_files_of_one_source_must_agree(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    assert "first difference: 'c' against 'b'" in said(tmp_path / "*.csv")
    pq.write_table(pa.table({"a": [1.0]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"b": [1.0]}), tmp_path / "b.parquet")
    assert "column 'a' is only in one of them" in said(tmp_path / "*.parquet")
    np.save(tmp_path / "x.npy", np.ones((2, 2)))
    assert "matches files of different kinds" in said(tmp_path / "*")


def test_folders_without_images(tmp_path):
    (tmp_path / "d").mkdir()
    assert "is a folder. Give a file or a glob" in said(tmp_path / "d")
