"""The kinds of files that rows come from. Adding a kind is adding a file and a line to `SOURCES`."""

from __future__ import annotations

import os
import re

from aetfx.data.files import check_filled, expand
from aetfx.data.sources.base import Batch, Features, Quarantined, Shard, Source
from aetfx.data.sources.csv import CsvSource
from aetfx.data.sources.images import ImagesSource
from aetfx.data.sources.npy import NpySource
from aetfx.data.sources.npz import NpzSource
from aetfx.data.sources.parquet import ParquetSource
from aetfx.data.sources.tfrecord import TfrecordSource
from aetfx.errors import DataError, nearest

SOURCES: tuple[type[Source], ...] = (NpySource, NpzSource, CsvSource, ParquetSource, TfrecordSource, ImagesSource)
REGISTRY: dict[str, type[Source]] = {ending: source for source in SOURCES for ending in source.extensions}
MAY_BE_EMPTY = (TfrecordSource, ImagesSource)  # a shard without records; an image that is quarantined as unreadable

# How Beam ("x.tfrecord-00000-of-00010", "x-00000-of-00010.csv") and TFX ("x_tfrecord-00000-of-00001.gz") name shards.
_SHARD = re.compile(r"-\d{5,}-of-\d{5,}")
_TFX = re.compile(r"_(?=tfrecords?(\.gz)?$)")

__all__ = ["REGISTRY", "SOURCES", "Batch", "Features", "Quarantined", "Shard", "Source", "open_source", "source_type"]


def source_type(path: str) -> type[Source]:
    """Returns the kind of source for a path or glob, by its ending; a shard's number is passed over. Touches no file.

    Raises:
      DataError: the ending is unknown.
    """
    name = _TFX.sub(".", _SHARD.sub("", os.path.basename(os.fspath(path)).lower()))
    for ending in sorted(REGISTRY, key=len, reverse=True):
        if name.endswith(ending):
            return REGISTRY[ending]
    ending = os.path.splitext(name)[1]
    said = f"the ending '{ending}' is not known" if ending else "the file has no ending"
    raise DataError(f"{path}: {said}.{nearest(ending, REGISTRY)}")


def open_source(path: str | os.PathLike[str], features: Features = "auto") -> Source:
    """Opens a file, or all files that match a glob, as one source of rows.

    Args:
      path: a path or glob, local or of a Beam file system (gs://...); .npy, .npz, .csv, .tsv, .txt (each also
        .gz), .parquet, .tfrecord (also gzipped, and shards such as x.tfrecord-00000-of-00010), .png or .jpg; or a
        folder, for the images in it and its subfolders.
      features: "auto"; "table" or "tensor" (how rows are to be seen); or the columns to use.

    Raises:
      DataError: a file is missing, empty, damaged or of an unknown kind, files disagree, or
        `features` names a column that is missing or holds text.
    """
    files = expand(path)
    kinds = {source_type(name) for name in files}
    if len(kinds) > 1:
        first = next(name for name in files if source_type(name) is not source_type(files[0]))
        raise DataError(f"{path}: matches files of different kinds ('{files[0]}', '{first}'). Narrow the pattern.")
    kind = kinds.pop()
    if kind not in MAY_BE_EMPTY:
        check_filled(files)
    return kind.open(os.fspath(path), files, features)
