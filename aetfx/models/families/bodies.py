"""The layers around a code that families without a shape of their own share: convolutional for images, else dense."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from aetfx.models.families import conv, dense
from aetfx.models.families.base import REGISTRY, Shape, is_image

KEYS = ("hidden", "filters", "bottleneck", "activation", "output_activation")


def body(shape: Shape) -> ModuleType:
    """Returns the module whose `encode` and `decode` suit rows of a shape."""
    return conv if is_image(shape) else dense


def defaults(shape: Shape) -> dict[str, Any]:
    """Returns the defaults of the family that lends its layers."""
    return REGISTRY[conv.Conv.name if is_image(shape) else dense.Dense.name].defaults(shape)
