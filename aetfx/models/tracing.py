"""Watching one forward pass: which layers computed what, from what, in which order.

Terms: a *call* is one use of a layer (or of a plain Keras operation in a functional model) that used no other
layer inside; a layer that is shared has several. Layers are known by the names of `aetfx.models.serial.leaf_layers`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.models.passing import reconstruct
from aetfx.models.serial import leaf_layers


@dataclass(frozen=True)
class Call:
    """One use of a layer.

    Attributes:
      name: of the layer, or of the operation.
      layer: the layer, or the operation.
      inputs: the tensors that it was given.
      output: what it gave: a tensor, or a list or tuple of them.
    """

    name: str
    layer: Any
    inputs: tuple[Any, ...]
    output: Any

    @property
    def values(self) -> np.ndarray:
        """The (first) output."""
        return np.asarray(first_tensor(self.output))


def trace(
    model: Any,
    rows: np.ndarray,
    *,
    only: str | None = None,
    held: Mapping[str, list[Any]] | None = None,
    training: bool = False,
) -> tuple[list[Call], Any]:
    """Runs a model and returns the calls in order, and what the model gave.

    Args:
      model: built; its layers are hooked during the pass and left as they were.
      rows: float32 rows as fed (n, *shape).
      only: watch this layer alone.
      held: layer name to outputs, one for each of its calls, that it gives whatever it is asked.
      training: as in training (dropout, batch statistics), not as in inference.
    """
    calls: list[Call] = []
    hooked: list[Any] = []
    depth = _Depth()
    left = {name: list(outputs) for name, outputs in (held or {}).items()}
    try:
        for name, layer in _watched(model).items():
            if only is None or name == only:
                target = _over_time(model, layer)
                hooked.append(target)
                object.__setattr__(target, "call", _watch(target, name, layer, calls, depth, left.get(name)))
        if only is None:
            for wrapper in _repeated_models(model):
                hooked.append(wrapper)
                object.__setattr__(wrapper, "call", _all_steps_at_once(wrapper))
        output = reconstruct(model, rows, training=training)
    finally:
        for layer in hooked:
            layer.__dict__.pop("call", None)
    return calls, output


@contextmanager
def drawn_weights(model: Any, seed: int = 0) -> Iterator[None]:
    """Gives a model other weights for a while, so that what is read off a pass does not depend on what it has learnt.

    A model that diverged, whose units died, or whose weights start at zero would look as if nothing depended on
    anything. Layers that are not trained, and the figures that layers have measured, stay as they are.
    """
    rng = np.random.default_rng(seed)
    kept = [(variable, np.asarray(variable)) for variable in model.variables]
    try:
        for variable in model.trainable_variables:
            shape = tuple(variable.shape)
            drawn = rng.normal(size=shape)
            if len(shape) > 1:
                drawn /= np.sqrt(np.prod(shape[:-1]))
            else:
                drawn = 0.1 * drawn + (variable.name == "gamma")
            variable.assign(drawn.astype(np.float32))
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def first_tensor(output: Any) -> Any:
    """Returns a tensor, or the first of several."""
    while isinstance(output, list | tuple):
        output = output[0]
    if isinstance(output, dict):
        return first_tensor(list(output.values()))
    return output


def tensors_in(structure: Any) -> list[Any]:
    """Returns the tensors in nested lists, tuples and dictionaries."""
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, list | tuple):
        return [tensor for item in structure for tensor in tensors_in(item)]
    return [structure] if hasattr(structure, "shape") and hasattr(structure, "dtype") else []


class _Depth:
    """Counts finished calls, so that a call can tell whether others ran inside it."""

    finished = 0


def _watched(model: Any) -> dict[str, Any]:
    """Layers by name, and the plain operations of functional models."""
    found = dict(leaf_layers(model))
    for part in [model, *model._flatten_layers(include_self=False, recursive=True)]:
        for operation in getattr(part, "operations", None) or []:
            if not hasattr(operation, "_flatten_layers"):
                found.setdefault(operation.name, operation)
    return found


def _over_time(model: Any, layer: Any) -> Any:
    """Returns the wrapper that repeats a layer over the steps of a sequence, or the layer itself."""
    for other in model._flatten_layers(include_self=False, recursive=True):
        if type(other).__name__ == "TimeDistributed" and other.layer is layer:
            return other
    return layer


def _repeated_models(model: Any) -> list[Any]:
    """Wrappers that repeat a whole model over the steps of a sequence."""
    found = model._flatten_layers(include_self=False, recursive=True)
    return [layer for layer in found if type(layer).__name__ == "TimeDistributed" and hasattr(layer.layer, "layers")]


def _all_steps_at_once(wrapper: Any) -> Callable[..., Any]:
    """A `TimeDistributed` call that hands over all steps as one batch, so that the layers inside are seen once."""
    import keras

    def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        n, steps = inputs.shape[0], inputs.shape[1]
        output = wrapper.layer(keras.ops.reshape(inputs, (n * steps, *inputs.shape[2:])), training=training)
        return keras.ops.reshape(output, (n, steps, *output.shape[1:]))

    return call


def _watch(
    target: Any, name: str, layer: Any, calls: list[Call], depth: _Depth, held: list[Any] | None
) -> Callable[..., Any]:
    original = target.call

    def call(*args: Any, **kwargs: Any) -> Any:
        before = depth.finished
        output = original(*args, **kwargs)
        if depth.finished > before:  # the calls inside say more
            return output
        depth.finished += 1
        if held:
            output = held.pop(0)
        calls.append(
            Call(name, layer, tuple(tensors_in([args, {k: v for k, v in kwargs.items() if k != "mask"}])), output)
        )
        return output

    # Keras reads the signature to decide what to pass (training, mask).
    call.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    return call
