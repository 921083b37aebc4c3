"""Parquet: numeric columns, or fixed-size lists as tensors; a shard is a row group.

A damaged file must not end the process. Arrow 10 does not hold a file to its own metadata: 27 of 15,000 files with
flipped bits ended it with a segmentation fault, all while it built a batch from columns of unlike lengths. Columns are
therefore read side by side, each by a reader of its own (as fast, measured for 10 to 10,000 columns), and put
together here after their lengths were compared: none of 15,000. What the file says about its rows is held against what
came; one that promises out of all proportion to its size is refused before it is read.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aetfx.data.files import is_remote, open_binary, size_of
from aetfx.data.sources.base import (
    Batch,
    Features,
    Shard,
    Source,
    as_lists,
    declared,
    flattened,
    float_dtype,
    select,
    to_batch,
)
from aetfx.data.sources.guards import check_width, find_twice, printable
from aetfx.errors import DataError

ROWS_AT_ONCE = 8192  # of wide files: beyond, calls no longer cost more than decoding
MOST_DIMENSIONS = 16  # of a row; deeper lists are no tensors that a model takes
CHUNK_BYTES = 512 << 20  # one column of one row group may always unpack to this much
MOST_UNPACKED = 200  # ... and beyond it to this many times its size; real columns stay below 50
VALUES_PER_GROUP = 1 << 30  # a row group may always hold this many values of a column
MOST_VALUES_PER_BYTE = 10_000  # ... and beyond it this many per byte of the file: equal values pack that tightly


@dataclass(frozen=True)
class ParquetSource(Source):
    """One or several Parquet files with the same columns."""

    extensions: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    columns: tuple[str, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    listable: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> ParquetSource:
        heads = [_head(file) for file in files]
        schema = heads[0].schema
        for file, head in zip(files, heads, strict=True):
            _check_agreement(file, head.schema, files[0], schema)
        if sum(sum(head.groups) for head in heads) == 0:
            raise DataError(f"{path}: holds columns but no rows. Give data with at least one row.")
        shapes = {field.name: shape for field in schema if (shape := _row_shape(field.type)) is not None}
        if isinstance(features, str):
            columns = tuple(shapes)
            skipped = tuple(field.name for field in schema if field.name not in shapes)
        else:
            columns = tuple(schema.names[i] for i in select(schema.names, features, files[0]))
            skipped = ()
            for name in columns:
                if name not in shapes:
                    raise DataError(_not_numeric(schema, files[0], name))
        if not columns:
            raise DataError(
                f"{files[0]}: no column holds numbers (columns: {printable(', '.join(schema.names[:8]))}). "
                "Give data with at least one numeric column."
            )
        check_width(files[0], sum(math.prod(shapes[name]) for name in columns))
        names, shape, tensor = flattened(columns, [shapes[name] for name in columns])
        return cls(
            path=path,
            files=files,
            names=names,
            shape=shape,
            declared_shape=declared(features, tensor),
            skipped_text=skipped,
            value_bytes=_value_bytes(schema, columns),
            whole=tuple(_is_whole(schema.field(name).type) for name in columns for _ in range(math.prod(shapes[name]))),
            columns=columns,
            groups=tuple(head.groups for head in heads),
            listable=tuple(f.name for f in schema if f.name not in columns and _list_type(f.type) is not None),
        )

    @property
    def column_selection(self) -> list[str] | None:
        return list(self.columns)

    @property
    def tensor_name(self) -> str:
        return self.columns[0] if len(self.columns) == 1 else super().tensor_name

    def with_others(self, names: Sequence[str]) -> ParquetSource:
        return dataclasses.replace(self, others=tuple(name for name in names if name in self.listable))

    @property
    def n_rows(self) -> int:
        return sum(map(sum, self.groups))

    @property
    def _rows_at_once(self) -> int:
        """Rows that each column's reader decodes in one call: hundreds of columns cost as many calls."""
        return self.rows_per_batch * max(1, ROWS_AT_ONCE // self.rows_per_batch)

    def shards(self) -> list[Shard]:
        found = []
        for file, groups in zip(self.files, self.groups, strict=True):
            first = 0
            for i, rows in enumerate(groups):
                if rows:
                    found.append(Shard(file, i, i + 1, first))
                first += rows
        return found

    def read(self, shard: Shard) -> Iterator[Batch]:
        groups = self.groups[self.files.index(shard.file)]
        for group in range(shard.start, shard.stop):
            n_rows = 0
            for batch in _batches(shard.file, group, self.columns + self.others, self._rows_at_once):
                n_rows += batch.num_rows
                values = _numbers(batch, self.columns, self.n_columns)
                lists = {name: _lists(batch.column(batch.schema.get_field_index(name))) for name in self.others}
                for start in range(0, batch.num_rows, self.rows_per_batch):
                    others = {name: column.slice(start, self.rows_per_batch) for name, column in lists.items()}
                    yield to_batch(values[start : start + self.rows_per_batch], (), others)
            if n_rows != groups[group]:
                said = f"row group {group} holds {n_rows} rows, not the {groups[group]} that it promises"
                raise DataError(_damaged(shard.file, said))


@dataclass(frozen=True)
class _Head:
    """What a file says about itself: its columns, and the rows of each row group."""

    schema: pa.Schema
    groups: tuple[int, ...]


def _opened(file: str) -> pq.ParquetFile:
    return pq.ParquetFile(pa.PythonFile(open_binary(file), mode="r") if is_remote(file) else file)


def _head(file: str) -> _Head:
    """Reads what a file says about itself, and refuses what cannot be.

    Raises:
      DataError: no Parquet file, damaged, a column named twice, or out of all proportion to its size.
    """
    try:
        parquet = _opened(file)
        schema, metadata = parquet.schema_arrow, parquet.metadata
        names = list(schema.names)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        rows = tuple(group.num_rows for group in groups)
        chunks = [group.column(i) for group in groups for i in range(metadata.num_columns)]
        packed = [(chunk.total_compressed_size, chunk.total_uncompressed_size) for chunk in chunks]
    except DataError:
        raise
    except Exception as error:  # damaged metadata raise whatever Arrow and Python meet first: IndexError, Unicode, ...
        raise DataError(_damaged(file, error)) from None
    if min(rows, default=0) < 0 or sum(rows) != metadata.num_rows:
        raise DataError(
            _damaged(file, f"its row groups hold {sum(rows)} rows, not the {metadata.num_rows} it promises")
        )
    twice = find_twice(names)
    if twice is not None:
        raise DataError(f"{file}: two columns are named '{printable(twice)}'. Give each column its own name.")
    size = size_of(file)
    if any(n > VALUES_PER_GROUP and n > MOST_VALUES_PER_BYTE * size for n in rows) or any(
        unpacked > CHUNK_BYTES and unpacked > MOST_UNPACKED * max(1, small) for small, unpacked in packed
    ):
        raise DataError(
            f"{file}: promises far more than its {size:,} bytes can hold ({metadata.num_rows:,} rows): damaged, or "
            "made to fill the memory. Write it again."
        )
    return _Head(schema, rows)


def _batches(file: str, group: int, columns: tuple[str, ...], rows: int) -> Iterator[pa.RecordBatch]:
    """Reads one row group, each column by a reader of its own (see the head of this module).

    Raises:
      DataError: the file is damaged.
    """
    try:
        parquet = _opened(file)
        readers = [
            parquet.iter_batches(
                rows, row_groups=[group], columns=[name], use_threads=False
            )  # the workers are the threads
            for name in columns
        ]
    except DataError:
        raise
    except Exception as error:
        raise DataError(_damaged(file, error)) from None
    while True:
        try:
            parts = [next(reader, None) for reader in readers]
            found = [part.column(0) for part in parts if part is not None]
            for column in found:
                column.validate(full=True)
        except Exception as error:  # as in _head
            raise DataError(_damaged(file, error)) from None
        if not found:
            return
        if len({len(column) for column in found}) > 1 or len(found) < len(columns):
            raise DataError(_damaged(file, f"in row group {group} its columns hold different numbers of rows"))
        yield pa.RecordBatch.from_arrays(found, list(columns))


def _damaged(file: str, error: BaseException | str) -> str:
    return f"{file}: not a readable Parquet file, or truncated ({printable(str(error), 120)}). Write it again."


def _check_agreement(file: str, schema: pa.Schema, first_file: str, first: pa.Schema) -> None:
    if schema.names != first.names:
        odd = sorted(set(schema.names) ^ set(first.names))
        what = f"column '{printable(odd[0])}' is only in one of them" if odd else "their columns are in another order"
        raise DataError(f"{file}: columns differ from '{first_file}': {what}. Files of one source must agree.")
    for mine, theirs in zip(schema, first, strict=True):
        if _row_shape(mine.type) != _row_shape(theirs.type):
            raise DataError(
                f"{file}: column '{printable(mine.name)}' is {printable(str(mine.type))} but "
                f"{printable(str(theirs.type))} in '{first_file}'. "
                "Files of one source must agree."
            )


def _row_shape(kind: pa.DataType) -> tuple[int, ...] | None:
    """() for a number, (k, ...) for fixed-size lists of numbers, None for anything else."""
    shape: tuple[int, ...] = ()
    while len(shape) <= MOST_DIMENSIONS:
        if isinstance(kind, pa.BaseExtensionType):
            inner = getattr(kind, "shape", None)  # Arrow's fixed-shape tensor knows more than its storage
            if inner is not None:
                return (*shape, *inner)
            kind = kind.storage_type
        elif pa.types.is_fixed_size_list(kind) and kind.list_size > 0:
            shape, kind = (*shape, kind.list_size), kind.value_type
        else:
            numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
            return shape if numeric or pa.types.is_decimal(kind) else None
    return None


def _list_type(kind: pa.DataType) -> pa.DataType | None:
    """What TFDV is given of a column: text, int64 or float (of a list: of its cells); None for what it cannot take."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        return kind
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float32() if kind == pa.float32() else pa.float64()
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return pa.binary() if is_bytes or is_text or pa.types.is_temporal(kind) else None


def _lists(column: pa.Array) -> pa.Array:
    """A column as TFDV takes it: one list per row, null where the cell is; dates and times as text."""
    kind = _list_type(column.type)
    if kind is None or pa.types.is_null(kind):
        return pa.nulls(len(column))
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        if not pa.types.is_fixed_size_list(column.type):
            return as_lists(_cells(column, kind))
        sizes = np.full(len(column), column.type.list_size) * np.asarray(column.is_valid())
    else:
        sizes = column.value_lengths().fill_null(0).to_numpy()
    present = np.asarray(column.is_valid())
    inner = column.flatten()
    if inner.null_count:  # a list has no place for a missing cell
        owner = np.repeat(np.arange(len(column)), sizes)[np.asarray(inner.is_valid())]
        sizes, inner = np.bincount(owner, minlength=len(column)), inner.drop_null()
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    starts = pa.array(offsets, mask=np.append(~present, False))
    return pa.ListArray.from_arrays(starts, _cells(inner, kind))


def _cells(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return column.cast(kind, safe=False)


def _is_whole(kind: pa.DataType) -> bool:
    """Whether the numbers of a column, or of its lists, are integers."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_fixed_size_list(kind):
            kind = kind.value_type
        else:
            return pa.types.is_integer(kind) or pa.types.is_boolean(kind)


def _value_bytes(schema: pa.Schema, columns: tuple[str, ...]) -> int:
    """Bytes of a number as it will be read; nullable integers become float64."""
    kinds = [schema.field(name).type for name in columns]
    while any(pa.types.is_fixed_size_list(kind) for kind in kinds):
        kinds = [kind.value_type if pa.types.is_fixed_size_list(kind) else kind for kind in kinds]
    return 4 if all(kind in (pa.float32(), pa.float16()) for kind in kinds) else 8


def _numbers(batch: pa.RecordBatch, columns: tuple[str, ...], width: int) -> np.ndarray:
    """Returns the numbers of a batch, shape (rows, width), column by column in memory; nulls are NaN."""
    parts = [_flatten(batch.column(batch.schema.get_field_index(name))) for name in columns]
    dtype = np.result_type(*(float_dtype(part.dtype) for part in parts))
    out = np.empty((width, batch.num_rows), dtype)
    start = 0
    for part in parts:
        block = part.reshape(batch.num_rows, -1)
        out[start : start + block.shape[1]] = block.T
        start += block.shape[1]
    return out.T


def _flatten(column: pa.Array) -> np.ndarray:
    """Returns the numbers of one column, all elements of a row together."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_fixed_size_list(column.type):
        size, missing = column.type.list_size, column.null_count
        if missing:  # a missing list is a row of missing numbers; Arrow's flatten() would drop it
            present = np.asarray(column.is_valid())
            inner = _flatten(column.flatten()).reshape(int(present.sum()), -1)
            out = np.full((len(column), inner.shape[1] if inner.size else size), np.nan)
            out[present] = inner
            return out
        return _flatten(column.flatten())
    if pa.types.is_boolean(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.int8() if pa.types.is_boolean(column.type) else pa.float64())
    if column.null_count and pa.types.is_integer(column.type):
        column = column.cast(pa.float64(), safe=False)
    return column.to_numpy(zero_copy_only=False)


def _not_numeric(schema: pa.Schema, file: str, name: str) -> str:
    """Words the complaint about a column that was asked for as numbers, with the first value met."""
    kind, shown, row = schema.field(name).type, "", 0
    for batch in _batches(file, 0, (name,), 1024):
        values = batch.column(0).to_pylist()
        if any(value is not None for value in values):
            row, text = next((row + i, repr(value)) for i, value in enumerate(values) if value is not None)
            shown = f": row {row} holds {text if len(text) <= 40 else text[:37] + '...'}"
            break
        row += len(values)
    said = printable(str(kind), 80)
    return f"{file}: column '{printable(name)}' holds no numbers ({said}){shown}. Leave it out of data.features."
