"""Checkpoints of one training: what it needs to go on and end with the same weights, to the last bit.

A checkpoint is one file that is written under a temporary name and renamed: the digest of an `.npz`, and the `.npz`.
One that was cut off or changed anywhere is noticed. Two are kept: where the newer is damaged, the older is used.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.run import write_bytes
from aetfx.training.telemetry import Histogram

_KEPT = 2
_DIGEST_BYTES = 16


@dataclass
class Snapshot:
    """A training as it stood.

    Attributes:
      epoch: epochs that are finished.
      step: updates of the next epoch that are done.
      variables: of the model (the random states of its layers among them) and the optimizer, and within an epoch of
        the metrics.
      losses: training loss of each finished epoch.
      scores: epoch (1-based) to score on the select rows.
      best_epoch, best_weights: kept so far, where the training stops early.
      histograms: of the weights, where they were read.
      telemetry: figures of each finished epoch (`aetfx.training.telemetry`), where they are read.
    """

    epoch: int
    step: int
    variables: list[np.ndarray]
    losses: list[float] = field(default_factory=list)
    scores: dict[int, float] = field(default_factory=dict)
    best_epoch: int | None = None
    best_weights: list[np.ndarray] | None = None
    telemetry: list[dict[str, float]] = field(default_factory=list)
    histograms: list[Histogram] = field(default_factory=list)


class Checkpoints:
    """The checkpoints of one training in a folder of their own.

    Args:
      folder: made when the first is written.
      key: JSON-like; what is trained on which rows. Checkpoints with another key are not used.
      every_seconds: the least time between two; 0 writes one after each epoch.
    """

    def __init__(self, folder: Path, key: Any, every_seconds: float):
        self.folder, self.every_seconds = folder, every_seconds
        self._key = json.loads(json.dumps(key))
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether enough time has gone by since the last one."""
        return time.monotonic() - self._last >= self.every_seconds

    def save(self, snapshot: Snapshot) -> None:
        """Writes a checkpoint and deletes those that are too old.

        Raises:
          RunError: the disk is full.
        """
        about = {
            "schema_version": 1,
            "key": self._key,
            "epoch": snapshot.epoch,
            "step": snapshot.step,
            "losses": [loss if np.isfinite(loss) else str(loss) for loss in snapshot.losses],
            "scores": snapshot.scores,
            "best_epoch": snapshot.best_epoch,
            "telemetry": snapshot.telemetry,
            "histograms": [dataclasses.astuple(item) for item in snapshot.histograms],
        }
        arrays = {f"v{i:05}": value for i, value in enumerate(snapshot.variables)}
        arrays |= {f"b{i:05}": value for i, value in enumerate(snapshot.best_weights or [])}
        content = io.BytesIO()
        np.savez(content, about=np.array(json.dumps(about)), **arrays)
        digest = hashlib.blake2b(content.getbuffer(), digest_size=_DIGEST_BYTES).digest()
        write_bytes(self.folder / f"{snapshot.epoch:08}-{snapshot.step:08}.checkpoint", digest + content.getvalue())
        for old in self._files()[_KEPT:]:
            old.unlink(missing_ok=True)
        self._last = time.monotonic()

    def latest(self, needed: set[int] | None = None) -> Snapshot | None:
        """Returns the newest checkpoint that can be read and belongs to this training; None without one.

        Args:
          needed: epochs whose scores are asked for; a checkpoint that is past one without its score is not used.
        """
        for path in self._files():
            try:
                found = self._read(path)
            except (OSError, ValueError) as error:
                warnings.warn(f"{path} is damaged ({error}), so that an older checkpoint is used.", stacklevel=2)
                continue
            if found is not None and {e for e in needed or () if e <= found.epoch} <= set(found.scores):
                return found
        return None

    def clear(self) -> None:
        """Deletes all of them: the training is finished and kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        """Returns the checkpoints, newest first; a file that was being written has another name."""
        return sorted(
            (path for path in self.folder.glob("*.checkpoint") if not path.name.startswith(".")), reverse=True
        )

    def _read(self, path: Path) -> Snapshot | None:
        content = path.read_bytes()
        digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest != hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest():
            raise ValueError("its digest is not that of its content")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["key"] != self._key:
                return None
            arrays = {name: file[name] for name in sorted(file.files)}
        best = [value for name, value in arrays.items() if name[0] == "b"]
        return Snapshot(
            about["epoch"],
            about["step"],
            [value for name, value in arrays.items() if name[0] == "v"],
            [float(loss) for loss in about["losses"]],
            {int(epoch): float(score) for epoch, score in about["scores"].items()},
            about["best_epoch"],
            best or None,
            about["telemetry"],
            [Histogram(*item[:-1], tuple(item[-1])) for item in about["histograms"]],
        )
