"""What every source of rows promises.

Terms: a *shard* is a part of a file that one worker reads (a row range, byte range or row
group), described by a small picklable value; a *batch* is some rows of a shard as one Arrow
`RecordBatch`. The numbers of a row travel in a single fixed-size list column (`values`),
because hundreds of Arrow columns cost more than the arithmetic on them. Columns that hold no such
numbers (text, categories, lists of any length) can travel beside it as lists, where they are asked
for (`Source.with_others`). A row that cannot be read is *quarantined* with its file, position and
reason: rows read = rows counted + quarantined.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from aetfx.errors import DataError, nearest

Features = Literal["auto", "table", "tensor"] | Sequence[str]

BATCH_BYTES = 2 << 20  # of float64 values per batch: its copies stay in the cache, calls still cost little
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


Place = tuple[str, int | None]  # a file and the row or line in it


@dataclass(frozen=True)
class Batch:
    """Rows of a shard: those that count, and those that do not.

    Attributes:
      where: tells file and position of each row that counts, called only where someone asks; the position is None
        where the file is the row. None where the positions of all rows, quarantined ones too, are consecutive.
    """

    record_batch: pa.RecordBatch
    quarantined: tuple[Quarantined, ...] = ()
    where: Callable[[], Sequence[Place]] | None = None

    @property
    def n_rows(self) -> int:
        """Rows that count."""
        return self.record_batch.num_rows

    def values(self) -> np.ndarray:
        """The numbers, shape (rows, D), float32 or float64, without a copy; missing cells are NaN."""
        column = self.record_batch.column(0)
        return column.flatten().to_numpy(zero_copy_only=True).reshape(len(column), column.type.list_size)

    def others(self) -> pa.RecordBatch | None:
        """The columns of `Source.others`: one list per row, null where it is missing; None without such columns."""
        names = self.record_batch.schema.names[1:]
        return pa.RecordBatch.from_arrays(self.record_batch.columns[1:], names) if names else None


def to_batch(
    values: np.ndarray, quarantined: Sequence[Quarantined] = (), others: Mapping[str, pa.Array] | None = None
) -> Batch:
    """Wraps numbers of shape (rows, D) as a batch; they become float32 or float64 (see `float_dtype`).

    Args:
      others: further columns by name, with one list per row.
    """
    values = np.ascontiguousarray(values, dtype=float_dtype(values.dtype))
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    others = others or {}
    return Batch(pa.RecordBatch.from_arrays([column, *others.values()], [COLUMN, *others]), tuple(quarantined))


def as_lists(column: pa.Array) -> pa.Array:
    """Makes each cell a list of one value, and each null a null list: the form that TFDV takes.

    >>> as_lists(pa.array(["a", None, "b"])).to_pylist()
    [['a'], None, ['b']]
    """
    present = np.asarray(column.is_valid())
    offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int32)
    starts = pa.array(offsets, mask=np.append(~present, False))
    return pa.ListArray.from_arrays(starts, column.drop_null())


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
      others: further columns that batches carry beside the numbers; none unless asked for (`with_others`).
      whole: which of the D numbers are integers by the file's own type: one answer for all, or one for each.
      selected: which of the numbers in the file are used; None for all.
      value_bytes: of one number in `Batch.values()`: 4 for float32, 8 for float64.
      padding: value of the padded steps at the end of rows (T, ...), which no statistic counts; None for no padding.
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
    others: tuple[str, ...] = ()
    whole: bool | tuple[bool, ...] = False
    padding: float | None = None

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

    def read_located(self, shard: Shard) -> Iterator[tuple[Batch, Callable[[], Sequence[Place]]]]:
        """Reads one shard; beside each batch stands what tells file and position of each of its rows that count."""
        first = shard.first
        for batch in self.read(shard):
            yield batch, batch.where or functools.partial(_consecutive, shard.file, first, batch)
            first += batch.n_rows + len(batch.quarantined)

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
    def tensor_name(self) -> str:
        """What rows are called as one, where they are tensors."""
        return COLUMN

    def with_others(self, names: Sequence[str]) -> Source:
        """Returns this source with those of the named columns in `others` that it has and can hand on."""
        return self

    @property
    def rows_per_batch(self) -> int:
        return max(1, BATCH_BYTES // (8 * max(1, self.n_columns)))

    def pick(self, values: np.ndarray) -> np.ndarray:
        """Flattens rows to (rows, D) and keeps the selected numbers."""
        flat = values.reshape(len(values), -1)
        return flat if self.selected is None else flat[:, list(self.selected)]


def _consecutive(file: str, first: int, batch: Batch) -> list[Place]:
    bad = {row.position for row in batch.quarantined}
    stop = first + batch.n_rows + len(batch.quarantined)
    return [(file, position) for position in range(first, stop) if position not in bad]


def element_names(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Names of the elements of a row: "0", "1", ... or, for tensors, "3,17".

    >>> element_names((2, 2))
    ('0,0', '0,1', '1,0', '1,1')
    """
    return tuple(",".join(map(str, index)) for index in np.ndindex(*shape))


def flattened(
    columns: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> tuple[tuple[str, ...], tuple[int, ...], bool]:
    """Lays columns out beside each other: names and shape of a row, and whether it is a tensor.

    Args:
      columns: their names.
      shapes: of a row of each; () is a plain number.

    >>> flattened(["age", "x"], [(), (2,)])
    (('age', 'x,0', 'x,1'), (3,), False)
    >>> flattened(["image"], [(1, 2)])
    (('0,0', '0,1'), (1, 2), True)
    """
    if len(columns) == 1 and shapes[0]:
        return element_names(shapes[0]), shapes[0], True
    names = tuple(
        f"{name},{element}" if element else name
        for name, shape in zip(columns, shapes, strict=True)
        for element in (element_names(shape) if shape else ("",))
    )
    return names, (len(names),), False


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
