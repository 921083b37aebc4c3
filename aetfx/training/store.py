"""Where trials are kept: one folder each, so that an interrupted run goes on where it stopped.

`configurations/<name>-<id8>/seed-<n>/` holds `weights.npz`, `model.keras` (raw rows in, raw rows out),
`history.parquet` and `trial.json`. A trial counts as done when `trial.json` is there: it is written last. One that is
under way has a `checkpoint/` instead.
`preprocessing/<hash>.json` holds each fitted preprocessing, written before the first trial that uses it.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.errors import RunError
from aetfx.models.work import multiplications
from aetfx.preprocessing.fit import Preprocessing
from aetfx.run import atomic, content_hash, read_arrays, read_json, write_json
from aetfx.training.checkpoint import Checkpoints
from aetfx.training.recipe import Recipe
from aetfx.training.trial import Trial


class TrialStore:
    """Saves and loads trials under a run directory; without one, keeps nothing.

    Args:
      directory: the run directory, or None.
    """

    def __init__(self, directory: Path | None):
        self.directory = directory
        self._work: dict[str, tuple[int, int]] = {}

    def folder(self, recipe: Recipe, seed: int, index: int = 0) -> Path:
        """Returns the folder of a trial; re-split trials say which split they saw."""
        assert self.directory is not None
        seed_name = f"seed-{seed}" if index == 0 else f"seed-{seed}-split-{index}"
        return self.directory / "configurations" / configuration_folder(recipe) / seed_name

    def save(self, trial: Trial, index: int = 0, *, score: float, rows: str = "") -> None:
        """Writes a finished trial. A model that cannot be saved is kept in memory only.

        Args:
          trial: what to keep.
          index: of the split that it saw.
          score: on the select rows.
          rows: hash of the rows that it was trained and scored on.
        """
        if self.directory is None:
            return
        from aetfx.training import logs

        folder = self.folder(trial.recipe, trial.seed, index)
        self._save_model(trial, folder)
        _write_history(folder / "history.parquet", trial)
        run = folder.relative_to(self.directory / "configurations")
        logs.write_trial(self.directory / "tensorboard" / run, trial, score)
        write_json(
            folder / "trial.json",
            {
                "schema_version": 1,
                "configuration": trial.recipe.identity,
                "name": trial.recipe.name,
                "seed": trial.seed,
                "split": index,
                "rows": rows,
                "preprocessing": content_hash(trial.preprocessing.to_config()),
                "losses": [float(loss) if np.isfinite(loss) else str(loss) for loss in trial.losses],
                "scores": trial.scores,
                "best_epoch": trial.best_epoch,
                "seconds": round(trial.seconds, 3),
            },
        )

    def checkpoints(
        self, recipe: Recipe, seed: int, index: int, preprocessing: Preprocessing, rows: str, every_seconds: float
    ) -> Checkpoints | None:
        """Returns where a trial that is under way is kept; None without a run directory."""
        if self.directory is None:
            return None
        key = [recipe.identity, rows, content_hash(preprocessing.to_config())]
        return Checkpoints(self.folder(recipe, seed, index) / "checkpoint", key, every_seconds)

    def holds(self, recipe: Recipe, seed: int, index: int, preprocessing: Preprocessing, rows: str = "") -> bool:
        """Whether `load` would return a trial."""
        return self._record(recipe, seed, index, preprocessing, rows) is not None

    def load(self, recipe: Recipe, seed: int, index: int, preprocessing: Preprocessing, rows: str = "") -> Trial | None:
        """Returns a trial that was finished before on the same rows, preprocessed in the same way; or None."""
        record = self._record(recipe, seed, index, preprocessing, rows)
        if record is None:
            return None
        path = self.folder(recipe, seed, index) / "weights.npz"
        try:
            weights = read_arrays(path)
        except RunError:
            warnings.warn(f"{path} is damaged or missing, so that this trial is trained again.", stacklevel=2)
            return None
        model = recipe.source.build()
        model.set_weights(list(weights.values()))
        return Trial(
            recipe=recipe,
            seed=seed,
            model=model,
            preprocessing=preprocessing,
            losses=np.array([float(loss) for loss in record["losses"]]),
            scores={int(epoch): score for epoch, score in record["scores"].items()},
            best_epoch=record["best_epoch"],
            seconds=record["seconds"],
        )

    def _record(
        self, recipe: Recipe, seed: int, index: int, preprocessing: Preprocessing, rows: str
    ) -> dict[str, Any] | None:
        """Returns `trial.json` of a finished trial of the same content, or None."""
        if self.directory is None:
            return None
        path = self.folder(recipe, seed, index) / "trial.json"
        if not path.exists():
            return None
        record = read_json(path)
        if record["configuration"] != recipe.identity or record.get("rows", "") != rows:
            return None
        return record if record.get("preprocessing") == content_hash(preprocessing.to_config()) else None

    def preprocessing(self, key: Any, fit: Callable[[], Preprocessing]) -> Preprocessing:
        """Returns what was fitted before, or fits it and keeps it: a resumed run uses the same to the last bit.

        Args:
          key: JSON-like; says what is fitted on which rows.
          fit: does so.
        """
        if self.directory is None:
            return fit()
        path = self.directory / "preprocessing" / f"{content_hash(key)}.json"
        if path.exists():
            kept = read_json(path)
            if kept.get("hash") == content_hash(kept.get("fitted")):
                return Preprocessing.from_config(kept["fitted"])
        fitted = fit()
        config = fitted.to_config()
        write_json(path, {"schema_version": 1, "hash": content_hash(config), "fitted": config})
        return fitted

    def work(self, recipe: Recipe) -> tuple[int, int]:
        """Returns multiplications and waiting steps per row (`aetfx.models.work`), building the model once.

        Raises:
          ModelError: the model cannot be built or called.
        """
        key = recipe.source.identity
        if key not in self._work:
            self._work[key] = multiplications(recipe.source.build(), recipe.source.shape)
        return self._work[key]

    def _save_model(self, trial: Trial, folder: Path) -> None:
        """Writes the weights, and the whole model where Keras can save it."""
        from aetfx.training.whole import CANNOT_BE_SAVED, Wrapped, raw_model

        with atomic(folder / "weights.npz") as temporary:
            np.savez(temporary, *trial.model.get_weights())
        # Opaque subclasses cannot be saved whole; their weights are, which is enough to go on.
        whole = raw_model(trial.model, trial.preprocessing)
        if isinstance(whole, Wrapped):
            return
        with contextlib.suppress(*CANNOT_BE_SAVED), atomic(folder / "model.keras") as temporary:
            whole.save(temporary)


def configuration_folder(recipe: Recipe) -> str:
    """Returns `<name>-<id8>`: readable, and unique by content."""
    plain = re.sub(r"[^A-Za-z0-9.=_+-]+", "_", recipe.name).strip("_") or "configuration"
    return f"{plain[:60]}-{recipe.identity[:8]}"


def _write_history(path: Path, trial: Trial) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    epochs = np.arange(1, len(trial.losses) + 1)
    names = dict.fromkeys(name for figures in trial.telemetry for name in figures)
    table = pa.table(
        {
            "epoch": epochs,
            "loss": trial.losses,
            "score": pa.array([trial.scores.get(int(epoch)) for epoch in epochs], pa.float64()),
            **{name: pa.array([figures.get(name) for figures in trial.telemetry], pa.float64()) for name in names},
        }
    )
    with atomic(path) as temporary:
        pq.write_table(table, temporary)
