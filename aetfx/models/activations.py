"""Activations by name: what they can give, and which one stands between two tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

OUTPUT_RANGES = {
    "linear": (-math.inf, math.inf),
    "leaky_relu": (-math.inf, math.inf),
    "elu": (-1.0, math.inf),
    "selu": (-1.7581, math.inf),  # -scale * alpha of Klambauer et al. 2017
    "gelu": (-0.17, math.inf),
    "silu": (-0.2785, math.inf),
    "swish": (-0.2785, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
}
# A unit may end where these have no gradient, or hardly any, for every row.
CAN_DIE = ("relu", "relu6", "hard_sigmoid", "sigmoid", "tanh", "softsign")
_LAYERS = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "ELU": "elu",
    "PReLU": "leaky_relu",
    "Softmax": "softmax",
}
# Classes of the plain operations that functions such as `keras.ops.relu` become in a functional model.
_OPERATIONS = {
    "Relu": "relu",
    "ReLU": "relu",
    "Relu6": "relu6",
    "LeakyRelu": "leaky_relu",
    "Elu": "elu",
    "Selu": "selu",
    "Gelu": "gelu",
    "Silu": "silu",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Exp": "exponential",
}
_BY_VALUE = (
    "relu", "sigmoid", "tanh", "softmax", "elu", "selu", "gelu", "silu", "softplus", "softsign", "relu6",
    "hard_sigmoid", "exponential", "leaky_relu",
)  # fmt: skip


def activation_name(layer: Any) -> str:
    """Returns the name of a layer's own activation, `linear` where it has none."""
    import keras

    kind = type(layer).__name__
    if kind in _LAYERS:
        return _LAYERS[kind]
    activation = getattr(layer, "activation", None)
    if activation is None:
        return "linear"
    name = keras.activations.serialize(activation)
    if isinstance(name, dict):
        name = name.get("config", name.get("class_name", "custom"))
        name = name if isinstance(name, str) else "custom"
    return str(name)


def activation_of_call(layer: Any) -> str | None:
    """Returns the activation that a layer or operation without weights of its own stands for, or None."""
    kind = type(layer).__name__
    if kind in _LAYERS or kind == "Activation":
        return activation_name(layer)
    return None if hasattr(layer, "_flatten_layers") else _OPERATIONS.get(kind)


def activation_between(before: np.ndarray, after: np.ndarray) -> str | None:
    """Returns the name of the activation that turns one tensor into another, `linear` for none, None if no known does.

    Args:
      before, after: the same number of values; shapes may differ.
    """
    import keras

    if before.size != after.size:
        return None
    if np.array_equal(before.ravel(), after.ravel(), equal_nan=True):
        return "linear"
    for name in _BY_VALUE:
        slopes = (0.2, 0.3, 0.01) if name == "leaky_relu" else (None,)
        for slope in slopes:
            function = getattr(keras.activations, name)
            changed = np.asarray(function(before) if slope is None else function(before, negative_slope=slope))
            if np.allclose(changed.ravel(), after.ravel(), rtol=1e-5, atol=1e-6):
                return name
    return None
