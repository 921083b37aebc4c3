"""Describing a subclass that has no `get_config`, from its constructor and the attributes of the same names.

`VAE(encoder, decoder)` as Keras's examples write it cannot describe itself: two of its arguments are models. But
where every argument of a constructor is kept as an attribute of its name, and each can be described, the call can
be written down and made again. Whether that gave the same model is checked (`difference`) before it is relied on.

Terms: a *constructor node* is a part of a blueprint that is built by calling the class with `config` as keyword
arguments; it looks like Keras's own nodes, so that layers in it are found and rewritten in the same way.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from aetfx.errors import ModelError

_OF_KERAS = ("name", "trainable", "dtype", "autocast")
_PLAIN = (int, float, str, bool, type(None))
MARK = "constructor"


def constructor_node(item: Any) -> dict[str, Any]:
    """Describes a model or layer by the call that makes it.

    Raises:
      ModelError: an argument is not kept as an attribute of its name, or cannot be described.
    """
    kind = type(item)
    config: dict[str, Any] = {}
    for name in _arguments(kind):
        kept = next((key for key in (name, f"_{name}") if hasattr(item, key)), None)
        if kept is None:
            raise ModelError(f"{kind.__name__} does not keep its argument '{name}' as an attribute of that name")
        config[name] = _described(getattr(item, kept), f"{kind.__name__}.{kept}")
    return {
        "module": kind.__module__,
        "class_name": kind.__name__,
        "config": config,
        "registered_name": kind.__name__,
        MARK: True,
    }


def construct(node: Mapping[str, Any], objects: Mapping[str, Any]) -> Any:
    """Builds what a constructor node describes; `objects` holds the classes by name."""
    arguments = {name: _constructed(value, objects) for name, value in node["config"].items()}
    return objects[node["class_name"]](**arguments)


def difference(live: Any, built: Any) -> str:
    """Says in what a rebuilt model is another one than the live one but for its weights' values; "" for nothing.

    A `get_config` that leaves out an argument with a default gives a model that trains otherwise, silently.
    """
    for one, again in zip(_own_parts(live), _own_parts(built), strict=False):
        for name in _arguments(type(one)):
            mine, other = vars(one).get(name), vars(again).get(name)
            # A fixed seed is left out on purpose: several seeds are how a verdict is reached.
            if isinstance(mine, _PLAIN) and mine != other and name != "seed":
                return f"'{name}' of {type(one).__name__} ({mine!r}, not {other!r})"
    shapes = [[tuple(w.shape) for w in model.weights] for model in (live, built)]
    return "" if shapes[0] == shapes[1] else "the shapes of its weights"


def _own_parts(model: Any) -> list[Any]:
    """Returns the model and the layers in it whose classes are the user's own."""
    parts = [model, *model._flatten_layers(include_self=False, recursive=True)]
    return [part for part in parts if not type(part).__module__.startswith("keras.")]


def _arguments(kind: type) -> list[str]:
    """Returns the names of a constructor's arguments, and of those that it only passes on to its base."""
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if base.__module__.startswith("keras.") or base is object:
            break
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters  # type: ignore[misc]
            kinds = {parameter.kind for parameter in parameters.values()}
            passed_on = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
            own = [name for name, parameter in parameters.items() if parameter.kind not in passed_on]
            found |= dict.fromkeys(own)
            if not kinds & passed_on:
                break
    return [name for name in found if name not in ("self", *_OF_KERAS)]


def _described(value: Any, where: str) -> Any:
    import keras

    if isinstance(value, list | tuple):
        return [_described(item, where) for item in value]
    try:
        return keras.saving.serialize_keras_object(value)
    except Exception as error:
        if isinstance(value, keras.Layer):
            return constructor_node(value)
        raise ModelError(f"{where} cannot be described ({type(error).__name__})") from error


def _constructed(value: Any, objects: Mapping[str, Any]) -> Any:
    import keras

    if isinstance(value, list):
        return [_constructed(item, objects) for item in value]
    if isinstance(value, dict) and value.get(MARK):
        return construct(value, objects)
    return keras.saving.deserialize_keras_object(value, safe_mode=False)
