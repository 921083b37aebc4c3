"""Rewriting an architecture with one thing changed.

Each function takes a blueprint and returns a changed copy; initialisers, regularisers and dtypes
stay as they are unless they are the change. Layers are found by name, at any depth of nesting.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from aetfx.models.reading import Architecture
from aetfx.models.serial import Blueprint, dictionaries

_WIDTH_KEYS = ("units", "filters")


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
    for submodel in changed["config"].get("layers", []):
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
