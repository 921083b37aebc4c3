"""What a model family is: one declaration with the rows that suit it, its defaults and its layers.

To add a family, copy a file of this folder and name it in `aetfx.study.FAMILIES`. The command line and the tests find
it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aetfx.errors import ModelError

REGISTRY: dict[str, Family] = {}

Shape = Sequence[int]
Settings = Mapping[str, Any]

_LEAST_SIDE = 8  # pixels: a narrower array is rather a sequence of a few channels
_MOST_RATIO = 4.0  # of the sides of an image


class Family:
    """Base of all families. Subclasses set the class attributes and three methods.

    Attributes:
      name: value of `model.family`.
      title: what it is, in one line.
      keys: of the study's `model` section that it takes.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        for name in ("name", "title", "keys"):
            if not hasattr(cls, name):
                raise TypeError(f"family {cls.__name__} must set the class attribute '{name}'.")
        if cls.name in REGISTRY:
            raise TypeError(f"family '{cls.name}' is declared twice.")
        REGISTRY[cls.name] = cls()

    def suits(self, shape: Shape) -> str:
        """Returns why rows of a shape are none for this family; "" where they are."""
        return ""

    def defaults(self, shape: Shape) -> dict[str, Any]:
        """Returns what its keys are for rows of a shape, where the study is silent."""
        raise NotImplementedError

    def build(self, shape: Shape, settings: Settings) -> Any:
        """Builds an uncompiled Keras model, input and output of shape (batch, *shape), float32.

        Args:
          shape: of one row.
          settings: a value for each of `keys`.
        """
        raise NotImplementedError


def chosen(shape: Shape) -> str:
    """Returns the family for rows of a shape: convolutional for images, temporal for sequences, else dense.

    >>> chosen((30,)), chosen((28, 28)), chosen((100, 3)), chosen((64, 64, 3))
    ('dense', 'conv', 'tcn', 'conv')
    """
    if is_image(shape):
        return "conv"
    return "tcn" if len(shape) == 2 else "dense"


def is_image(shape: Shape) -> bool:
    """Whether rows are images, (height, width) or (height, width, channels), by the look of their shape."""
    if len(shape) not in (2, 3):
        return False
    low, high = sorted(shape[:2])
    return low >= (_LEAST_SIDE if len(shape) == 2 else 2) and high <= _MOST_RATIO * low


def build(family: str, shape: Shape, given: Settings) -> Any:
    """Builds a family's model; see `check` for the arguments and errors."""
    found, settings = check(family, shape, given)
    return found.build(shape, settings)


def check(family: str, shape: Shape, given: Settings) -> tuple[Family, dict[str, Any]]:
    """Returns a family and all its settings.

    Args:
      family: its name, or "auto".
      shape: of one row.
      given: what the study says; None for what it leaves to the family.

    Raises:
      ModelError: the rows are none for this family, or it does not take a key that is given.
    """
    found = REGISTRY[chosen(shape) if family == "auto" else family]
    if because := found.suits(shape):
        raise ModelError(
            f"model.family: {found.name} {because}, but the rows have the shape {tuple(shape)}. Choose another family "
            "('aetfx models' lists them), or auto."
        )
    said = {key: value for key, value in given.items() if value is not None}
    taken = {name: {} if family.suits(shape) else family.defaults(shape) for name, family in sorted(REGISTRY.items())}
    for key in said:
        if key not in taken[found.name]:
            takers = ", ".join(name for name, defaults in taken.items() if key in defaults)
            raise ModelError(
                f"model.{key}: {found.name} has no such thing{' for rows of this shape' if key in found.keys else ''}; "
                f"it takes {', '.join(taken[found.name])}. Leave it out"
                f"{f', or choose a family that has it: {takers}' if takers else ''}."
            )
    return found, {**taken[found.name], **said}


def n_values(shape: Shape) -> int:
    """Returns how many numbers a row holds."""
    return math.prod(shape)


def code_width(shape: Shape, most: int) -> int:
    """Returns how wide a code to give rows of a shape, so that it is a bottleneck: at most half of their values.

    >>> code_width((30,), 8), code_width((5,), 8), code_width((1,), 8)
    (8, 2, 1)
    """
    return min(most, max(1, n_values(shape) // 2))


def catalogue(shape: Shape | None = None) -> list[dict[str, Any]]:
    """Returns what `aetfx models` tells of each family, in alphabetical order.

    Args:
      shape: of one row of the user's data; None where none were named.

    Returns:
      For each family its name, title and keys; with a shape also `refused` (why the rows are none for it, "" where
      they are), `defaults` (None where refused) and `chosen` (by `auto`).
    """
    found: list[dict[str, Any]] = []
    for name, family in sorted(REGISTRY.items()):
        item: dict[str, Any] = {"name": name, "title": family.title, "keys": list(family.keys)}
        if shape is not None:
            refused = family.suits(shape)
            item |= {
                "refused": refused,
                "defaults": None if refused else family.defaults(shape),
                "chosen": name == chosen(shape),
            }
        found.append(item)
    return found
