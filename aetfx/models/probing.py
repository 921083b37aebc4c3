"""Figures read off a built model: how its kernels are spread, and how its units answer to some rows."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.models.drafts import wrapped
from aetfx.models.reading import Architecture, layer_outputs
from aetfx.models.serial import leaf_layers


@dataclass(frozen=True)
class KernelFacts:
    """The kernel of one weighted layer.

    Attributes:
      layer: the layer's name.
      mean, sd: over all its weights.
      fan_in, fan_out: numbers that go into, and come out of, one application, counted as Keras's initialisers do.
    """

    layer: str
    mean: float
    sd: float
    fan_in: float
    fan_out: float

    @property
    def usual_sd(self) -> tuple[float, float]:
        """Least and largest sd among the initialisers of Glorot (2010), LeCun (1998) and He (2015)."""
        glorot = math.sqrt(2 / (self.fan_in + self.fan_out))
        return min(glorot, math.sqrt(1 / self.fan_in)), max(glorot, math.sqrt(2 / self.fan_in))


def kernels(model: Any, architecture: Architecture) -> list[KernelFacts]:
    """Returns the trainable kernels of a model's weighted layers, in order."""
    layers, found = leaf_layers(model), []
    for facts in architecture.layers:
        layer = layers[facts.name]
        inner = wrapped(layer)
        kernel = getattr(getattr(inner, "cell", inner), "kernel", None)
        if kernel is None or len(kernel.shape) < 2 or not layer.trainable:
            continue
        values = np.asarray(kernel)
        field = math.prod(values.shape[:-2])
        found.append(
            KernelFacts(
                facts.name,
                float(values.mean()),
                float(values.std()),
                field * values.shape[-2],
                field * values.shape[-1],
            )
        )
    return found


def unit_spread(model: Any, architecture: Architecture, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Returns how far the answers of each unit are apart, for each weighted layer but the outputs.

    Args:
      model: built.
      rows: as fed, float32 (n, *shape).

    Returns:
      Standard deviation over rows, and over places for convolutions and sequences, float64 (units,), by layer name;
      after the activation and normalisation that belong to the layer.
    """
    outputs = layer_outputs(model, rows)
    found = {}
    for facts in architecture.inner:
        values = np.asarray(outputs.get(facts.last, outputs[facts.name]), np.float64)
        if values.shape[-1] != facts.units:  # flattened on the way
            values = np.asarray(outputs[facts.name], np.float64)
        found[facts.name] = values.reshape(-1, values.shape[-1]).std(axis=0)
    return found


@contextlib.contextmanager
def same_draws(model: Any) -> Iterator[None]:
    """Lets a live model draw, after a pass inside, the random numbers that it would have drawn without.

    Args:
      model: a Keras model; its own seed generators, and Keras's global one, are put back to where they were.
    """
    from keras.src.backend.common import global_state  # there is no public way to the global generator

    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    shared = global_state.get_global_attribute("global_seed_generator")
    if shared is not None:
        states.append(shared.state)
    values = [np.array(state) for state in states]
    try:
        yield
    finally:
        for state, value in zip(states, values, strict=True):
            state.assign(value)
        made = global_state.get_global_attribute("global_seed_generator")
        if shared is None and made is not None:
            made.state.assign(np.array([made._initial_seed, 0]))
