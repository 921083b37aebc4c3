"""`.npz`: one array of an archive, unpacked as it is read; a shard is an archive, as its members may be compressed.

Never more than a batch is in memory, whatever the archive says. A member must be as long as its array's header says,
and only its last byte shows whether its checksum holds.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, ClassVar

import numpy as np

from aetfx.data.files import open_binary
from aetfx.data.sources.base import Batch, Features, Shard, Source, float_dtype, to_batch
from aetfx.data.sources.guards import check_unpacked, printable
from aetfx.data.sources.npy import Layout, array_fields, check_agreement, check_holdable, read_layout
from aetfx.errors import DataError

MEMBERS = ("x", "x_train")  # taken where an archive holds several arrays, in this order


@dataclass(frozen=True)
class NpzSource(Source):
    """One or several `.npz` archives: their only array, or the one named x or x_train."""

    extensions: ClassVar[tuple[str, ...]] = (".npz",)
    members: tuple[str, ...] = ()
    rows_per_file: tuple[int, ...] = ()

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> NpzSource:
        members = tuple(_member(file) for file in files)
        layouts = [_layout(file, member) for file, member in zip(files, members, strict=True)]
        shapes = [layout.shape for layout in layouts]
        check_agreement(files, shapes)
        widest = max(float_dtype(layout.dtype).itemsize for layout in layouts)
        rows = tuple(shape[0] for shape in shapes)
        fields = array_fields(path, files, shapes[0], features)
        whole = all(layout.dtype.kind in "biu" for layout in layouts)
        return cls(**fields, value_bytes=widest, whole=whole, members=members, rows_per_file=rows)

    @property
    def n_rows(self) -> int:
        return sum(self.rows_per_file)

    def shards(self) -> list[Shard]:
        return [Shard(file, 0, rows) for file, rows in zip(self.files, self.rows_per_file, strict=True)]

    def read(self, shard: Shard) -> Iterator[Batch]:
        member = self.members[self.files.index(shard.file)]
        for values in _pieces(shard.file, member, self.rows_per_batch):
            yield to_batch(self.pick(values))


@contextlib.contextmanager
def _opened(file: str) -> Iterator[zipfile.ZipFile]:
    with open_binary(file, packed=False) as stream, zipfile.ZipFile(stream) as archive:
        yield archive


def _member(file: str) -> str:
    """Chooses the array of an archive: the name of its member, with the ending.

    Raises:
      DataError: not an archive, empty, or several arrays and none of them called x or x_train.
    """
    try:
        with _opened(file) as archive:
            members = archive.namelist()
    except DataError:
        raise
    except Exception:  # a damaged directory raises BadZipFile, ValueError, struct.error, NotImplementedError, ...
        raise DataError(f"{file}: not a readable .npz archive. Write it again with np.savez.") from None
    if not members:
        raise DataError(f"{file}: the archive holds no array. Write it again with np.savez(path, x=array).")
    if len(members) == 1:
        return members[0]
    for name in MEMBERS:
        if f"{name}.npy" in members:
            return f"{name}.npy"
    listed = ", ".join(_array_name(member) for member in members[:8]) + (", ..." if len(members) > 8 else "")
    raise DataError(
        f"{file}: holds several arrays ({printable(listed)}) and none is called 'x' or 'x_train'. "
        "Save the one to use alone, or as x=..."
    )


def _array_name(member: str) -> str:
    return printable(member.removesuffix(".npy"), 40)


def _layout(file: str, member: str) -> Layout:
    """Reads the header of an array, and checks that it accounts for every byte of the member.

    Raises:
      DataError: it does not; damaged; not an array of numbers; or it unpacks to far more than data do.
    """
    damaged = _damaged(file, member)
    try:
        with _opened(file) as archive, archive.open(member) as stream:
            info = archive.getinfo(member)
            layout = read_layout(stream, f"{file} ('{_array_name(member)}')", damaged)
    except DataError:
        raise
    except Exception:  # as in _member; and unpacking: zlib.error, lzma's, RuntimeError where a password is asked for
        raise DataError(damaged + ". Write it again with np.savez.") from None
    if info.file_size != layout.size:
        raise DataError(
            f"{damaged} (it holds {info.file_size:,} bytes, its header says {layout.size:,}). "
            "Write it again with np.savez."
        )
    check_unpacked(f"{file}: the array '{_array_name(member)}'", info.compress_size, info.file_size)
    check_holdable(f"{file}: the array '{_array_name(member)}'", layout)
    return layout


def _pieces(file: str, member: str, rows: int) -> Iterator[np.ndarray]:
    """Unpacks an array, `rows` rows at a time.

    Raises:
      DataError: damaged, or not as long as its header says.
    """
    layout = _layout(file, member)
    n, row = layout.shape[0], layout.shape[1:]
    step = n if layout.fortran else rows
    row_bytes = math.prod(row) * layout.dtype.itemsize
    with contextlib.ExitStack() as opened:
        try:
            stream = opened.enter_context(opened.enter_context(_opened(file)).open(member))
            stream.read(layout.offset)
        except DataError:
            raise
        except Exception:
            raise DataError(_damaged(file, member) + ". Write it again with np.savez.") from None
        for start in range(0, n, step):
            count = min(step, n - start)
            values = np.frombuffer(_exactly(stream, count * row_bytes, file, member, start + count == n), layout.dtype)
            if layout.fortran:
                whole = values.reshape((count, *row), order="F")
                for first in range(0, n, rows):
                    yield whole[first : first + rows]
            else:
                yield values.reshape(count, *row)


def _exactly(stream: IO[bytes], size: int, file: str, member: str, is_last: bool) -> bytes:
    try:
        data = stream.read(size)
        more = stream.read(1) if is_last else b""  # the end is where the checksum is compared
    except Exception:  # as in _layout
        raise DataError(_damaged(file, member) + ". Write it again with np.savez.") from None
    if len(data) != size or more:
        raise DataError(_damaged(file, member) + ". Write it again with np.savez.")
    return data


def _damaged(file: str, member: str) -> str:
    return f"{file}: the array '{_array_name(member)}' is damaged"
