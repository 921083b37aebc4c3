"""Damaged files: a sample of what `make fuzz` runs, read in this process, and the judge that decides over them.

`make fuzz` takes hundreds through the pipeline in processes of their own; bombs and endless lines are left to it.
"""

from __future__ import annotations

import dataclasses
import random
import zlib

import pytest

from aetfx.data.sources import guards
from tests.fuzz import damage
from tests.fuzz.judge import Outcome, complaint, read

SLOW = ("bomb", "bomb of rows", "bomb of one field", "one endless line", "ten thousand columns")
SAMPLE = [case for case in damage.cases(seed=11, count=60) if case.damage not in SLOW]


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: f"{case.number}{case.ending} {case.damage}")
def test_success_with_every_row_or_one_clear_error(tmp_path, case):
    path = tmp_path / f"data{case.ending}"
    path.write_bytes(case.data)
    assert complaint(case, path, read(path)) is None


# What used to end in a traceback, a crash, rows lost without a word, or an error that nobody understands.
WORDS = {
    (".npy", "fewer rows than there are"): "the .npy file is damaged (shape (3, 4) of float64 takes",
    (".npy", "more rows than can be"): "truncated or damaged",
    (".npy", "negative rows"): "not a readable .npy file (shape (-10, -4))",
    (".npy", "deep nesting"): "not a readable .npy file",
    (".npy", "unknown version"): "format version 9.0 is not known",
    (".npy", "a million columns"): "a row holds 1,048,577 numbers; at most 524,288 can be used",
    (".npz", "fewer rows than there are"): "the array 'x' is damaged (it holds",
    (".npz", "more rows than can be"): "the array 'x' is damaged (it holds",
    (".npz", "archive in an archive"): "the array 'x.npz' is damaged",
    (".npz", "password"): "the array 'x' is damaged",
    (".npz", "many members"): "holds several arrays (array_0, array_1,",
    (".csv", "a quote not closed"): "look for a quote that is not closed, as it swallows the rows behind it",
    (".csv", "a name of a megabyte"): "line 1 holds a name of more than 1,000 characters",
    (".csv", "columns named alike"): "line 1 names the column 'a' twice",
    (".csv", "utf-16 without its mark"): "not a text file",
    (".parquet", "columns named alike"): "two columns are named 'a'",
    (".parquet", "zero columns"): "holds columns but no rows",
}


@pytest.mark.parametrize(("ending", "kind"), WORDS)
def test_what_is_said_about_damage(tmp_path, ending, kind):
    path = tmp_path / f"data{ending}"
    path.write_bytes(damage.SPECIAL[ending][kind](random.Random(1)))
    outcome = read(path)
    assert outcome.kind == "error", outcome.message
    assert WORDS[ending, kind] in outcome.message


def test_parquet_metadata_with_any_bit_flipped_lose_no_row(tmp_path):
    data = damage.valid(".parquet")
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path = tmp_path / "data.parquet"
    for at in range(start, len(data), 4):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        case = damage.Case(at, ".parquet", "one bit flipped", b"", damage.N_ROWS)
        assert complaint(case, path, read(path)) is None


@pytest.mark.parametrize("at", range(60, 1800, 150))
def test_npz_checksums_are_compared(tmp_path, at):
    stored = bytearray(damage._npz({"x.npy": damage._npy(damage.np.ones((100, 3)))}, damage.zipfile.ZIP_STORED))
    path = tmp_path / "data.npz"
    path.write_bytes(stored)
    assert read(path).counted == 100
    stored[200 + at] ^= 64  # a number in the middle, which would be as good as any other
    path.write_bytes(stored)
    assert "the array 'x' is damaged" in read(path).message


@pytest.mark.parametrize("ending", [".csv.gz", ".npz"])
def test_what_unpacks_to_far_too_much_is_refused(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(guards, "UNPACKED_BYTES", 1 << 20)
    size = 4 << 20
    bomb = {
        ".csv.gz": lambda: damage.gzip.compress(b"1,2\n" * (size // 4)),
        ".npz": lambda: damage._npz({"x.npy": damage._npy(damage.np.zeros((size // 8, 1)))}),
    }
    path = tmp_path / f"data{ending}"
    path.write_bytes(bomb[ending]())
    assert "unpacks to more than 200 times its" in read(path).message
    monkeypatch.setattr(guards, "UNPACKED_BYTES", size + (1 << 10))
    assert read(path).kind == "success"


# The judge and the fuzzer themselves.


def test_the_judge_sees_what_must_not_be(tmp_path):
    path = tmp_path / "data.csv"
    case = damage.Case(0, ".csv", "truncated", b"", 10)
    good = Outcome("success", counted=9, quarantined=[(str(path), 3, "a reason")])
    assert complaint(case, path, good) is None
    for change in (
        {"counted": 8},
        {"counted": 10},
        {"seconds": 31.0},
        {"peak_bytes": 3 << 30},
        {"quarantined": [("other.csv", 3, "a reason")]},
        {"quarantined": [(str(path), 3, "two\nlines")]},
        {"kind": "traceback"},
        {"kind": "crash"},
        {"kind": "hang"},
        {"kind": "error", "message": f"{path}: two\nlines. Do that."},
        {"kind": "error", "message": "no file. Do that."},
        {"kind": "error", "message": f"{path}: nothing to do"},
    ):
        assert complaint(case, path, dataclasses.replace(good, **change)) is not None, change


def test_the_same_seed_gives_the_same_bytes():
    def prints(seed: int) -> list[int]:
        return [zlib.crc32(case.data) for case in damage.cases(seed, 30) if case.damage not in SLOW]

    assert prints(3) == prints(3) != prints(4)


@pytest.mark.parametrize(
    "text", [b"", b"\n\n", b"a,b\n1,2", b'a\r\n"x\n\ny",1\r\n', b'5" p,1\n6" q,2\n', b'"a""b\n",1\rx']
)
def test_records_are_counted_by_the_book(text):
    import csv
    import io

    lines = csv.reader(io.StringIO(text.decode(), newline=""))
    assert damage.count_records(text) == sum(bool(line) for line in lines)
