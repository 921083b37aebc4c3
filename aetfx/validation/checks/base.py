"""What a check is given besides statistics, and helpers that keep findings short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx import words
from aetfx.validation.output_range import OutputRange
from aetfx.validation.thresholds import Thresholds


@dataclass(frozen=True)
class Context:
    """What is known about the data and the model besides the statistics.

    Attributes:
      split: which split the statistics describe.
      output_range: what the model's output can take; None when no model is known.
      declared_shape: rows are tensors of like units.
      thresholds: the numbers.
    """

    split: str = "train"
    output_range: OutputRange | None = None
    declared_shape: bool = False
    thresholds: Thresholds = Thresholds()


def number(value: float) -> str:
    """A figure for a sentence: three significant digits, thousands separated, no exponent where it can be helped.

    >>> number(8040.4), number(0.00123456), number(12.0), number(1e9)
    ('8,040', '0.00123', '12', '1e+09')
    """
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-4:
        return f"{value:.3g}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.3g}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Names in a sentence: "'a', 'b' and 4 more"."""
    return words.listed(names, most, "'{}'".format)


def columns_word(names: Sequence[str], most: int = 3) -> str:
    """ "column 'a'" or "3 columns ('a', 'b', 'c')"."""
    return f"column '{names[0]}'" if len(names) == 1 else f"{len(names)} columns ({listed(names, most)})"


def in_others(names: Sequence[str], what: str) -> str:
    """What is said of the first of some columns holds for the others too.

    >>> in_others(["a", "b"], "such runs"), in_others(["a"], "such runs")
    (' (and such runs in 1 more column)', '')
    """
    more = len(names) - 1
    return f" (and {what} in {more} more column{'s' * (more > 1)})" if more else ""


def worst(names: Sequence[str], figures: dict[str, np.ndarray], order: np.ndarray, most: int) -> list[dict[str, Any]]:
    """The first columns of `order` with their figures, for the evidence.

    Args:
      names: D names.
      figures: name of a figure to its values, shape (D,).
      order: column indices, worst first.
    """
    return [
        {"column": names[j], **{key: np.asarray(values)[j].item() for key, values in figures.items()}}
        for j in order[:most].tolist()
    ]


def only(names: Sequence[str]) -> str | None:
    """The feature of a finding: the column if there is just one."""
    return names[0] if len(names) == 1 else None
