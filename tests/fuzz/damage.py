"""A seeded fuzzer: small valid files of each kind, and named ways to damage them.

`cases(seed, count)` goes round all pairs of a kind of file and a damage, so that a few hundred cases meet each of
them several times, and gives the same bytes for the same seed. Where the damage leaves no doubt how many records a
reader must find, the case says so in `rows`; a reader that succeeds with another number has lost or invented some.
"""

from __future__ import annotations

import functools
import gzip
import io
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

N_ROWS, NAMES = 240, ("age", "height", "c", "d")
ENDINGS = (".npy", ".npz", ".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True)
class Case:
    """One input: its name, its bytes, and the number of records in it where that is certain."""

    number: int
    ending: str
    damage: str
    data: bytes
    rows: int | None


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yields `count` inputs."""
    pairs = [(ending, damage) for ending in ENDINGS for damage in (*ANY, *SPECIAL[ending])]
    order = random.Random(seed)
    for number in range(count):
        if number % len(pairs) == 0:
            order.shuffle(pairs)
        ending, damage = pairs[number % len(pairs)]
        rng = random.Random(f"{seed}-{number}")
        if damage in ANY:
            data = ANY[damage](valid(ending), rng)
        else:
            data = SPECIAL[ending][damage](rng)
        yield Case(number, ending, damage, data, _rows(ending, damage, data))


@functools.cache
def valid(ending: str) -> bytes:
    """A file of `N_ROWS` rows that nothing is wrong with."""
    values = np.random.default_rng(7).normal(size=(N_ROWS, len(NAMES)))
    if ending == ".npy":
        return _npy(values)
    if ending == ".npz":
        return _npz({"x.npy": _npy(values)})
    if ending == ".parquet":
        table = pa.table(
            {
                **{name: values[:, i] for i, name in enumerate(NAMES)},
                "n": pa.array([i % 5 if i % 7 else None for i in range(N_ROWS)], pa.int32()),
                "flag": [i % 2 == 0 for i in range(N_ROWS)],
                "text": [f"t{i % 3}" for i in range(N_ROWS)],
            }
        )
        return _parquet(table, row_group_size=100)
    lines = [f'"N {i}, ""{i % 3}""",' + ",".join(map(repr, row)) for i, row in enumerate(values.tolist())]
    text = ("name," + ",".join(NAMES) + "\n" + "\n".join(lines) + "\n").encode()
    return gzip.compress(text, mtime=0) if ending == ".csv.gz" else text


def count_records(data: bytes) -> int:
    """Counts the records of a CSV text by the book, one byte at a time; blank lines are none."""
    records, at_start, quoted, blank, i = 0, True, False, True, 0
    while i < len(data):
        byte = data[i : i + 1]
        if quoted:
            if byte == b'"':
                if data[i + 1 : i + 2] == b'"':
                    i += 1
                else:
                    quoted = False
        elif byte in (b"\n", b"\r"):
            records += not blank
            at_start = blank = True
            i += 1
            continue
        elif byte == b'"' and at_start:
            quoted, at_start, blank = True, False, False
        else:
            at_start, blank = byte == b",", blank and byte in (b" ", b"\t")
        i += 1
    return records + (not blank)


def _rows(ending: str, damage: str, data: bytes) -> int | None:
    """How many records a reader that succeeds must have found; None where that is open to opinion."""
    if damage in ANY and damage != "bytes of another kind":
        if ending == ".csv":
            return count_records(data) - 1
        return N_ROWS
    return ROWS.get(damage)


ROWS = {
    "ragged here and there": 400,
    "mixed types": N_ROWS,
    "carriage returns": N_ROWS,
    "windows-1252": 2,
    "utf-16": 2,
    "no gzip": N_ROWS,
    "ten thousand columns": 3,
    "column by column": 50,
    "many equal rows": 3_000_000,
}

# Damage that any file can meet.


def _truncated(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, len(data))]


def _flipped(data: bytes, rng: random.Random, bits: int, first: int = 0, last: int | None = None) -> bytes:
    out = bytearray(data)
    for _ in range(bits):
        out[rng.randrange(max(0, first), min(last or len(out), len(out)))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _zeroed(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    size = min(len(data) - start, rng.choice([1, 16, 512]))
    return data[:start] + bytes(size) + data[start + size :]


def _cut_out(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(1, 400) :] or b"x"


def _repeated(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    stop = start + rng.randrange(1, 400)
    return data[:stop] + data[start:stop] + data[stop:]


ANY: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "truncated": _truncated,
    "one bit flipped": lambda data, rng: _flipped(data, rng, 1),
    "many bits flipped": lambda data, rng: _flipped(data, rng, rng.choice([3, 20, 200])),
    "bits flipped at the start": lambda data, rng: _flipped(data, rng, rng.choice([1, 3]), 0, 128),
    "bits flipped at the end": lambda data, rng: _flipped(data, rng, rng.choice([1, 3]), len(data) - 600),
    "wrong magic": lambda data, rng: rng.randbytes(8) + data[8:],
    "zero bytes": _zeroed,
    "a piece cut out": _cut_out,
    "a piece repeated": _repeated,
    "bytes behind the end": lambda data, rng: data + rng.randbytes(rng.randrange(1, 100)),
    "bytes of another kind": lambda data, rng: valid(rng.choice(ENDINGS)),
}

# Files written wrongly on purpose.


def _text(lines: list[str], encoding: str = "utf-8") -> bytes:
    return ("\n".join(lines) + "\n").encode(encoding)


def _few_ragged(rng: random.Random) -> bytes:
    lines = [f"{i},{i * 2}" for i in range(400)]
    for i in rng.sample(range(400), 12):
        lines[i] += ",9" * rng.randrange(1, 4)
    return _text(["a,b", *lines])


def _many_ragged(rng: random.Random) -> bytes:
    return _text(["a,b", *(",".join("1" * rng.randrange(1, 5)) for _ in range(300))])


def _mixed(rng: random.Random) -> bytes:
    cells = [
        "1",
        "2.5",
        "",
        "NA",
        "x",
        "1e400",
        "1e-400",
        "0x10",
        "1_0",
        "True",
        "2020-01-01",
        "١٢",
        "∞",
        "-",
        "'",
        "1,5",
    ]
    return _text(["a,b,c", *(f'{i},{i % 9},"{rng.choice(cells) if i % 2 else i}"' for i in range(N_ROWS))])


def _unclosed(rng: random.Random) -> bytes:
    lines = [f"{i},{i * 2}" for i in range(300)]
    at = rng.randrange(300)
    lines[at] = lines[at].replace(",", ',"')
    return _text(["a,b", *lines])


CSV: dict[str, Callable[[random.Random], bytes]] = {
    "ragged here and there": _few_ragged,
    "ragged": _many_ragged,
    "mixed types": _mixed,
    "a quote not closed": _unclosed,
    "huge field of text": lambda rng: _text(["a,b", "1,2", "3," + "x" * (1 << 20), *["5,6"] * 60]),
    "huge number": lambda rng: _text(["a,b", "1,2", "3," + "9" * 300_000, "5,6"]),
    "one endless line": lambda rng: b"1" * (20 << 20),
    "windows-1252": lambda rng: _text(["größe,€", "1,2", "3,4"], "cp1252"),
    "utf-16": lambda rng: _text(["größe,€", "1,2", "3,4"], "utf-16"),
    "utf-16 without its mark": lambda rng: _text(["a,b", "1,2", "3,4"], "utf-16-le"),
    "utf-32": lambda rng: _text(["a,b", "1,2", "3,4"], "utf-32"),
    "carriage returns": lambda rng: _text(["a,b", *["1,2", "3,5"] * (N_ROWS // 2)]).replace(b"\n", b"\r"),
    "zero rows": lambda rng: b"a,b,c\n",
    "blank lines": lambda rng: b"\r\n" * 5000,
    "only delimiters": lambda rng: b"," * 5000 + b"\n" + b"," * 5000,
    "ten thousand columns": lambda rng: _text([",".join(f"c{i}" for i in range(10_000)), *_wide(rng)]),
    "columns named alike": lambda rng: _text(["a," * 9000 + "a", "1," * 9000 + "1"]),
    "a name of a megabyte": lambda rng: _text(["a" * (1 << 20) + ",b", "1,2"]),
    "quotes in quotes": lambda rng: _text(['"' * rng.randrange(2, 5000) + ",b", "1,2"]),
    "control characters": lambda rng: b"\x1b[31ma\x07,b\x7f\n1,2\n\x1b[0m,3\n" + b"4,5\n" * 50,
}


def _wide(rng: random.Random) -> list[str]:
    return [",".join(str(rng.randrange(1000)) for _ in range(10_000)) for _ in range(3)]


def _bomb_of_rows(rng: random.Random) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        for _ in range(400):
            file.write(b"1,2\n" * (1 << 18))
    return out.getvalue()


GZIPPED: dict[str, Callable[[random.Random], bytes]] = {
    **{name: lambda rng, make=make: gzip.compress(make(rng), 1, mtime=0) for name, make in CSV.items()},
    "bomb of rows": _bomb_of_rows,
    "bomb of one field": lambda rng: gzip.compress(bytes(b"1" * (200 << 20)), 1, mtime=0),
    "gzip twice": lambda rng: gzip.compress(valid(".csv.gz"), mtime=0),
    "no gzip": lambda rng: valid(".csv"),
    "nothing inside": lambda rng: gzip.compress(b"", mtime=0),
}


def _npy(array: np.ndarray, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def _npy_saying(header: str, data: bytes = bytes(8 * 40), version: bytes = b"\x01\x00") -> bytes:
    """An array file with a header of our own words."""
    text = (header + "\n").encode("latin-1")
    size = len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    return b"\x93NUMPY" + version + size + text + data


def _header(shape: str = "(10, 4)", descr: str = "'<f8'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


ARRAYS: dict[str, Callable[[random.Random], bytes]] = {
    "more rows than there are": lambda rng: _npy_saying(_header("(99999999, 4)")),
    "fewer rows than there are": lambda rng: _npy_saying(_header("(3, 4)")),
    "more rows than can be": lambda rng: _npy_saying(_header(f"({10 ** rng.randrange(18, 40)}, 4)")),
    "negative rows": lambda rng: _npy_saying(_header("(-10, -4)")),
    "odd shape": lambda rng: _npy_saying(
        _header(rng.choice(["(True, 4)", "10", "(10.0, 4)", "(None,)", "[10, 4]", "()"]))
    ),
    "odd dtype": lambda rng: _npy_saying(
        _header(descr=rng.choice(["'|O'", "'<M8[s]'", "'(3,)f8'", "'|V0'", "[('a', '<f8')]", "1", "'<f3'", "'<c16'"]))
    ),
    "deep nesting": lambda rng: _npy_saying("(" * rng.choice([90, 2000, 9000])),
    "long header": lambda rng: _npy_saying(_header() + " " * 60_000, version=b"\x02\x00"),
    "unknown version": lambda rng: _npy_saying(_header(), version=b"\x09\x00"),
    "python 2 header": lambda rng: _npy_saying(_header("(10L, 4L)")),
    "zero rows": lambda rng: _npy(np.zeros((0, 4))),
    "zero columns": lambda rng: _npy(np.zeros((4, 0))),
    "ten thousand columns": lambda rng: _npy(np.random.default_rng(1).normal(size=(3, 10_000))),
    "a million columns": lambda rng: _npy(np.zeros((2, (1 << 20) + 1), np.int8)),
    "objects": lambda rng: _npy(np.array([[1, "a"], [None, {}]], object), allow_pickle=True),
    "column by column": lambda rng: _npy(np.asfortranarray(np.random.default_rng(1).normal(size=(50, 3)))),
}


def _npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def _array_bomb(rng: random.Random) -> bytes:
    rows = 40_000_000
    return _npz({"x.npy": _npy_saying(_header(f"({rows}, 8)", "'|u1'"), bytes(8 * rows))})


ARCHIVES: dict[str, Callable[[random.Random], bytes]] = {
    **{name: lambda rng, make=make: _npz({"x.npy": make(rng)}) for name, make in ARRAYS.items()},
    "bomb": _array_bomb,
    "archive in an archive": lambda rng: _npz({"x.npz": _npz({"x.npz": valid(".npz")})}),
    "no array inside": lambda rng: _npz({rng.choice(["x.npy", "readme.txt", "../x.npy", "\x1b.npy"]): b"hello"}),
    "no member": lambda rng: _npz({}),
    "many members": lambda rng: _npz({f"array_{i}.npy": b"" for i in range(3000)}),
    "rare packing": lambda rng: _npz(
        {"x.npy": _npy(np.ones((9, 2)))}, rng.choice([zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    ),
    "password": lambda rng: valid(".npz").replace(b"PK\1\2\x14\x03\x14\0\0\0", b"PK\1\2\x14\x03\x14\0\1\0"),
}


def _parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def _nested(depth: int) -> bytes:
    kind, value = pa.float64(), 1.5
    for _ in range(depth):
        kind, value = pa.list_(kind), [value]
    return _parquet(pa.table({"a": pa.array([value] * 3, kind), "b": [1.0, 2.0, 3.0]}))


def _one_page_bomb(rng: random.Random) -> bytes:
    table = pa.table({"a": pa.array(np.zeros(80_000_000))})
    return _parquet(table, use_dictionary=False, compression="gzip", compression_level=1, data_page_size=1 << 30)


TABLES: dict[str, Callable[[random.Random], bytes]] = {
    "zero rows": lambda rng: _parquet(pa.table({"a": pa.array([], pa.float64())})),
    "zero columns": lambda rng: _parquet(pa.table({})),
    "ten thousand columns": lambda rng: _parquet(
        pa.table({f"c{i}": [rng.random(), rng.random(), rng.random()] for i in range(10_000)})
    ),
    "deep nesting": lambda rng: _nested(rng.choice([5, 30, 60])),
    "columns named alike": lambda rng: _parquet(pa.table([[1.0], [2.0]], names=["a", "a"])),
    "all missing": lambda rng: _parquet(pa.table({"a": pa.array([None] * 9, pa.float64()), "b": [1.0] * 9})),
    "only text": lambda rng: _parquet(pa.table({"a\n\x1b": ["x"] * 9})),
    "mixed types": lambda rng: _parquet(
        pa.table({"a": pa.array(range(N_ROWS), pa.uint64()), "b": [[1, 2]] * N_ROWS, "c": [{"d": 1}] * N_ROWS})
    ),
    "many equal rows": lambda rng: _parquet(pa.table({"a": pa.array(np.zeros(3_000_000, np.int8))})),
    "bomb": _one_page_bomb,
    "footer longer than the file": lambda rng: valid(".parquet")[:-8] + (1 << 30).to_bytes(4, "little") + b"PAR1",
}

SPECIAL: dict[str, dict[str, Callable[[random.Random], bytes]]] = {
    ".npy": ARRAYS,
    ".npz": ARCHIVES,
    ".csv": CSV,
    ".csv.gz": GZIPPED,
    ".parquet": TABLES,
}
