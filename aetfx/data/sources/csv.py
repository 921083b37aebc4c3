"""CSV, plain or gzipped: columns of numbers; a shard is a byte range that ends between two records.

How the file is written (encoding, delimiter, decimal sign, header) is found by `csv_layout`. Opening reads the files
once: it counts records, finds which columns hold numbers, and where records end.

Two things can be wrong with a record. A *cell* is no number: its row is quarantined, unless more than `MOST_BAD` of the
cells of that column are none, which makes a text column. Or the record is *ragged*, it has more or fewer fields than
the first: it is quarantined too, unless more than `MOST_BAD` of the records of that file are ragged. Then the file is
an error, because a delimiter in the wrong place shifts every value behind it, and where that happens often no column
can be trusted. One ragged record of fewer than 20 is such an error.

A quote that is never closed swallows the rows behind it, so a record of several lines must be quoted without a fault;
otherwise the file is an error. Blocks are parsed by Arrow; one that Arrow refuses goes through `csv.reader`, which
knows line numbers.

A column is of integers where all its cells are written so ("1", not "1.0"), as TFDV has it. Text columns, where they
are handed on (`with_others`), are the cells as they stand in the file, and missing where they are empty, as in TFDV.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from aetfx.data.sources.base import (
    Batch,
    Features,
    Place,
    Quarantined,
    Shard,
    Source,
    as_lists,
    declared,
    select,
    to_batch,
)
from aetfx.data.sources.csv_layout import (
    MISSING,
    RECORD_BYTES,
    Form,
    Layout,
    Text,
    decode,
    even_spaces,
    find_layout,
    number,
)
from aetfx.data.sources.guards import printable
from aetfx.errors import DataError

BLOCK_BYTES = 4 << 20  # text per shard and per parse
MOST_BAD = 0.05  # a slip now and then is a bad row; one cell in twenty is a text column, one record a ragged file
_INTEGER = re.compile(r"\s*-?\d{1,18}\s*")
HOPELESS_RECORDS = 10_000  # as many ragged ones, and half of those read: the rest of the file is not worth the wait


@dataclass(frozen=True)
class CsvSource(Source):
    """One or several CSV files with the same columns."""

    extensions: ClassVar[tuple[str, ...]] = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
    forms: tuple[Form, ...] = ()
    columns: tuple[str, ...] = ()
    numeric: tuple[int, ...] = ()
    parts: tuple[Shard, ...] = field(default=(), repr=False)
    n_records: int = 0

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> CsvSource:
        first = find_layout(files[0])
        scan = _Scan(first.columns)
        parts: list[Shard] = []
        forms: dict[Form, Form] = {}
        found: list[Form] = []
        for file in files:
            layout = find_layout(file) if file != files[0] else first
            _check_agreement(file, layout, files[0], first)
            shards = scan.file(file, layout)
            if not shards:
                raise DataError(f"{file}: holds a header but no rows. Give data with at least one row.")
            whole = Shard(file, shards[0].start, shards[-1].stop, shards[0].first)
            parts += shards if layout.form.is_seekable else [whole]
            found.append(forms.setdefault(layout.form, layout.form))  # one object for all: it travels once
        if isinstance(features, str):
            numeric = tuple(i for i in range(len(first.columns)) if not scan.is_text(i))
            skipped = tuple(name for i, name in enumerate(first.columns) if scan.is_text(i))
        else:
            numeric, skipped = select(first.columns, features, files[0]), ()
            for i in numeric:
                if scan.is_text(i):
                    raise DataError(scan.complaint(i))
        if not numeric:
            raise DataError(scan.complaint(0, nothing_else=True))
        names = tuple(first.columns[i] for i in numeric)
        return cls(
            path, files, names, (len(names),), declared(features, False), skipped,
            whole=tuple(bool(scan.whole[i]) for i in numeric), forms=tuple(found), columns=first.columns,
            numeric=numeric, parts=tuple(parts), n_records=scan.n_records,
        )  # fmt: skip

    @property
    def column_selection(self) -> list[str] | None:
        return list(self.names)

    @property
    def n_rows(self) -> int:
        return self.n_records

    def shards(self) -> list[Shard]:
        return list(self.parts)

    def read(self, shard: Shard) -> Iterator[Batch]:
        form = self.forms[self.files.index(shard.file)]
        kinds = dict.fromkeys(self.numeric, pa.float64()) | dict.fromkeys(self._places, pa.binary())
        for block, line, _ in _blocks(shard, form):
            table = _table(block, form, len(self.columns), kinds)
            if table is None:
                batch = self._with_quarantine(block, form, shard.file, line)
            else:
                cells = [table.column(len(self.numeric) + k) for k in range(len(self.others))]
                batch = to_batch(_numbers(table, len(self.numeric)), (), self._lists(cells))
            bad = {row.position for row in batch.quarantined}
            yield dataclasses.replace(batch, where=functools.partial(_lines, block, form, shard.file, line, bad))

    def with_others(self, names: Sequence[str]) -> CsvSource:
        return dataclasses.replace(self, others=tuple(n for n in names if n in self.columns and n not in self.names))

    @property
    def _places(self) -> tuple[int, ...]:
        """Where `others` stand in a record."""
        return tuple(self.columns.index(name) for name in self.others)

    def _lists(self, columns: Sequence[pa.ChunkedArray]) -> dict[str, pa.Array]:
        """The further columns as lists; empty cells are missing."""
        found = {}
        for name, column in zip(self.others, columns, strict=True):
            cells = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.binary())
            try:
                cells.cast(pa.string())
            except pa.ArrowInvalid:  # an 8-bit code: TFDV takes UTF-8
                cells = pa.array([decode(cell).encode() for cell in cells.to_pylist()], pa.binary())
            filled = pc.greater(pc.binary_length(cells), 0)
            found[name] = as_lists(pc.if_else(filled, cells, pa.scalar(None, pa.binary())))
        return found

    def _with_quarantine(self, block: bytes, form: Form, file: str, line: int) -> Batch:
        kept: list[list[float | None]] = []
        bad: list[Quarantined] = []
        others: list[list[bytes]] = [[] for _ in self.others]
        for position, cells in _records(block, form, file, line):
            if len(cells) != len(self.columns):
                bad.append(Quarantined(file, position, _ragged(len(self.columns), len(cells))))
                continue
            row = [number(cells[i], form.decimal) for i in self.numeric]
            if None in row:
                i = self.numeric[row.index(None)]
                name = printable(self.columns[i])
                bad.append(Quarantined(file, position, f"column '{name}': {_shown(cells[i])} is not a number"))
            else:
                kept.append(row)
                for column, i in zip(others, self._places, strict=True):
                    column.append(cells[i].encode())
        values = np.array(kept, np.float64).reshape(len(kept), len(self.numeric))
        return to_batch(values, bad, self._lists([pa.chunked_array([column], pa.binary()) for column in others]))


def _check_agreement(file: str, layout: Layout, first_file: str, first: Layout) -> None:
    if (layout.has_header and layout.columns != first.columns) or len(layout.columns) != len(first.columns):
        raise DataError(
            f"{file}: its {len(layout.columns)} columns differ from the {len(first.columns)} of '{first_file}' "
            f"(first difference: {_difference(layout.columns, first.columns)}). Files of one source must agree."
        )


def _difference(mine: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    for a, b in zip(mine, theirs, strict=False):
        if a != b:
            return f"'{printable(a)}' against '{printable(b)}'"
    return "the number of columns"


class _Scan:
    """The first reading of all files: how many cells each column holds, and how many are no numbers or no integers."""

    def __init__(self, columns: tuple[str, ...]):
        self.columns = columns
        self.n_records = 0
        self.filled = np.zeros(len(columns), np.int64)
        self.bad = np.zeros(len(columns), np.int64)
        self.whole = np.ones(len(columns), bool)
        self._tried = False  # `whole` has been held against a block
        self.first_bad: dict[int, tuple[str, int, str]] = {}
        self._ragged: list[tuple[int, int]] = []  # of the file being read: line, fields

    def is_text(self, i: int) -> bool:
        return bool(self.bad[i] > MOST_BAD * self.filled[i])

    def _is_surely_text(self, i: int) -> bool:
        return bool(self.filled[i] >= 100 and self.bad[i] > self.filled[i] / 2)

    def complaint(self, i: int, nothing_else: bool = False) -> str:
        """Words what is wrong with a text column that is wanted, or with the first of nothing but text columns."""
        file, line, value = self.first_bad[i]
        first = "no column holds numbers: " if nothing_else else ""
        remedy = "Give data with at least one numeric column." if nothing_else else "Leave it out of data.features."
        return (
            f"{file}: {first}column '{printable(self.columns[i])}' is text: line {line} holds {_shown(value)} "
            f"({self.bad[i]} of {self.filled[i]} cells are not numbers). {remedy}"
        )

    def file(self, file: str, layout: Layout) -> list[Shard]:
        """Reads one file; returns its shards (those with rows).

        Raises:
          DataError: more than `MOST_BAD` of its records are ragged, or a quote is not closed.
        """
        shards: list[Shard] = []
        before, self._ragged = self.n_records, []
        has_header = layout.has_header
        for block, line, start in _blocks(Shard(file, 0, -1, 1), layout.form):
            used = block.removeprefix(b"\xef\xbb\xbf") if start == 0 else block
            if not shards:
                blank = len(used) - len(used.lstrip(b"\r\n"))
                line, used = line + _count_lines(used[:blank]), used[blank:]
            if has_header and used:
                size = _first_record_end(used, layout.form)
                line, used, has_header = line + _count_lines(used[:size]), used[size:], False
            n_rows = self._block(used, layout.form, file, line)
            self.n_records += n_rows
            if n_rows:
                stop = start + len(block)
                shards.append(Shard(file, stop - len(used), stop, line))
            n_ragged, n_read = len(self._ragged), self.n_records - before
            if n_ragged > max(HOPELESS_RECORDS, n_read / 2):
                break
        if self._ragged and len(self._ragged) > MOST_BAD * (self.n_records - before):
            line, n_fields = self._ragged[0]
            raise DataError(
                f"{file}: line {line}: {_ragged(len(self.columns), n_fields)}. Mend that line; "
                "in a ragged file no column can be trusted."
            )
        return shards

    def _block(self, block: bytes, form: Form, file: str, line: int) -> int:
        """Counts the cells of one block; returns the number of records."""
        width = len(self.columns)
        numeric = tuple(i for i in range(width) if not self._is_surely_text(i))
        values = self._numbers(block, form, numeric) if numeric else None
        if values is not None:
            if b'"' in block and len(values) != _count_filled_lines(block):
                for _ in _records(block, form, file, line):  # records of several lines: are they quoted rightly?
                    pass
            filled = np.count_nonzero(~np.isnan(values), axis=0)
            self.filled[list(numeric)] += filled
            text = [i for i in range(width) if i not in numeric]
            self.filled[text] += len(values)  # a text column stays one: its cells are counted without a look
            self.bad[text] += len(values)
            return len(values)
        n_rows = 0
        for position, cells in _records(block, form, file, line):
            n_rows += 1
            if len(cells) != width:
                self._ragged.append((position, len(cells)))
                continue
            for i, cell in enumerate(cells):
                value = number(cell, form.decimal)
                if value is None or value == value:
                    self.filled[i] += 1
                if value is None:
                    self.bad[i] += 1
                    self.first_bad.setdefault(i, (file, position, cell))
                elif value == value and self.whole[i]:
                    self.whole[i] = _INTEGER.fullmatch(cell) is not None
        return n_rows

    def _numbers(self, block: bytes, form: Form, numeric: tuple[int, ...]) -> np.ndarray | None:
        """The numbers of a block, or None where a cell is none; says in `whole` which columns stay integers.

        Columns that have held integers are parsed as such from the second block on: it costs nothing until it fails.
        """
        width = len(self.columns)
        if self._tried and not _has_hex(block):  # Arrow takes them for integers
            kinds = {i: pa.int64() if self.whole[i] else pa.float64() for i in numeric}
            table = _table(block, form, width, kinds)
            if table is not None:
                return _numbers(table, len(numeric))
        table = _table(block, form, width, dict.fromkeys(numeric, pa.float64()))
        if table is None:
            return None
        values = _numbers(table, len(numeric))
        with np.errstate(invalid="ignore"):
            even = ((values == np.rint(values)) | np.isnan(values)).all(axis=0)
        self.whole[list(numeric)] &= even
        left = [i for i in numeric if self.whole[i]]
        if left and _table(block, form, width, dict.fromkeys(left, pa.int64())) is None:
            for i in left:
                self.whole[i] = _table(block, form, width, {i: pa.int64()}) is not None
        self._tried = True
        return values


def _blocks(shard: Shard, form: Form) -> Iterator[tuple[bytes, int, int]]:
    """Reads a byte range in blocks that end between records: (bytes, line number of the first, offset).

    Raises:
      DataError: the file cannot be unpacked, or a record is longer than `RECORD_BYTES`.
    """
    with Text(shard.file, form) as stream:
        stream.skip(shard.start)
        rest, line, offset, stop = b"", shard.first, shard.start, shard.stop
        at = shard.start
        while True:
            wanted = BLOCK_BYTES if stop < 0 else min(BLOCK_BYTES, stop - at)
            piece = stream.read(wanted) if wanted > 0 else b""
            at += len(piece)
            block = rest + piece
            if not piece:
                if block.strip(b"\r\n"):
                    yield block, line, offset
                return
            end = _last_record_end(block, form)
            rest = block[end:]
            if end:
                yield block[:end], line, offset
                line, offset = line + _count_lines(block[:end]), offset + end
            elif len(rest) > RECORD_BYTES:
                raise DataError(
                    f"{shard.file}: line {line}: a record of more than {RECORD_BYTES >> 20} MB. "
                    "Look for a quote that is never closed, and mend that line."
                )


def _quoted(form: Form) -> re.Pattern[bytes]:
    """Matches a quoted field with the separator before it; one that is not closed, to the end.

    A quote inside a field that does not start with one is a plain character, for Python and Arrow alike.
    """
    before = b" \t" if form.delimiter == " " else re.escape(form.delimiter.encode())
    return re.compile(rb"(?:\A|[\r\n" + before + rb'])"[^"]*(?:""[^"]*)*(?:"|\Z)')


def _last_record_end(block: bytes, form: Form) -> int:
    """Offset behind the last line end that no quotes hold; 0 if there is none."""
    if b'"' not in block:
        return block.rfind(b"\n") + 1
    for most in (1000, None):  # the last thousand quoted fields nearly always do
        fields = deque(_quoted(form).finditer(block), maxlen=most)
        end = len(block)
        for match in reversed(fields):
            cut = block.rfind(b"\n", match.end(), end)
            if cut >= 0:
                return cut + 1
            end = match.start() + 1
        if most is None or len(fields) < most:
            return block.rfind(b"\n", 0, end) + 1
    return 0


def _first_record_end(block: bytes, form: Form) -> int:
    """Offset behind the first record."""
    start = block.find(b"\n") + 1
    if start and b'"' not in block[:start]:
        return start
    start = 0
    for match in _quoted(form).finditer(block):
        cut = block.find(b"\n", start, match.start() + 1)
        if cut >= 0:
            return cut + 1
        start = match.end()
    return block.find(b"\n", start) + 1 or len(block)


def _count_lines(block: bytes) -> int:
    """Line ends as `csv.reader` counts them: newline, carriage return, or both together."""
    returns = block.count(b"\r")
    return block.count(b"\n") + (returns - block.count(b"\r\n") if returns else 0)


def _count_filled_lines(block: bytes) -> int:
    return sum(map(bool, block.splitlines()))


def _has_hex(block: bytes) -> bool:
    """Whether hexadecimal numbers may be there: the single letter is looked for first, as that is far faster."""
    return any(letter in block and b"0" + letter in block for letter in (b"x", b"X"))


def _table(block: bytes, form: Form, width: int, kinds: Mapping[int, pa.DataType]) -> pa.Table | None:
    """Parses the columns `kinds` of a block with Arrow, in their order; None where it refuses anything."""
    names = [str(i) for i in range(width)]
    if form.delimiter == " ":
        block = even_spaces(block)
    if not block.strip(b"\r\n"):
        return pa.table({str(i): pa.array([], kind) for i, kind in kinds.items()})
    try:
        return pacsv.read_csv(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
            parse_options=pacsv.ParseOptions(delimiter=form.delimiter, newlines_in_values=b'"' in block),
            convert_options=pacsv.ConvertOptions(
                column_types={str(i): kind for i, kind in kinds.items()},
                include_columns=[str(i) for i in kinds],
                null_values=list(MISSING),
                decimal_point=form.decimal,
            ),
        )
    except pa.ArrowException:
        return None


def _numbers(table: pa.Table, n: int) -> np.ndarray:
    """The first n columns of a table, float64 of shape (rows, n); nulls are NaN."""
    values = np.empty((table.num_rows, n), np.float64)
    for k in range(n):
        values[:, k] = table.column(k).to_numpy()
    return values


def _records(block: bytes, form: Form, file: str, line: int) -> Iterator[tuple[int, list[str]]]:
    """Yields (line number, fields) of each record that is not blank.

    Raises:
      DataError: a record of several lines is not quoted rightly: a quote swallows the rows behind it.
    """
    text = decode(even_spaces(block) if form.delimiter == " " else block)
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=form.delimiter)
    start = 0
    while True:
        position = line + start
        try:
            cells = next(reader, None)
            if cells is not None and reader.line_num > start + 1:
                for _ in csv.reader(lines[start : reader.line_num], delimiter=form.delimiter, strict=True):
                    pass
        except csv.Error as error:
            said = printable(str(error))
            raise DataError(
                f"{file}: line {position}: not valid CSV ({said}): look for a quote that is not closed, "
                "as it swallows the rows behind it. Mend that line."
            ) from None
        if cells is None:
            return
        if len(cells) > 1 or (cells and (cells[0].strip() or not cells[0])):  # a blank line is [], but "" is a cell
            yield position, cells
        start = reader.line_num


def _lines(block: bytes, form: Form, file: str, line: int, bad: set[int]) -> list[Place]:
    """The line on which each record of a block begins that is neither blank nor bad."""
    return [(file, position) for position, _ in _records(block, form, file, line) if position not in bad]


def _ragged(expected: int, got: int) -> str:
    return f"expected {expected} fields but got {got}"


def _shown(cell: str) -> str:
    return f"'{printable(cell, 40)}'"
