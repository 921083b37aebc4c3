"""What goes on beside `fit`: scores, the best weights, checkpoints, and the reasons to end early."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aetfx.models.draws import undisturbed
from aetfx.training import stopping
from aetfx.training.checkpoint import Checkpoints, Snapshot
from aetfx.training.feed import updates_per_epoch
from aetfx.training.recipe import Recipe
from aetfx.training.schedules import factor
from aetfx.training.step import loss_in
from aetfx.training.telemetry import Telemetry, histogram_epochs
from aetfx.training.workshop import Bench

_PROBE_ROWS = 16


def make_watcher(
    bench: Bench,
    recipe: Recipe,
    fed: np.ndarray,
    *,
    score: Callable[[], float] | None,
    asked: set[int],
    checkpoints: Checkpoints | None,
    until: int,
    on_epoch: Callable[[int], None] | None,
    telemetry: Telemetry | None = None,
    histograms: bool = False,
) -> Any:
    """Makes the Keras callback of one training; it knows how far an earlier process came.

    Args:
      bench: what is trained.
      recipe: why.
      fed: rows as fed.
      score: gives the score of what is trained on the select rows.
      asked: epochs (1-based) after which it is scored.
      checkpoints: where they are written; None for nowhere.
      until: the last epoch of this run; a checkpoint is written after it unless it is the last of the recipe.
      on_epoch: called after each epoch with its number (1-based); may raise.
      telemetry: read after each epoch; None for never.
      histograms: whether those of the weights are read too.
    """
    import keras

    updates = updates_per_epoch(len(fed), recipe.batch_size)
    spread_at = histogram_epochs(recipe.epochs) if histograms else set()
    needed = {epoch for epoch in asked if epoch <= until}
    begun = checkpoints.latest(needed) if checkpoints is not None and not recipe.step.own else None

    class Watcher(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            found = begun or Snapshot(0, 0, [])
            self.first, self.done = found.epoch, found.step
            self.losses, self.scores = list(found.losses), dict(found.scores)
            self.best_epoch, self.best_weights = found.best_epoch, found.best_weights
            self.telemetry, self.histograms = list(found.telemetry), list(found.histograms)
            self.epoch = self.first
            self.ended = False
            self._resumable: bool | None = None
            if begun is not None:
                self._restore(begun.variables)
            if telemetry is not None and not self.done:
                telemetry.begin()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch
            if recipe.schedule:
                times = factor(recipe.schedule, epoch, recipe.epochs, self.losses)
                bench.model.optimizer.learning_rate = recipe.learning_rate * times
            if begun is not None and epoch == self.first and self.done:  # Keras has just set its means to zero
                for variable, value in zip(self._metrics(), begun.variables[len(self._variables()) :], strict=True):
                    variable.assign(value)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            step = batch + 1 + (self.done if self.epoch == self.first else 0)
            if step < updates:
                self._pause(step)

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            epoch += 1
            self.epoch = epoch
            loss = loss_in(logs, recipe.step)
            if loss is not None:
                self.losses.append(float(np.mean(loss)) + float((logs or {}).get("repeat_correction", 0.0)))
            if telemetry is not None:
                self.telemetry.append(telemetry.read())
                if epoch in spread_at:
                    self.histograms += telemetry.histograms(epoch)
            if score is not None and epoch in asked:
                with undisturbed(bench.model):
                    found = float(score())
                better = found < min(self.scores.values(), default=math.inf)  # as good is no reason to go on
                self.scores[epoch] = found
                if recipe.early_stopping and better:
                    self.best_epoch, self.best_weights = epoch, bench.model.get_weights()
            if on_epoch is not None:
                on_epoch(epoch)
            diverged = loss is not None and not math.isfinite(float(np.mean(loss)))
            tired = recipe.patience is not None and epoch - (self.best_epoch or epoch) >= recipe.patience
            if diverged or tired:
                self.ended = self.model.stop_training = True
            elif epoch < recipe.epochs:
                self._pause(0, now=epoch == until)

        def _pause(self, step: int, *, now: bool = False) -> None:
            """Writes a checkpoint where one is due; ends the training where that was asked for."""
            asked_to_stop = stopping.asked()
            if checkpoints is not None and (now or asked_to_stop or checkpoints.due) and self._can_resume():
                values = [np.asarray(v) for v in (*self._variables(), *(self._metrics() if step else ()))]
                checkpoints.save(
                    Snapshot(
                        self.epoch,
                        step,
                        values,
                        self.losses,
                        self.scores,
                        self.best_epoch,
                        self.best_weights,
                        self.telemetry,
                        self.histograms,
                    )
                )
            if asked_to_stop:
                raise stopping.Stopped

        def _can_resume(self) -> bool:
            """Whether all that the training draws from is among the variables that are written."""
            if self._resumable is None:
                with undisturbed(bench.model):
                    self._resumable = not recipe.step.own and not _draws_in_secret(recipe, fed)
            return self._resumable

        def _variables(self) -> list[Any]:
            return [*bench.state, *bench.model.optimizer.variables]

        def _metrics(self) -> list[Any]:
            return [variable for metric in bench.model.metrics for variable in metric.variables]

        def _restore(self, values: list[np.ndarray]) -> None:
            for variable, value in zip(self._variables(), values, strict=False):  # those of metrics come later
                variable.assign(value)

    return Watcher()


def _draws_in_secret(recipe: Recipe, fed: np.ndarray) -> bool:
    """Whether layers of the user's own draw numbers from a state that is not among the model's variables."""
    if not recipe.source.objects and recipe.source.factory is None:
        return False
    model = recipe.source.build()
    rows = fed[:_PROBE_ROWS]
    model(rows, training=True)
    kept = [np.asarray(variable) for variable in model.variables]
    answers = []
    for _ in range(2):
        for variable, value in zip(model.variables, kept, strict=True):
            variable.assign(value)
        answers.append(np.asarray(model(rows, training=True)))
    return not np.array_equal(answers[0], answers[1], equal_nan=True)
