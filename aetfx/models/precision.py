"""Mixed precision: the same architecture under another of Keras's dtype policies."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any


def in_precision(blueprint: dict[str, Any], policy: str) -> dict[str, Any]:
    """Returns an architecture whose layers compute under a policy; its last layers stay what they are.

    A loss of half-precision outputs would round what the optimizer still has to see.

    Args:
      blueprint: as `aetfx.models.serial` keeps it; it is not changed.
      policy: "mixed_float16", "mixed_bfloat16", ...
    """
    changed = copy.deepcopy(blueprint)
    last = _last_layers(changed)

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            config = node.get("config")
            kind = config.get("dtype") if isinstance(config, dict) else None
            if isinstance(kind, dict) and kind.get("class_name") == "DTypePolicy" and config.get("name") not in last:
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


def _last_layers(blueprint: dict[str, Any]) -> set[str]:
    """Returns the names of the layers whose outputs are the model's."""
    config = blueprint.get("config") or {}
    outputs = config.get("output_layers")
    if isinstance(outputs, list) and outputs:
        return {outputs[0]} if isinstance(outputs[0], str) else {item[0] for item in outputs}
    layers = config.get("layers")
    return {layers[-1]["config"]["name"]} if isinstance(layers, list) and layers else set()
