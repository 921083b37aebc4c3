"""Which columns are scored together: all of a tensor, each channel of unlike units, or each column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aetfx.data.parts import Part
from aetfx.evaluation import columns
from aetfx.evaluation.columns import ColumnFacts

_LEAST_ALIKE, _ALIKE = 3, 0.2  # so many columns whose sd lie within so much of their median were standardised


@dataclass(frozen=True)
class Groups:
    """Attributes as in `aetfx.evaluation.score.Scorer`; `parts` names the part of each group, or is None."""

    features: str
    included: np.ndarray
    group: np.ndarray
    channels: bool
    parts: tuple[str, ...] | None = None


def group_columns(
    flat: np.ndarray,
    kept: np.ndarray,
    facts: ColumnFacts,
    shape: tuple[int, ...],
    features: str,
    declared_shape: bool,
    binary: bool,
    parts: Sequence[Part] = (),
) -> Groups:
    """Forms the groups of columns.

    Args:
      flat: (n, D), of any numeric dtype.
      kept: bool (n, D), cells that count.
      facts: of these cells.
      shape: of one row.
      features, declared_shape: as for `Scorer.fit`.
      binary: all scored columns hold nothing but 0 and 1.
      parts: those that are scored; each forms groups of its own. Empty for rows of one part.
    """
    if not parts:
        return _of_one(flat, kept, facts, shape, features, declared_shape, binary)
    included, group = np.zeros(flat.shape[1], dtype=bool), np.full(flat.shape[1], -1, dtype=np.int64)
    names: list[str] = []
    kinds, channels = set(), False
    for part in parts:
        here = part.columns
        inner = ColumnFacts.of(flat[:, here], kept[:, here])
        found = _of_one(
            flat[:, here], kept[:, here], inner, part.shape, features, part.declared_shape, binary
        )  # fmt: skip
        included[here] = found.included
        group[here] = np.where(found.included, found.group + len(names), -1)
        names += [part.name] * (int(found.group.max()) + 1)
        kinds.add(found.features)
        channels |= found.channels
    return Groups(kinds.pop() if len(kinds) == 1 else "parts", included, group, channels, tuple(names))


def _of_one(
    flat: np.ndarray,
    kept: np.ndarray,
    facts: ColumnFacts,
    shape: tuple[int, ...],
    features: str,
    declared_shape: bool,
    binary: bool,
) -> Groups:
    guessed = features == "auto" and not declared_shape
    if features == "auto":
        features = "tensor" if declared_shape or facts.range_ratio <= columns.UNLIKE else "table"
    included = facts.varies if features == "tensor" or binary else facts.varies & facts.often_differs
    if features == "tensor" and not binary and (guessed or _alike(facts)):
        included = facts.varies & ~_blown_up(facts)
    channels = bool(features == "tensor" and included.any() and columns.unlike_channels(flat, kept, included, shape))
    return Groups(features, included, _numbered(included, features, shape[-1] if channels else 0), channels)


def _blown_up(facts: ColumnFacts) -> np.ndarray:
    """Returns the columns that hardly ever change and yet weigh half of what others do or more, bool (D,).

    Such are sensors that are stuck but for some jitter, once standardised; they would own the score. Where most columns
    rarely change, that is how the data are (counts of words), and none is left out, unless the others, an eighth or
    more, are of one spread: it was scaling that made the rare ones large.
    """
    usual = facts.varies & facts.often_differs
    rare = facts.varies & ~facts.often_differs & ~facts.only_bits
    least = 1 / 8 if _alike(facts) else 1 / 2
    if not usual.any() or usual.sum() < least * facts.varies.sum():
        return np.zeros(len(rare), dtype=bool)
    return rare & (facts.variance >= np.median(facts.variance[usual]) / 2)


def _alike(facts: ColumnFacts) -> bool:
    """Whether the columns that often change are of one spread, as each of them is that was standardised."""
    sd = np.sqrt(facts.variance[facts.varies & facts.often_differs])
    return len(sd) >= _LEAST_ALIKE and float(np.ptp(sd)) <= _ALIKE * float(np.median(sd))


def _numbered(included: np.ndarray, features: str, n_channels: int) -> np.ndarray:
    """Numbers the groups 0, 1, ... without gaps; -1 for columns that are not scored."""
    if features == "table":
        wanted = np.arange(len(included))
    elif n_channels:
        wanted = np.arange(len(included)) % n_channels  # the last axis is the fastest
    else:
        wanted = np.zeros(len(included), dtype=np.int64)
    group = np.full(len(included), -1, dtype=np.int64)
    group[included] = np.unique(wanted[included], return_inverse=True)[1]
    return group
