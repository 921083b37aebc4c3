"""How much arithmetic one row costs in a forward pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from aetfx.errors import ModelError
from aetfx.models.tracing import Call, first_tensor, tensors_in, trace


def multiplications(model: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    """Counts what a row costs, by watching one pass.

    A kernel is used once at each position: a dense one once for a flat row, a convolution's at every pixel that it
    gives, a recurrent layer's at every step.

    Args:
      model: built.
      shape: of one row.

    Returns:
      Multiplications of kernels per row, and steps that have to wait for each other (of recurrent layers).

    Raises:
      ModelError: the model takes no such row; attention, for one, is built whatever widths meet in it.
    """
    try:
        calls, _ = trace(model, np.zeros((1, *shape), np.float32))
    except Exception as error:
        raise ModelError(f"the model cannot be called with a row of shape {shape}: {error}") from error
    total = steps = 0
    for call in calls:
        kernels = sum(math.prod(weight.shape) for weight in getattr(call.layer, "weights", []) if len(weight.shape) > 1)
        if kernels and "Embedding" not in type(call.layer).__name__:
            positions = math.prod(_positions(call))
            total += kernels * positions
            steps += positions if hasattr(call.layer, "cell") else 0
    return total, steps


def _positions(call: Call) -> tuple[int, ...]:
    """Returns the axes between the row and its last axis: of what a convolution gives, else of what is taken."""
    kind = type(call.layer).__name__
    given = "Conv" in kind and "Transpose" not in kind
    tensors = [first_tensor(call.output)] if given else tensors_in(call.inputs)
    return tuple(int(size) for size in tensors[0].shape[1:-1]) if tensors else ()
