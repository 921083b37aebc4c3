"""Rows as `tf.Example` in TFX's layout: `Split-train/data_tfrecord-00000-of-00002.gz`, `Split-eval/...`.

A column of a table is a feature with one value, absent where the cell is missing; a tensor is one feature with all its
elements. Floats become float32, because `tf.Example` knows no others; columns of integers become int64. Neither the
order of columns nor the shape of a tensor has a place in an Example: `examples.json` beside the splits keeps both, and
`TfrecordSource` reads them from there. Everything below a split's folder is data, as TFX's readers expect.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from aetfx.data.sources.base import Source
from aetfx.data.sources.tfrecord import HEAD, masked_crc, varint

SPLITS = ("train", "eval")
LAYOUT = "examples.json"  # beside the splits

_BYTES, _FLOATS, _INTEGERS = b"\x0a", b"\x12", b"\x1a"  # what a Feature starts with
_KEY, _VALUE = b"\x0a", b"\x12"  # of an entry in the map of features


def shard_name(split: str, place: int, of: int) -> str:
    """Returns the path of a shard below the folder of the Examples.

    >>> shard_name("train", 0, 2)
    'Split-train/data_tfrecord-00000-of-00002.gz'
    """
    return f"Split-{split}/data_tfrecord-{place:05d}-of-{of:05d}.gz"


def pattern(examples: str, split: str) -> str:
    """Returns the glob of all shards of a split.

    >>> pattern("gs://bucket/examples", "eval")
    'gs://bucket/examples/Split-eval/data_tfrecord-*.gz'
    """
    return f"{examples.rstrip('/')}/Split-{split}/data_tfrecord-*.gz"


def layout_of(source: Source) -> dict[str, object]:
    """Returns the content of `examples.json`: `columns` in their order, `shape` of the one tensor or None."""
    tensor = source.declared_shape
    return {
        "schema_version": 1,
        "columns": [source.tensor_name] if tensor else list(source.names),
        "shape": list(source.shape) if tensor else None,
    }


class Encoder:
    """Turns batches of a source into serialised Examples.

    Args:
      source: whose rows will come.
    """

    def __init__(self, source: Source):
        whole = np.broadcast_to(source.whole, source.n_columns)
        self._tensor = _key(source.tensor_name) if source.declared_shape else None
        self._whole = bool(whole.all()) if self._tensor else whole.tolist()
        self._keys = [] if self._tensor else [_key(name) for name in source.names]

    def examples(self, values: np.ndarray, others: pa.RecordBatch | None = None) -> Iterator[bytes]:
        """Yields one Example for each row.

        Args:
          values: shape (n, D).
          others: further columns of the same rows, each a list per row.
        """
        further = [] if others is None else _further(others)
        rows = self._tensors(values) if self._tensor else self._rows(values)
        for i, entries in enumerate(rows):
            features = entries + b"".join(cells[i] for cells in further)
            yield _sized(b"\x0a", features)

    def _tensors(self, values: np.ndarray) -> Iterator[bytes]:
        assert self._tensor is not None
        if self._whole and np.isfinite(values).all():
            for row in values.astype(np.int64).tolist():
                yield _entry(self._tensor, _numbers(_INTEGERS, b"".join(map(_integer, row))))
            return
        for raw in _float32(values):
            yield _entry(self._tensor, _numbers(_FLOATS, raw.tobytes()))

    def _rows(self, values: np.ndarray) -> Iterator[bytes]:
        present = ~np.isnan(values)
        floats = _float32(values)
        for row, narrow, there in zip(values, floats, present, strict=True):
            yield b"".join(
                _entry(
                    key,
                    _numbers(_INTEGERS, _integer(int(row[j]))) if whole else _numbers(_FLOATS, narrow[j].tobytes()),
                )
                for j, (key, whole) in enumerate(zip(self._keys, self._whole, strict=True))
                if there[j]
            )


class ShardWriter:
    """Collects Examples as a gzipped TFRecord file. The same Examples give the same bytes."""

    def __init__(self) -> None:
        self._packed = io.BytesIO()
        self._stream = gzip.GzipFile("", "wb", compresslevel=6, fileobj=self._packed, mtime=0)
        self.n_rows = 0

    def add(self, example: bytes) -> None:
        length = len(example).to_bytes(8, "little")
        self._stream.write(HEAD.pack(len(example), masked_crc(length)))
        self._stream.write(example)
        self._stream.write(masked_crc(example).to_bytes(4, "little"))
        self.n_rows += 1

    def close(self) -> bytes:
        """Returns the content of the file."""
        self._stream.close()
        return self._packed.getvalue()


def _further(others: pa.RecordBatch) -> list[list[bytes]]:
    """Returns the entry of each row for each further column; empty where its cell is missing."""
    found = []
    for name, column in zip(others.schema.names, others.columns, strict=True):
        key = _key(name)
        found.append([b"" if cells is None else _entry(key, _list(cells)) for cells in column.to_pylist()])
    return found


def _list(cells: Sequence[object]) -> bytes:
    """Returns the Feature of a list; of text unless all are numbers."""
    if cells and all(isinstance(cell, int) and not isinstance(cell, bool) for cell in cells):
        return _numbers(_INTEGERS, b"".join(_integer(int(cell)) for cell in cells))  # type: ignore[call-overload]
    if cells and all(isinstance(cell, int | float) for cell in cells):
        return _numbers(_FLOATS, np.asarray(cells, "<f4").tobytes())
    texts = (cell if isinstance(cell, bytes) else str(cell).encode("utf-8") for cell in cells)
    return _sized(_BYTES, b"".join(_sized(b"\x0a", text) for text in texts))


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is found as such
        return values.astype("<f4")


def _integer(value: int) -> bytes:
    return varint(value & 0xFFFFFFFFFFFFFFFF)


def _numbers(kind: bytes, raw: bytes) -> bytes:
    return _sized(kind, _sized(b"\x0a", raw))


def _key(name: str) -> bytes:
    return _sized(_KEY, name.encode("utf-8"))


def _entry(key: bytes, feature: bytes) -> bytes:
    return _sized(b"\x0a", key + _sized(_VALUE, feature))


def _sized(tag: bytes, content: bytes) -> bytes:
    return tag + varint(len(content)) + content
