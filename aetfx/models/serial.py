"""A Keras model as plain data and back: what makes rewriting, hashing and repeating a model safe.

Terms: a *blueprint* is Keras's own serialised form of an architecture (nested dictionaries, no
weights). Building one gives freshly initialised weights, drawn from the global seed. An *opaque* source
has none: its model is built by calling the user's function again, and its layers cannot be rewritten.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType
from typing import Any

from aetfx.data.parts import Parts
from aetfx.errors import ModelError
from aetfx.models.arguments import KEY as STAND_INS
from aetfx.models.arguments import Layers, settings_of, settle, stand_ins, without_stand_ins
from aetfx.models.constructing import MARK, construct, constructor_node, difference
from aetfx.models.passing import reconstruct
from aetfx.models.precision import dtype_policy, in_precision
from aetfx.run import content_hash

Blueprint = dict[str, Any]

_GIVE_CONFIG = "Give the class a get_config(), or give a function that returns the compiled model."


@dataclass(frozen=True)
class ModelSource:
    """All that is needed to build a user's model again and again.

    Attributes:
      blueprint: the architecture as Keras serialises it, without weights and without fixed seeds.
      objects: the user's own classes and functions by the name under which the blueprint knows them.
      frozen: weights that no training sets, by layer name: of layers that are not trainable, and what
        `adapt` measured. They are part of the recipe.
      shape: shape of one row.
      factory: the user's function, where the model cannot describe itself; the blueprint is then empty.
      opaque_because: why there is no blueprint, for people.
      parts: of a flat row, where the user's model has several inputs (`aetfx.models.packing`).
      precision: Keras's dtype policy under which the model is built; "" for the current one.
    """

    blueprint: Blueprint
    shape: tuple[int, ...]
    objects: Mapping[str, Any] = field(default_factory=dict)
    frozen: Mapping[str, list[Any]] = field(default_factory=dict)
    factory: Callable[[], Any] | None = None
    opaque_because: str = ""
    parts: Parts | None = None
    precision: str = ""

    @property
    def identity(self) -> str:
        """Content hash of the architecture and of the source text of the user's own code; names do not count."""
        code = {name: _source_text(item) for name, item in sorted(self.objects.items())}
        if self.factory is not None:
            code["factory"] = _source_text(self.factory)
        if self.precision:
            code["precision"] = self.precision
        frozen = [[w.tobytes().hex() for w in weights] for weights in self.frozen.values()]
        return content_hash([without_names(self.blueprint), code, frozen, self.shape])

    def with_blueprint(self, blueprint: Blueprint) -> ModelSource:
        """Returns the same source with another architecture."""
        return dataclasses.replace(self, blueprint=settle(blueprint, self.blueprint))

    def with_precision(self, policy: str) -> ModelSource:
        """Returns the same source with another dtype policy; what a model that names its layers puts out stays float32.

        The policy also holds while the model is built: that of the model itself lets Keras scale the loss, and the
        layers of a class of the user's own stand in no blueprint.
        """
        return dataclasses.replace(self.with_blueprint(in_precision(self.blueprint, policy)), precision=policy)

    def build(self) -> Any:
        """Builds a fresh, uncompiled model with newly drawn weights.

        Raises:
          ModelError: Keras cannot build the model from its own description.
        """
        import keras
        import numpy as np

        try:
            scope = keras.saving.custom_object_scope(dict(self.objects))
            with scope, _sharing(), _fresh_names(), dtype_policy(self.precision):
                model = self._made()
                if not model.built or not model.weights:
                    reconstruct(model, np.zeros((2, *self.shape), "float32"))
                    model.built = True  # which a model without `call` does not find out itself
        except Exception as error:
            if self.factory is not None:
                raise ModelError(
                    f"the function that makes the model worked once and then raised {type(error).__name__}: "
                    f"{_first_line(error)}. It is called for every training: let it make everything anew."
                ) from error
            raise ModelError(
                f"the model cannot be rebuilt from its configuration ({type(error).__name__}: {_first_line(error)}). "
                "Give the class a get_config() that holds every argument of its constructor."
            ) from error
        for name, layer in leaf_layers(model).items():
            if name in self.frozen:
                layer.set_weights(self.frozen[name])
                if hasattr(layer, "finalize_state"):  # an adapted layer computes with copies of its weights
                    layer.finalize_state()
        return model

    def _made(self) -> Any:
        """Returns the model as its own description, its constructor or its factory makes it."""
        import keras

        if self.factory is not None:
            return self.factory()
        blueprint = copy.deepcopy(without_stand_ins(self.blueprint))
        if blueprint.get(MARK):
            return construct(blueprint, self.objects)
        # The blueprint comes from a model that is already loaded in this process, so Keras's safe mode has nothing
        # left to protect here; files are read in safe mode (aetfx.models.load).
        read = partial(keras.saving.deserialize_keras_object, safe_mode=False)
        if _is_stack(blueprint):
            # By itself Keras (3.15) builds a stack anew after each layer: ten layers take the time of fifty.
            config = blueprint["config"]
            return keras.Sequential([read(layer) for layer in config["layers"]], name=config["name"])
        return read(blueprint)


def describe(model: Any, shape: tuple[int, ...], factory: Callable[[], Any] | None = None) -> ModelSource:
    """Returns a source that is known to build the model again: from its description, else from its factory.

    Args:
      model: live; it is only read.
      shape: shape of one row.
      factory: the user's function that made it, if there is one.

    Raises:
      ModelError: the model cannot describe itself and there is no factory.
    """
    try:
        source = describe_model(model, shape)
        built = source.build()
        if differs := difference(model, built):
            raise ModelError(f"the model cannot describe itself: a copy differs in {differs}. {_GIVE_CONFIG}")
        return source
    except ModelError as error:
        if factory is None:
            raise
        objects = _objects(model, of_layers=False)
        return ModelSource({}, tuple(shape), objects, {}, factory, str(error).split(". ")[0])


def describe_model(model: Any, shape: tuple[int, ...]) -> ModelSource:
    """Turns a live Keras model into a `ModelSource`. The model is only read.

    Raises:
      ModelError: the model cannot describe itself (a subclass without `get_config`).
    """
    import keras

    try:
        with _sharing():
            # Keras's own get_config leaves out what a subclass's constructor was given, or refuses (Keras 3.15).
            blueprint = (
                constructor_node(model) if _without_config(model) else keras.saving.serialize_keras_object(model)
            )
    except ModelError as reason:
        raise ModelError(f"the model cannot describe itself: {reason}. {_GIVE_CONFIG}") from reason
    except Exception as error:
        raise ModelError(
            f"the model cannot describe itself ({type(error).__name__}: {_first_line(error)}). {_GIVE_CONFIG}"
        ) from error
    blueprint = copy.deepcopy(plain(blueprint))
    blueprint.pop("compile_config", None)
    _number_shared_layers(blueprint)
    for node in dictionaries(blueprint):
        node.pop("build_config", None)
        if "seed" in node and "module" not in node:
            # A fixed seed would give every trial the same weights; several seeds are how a verdict is reached.
            node["seed"] = None
    objects = _objects(model)
    frozen = {
        name: [w.copy() for w in layer.get_weights()]
        for name, layer in leaf_layers(model).items()
        if layer.weights and (not layer.trainable or hasattr(layer, "adapt"))
    }
    source = ModelSource(blueprint, tuple(shape), objects, frozen)
    if isinstance(blueprint.get("config"), dict) and not type(model).__module__.startswith("keras."):
        found = _stand_ins(source, set(names_in(blueprint)))
        source = source if found is None else dataclasses.replace(source, blueprint={**blueprint, STAND_INS: found})
    return source


def _stand_ins(source: ModelSource, described: set[str]) -> dict[str, Any] | None:
    """Returns what the arguments of a model set whose layers do not stand in its description; None otherwise."""
    try:
        layers = leaf_layers(source.build())
        if all(name in described for name, layer in layers.items() if layer.weights):
            return None

        def layers_with(config: dict[str, Any]) -> Layers:
            changed = dataclasses.replace(source, blueprint={**source.blueprint, "config": config})
            return settings_of(leaf_layers(changed.build()))

        return stand_ins(source.blueprint["config"], layers_with)
    except ModelError:  # it cannot be built again, which whoever asked for the description is told
        return None


@contextlib.contextmanager
def _fresh_names() -> Iterator[None]:
    """Lets Keras count the names of layers from the start, so that a model has the same names whenever it is built."""
    from keras.src.backend.common import global_state

    key = "object_name_uids"
    kept = global_state.get_global_attribute(key)
    global_state.set_global_attribute(key, collections.defaultdict(int))
    try:
        yield
    finally:
        global_state.set_global_attribute(key, kept)


def _objects(model: Any, *, of_layers: bool = True) -> dict[str, Any]:
    """Returns the user's own classes and functions in a model by the names under which Keras writes them down."""
    import keras

    objects = {}
    for layer in [model, *model._flatten_layers(include_self=False, recursive=True)]:
        for item in (type(layer), *(_custom_parts(layer) if of_layers else ())):
            if not item.__module__.startswith("keras."):
                objects[item.__name__] = item
                objects[keras.saving.get_registered_name(item)] = item
    return objects


def _without_config(model: Any) -> bool:
    """Whether the model is a subclass with layers of its own that leaves `get_config` to Keras."""
    import keras

    return type(model).get_config in (keras.Layer.get_config, keras.Model.get_config)


def leaf_layers(model: Any) -> dict[str, Any]:
    """Returns the layers that compute something themselves by name, in the order in which the model lists them.

    A layer of Keras that holds others counts as one (recurrent, bidirectional, attention): what is inside is its own
    affair; but of what `TimeDistributed` repeats, the repeated layer is told. The user's own layers are told
    whether they hold others or not. Nested models may use a name again; the second layer `hidden` is then called
    `hidden#2`, which no blueprint knows.
    """
    import keras

    found: dict[str, Any] = {}
    pending = list(model._layers)
    while pending:
        layer = pending.pop(0)
        if any(layer is other for other in found.values()):
            continue
        repeats = isinstance(layer, keras.layers.TimeDistributed)
        is_leaf = not isinstance(layer, keras.Model) and not repeats
        if is_leaf:
            again = sum(name.split("#")[0] == layer.name for name in found)
            found[f"{layer.name}#{again + 1}" if again else layer.name] = layer
        if not is_leaf or not type(layer).__module__.startswith("keras."):
            pending[:0] = layer._layers
    return found


def dictionaries(node: Any) -> Iterator[dict[str, Any]]:
    """Yields every dictionary inside nested plain data, outermost first."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            yield from dictionaries(item)


def plain(value: Any) -> Any:
    """Returns nested data with every mapping a dictionary and every sequence a list."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _sharing() -> Any:
    """Returns the scope in which Keras keeps a layer that two others hold one layer (tied weights)."""
    from keras.src.saving.serialization_lib import ObjectSharingScope

    return ObjectSharingScope()


def _number_shared_layers(blueprint: Blueprint) -> None:
    """Numbers the layers that stand in a blueprint more than once; Keras marks them by their address in memory."""
    nodes = [node for node in dictionaries(blueprint) if "shared_object_id" in node]
    layers = [node["shared_object_id"] for node in nodes if "name" in (node.get("config") or {}) and _is_layer(node)]
    number = {mark: i for i, mark in enumerate(dict.fromkeys(m for m in layers if layers.count(m) > 1), start=1)}
    for node in nodes:
        mark = node.pop("shared_object_id")
        if mark in number:
            node["shared_object_id"] = number[mark]


def _is_stack(blueprint: Blueprint) -> bool:
    """Whether this is a `Sequential` model of Keras that knows the shape of its rows."""
    if (blueprint.get("module"), blueprint.get("class_name")) != ("keras", "Sequential"):
        return False
    return [layer["class_name"] for layer in blueprint["config"]["layers"][:1]] == ["InputLayer"]


def _is_layer(node: dict[str, Any]) -> bool:
    return "DTypePolicy" not in str(node.get("class_name"))


def _custom_parts(layer: Any) -> list[Any]:
    """Returns the functions, and the classes of the initialisers, regularisers and constraints, that a layer uses.

    Raises:
      ModelError: one of them is a lambda, which Keras writes down but cannot read back.
    """
    import keras

    kinds = (keras.initializers.Initializer, keras.regularizers.Regularizer, keras.constraints.Constraint)
    used = [item for item in vars(layer).values() if isinstance(item, (*kinds, FunctionType))]
    parts = [item if inspect.isfunction(item) else type(item) for item in used]
    # A model's own lambda is its loss, which is no part of the architecture.
    of_keras = type(layer).__module__.startswith("keras.") and not isinstance(layer, keras.layers.Lambda | keras.Model)
    if of_keras and any(part.__name__ == "<lambda>" for part in parts):
        raise ModelError(
            f"layer '{layer.name}' holds a lambda, with which a copy of the model cannot be built. "
            "Write it as a function with a name (def)."
        )
    return parts


def names_in(blueprint: Blueprint) -> list[str]:
    """Returns the names of a model and of its layers in the order in which they are written, each once."""
    nodes = [node for node in dictionaries(blueprint) if _is_layer(node)]
    configs = [node["config"] for node in nodes if "class_name" in node and isinstance(node.get("config"), dict)]
    return list(dict.fromkeys(config["name"] for config in configs if isinstance(config.get("name"), str)))


def with_names(blueprint: Blueprint, names: Mapping[str, str]) -> Blueprint:
    """Returns a blueprint with layers renamed, wherever their names are written."""

    def swap(value: Any, is_name: bool = False) -> Any:
        if isinstance(value, dict):
            return {key: swap(item, key == "name") for key, item in value.items()}
        if isinstance(value, list):
            return [swap(item, True) for item in value]  # connections are lists that start with a name
        return names.get(value, value) if is_name and isinstance(value, str) else value

    return dict(swap(blueprint))


def without_names(blueprint: Blueprint) -> Blueprint:
    """Numbers the names of layers: Keras counts them up (`dense_7`), so that equal models of a process differ."""
    return with_names(blueprint, {name: f"name {i}" for i, name in enumerate(names_in(blueprint))})


def _source_text(item: Any) -> str:
    try:
        return inspect.getsource(item)
    except (OSError, TypeError):
        return getattr(item, "__qualname__", repr(type(item)))


def _first_line(error: BaseException) -> str:
    # Keras puts whole configurations before the reason.
    told = re.split("Exception encountered:|Error encountered during deserialization:", str(error))[-1]
    return (told.strip().splitlines() or [""])[0][:200]
