"""Tests of aetfx.data.sources.csv: headers, quotes, missing cells, quarantine, byte ranges."""

import numpy as np
import pytest

from aetfx.data import load, open_source
from aetfx.data.sources import csv as csv_source


def read(tmp_path, text, features="auto"):
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(open_source(tmp_path / "t.csv", features))


@pytest.mark.parametrize("first", ["a,b\n", "", "a;b\n", "\ufeffa,b\r\n", "\n\na,b\n"])
def test_header_is_found_or_not(tmp_path, first):
    delimiter = ";" if ";" in first else ","
    rows = read(tmp_path, first + f"1{delimiter}2\n3{delimiter}4")
    assert rows.names == (("a", "b") if first else ("0", "1"))
    np.testing.assert_array_equal(rows.values, [[1, 2], [3, 4]])


@pytest.mark.parametrize("cell", ["", "NA", "NaN", "nan", "null", "?", "None", '""'])
def test_missing_cells_are_nan(tmp_path, cell):
    rows = read(tmp_path, f"a,b\n{cell},2\n3,4\n")
    assert np.isnan(rows.values[0, 0])
    assert not rows.quarantined


def test_quotes_newlines_and_text_columns(tmp_path):
    rows = read(tmp_path, 'name,x,y\n"Miller, ""Jo""\nof York",1,"2.5"\nb,3,4\n')
    assert rows.skipped_text == ("name",)
    np.testing.assert_array_equal(rows.values, [[1, 2.5], [3, 4]])


def test_a_bad_cell_quarantines_its_row_with_file_line_and_reason(tmp_path):
    lines = [f"{i},{i}" for i in range(100)]
    lines[41] = "41,oops"
    rows = read(tmp_path, "a,b\n" + "\n".join(lines) + "\n")
    assert (rows.n_read, len(rows)) == (100, 99)
    (bad,) = rows.quarantined
    assert bad.file.endswith("t.csv")
    assert bad.position == 43
    assert bad.reason == "column 'b': 'oops' is not a number"
    assert 41 not in rows.values[:, 0]


@pytest.mark.parametrize(("n_bad", "is_text"), [(5, False), (6, True)])
def test_more_than_five_percent_bad_cells_make_a_text_column(tmp_path, n_bad, is_text):
    lines = [f"{i},{'x' if i < n_bad else i}" for i in range(100)]
    rows = read(tmp_path, "a,b\n" + "\n".join(lines))
    assert (rows.skipped_text == ("b",)) is is_text
    assert rows.n_read == len(rows) + len(rows.quarantined) == 100


def test_a_bad_cell_in_a_column_that_is_not_used_harms_nothing(tmp_path):
    lines = ["1,2"] * 50 + ["x,2"]
    assert not read(tmp_path, "a,b\n" + "\n".join(lines), ["b"]).quarantined


def test_any_block_size_gives_the_same_rows(tmp_path, monkeypatch):
    lines = [f'{i},"q\n{i}",{i / 7!r}' for i in range(200)]
    lines[150] = '150,"a",bad'
    text = "n,text,x\n" + "\n".join(lines)
    whole = read(tmp_path, text)
    for size in (16, 61, 500):
        monkeypatch.setattr(csv_source, "BLOCK_BYTES", size)
        source = open_source(tmp_path / "t.csv")
        assert len(source.shards()) > 3
        again = load(source)
        np.testing.assert_array_equal(again.values, whole.values)
        assert again.quarantined == whole.quarantined
        assert again.quarantined[0].position == 302


def test_values_are_what_python_reads(tmp_path):
    values = np.random.default_rng(3).normal(size=500) * 10.0 ** np.arange(-250, 250)
    np.testing.assert_array_equal(read(tmp_path, "x\n" + "\n".join(map(repr, values.tolist()))).values[:, 0], values)
