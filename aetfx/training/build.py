"""From what the user gave to a recipe: a study's sections, a compiled model, or a factory."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from typing import Any

from aetfx.data.parts import Parts
from aetfx.errors import ModelError
from aetfx.models.load import check_shapes, factory_of, from_factory, load_model
from aetfx.models.packing import Output, Packed, pack_model, pick_output
from aetfx.models.passing import has_call
from aetfx.models.serial import ModelSource, describe
from aetfx.study import Study
from aetfx.training.recipe import Recipe, plain_optimizer
from aetfx.training.step import KERAS_STEP, TrainStep, has_own_compile, has_own_step, own_optimizers, probe_step
from aetfx.training.workshop import compile_model


def recipe_from_study(study: Study, shape: tuple[int, ...], parts: Parts | None = None) -> Recipe:
    """Builds the baseline recipe of a study.

    Args:
      study: checked.
      shape: of one row.
      parts: of a flat row, for a model with several inputs.

    A factory's or file's model that comes compiled keeps its optimizer, learning rate and loss, each unless
    the study sets `training.optimizer`, `learning_rate` or `loss` itself.

    Raises:
      ModelError: see `aetfx.models.load.load_model`.
    """
    import keras

    model = load_model(study.model, shape, checked=parts is None)
    plain, packed = as_autoencoder(model, shape, parts)
    training, usual = study.training, study.training.or_usual()
    optimizer: dict[str, Any] | None = None
    loss: Any = usual.loss
    objects: dict[str, Any] = {}
    if getattr(model, "compiled", False) and training.optimizer is None:
        main = _optimizer_of(model)
        optimizer = plain_optimizer(main)
        objects |= _objects_of(main)
        if training.learning_rate is not None:  # another rate is no other optimizer
            optimizer["config"]["learning_rate"] = training.learning_rate
    if getattr(model, "compiled", False) and training.loss is None:
        loss, own = _loss_of(model, packed)
        objects |= own
        if loss is None and not has_own_step(model) and not model.losses:
            loss = usual.loss
    if packed is not None and packed.parts is not None and isinstance(loss, str):
        loss, _ = _loss_of_outputs([None if output.part is None else loss for output in packed.outputs], None, packed)
    if optimizer is None:
        optimizer = plain_optimizer(keras.optimizers.get(usual.optimizer))
        optimizer["config"]["learning_rate"] = usual.learning_rate
    factory = factory_of(study.model)
    source = _with_objects(_source(plain, shape, factory if packed is None else None), objects)
    if training.precision != "float32":
        source = source.with_precision(training.precision)
    schedule = {"name": training.schedule, "warmup_epochs": training.warmup_epochs}
    scheduled = schedule != {"name": "constant", "warmup_epochs": 0}
    if scheduled and has_own_compile(model):
        raise ModelError(
            f"training.schedule cannot be used: {type(model).__name__} has a compile() of its own, and how it sets its "
            "learning rates is not known. Leave training.schedule and training.warmup_epochs out."
        )
    if scheduled and isinstance(optimizer["config"].get("learning_rate"), dict):
        raise ModelError(
            "training.schedule cannot be used: the model comes compiled with a learning-rate schedule of its own. "
            "Leave training.schedule and training.warmup_epochs out, or set training.learning_rate."
        )
    spec = {key: value for key, value in study.to_tree()["preprocessing"].items() if value != "none"}
    recipe = Recipe(
        source=source if packed is None else dataclasses.replace(source, parts=packed.parts),
        optimizer=optimizer,
        loss=loss,
        epochs=training.epochs,
        batch_size=training.batch_size,
        preprocessing=spec,
        masked_loss="missing" in spec or "constant" in spec,
        metrics=_metrics_of(model),
        early_stopping=training.patience is not None,
        patience=training.patience,
        schedule=schedule if scheduled else {},
    )
    return recipe if packed is not None else recipe.changed(step=_step_of(model, recipe))


def recipe_from_model(
    model: Any, study: Study, shape: tuple[int, ...], parts: Parts | None = None
) -> tuple[Recipe, Any]:
    """Builds the baseline recipe of a compiled model or a factory given in Python.

    Args:
      model: compiled, or a function that returns such a model.
      study: epochs and batch size.
      shape: of one row.
      parts: of a flat row, for a model with several inputs.

    Returns:
      The recipe, and the live model as one of one input and one output.

    Raises:
      ModelError: not a Keras model, not compiled, or it does not fit the rows.
    """
    import keras

    factory = None
    if not isinstance(model, keras.Model):
        if not callable(model):
            raise ModelError(
                f"model must be a compiled keras.Model, or a function that returns one, but got {type(model).__name__}."
            )
        factory = model
        model = from_factory(model, getattr(model, "__name__", "model"))
    if not getattr(model, "compiled", False):
        raise ModelError(
            f"the model is not compiled, so its loss and optimizer are not known. "
            f"Call model.compile(optimizer='adam', loss='mse') first. Received: {type(model).__name__}."
        )
    plain, packed = as_autoencoder(model, shape, parts)
    loss, objects = _loss_of(model, packed)
    main = _optimizer_of(model)
    source = _with_objects(_source(plain, shape, factory if packed is None else None), objects | _objects_of(main))
    recipe = Recipe(
        source=source if packed is None else dataclasses.replace(source, parts=packed.parts),
        optimizer=plain_optimizer(main),
        loss=loss,
        epochs=study.training.epochs,
        batch_size=study.training.batch_size,
        metrics=_metrics_of(model),
    )
    if packed is not None:
        plain.optimizer = model.optimizer  # tells whether it came fitted
        return recipe, plain
    return recipe.changed(step=_step_of(model, recipe)), model


def _source(model: Any, shape: tuple[int, ...], factory: Any) -> ModelSource:
    """Returns how to build the model again; by its factory where only that can also compile it.

    Raises:
      ModelError: it cannot describe itself, or be compiled, and there is no factory.
    """
    if not (has_own_compile(model) and getattr(model, "compiled", False)):
        return describe(model, shape, factory)
    if factory is None:
        names = ", ".join(name for name in inspect.signature(type(model).compile).parameters if name != "self")
        raise ModelError(
            f"{type(model).__name__} has a compile() of its own ({names}), whose arguments cannot be read back "
            "from the model. Give a function without arguments that makes and compiles it."
        )
    return ModelSource(
        {}, shape, {type(model).__name__: type(model)}, {}, factory, f"{type(model).__name__} has its own compile()"
    )


def _step_of(model: Any, recipe: Recipe) -> TrainStep:
    """Finds out how a model that trains itself is fed, on copies; the model itself is not trained.

    Raises:
      ModelError: it can be fed neither with rows nor with pairs.
    """
    import keras
    import numpy as np

    if not has_own_step(model):
        return KERAS_STEP
    own_compile = has_own_compile(model)

    def build(eager: bool) -> Any:
        keras.utils.set_random_seed(0)
        copy_of_it = recipe.source.build()
        if not own_compile:
            tried = recipe.changed(step=TrainStep(own=True, eager=eager))
            compile_model(copy_of_it, tried, padded=False, n_rows=1)
        elif eager:
            copy_of_it.run_eagerly = True
        return copy_of_it

    rows = np.random.default_rng(0).random((8, *recipe.source.shape)).astype("float32")
    return probe_step(build, rows, has_loss=recipe.loss is not None, own_compile=own_compile)


def _optimizer_of(model: Any) -> Any:
    """Returns a compiled model's optimizer; of several that it holds itself the first.

    Raises:
      ModelError: there is none.
    """
    held = own_optimizers(model)
    if not held:
        raise ModelError(
            f"{type(model).__name__} is compiled without an optimizer. Call model.compile(optimizer='adam', ...)."
        )
    return held[0]


def _metrics_of(model: Any) -> tuple[str, ...]:
    """Returns the names of the metrics that a model was compiled with."""
    config = getattr(getattr(model, "_compile_config", None), "config", None) or {}
    found: list[str] = []
    pending = [config.get("metrics"), config.get("weighted_metrics")]
    while pending:
        item = pending.pop(0)
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, list | tuple):
            pending += item
        elif isinstance(item, dict):
            pending += list(item.values())
        elif item is not None:
            found.append(str(getattr(item, "name", None) or getattr(item, "__name__", type(item).__name__)))
    return tuple(found)


def own_objects(model: Any) -> dict[str, Any]:
    """Returns the user's own classes and functions in the loss and the optimizer of a compiled model, by name."""
    if not getattr(model, "compiled", False):
        return {}
    try:
        loss = _loss_of(model)[1]
    except ModelError:  # several losses: those of Keras need no help
        loss = {}
    return loss | _objects_of(model.optimizer)


def as_autoencoder(model: Any, shape: tuple[int, ...], parts: Parts | None) -> tuple[Any, Packed | None]:
    """Returns a model of one input and one output, and how it was made from the user's where that has more.

    Raises:
      ModelError: it does not fit the rows.
    """
    if parts is not None:
        packed: Packed | None = pack_model(model, parts)
    else:
        check_shapes(model, shape)
        # A model that trains itself knows which of its outputs is the reconstruction, and so does `reconstruct`.
        packed = None if has_own_step(model) or not has_call(model) else pick_output(model, shape)
    return (model if packed is None else packed.model), packed


def _loss_of(model: Any, packed: Packed | None = None) -> tuple[Any, dict[str, Any]]:
    """Returns a compiled model's loss, serialised, and the user's own objects in it.

    Raises:
      ModelError: an output that gives back no input is trained against targets that are not known.
    """
    if has_own_compile(model):
        return None, {}
    config = getattr(model, "_compile_config", None)
    loss = config.config.get("loss") if config else model.loss
    if packed is None:
        if isinstance(loss, list | tuple | dict):
            entries = list(loss.values()) if isinstance(loss, dict) else list(loss)
            if len(entries) != 1:
                raise ModelError("the model has one output but is compiled with several losses. Compile it with one.")
            loss = entries[0]
        return _serialised(loss)
    return _loss_of_outputs(loss, config.config.get("loss_weights") if config else None, packed)


def _loss_of_outputs(loss: Any, weights: Any, packed: Packed) -> tuple[Any, dict[str, Any]]:
    """Returns what `compile(loss, loss_weights)` asks of the outputs of a packed model, as `_loss_of` does."""
    entries = [_entry(loss, output) for output in packed.outputs]
    for output, entry in zip(packed.outputs, entries, strict=True):
        if output.part is None and entry is not None:
            raise ModelError(
                f"output '{output.name}' gives back no input, and its loss needs targets that are not known here. "
                "Compile the model with None as the loss of that output, e.g. loss=['mse', None]."
            )
    by_part = {output.part: (output, entry) for output, entry in zip(packed.outputs, entries, strict=True)}
    by_part.pop(None, None)
    if loss is None:
        return None, {}
    if packed.parts is None:
        return _serialised(next(iter(by_part.values()))[1])
    losses, shares, scored, objects = [], [], [], {}
    for part in packed.parts.scored:
        output, entry = by_part[part.name]
        if entry is None:
            continue
        if getattr(entry, "reduction", "sum_over_batch_size") == "sum":
            raise ModelError(f"the loss of output '{output.name}' adds up over a batch. Use its mean (no reduction=).")
        serialised, own = _serialised(entry)
        losses.append(serialised)
        objects |= own
        share = _entry(weights, output) if isinstance(weights, list | tuple | dict) else weights
        shares.append(1.0 if share is None else float(share))
        scored.append(part)
    form = {
        "losses": losses,
        "weights": shares,
        "places": [part.start for part in scored],
        "shapes": [list(part.shape) for part in scored],
    }
    return {
        "module": "aetfx.training.parts_loss",
        "class_name": "PartsLoss",
        "config": form,
        "registered_name": "aetfx>PartsLoss",
    }, objects


def _entry(given: Any, output: Output) -> Any:
    """Returns what a list, dictionary or single value of `compile` says about an output."""
    if isinstance(given, dict):
        return given.get(output.name, given.get(output.key))
    if isinstance(given, list | tuple):
        return given[output.place] if output.place < len(given) else None
    return given


def _serialised(loss: Any) -> tuple[Any, dict[str, Any]]:
    import keras

    if isinstance(loss, str) or loss is None:
        return loss, {}
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


def _with_objects(source: Any, objects: dict[str, Any]) -> Any:
    return dataclasses.replace(source, objects={**source.objects, **objects}) if objects else source
