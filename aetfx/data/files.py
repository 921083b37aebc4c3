"""The one place where files of the user are found and opened: local ones, and remote ones through Beam.

A path with a scheme (`gs://bucket/rows-*.parquet`) is served by the Beam `FileSystem` of that scheme, on this machine
and on every worker; each comes with an extra of Beam (`apache-beam[gcp]`, `[aws]`, `[azure]`). Nothing else here
touches the network, and Beam is imported only where a path has a scheme.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, cast

from aetfx.errors import DataError
from aetfx.quiet import quiet

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg")
_EXTRAS = {"gs": "gcp", "s3": "aws", "azfs": "azure", "hdfs": "hadoop"}  # of apache-beam


def expand(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns the files that a path or glob stands for, sorted by name; a folder stands for the images in it.

    Raises:
      DataError: nothing matches, a folder without images was given, or a remote path cannot be reached.
    """
    path = os.fspath(path)
    if is_remote(path):
        with quiet():  # clients log how they connect
            return _expand_remote(path)
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


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path has a scheme, as `gs://bucket/rows.npy` has."""
    return "://" in os.fspath(path)


def reach(place: str) -> None:
    """Asks the store of a remote place for what lies there, which may be nothing.

    Raises:
      DataError: it cannot be reached.
    """
    with quiet():
        _match(f"{place.rstrip('/')}/*")


def set_remote_options(flags: Sequence[str]) -> None:
    """Hands Beam's flags to its file systems (e.g. `--s3_endpoint_url`), before the first remote path is opened."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    FileSystems.set_options(PipelineOptions(list(flags)))


def check_filled(files: Iterable[str]) -> None:
    """Checks that no file is empty.

    Raises:
      DataError: names the first that is.
    """
    for name in files:
        if size_of(name) == 0:
            raise DataError(f"{name}: the file is empty (0 bytes). Give a file that holds rows.")


def size_of(path: str) -> int:
    """Returns the size of a file in bytes.

    Raises:
      DataError: it is gone, or a remote one cannot be reached.
    """
    if is_remote(path):
        found = _match(path)
        if not found:
            raise DataError(f"{path}: no such file. Check the path.")
        return int(found[0].size_in_bytes)
    try:
        return os.path.getsize(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). Check the path and its rights.") from None


def open_binary(path: str, packed: bool | None = None) -> BinaryIO:
    """Opens a file for reading bytes, from any place; gzipped files are unpacked on the way.

    Args:
      path: a file.
      packed: whether it is gzipped; None to tell by the ending `.gz`.

    Raises:
      DataError: the file is gone or may not be read.
    """
    if packed is None:
        packed = path.endswith(".gz")
    if is_remote(path):
        stream = _open_remote(path)
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if packed else stream
    try:
        return gzip.open(path, "rb") if packed else open(path, "rb")  # type: ignore[return-value]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). Check the path and its rights.") from None


def _expand_remote(path: str) -> tuple[str, ...]:
    """As `expand`. Object stores have no folders: a path that is no object is taken for one."""
    path = path.rstrip("/")
    found = sorted(item.path for item in _match(path))
    if found:
        return tuple(found)
    if glob.has_magic(path):
        raise DataError(f"{path}: no file matches this pattern. Check the bucket, the folder and the file ending.")
    below = sorted(item.path for item in _match(f"{path}/**"))
    names = [(name, name.rsplit("/", 1)[-1]) for name in below]
    images = [name for name, last in names if last.lower().endswith(IMAGE_ENDINGS) and not last.startswith(".")]
    if images:
        return tuple(images)
    if below:
        raise DataError(f"{path}: is a folder. Give a file or a glob of files, e.g. '{path}/*.parquet'.")
    raise DataError(f"{path}: no such file. Check the path.")


def _match(pattern: str) -> list[Any]:
    """What Beam knows of the files that match (`FileMetadata`: path and size).

    Raises:
      DataError: no file system serves the scheme, or it cannot be reached.
    """
    try:
        return list(_file_systems(pattern).match([pattern])[0].metadata_list)
    except DataError:
        raise
    except Exception as error:  # each client has its own classes for a missing key, a refused connection, ...
        raise _unreachable(pattern, error) from None


def _open_remote(path: str) -> BinaryIO:
    try:
        stream = _file_systems(path).open(path, compression_type="uncompressed")
    except DataError:
        raise
    except Exception as error:  # as in _match
        raise _unreachable(path, error) from None
    # A raw stream may return less than it was asked for.
    return cast(BinaryIO, stream if hasattr(stream, "read1") else io.BufferedReader(stream, 1 << 20))


def _file_systems(path: str) -> Any:
    """Beam's `FileSystems`.

    Raises:
      DataError: none serves the scheme of this path.
    """
    with quiet():
        from apache_beam.io.filesystems import FileSystems

        if FileSystems._pipeline_options is None:  # S3's asks for some; credentials then come from the environment
            set_remote_options(())
        scheme = path.split("://", 1)[0]
        try:
            FileSystems.get_filesystem(path)
        except ValueError:  # its words name one extra whatever the scheme is
            extra = _EXTRAS.get(scheme)
            known = f"pip install 'apache-beam[{extra}]' brings it" if extra else "Give a local path, gs:// or s3://"
            raise DataError(f"{path}: Beam has no file system for '{scheme}://' here. {known}.") from None
        except Exception as error:
            raise _unreachable(path, error) from None
    return FileSystems


def _unreachable(path: str, error: Exception) -> DataError:
    from aetfx.words import replace_unprintable

    inner = error
    while details := getattr(inner, "exception_details", None):  # Beam's own error holds the client's, by path
        inner = next(iter(details.values()))
    said = replace_unprintable(" ".join(f"{type(inner).__name__}: {inner}".split()))[:200]
    return DataError(f"{path}: cannot be reached ({said}). Check the path, your rights and the network.")


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
