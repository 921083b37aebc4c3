"""Tests of aetfx.data.sources.csv and csv_layout: encodings, delimiters, headers, quotes, quarantine, byte ranges."""

import csv
import gzip
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetfx.data import load, open_source
from aetfx.data.sources import csv as csv_source
from aetfx.errors import DataError


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


TEXT = "größe,€\n1.5,2\n-3,4\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("cp1252"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace("\n", "\r\n").encode("utf-16"),
        gzip.compress(TEXT.encode("cp1252"), mtime=0),
    ],
)
@pytest.mark.parametrize("block_bytes", [8, 1 << 20])
def test_encodings_and_line_ends(tmp_path, monkeypatch, data, block_bytes):
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", block_bytes)
    rows = read(tmp_path, data)
    assert rows.names == ("größe", "€")
    np.testing.assert_array_equal(rows.values, [[1.5, 2], [-3, 4]])


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("packed", [False, True])
def test_delimiters_and_endings(tmp_path, ending, delimiter, packed):
    text = "a,b,c\n1,2,3\n4,5,6\n".replace(",", delimiter).encode()
    (tmp_path / f"t{ending}").write_bytes(gzip.compress(text) if packed else text)
    rows = load(open_source(tmp_path / f"t{ending}"))
    assert rows.names == ("a", "b", "c")
    np.testing.assert_array_equal(rows.values, [[1, 2, 3], [4, 5, 6]])


def test_files_of_one_source_may_be_written_in_different_ways(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1.5,2\n")
    (tmp_path / "b.csv").write_bytes("a;b\n3,5;4\n".encode("utf-16"))
    np.testing.assert_array_equal(load(open_source(f"{tmp_path}/*.csv")).values, [[1.5, 2], [3.5, 4]])


def test_columns_aligned_with_spaces(tmp_path):
    rows = read(tmp_path, '  18.0   8\t"ford  pinto"  \n  9.5  10\t"fiat"\n')
    np.testing.assert_array_equal(rows.values, [[18, 8], [9.5, 10]])
    assert rows.skipped_text == ("2",)


def test_german_numbers(tmp_path):
    rows = read(tmp_path, 'Größe;Zahl;Text\n1,5;2;"a, b"\n-0,25;;c\n')
    assert rows.skipped_text == ("Text",)
    np.testing.assert_array_equal(rows.values, [[1.5, 2], [-0.25, np.nan]])


def test_german_numbers_beside_a_bad_cell(tmp_path):
    rows = read(tmp_path, "a;b\n" + "1,5;2\n" * 30 + "1.5;2\n")
    assert [(bad.position, bad.reason) for bad in rows.quarantined] == [(32, "column 'a': '1.5' is not a number")]
    assert set(rows.values[:, 0]) == {1.5}


def test_a_comma_in_text_decides_nothing(tmp_path):
    assert read(tmp_path, "name, first;x\nDoe, Jo;1.5\nRoe, Al;2.5\n").values.tolist() == [[1.5], [2.5]]
    assert read(tmp_path, "my value\n1.5\n2.5\n").names == ("my value",)


@pytest.mark.parametrize(
    ("text", "names", "n_rows"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", ("0", "1"), 2),  # iris, as it is spread: no row may be lost
        ("18.0,8,ford\n15.0,9,fiat\n", ("0", "1"), 2),
        ("7,M,7\n8,F,9\n", ("0", "2"), 2),
        (",2,NA\n1,2,3\n", ("0", "1", "2"), 2),
        ("1.5,oops,3\n1,2,3\n4,5,6\n" + "7,8,9\n" * 30, ("0", "1", "2"), 33),  # a bad cell makes no header
        ("name,2001,2002\nfoo,1,2\n", ("2001", "2002"), 1),
        (",0,1\n0,1.5,2.5\n", ("column 0", "0", "1"), 1),  # pandas, with its index
        ("a,1\n5,6\n", ("a", "1"), 1),
        (",b\n1,2\n", ("0", "b"), 1),
    ],
)
def test_header_or_data(tmp_path, text, names, n_rows):
    rows = read(tmp_path, text)
    assert rows.names == names
    assert rows.n_read == len(rows) + len(rows.quarantined) == n_rows


@pytest.mark.parametrize(("n_ragged", "is_error"), [(5, False), (6, True)])
def test_ragged_records_are_quarantined_up_to_five_percent(tmp_path, n_ragged, is_error):
    lines = ["1,2"] * (100 - n_ragged) + ["1,2,3", "1"] * n_ragged
    text = "a,b\n" + "\n".join(lines[: 100 - n_ragged] + lines[100 - n_ragged :][:n_ragged]) + "\n"
    if is_error:
        with pytest.raises(DataError, match="line 96: expected 2 fields but got 3. Mend that line"):
            read(tmp_path, text)
        return
    rows = read(tmp_path, text)
    assert (rows.n_read, len(rows)) == (100, 95)
    assert [bad.position for bad in rows.quarantined] == [97, 98, 99, 100, 101]
    assert {bad.reason for bad in rows.quarantined} == {f"expected 2 fields but got {n}" for n in (1, 3)}


def test_a_ragged_file_among_others_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 1000)
    (tmp_path / "b.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(DataError, match=r"b.csv: line 3: expected 2 fields but got 1"):
        open_source(f"{tmp_path}/*.csv")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,b\n" + "1,2\n" * 50 + '3,"4\n' + "5,6\n" * 50, 52),  # would be one bad cell and 50 rows less
        ('n,b\nx,2\n"y,3\nz,4\n"w",5\n' + "v,6\n" * 50, 3),  # would be a name of three lines
    ],
)
def test_a_quote_that_swallows_rows_is_an_error(tmp_path, text, line):
    with pytest.raises(DataError, match=f"line {line}: .* quote that is not closed"):
        read(tmp_path, text)


@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_a_quote_amid_a_field_is_a_character(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", block_bytes)
    rows = read(tmp_path, 'pipe,x\n5" long,1\nshort,2\n"of\n6"" more",3\n7",4\nplain,5\n')
    assert rows.values[:, 0].tolist() == [1, 2, 3, 4, 5]


def test_an_endless_record_is_an_error_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_source, "RECORD_BYTES", 1000)
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 100)
    with pytest.raises(DataError, match=r"line 3: a record of more than .* quote that is never closed"):
        read(tmp_path, 'a,b\n1,2\n3,"' + "4\n" * 2000)


def test_names_and_cells_are_shown_on_one_line(tmp_path):
    rows = read(tmp_path, '"a\n\x1b[31m",b\n' + "1,2\n" * 30 + '"x\a\n",3\n')
    assert rows.names[0].isprintable()
    (bad,) = rows.quarantined
    assert bad.reason.isprintable()
    assert bad.position == 33


CELLS = st.text(alphabet='ab1,;" \n\r\té', max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(CELLS, min_size=1, max_size=25),
    delimiter=st.sampled_from(",;\t|"),
    block_bytes=st.integers(8, 200),
)
def test_whatever_python_writes_is_read_again(tmp_path_factory, cells, delimiter, block_bytes):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["x", "text", "y"])
        writer.writerows((i / 8, "t" + cell, i) for i, cell in enumerate(cells))
    with mock.patch.object(csv_source, "BLOCK_BYTES", block_bytes):
        rows = load(open_source(path, ["x", "y"]))
    assert rows.n_read == len(rows)
    np.testing.assert_array_equal(rows.values, [(i / 8, i) for i in range(len(cells))])
