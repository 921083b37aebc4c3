"""What a path holds, as one short hash: a parameter that tells a cache that the content behind a path has changed."""

from __future__ import annotations

import os

from aetfx.data.files import expand, is_remote
from aetfx.errors import DataError
from aetfx.quiet import quiet
from aetfx.run import content_hash, file_hash


def digest(path: str) -> str:
    """Returns the hash (16 hex digits) of all files that a path or glob stands for: their names and their content.

    Local files are read. Of remote ones the checksum and the size that the store keeps are taken, so that nothing is
    downloaded.

    Raises:
      DataError: nothing matches, or a remote path cannot be reached.
    """
    return content_hash([[os.path.basename(file), _one(file)] for file in expand(path)])


def _one(file: str) -> str:
    if not is_remote(file):
        try:
            return file_hash(file)  # type: ignore[arg-type]
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror or error}). Check its rights.") from None
    from apache_beam.io.filesystems import FileSystems

    with quiet():
        try:
            return f"{FileSystems.checksum(file)}"
        except Exception as error:  # each client has its own classes
            raise DataError(f"{file}: cannot be reached ({type(error).__name__}). Check your rights.") from None
