"""Figures read off a built model: how its kernels are spread, and how its units answer to some rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.models.drafts import wrapped
from aetfx.models.reading import Architecture
from aetfx.models.serial import leaf_layers
from aetfx.models.tracing import first_tensor, trace


@dataclass(frozen=True)
class KernelFacts:
    """The kernel of one weighted layer, and its biases.

    Attributes:
      layer: the layer's name.
      mean, sd: over all its weights.
      fan_in, fan_out: numbers that go into, and come out of, one application, counted as Keras's initialisers do.
      bias: mean of the biases, 0 without any.
    """

    layer: str
    mean: float
    sd: float
    fan_in: float
    fan_out: float
    bias: float = 0.0

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
        bias = getattr(inner, "bias", None)
        found.append(
            KernelFacts(
                facts.name,
                float(values.mean()),
                float(values.std()),
                field * values.shape[-2],
                field * values.shape[-1],
                0.0 if bias is None or not hasattr(bias, "shape") else float(np.asarray(bias).mean()),
            )
        )
    return found


def unit_spread(model: Any, architecture: Architecture, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Returns how far the answers of each unit are apart; see `spread_and_output`."""
    return spread_and_output(model, architecture, rows)[0]


def spread_and_output(
    model: Any, architecture: Architecture, rows: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Runs rows through a model and returns how far the answers of each unit are apart, and the (first) output.

    Args:
      model: built.
      rows: as fed, float32 (n, *shape).

    Returns:
      For each weighted layer but the outputs, by name: the standard deviation over rows, and over places for
      convolutions and sequences, float64 (units,), after the activation and normalisation that belong to the layer.
      Then what the model gave for the rows.
    """
    calls, output = trace(model, rows)
    outputs = {call.name: call.output for call in calls}
    spread = {}
    for facts in architecture.inner:
        values = _numbers(outputs.get(facts.last, outputs[facts.name]))
        if values.shape[-1] != facts.units:  # flattened on the way
            values = _numbers(outputs[facts.name])
        spread[facts.name] = values.reshape(-1, values.shape[-1]).std(axis=0)
    return spread, np.asarray(first_tensor(output))


def _numbers(output: Any) -> np.ndarray:
    return np.asarray(first_tensor(output), np.float64)
