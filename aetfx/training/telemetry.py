"""Figures of a training beside its loss, read once per epoch from one fixed batch of probe rows.

- `gradient_norm`: length of the loss's gradient over all trainable weights.
- `update_ratio`: how far the weights moved in the epoch, as a part of their length.
- `dead_share`: part of the hidden units that answer the same to every probe row.
- `saturated_share`: part of the answers of sigmoid and tanh units that lie within 1 % of an end of their range.
- `output_low`, `output_high`: what the model puts out.
- `code_used`: part of the units of the code whose answers vary by at least 1 % of the most varied one's.

One compiled function reads them all. A model that trains itself has a loss of its own making, so that of such a model
only what one pass shows is told.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aetfx.models.activations import activation_name
from aetfx.models.draws import undisturbed
from aetfx.models.reading import read_architecture
from aetfx.models.tracing import first_tensor, trace
from aetfx.training.recipe import Recipe
from aetfx.training.step import reason
from aetfx.training.workshop import Bench

PROBE_ROWS = 256
_SAME = 1e-6  # sd of a unit's answers below which they are the same
_END = 0.01
_BOUNDED = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
_USED = 0.01

# "histograms" reads also how the values of each weight are spread, at no more than `MOST_HISTOGRAMS` epochs.
Kind = bool | Literal["histograms"]
MOST_HISTOGRAMS = 25
_BUCKETS = 30


@dataclass(frozen=True)
class Histogram:
    """How the values of one weight are spread.

    Attributes:
      epoch: after which (1-based).
      name: path of the weight.
      low, high: of its finite values.
      counts: of values in equally wide buckets.
    """

    epoch: int
    name: str
    low: float
    high: float
    counts: tuple[int, ...]


def histogram_epochs(epochs: int) -> set[int]:
    """Returns the epochs after which histograms are read, the first and the last among them.

    >>> sorted(histogram_epochs(3)), len(histogram_epochs(1000))
    ([1, 2, 3], 25)
    """
    return {int(epoch) for epoch in np.linspace(1, epochs, min(epochs, MOST_HISTOGRAMS)).round()}


class Telemetry:
    """Reads the figures of one training.

    Args:
      bench: what is trained.
      recipe: why.
      fed, target: rows as fed and what is asked back, float32 (n, *shape); the first few are the probe.
    """

    def __init__(self, bench: Bench, recipe: Recipe, fed: np.ndarray, target: np.ndarray):
        self._bench, self._model, self._name = bench, bench.model, recipe.name
        self._probe = fed[:PROBE_ROWS], target[:PROBE_ROWS]
        self._weights: list[np.ndarray] | None = None
        if bench.reader is None:
            with undisturbed(bench.model):  # else the first training of a bench would draw other numbers than the rest
                # Read off a copy: reading draws other weights for a while.
                architecture = read_architecture(recipe.source.build(), recipe.source.shape)
            hidden = [facts.last for facts in architecture.inner]
            code = None if architecture.code is None else architecture.code.last
            bench.reader = _compiled(bench.model, hidden, code, own=recipe.step.own)

    def begin(self) -> None:
        """Takes note of the weights as an epoch begins; without that, `update_ratio` is left out of its figures."""
        self._weights = [np.asarray(weight) for weight in self._model.trainable_weights]

    def histograms(self, epoch: int) -> list[Histogram]:
        """Returns how the values of each trainable weight are spread as the model stands now."""
        found = []
        for weight in self._model.trainable_weights:
            values = np.asarray(weight, dtype=np.float64).ravel()
            values = values[np.isfinite(values)]
            if values.size:
                low, high = float(values.min()), float(values.max())
                counts, _ = np.histogram(values, _BUCKETS, (low, high if high > low else low + 1.0))
                found.append(Histogram(epoch, str(weight.path), low, high, tuple(int(count) for count in counts)))
        return found

    def read(self) -> dict[str, float]:
        """Returns the figures as the model stands now; of a model that does not let itself be looked into, fewer."""
        try:
            with undisturbed(self._model):
                found = {name: float(value) for name, value in self._bench.reader(*self._probe).items()}
        except Exception as error:  # of the user's own code; the training itself goes well
            warnings.warn(
                f"the telemetry of '{self._name}' cannot be read ({reason(error)}); it is trained without.",
                stacklevel=2,
            )
            self._bench.reader, found = _nothing, {}
        before, now = self._weights, [np.asarray(weight) for weight in self._model.trainable_weights]
        if before is not None:
            length, moved = _length(before), _length([w - b for w, b in zip(now, before, strict=True)])
            found["update_ratio"] = moved / length if length > 0 else 0.0
        self._weights = now
        return found


def _length(weights: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.square(weight, dtype=np.float64).sum() for weight in weights)))


def _nothing(rows: Any, targets: Any) -> dict[str, Any]:
    return {}


def _compiled(model: Any, hidden: list[str], code: str | None, *, own: bool) -> Any:
    """Returns a TensorFlow function from probe rows and targets to the figures.

    Args:
      model: compiled.
      hidden: names of the layers whose outputs are those of hidden units.
      code: the one among them that is the code, or None.
      own: the model trains itself, so that nothing is known of its loss.
    """
    import tensorflow as tf

    # Keras has passed it since 3.3; a `compute_loss` of the user's may be older.
    how = {"training": False} if "training" in inspect.signature(model.compute_loss).parameters else {}

    def look(rows: Any, targets: Any) -> dict[str, Any]:
        with tf.GradientTape(watch_accessed_variables=not own) as tape:
            calls, output = trace(model, rows)
            output = first_tensor(output)
            loss = None if own else model.compute_loss(rows, targets, output, **how)
        found = {"output_low": tf.reduce_min(output), "output_high": tf.reduce_max(output)}
        if loss is not None:
            gradients = [g for g in tape.gradient(loss, model.trainable_weights) if g is not None]
            found["gradient_norm"] = tf.linalg.global_norm(gradients)
        outputs = {call.name: (call.layer, tf.cast(first_tensor(call.output), tf.float32)) for call in calls}
        dead, units, ends, answers = 0.0, 0.0, 0.0, 0.0
        for name in hidden:
            if name not in outputs:
                continue
            layer, values = outputs[name]
            spread = tf.math.reduce_std(tf.reshape(values, (-1, values.shape[-1])), axis=0)
            dead += tf.reduce_sum(tf.cast(spread < _SAME, tf.float32))
            units += float(values.shape[-1])
            if name == code:
                found["code_used"] = tf.reduce_mean(tf.cast(spread >= _USED * tf.reduce_max(spread), tf.float32))
            if (kind := activation_name(layer)) in _BOUNDED:
                low, high = _BOUNDED[kind]
                margin = _END * (high - low)
                at_end = tf.logical_or(values < low + margin, values > high - margin)
                ends += tf.reduce_sum(tf.cast(at_end, tf.float32))
                answers += tf.cast(tf.size(values), tf.float32)
        if units:
            found["dead_share"] = dead / units
        if not isinstance(answers, float):
            found["saturated_share"] = ends / answers
        return found

    return tf.function(look, autograph=False)
