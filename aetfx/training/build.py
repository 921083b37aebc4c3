"""From what the user gave to a recipe: a study's sections, a compiled model, or a factory."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from aetfx.errors import ModelError
from aetfx.models.load import check_shapes, from_factory, load_model
from aetfx.models.serial import describe_model
from aetfx.study import Study
from aetfx.training.recipe import Recipe, plain_optimizer


def recipe_from_study(study: Study, shape: tuple[int, ...]) -> Recipe:
    """Builds the baseline recipe of a study.

    A factory's or file's model that comes compiled keeps its optimizer, learning rate and loss, each unless
    the study sets `training.optimizer`, `learning_rate` or `loss` itself.

    Raises:
      ModelError: see `aetfx.models.load.load_model`.
    """
    import keras

    model = load_model(study.model, shape)
    training, usual = study.training, study.training.or_usual()
    optimizer: dict[str, Any] | None = None
    loss: Any = None
    objects: dict[str, Any] = {}
    if getattr(model, "compiled", False) and training.optimizer is None:
        optimizer = plain_optimizer(model.optimizer)
        objects |= _objects_of(model.optimizer)
        if training.learning_rate is not None:  # another rate is no other optimizer
            optimizer["config"]["learning_rate"] = training.learning_rate
    if getattr(model, "compiled", False) and training.loss is None:
        loss, own = _loss_of(model)
        objects |= own
    if optimizer is None:
        optimizer = plain_optimizer(keras.optimizers.get(usual.optimizer))
        optimizer["config"]["learning_rate"] = usual.learning_rate
    source = describe_model(model, shape)
    source = _with_objects(source, objects)
    spec = {key: value for key, value in study.to_tree()["preprocessing"].items() if value != "none"}
    return Recipe(
        source=source,
        optimizer=optimizer,
        loss=usual.loss if loss is None else loss,
        epochs=training.epochs,
        batch_size=training.batch_size,
        preprocessing=spec,
        masked_loss=spec.get("missing", "none") != "none",
    )


def recipe_from_model(model: Any, study: Study, shape: tuple[int, ...]) -> tuple[Recipe, Any]:
    """Builds the baseline recipe of a compiled model or a factory given in Python.

    Returns:
      The recipe and the live model.

    Raises:
      ModelError: not a Keras model, not compiled, or it does not fit the rows.
    """
    import keras

    if not isinstance(model, keras.Model):
        if not callable(model):
            raise ModelError(
                f"model must be a compiled keras.Model, or a function that returns one, but got {type(model).__name__}."
            )
        model = from_factory(model, getattr(model, "__name__", "model"))
    if not getattr(model, "compiled", False):
        raise ModelError(
            f"the model is not compiled, so its loss and optimizer are not known. "
            f"Call model.compile(optimizer='adam', loss='mse') first. Received: {type(model).__name__}."
        )
    check_shapes(model, shape)
    loss, objects = _loss_of(model)
    recipe = Recipe(
        source=_with_objects(describe_model(model, shape), objects | _objects_of(model.optimizer)),
        optimizer=plain_optimizer(model.optimizer),
        loss=loss,
        epochs=study.training.epochs,
        batch_size=study.training.batch_size,
    )
    return recipe, model


def _loss_of(model: Any) -> tuple[Any, dict[str, Any]]:
    """Returns a compiled model's loss, serialised, and the user's own objects in it."""
    import keras

    loss = model._compile_config.config.get("loss") if getattr(model, "_compile_config", None) else model.loss
    if isinstance(loss, str) or loss is None:
        return loss, {}
    if isinstance(loss, list | dict):
        raise ModelError("models with several losses are not supported yet. Compile the model with one loss.")
    objects: dict[str, Any] = {}
    kind = loss if callable(loss) and hasattr(loss, "__name__") else type(loss)
    if not kind.__module__.startswith("keras."):
        objects[kind.__name__] = kind
        objects[keras.saving.get_registered_name(kind)] = kind
    if isinstance(loss, keras.losses.Loss):
        serialised = keras.saving.serialize_keras_object(loss)
        # Keras 3.15 leaves Huber's delta out of its config.
        accepted = inspect.signature(kind).parameters
        for key, value in getattr(loss, "_fn_kwargs", {}).items():
            if key in accepted:
                serialised["config"].setdefault(key, value)
    else:
        serialised = {
            "module": "builtins",
            "class_name": "function",
            "config": kind.__name__,
            "registered_name": kind.__name__,
        }
        if kind.__module__.startswith("keras."):
            return kind.__name__, {}
    return copy.deepcopy(serialised), objects


def _objects_of(optimizer: Any) -> dict[str, Any]:
    """Returns the user's own classes in an optimizer: its own and that of its learning rate schedule."""
    import keras

    bases = (keras.optimizers.Optimizer, keras.optimizers.schedules.LearningRateSchedule)
    parts = (type(optimizer), type(getattr(optimizer, "_learning_rate", None)))
    own = [kind for kind in parts if issubclass(kind, bases) and not kind.__module__.startswith("keras.")]
    return {name: kind for kind in own for name in (kind.__name__, keras.saving.get_registered_name(kind))}


def own_objects(model: Any) -> dict[str, Any]:
    """Returns the user's own classes and functions in the loss and the optimizer of a compiled model, by name."""
    return _loss_of(model)[1] | _objects_of(model.optimizer) if getattr(model, "compiled", False) else {}


def _with_objects(source: Any, objects: dict[str, Any]) -> Any:
    import dataclasses

    return dataclasses.replace(source, objects={**source.objects, **objects}) if objects else source
