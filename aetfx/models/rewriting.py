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
_PENALTIES = ("L1", "L2", "L1L2", "ActivityRegularization")
_PENALTY_KEYS = {"l1", "l2"}


def set_widths(blueprint: Blueprint, widths: Mapping[str, int]) -> Blueprint:
    """Gives the named layers another number of units or filters.

    A nested decoder says how wide the code is that it takes: that input follows, where it can be told whose it is.
    """
    new_widths: dict[int, set[int]] = {}
    for node in dictionaries(blueprint):
        if "units" in node and "name" in node:
            new_widths.setdefault(node["units"], set()).add(int(widths.get(node["name"], node["units"])))

    def change(config: dict[str, Any]) -> None:
        for key in _WIDTH_KEYS:
            if key in config:
                config[key] = int(widths[config["name"]])

    changed = _edit(blueprint, set(widths), change)
    parts = changed["config"].get("layers") or [v for v in changed["config"].values() if isinstance(v, dict)]
    for submodel in parts:
        for node in dictionaries(submodel.get("config", {}).get("layers", [])):
            shape = node["config"]["batch_shape"] if node.get("class_name") == "InputLayer" else []
            if len(shape) == 2 and len(new_widths.get(shape[1], ())) == 1:
                node["config"]["batch_shape"] = [shape[0], *new_widths[shape[1]]]
    return changed


def set_activations(blueprint: Blueprint, architecture: Architecture, activation: str, names: set[str]) -> Blueprint:
    """Gives the named weighted layers another activation, wherever it is written."""
    separate = {layer.activation_layer for layer in architecture.layers if layer.name in names} - {None}

    def change(config: dict[str, Any]) -> None:
        if "activation" in config:
            config["activation"] = activation

    changed = _edit(blueprint, names, change)
    for name in separate:
        changed = _replace_layer(changed, str(name), "Activation", {"activation": activation})
    if not separate:
        return changed
    plain = {layer.name for layer in architecture.layers if layer.activation_layer in separate}
    return _edit(changed, plain, lambda config: config.update(activation="linear") if "activation" in config else None)


def set_kernel_penalty(blueprint: Blueprint, names: set[str], l2: float) -> Blueprint:
    """Puts an L2 penalty on the kernels of the named layers (weight decay)."""
    penalty = {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": l2}, "registered_name": None}

    def change(config: dict[str, Any]) -> None:
        if "kernel_regularizer" in config:
            config["kernel_regularizer"] = copy.deepcopy(penalty)

    return _edit(blueprint, names, change)


def can_rewrite(blueprint: Blueprint, architecture: Architecture) -> bool:
    """Whether every weighted layer can be found in the blueprint (false for opaque subclasses)."""
    names = {node["config"].get("name") for node in dictionaries(blueprint) if isinstance(node.get("config"), dict)}
    return not architecture.opaque and {layer.name for layer in architecture.layers} <= names


def _edit(blueprint: Blueprint, names: set[str], change: Callable[[dict[str, Any]], Any]) -> Blueprint:
    result = copy.deepcopy(blueprint)
    for node in dictionaries(result):
        config = node.get("config")
        if isinstance(config, dict) and "class_name" in node and config.get("name") in names:
            change(config)
    return result


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

    def change(config: dict[str, Any]) -> None:
        if "kernel_initializer" in config:
            config["kernel_initializer"] = kernels[config["name"]]
        if config.get("bias_initializer") is not None:
            config["bias_initializer"] = "zeros"

    return _edit(blueprint, set(kernels), change)


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


def largest_noise(blueprint: Blueprint) -> float:
    """Returns the largest dropout rate or sd of added noise, 0 without any."""
    return max((float(config[key]) for config, key in _noises(blueprint)), default=0.0)


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
