"""Mixed precision: the same architecture under another of Keras's dtype policies.

What a model puts out stays as it is: a loss of half-precision outputs would round what the optimizer still has to see.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

# These have no weights, and hand on what the layer before them has made of its own.
_HAND_ON = {
    "Activation", "Cropping1D", "Cropping2D", "Cropping3D", "Flatten", "LeakyReLU", "Pack", "Permute", "ReLU",
    "Rescaling", "Reshape", "Softmax", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
}  # fmt: skip


def in_precision(blueprint: dict[str, Any], policy: str) -> dict[str, Any]:
    """Returns an architecture whose layers compute under a policy; those that make its outputs stay what they are.

    Args:
      blueprint: as `aetfx.models.serial` keeps it; it is not changed.
      policy: "mixed_float16", "mixed_bfloat16", ...
    """
    changed = copy.deepcopy(blueprint)
    last = {id(layer) for layer in _last_layers(changed)}

    def walk(node: Any) -> None:
        if id(node) in last:
            return
        if isinstance(node, dict):
            config = node.get("config")
            kind = config.get("dtype") if isinstance(config, dict) else None
            if isinstance(kind, dict) and kind.get("class_name") == "DTypePolicy":
                kind["config"]["name"] = policy
            node = list(node.values())
        if isinstance(node, list):
            for item in node:
                walk(item)

    walk(changed)
    return changed


@contextlib.contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Sets Keras's global dtype policy for a while; "" leaves it as it is."""
    import keras

    before = keras.config.dtype_policy()
    if name:
        keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _last_layers(model: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the nodes of the layers that make a model's outputs, and of those that only hand them on."""
    layers = _layers_of(model)
    names = list(layers)
    outputs = model["config"].get("output_layers") if layers else None
    pending = names[-1:] if outputs is None else _first_words(outputs)
    found: dict[str, dict[str, Any]] = {}
    inner: list[dict[str, Any]] = []
    while pending:
        name = pending.pop()
        if name in found or name not in layers:
            continue
        layer = layers[name]
        if _layers_of(layer):  # a model within the model
            inner += _last_layers(layer)
            continue
        found[name] = layer
        if layer["class_name"] in _HAND_ON:
            before = names[: names.index(name)][-1:]
            pending += before if outputs is None else _first_words(layer.get("inbound_nodes"))
    return [*found.values(), *inner]


def _layers_of(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the layers of a serialised model by name; none where it is no Functional or Sequential one."""
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    return {layer["config"]["name"]: layer for layer in layers} if isinstance(layers, list) else {}


def _first_words(node: Any) -> list[str]:
    """Returns the names in Keras's references to tensors, ["name", node, tensor], however they are nested."""
    if isinstance(node, list) and len(node) == 3 and isinstance(node[0], str) and isinstance(node[1], int):
        return [node[0]]
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [name for part in parts for name in _first_words(part)]
