"""What every source of rows promises.

Terms: a *shard* is a part of a file that one worker reads (a row range, byte range or row
group), described by a small picklable value; a *batch* is some rows of a shard as one Arrow
`RecordBatch`. The numbers of a row travel in a single fixed-size list column (`values`),
because hundreds of Arrow columns cost more than the arithmetic on them. A row that cannot be
read is *quarantined* with its file, position and reason: rows read = rows counted + quarantined.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from aetfx.errors import DataError, nearest

Features = Literal["auto", "table", "tensor"] | Sequence[str]

BATCH_BYTES = 8 << 20  # of float64 values per batch: large enough for NumPy, small beside a worker's memory
COLUMN = "values"


@dataclass(frozen=True)
class Shard:
    """A part of one file. `start` and `stop` count rows, bytes or row groups, as the source likes.

    `first` is the position (row or line number, from 1 for lines) of the first row.
    """

    file: str
    start: int
    stop: int
    first: int = 0


@dataclass(frozen=True)
class Quarantined:
    """A row that was read but cannot be counted."""

    file: str
    position: int
    reason: str


@dataclass(frozen=True)
class Batch:
    """Rows of a shard: those that count, and those that do not."""

    record_batch: pa.RecordBatch
    quarantined: tuple[Quarantined, ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows that count."""
        return self.record_batch.num_rows

    def values(self) -> np.ndarray:
        """The numbers, shape (rows, D), float32 or float64, without a copy; missing cells are NaN."""
        column = self.record_batch.column(0)
        return column.flatten().to_numpy(zero_copy_only=True).reshape(len(column), column.type.list_size)


def to_batch(values: np.ndarray, quarantined: Sequence[Quarantined] = ()) -> Batch:
    """Wraps numbers of shape (rows, D) as a batch; they become float32 or float64 (see `float_dtype`)."""
    values = np.ascontiguousarray(values, dtype=float_dtype(values.dtype))
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    return Batch(pa.RecordBatch.from_arrays([column], [COLUMN]), tuple(quarantined))


def float_dtype(dtype: np.dtype) -> np.dtype:
    """float32 where it holds every value exactly (float32 and narrower, 8 and 16 bit integers), else float64."""
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32, casting="safe") else np.float64)


@dataclass(frozen=True)
class Source:
    """Base of all sources: what is known before any row is read. Small and picklable.

    Attributes:
      path: as the user gave it.
      files: the files behind it, sorted.
      names: names of the D numbers of a row, in the order of `Batch.values()`.
      shape: shape of one row; its product is D.
      declared_shape: rows are tensors of like units by their file (or by `features="tensor"`),
        not columns of a table.
      skipped_text: columns left out under "auto" because they hold no numbers.
      selected: which of the numbers in the file are used; None for all.
      value_bytes: of one number in `Batch.values()`: 4 for float32, 8 for float64.
    """

    extensions: ClassVar[tuple[str, ...]] = ()

    path: str
    files: tuple[str, ...]
    names: tuple[str, ...]
    shape: tuple[int, ...]
    declared_shape: bool
    skipped_text: tuple[str, ...] = ()
    selected: tuple[int, ...] | None = None
    value_bytes: int = 8

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> Source:
        """Reads headers, checks that the files agree, and resolves `features`."""
        raise NotImplementedError

    def shards(self) -> list[Shard]:
        """The parts that workers read, in order."""
        raise NotImplementedError

    def read(self, shard: Shard) -> Iterator[Batch]:
        """Reads one shard. Every row of it is in exactly one batch, counted or quarantined."""
        raise NotImplementedError

    def batches(self) -> Iterator[Batch]:
        """Reads everything in order."""
        return itertools.chain.from_iterable(map(self.read, self.shards()))

    @property
    def n_rows(self) -> int | None:
        """Rows in all files, where that is known without reading them."""
        return None

    @property
    def n_columns(self) -> int:
        return len(self.names)

    @property
    def column_selection(self) -> list[str] | None:
        """The columns in use, as a selection for another file of this kind; None where columns have no names."""
        return None

    @property
    def rows_per_batch(self) -> int:
        return max(1, BATCH_BYTES // (8 * max(1, self.n_columns)))

    def pick(self, values: np.ndarray) -> np.ndarray:
        """Flattens rows to (rows, D) and keeps the selected numbers."""
        flat = values.reshape(len(values), -1)
        return flat if self.selected is None else flat[:, list(self.selected)]


def element_names(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the elements of a row: "0", "1", ... or, for tensors, "3,17".

    >>> element_names((2, 2))
    ('0,0', '0,1', '1,0', '1,1')
    """
    return tuple(",".join(map(str, index)) for index in np.ndindex(*shape))


def select(names: Sequence[str], wanted: Sequence[Any], file: str) -> tuple[int, ...]:
    """Returns the positions of the wanted columns.

    Raises:
      DataError: a column is not there, or the selection is empty or names one column twice.
    """
    wanted = [str(name) for name in wanted]
    if not wanted:
        raise DataError(f"{file}: data.features selects no column. List at least one, or use 'auto'.")
    places = {name: i for i, name in enumerate(names)}
    for name in wanted:
        if name not in places:
            hint = nearest(name, names) if len(names) <= 20 else (nearest(name, names).split(" Choose")[0])
            raise DataError(f"{file}: no column '{name}' (data.features).{hint or f' It has {len(names)} columns.'}")
    if len(set(wanted)) < len(wanted):
        twice = next(name for name in wanted if wanted.count(name) > 1)
        raise DataError(f"{file}: data.features names column '{twice}' twice. Keep it once.")
    return tuple(places[name] for name in wanted)


def declared(features: Features, in_file: bool) -> bool:
    """Whether rows are tensors: what the user says goes before what the file says."""
    return in_file if not isinstance(features, str) or features == "auto" else features == "tensor"
