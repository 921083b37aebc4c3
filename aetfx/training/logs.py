"""What TensorBoard shows of a trial: loss and score as scalars, its settings as HParams."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import numpy as np

from aetfx.training.recipe import Recipe
from aetfx.training.telemetry import Histogram
from aetfx.training.trial import Trial

_METRIC = "score"
SETTINGS = (
    "configuration",
    "learning_rate",
    "batch_size",
    "epochs",
    "loss",
    "optimizer",
    "scaling",
    "missing",
    "outliers",
    "seed",
)  # in the order of the table's columns; TensorBoard shows the first few


def write_trial(directory: Path, trial: Trial, score: float) -> None:
    """Writes one TensorBoard run, replacing an older one of the same trial.

    Args:
      directory: the trial's own folder under the log directory: one writer each, because TensorBoard's
        slow loader stops reading a first event file when a second one appears.
      trial: what was trained.
      score: on the select rows at the end.
    """
    import tensorflow as tf
    from tensorboard.plugins.hparams import api as hp

    shutil.rmtree(directory, ignore_errors=True)
    writer = tf.summary.create_file_writer(str(directory))
    try:
        with writer.as_default():
            for epoch, loss in enumerate(trial.losses, start=1):
                if np.isfinite(loss):
                    tf.summary.scalar("loss", loss, step=epoch)
            for epoch, figures in enumerate(trial.telemetry, start=1):
                for name, value in figures.items():
                    if np.isfinite(value):
                        tf.summary.scalar(f"telemetry/{name}", value, step=epoch)
            for item in trial.histograms:
                _write_histogram(item)
            for epoch, value in sorted({**trial.scores, len(trial.losses): score}.items()):
                tf.summary.scalar(_METRIC, value, step=epoch)
            hp.hparams(
                {**settings(trial.recipe), "seed": trial.seed}, trial_id=f"{trial.recipe.identity}-{directory.name}"
            )
        writer.close()
    except Exception:  # a full disk, in TensorFlow's own words
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _write_histogram(item: Histogram) -> None:
    """Writes the buckets of a weight as TensorBoard takes them: (left, right, count), shape (k, 3)."""
    import tensorflow as tf
    from tensorboard.plugins.histogram import metadata

    edges = np.linspace(item.low, item.high, len(item.counts) + 1)
    buckets = np.stack([edges[:-1], edges[1:], np.array(item.counts, np.float64)], axis=1)
    about = metadata.create_summary_metadata(display_name=None, description=None)
    tf.summary.write(f"weights/{item.name}", tf.constant(buckets), step=item.epoch, metadata=about)


def write_hparams_config(directory: Path) -> None:
    """Declares the columns of the HParams table, without which it stays empty; once per log directory."""
    import tensorflow as tf
    from tensorboard.plugins.hparams import api as hp

    for old in directory.glob("events.out.tfevents*"):
        with contextlib.suppress(OSError):
            old.unlink()
    with tf.summary.create_file_writer(str(directory)).as_default():
        hp.hparams_config(
            hparams=[hp.HParam(name) for name in SETTINGS],
            metrics=[hp.Metric(_METRIC, display_name="score (0 = perfect, 1 = the mean)")],
        )


def settings(recipe: Recipe) -> dict[str, str | float | int | bool]:
    """Returns the settings of a recipe as flat values for a table."""
    return {
        "configuration": recipe.name,
        "optimizer": recipe.optimizer_name,
        "learning_rate": recipe.learning_rate,
        "loss": recipe.loss_name,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "scaling": str(recipe.preprocessing.get("scaling", "none")),
        "missing": str(recipe.preprocessing.get("missing", "none")),
        "outliers": str(recipe.preprocessing.get("outliers", "none")),
    }
