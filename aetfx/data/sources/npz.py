"""`.npz`: one array of an archive; a shard is a whole archive, because its members may be compressed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from aetfx.data.sources.base import Batch, Features, Shard, Source, to_batch
from aetfx.data.sources.npy import array_fields, check_agreement, check_array
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
        shapes = [_load(file, member).shape for file, member in zip(files, members, strict=True)]
        check_agreement(files, shapes)
        rows = tuple(shape[0] for shape in shapes)
        return cls(**array_fields(path, files, shapes[0], features), members=members, rows_per_file=rows)

    def shards(self) -> list[Shard]:
        return [Shard(file, 0, rows) for file, rows in zip(self.files, self.rows_per_file, strict=True)]

    def read(self, shard: Shard) -> Iterator[Batch]:
        array = _load(shard.file, self.members[self.files.index(shard.file)])
        for start in range(shard.start, shard.stop, self.rows_per_batch):
            yield to_batch(self.pick(array[start : start + self.rows_per_batch]))


def _member(file: str) -> str:
    """Chooses the array of an archive.

    Raises:
      DataError: not an archive, empty, or several arrays and none of them called x or x_train.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            names = list(archive.files)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError, TypeError):
        raise DataError(f"{file}: not a readable .npz archive. Write it again with np.savez.") from None
    if not names:
        raise DataError(f"{file}: the archive holds no array. Write it again with np.savez(path, x=array).")
    if len(names) == 1:
        return names[0]
    for name in MEMBERS:
        if name in names:
            return name
    raise DataError(
        f"{file}: holds several arrays ({', '.join(names)}) and none is called 'x' or 'x_train'. "
        "Save the one to use alone, or as x=..."
    )


def _load(file: str, member: str) -> np.ndarray:
    try:
        with np.load(file, allow_pickle=False) as archive:
            array = archive[member]
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            check_array(f"{file} ('{member}')", (1, 1), np.dtype(object))
        raise DataError(f"{file}: the array '{member}' is damaged. Write it again with np.savez.") from None
    check_array(f"{file} ('{member}')", array.shape, array.dtype)
    return array
