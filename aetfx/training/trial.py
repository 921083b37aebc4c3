"""One trial: one recipe, one seed, one `model.fit`.

The whole epoch is one call into TensorFlow (`steps_per_execution`), batches come from memory, and
progress is read once per epoch: that is where the time of small models goes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from aetfx.data.shards import DiskRows
from aetfx.errors import ModelError, RunError
from aetfx.models.draws import DRAWS, drawing, is_stochastic
from aetfx.models.forward import forward
from aetfx.preprocessing.fit import Preprocessing
from aetfx.training import stopping
from aetfx.training.checkpoint import Checkpoints
from aetfx.training.disk_feed import DiskFeed
from aetfx.training.feed import Feed, needs_padding, run_epochs
from aetfx.training.recipe import Recipe
from aetfx.training.step import reason
from aetfx.training.telemetry import Histogram, Kind, Telemetry
from aetfx.training.watcher import make_watcher
from aetfx.training.workshop import Workshop

_PREDICT_ROWS = 4096


class OutOfTime(Exception):
    """Raised where the wall clock, and not the plan, ends the work."""


@dataclass
class Trial:
    """A finished training.

    Attributes:
      recipe, seed: what was trained.
      model: the trained core model (rows as fed in and out).
      preprocessing: fitted on the rows that it was trained on.
      losses: reported training loss per epoch, float64; shorter than `epochs` where it became NaN.
      scores: epoch (1-based) to score on the select rows, where it was asked for.
      best_epoch: the epoch whose weights were kept, where the recipe stops early.
      seconds: wall time of this process's part.
      paused: it was to go on later (`until`).
      telemetry: figures of each epoch, where they were read.
      histograms: of the weights, where they were read.
    """

    recipe: Recipe
    seed: int
    model: Any
    preprocessing: Preprocessing
    losses: np.ndarray
    scores: dict[int, float] = field(default_factory=dict)
    best_epoch: int | None = None
    seconds: float = 0.0
    paused: bool = False
    telemetry: list[dict[str, float]] = field(default_factory=list)
    histograms: list[Histogram] = field(default_factory=list)

    @property
    def diverged(self) -> bool:
        """Whether the loss became NaN or infinite."""
        return bool(len(self.losses) == 0 or not np.isfinite(self.losses[-1]))

    @cached_property
    def stochastic(self) -> bool:
        """Whether the model answers the same rows differently each time, though it is not training."""
        shape = self.preprocessing.shape
        return is_stochastic(self.model, np.random.default_rng(0).normal(size=(8, *shape)).astype("float32"))

    @cached_property
    def forward(self) -> Callable[[Any], Any]:
        """What takes rows as fed through the model."""
        return forward(self.model, self.preprocessing.shape)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Reconstructs raw rows (n, *shape) in original units, float64; the first draw of a stochastic model."""
        return next(self.draws(rows))

    def draws(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the reconstructions by which the model is scored: seeded draws of a stochastic one, else one."""
        for number in range(DRAWS if self.stochastic else 1):
            with drawing(self.model, number) if self.stochastic else contextlib.nullcontext():
                drawn = predict(self.forward, self.preprocessing, rows)
            yield drawn


def predict(through: Callable[[Any], Any], preprocessing: Preprocessing, rows: np.ndarray) -> np.ndarray:
    """Feeds raw rows through preprocessing, the core model (`forward`) and back; (n, *shape) float64."""
    fed = preprocessing.apply(rows)
    parts = [np.asarray(through(fed[start : start + _PREDICT_ROWS])) for start in range(0, len(fed), _PREDICT_ROWS)]
    return preprocessing.invert(np.concatenate(parts), rows)


def train(
    recipe: Recipe,
    rows: np.ndarray | DiskRows,
    preprocessing: Preprocessing,
    *,
    seed: int,
    targets: np.ndarray | DiskRows | None = None,
    workshop: Workshop | None = None,
    score: Callable[[Callable[[np.ndarray], np.ndarray]], float] | None = None,
    score_at: Iterable[int] = (),
    on_epoch: Callable[[int], None] | None = None,
    checkpoints: Checkpoints | None = None,
    until: int | None = None,
    telemetry: Kind = False,
    jit: bool = False,
) -> Trial:
    """Trains a fresh model.

    Args:
      recipe: what to train.
      rows: raw train rows (n, *shape), in memory or on disk.
      preprocessing: fitted on these rows.
      seed: of the initial weights and the order of the rows; shared by configurations that are compared.
      targets: raw rows that are asked back, in the order of `rows`; None asks for the rows themselves.
      workshop: where compiled programs are used again, and which devices train; None for one device.
      score: maps a predictor (raw rows to raw rows) to its score on the select rows. In the middle of a training
        a stochastic model gives one draw, which leaves its random state as it was.
      score_at: epochs (1-based) after which `score` is asked; early stopping adds its own.
      on_epoch: called after each epoch with its number (1-based); may raise `OutOfTime`.
      checkpoints: of an earlier process that trained the same, to go on from, and to be written; None for neither.
      until: pause after this epoch (a checkpoint is written); None trains to the end.
      telemetry: whether the figures of `aetfx.training.telemetry` are read after each epoch; "histograms" for those of
        the weights as well.
      jit: whether XLA may compile the training step, which pays where a training is long.

    Raises:
      OutOfTime: `on_epoch` did.
      Stopped: the process was asked to end; a checkpoint is written where there can be one.
      RunError: a checkpoint cannot be written, because the disk is full.
      ModelError: the model cannot be built, compiled or fitted.
    """
    import keras

    started = time.perf_counter()
    workshop = workshop or Workshop()
    replicas = workshop.replicas(recipe)
    keras.utils.set_random_seed(seed)
    fed, target = feed_of(recipe, preprocessing, rows, targets)
    model = recipe.source.build()
    padded = needs_padding(len(fed), recipe.batch_size, replicas)
    bench = workshop.bench(recipe, n_rows=len(fed), padded=padded, jit=jit)
    bench.reset(model, recipe.learning_rate)
    asked = set(score_at)
    if recipe.patience is not None:
        asked |= set(range(1, recipe.epochs + 1))
    elif recipe.early_stopping:
        asked |= set(np.unique(np.linspace(1, recipe.epochs, min(recipe.epochs, 40)).round().astype(int)).tolist())
    last = min(until or recipe.epochs, recipe.epochs)
    watch = make_watcher(
        bench,
        recipe,
        fed,
        score=None if score is None else lambda: score(lambda rows: predict(bench.forward, preprocessing, rows)),
        asked=asked,
        checkpoints=checkpoints,
        until=last,
        on_epoch=on_epoch,
        telemetry=Telemetry(bench, recipe, fed, target) if telemetry else None,
        histograms=telemetry == "histograms",
    )
    keras.utils.set_random_seed(seed)  # tracing may or may not have drawn numbers
    try:
        with stopping.heeded():
            run_epochs(
                bench.model,
                fed,
                target,
                batch_size=recipe.batch_size,
                seed=seed,
                epochs=last,
                first=watch.first,
                done=watch.done,
                replicas=replicas,
                feeding=recipe.step.feeding,
                execution=bench.execution,
                callbacks=[watch],
            )
    except (KeyboardInterrupt, MemoryError, OutOfTime, RunError):  # none is a fault of this configuration
        raise
    except Exception as error:
        raise ModelError(
            f"training '{recipe.name}' stopped: {reason(error)}. "
            f"Check that the model can be fitted with model.fit({'x' if recipe.step.feeding == 'rows' else 'x, x'})."
        ) from error
    model.set_weights(watch.best_weights if watch.best_weights is not None else bench.model.get_weights())
    return Trial(
        recipe,
        seed,
        model,
        preprocessing,
        np.array(watch.losses, dtype=np.float64),
        watch.scores,
        watch.best_epoch,
        time.perf_counter() - started,
        paused=last < recipe.epochs and not watch.ended,
        telemetry=watch.telemetry,
        histograms=watch.histograms,
    )


def feed_of(
    recipe: Recipe,
    preprocessing: Preprocessing,
    rows: np.ndarray | DiskRows,
    targets: np.ndarray | DiskRows | None,
) -> tuple[Feed, Feed]:
    """Returns rows and targets as fed, float32; one object where they are the same."""
    fed = _feed(preprocessing, rows)
    if targets is None or targets is rows:
        return fed, _feed(preprocessing, rows, impute=False) if recipe.masks_targets else fed
    # Targets are reconstructions of the same things: in and out of the network they must have one scale.
    return fed, _feed(preprocessing, targets, impute=not recipe.masks_targets)


def _feed(preprocessing: Preprocessing, rows: np.ndarray | DiskRows, *, impute: bool = True) -> Feed:
    if isinstance(rows, DiskRows):
        return DiskFeed(rows, preprocessing, impute)
    return preprocessing.apply(rows, impute=impute)
