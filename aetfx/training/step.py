"""How a model's own training step wants to be fed: found out on a rebuilt copy with one small batch.

A class with a `train_step` of its own takes what its author passes to `fit`: rows alone (`vae.fit(x)`), or pairs
(`vae.fit(x, x)`). Which of the two cannot be read off the class, so both are tried. Such a step knows nothing of
the weights that repeated rows carry, and does not scale its loss by the number of replicas. It is therefore
always trained on one device, so that the number of replicas changes nothing.

A `compile` of its own is called by the user's function alone (a model with several optimizers, as in a GAN): such
a model is made and traced anew for every training, which also gives it fresh optimizers.

Terms: the *own* step of a model is a `train_step` that Keras did not write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.errors import ModelError

_ROWS = 5  # odd and above two, so that `x, y = data` does not take two rows for a pair
_TOTALS = ("loss", "total_loss", "train_loss")
_PARTS = ("kl", "rec", "reg", "val_")  # of names of losses that are parts of the whole


@dataclass(frozen=True)
class TrainStep:
    """What a training step is like.

    Attributes:
      own: the model brings it.
      feeding: "pairs" (rows and targets) or "rows" (rows alone).
      eager: it runs only outside of a TensorFlow graph.
      loss_key: the name under which it reports its loss.
      own_compile: the model also brings a `compile` whose arguments only its author knows.
      lost: Keras reports another figure under that name than the step returned: the step returns a bare value, and
        Keras's own tracker of the same name, which the step never updates, takes its place at the end of an epoch.
    """

    own: bool = False
    feeding: str = "pairs"
    eager: bool = False
    loss_key: str = "loss"
    own_compile: bool = False
    lost: bool = False


KERAS_STEP = TrainStep()


def has_own_step(model: Any) -> bool:
    """Whether the model's class brings a `train_step`."""
    return not type(model).train_step.__module__.startswith("keras.")


def has_own_compile(model: Any) -> bool:
    """Whether the model's class brings a `compile`."""
    return not type(model).compile.__module__.startswith("keras.")


def own_optimizers(model: Any) -> list[Any]:
    """Returns the optimizers that a model holds, each once; the one that Keras made unasked comes last."""
    import keras

    items = [getattr(model, "optimizer", None), *vars(model).values()]
    held = list({id(item): item for item in items if isinstance(item, keras.optimizers.Optimizer)}.values())
    return held[1:] + held[:1] if has_own_compile(model) else held


def loss_in(logs: Mapping[str, Any] | None, step: TrainStep) -> Any:
    """Returns the training loss among the figures of an epoch; None where there is none."""
    return (logs or {}).get(step.loss_key)


def probe_step(
    build: Callable[[bool], Any], rows: np.ndarray, *, has_loss: bool, own_compile: bool = False
) -> TrainStep:
    """Finds out how a model's own step is fed, by one update of a copy each.

    Args:
      build: makes a fresh, compiled copy; its argument says whether it is to run eagerly.
      rows: a few rows as fed, float32 (n, *shape).
      has_loss: the model is compiled with a loss, so that pairs are more likely than rows alone.
      own_compile: see `TrainStep`.

    Raises:
      ModelError: it can be fitted neither with rows nor with pairs.
    """
    first: Exception | None = None
    tries = ("pairs", "rows") if has_loss else ("rows", "pairs")
    for eager in (False, True):
        for feeding in tries:
            try:
                returned, reported = _one_update(build(eager), rows[:_ROWS], feeding)
            except Exception as error:
                first = first or error
                continue
            key = _loss_key(reported)
            lost = not np.allclose(returned.get(key, np.nan), reported.get(key, np.nan), rtol=1e-3, equal_nan=True)
            return TrainStep(True, feeding, eager, key, own_compile, lost)
    raise ModelError(
        f"the model's train_step can be fitted neither with model.fit(x{', x' * has_loss}) nor with "
        f"model.fit(x{', x' * (not has_loss)}): {reason(first)}. "
        "Check it with one of these calls."
    ) from first


def reason(error: BaseException | None) -> str:
    """Words what was raised in a user's code in one line, without what Keras and TensorFlow put around it."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", re.split(r"Exception encountered when calling .*", str(error))[-1])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    nodes = [i for i, line in enumerate(lines) if line.startswith("[[")]
    if lines and lines[0].startswith("Graph execution error") and nodes and nodes[0] > 0:
        lines = lines[nodes[0] - 1 :]  # before it stands where in the graph; the reason is the last line
    return f"{type(error).__name__}: {(lines or ['no message'])[0][:200].rstrip('.')}"


def track_loss(model: Any, step: TrainStep) -> None:
    """Lets a model whose loss gets lost report the mean over an epoch of what its step returns."""
    import keras

    if not step.lost:
        return
    base, key = type(model), step.loss_key
    tracker = keras.metrics.Mean(name=key)

    def train_step(self: Any, data: Any) -> dict[str, Any]:
        logs = dict(base.train_step(self, data))
        tracker.update_state(logs[key])
        return {**logs, key: tracker.result()}

    # Of two metrics of one name Keras reports the later one.
    members = {"train_step": train_step, "metrics": property(lambda self: [*base.metrics.fget(self), tracker])}
    object.__setattr__(model, "__class__", type(base.__name__, (base,), members))


def _one_update(model: Any, rows: np.ndarray, feeding: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fits a model for one update; returns the figures that its step returned, and those that Keras reports."""
    import keras
    import tensorflow as tf

    returned: dict[str, Any] = {}

    class Listener(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            returned.update({name: float(np.mean(value)) for name, value in (logs or {}).items()})

    data = tf.data.Dataset.from_tensors(rows if feeding == "rows" else (rows, rows))
    history = model.fit(data, epochs=1, shuffle=False, verbose=0, callbacks=[Listener()]).history
    return returned, {name: float(np.mean(values)) for name, values in history.items()}


def _loss_key(logs: Mapping[str, Any]) -> str:
    """Chooses the figure that is the training loss: the whole one before its parts."""
    losses = [name for name in logs if "loss" in name.lower()]
    whole = [name for name in losses if not any(part in name.lower() for part in _PARTS)]
    for names in (_TOTALS, whole, [name for name in losses if "rec" in name.lower()], losses, list(logs)):
        found = next((name for name in names if name in logs), None)
        if found is not None:
            return found
    return "loss"
