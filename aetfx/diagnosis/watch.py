"""`aetfx.Watch`: symptoms of a failing autoencoder, told while you train it yourself.

  model.fit(x_train, x_train, epochs=50, callbacks=[aetfx.Watch(x_train)])

  aetfx.Watch: epoch 7: the loss jumps by 31 % from epoch to epoch. Suggests optimizer.learning_rate_too_high; to
  verify: aetfx.diagnose(model, x_train, epochs=50, batch_size=32)

A symptom proves nothing; the experiments of `aetfx.diagnose` do. Each is told once and kept in `watch.symptoms`.

Everything is read at the ends of epochs: the logs, the biases, some entries of the kernels, and, where probe rows are
given, one pass of at most 256 of them at epochs 1, 2, 4, 8, ... and at the end. A pass is left out while the time spent
here would exceed 2 % of the training's; `watch.seconds` says how much it was.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from aetfx.diagnosis import symptoms
from aetfx.diagnosis.probe import Probe
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.errors import StudyError, nearest
from aetfx.models.activations import CAN_DIE, activation_name
from aetfx.models.draws import undisturbed
from aetfx.models.serial import leaf_layers
from aetfx.training.recipe import loss_name
from aetfx.words import percent

SYMPTOMS = (
    "nan", "negative", "rising", "oscillating", "hardly_moving", "at_the_mean", "still_falling", "dead_units",
    "missing", "output_range", "unlike_scales", "batch_norm", "large_batch",
)  # fmt: skip

_SHARE = 0.02  # of the training's time that optional passes may take
_MOST_ENTRIES = 4096  # of a kernel that are kept to see whether it moves
_LEAST_EPOCHS = 3  # before a model is said to be at the mean
# Symptoms that explain why a training gets nowhere, the nearest explanation first.
_REASONS = ("missing", "negative", "unlike_scales", "output_range", "dead_units", "large_batch")


@dataclass(frozen=True)
class Symptom:
    """Something seen in a training.

    Attributes:
      name: one of `SYMPTOMS`.
      epoch: at whose end it was seen (1-based); 0 before the first.
      message: what was seen.
      suggests: the cause code that it suggests.
    """

    name: str
    epoch: int
    message: str
    suggests: str


class Watch(keras.callbacks.Callback):
    """A callback that tells symptoms while a model trains. It changes nothing.

    Args:
      x: probe rows as you feed them, an array (n, ...); None watches the loss and the weights only.
      y: their targets, where they are not the rows themselves.
      stop_on: names of symptoms at which the training is to stop; see `SYMPTOMS`. By default it never does.
      say: is given each line; None prints it on stderr.
      thresholds: numbers of `aetfx.diagnosis.thresholds` to override, by name.

    Attributes:
      symptoms: what was seen, in order.
      seconds: time spent in this callback.

    Raises:
      DataError: `x` or `y` is not an array of rows.
      StudyError: an unknown name in `stop_on` or `thresholds`.
    """

    def __init__(
        self,
        x: Any = None,
        y: Any = None,
        *,
        stop_on: Iterable[str] = (),
        say: Callable[[str], Any] | None = None,
        thresholds: dict[str, float] | None = None,
    ):
        super().__init__()
        self._stop_on = (stop_on,) if isinstance(stop_on, str) else tuple(stop_on)
        for name in self._stop_on:
            if name not in SYMPTOMS:
                raise StudyError(f"Watch(stop_on=...): unknown symptom '{name}'.{nearest(name, SYMPTOMS)}")
        self._thresholds = Thresholds.with_overrides(thresholds or {})
        self._given = None if x is None else Probe(x, y)
        self._say = say or functools.partial(print, file=sys.stderr, flush=True)
        self.symptoms: list[Symptom] = []
        self.seconds = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.symptoms, self.seconds = [], 0.0
        self._losses: list[float] = []
        self._lines: list[str] = []
        self._unsteady = {"rising": 0, "oscillating": 0}
        self._batch_size: int | None = None
        self._epoch, self._last_pass_seconds, self._pass_at = 0, 0.0, 1
        self._started = time.perf_counter()
        self._probe, self._broken = self._given, False
        self._watched: list[Any] = []
        self._updates: int | None = None
        with self._looking():
            self._updates = _updates(self.model)
            self._begin()
        self._tell()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        # Not at the end of an epoch: Keras's progress bar has not finished its line there.
        self._tell()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch += 1
        with self._looking():
            loss = _loss_in(logs or {})
            if loss is None or self._broken:
                return
            self._losses.append(loss)
            if not math.isfinite(loss):
                self._found("nan", *self._why_nan())
                return
            self._look_at_loss()
            if self._epoch == 1:
                self._look_at_batches()
            if not self._watched:
                self._begin()  # a model that its first batch has built
                return
            self._look_at_biases()
            self._pass_probe(last=False)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        with self._looking():
            losses = np.array(self._losses)
            if len(losses) and np.isfinite(losses[-1]) and not self._broken:
                self._pass_probe(last=True)
                self._look_at_movement()
                self._look_at_end(losses)
        self._tell()

    def _begin(self) -> None:
        """Notes where the weights are. A model that is not built yet is left alone: its weights must be its own."""
        if self._epoch == 0 and self._probe is not None:
            missing = self._probe.missing()
            if missing:
                self._found("missing", "data.missing", missing)
        if not self.model.built or not self.model.trainable_weights:
            return
        self._watched = list(_watched_layers(self.model))
        self._kernels = [_entries(layer) for layer in self._watched]
        self._biases = [_bias(layer) for layer in self._watched]
        self._look_at_rows()

    def _look_at_rows(self) -> None:
        """What probe rows show about the model and its scale."""
        if self._probe is None or not self._safely(self._probe.begin):
            return
        unreachable = self._probe.unreachable(self._thresholds)
        if unreachable:
            self._found("output_range", *unreachable)
        scales = self._probe.unlike_scales(_optimizer_name(self.model), self._thresholds)
        if scales:
            self._found("unlike_scales", "data.scaling", scales)

    def _look_at_loss(self) -> None:
        losses, t = np.array(self._losses), self._thresholds
        # A loss that wobbles once nearly all of it is gone is no fault.
        if losses[-1] > t.least_drop * losses[0]:
            for name in ("rising", "oscillating"):
                seen = getattr(symptoms, name)(losses, t)
                self._unsteady[name] = self._unsteady[name] + 1 if seen else 0
                if seen and self._unsteady[name] >= t.watch_patience:
                    self._found(name, "optimizer.learning_rate_too_high", seen)
        if losses[-1] < 0 and _loss_name(self.model) == "bce":
            self._found(
                "negative", "loss.mismatch", f"a binary cross-entropy of {losses[-1]:.4g}: targets lie outside 0 to 1"
            )

    def _look_at_batches(self) -> None:
        """Batch size and rows, as far as the counters of loss and optimizer tell them."""
        updates = None if self._updates is None else (_updates(self.model) or 0) - self._updates
        n_rows = _rows_counted(self.model)
        if not updates or not n_rows:
            return
        t, batch = self._thresholds, _batch_size(n_rows, updates)
        self._batch_size = batch
        norm = any(type(layer).__name__ == "BatchNormalization" for layer in leaf_layers(self.model).values())
        if norm and batch < t.batch_norm_batch:
            self._found("batch_norm", "optimizer.batch_size", f"batch normalisation over batches of {batch} rows")
        if symptoms.large_batch(batch, n_rows, t):
            word = "update" if updates == 1 else "updates"
            self._found(
                "large_batch",
                "optimizer.batch_size",
                f"a batch of {batch} of {n_rows} train rows: {updates} {word} per epoch",
            )

    def _look_at_biases(self) -> None:
        """A bias that is the same to the last bit after a whole epoch had no gradient: its unit is dead."""
        before, self._biases = self._biases, [_bias(layer) for layer in self._watched]
        pairs = list(zip(before, self._biases, strict=True))
        steps = [np.abs(now - then) for then, now in pairs if then is not None and now is not None]
        moved = np.concatenate([step[step > 0] for step in steps]) if steps else np.array([])
        if not len(moved):
            return
        usual_step = float(np.median(moved))
        for layer, (then, now) in list(zip(self._watched, pairs, strict=True))[:-1]:
            if then is None or now is None or activation_name(layer) not in CAN_DIE:
                continue
            # A bias so large that a usual step is lost in its rounding tells nothing.
            still = int(((now == then) & (np.spacing(np.abs(now)) < usual_step)).sum())
            if still >= self._thresholds.dead_share * len(now):
                self._found(
                    "dead_units",
                    "model.dead_units",
                    f"{still} of {len(now)} units of '{layer.name}' had no gradient in a whole epoch",
                )

    def _pass_probe(self, last: bool) -> None:
        """Runs the probe rows through the model, where it is time to and time allows."""
        probe = self._probe
        if probe is None or not (last or self._epoch >= self._pass_at):
            return
        elapsed = time.perf_counter() - self._started
        if not last and self.seconds + self._last_pass_seconds > _SHARE * elapsed:
            return
        started = time.perf_counter()
        self._pass_at = 2 * self._epoch

        def look(model: Any) -> None:
            probe.run(model)
            dead = probe.dead_units(self._thresholds)
            if dead:
                self._found("dead_units", "model.dead_units", dead)
            planned = self.params.get("epochs") or self._epoch
            if self._epoch < _LEAST_EPOCHS or not (last or 2 * self._epoch >= planned):
                return
            score = probe.score()
            if score is not None and score > self._thresholds.at_the_mean:
                self._found(
                    "at_the_mean",
                    self._why_slow(),
                    f"a score of {score:.2f} on the probe rows, where their mean gives 1: nothing is learnt so far",
                )

        self._safely(look)
        self._last_pass_seconds = time.perf_counter() - started

    def _look_at_movement(self) -> None:
        """Kernels that are where they were drawn, and a loss that shows it."""
        t, losses = self._thresholds, self._losses
        moves = [
            float(np.linalg.norm(_entries(layer) - start) / np.linalg.norm(start))
            for layer, start in zip(self._watched, self._kernels, strict=True)
            if np.linalg.norm(start) > 0
        ]
        if moves and max(moves) < t.hardly_moved and losses[-1] > t.at_the_mean * losses[0]:
            fell = f"the loss fell from {losses[0]:.4g} to {losses[-1]:.4g} only"
            self._found(
                "hardly_moving",
                self._why_slow(),
                f"no kernel moved by more than {percent(max(moves), 1)} of its size, and {fell}",
            )

    def _look_at_end(self, losses: np.ndarray) -> None:
        fell = symptoms.fall(losses)
        below_zero = any(symptom.name == "negative" for symptom in self.symptoms)
        if not below_zero and len(losses) >= _LEAST_EPOCHS and fell > self._thresholds.still_falling:
            self._found(
                "still_falling",
                self._why_slow(),
                f"the loss still fell {percent(fell, 1)} over the last fifth of the epochs",
            )

    def _why_nan(self) -> tuple[str, str]:
        """The first layer whose weights are not finite, and what that suggests."""
        broken = next(
            (
                layer.name
                for layer in leaf_layers(self.model).values()
                if any(not np.isfinite(np.asarray(w)).all() for w in layer.trainable_weights)
            ),
            None,
        )
        where = f"; the weights of '{broken}' are not finite" if broken else ""
        # Without probe rows a loss that is NaN from the first epoch on most often comes of the rows.
        gaps = self._epoch == 1 if self._given is None else self._given.missing() is not None
        code = "data.missing" if gaps else "optimizer.learning_rate_too_high"
        return code, f"the loss became NaN or infinite{where}"

    def _why_slow(self) -> str:
        """The cause that a training which gets nowhere suggests: of what was seen before, or by its optimizer."""
        seen = {symptom.name: symptom.suggests for symptom in self.symptoms}
        for reason in _REASONS:
            if reason in seen:
                return seen[reason]
        name, rate = _optimizer_name(self.model), _rate(self.model)
        if name in ("sgd", "adadelta", "adagrad"):
            return "optimizer.choice"
        if rate is None or symptoms.usual_rate(name, rate, self._thresholds):
            return "optimizer.undertrained"
        low = rate < self._thresholds.usual_rate_low
        return f"optimizer.learning_rate_too_{'low' if low else 'high'}"

    def _found(self, name: str, suggests: str, message: str) -> None:
        """Notes a symptom that is new, and stops the training where that was asked for."""
        if any(known.name == name for known in self.symptoms):
            return
        self.symptoms.append(Symptom(name, self._epoch, message, suggests))
        when = f"epoch {self._epoch}" if self._epoch else "before training"
        batch = f", batch_size={self._batch_size}" if self._batch_size else ", batch_size=..."
        epochs = self.params.get("epochs") or "..."
        line = (
            f"aetfx.Watch: {when}: {message}. Suggests {suggests}; to verify: "
            f"aetfx.diagnose(model, x_train, epochs={epochs}{batch})"
        )
        if name in self._stop_on:
            self.model.stop_training = True
            line += ". Training stops here, as asked"
        self._lines.append(line)

    def _safely(self, look: Callable[[Any], None]) -> bool:
        """Runs a look at the model; what cannot be looked at never breaks a training, it is said once."""
        try:
            with undisturbed(self.model):
                look(self.model)
        except Exception as error:
            self._lines.append(
                f"aetfx.Watch: the probe rows do not go through this model ({_reason(error)}): "
                "only loss and weights are watched"
            )
            self._probe = None
        return self._probe is not None

    def _tell(self) -> None:
        while self._lines:
            self._say(self._lines.pop(0))

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        """Counts the time inside; an error in here ends the watching and never the training."""
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._broken = True
            self._lines.append(f"aetfx.Watch: watches no longer ({type(error).__name__}: {error}); training goes on")
        finally:
            self.seconds += time.perf_counter() - started


def _reason(error: Exception) -> str:
    """The first line of an error that says why; Keras puts the place before it, and colours."""
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith("Exception encountered")]
    return (told or [type(error).__name__])[0][:160].rstrip(".")


def _loss_in(logs: dict[str, float]) -> float | None:
    """The train loss of an epoch; a `train_step` of the user's own may name it otherwise."""
    name = (
        "loss" if "loss" in logs else next((key for key in logs if "loss" in key and not key.startswith("val_")), None)
    )
    return None if name is None else float(logs[name])


def _watched_layers(model: Any) -> Iterator[Any]:
    """Trainable dense and convolutional layers, in order."""
    for layer in leaf_layers(model).values():
        kernel = getattr(layer, "kernel", None)
        if layer.trainable and kernel is not None and len(kernel.shape) >= 2:
            yield layer


def _entries(layer: Any) -> np.ndarray:
    flat = np.asarray(layer.kernel, np.float32).reshape(-1)
    return flat[:: max(1, len(flat) // _MOST_ENTRIES)].copy()


def _bias(layer: Any) -> np.ndarray | None:
    bias = getattr(layer, "bias", None)
    return None if bias is None else np.array(bias)


def _updates(model: Any) -> int | None:
    iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
    return None if iterations is None else int(np.asarray(iterations))


def _rows_counted(model: Any) -> int | None:
    """Rows of the last epoch, as the mean of the loss has counted them; None with a counter of the user's own."""
    mean = next((metric for metric in model.metrics if metric.name == "loss"), None)
    count = getattr(mean, "count", None)
    return None if count is None else int(np.asarray(count))


def _batch_size(n_rows: int, updates: int) -> int:
    """The batch size of so many updates over so many rows: the roundest number that fits.

    >>> _batch_size(1000, 32), _batch_size(130, 9), _batch_size(200, 2)
    (32, 16, 100)
    """
    least = -(-n_rows // updates)
    most = n_rows if updates == 1 else (n_rows - 1) // (updates - 1)
    power = 1 << (least - 1).bit_length()
    return power if power <= most and least % 10 else least


def _optimizer_name(model: Any) -> str:
    return type(getattr(model, "optimizer", None)).__name__.lower()


def _rate(model: Any) -> float | None:
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    try:
        return None if rate is None else float(np.asarray(rate))
    except (TypeError, ValueError):  # a schedule that needs a step
        return None


def _loss_name(model: Any) -> str:
    loss = getattr(model, "loss", None)
    return loss_name(loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", None)))
