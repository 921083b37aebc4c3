"""`.npy`: one array of shape (rows, ...), in pieces; a shard is a range of rows. Pickles are refused.

The header must account for every byte of the file: a damaged shape that promises fewer rows than are there would lose
the others without a word.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import numpy as np

from aetfx.data.files import is_remote, open_binary, size_of
from aetfx.data.sources.base import (
    Batch,
    Features,
    Shard,
    Source,
    declared,
    element_names,
    float_dtype,
    select,
    to_batch,
)
from aetfx.data.sources.guards import check_width, printable
from aetfx.errors import DataError

FORTRAN_BYTES = 1 << 30  # what cannot be mapped is held as a whole: its rows are complete at the end only
SHARD_BYTES = 64 << 20  # a worker's unit of work; a few hundred milliseconds of statistics


@dataclass(frozen=True)
class NpySource(Source):
    """One or several `.npy` files with the same shape of a row."""

    extensions: ClassVar[tuple[str, ...]] = (".npy",)
    rows_per_file: tuple[int, ...] = ()
    row_bytes: int = 8

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> NpySource:
        headers = [header(file) for file in files]
        check_agreement(files, [shape for shape, _ in headers])
        shape, dtype = headers[0]
        rows = tuple(len_ for (len_, *_), _ in headers)
        widest = max(float_dtype(dtype).itemsize for _, dtype in headers)
        fields = array_fields(path, files, shape, features)
        whole = all(dtype.kind in "biu" for _, dtype in headers)
        return cls(**fields, value_bytes=widest, whole=whole, rows_per_file=rows, row_bytes=row_bytes(shape, dtype))

    @property
    def n_rows(self) -> int:
        return sum(self.rows_per_file)

    def shards(self) -> list[Shard]:
        step = max(1, SHARD_BYTES // self.row_bytes)
        return [
            Shard(file, start, min(start + step, rows), start)
            for file, rows in zip(self.files, self.rows_per_file, strict=True)
            for start in range(0, rows, step)
        ]

    def read(self, shard: Shard) -> Iterator[Batch]:
        for values in _pieces(shard, self.rows_per_batch):
            yield to_batch(self.pick(values))


def _pieces(shard: Shard, rows: int) -> Iterator[np.ndarray]:
    """Reads the rows of a shard, some at a time."""
    layout = _layout(shard.file)
    starts = range(shard.start, shard.stop, rows)
    if layout.fortran:  # a row is scattered over the whole file
        array = _remote_array(shard.file, layout) if is_remote(shard.file) else map_array(shard.file)
        for start in starts:
            yield np.asarray(array[start : min(start + rows, shard.stop)])
        return
    # Read, not mapped: the pages of a map count as this process's memory, until all of a large file does.
    row = math.prod(layout.shape[1:])
    with open_binary(shard.file) as stream:
        stream.seek(layout.offset + shard.start * row * layout.dtype.itemsize)
        for start in starts:
            n = min(rows, shard.stop - start)
            values = _numbers(stream, layout.dtype, n * row, is_remote(shard.file))
            if len(values) < n * row:
                raise DataError(f"{shard.file}: became shorter while it was read. Write it again with np.save.")
            yield values.reshape(n, *layout.shape[1:])


def _numbers(stream: BinaryIO, dtype: np.dtype, count: int, remote: bool) -> np.ndarray:
    """Reads up to `count` numbers; `np.fromfile` copies once less, but takes none but the system's own files."""
    if not remote:
        return np.fromfile(stream, dtype, count)
    data = stream.read(count * dtype.itemsize)
    return np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)


def _remote_array(file: str, layout: Layout) -> np.ndarray:
    """Reads an array that is stored column by column, as a whole.

    Raises:
      DataError: see `check_holdable`.
    """
    check_holdable(f"{file}: the array", layout)
    with open_binary(file) as stream:
        stream.seek(layout.offset)
        values = _numbers(stream, layout.dtype, math.prod(layout.shape), remote=True)
    return values.reshape(layout.shape, order="F")


@dataclass(frozen=True)
class Layout:
    """What the header of an array says."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    offset: int

    @property
    def size(self) -> int:
        """Bytes of header and numbers."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


def header(file: str) -> tuple[tuple[int, ...], np.dtype]:
    """Reads shape and dtype of a `.npy` file and checks that they can be used.

    Raises:
      DataError: not a NumPy file, damaged, truncated, of a dtype without plain numbers, or without rows.
    """
    layout = _layout(file)
    return layout.shape, layout.dtype


def map_array(file: str) -> np.ndarray:
    """Memory-maps the array of a `.npy` file.

    Raises:
      DataError: as `header`.
    """
    layout = _layout(file)
    order = "F" if layout.fortran else "C"
    try:
        return np.memmap(file, layout.dtype, "r", layout.offset, layout.shape, order)
    except (ValueError, OSError) as error:
        raise DataError(
            f"{file}: cannot be mapped into memory ({_short(error)}). Check the file and its rights."
        ) from None


def _layout(file: str) -> Layout:
    with open_binary(file) as stream:
        layout = read_layout(stream, file, f"{file}: not a readable .npy file")
    size = size_of(file)
    if size != layout.size:
        word = "truncated or damaged" if size < layout.size else "damaged"
        array = f"shape {_shown(layout.shape)} of {layout.dtype}"
        raise DataError(
            f"{file}: the .npy file is {word} ({array} takes {layout.size:,} bytes, the file has "
            f"{size:,}). Write it again with np.save."
        )
    return layout


def read_layout(stream: BinaryIO, where: str, complaint: str) -> Layout:
    """Reads the header at the start of `stream`; `where` and `complaint` word the errors.

    Raises:
      DataError: no header, or one of an array that cannot be used.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns about headers of Python 2, which are as good
            version = np.lib.format.read_magic(stream)
            if version not in ((1, 0), (2, 0), (3, 0)):
                raise ValueError(f"format version {version[0]}.{version[1]} is not known")
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = reader(stream)
        layout = Layout(tuple(map(int, shape)), dtype, bool(fortran), stream.tell())
    except DataError:
        raise
    except Exception as error:  # a header is a Python literal: a damaged one raises whatever its parser raises
        raise DataError(f"{complaint} ({_short(error)}). Write it again with np.save.") from None
    if min(layout.shape, default=0) < 0:
        raise DataError(f"{complaint} (shape {_shown(layout.shape)}). Write it again with np.save.")
    check_array(where, layout.shape, dtype)
    return layout


def check_holdable(what: str, layout: Layout) -> None:
    """Checks an array that cannot be mapped into memory.

    Raises:
      DataError: it is stored column by column and larger than `FORTRAN_BYTES`.
    """
    if layout.fortran and layout.size > FORTRAN_BYTES:
        raise DataError(
            f"{what} is stored column by column (Fortran order) and too large to hold. "
            "Save np.ascontiguousarray(array)."
        )


def check_array(where: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Checks that an array is a table or stack of tensors of real numbers.

    Raises:
      DataError: object, structured, complex, text or date dtype; fewer than 2 dimensions; no rows; too wide.
    """
    if dtype.hasobject:
        raise DataError(
            f"{where}: the array holds Python objects (dtype {dtype}); pickles are refused. "
            "Convert it first: np.save(path, array.astype('float32'))."
        )
    if dtype.names:
        raise DataError(
            f"{where}: structured dtype with fields {printable(', '.join(dtype.names[:6]))}. Save plain numbers of "
            "shape (rows, columns): numpy.lib.recfunctions.structured_to_unstructured(array)."
        )
    if dtype.kind == "c":
        raise DataError(f"{where}: complex numbers (dtype {dtype}). Save real and imaginary part as separate columns.")
    if dtype.kind not in "biuf":
        raise DataError(f"{where}: holds no numbers (dtype {dtype}). Save an array of floats or integers.")
    if len(shape) < 2:
        raise DataError(
            f"{where}: expected an array of shape (rows, columns) or (rows, ...) but got shape {_shown(shape)}. "
            f"Reshape it, e.g. {'array.reshape(-1, 1)' if shape else 'array.reshape(1, 1)'}."
        )
    if 0 in shape:
        what = "rows" if shape[0] == 0 else "columns"
        raise DataError(
            f"{where}: the array has no {what} (shape {_shown(shape)}). Give data with at least one row and column."
        )
    check_width(where, math.prod(shape[1:]))


def check_agreement(files: tuple[str, ...], shapes: list[tuple[int, ...]]) -> None:
    """Checks that the rows of all files have one shape.

    Raises:
      DataError: names the first file that differs.
    """
    for file, shape in zip(files, shapes, strict=True):
        if shape[1:] != shapes[0][1:]:
            raise DataError(
                f"{file}: rows of shape {shape[1:]} but '{files[0]}' has rows of shape {shapes[0][1:]}. "
                "Files of one source must agree; narrow the pattern."
            )


def array_fields(path: str, files: tuple[str, ...], shape: tuple[int, ...], features: Features) -> dict[str, Any]:
    """The `Source` fields of an array of this shape, with `features` resolved."""
    row, names = shape[1:], element_names(shape[1:])
    common = {"path": path, "files": files, "declared_shape": declared(features, len(row) > 1)}
    if isinstance(features, str):
        return {**common, "names": names, "shape": row}
    places = select(names, features, files[0])
    chosen = tuple(names[i] for i in places)
    return {**common, "names": chosen, "shape": (len(chosen),), "declared_shape": False, "selected": places}


def row_bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Bytes of one row in the file."""
    return int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize


def _shown(shape: tuple[int, ...]) -> str:
    return printable(str(shape), 60)


def _short(error: BaseException) -> str:
    return printable(str(error), 120) or type(error).__name__
