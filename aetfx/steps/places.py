"""Copying between places, hashing what lies there, and listing it. Beam is imported only for remote ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from aetfx.data.files import expand, is_remote, open_binary
from aetfx.errors import RunError
from aetfx.run import atomic, cannot_write, content_hash, file_hash
from aetfx.validation.examples import write_place


def hashed(place: str | os.PathLike[str]) -> tuple[str, dict[str, str]]:
    """Returns the hash (16 hex digits) of a local file or folder, names included, and that of each file by its name.

    Raises:
      RunError: nothing is there.
    """
    path = Path(place)
    if path.is_file():
        digest = file_hash(path)
        return digest, {path.name: digest}
    if not path.is_dir():
        raise RunError(f"{path}: no such file or folder. Run the step that makes it again.")
    files = {str(file.relative_to(path)): file_hash(file) for file in _files(path)}
    return content_hash([list(item) for item in files.items()]), files


def tree_hash(place: str | os.PathLike[str]) -> str:
    """Returns the first of `hashed`."""
    return hashed(place)[0]


def copy_tree(folder: str | os.PathLike[str], destination: str) -> list[str]:
    """Copies a local folder to a place, file by file; what else lies there is left alone.

    Returns:
      The files written.

    Raises:
      RunError: the place cannot be written, or a remote one not be reached.
    """
    written = []
    root = Path(folder)
    for file in _files(root):
        name = str(file.relative_to(root))
        try:
            if is_remote(destination):
                write_place(destination.rstrip("/"), name, file.read_bytes())
            else:
                with atomic(Path(destination) / name) as temporary:
                    shutil.copyfile(file, temporary)
        except RunError:
            raise
        except OSError as error:
            raise cannot_write(Path(destination) / name, error) from error
        except Exception as error:  # each client of a store has its own classes
            said = " ".join(f"{type(error).__name__}: {error}".split())[:160]
            raise RunError(f"{destination}: cannot be written ({said}). Check the bucket and your rights.") from None
        written.append(f"{destination.rstrip('/')}/{name}")
    return written


def fetch(pattern: str, folder: Path, below: str) -> list[Path]:
    """Copies files that match a glob, under the names that they have below `below`.

    Args:
      pattern: e.g. "gs://bucket/sweep/configurations/*/seed-*/model.keras".
      folder: where to.
      below: the fixed part of the pattern.

    Returns:
      The copies.

    Raises:
      DataError: nothing matches, or a remote place cannot be reached.
    """
    found = []
    for name in expand(pattern):
        found.append(folder / name.removeprefix(below).lstrip("/"))
        with atomic(found[-1]) as temporary, open_binary(name, packed=False) as stream, open(temporary, "wb") as copy:
            shutil.copyfileobj(stream, copy)
    return found


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())
