"""Writes TensorBoard's event files without TensorFlow, whose import takes longer than most of what is written.

One file per directory: TensorBoard's slow loader stops reading a first file when a second one appears.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.run import atomic


def write_events(directory: Path, values: Iterable[Any], *, step_of: Callable[[str], int] | None = None) -> Path:
    """Writes one event file, the only one of its directory.

    Args:
      directory: created when missing; older event files in it are deleted.
      values: TensorBoard's `Summary.Value` protos, one event each. They are written as they come, so that a
        generator need not hold them all.
      step_of: the step of a tag; None means 0 for all.

    Raises:
      RunError: the directory cannot be written.
    """
    from tensorboard.compat.proto import event_pb2, summary_pb2

    now = time.time()
    path = directory / f"events.out.tfevents.{int(now)}.aetfx.{time.time_ns() % 10**9}"
    # TensorBoard reads every file with "tfevents" in its name, so that the unfinished one must not have it.
    with atomic(directory / "new.part") as temporary, open(temporary, "wb") as file:
        file.write(_record(event_pb2.Event(wall_time=now, file_version="brain.Event:2").SerializeToString()))
        for value in values:
            step, summary = step_of(value.tag) if step_of else 0, summary_pb2.Summary(value=[value])
            file.write(_record(event_pb2.Event(wall_time=now, step=step, summary=summary).SerializeToString()))
    for old in directory.glob("events.out.tfevents.*"):
        with contextlib.suppress(OSError):
            old.unlink()
    os.replace(directory / "new.part", path)
    return path


def tensor(values: np.ndarray | Sequence[bytes]) -> Any:
    """Returns a `TensorProto` of numbers, or of byte strings (1-D).

    TensorBoard's own `make_tensor_proto` takes 1.5 s for each million half floats.
    """
    from tensorboard.compat.proto import tensor_pb2, tensor_shape_pb2, types_pb2

    def shape(sizes: Sequence[int]) -> Any:
        return tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=s) for s in sizes])

    if not isinstance(values, np.ndarray):
        return tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=values, tensor_shape=shape([len(values)]))
    kinds = {"float16": types_pb2.DT_HALF, "float32": types_pb2.DT_FLOAT, "float64": types_pb2.DT_DOUBLE}
    content = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    return tensor_pb2.TensorProto(
        dtype=kinds[values.dtype.name], tensor_content=content, tensor_shape=shape(values.shape)
    )


def _record(content: bytes) -> bytes:
    """Frames one record: length, its checksum, content, its checksum. TensorBoard's own writer sums 8 MB/s."""
    length = struct.pack("<Q", len(content))
    return b"".join((length, _checksum(length), content, _checksum(content)))


def _checksum(content: bytes) -> bytes:
    import google_crc32c

    crc = google_crc32c.value(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
