"""Experiments that change rows and not the recipe: fewer train rows, some of eval's, an eval set brought back to scale.

A recipe names its change in `rows`; each is one function here, from a split to a changed split.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aetfx.comparison.splits import Split
from aetfx.data.split import falls_below, halve, row_hash

_SHARE = "share="


def changed(split: Split, change: str, seed: int) -> Split:
    """Returns a split with a change made.

    Args:
      split: as the study has it.
      change: "" for none, "share=0.5" for a part of the train rows, or a name of `CHANGES`.
      seed: of the study.

    Raises:
      KeyError: there is no such change.
    """
    if not change:
        return split
    if change.startswith(_SHARE):
        return _share(split, float(change.removeprefix(_SHARE)), seed)
    return CHANGES[change](split, seed)


def share(part: float) -> str:
    """Names the change that keeps a part of the train rows."""
    return f"{_SHARE}{part:g}"


def _share(split: Split, part: float, seed: int) -> Split:
    train = split.parts["train"]
    # By hash: the rows of a smaller part are among those of a larger one.
    kept = falls_below(row_hash(train.inputs, seed, purpose=b"share"), part)
    return Split({**split.parts, "train": train[kept]})


def _with_reserve(split: Split, seed: int) -> Split:
    """Replaces train rows by those of the reserve, as many as there are (at most half of train)."""
    train, reserve = split.parts["train"], split.parts["reserve"]
    order = np.argsort(row_hash(train.inputs, seed, purpose=b"replaced"), kind="stable")
    n_out = min(len(reserve), len(train) // 2)
    return Split({**split.parts, "train": train[np.sort(order[n_out:])].joined(reserve[slice(0, n_out)])})


def _tail(split: Split, seed: int) -> Split:
    """Holds out the last rows instead of rows drawn by hash, as many of them."""
    rows = split.parts["all"]
    first = len(rows) - len(split.held_out)
    out = rows[slice(first, None)]
    half = halve(out.inputs, seed)
    return Split({**split.parts, "train": rows[slice(0, first)], "select": out[~half], "confirm": out[half]})


CHANGES: dict[str, Callable[[Split, int], Split]] = {"with_reserve": _with_reserve, "tail": _tail}
