"""Rewriting an architecture with one thing changed.

Each function takes a blueprint and returns a changed copy; initialisers, regularisers and dtypes
stay as they are unless they are the change. Layers are found by name, at any depth of nesting.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aetfx.models.reading import Architecture
from aetfx.models.serial import Blueprint, dictionaries

_WIDTH_KEYS = ("units", "filters")
_WRAPPED_KEYS = ("layer", "backward_layer", "cell")
_BOUNDED = ("tanh", "sigmoid", "hard_sigmoid", "softsign")
_PENALTIES = ("L1", "L2", "L1L2", "ActivityRegularization")
_PENALTY_KEYS = {"l1", "l2"}


def set_widths(blueprint: Blueprint, widths: Mapping[str, int]) -> Blueprint:
    """Gives the named layers another number of units or filters.

    A nested decoder says how wide the code is that it takes: that input follows, where it can be told whose it is.
    """
    new_widths: dict[int, set[int]] = {}
    for node in dictionaries(blueprint):
        for key in set(_WIDTH_KEYS) & set(node):
            if "name" in node:
                new_widths.setdefault(node[key], set()).add(int(widths.get(node["name"], node[key])))

    def change(config: dict[str, Any], name: str) -> None:
        for key in _WIDTH_KEYS:
            if key in config:
                config[key] = int(widths[name])

    changed = _edit(blueprint, set(widths), change)
    of_rows = _inputs_of(changed)
    for node in dictionaries(changed["config"]):
        if not isinstance(node.get("config"), dict) or "layers" not in node["config"]:
            continue
        for config in _inputs_of(node):
            shape = config["batch_shape"]
            taken = new_widths.get(shape[-1], set()) if shape else set()
            if len(taken) == 1 and not any(shape[1:] == rows["batch_shape"][1:] for rows in of_rows):
                config["batch_shape"] = [*shape[:-1], *taken]
    return changed


def set_activations(blueprint: Blueprint, architecture: Architecture, activation: str, names: set[str]) -> Blueprint:
    """Gives the named weighted layers another activation, wherever it is written.

    Left as they are: activations that stand in code, activation layers that other layers share, and recurrent
    layers unless the new activation is bounded (gates expect `tanh`; with an unbounded one states blow up).
    """
    facts = {layer.name: layer for layer in architecture.layers}
    shared = {layer.activation_layer for layer in architecture.layers if layer.name not in names} - {None}
    chosen = {
        name
        for name in names & set(facts)
        if not facts[name].activation_fixed or facts[name].activation_layer is not None
        if facts[name].activation_layer not in shared
        if not facts[name].recurrent or activation in _BOUNDED
    }
    separate = {facts[name].activation_layer for name in chosen} - {None}

    def change(config: dict[str, Any], name: str) -> None:
        if "activation" in config:
            config["activation"] = "linear" if facts[name].activation_layer in separate else activation

    changed = _edit(blueprint, chosen, change)
    for name in separate:
        changed = _replace_layer(changed, str(name), "Activation", {"activation": activation})
    return changed


def put_dense_behind(blueprint: Blueprint, name: str, units: int) -> Blueprint:
    """Puts a linear dense layer behind a layer, which is what lets a recurrent output reach every value."""
    import keras

    result = copy.deepcopy(blueprint)
    for node in list(dictionaries(result)):
        config = node.get("config")
        if isinstance(config, dict) and "class_name" in node and config.get("name") == name:
            dense = keras.saving.serialize_keras_object(keras.layers.Dense(units, name=f"{name}_values"))
            inner = {
                key: copy.deepcopy(node[key])
                for key in ("module", "class_name", "config", "registered_name")
                if key in node
            }
            node.update(module="keras", class_name="Sequential", registered_name=None)
            node["config"] = {"name": name, "trainable": True, "layers": [inner, dense]}
            break
    return result


def leave_out(blueprint: Blueprint, names: set[str]) -> Blueprint:
    """Lets the named layers, whose outputs are as wide as their inputs, pass on what they get."""
    for name in names:
        blueprint = _replace_layer(blueprint, name, "Activation", {"activation": "linear"})
    return blueprint


def set_kernel_penalty(blueprint: Blueprint, names: set[str], l2: float) -> Blueprint:
    """Puts an L2 penalty on the kernels of the named layers (weight decay)."""
    penalty = {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": l2}, "registered_name": None}

    def change(config: dict[str, Any], name: str) -> None:
        if "kernel_regularizer" in config:
            config["kernel_regularizer"] = copy.deepcopy(penalty)

    return _edit(blueprint, names, change)


def can_rewrite(blueprint: Blueprint, architecture: Architecture) -> bool:
    """Whether every weighted layer, or a stand-in for it, is in the blueprint (false for opaque subclasses)."""
    names = {node["config"].get("name") for node in dictionaries(blueprint) if isinstance(node.get("config"), dict)}
    return not architecture.opaque and {layer.name for layer in architecture.layers} <= names


def _edit(blueprint: Blueprint, names: set[str], change: Callable[[dict[str, Any], str], Any]) -> Blueprint:
    """Changes the settings of the named layers; of a wrapper also those of what it wraps."""
    result = copy.deepcopy(blueprint)
    for node in dictionaries(result):
        config = node.get("config")
        if isinstance(config, dict) and "class_name" in node and config.get("name") in names:
            name = config["name"]
            change(config, name)
            for key in _WRAPPED_KEYS:
                inner = config.get(key)
                if isinstance(inner, dict) and isinstance(inner.get("config"), dict):
                    change(inner["config"], name)
    return result


def _inputs_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the settings of the input layers of a model in a blueprint."""
    layers = node["config"].get("layers") or []
    return [layer["config"] for layer in layers if layer.get("class_name") == "InputLayer"]


def _references(value: Any) -> Iterator[list[Any]]:
    """Yields the references [layer, node, tensor] in a model's list of inputs or outputs."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _references(item)


def _replace_layer(blueprint: Blueprint, name: str, class_name: str, settings: dict[str, Any]) -> Blueprint:
    result = copy.deepcopy(blueprint)
    for node in dictionaries(result):
        config = node.get("config")
        if isinstance(config, dict) and "class_name" in node and config.get("name") == name:
            node.update(module="keras.layers", class_name=class_name, registered_name=None)
            kept = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
            node["config"] = {**kept, **settings}
    return result


def set_initializers(blueprint: Blueprint, kernels: Mapping[str, str]) -> Blueprint:
    """Lets the kernels of the named layers start from Keras's initialiser of that name, and their biases from zero."""

    def change(config: dict[str, Any], name: str) -> None:
        if "kernel_initializer" in config:
            config["kernel_initializer"] = kernels[name]
        _start_bias_from_zero(config)

    return _edit(blueprint, set(kernels), change)


def set_biases_to_zero(blueprint: Blueprint, names: set[str]) -> Blueprint:
    """Lets the biases of the named layers start from zero."""
    return _edit(blueprint, names, lambda config, _: _start_bias_from_zero(config))


def _start_bias_from_zero(config: dict[str, Any]) -> None:
    if config.get("bias_initializer") is not None:
        config["bias_initializer"] = "zeros"


def same_initializer(blueprint: Blueprint, names: set[str]) -> set[str]:
    """Returns the named layers, and those whose kernels are drawn by the same rule as one of theirs, its seed aside."""
    rules = {
        node["config"]["name"]: _rule(node["config"]["kernel_initializer"])
        for node in dictionaries(blueprint)
        if isinstance(node.get("config"), dict) and {"name", "kernel_initializer"} <= set(node["config"])
    }
    wanted = [rules[name] for name in names if name in rules]
    return names | {name for name, rule in rules.items() if rule in wanted}


def _rule(initializer: Any) -> Any:
    if not isinstance(initializer, dict):
        return initializer
    settings = {key: value for key, value in (initializer.get("config") or {}).items() if key != "seed"}
    return initializer.get("class_name"), settings


def scale_penalties(blueprint: Blueprint, factor: float) -> Blueprint:
    """Multiplies every L1 and L2 penalty, on weights and on activities, by a factor."""
    result = copy.deepcopy(blueprint)
    for penalty in _penalties(result):
        for key in _PENALTY_KEYS & set(penalty):
            penalty[key] = float(penalty[key] or 0.0) * factor
    return result


def scale_noise(blueprint: Blueprint, factor: float) -> Blueprint:
    """Multiplies every dropout rate, and the sd of every added noise, by a factor."""
    result = copy.deepcopy(blueprint)
    for config, key in _noises(result):
        config[key] = float(config[key]) * factor
    return result


def largest_penalty(blueprint: Blueprint) -> float:
    """Returns the largest factor of an L1 or L2 penalty, 0 without any."""
    return max((float(p[key] or 0.0) for p in _penalties(blueprint) for key in _PENALTY_KEYS & set(p)), default=0.0)


def largest_weight_penalty(blueprint: Blueprint) -> float:
    """Returns the largest factor of an L1 or L2 penalty on weights, 0 without any."""
    configs = [node["config"] for node in dictionaries(blueprint) if isinstance(node.get("config"), dict)]
    on_weights = [
        value
        for config in configs
        for key, value in config.items()
        if key.endswith("_regularizer") and key != "activity_regularizer" and isinstance(value, dict)
    ]
    return max(map(largest_penalty, on_weights), default=0.0)


def largest_noise(blueprint: Blueprint) -> float:
    """Returns the largest dropout rate or sd of added noise, 0 without any."""
    return max((float(config[key]) for config, key in _noises(blueprint)), default=0.0)


def largest_hidden_dropout(blueprint: Blueprint) -> float:
    """Returns the largest dropout that does not fall on the rows themselves (denoising), 0 without any.

    It may be a layer or a setting of one, as of recurrent layers, or fall on their states.
    """
    largest = 0.0
    for model in dictionaries(blueprint):
        layers = model.get("layers")
        if not isinstance(layers, list) or not all(isinstance(node, dict) for node in layers):
            continue
        entering = {node["config"]["name"] for node in layers if node.get("class_name") == "InputLayer"}
        for before, node in zip([None, *layers], layers, strict=False):
            rates = {key: float(config[key]) for config, key in _noises(node) if key != "stddev"}
            if not rates:
                continue
            fed = {reference[0] for reference in _references(node.get("inbound_nodes"))}
            first = fed <= entering if fed else before is None or before.get("class_name") == "InputLayer"
            largest = max(
                largest, *(rate for key, rate in rates.items() if not first or key == "recurrent_dropout"), 0.0
            )
    return largest


def _penalties(blueprint: Blueprint) -> Iterator[dict[str, Any]]:
    """Yields the settings of each penalty, to be read or changed."""
    for node in dictionaries(blueprint):
        if node.get("class_name") in _PENALTIES and isinstance(node.get("config"), dict):
            yield node["config"]


def _noises(blueprint: Blueprint) -> Iterator[tuple[dict[str, Any], str]]:
    """Yields (settings, key) of each dropout and noise."""
    for node in dictionaries(blueprint):
        config = node.get("config")
        if not isinstance(config, dict) or "class_name" not in node:
            continue
        name = str(node["class_name"])
        keys = ("dropout", "recurrent_dropout")
        if name.endswith("Dropout"):
            keys = ("rate",)
        elif name == "GaussianNoise":
            keys = ("stddev",)
        yield from ((config, key) for key in keys if isinstance(config.get(key), int | float))
