"""The rows of one way of holding out: train, select, confirm, and what is asked back for them.

Terms: *inputs* are the rows that go into the model; *targets* what `fit` asks back, the inputs themselves unless the
user gave others (denoising). The *reserve* is the part of the user's own eval rows that experiments may train on
where train and eval differ; nothing is scored on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetfx.data.split import falls_below, halve, held_out, row_hash

_RESERVE = 0.5  # of the eval rows


@dataclass(frozen=True)
class Part:
    """Inputs (n, *shape) and targets of the same shape; the same array twice where none were given."""

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, chosen: np.ndarray | slice) -> Part:
        """Returns some of the rows; keeps the two sides one array where they are."""
        inputs = self.inputs[chosen]
        return Part(inputs, inputs if self.targets is self.inputs else self.targets[chosen])

    @classmethod
    def of(cls, inputs: np.ndarray, targets: np.ndarray | None) -> Part:
        return cls(inputs, inputs if targets is None else targets)

    def joined(self, other: Part) -> Part:
        """Returns these rows with those of another part behind them."""
        inputs = np.concatenate([self.inputs, other.inputs])
        if self.targets is self.inputs and other.targets is other.inputs:
            return Part(inputs, inputs)
        return Part(inputs, np.concatenate([self.targets, other.targets]))


@dataclass(frozen=True)
class Split:
    """Raw rows of one way of holding out."""

    parts: dict[str, Part]

    @property
    def train(self) -> np.ndarray:
        return self.parts["train"].inputs

    @property
    def select(self) -> np.ndarray:
        return self.parts["select"].inputs

    @property
    def confirm(self) -> np.ndarray:
        return self.parts["confirm"].inputs

    @property
    def held_out(self) -> np.ndarray:
        return self.part("held_out").inputs

    def part(self, on: str) -> Part:
        """Returns train, select, confirm, held_out (the last two joined), reserve, or all rows in their order."""
        if on == "held_out":
            return self.parts["select"].joined(self.parts["confirm"])
        return self.parts[on]

    def evaluation(self) -> Part:
        """Returns all rows that are not train's, the reserve too: what the user gave, or held out, to judge by."""
        together = self.part("held_out")
        return together.joined(self.parts["reserve"]) if "reserve" in self.parts else together


def split_rows(rows: Part, evaluation: Part | None, fraction: float, seed: int, *, reserve: bool = False) -> Split:
    """Splits rows by the hash of their inputs, so that equal rows stay together.

    Args:
      rows: all rows where eval is a fraction of them, else the train rows.
      evaluation: the user's own eval rows, or None.
      fraction: held-out fraction, where evaluation is None.
      seed: of the split.
      reserve: set half of the user's own eval rows aside.
    """
    if evaluation is not None:
        train, out = rows, evaluation
    else:
        mask = held_out(rows.inputs, fraction, seed)
        train, out = rows[~mask], rows[mask]
    parts = {"train": train, "all": rows}
    if reserve and evaluation is not None:
        aside = falls_below(row_hash(out.inputs, seed, purpose=b"reserve"), _RESERVE)
        parts["reserve"], out = out[aside], out[~aside]
    half = halve(out.inputs, seed)
    return Split({**parts, "select": out[~half], "confirm": out[half]})
