"""Compiled models that are used again: tracing a training step costs more than many small trainings.

Trials that differ only in seed, epochs or a constant learning rate run the same TensorFlow program.
The workshop keeps that program's model, gives it fresh weights and a fresh optimizer for each trial,
and never hands it out: a trial's result is copied into a model of its own.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aetfx.models.forward import forward
from aetfx.models.serial import ModelSource, dictionaries, leaf_layers
from aetfx.models.work import multiplications
from aetfx.run import content_hash
from aetfx.training.execution import Execution
from aetfx.training.feed import repeats, steps_at_once
from aetfx.training.objective import apply_objective
from aetfx.training.recipe import Recipe
from aetfx.training.step import own_optimizers, track_loss


@dataclass
class Bench:
    """A compiled model and the state that a trial starts from.

    Attributes:
      model: compiled; its weights belong to whatever ran last.
      shape: of a row.
      state: its variables without those of metrics and optimizer.
      optimizer_start: values of the optimizer's variables before any update.
      constant_rate: whether the learning rate is a plain number that can be set.
      execution: its programs of many updates each, where XLA compiles them.
      reader: the compiled function of `aetfx.training.telemetry`, once it was asked for.
    """

    model: Any
    shape: tuple[int, ...]
    state: list[Any]
    optimizer_start: list[np.ndarray]
    constant_rate: bool
    execution: Execution | None = None
    reader: Any = None

    @cached_property
    def forward(self) -> Callable[[Any], Any]:
        """What takes rows as fed through the model, in the middle of a training."""
        return forward(self.model, self.shape)

    def reset(self, fresh: Any, rate: float) -> None:
        """Gives the model the weights and random states of `fresh`, and a new optimizer at `rate`."""
        for mine, other in zip(self.state, fresh.variables, strict=True):
            mine.assign(np.asarray(other))
        if self.optimizer_start:
            for variable, value in zip(self.model.optimizer.variables, self.optimizer_start, strict=True):
                variable.assign(value)
        if self.constant_rate:
            self.model.optimizer.learning_rate = rate
        self.model.stop_training = False


class Workshop:
    """Keeps the few most recent benches.

    Args:
      strategy: a `tf.distribute.Strategy`; None for the current one.

    Attributes:
      most_kept: benches; the one that was used last stays longest.
    """

    most_kept = 8

    def __init__(self, strategy: Any = None):
        import tensorflow as tf

        # Many models are traced here, once each; TensorFlow takes that for one that is traced too often.
        logging.getLogger("tensorflow").addFilter(_not_about_retracing)

        self.strategy = strategy or tf.distribute.get_strategy()
        self._benches: OrderedDict[str, Bench] = OrderedDict()

    def replicas(self, recipe: Recipe) -> int:
        """Returns how many devices share a batch of this recipe."""
        return 1 if recipe.one_device else int(self.strategy.num_replicas_in_sync)

    def can_jit(self, recipe: Recipe) -> bool:
        """Whether XLA may compile a recipe's step: Keras's own step and layers, or ours, on one device.

        Not where it costs more than it saves (measured on a CPU with TensorFlow 2.16): convolutions run 2 to 6 times
        slower than TensorFlow's own, and an unrolled recurrent layer takes long to compile.
        """
        if recipe.step.own or recipe.step.eager or recipe.objective or recipe.source.factory is not None:
            return False
        nodes = list(dictionaries(recipe.source.blueprint))
        slow = any("Conv" in str(node.get("class_name")) or node.get("unroll") for node in nodes)
        ours = all(item.__module__.startswith("aetfx.") for item in recipe.source.objects.values())
        return self.replicas(recipe) == 1 and ours and not slow

    def bench(self, recipe: Recipe, *, n_rows: int, padded: bool, jit: bool = False) -> Bench:
        """Returns a bench whose program fits the recipe, tracing a new one where there is none.

        Args:
          recipe: what to train.
          n_rows: of an epoch.
          padded: whether rows stand in some batches more than once, and carry weights (`feed.needs_padding`).
          jit: whether XLA compiles the training step; see `can_jit`.
        """
        import tensorflow as tf

        if recipe.step.own_compile:
            model = own_compiled(recipe, n_rows)
            return Bench(model, recipe.source.shape, list(model.variables), [], False)
        jit = jit and self.can_jit(recipe)
        key = _program(recipe, n_rows, padded, jit)
        if key not in self._benches:
            self._tell_repeats(recipe, n_rows)
            # Outside of any scope `tf.distribute` has a default strategy of one device.
            strategy = tf.distribute.get_strategy() if recipe.one_device else self.strategy
            with strategy.scope():
                source = recipe.source if self.replicas(recipe) == 1 else _synchronized(recipe.source)
                model = source.build()
                state = list(model.variables)
                jit = jit and all(getattr(layer, "supports_jit", True) for layer in leaf_layers(model).values())
                compile_model(model, recipe, padded=padded, n_rows=n_rows, jit=jit)
                model.optimizer.build(model.trainable_variables)
            start = [np.asarray(variable) for variable in model.optimizer.variables]
            constant = not isinstance(recipe.optimizer["config"].get("learning_rate"), dict)
            alone = jit and not isinstance(strategy, tf.distribute.MirroredStrategy)  # not even one of one device
            execution = None
            if alone:
                each, steps = multiplications(model, recipe.source.shape)
                # A recurrent layer's products are made step by step.
                execution = Execution(model, each * min(recipe.batch_size, n_rows) // max(1, steps))
            self._benches[key] = Bench(model, recipe.source.shape, state, start, constant, execution)
            while len(self._benches) > self.most_kept:
                self._benches.popitem(last=False)
        self._benches.move_to_end(key)
        return self._benches[key]

    def _tell_repeats(self, recipe: Recipe, n_rows: int) -> None:
        replicas, batch = self.replicas(recipe), min(recipe.batch_size, n_rows)
        if (times := repeats(batch, replicas)) > 1:
            warnings.warn(
                f"a batch of {batch} rows cannot be split evenly over {replicas} replicas, so that each row is fed "
                f"{times} times: the result is that of one device, but it takes longer than it could. Make "
                "training.batch_size a multiple of training.replicas.",
                stacklevel=4,
            )


def own_compiled(recipe: Recipe, n_rows: int) -> Any:
    """Returns a model for one training that its author's function has compiled (`TrainStep.own_compile`)."""
    model = recipe.source.build()
    track_loss(model, recipe.step)
    if not recipe.step.eager:
        model.steps_per_execution = steps_at_once(n_rows, recipe.batch_size)
    optimizers = own_optimizers(model)
    first = float(np.asarray(optimizers[0].learning_rate)) if optimizers else 0.0
    for optimizer in optimizers if first else []:
        if not hasattr(optimizer._learning_rate, "get_config"):  # schedules stay as they are
            optimizer.learning_rate = float(np.asarray(optimizer.learning_rate)) * recipe.learning_rate / first
    return model


def compile_model(model: Any, recipe: Recipe, *, padded: bool, n_rows: int, jit: bool = False) -> None:
    """Compiles a freshly built model by its recipe; one execution is one epoch of small data."""
    import keras

    import aetfx.training.parts_loss  # noqa: F401 - registers the loss of several outputs

    track_loss(model, recipe.step)
    apply_objective(model, recipe.objective, recipe.step.loss_key)

    with keras.saving.custom_object_scope(dict(recipe.source.objects)):
        optimizer = keras.optimizers.deserialize(copy.deepcopy(recipe.optimizer))
        loss = recipe.loss
        if isinstance(loss, dict):
            loss = keras.saving.deserialize_keras_object(loss, safe_mode=False)
    if recipe.masks_targets:
        from aetfx.training.losses import MaskedLoss

        loss = MaskedLoss(loss)
    metrics = None
    if padded:
        from aetfx.training.losses import RepeatCorrection, RepeatedLoss

        metrics = [RepeatCorrection(loss, lambda: model.losses)]
        loss = None if loss is None else RepeatedLoss(loss)
    with warnings.catch_warnings():
        # Keras says so where operations are deterministic, and runs as it did; our own programs compile all the same.
        warnings.filterwarnings("ignore", message="Model doesn't support `jit_compile=True`")
        model.compile(
            optimizer=optimizer,
            loss=loss,
            weighted_metrics=metrics,
            steps_per_execution=1 if recipe.step.eager else steps_at_once(n_rows, recipe.batch_size),
            run_eagerly=recipe.step.eager,
            jit_compile=jit or "auto",
        )


def _not_about_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


def _synchronized(source: ModelSource) -> ModelSource:
    """Lets batch normalisation take its statistics over all replicas, so that their number changes nothing.

    Not where layers add penalties of their own: replicas that wait for each other inside a layer count each
    other's penalties (measured with Keras 3.15: 1.5 times the penalty on two replicas).
    """
    blueprint = copy.deepcopy(source.blueprint)
    nodes = list(dictionaries(blueprint))
    if source.factory is not None or source.objects or any(node.get("activity_regularizer") for node in nodes):
        if any(type(layer).__name__ == "BatchNormalization" for layer in leaf_layers(source.build()).values()):
            warnings.warn(
                "each replica takes the statistics of batch normalisation over its own part of a batch, so that their "
                "number changes the result a little: where a model has layers of its own, or penalties on activities, "
                "replicas cannot wait for each other. Train with training.replicas: 1 if that matters.",
                stacklevel=4,
            )
        return source
    for node in nodes:
        if node.get("class_name") == "BatchNormalization" and "synchronized" in node.get("config", {}):
            node["config"]["synchronized"] = True
    return source.with_blueprint(blueprint)


def _program(recipe: Recipe, n_rows: int, padded: bool, jit: bool) -> str:
    """Hash of all that decides the TensorFlow program, and not the numbers that flow through it."""
    optimizer = copy.deepcopy(recipe.optimizer)
    if not isinstance(optimizer["config"].get("learning_rate"), dict):
        optimizer["config"]["learning_rate"] = None
    steps = steps_at_once(n_rows, recipe.batch_size)
    return content_hash(
        [
            *(recipe.source.identity, optimizer, recipe.loss, recipe.masked_loss, padded, steps, jit),
            *(dataclasses.asdict(recipe.step), dict(recipe.objective)),
        ]
    )
