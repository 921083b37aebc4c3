"""Where results live: a run directory with atomic writes, stages that resume, and lineage.

A *stage* is a named piece of work whose inputs are hashed. It is done when `lineage.json`
holds the same input hash and every output file still has the content that was recorded.
Files are written to a temporary name beside their place and renamed, so that a reader
never meets half a file. One process at a time may write to a run directory.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from aetfx.errors import RunError

_VERSIONED = ("aetfx", "tensorflow", "keras", "tensorflow-data-validation", "apache-beam", "numpy")


def content_hash(value: Any) -> str:
    """Returns a stable hash (16 hex digits) of JSON-like data, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def file_hash(path: Path) -> str:
    """Returns the hash (16 hex digits) of a file's content."""
    with open(path, "rb") as file:
        return stream_hash(file)


def stream_hash(stream: BinaryIO) -> str:
    """Returns the hash (16 hex digits) of what is left of a stream."""
    digest = hashlib.blake2b(digest_size=8)
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` (same suffix); on success it replaces `path`.

    Raises:
      RunError: the disk is full or the folder cannot be written; the old content is kept.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes `text` atomically as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` atomically as JSON; NaN and infinities become null, NumPy scalars plain numbers."""
    write_text(path, json.dumps(_finite(value), indent=2, default=_plain, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file of a run.

    Raises:
      RunError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(f"{path}: no such file. Is '{Path(path).parent}' a finished aetfx run?") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({error}). Delete that file and run again.") from None


def read_arrays(path: Path) -> dict[str, Any]:
    """Reads the NumPy arrays of a `.npz` file of a run, unpickling nothing.

    Raises:
      RunError: the file is missing or damaged.
    """
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: cannot be read as NumPy arrays ({error}). Run `diagnose` again.") from None


def cannot_write(path: Path, error: OSError) -> RunError:
    """Words an operating-system error for the person who has to mend it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return RunError(
            f"{path}: no space left to write ({os.strerror(error.errno)}). Free some disk space or choose another "
            "--out, then run the same command again: it goes on where it stopped."
        )
    return RunError(f"{path}: cannot be written ({error.strerror or error}). Choose another --out.")


class Run:
    """An open run directory. Use as a context manager: the lock is held inside.

    Args:
      directory: created when missing.

    Raises:
      RunError: another process holds the directory, or it cannot be created.
    """

    def __init__(self, directory: str | os.PathLike[str]):
        self.directory = Path(directory)
        self._lock: Any = None
        self._lineage: dict[str, Any] = {}

    def __enter__(self) -> Run:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.directory / ".lock")
        except BlockingIOError:
            raise RunError(
                f"{self.directory}: another aetfx process is writing to this run. Wait for it, or choose another --out."
            ) from None
        except OSError as error:
            raise cannot_write(self.directory, error) from error
        try:
            if self.lineage_path.exists():
                self._lineage = read_json(self.lineage_path)
        except RunError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            (self.directory / ".lock").unlink()
        self._lock.close()

    @property
    def lineage_path(self) -> Path:
        return self.directory / "lineage.json"

    def path(self, *parts: str) -> Path:
        """Returns a path inside the run directory."""
        return self.directory.joinpath(*parts)

    def done(self, stage: str, inputs: str) -> bool:
        """Whether `stage` was finished with the same input hash and its outputs are intact."""
        entry = self._lineage.get("stages", {}).get(stage)
        if entry is None or entry["inputs"] != inputs:
            return False
        return all(
            self.path(name).exists() and file_hash(self.path(name)) == digest
            for name, digest in entry["outputs"].items()
        )

    def finish(self, stage: str, inputs: str, outputs: Sequence[str | Path], *, seconds: float) -> None:
        """Records a finished stage: its input hash and the content hash of each output file."""
        self._lineage.setdefault("schema_version", 1)
        self._lineage["versions"] = versions()
        self._lineage.setdefault("stages", {})[stage] = {
            "inputs": inputs,
            "outputs": {
                str(Path(path).relative_to(self.directory)): file_hash(Path(path)) for path in map(Path, outputs)
            },
            "seconds": round(seconds, 3),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        write_json(self.lineage_path, self._lineage)


@contextlib.contextmanager
def folder_lock(folder: Path, name: str = ".lock", *, busy: str | None = None) -> Iterator[None]:
    """Holds a folder against other processes, making it where it is missing; the lock goes with the process.

    Args:
      folder: to be held.
      name: of the lock file in it, which stays.
      busy: what to say where another process holds it; None waits for its turn.

    Raises:
      RunError: the folder cannot be written, or is held and must not be waited for.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / name, "a")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise cannot_write(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy is not None else 0))
        except BlockingIOError:
            raise RunError(f"{folder}: {busy}") from None
        yield


def _locked(path: Path) -> Any:
    """Opens and locks a file that whoever held it last may be deleting at the same moment."""
    while True:
        file = open(path, "a")  # noqa: SIM115 (closing it gives the lock up)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def versions() -> dict[str, str]:
    """Returns the versions that a result depends on, without importing the packages."""
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _plain(value: Any) -> Any:
    """Makes NumPy scalars and arrays, paths and tuples fit for JSON."""
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON serialisable")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
