"""Rows in memory: what `load` reads from a source, and `rows_from` from anything a user hands over."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.data.parts import Parts, are_parts, pack
from aetfx.data.sources import Features, Quarantined, Source, open_source
from aetfx.data.sources.base import element_names, float_dtype, select
from aetfx.data.sources.npy import check_array
from aetfx.errors import DataError


@dataclass(frozen=True)
class Rows:
    """All rows of a data set.

    Attributes:
      values: shape (n, *shape), float32 or float64; missing cells are NaN.
      names: names of the D numbers of a row, flattened.
      shape: shape of one row.
      declared_shape: rows are tensors by their file or array (more than 2 dimensions), not tables.
      n_read: rows read = n + the number of quarantined rows.
      quarantined: rows that could not be read, with file, position and reason.
      skipped_text: columns left out because they hold no numbers.
      whole: which of the D numbers are integers by type, as in `Source`.
      parts: where the parts of a row lie, for models with several inputs; None for rows of one part.
    """

    values: np.ndarray
    names: tuple[str, ...]
    shape: tuple[int, ...]
    declared_shape: bool
    n_read: int
    quarantined: list[Quarantined] = field(default_factory=list)
    skipped_text: tuple[str, ...] = ()
    whole: bool | tuple[bool, ...] = False
    parts: Parts | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_sample(self) -> bool:
        """Whether more rows were read than are kept (`aetfx.data.shards`)."""
        return len(self.values) + len(self.quarantined) < self.n_read


def load(source: Source, *, empty_columns: bool = False) -> Rows:
    """Reads a whole source into memory.

    Args:
      source: of the rows.
      empty_columns: accept columns without a single number, as long as others have some.

    Raises:
      DataError: the files are damaged, no row is left, or a column holds no numbers at all.
    """
    parts: list[np.ndarray] = []
    quarantined: list[Quarantined] = []
    for batch in source.batches():
        if batch.n_rows:
            parts.append(batch.values())
        quarantined += batch.quarantined
    if not parts:
        raise DataError(f"{source.path}: no row is left: all {len(quarantined)} rows are quarantined. Mend the file.")
    values = np.concatenate(parts).reshape(-1, *source.shape)
    check_columns(source.path, source.names, np.isfinite(values.reshape(len(values), -1)).any(axis=0), empty_columns)
    return Rows(
        values, source.names, source.shape, source.declared_shape, len(values) + len(quarantined), quarantined,
        source.skipped_text, source.whole,
    )  # fmt: skip


def load_parts(paths: Mapping[str, str], where: str) -> Rows:
    """Reads the inputs of a model with several of them, one path each, into flat rows.

    Args:
      paths: by name of the input.
      where: what the paths are called in messages.

    Raises:
      DataError: the files are damaged, or their rows do not belong together one by one.
    """
    found = {name: load(open_source(path)) for name, path in paths.items()}
    for name, rows in found.items():
        if rows.quarantined:
            bad = rows.quarantined[0]
            raise DataError(
                f"{where}['{name}']: {len(rows.quarantined)} rows cannot be read ({bad.reason}), so that the rows of "
                "the inputs no longer belong together. Mend the file."
            )
    return _from_parts({name: rows.values for name, rows in found.items()}, "auto", where)


def rows_from(data: Any, features: Features = "auto", *, empty_columns: bool = False) -> Rows:
    """Brings data of any accepted kind into memory.

    Args:
      data: an array of shape (n, ...), a pandas data frame, a finite `tf.data.Dataset` (of rows or
        batches; of pairs, the first part is taken), a path or glob; or, for a model with several inputs, a
        dictionary, list or tuple of arrays (`aetfx.data.parts`), or a data set of such.
      features: as for `open_source`.
      empty_columns: as for `load`.

    Raises:
      DataError: the data cannot be used.
    """
    if isinstance(data, Rows):
        return data
    if isinstance(data, str | os.PathLike):
        return load(open_source(data, features), empty_columns=empty_columns)
    if hasattr(data, "element_spec") and hasattr(data, "as_numpy_iterator"):
        found = _dataset_arrays(data)
        if are_parts(found):
            return _from_parts(found, features, "dataset")
        return _from_array(found, features, "dataset", empty_columns)
    if isinstance(data, dict) and len(data) == 1:  # a single input, under its name
        return rows_from(next(iter(data.values())), features, empty_columns=empty_columns)
    if are_parts(data):
        return _from_parts(data, features, "array")
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        return _from_frame(data, features, empty_columns)
    return _from_array(np.asarray(data), features, "array", empty_columns)


def write_array(array: np.ndarray, directory: str | os.PathLike[str], name: str = "data") -> Path:
    """Writes an array once as `<directory>/<name>.npy`, so that workers read it from there.

    Raises:
      DataError: the array cannot be used.
      RunError: the disk is full or the folder cannot be written.
    """
    from aetfx.run import atomic

    array = np.asarray(array)
    check_array(name, array.shape, array.dtype)
    path = Path(directory) / f"{name}.npy"
    with atomic(path) as temporary:
        np.save(temporary, np.ascontiguousarray(array, dtype=float_dtype(array.dtype)), allow_pickle=False)
    return path


def write_table(
    rows: Rows, frame: Any, others: Sequence[str], directory: str | os.PathLike[str], name: str = "data"
) -> Path:
    """Writes rows with further columns of the pandas frame that they came from as `<directory>/<name>.parquet`.

    Args:
      others: names of these columns, as text; cells of mixed types are written as text.

    Raises:
      RunError: the disk is full or the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aetfx.run import atomic

    columns = {column: pa.array(rows.values[:, i]) for i, column in enumerate(rows.names)}
    places = {str(name): i for i, name in enumerate(frame.columns)}
    for other in others:
        cells = frame.iloc[:, places[other]]
        try:
            columns[other] = pa.array(cells, from_pandas=True)
        except pa.ArrowException:
            columns[other] = pa.array(cells.astype(str).where(cells.notna(), None), pa.string())
    path = Path(directory) / f"{name}.parquet"
    with atomic(path) as temporary:
        pq.write_table(pa.table(columns), temporary, row_group_size=1 << 16)
    return path


def check_columns(where: str, names: Sequence[str], has_numbers: np.ndarray, empty_columns: bool = False) -> None:
    """Checks that every column holds at least one number; `has_numbers` is bool of shape (D,).

    Args:
      empty_columns: it is enough that some column does.

    Raises:
      DataError: names the first column without any.
    """
    empty = np.flatnonzero(~has_numbers)
    if len(empty) and not (empty_columns and has_numbers.any()):
        more = f" (nor do {len(empty) - 1} others)" if len(empty) > 1 else ""
        raise DataError(
            f"{where}: column '{names[empty[0]]}' holds no numbers at all{more}: every cell is NaN or empty. "
            "Leave it out with data.features."
        )


def _from_array(array: np.ndarray, features: Features, where: str, empty_columns: bool) -> Rows:
    check_array(where, array.shape, array.dtype)
    values = np.ascontiguousarray(array, dtype=float_dtype(array.dtype))
    names, shape, is_tensor = element_names(values.shape[1:]), values.shape[1:], values.ndim > 2
    if not isinstance(features, str):
        places = select(names, features, where)
        values = values.reshape(len(values), -1)[:, list(places)]
        names, shape, is_tensor = tuple(names[i] for i in places), (len(places),), False
    elif features != "auto":
        is_tensor = features == "tensor"
    check_columns(where, names, np.isfinite(values.reshape(len(values), -1)).any(axis=0), empty_columns)
    return Rows(values, names, shape, is_tensor, len(values), whole=array.dtype.kind in "biu")


def _from_parts(data: Any, features: Features, where: str) -> Rows:
    if not isinstance(features, str):
        raise DataError(
            f"{where}: data.features cannot select columns of several inputs. Leave them out of the arrays."
        )
    values, parts = pack(data, where)
    check_columns(where, parts.names, np.isfinite(values).any(axis=0))
    return Rows(values, parts.names, (parts.width,), False, len(values), parts=parts)


def _from_frame(frame: Any, features: Features, empty_columns: bool) -> Rows:
    import pandas as pd

    names = [str(name) for name in frame.columns]
    numeric = [pd.api.types.is_numeric_dtype(kind) and getattr(kind, "kind", "f") != "c" for kind in frame.dtypes]
    if isinstance(features, str):
        places = tuple(i for i, is_numeric in enumerate(numeric) if is_numeric)
    else:
        places = select(names, features, "data frame")
        for i in places:
            if not numeric[i]:
                column = frame.iloc[:, i]
                value = next((v for v in column if not pd.isna(v)), None)
                raise DataError(
                    f"data frame: column '{names[i]}' holds no numbers ({column.dtype}): the first value is {value!r}. "
                    "Leave it out of data.features, or convert it with pandas.to_numeric."
                )
    if not places:
        raise DataError(f"data frame: no column holds numbers (columns: {', '.join(names[:8]) or 'none'}).")
    if not len(frame):
        raise DataError("data frame: it has no rows. Give data with at least one row.")
    columns = [frame.iloc[:, i].to_numpy(dtype=np.float64, na_value=np.nan) for i in places]
    values = np.stack(columns, axis=1)
    chosen = tuple(names[i] for i in places)
    check_columns("data frame", chosen, np.isfinite(values).any(axis=0), empty_columns)
    skipped = tuple(name for name, ok in zip(names, numeric, strict=True) if not ok) if features == "auto" else ()
    whole = tuple(getattr(frame.dtypes.iloc[i], "kind", "f") in "biu" for i in places)
    return Rows(values, chosen, (len(chosen),), features == "tensor", len(values), [], skipped, whole)


def unpaired(data: Any) -> tuple[Any, np.ndarray | None]:
    """Takes a finite `tf.data.Dataset` of (input, target) pairs apart; anything else comes back as it is.

    Both sides are read in one pass: a data set that shuffles gives another order in the next.

    Returns:
      Data for `rows_from`, and the targets; None where they equal the inputs, or have another shape (class labels),
      which is none of an autoencoder's business.

    Raises:
      DataError: the data set repeats without end, or is empty.
    """
    spec = getattr(data, "element_spec", None)
    if not isinstance(spec, tuple) or len(spec) < 2 or not hasattr(data, "as_numpy_iterator"):
        return data, None
    first, second = spec[0], spec[1]
    if not (hasattr(first, "shape") and hasattr(second, "shape")) or first.shape != second.shape:
        return data, None
    both = _dataset_arrays(data.map(lambda *pair: _side_by_side(pair[0], pair[1], first.shape.rank)))
    inputs, targets = np.split(both, 2, axis=-1)
    return inputs, None if np.array_equal(inputs, targets, equal_nan=True) else targets


def _side_by_side(first: Any, second: Any, rank: int) -> Any:
    import tensorflow as tf

    kind = tf.float64 if tf.float64 in (first.dtype, second.dtype) else tf.float32
    return tf.concat([tf.cast(first, kind), tf.cast(second, kind)], axis=rank - 1)


def _dataset_arrays(dataset: Any) -> Any:
    """Collects a `tf.data.Dataset` of rows or batches into one array, or into one for each input.

    Of pairs (x, y) the first part is x; where that is itself a dictionary or tuple, its entries are inputs.

    Raises:
      DataError: it repeats without end, is empty, or its elements are no tensors.
    """
    if int(dataset.cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
        raise DataError("dataset: it repeats without end. Give a finite one, e.g. dataset.take(n).")
    spec = _inputs_of(dataset.element_spec)
    specs = [spec] if hasattr(spec, "shape") else list(spec.values() if isinstance(spec, dict) else spec)
    if not specs or not all(hasattr(item, "shape") for item in specs):
        raise DataError("dataset: its elements are not tensors. Map it to the tensor that the autoencoder gets.")
    elements = [_inputs_of(element) for element in dataset.as_numpy_iterator()]
    if not elements:
        raise DataError("dataset: it has no elements. Give data with at least one row.")
    join = np.concatenate if _is_batched(dataset, specs[0]) else np.stack
    if hasattr(spec, "shape"):
        return join([np.asarray(element) for element in elements])
    if isinstance(spec, dict):
        return {key: join([np.asarray(element[key]) for element in elements]) for key in spec}
    return tuple(join([np.asarray(element[i]) for element in elements]) for i in range(len(specs)))


def _inputs_of(element: Any) -> Any:
    """Returns x of an element (x, y) or (x,), without further brackets around a single tensor."""
    if isinstance(element, tuple | list):
        element = element[0]
    while isinstance(element, tuple | list) and len(element) == 1:
        element = element[0]
    return element


def _is_batched(dataset: Any, spec: Any) -> bool:
    """Whether elements are batches: by an open first dimension, else by a batching step in the dataset's history."""
    if spec.shape.rank is None or (spec.shape.rank and spec.shape[0] is None):
        return True
    pending = [dataset]
    while pending:
        step = pending.pop()
        kind = type(step).__name__
        if "Unbatch" in kind:
            return False
        if "Batch" in kind:
            return True
        pending += step._inputs() if hasattr(step, "_inputs") else []
    return False
