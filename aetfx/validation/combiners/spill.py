"""Arrays on their way from one accumulator to the next: in memory within a process, in files between processes."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_HELD: dict[tuple[str, int], dict[str, np.ndarray]] = {}  # (folder, process that opened it) to arrays by name


@dataclass(frozen=True)
class Spill:
    """A folder that all workers reach. Picklable; the process that opened it keeps its own arrays in memory."""

    folder: str

    def put(self, array: np.ndarray) -> str:
        """Returns a name by which `get` finds the array; one that came from a file is not written again."""
        if isinstance(array, np.memmap) and str(array.filename).startswith(self.folder):
            return str(array.filename)
        name = os.path.join(self.folder, f"values-{uuid.uuid4().hex}.npy")
        held = _HELD.get((self.folder, os.getpid()))
        if held is not None:
            held[name] = array
        else:
            np.save(name, array, allow_pickle=False)
        return name

    def get(self, name: str) -> np.ndarray:
        held = _HELD.get((self.folder, os.getpid()), {})
        return held[name] if name in held else np.load(name, mmap_mode="r")


@contextlib.contextmanager
def spilling(folder: str) -> Iterator[Spill]:
    """Opens a folder for arrays; what is held in memory is let go at the end."""
    _HELD[folder, os.getpid()] = {}
    try:
        yield Spill(folder)
    finally:
        del _HELD[folder, os.getpid()]
