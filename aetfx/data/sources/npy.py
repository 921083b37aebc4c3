"""`.npy`: one array of shape (rows, ...), memory-mapped; a shard is a range of rows. Pickles are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from aetfx.data.files import open_binary
from aetfx.data.sources.base import Batch, Features, Shard, Source, declared, element_names, select, to_batch
from aetfx.errors import DataError

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
        return cls(**array_fields(path, files, shape, features), rows_per_file=rows, row_bytes=row_bytes(shape, dtype))

    def shards(self) -> list[Shard]:
        step = max(1, SHARD_BYTES // self.row_bytes)
        return [
            Shard(file, start, min(start + step, rows), start)
            for file, rows in zip(self.files, self.rows_per_file, strict=True)
            for start in range(0, rows, step)
        ]

    def read(self, shard: Shard) -> Iterator[Batch]:
        array = map_array(shard.file)
        for start in range(shard.start, shard.stop, self.rows_per_batch):
            yield to_batch(self.pick(np.asarray(array[start : min(start + self.rows_per_batch, shard.stop)])))


def header(file: str) -> tuple[tuple[int, ...], np.dtype]:
    """Reads shape and dtype of a `.npy` file and checks that they can be used.

    Raises:
      DataError: not a NumPy file, damaged, of a dtype without plain numbers, or without rows.
    """
    with open_binary(file) as stream:
        try:
            version = np.lib.format.read_magic(stream)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = reader(stream)
        except (ValueError, EOFError) as error:
            raise DataError(
                f"{file}: not a readable .npy file ({_short(error)}). Write it again with np.save."
            ) from None
    check_array(file, shape, dtype)
    map_array(file)  # a truncated file shows here, before any work
    return shape, dtype


def map_array(file: str) -> np.ndarray:
    """Memory-maps the array of a `.npy` file.

    Raises:
      DataError: the file is shorter than its header says.
    """
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            f"{file}: the .npy file is truncated or damaged ({_short(error)}). Write it again with np.save."
        ) from None


def check_array(where: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Checks that an array is a table or stack of tensors of real numbers.

    Raises:
      DataError: object, structured, complex, text or date dtype; fewer than 2 dimensions; no rows.
    """
    if dtype.hasobject:
        raise DataError(
            f"{where}: the array holds Python objects (dtype {dtype}); pickles are refused. "
            "Convert it first: np.save(path, array.astype('float32'))."
        )
    if dtype.names:
        raise DataError(
            f"{where}: structured dtype with fields {', '.join(dtype.names[:6])}. Save plain numbers of shape "
            "(rows, columns): numpy.lib.recfunctions.structured_to_unstructured(array)."
        )
    if dtype.kind == "c":
        raise DataError(f"{where}: complex numbers (dtype {dtype}). Save real and imaginary part as separate columns.")
    if dtype.kind not in "biuf":
        raise DataError(f"{where}: holds no numbers (dtype {dtype}). Save an array of floats or integers.")
    if len(shape) < 2:
        raise DataError(
            f"{where}: expected an array of shape (rows, columns) or (rows, ...) but got shape {shape}. "
            f"Reshape it, e.g. {'array.reshape(-1, 1)' if shape else 'array.reshape(1, 1)'}."
        )
    if 0 in shape:
        what = "rows" if shape[0] == 0 else "columns"
        raise DataError(
            f"{where}: the array has no {what} (shape {shape}). Give data with at least one row and column."
        )


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


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
