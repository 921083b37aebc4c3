"""Where the first value that is not a number comes from, in a training that became NaN or infinite.

The training is run again from the same seed: whole epochs up to the one that failed, then one update at a time
until a loss or a weight is no longer finite. That update is looked at from outside of TensorFlow's graph: the rows
as fed, the output of each layer in the order of the pass, the loss, the gradients from the last layer back. The
first of them that is not finite is named. It costs the epochs that ran before, so at most the training itself.

Terms: a value is *finite* where it is neither NaN nor infinite. Updates are counted from 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.models.reading import layer_outputs
from aetfx.models.serial import leaf_layers
from aetfx.training.feed import batches, run_epochs, updates_per_epoch
from aetfx.training.step import loss_in
from aetfx.training.trial import Trial
from aetfx.training.workshop import Bench, Workshop


@dataclass(frozen=True)
class FirstNonFinite:
    """Where the first value that is not finite was seen.

    Attributes:
      update: the update in which it was seen.
      place: "rows", "layer", "loss", "slope" (the gradient of the loss itself), "gradient" or "weights".
      layer: name of the layer, for a layer's output, gradient or weights.
      largest: largest magnitude among the finite values that went in: the rows', the layer's input.
    """

    update: int
    place: str
    layer: str | None
    largest: float

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        at = f"at update {self.update:,}"
        size = f"{self.largest:.2g}"
        if self.place == "rows":
            return f"the rows as fed hold NaN or infinite cells {at}, before any layer"
        said = {
            "layer": f"in the output of layer '{self.layer}' {at} (its input is finite, up to {size})",
            "slope": f"in the gradient of the loss {at} (the loss and all layers give finite values, up to {size})",
            "loss": f"in the loss {at} (all layers give finite values, up to {size})",
            "gradient": f"in the gradient of layer '{self.layer}' {at} (its output is finite, up to {size})",
            "weights": f"in the weights of layer '{self.layer}' after update {self.update:,} (its gradient is finite)",
        }
        return f"the first value that is not a number appears {said[self.place]}"


def first_non_finite(trial: Trial, rows: np.ndarray) -> FirstNonFinite | None:
    """Returns where a diverged training stopped being finite.

    Args:
      trial: diverged.
      rows: the raw train rows that it saw.

    Returns:
      None where the training does not diverge again on one device.
    """
    import keras

    recipe, n_rows = trial.recipe, len(rows)
    fed = trial.preprocessing.apply(rows)
    target = trial.preprocessing.apply(rows, impute=False) if recipe.masks_targets else fed
    # A workshop of its own: what is done to its bench must not be met by another training.
    workshop = Workshop()
    keras.utils.set_random_seed(trial.seed)
    fresh = recipe.source.build()
    bench = workshop.bench(recipe, n_rows=n_rows, padded=False)
    bench.reset(fresh, recipe.learning_rate)
    keras.utils.set_random_seed(trial.seed)
    per_epoch = updates_per_epoch(n_rows, recipe.batch_size)
    settings = {"batch_size": recipe.batch_size, "seed": trial.seed, "feeding": recipe.step.feeding}
    before = max(0, len(trial.losses) - 1)
    if before:
        [history] = run_epochs(bench.model, fed, target, **settings, epochs=before)
        losses = loss_in(history.history, recipe.step) or [math.nan]
        if not np.isfinite(losses[-1]):
            return None
    data = batches(fed, target, **settings)
    return _one_by_one(bench, data.skip(before * per_epoch).take(2 * per_epoch), before * per_epoch)


def _one_by_one(bench: Bench, data: Any, done: int) -> FirstNonFinite | None:
    """Runs single updates until one is not finite, and looks into that one."""
    import tensorflow as tf

    model = bench.model
    variables = [*bench.state, *model.optimizer.variables] if model.optimizer is not None else list(bench.state)

    def update(batch: Any) -> Any:
        logs = model.train_step(batch)
        values = [tf.convert_to_tensor(v) for v in (*model.trainable_weights, *_flat(logs))]
        finite = [tf.reduce_all(tf.math.is_finite(v)) for v in values if v.dtype.is_floating]
        return tf.reduce_all(tf.stack(finite))

    step = update if model.run_eagerly else tf.function(update, reduce_retracing=True)
    model.reset_metrics()
    for number, batch in enumerate(data, start=done + 1):
        kept = [np.asarray(variable) for variable in variables]
        if bool(step(batch)):
            continue
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
        return _look(model, batch, number)
    return None


def _look(model: Any, batch: Any, number: int) -> FirstNonFinite:
    """Finds the first value that is not finite in the update that follows the model's present weights."""
    rows = np.asarray(_flat(batch)[0])
    if not np.isfinite(rows).all():
        return FirstNonFinite(number, "rows", None, _largest(rows))
    largest = _largest(rows)
    outputs = layer_outputs(model, rows, training=True)
    for name, output in outputs.items():
        if not np.isfinite(output).all():
            return FirstNonFinite(number, "layer", name, largest)
        largest = _largest(output)
    gradients, logs = _gradients(model, batch)
    owners = _owners(model)
    bad = [path for path, gradient in gradients.items() if not np.isfinite(gradient).all()]
    # Backwards from the output: the layer that comes last in the pass has its gradient first.
    order = [name for name in outputs if any(owners.get(path) == name for path in bad)]
    if not all(np.isfinite(np.asarray(value)).all() for value in _flat(logs)):
        return FirstNonFinite(number, "loss", None, max(map(_largest, outputs.values()), default=0.0))
    if bad and len(bad) == len(gradients):
        return FirstNonFinite(number, "slope", None, max(map(_largest, outputs.values()), default=0.0))
    if bad:
        layer = order[-1] if order else owners.get(bad[0], bad[0])
        return FirstNonFinite(number, "gradient", layer, _largest(outputs.get(layer, rows)))
    broken = [w.path for w in model.trainable_weights if not np.isfinite(np.asarray(w)).all()]
    layer = owners.get(broken[0], broken[0]) if broken else next(iter(outputs), "")
    return FirstNonFinite(number, "weights", layer, 0.0)


def _gradients(model: Any, batch: Any) -> tuple[dict[str, np.ndarray], Any]:
    """Runs one update eagerly; returns the gradients that the optimizer got, by path of the weight, and the logs."""
    seen: dict[str, np.ndarray] = {}
    optimizer = model.optimizer
    apply = optimizer.apply

    def watch(grads: Any, trainable_variables: Any = None) -> Any:
        grads = list(grads)
        for variable, gradient in zip(trainable_variables or model.trainable_weights, grads, strict=False):
            if gradient is not None:
                seen[variable.path] = np.asarray(gradient)
        return apply(grads, trainable_variables)

    object.__setattr__(optimizer, "apply", watch)
    try:
        model.reset_metrics()
        logs = model.train_step(batch)
    finally:
        del optimizer.__dict__["apply"]
    return seen, logs


def _owners(model: Any) -> dict[str, str]:
    """Returns the name of the leaf layer that each weight belongs to, by path of the weight."""
    return {weight.path: name for name, layer in leaf_layers(model).items() for weight in layer.weights}


def _flat(values: Any) -> list[Any]:
    import keras

    return list(keras.tree.flatten(values))


def _largest(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0
