"""Experiments that change rows and not the recipe: fewer train rows, some of eval's, an eval set brought back to scale.

A recipe names its change in `rows`, several in their order with a "+" between; each is one function here, from a
split to a changed split.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aetfx.comparison.splits import Part, Split
from aetfx.data.split import halve, row_hash
from aetfx.data.targets import relation
from aetfx.evaluation.alignment import Alignment, alignment
from aetfx.evaluation.layout import Layout, layout

_SHARE = "share="
_WITH_SELECT = "with_select="
_DRAW = "#"
_LEAVES_TRAIN = ("aligned",)


def changed(split: Split, change: str, seed: int) -> Split:
    """Returns a split with a change made.

    Args:
      split: as the study has it.
      change: "" for none, "share=0.5" for a part of the train rows ("share=0.5#2" for another such part),
        "with_select=3" for that many times as many select rows beside them, or a name of `CHANGES`; several are made
        one after the other ("aligned+with_reserve").
      seed: of the study.

    Raises:
      KeyError: there is no such change.
    """
    for name in filter(None, change.split("+")):
        if name.startswith(_SHARE):
            part, _, draw = name.removeprefix(_SHARE).partition(_DRAW)
            split = _share(split, float(part), seed + 1000 * int(draw or 0))
        elif name.startswith(_WITH_SELECT):
            split = _with_select(split, int(name.removeprefix(_WITH_SELECT)))
        else:
            split = CHANGES[name](split, seed)
    return split


def added(change: str, name: str) -> str:
    """Names a change on top of another."""
    return f"{change}+{name}" if change else name


def share(part: float, draw: int = 0) -> str:
    """Names the change that keeps a part of the train rows: which rows, `draw` decides."""
    return f"{_SHARE}{part:g}" + (f"{_DRAW}{draw}" if draw else "")


def with_select(times: int) -> str:
    """Names the change that adds so many times as many select rows to the train rows."""
    return f"{_WITH_SELECT}{times}"


def on_train(change: str) -> str:
    """Returns what is left of a change where only train rows are looked at: recipes that share it are trained alike."""
    return "+".join(name for name in change.split("+") if name not in _LEAVES_TRAIN)


def _share(split: Split, part: float, seed: int) -> Split:
    """Keeps the rows with the lowest hashes: those of a smaller part are among those of a larger one."""
    train = split.parts["train"]
    order = np.argsort(row_hash(train.inputs, seed, purpose=b"share"), kind="stable")
    return Split({**split.parts, "train": train[np.sort(order[: max(1, round(part * len(order)))])]})


def _with_reserve(split: Split, seed: int) -> Split:
    """Replaces train rows by those of the reserve, as many as there are (at most half of train)."""
    train, reserve = split.parts["train"], split.parts["reserve"]
    order = np.argsort(row_hash(train.inputs, seed, purpose=b"replaced"), kind="stable")
    n_out = min(len(reserve), len(train) // 2)
    return Split({**split.parts, "train": train[np.sort(order[n_out:])].joined(reserve[slice(0, n_out)])})


def _with_select(split: Split, times: int) -> Split:
    """Adds select rows to the train rows, `times` as many as those are (or all of them)."""
    train, select = split.parts["train"], split.parts["select"]
    return Split({**split.parts, "train": train.joined(select[slice(0, times * len(train))])})


def _tail(split: Split, seed: int) -> Split:
    """Holds out the last rows instead of rows drawn by hash, as many of them."""
    rows = split.parts["all"]
    first = len(rows) - len(split.held_out)
    out = rows[slice(first, None)]
    half = halve(out.inputs, seed)
    return Split({**split.parts, "train": rows[slice(0, first)], "select": out[~half], "confirm": out[half]})


EvalMap = Alignment | Layout


def alignments(split: Split) -> tuple[EvalMap | None, EvalMap | None]:
    """Returns the maps that bring the inputs and the targets of eval to the scale, or to the order, of train's cells,
    where there are any."""
    train, evaluation = split.parts["train"], split.evaluation()
    of_inputs = _map(train.inputs, evaluation.inputs)
    if train.targets is train.inputs:
        return of_inputs, of_inputs
    of_targets = _map(train.targets, evaluation.targets)
    # Noise that was added behind the scaling keeps its size, so that no line takes noisy rows quite to noisy rows.
    if of_targets is not None and relation(evaluation.inputs, evaluation.targets).kind == "denoising":
        of_inputs = of_targets
    return of_inputs, of_targets


def _map(train: np.ndarray, evaluation: np.ndarray) -> EvalMap | None:
    return alignment(train, evaluation) or layout(train, evaluation)


def is_aligned(change: str) -> bool:
    """Whether a change brings the eval rows to train's scale and order."""
    return "aligned" in change.split("+")


def _aligned(split: Split, seed: int) -> Split:
    """Brings the eval rows to train's scale and order, where one map does that; their targets by a map of their own."""
    of_inputs, of_targets = (found or unchanged for found in alignments(split))
    parts = dict(split.parts)
    for name in parts.keys() - {"train"}:
        part = parts[name]
        inputs = of_inputs(part.inputs)
        parts[name] = Part(inputs, inputs if part.targets is part.inputs else of_targets(part.targets))
    return Split(parts)


def unchanged(rows: np.ndarray) -> np.ndarray:
    """Stands for a map of eval rows where there is none."""
    return rows


CHANGES: dict[str, Callable[[Split, int], Split]] = {
    "with_reserve": _with_reserve,
    "aligned": _aligned,
    "tail": _tail,
}
