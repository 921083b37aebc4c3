"""CSV, plain or gzipped: columns of numbers; a shard is a byte range that ends between two records.

Opening reads the files once: it checks that all records have as many fields as the first (a ragged
file is an error: its columns cannot be trusted), finds which columns hold numbers, and where records
end. A column is numeric when at most `MOST_BAD_CELLS` of its cells that are not empty fail to be
numbers; a row with such a cell is quarantined. More than that makes a text column.

Blocks are parsed by Arrow; a block that Arrow refuses goes through `csv.reader`, which knows line numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from aetfx.data.files import open_binary
from aetfx.data.sources.base import Batch, Features, Quarantined, Shard, Source, declared, select, to_batch
from aetfx.errors import DataError

BLOCK_BYTES = 4 << 20  # text per shard and per parse
MOST_BAD_CELLS = 0.05  # a typing error now and then is a bad row; one cell in twenty is a text column
MISSING = ("", "NA", "N/A", "n/a", "na", "#N/A", "NaN", "nan", "NAN", "-nan", "null", "NULL", "Null", "None", "none",
           "NONE", "?", "<NA>")  # fmt: skip
_MISSING = frozenset(MISSING)


@dataclass(frozen=True)
class CsvSource(Source):
    """One or several CSV files with the same columns."""

    extensions: ClassVar[tuple[str, ...]] = (".csv", ".csv.gz")
    delimiter: str = ","
    columns: tuple[str, ...] = ()
    numeric: tuple[int, ...] = ()
    parts: tuple[Shard, ...] = field(default=(), repr=False)

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> CsvSource:
        first = _peek(files[0])
        scan = _Scan(first.columns)
        parts: list[Shard] = []
        for file in files:
            layout = _peek(file) if file != files[0] else first
            _check_agreement(file, layout, files[0], first)
            shards = scan.file(file, first.delimiter, layout.has_header)
            if not shards:
                raise DataError(f"{file}: holds a header but no rows. Give data with at least one row.")
            parts += (
                [Shard(file, shards[0].start, shards[-1].stop, shards[0].first)] if file.endswith(".gz") else shards
            )
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
            delimiter=first.delimiter, columns=first.columns, numeric=numeric, parts=tuple(parts),
        )  # fmt: skip

    @property
    def column_selection(self) -> list[str] | None:
        return list(self.names)

    def shards(self) -> list[Shard]:
        return list(self.parts)

    def read(self, shard: Shard) -> Iterator[Batch]:
        for block, line, _ in _blocks(shard):
            values = _parse(block, self.delimiter, len(self.columns), self.numeric)
            yield to_batch(values) if values is not None else self._with_quarantine(block, shard.file, line)

    def _with_quarantine(self, block: bytes, file: str, line: int) -> Batch:
        kept: list[list[float | None]] = []
        bad: list[Quarantined] = []
        for position, cells in _records(block, self.delimiter, len(self.columns), file, line):
            row = [_number(cells[i]) for i in self.numeric]
            if None in row:
                i = self.numeric[row.index(None)]
                bad.append(
                    Quarantined(file, position, f"column '{self.columns[i]}': {_shown(cells[i])} is not a number")
                )
            else:
                kept.append(row)
        return to_batch(np.array(kept, np.float64).reshape(len(kept), len(self.numeric)), bad)


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    columns: tuple[str, ...]
    has_header: bool


def _peek(file: str) -> _Layout:
    """Finds delimiter, header and column names from the first record.

    Raises:
      DataError: the file is no text, holds no record, or names a column twice.
    """
    with open_binary(file) as stream:
        start = _read(stream, file, 1 << 16)
    if b"\0" in start:
        raise DataError(f"{file}: not a text file (it holds zero bytes). Give a CSV file in UTF-8.")
    text = start.decode("utf-8-sig", errors="replace").lstrip("\r\n")
    if not text.strip():
        raise DataError(f"{file}: the file holds no rows, only blank lines. Give data with at least one row.")
    line = text.splitlines()[0]
    delimiter = max(",;\t", key=line.count)
    cells = next(csv.reader(io.StringIO(text), delimiter=delimiter))
    if all(_number(cell) is not None for cell in cells):
        return _Layout(delimiter, tuple(map(str, range(len(cells)))), has_header=False)
    names = [cell.strip() or str(i) for i, cell in enumerate(cells)]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{file}: line 1 names the column '{name}' twice. Give each column its own name.")
    return _Layout(delimiter, tuple(names), has_header=True)


def _check_agreement(file: str, layout: _Layout, first_file: str, first: _Layout) -> None:
    if (layout.has_header and layout.columns != first.columns) or len(layout.columns) != len(first.columns):
        raise DataError(
            f"{file}: its {len(layout.columns)} columns differ from the {len(first.columns)} of '{first_file}' "
            f"(first difference: {_difference(layout.columns, first.columns)}). Files of one source must agree."
        )


def _difference(mine: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    for a, b in zip(mine, theirs, strict=False):
        if a != b:
            return f"'{a}' against '{b}'"
    return "the number of columns"


class _Scan:
    """The first reading of all files: how many cells each column holds and how many are no numbers."""

    def __init__(self, columns: tuple[str, ...]):
        self.columns = columns
        self.filled = np.zeros(len(columns), np.int64)
        self.bad = np.zeros(len(columns), np.int64)
        self.first_bad: dict[int, tuple[str, int, str]] = {}

    def is_text(self, i: int) -> bool:
        return bool(self.bad[i] > MOST_BAD_CELLS * self.filled[i])

    def _is_surely_text(self, i: int) -> bool:
        return bool(self.filled[i] >= 100 and self.bad[i] > self.filled[i] / 2)

    def complaint(self, i: int, nothing_else: bool = False) -> str:
        """Words what is wrong with a text column that is wanted, or with the first of nothing but text columns."""
        file, line, value = self.first_bad[i]
        first = "no column holds numbers: " if nothing_else else ""
        remedy = "Give data with at least one numeric column." if nothing_else else "Leave it out of data.features."
        return (
            f"{file}: {first}column '{self.columns[i]}' is text: line {line} holds {_shown(value)} "
            f"({self.bad[i]} of {self.filled[i]} cells are not numbers). {remedy}"
        )

    def file(self, file: str, delimiter: str, has_header: bool) -> list[Shard]:
        """Reads one file; returns its shards (those with rows)."""
        shards = []
        whole = Shard(file, 0, -1, 1)
        for block, line, start in _blocks(whole):
            used = block
            if start == 0:
                used = block.removeprefix(b"\xef\xbb\xbf")
                blank = len(used) - len(used.lstrip(b"\r\n"))
                line, used = line + used[:blank].count(b"\n"), used[blank:]
                if has_header:
                    size = _record_end(used)
                    line, used = line + used[:size].count(b"\n"), used[size:]
            if self._block(used, delimiter, file, line):
                stop = start + len(block)
                shards.append(Shard(file, stop - len(used), stop, line))
        return shards

    def _block(self, block: bytes, delimiter: str, file: str, line: int) -> int:
        """Counts the cells of one block; returns the number of rows."""
        width = len(self.columns)
        numeric = tuple(i for i in range(width) if not self._is_surely_text(i))
        values = _parse(block, delimiter, width, numeric) if numeric else None
        if values is not None:
            filled = np.count_nonzero(~np.isnan(values), axis=0)
            self.filled[list(numeric)] += filled
            text = [i for i in range(width) if i not in numeric]
            self.filled[text] += len(values)  # a text column stays one: its cells are counted without a look
            self.bad[text] += len(values)
            return len(values)
        n_rows = 0
        for position, cells in _records(block, delimiter, width, file, line):
            n_rows += 1
            for i, cell in enumerate(cells):
                value = _number(cell)
                if value is None or value == value:
                    self.filled[i] += 1
                if value is None:
                    self.bad[i] += 1
                    self.first_bad.setdefault(i, (file, position, cell))
        return n_rows


def _blocks(shard: Shard) -> Iterator[tuple[bytes, int, int]]:
    """Reads a byte range in blocks that end between records: (bytes, line number of the first, offset).

    A line end counts only where the number of quotes before it is even.
    """
    with open_binary(shard.file) as stream:
        stream.seek(shard.start)
        rest, line, offset, stop = b"", shard.first, shard.start, shard.stop
        at = shard.start
        while True:
            wanted = BLOCK_BYTES if stop < 0 else min(BLOCK_BYTES, stop - at)
            piece = _read(stream, shard.file, wanted) if wanted > 0 else b""
            at += len(piece)
            block = rest + piece
            if not piece:
                if block.strip(b"\r\n"):
                    yield block, line, offset
                return
            end = _last_record_end(block)
            rest = block[end:]
            if end:
                yield block[:end], line, offset
                line, offset = line + block.count(b"\n", 0, end), offset + end


def _read(stream: BinaryIO, file: str, size: int) -> bytes:
    try:
        return stream.read(size)
    except (OSError, EOFError) as error:  # a damaged or truncated .gz shows here
        raise DataError(f"{file}: cannot be unpacked ({' '.join(str(error).split())}). Write it again.") from None


def _last_record_end(block: bytes) -> int:
    """Offset behind the last line end with an even number of quotes before it; 0 if there is none."""
    quotes, end = block.count(b'"'), len(block)
    while True:
        cut = block.rfind(b"\n", 0, end)
        if cut < 0:
            return 0
        quotes -= block.count(b'"', cut, end)
        if quotes % 2 == 0:
            return cut + 1
        end = cut


def _record_end(block: bytes) -> int:
    """Offset behind the first record."""
    quotes, start = 0, 0
    while True:
        cut = block.find(b"\n", start)
        if cut < 0:
            return len(block)
        quotes += block.count(b'"', start, cut)
        start = cut + 1
        if quotes % 2 == 0:
            return start


def _parse(block: bytes, delimiter: str, width: int, numeric: tuple[int, ...]) -> np.ndarray | None:
    """Parses a block with Arrow: float64 of shape (rows, numeric columns), or None where it refuses anything."""
    names = [str(i) for i in range(width)]
    try:
        table = pacsv.read_csv(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in block),
            convert_options=pacsv.ConvertOptions(
                column_types={str(i): pa.float64() for i in numeric},
                include_columns=[str(i) for i in numeric],
                null_values=list(MISSING),
            ),
        )
    except pa.ArrowException:
        return None
    values = np.empty((table.num_rows, len(numeric)), np.float64)
    for k, column in enumerate(table.columns):
        values[:, k] = column.to_numpy()
    return values


def _records(block: bytes, delimiter: str, width: int, file: str, line: int) -> Iterator[tuple[int, list[str]]]:
    """Yields (line number, fields) of each record.

    Raises:
      DataError: a record has more or fewer fields than the first record of the file.
    """
    reader = csv.reader(io.StringIO(block.decode("utf-8", errors="replace"), newline=""), delimiter=delimiter)
    position = line
    try:
        for cells in reader:
            if cells:
                if len(cells) != width:
                    raise DataError(
                        f"{file}: line {position}: expected {width} fields but got {len(cells)}. Mend that line; "
                        "in a ragged file no column can be trusted."
                    )
                yield position, cells
            position = line + reader.line_num
    except csv.Error as error:
        raise DataError(f"{file}: line {position}: not valid CSV ({error}). Mend that line.") from None


def _number(cell: str) -> float | None:
    """The number in a cell, NaN where it is missing, None where it is something else."""
    cell = cell.strip()
    if cell in _MISSING:
        return float("nan")
    try:
        return None if "_" in cell else float(cell)  # float() would take 1_000 for a number
    except ValueError:
        return None


def _shown(cell: str) -> str:
    return f"'{cell}'" if len(cell) <= 40 else f"'{cell[:37]}...'"
