"""How a model's own training step wants to be fed: found out on a rebuilt copy with one small batch.

A class with a `train_step` of its own takes what its author passes to `fit`: rows alone (`vae.fit(x)`), or pairs
(`vae.fit(x, x)`). Which of the two cannot be read off the class, so both are tried. Such a step knows nothing of
the weights that padded batches carry, and does not scale its loss by the number of replicas. It is therefore
always trained on one device, so that the number of replicas changes nothing.

A `compile` of its own is called by the user's function alone (a model with several optimizers, as in a GAN): such
a model is made and traced anew for every training, which also gives it fresh optimizers.

Terms: the *own* step of a model is a `train_step` that Keras did not write.
"""

from __future__ import annotations

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
    """

    own: bool = False
    feeding: str = "pairs"
    eager: bool = False
    loss_key: str = "loss"
    own_compile: bool = False


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
      ModelError: it can be fitted neither with rows nor with pairs, or reports no figure at all.
    """
    first: Exception | None = None
    tries = ("pairs", "rows") if has_loss else ("rows", "pairs")
    for eager in (False, True):
        for feeding in tries:
            try:
                logs = _one_update(build(eager), rows[:_ROWS], feeding)
            except Exception as error:
                first = first or error
                continue
            return TrainStep(True, feeding, eager, _loss_key(logs), own_compile)
    told = [line.strip() for line in str(first).splitlines() if line.strip()]
    raise ModelError(
        f"the model's train_step can be fitted neither with model.fit(x{', x' * has_loss}) nor with "
        f"model.fit(x{', x' * (not has_loss)}): {type(first).__name__}: {(told or ['no message'])[0][:200]}. "
        "Check it with one of these calls."
    ) from first


def _one_update(model: Any, rows: np.ndarray, feeding: str) -> dict[str, Any]:
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors(rows if feeding == "rows" else (rows, rows))
    return dict(model.fit(data, epochs=1, verbose=0).history)


def _loss_key(logs: Mapping[str, Any]) -> str:
    """Chooses the figure that is the training loss: the whole one before its parts."""
    losses = [name for name in logs if "loss" in name.lower()]
    whole = [name for name in losses if not any(part in name.lower() for part in _PARTS)]
    for names in (_TOTALS, whole, [name for name in losses if "rec" in name.lower()], losses, list(logs)):
        found = next((name for name in names if name in logs), None)
        if found is not None:
            return found
    raise ModelError("the model's train_step reports no loss. Let it return a dictionary: {'loss': ...}.")
