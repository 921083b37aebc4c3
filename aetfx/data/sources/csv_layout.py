"""How a CSV file is written: encoding, line ends, delimiter, decimal sign, header. Found from its first records.

Nobody declares these, so each is chosen by what makes the records agree and the cells numbers:

* *encoding*: UTF-16 by its byte order mark; else UTF-8, and where that fails Windows-1252, the Latin-1 that is met.
* *delimiter*: one of , ; tab | and runs of spaces: the one under which most records have as many fields as the first
  and most cells are numbers.
* *decimal sign*: a comma where the delimiter is ; and more cells look like 1,5 than like 1.5 (Excel in German).
* *header*: there is none where the first record looks like the ones below it (`_has_header`).
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from aetfx.data.files import open_binary, size_of
from aetfx.data.sources.guards import check_unpacked, check_width, find_twice, printable
from aetfx.errors import DataError

RECORD_BYTES = 16 << 20  # longer ones come of a quote that is never closed, or of no text at all
SAMPLE_BYTES = 64 << 10
SAMPLE_RECORDS = 50
NAME_CHARACTERS = 1000  # a longer column name is data
DELIMITERS = (",", ";", "\t", "|", " ")
MISSING = ("", "NA", "N/A", "n/a", "na", "#N/A", "NaN", "nan", "NAN", "-nan", "null", "NULL", "Null", "None", "none",
           "NONE", "?", "<NA>")  # fmt: skip
_MISSING = frozenset(MISSING)
_COMMA_DECIMAL, _POINT_DECIMAL = (re.compile(rf"\s*[+-]?\d*{sign}\d+([eE][+-]?\d+)?\s*") for sign in (",", r"\."))

csv.field_size_limit(max(csv.field_size_limit(), RECORD_BYTES))  # Python's 128 KB is less than a cell of JSON takes


@dataclass(frozen=True)
class Form:
    """How the bytes of a file become cells.

    Attributes:
      delimiter: between fields; " " stands for runs of spaces and tabs.
      decimal: "." or ",".
      packed: the file is gzipped.
      utf16: the codec of a UTF-16 file, or "".
      cr_only: lines end with a carriage return alone.
    """

    delimiter: str = ","
    decimal: str = "."
    packed: bool = False
    utf16: str = ""
    cr_only: bool = False

    @property
    def is_seekable(self) -> bool:
        """Whether a worker can start in the middle of the file."""
        return not self.packed and not self.utf16


@dataclass(frozen=True)
class Layout:
    """A form with the columns that it shows."""

    form: Form
    columns: tuple[str, ...]
    has_header: bool


class Text:
    """The text of a file as a stream of bytes: unpacked, in UTF-8 or an 8-bit code, with lines that end in a newline.

    Raises:
      DataError: from any method: the file cannot be read or unpacked, or unpacks to far more than data do.
    """

    def __init__(self, file: str, form: Form):
        self._file, self._form = file, form
        self._raw: BinaryIO = open_binary(file, form.packed)
        self._packed_bytes = size_of(file) if form.packed else 0
        self._decoder = codecs.getincrementaldecoder(form.utf16)("replace") if form.utf16 else None
        self._rest = b""  # decoded and not yet asked for

    def __enter__(self) -> Text:
        return self

    def __exit__(self, *error: object) -> None:
        self._raw.close()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end only."""
        if self._decoder is None:
            data = self._unpack(size)
        else:
            while len(self._rest) < size:
                piece = self._unpack(size)
                self._rest += self._decoder.decode(piece, final=not piece).lstrip("\ufeff").encode()
                if not piece:
                    break
            data, self._rest = self._rest[:size], self._rest[size:]
        return data.replace(b"\r", b"\n") if self._form.cr_only else data

    def skip(self, size: int) -> None:
        """Passes over the first `size` bytes."""
        if self._form.is_seekable:
            self._raw.seek(size)
            return
        while size > 0:
            piece = self.read(min(size, 1 << 20))
            if not piece:
                return
            size -= len(piece)

    def _unpack(self, size: int) -> bytes:
        try:
            data = self._raw.read(size)
        except Exception as error:  # OSError, EOFError, zlib.error: a damaged or truncated .gz shows here
            said = printable(str(error), 120)
            raise DataError(f"{self._file}: cannot be unpacked ({said}). Write it again.") from None
        if self._form.packed:
            check_unpacked(self._file, self._packed_bytes, self._raw.tell())
        return data


def find_layout(file: str) -> Layout:
    """Finds out how a file is written.

    Raises:
      DataError: the file is no text, holds no record, is too wide, or names a column twice.
    """
    form, sample, is_whole = _sample(file)
    if b"\0" in sample:
        raise DataError(f"{file}: not a text file (it holds zero bytes). Give a CSV file in UTF-8.")
    text = decode(sample.removeprefix(codecs.BOM_UTF8), is_whole).lstrip("\r\n")
    if not text.strip():
        raise DataError(f"{file}: the file holds no rows, only blank lines. Give data with at least one row.")
    try:
        delimiter, records = _find_delimiter(file, text, is_whole)
    except csv.Error as error:
        raise DataError(f"{file}: line 1: not valid CSV ({printable(str(error))}). Mend that line.") from None
    check_width(file, len(records[0]))
    decimal = _decimal(delimiter, records)
    form = Form(delimiter, decimal, form.packed, form.utf16, form.cr_only)
    if not _has_header(records, decimal):
        return Layout(form, tuple(map(str, range(len(records[0])))), has_header=False)
    return Layout(form, _names(file, records[0]), has_header=True)


def decode(data: bytes, is_whole: bool = True) -> str:
    """Decodes UTF-8, or else Windows-1252; `is_whole` False lets the last character be cut.

    >>> decode("größe".encode()), decode("größe".encode("latin-1")), decode("é".encode()[:1], is_whole=False)
    ('größe', 'größe', '')
    """
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=is_whole)
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:  # five bytes mean nothing there
        return data.decode("latin-1")


def number(cell: str, decimal: str = ".") -> float | None:
    """The number in a cell, NaN where it is missing, None where it is something else.

    >>> number(" 1.5 "), number("NA"), number("1_000"), number("1,5"), number("1,5", ",")
    (1.5, nan, None, None, 1.5)
    """
    cell = cell.strip()
    if cell in _MISSING:
        return float("nan")
    if decimal == ",":
        if "." in cell:
            return None
        cell = cell.replace(",", ".")
    try:
        return None if "_" in cell else float(cell)  # float() would take 1_000 for a number
    except ValueError:
        return None


def even_spaces(text: bytes) -> bytes:
    """Makes each run of spaces and tabs one space and drops those at the ends of lines, for the delimiter " ".

    >>> even_spaces(b"  1   2 \\n3\\t4\\r\\n")
    b'1 2\\n3 4\\r\\n'
    """
    return re.sub(rb"(?m)^ | (?=\r?$)", b"", re.sub(rb"[ \t]+", b" ", text))


def _sample(file: str) -> tuple[Form, bytes, bool]:
    """Reads the start of a file, at least one record of it; says what its bytes are and whether that is all."""
    with open_binary(file, packed=False) as stream:
        packed = stream.read(2) == b"\x1f\x8b"  # the ending may lie either way: browsers unpack what they fetch
    with Text(file, Form(packed=packed)) as text:
        mark = text.read(2)
    utf16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(mark, "")
    form = Form(packed=packed, utf16=utf16)
    with Text(file, form) as text:
        data = text.read(SAMPLE_BYTES)
        while True:
            more = text.read(max(SAMPLE_BYTES, len(data)))
            data += more
            if not more or b"\n" in data.strip(b"\r\n") or b"\r" in data.strip(b"\r\n"):
                break
            if len(data) > RECORD_BYTES:
                raise DataError(f"{file}: line 1 is longer than {RECORD_BYTES >> 20} MB. Give a text file of records.")
    form = Form(packed=packed, utf16=utf16, cr_only=b"\n" not in data and b"\r" in data)
    return form, data, not more


def _find_delimiter(file: str, text: str, is_whole: bool) -> tuple[str, list[list[str]]]:
    """Chooses the delimiter; returns it with the first records.

    One that cuts most records into as many fields as the first goes before none at all: under none, a file whose lines
    are swallowed by a quote is a column of numbers with a few odd lines.
    """
    order = ("\t", *(d for d in DELIMITERS if d != "\t")) if ".tsv" in os.path.basename(file).lower() else DELIMITERS
    best = (False, -1.0)
    chosen: tuple[str, list[list[str]]] = (",", [])
    for delimiter in order:
        records = _first_records(text, delimiter, is_whole)
        width = len(records[0])
        agreeing = sum(len(record) == width for record in records) / len(records)
        cells = [cell for record in records for cell in record if cell.strip() not in _MISSING]
        sign = "," if delimiter == ";" and width > 1 else "."
        numbers = sum(number(cell) is not None or number(cell, sign) is not None for cell in cells)
        # 0.1: where no cell is a number under any delimiter, agreement alone decides
        score = (width > 1 and agreeing > 0.5, agreeing * (numbers / max(1, len(cells)) + 0.1))
        if score > best:
            best, chosen = score, (delimiter, records)
    return chosen


def _first_records(text: str, delimiter: str, is_whole: bool) -> list[list[str]]:
    if delimiter == " ":
        text = even_spaces(text.encode()).decode()
    records = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for record in reader:
        if any(cell.strip() for cell in record) or len(record) > 1:
            records.append(record)
        if len(records) > SAMPLE_RECORDS:
            break
    if len(records) > 1 and (not is_whole or len(records) > SAMPLE_RECORDS):
        del records[-1]  # it may be cut
    return records or [[""]]


def _decimal(delimiter: str, records: Sequence[Sequence[str]]) -> str:
    if delimiter != ";":
        return "."
    cells = [cell for record in records for cell in record]
    commas, points = (sum(bool(p.fullmatch(c)) for c in cells) for p in (_COMMA_DECIMAL, _POINT_DECIMAL))
    return "," if commas > points else "."


def _has_header(records: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the first record names columns. In doubt it is data: a row must not be lost.

    A record of numbers and gaps is data, but for a gap followed by 0, 1, 2, ... (a data frame written with its index).
    So is one with cells as names never are (a fraction, or 18.0; a word that is found again in its column; a cell that
    is there twice), unless more than half of what it says above columns of numbers is words.
    """
    first, below = records[0], [record for record in records[1:] if len(record) == len(records[0])]
    values = [number(cell, decimal) for cell in first]
    words = [i for i, value in enumerate(values) if value is None]
    given = [value for value in values if value is not None and value == value]
    if not words:
        return first[0].strip() == "" and len(given) > 1 and given == list(range(len(first) - 1))
    if not given:
        return True
    over_numbers = [i for i in words if _are_numbers([record[i] for record in below], decimal)]
    if len(over_numbers) > len(given):
        return True
    said = [cell.strip() for cell in first if cell.strip()]
    like_data = (
        any(not first[i].strip().lstrip("+-").isdigit() for i, v in enumerate(values) if v is not None and v == v)
        or any(first[i] == record[i] for i in words for record in below)
        or len(set(said)) < len(said)
    )
    return not like_data


def _are_numbers(cells: Sequence[str], decimal: str) -> bool:
    values = [number(cell, decimal) for cell in cells if cell.strip() not in _MISSING]
    return bool(values) and sum(value is None for value in values) <= len(values) / 4


def _names(file: str, cells: Sequence[str]) -> tuple[str, ...]:
    """Names for the columns from the header; those without get their number.

    Raises:
      DataError: a name is there twice, or far too long.
    """
    names = [cell.strip() if cell.isprintable() else printable(cell, NAME_CHARACTERS + 1) for cell in cells]
    twice = find_twice(name for name in names if name)
    if twice is not None:
        raise DataError(f"{file}: line 1 names the column '{printable(twice)}' twice. Give each column its own name.")
    long = next((name for name in names if len(name) > NAME_CHARACTERS), None)
    if long is not None:
        raise DataError(
            f"{file}: line 1 holds a name of more than {NAME_CHARACTERS:,} characters ('{printable(long, 40)}'). "
            "Give a file whose first line names the columns, or holds numbers."
        )
    taken = set(names)
    return tuple(name or (str(i) if str(i) not in taken else f"column {i}") for i, name in enumerate(names))
