"""Reading an architecture: where the code is, how wide the layers are, which activations they have.

Works on any Keras 3 model, because it watches one forward pass: every layer's output is seen,
nested or not, subclassed or not.

Terms: a *weighted* layer has a kernel (dense, convolution, recurrent). The *code* is the narrowest
weighted layer before the last; its width counts all values of its output. A *hidden* layer is
weighted and neither the code nor the output.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.models.serial import leaf_layers
from aetfx.validation.output_range import OutputRange

_RANGES = {
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
_ACTIVATION_LAYERS = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "ELU": "elu",
    "PReLU": "leaky_relu",
    "Softmax": "softmax",
}
_PASSIVE = ("BatchNormalization", "Dropout", "GaussianNoise", "GaussianDropout", "LayerNormalization")


@dataclass(frozen=True)
class LayerFacts:
    """One weighted layer.

    Attributes:
      name, kind: the layer's name and class name.
      units: its own width setting (units or filters).
      width: values per row in its output.
      activation: effective activation, its own or that of an activation layer behind it.
      activation_layer: name of that separate layer, or None.
      last: name of the last layer whose output still belongs to it (activation, batch norm).
      n_weights: trainable parameters.
    """

    name: str
    kind: str
    units: int
    width: int
    activation: str
    activation_layer: str | None
    last: str
    n_weights: int


@dataclass(frozen=True)
class Architecture:
    """What reading found. `opaque` models have no weighted layer that can be seen."""

    layers: tuple[LayerFacts, ...]
    shape: tuple[int, ...]
    n_parameters: int
    kind: str
    has_batch_norm: bool

    @property
    def opaque(self) -> bool:
        return len(self.layers) < 2

    @property
    def code(self) -> LayerFacts | None:
        """The narrowest weighted layer before the last; of equals the one nearest the middle."""
        inner = self.layers[:-1]
        if not inner:
            return None
        least = min(layer.width for layer in inner)
        middle = (len(self.layers) - 2) / 2
        return min(
            (abs(i - middle), i, layer) for i, layer in enumerate(inner) if layer.width == least
        )[2]  # fmt: skip

    @property
    def code_width(self) -> int | None:
        return self.code.width if self.code else None

    @property
    def hidden(self) -> tuple[LayerFacts, ...]:
        return tuple(layer for layer in self.layers[:-1] if layer is not self.code)

    @property
    def output(self) -> LayerFacts | None:
        return self.layers[-1] if self.layers else None

    @property
    def output_range(self) -> OutputRange:
        """What the last layer can give; unbounded where its activation is not known."""
        name = self.output.activation if self.output else "linear"
        low, high = _RANGES.get(name, (-math.inf, math.inf))
        return OutputRange(low, high, name)

    @property
    def widths(self) -> str:
        """Widths from input to output, e.g. `30-16-8-16-30`."""
        numbers = [math.prod(self.shape), *(layer.width for layer in self.layers)]
        return "-".join(map(str, numbers))


def read_architecture(model: Any, shape: tuple[int, ...]) -> Architecture:
    """Reads a built model by watching one forward pass over two rows of zeros.

    Args:
      model: a Keras model that aetfx built (its layers are hooked for the moment of the pass).
      shape: shape of one row.
    """
    outputs = layer_outputs(model, np.zeros((2, *shape), "float32"))
    layers: list[LayerFacts] = []
    by_name = leaf_layers(model)
    for name in outputs:  # in the order of the pass: Keras lists nested models in another one
        layer = by_name[name]
        width = math.prod(outputs[name].shape[1:])
        kind = type(layer).__name__
        units = getattr(layer, "units", None) or getattr(layer, "filters", None)
        if units and layer.trainable_weights:
            count = sum(math.prod(w.shape) for w in layer.trainable_weights)
            layers.append(LayerFacts(name, kind, int(units), width, activation_name(layer), None, name, count))
        elif layers and layers[-1].width == width:
            layers[-1] = _attach(layers[-1], layer, kind, name)
    return Architecture(
        layers=tuple(layers),
        shape=tuple(shape),
        n_parameters=model.count_params(),
        kind=type(model).__name__,
        has_batch_norm=any(type(layer).__name__ == "BatchNormalization" for layer in by_name.values()),
    )


def layer_outputs(model: Any, rows: np.ndarray, only: str | None = None) -> dict[str, np.ndarray]:
    """Runs the model on rows (n, *shape) in inference mode and returns what each leaf layer gave.

    Args:
      model: a built Keras model; its layers are hooked during the call and left as they were.
      rows: float32 rows as fed.
      only: keep this layer's output only.
    """
    seen: dict[str, np.ndarray] = {}
    hooked = []
    for name, layer in leaf_layers(model).items():
        if only is None or name == only:
            outermost = _over_time(model, layer)
            hooked.append(outermost)
            object.__setattr__(outermost, "call", _watch(outermost, name, seen))
    try:
        model(rows, training=False)
    finally:
        for layer in hooked:
            layer.__dict__.pop("call", None)
    return seen


def activation_name(layer: Any) -> str:
    """Returns the name of a layer's own activation, `linear` where it has none."""
    import keras

    kind = type(layer).__name__
    if kind in _ACTIVATION_LAYERS:
        return _ACTIVATION_LAYERS[kind]
    activation = getattr(layer, "activation", None)
    if activation is None:
        return "linear"
    name = keras.activations.serialize(activation)
    if isinstance(name, dict):
        name = name.get("config", name.get("class_name", "custom"))
        name = name if isinstance(name, str) else "custom"
    return str(name)


def _attach(facts: LayerFacts, layer: Any, kind: str, name: str) -> LayerFacts:
    """Lets an activation or normalisation layer behind a weighted layer belong to it."""
    if kind in _ACTIVATION_LAYERS or kind == "Activation":
        if facts.activation == "linear":
            return _replace(facts, activation=activation_name(layer), activation_layer=name, last=name)
        return _replace(facts, last=name)
    if kind in _PASSIVE:
        return _replace(facts, last=name)
    return facts


def _replace(facts: LayerFacts, **changes: Any) -> LayerFacts:
    return dataclasses.replace(facts, **changes)


def _over_time(model: Any, layer: Any) -> Any:
    """Returns the wrapper that repeats a layer over the steps of a sequence, or the layer itself."""
    for other in model._flatten_layers(include_self=False, recursive=True):
        if type(other).__name__ == "TimeDistributed" and other.layer is layer:
            return other
    return layer


def _watch(layer: Any, name: str, seen: dict[str, np.ndarray]) -> Any:
    original = layer.call

    def call(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        first = output[0] if isinstance(output, list | tuple) else output
        seen[name] = np.asarray(first)
        return output

    # Keras reads the signature to decide what to pass (training, mask).
    call.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    return call
