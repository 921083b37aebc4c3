"""The one place where files of the user are found and opened.

Only local paths are served so far; nothing here touches the network. Remote file systems
(Beam's `FileSystems`) belong here and nowhere else.
"""

from __future__ import annotations

import glob
import gzip
import os
from collections.abc import Iterable
from typing import BinaryIO

from aetfx.errors import DataError

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")


def expand(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns the files that a path or glob stands for, sorted by name; a folder stands for the images in it.

    Raises:
      DataError: nothing matches, a folder without images was given, or the path is remote.
    """
    path = os.fspath(path)
    if "://" in path:
        raise DataError(f"{path}: remote paths are not supported yet. Copy the data to a local file and give its path.")
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        if images := _images_below(path):
            return images
        raise DataError(f"{path}: is a folder. Give a file or a glob of files, e.g. '{os.path.join(path, '*.npy')}'.")
    if os.path.exists(path):
        found = [path]
    elif glob.has_magic(path):
        found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
        if not found:
            raise DataError(f"{path}: no file matches this pattern. Check the folder and the file ending.")
    else:
        raise DataError(f"{path}: no such file. Check the path{_seen_beside(path)}.")
    return tuple(found)


def check_filled(files: Iterable[str]) -> None:
    """Checks that no file is empty.

    Raises:
      DataError: names the first that is.
    """
    for name in files:
        if os.path.getsize(name) == 0:
            raise DataError(f"{name}: the file is empty (0 bytes). Give a file that holds rows.")


def open_binary(path: str, packed: bool | None = None) -> BinaryIO:
    """Opens a file for reading bytes; gzipped files are unpacked on the way.

    Args:
      path: a file.
      packed: whether it is gzipped; None to tell by the ending `.gz`.

    Raises:
      DataError: the file is gone or may not be read.
    """
    if packed is None:
        packed = path.endswith(".gz")
    try:
        return gzip.open(path, "rb") if packed else open(path, "rb")  # type: ignore[return-value]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). Check the path and its rights.") from None


def _images_below(folder: str) -> tuple[str, ...]:
    """All images in a folder and its subfolders, sorted by path; hidden ones (`._a.png`) are left out, as in globs."""
    found: list[str] = []
    seen: set[str] = set()  # a link to a folder above would lead round and round
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += [
            os.path.join(place, name)
            for name in names
            if name.lower().endswith(IMAGE_ENDINGS) and not name.startswith(".")
        ]
    return tuple(sorted(found))


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
