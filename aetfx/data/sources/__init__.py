"""The kinds of files that rows come from. Adding a kind is adding a file and a line to `SOURCES`."""

from __future__ import annotations

import os

from aetfx.data.files import expand
from aetfx.data.sources.base import Batch, Features, Quarantined, Shard, Source
from aetfx.data.sources.csv import CsvSource
from aetfx.data.sources.npy import NpySource
from aetfx.data.sources.npz import NpzSource
from aetfx.data.sources.parquet import ParquetSource
from aetfx.errors import DataError, nearest

SOURCES: tuple[type[Source], ...] = (NpySource, NpzSource, CsvSource, ParquetSource)
REGISTRY: dict[str, type[Source]] = {ending: source for source in SOURCES for ending in source.extensions}

__all__ = ["REGISTRY", "SOURCES", "Batch", "Features", "Quarantined", "Shard", "Source", "open_source", "source_type"]


def source_type(path: str) -> type[Source]:
    """Returns the kind of source for a path or glob, by its ending; touches no file.

    Raises:
      DataError: the ending is unknown.
    """
    name = os.path.basename(os.fspath(path)).lower()
    for ending in sorted(REGISTRY, key=len, reverse=True):
        if name.endswith(ending):
            return REGISTRY[ending]
    ending = os.path.splitext(name)[1]
    said = f"the ending '{ending}' is not known" if ending else "the file has no ending"
    raise DataError(f"{path}: {said}.{nearest(ending, REGISTRY)}")


def open_source(path: str | os.PathLike[str], features: Features = "auto") -> Source:
    """Opens a file, or all files that match a glob, as one source of rows.

    Args:
      path: a local path or glob; .npy, .npz, .csv, .csv.gz or .parquet.
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
    return kinds.pop().open(os.fspath(path), files, features)
