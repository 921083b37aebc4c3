"""Parquet: numeric columns, or fixed-size lists as tensors; a shard is a row group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
from aetfx.errors import DataError


@dataclass(frozen=True)
class ParquetSource(Source):
    """One or several Parquet files with the same columns."""

    extensions: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    columns: tuple[str, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> ParquetSource:
        opened = [_open(file) for file in files]
        schema = opened[0].schema_arrow
        for file, parquet in zip(files, opened, strict=True):
            _check_agreement(file, parquet.schema_arrow, files[0], schema)
        if sum(parquet.metadata.num_rows for parquet in opened) == 0:
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
                    raise DataError(_not_numeric(opened[0], files[0], name))
        if not columns:
            raise DataError(
                f"{files[0]}: no column holds numbers (columns: {', '.join(schema.names[:8])}). "
                "Give data with at least one numeric column."
            )
        tensor = len(columns) == 1 and shapes[columns[0]] != ()
        names, shape = _layout(columns, shapes, tensor)
        return cls(
            path=path,
            files=files,
            names=names,
            shape=shape,
            declared_shape=declared(features, tensor),
            skipped_text=skipped,
            columns=columns,
            groups=tuple(
                tuple(p.metadata.row_group(i).num_rows for i in range(p.metadata.num_row_groups)) for p in opened
            ),
        )

    @property
    def column_selection(self) -> list[str] | None:
        return list(self.columns)

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
        parquet = _open(shard.file)
        try:
            for batch in parquet.iter_batches(
                batch_size=self.rows_per_batch,
                row_groups=list(range(shard.start, shard.stop)),
                columns=list(self.columns),
                use_threads=False,  # the workers are the threads
            ):
                yield to_batch(_numbers(batch, self.columns, self.n_columns))
        except (pa.ArrowException, OSError) as error:
            raise DataError(_damaged(shard.file, error)) from None


def _open(file: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(_damaged(file, error)) from None


def _damaged(file: str, error: BaseException) -> str:
    return f"{file}: not a readable Parquet file, or truncated ({' '.join(str(error).split())[:120]}). Write it again."


def _check_agreement(file: str, schema: pa.Schema, first_file: str, first: pa.Schema) -> None:
    if schema.names != first.names:
        odd = sorted(set(schema.names) ^ set(first.names))
        what = f"column '{odd[0]}' is only in one of them" if odd else "their columns are in another order"
        raise DataError(f"{file}: columns differ from '{first_file}': {what}. Files of one source must agree.")
    for mine, theirs in zip(schema, first, strict=True):
        if _row_shape(mine.type) != _row_shape(theirs.type):
            raise DataError(
                f"{file}: column '{mine.name}' is {mine.type} but {theirs.type} in '{first_file}'. "
                "Files of one source must agree."
            )


def _row_shape(kind: pa.DataType) -> tuple[int, ...] | None:
    """() for a number, (k, ...) for fixed-size lists of numbers, None for anything else."""
    if isinstance(kind, pa.BaseExtensionType):
        inner = getattr(kind, "shape", None)  # Arrow's fixed-shape tensor knows more than its storage
        return tuple(inner) if inner is not None else _row_shape(kind.storage_type)
    if pa.types.is_fixed_size_list(kind):
        inner = _row_shape(kind.value_type)
        return None if inner is None else (kind.list_size, *inner)
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return () if numeric or pa.types.is_decimal(kind) else None


def _layout(
    columns: tuple[str, ...], shapes: dict[str, tuple[int, ...]], tensor: bool
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    if tensor:
        shape = shapes[columns[0]]
        return element_names(shape), shape
    names = tuple(
        name if not element else f"{name},{element}"
        for name in columns
        for element in (element_names(shapes[name]) if shapes[name] else ("",))
    )
    return names, (len(names),)


def _numbers(batch: pa.RecordBatch, columns: tuple[str, ...], width: int) -> np.ndarray:
    """Returns the numbers of a batch, shape (rows, width); nulls are NaN."""
    parts = [_flatten(batch.column(batch.schema.get_field_index(name))) for name in columns]
    dtype = np.result_type(*(float_dtype(part.dtype) for part in parts))
    out = np.empty((batch.num_rows, width), dtype)
    start = 0
    for part in parts:
        block = part.reshape(batch.num_rows, -1)
        out[:, start : start + block.shape[1]] = block
        start += block.shape[1]
    return out


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


def _not_numeric(parquet: pq.ParquetFile, file: str, name: str) -> str:
    """Words the complaint about a column that was asked for as numbers, with the first value met."""
    kind = parquet.schema_arrow.field(name).type
    shown = ""
    for batch in parquet.iter_batches(batch_size=1024, columns=[name]):
        for row, value in enumerate(batch.column(0).to_pylist()):
            if value is not None:
                text = repr(value)
                shown = f": row {row} holds {text if len(text) <= 40 else text[:37] + '...'}"
                break
        break
    return f"{file}: column '{name}' holds no numbers ({kind}){shown}. Leave it out of data.features."
