"""The folder through which workers hand over what they found: results, quarantined rows, and values that are kept.

Beam carries only keys and small accumulators between its steps. The folder is local by default; with a runner on other
machines it is below Beam's `--temp_location`, and is reached through Beam's file systems. Imports Beam late.
"""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aetfx.data.files import set_remote_options


@dataclass(frozen=True)
class Exchange:
    """Small named files below `root`. Picklable; the same on every worker.

    Attributes:
      flags: Beam's own, for its file systems; not every runner hands them to its workers.
    """

    root: str
    flags: tuple[str, ...] = ()

    @property
    def local(self) -> str | None:
        """The folder's path where workers are on this machine, else None."""
        return None if "://" in self.root else self.root

    def setup(self) -> None:
        """To be called once by each worker that opens the user's files."""
        if self.flags:
            set_remote_options(self.flags)

    def write(self, name: str, content: bytes) -> None:
        """Writes a file; one that is there is replaced."""
        from apache_beam.io.filesystems import FileSystems

        with FileSystems.create(FileSystems.join(self.root, name), compression_type="uncompressed") as stream:
            stream.write(content)

    def read(self, name: str) -> bytes | None:
        """Returns a file's content, or None where it was not written."""
        from apache_beam.io.filesystems import FileSystems

        path = FileSystems.join(self.root, name)
        if not FileSystems.exists(path):
            return None
        with FileSystems.open(path, compression_type="uncompressed") as stream:
            return bytes(stream.read())

    def names(self, prefix: str) -> list[str]:
        """Returns the names that start with `prefix`, in order."""
        from apache_beam.io.filesystems import FileSystems

        found = FileSystems.match([FileSystems.join(self.root, prefix + "*")])[0].metadata_list
        return sorted(FileSystems.split(item.path)[1] for item in found)


@contextlib.contextmanager
def exchange(temp_location: str | None = None, flags: Sequence[str] = ()) -> Iterator[Exchange]:
    """Opens an exchange and removes it at the end.

    Args:
      temp_location: where workers on other machines can write, e.g. "gs://bucket/temp"; by default this machine's
        temporary folder.
      flags: see `Exchange`.
    """
    if temp_location is None:
        with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
            yield Exchange(folder, tuple(flags))
        return
    from apache_beam.io.filesystems import FileSystems

    root = FileSystems.join(temp_location, f"aetfx-{uuid.uuid4().hex}")
    FileSystems.mkdirs(root)
    try:
        yield Exchange(root, tuple(flags))
    finally:
        FileSystems.delete([root])
