"""The one place where files of the user are found and opened.

Only local paths are served so far; nothing here touches the network. Remote file systems
(Beam's `FileSystems`) belong here and nowhere else.
"""

from __future__ import annotations

import glob
import gzip
import os
from typing import BinaryIO

from aetfx.errors import DataError


def expand(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns the files that a path or glob stands for, sorted by name.

    Raises:
      DataError: nothing matches, a folder was given, a file is empty, or the path is remote.
    """
    path = os.fspath(path)
    if "://" in path:
        raise DataError(f"{path}: remote paths are not supported yet. Copy the data to a local file and give its path.")
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        raise DataError(f"{path}: is a folder. Give a file or a glob of files, e.g. '{os.path.join(path, '*.npy')}'.")
    if os.path.exists(path):
        found = [path]
    elif glob.has_magic(path):
        found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
        if not found:
            raise DataError(f"{path}: no file matches this pattern. Check the folder and the file ending.")
    else:
        raise DataError(f"{path}: no such file. Check the path{_seen_beside(path)}.")
    for name in found:
        if os.path.getsize(name) == 0:
            raise DataError(f"{name}: the file is empty (0 bytes). Give a file that holds rows.")
    return tuple(found)


def open_binary(path: str) -> BinaryIO:
    """Opens a file for reading bytes; `.gz` files are unpacked on the way.

    Raises:
      DataError: the file is gone or may not be read.
    """
    try:
        return gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")  # type: ignore[return-value]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). Check the path and its rights.") from None


def _seen_beside(path: str) -> str:
    """Names what is there instead, when a file of nearly that name lies in the same folder."""
    import difflib

    folder, wanted = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return f": the folder '{folder}' does not exist"
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.75)
    return f"; did you mean '{os.path.join(folder, close[0])}'?".rstrip("?") if close else ""
