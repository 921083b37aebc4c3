"""Which half is at fault: with the codes frozen, a fresh wide decoder says what codes still hold (METHOD section 5).

Where it does far better than the model's own decoder, the codes are good and the decoder wastes them; where it does no
better, what is missing was lost in the encoder, and no decoder brings it back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.models.reading import layer_outputs
from aetfx.training.feed import run_epochs, steps_at_once, updates_per_epoch

_UNITS = 128  # of each of two hidden layers: wide for a code, quick to train
_LEAST_UPDATES = 1500  # so that the fresh decoder is done, however short the user's training was
_BATCH = 64
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Halves:
    """What a fresh decoder made of the codes.

    Attributes:
      own: score of the model as it is, on the select rows.
      fresh: score of the fresh decoder on the same codes.
      at_fault: "encoder", "decoder" or "both": the fresh one is better by as much as a cause must be, and still bad.
    """

    own: float
    fresh: float
    at_fault: str

    @property
    def sentence(self) -> str:
        """Says it in words."""
        seen = f"With the codes as they are, a fresh wide decoder reaches {self.fresh:.3f} instead of {self.own:.3f}: "
        return (
            seen
            + {
                "decoder": "the codes hold what is needed, and the decoder is at fault.",
                "encoder": "what is missing was lost in the encoder.",
                "both": "part of it is lost in the encoder, part in the decoder.",
            }[self.at_fault]
        )


def which_half(case: Case) -> Halves | None:
    """Trains a fresh decoder on the codes of the case's first trial.

    Returns:
      None where the model has no code that can be read, or its codes are not numbers.
    """
    code = case.architecture.code
    if code is None or case.trial.diverged:
        return None
    train = case.train_part
    inputs, truth = case.lab.judged_on(case.recipe, "select")
    codes, held = (_codes(case, rows) for rows in (train.inputs, inputs))
    if codes is None or held is None:
        return None
    target = case.trial.preprocessing.apply(train.targets).reshape(len(train), -1)
    known = np.isfinite(target).all(axis=1)
    if not known.any():
        return None
    rebuilt = _decoded(codes[known], target[known], held, case.lab.seed)
    rebuilt = case.trial.preprocessing.invert(rebuilt.reshape(len(held), *case.lab.shape))
    fresh = case.lab.scorer().score(case.lab.judged_cells(truth), rebuilt, rows=case.lab.judged_rows).value
    own = case.select_score
    if 1 - fresh / own < case.thresholds.least_gain:
        return Halves(own, fresh, "encoder")
    return Halves(own, fresh, "decoder" if fresh <= case.target else "both")


def _codes(case: Case, rows: np.ndarray) -> np.ndarray | None:
    """Returns the codes of rows, float32 (n, width); None where some are not finite."""
    code = case.architecture.code
    assert code is not None
    parts = []
    for start in range(0, len(rows), _BLOCK_ROWS):
        fed = case.trial.preprocessing.apply(rows[start : start + _BLOCK_ROWS])
        part = layer_outputs(case.trial.model, fed, only=code.last).get(code.last)
        if part is None or len(part) != len(fed) or not np.isfinite(part).all():
            return None
        parts.append(np.asarray(part, np.float32).reshape(len(part), -1))
    return np.concatenate(parts)


def _decoded(codes: np.ndarray, target: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
    """Fits a fresh decoder to (codes, target) and returns its reconstruction of the held-out codes, as fed."""
    import keras

    keras.utils.set_random_seed(seed)
    # On standard scales, so that neither tiny codes nor large targets decide how well it learns.
    center, scale = codes.mean(axis=0), np.maximum(codes.std(axis=0), 1e-6)
    low, spread = target.mean(axis=0), np.maximum(target.std(axis=0), 1e-6)
    layers: list[Any] = [keras.layers.Dense(_UNITS, "elu") for _ in range(2)]
    decoder = keras.Sequential([keras.Input((codes.shape[1],)), *layers, keras.layers.Dense(target.shape[1])])
    decoder.compile("adam", "mse", steps_per_execution=steps_at_once(len(codes), _BATCH))
    epochs = max(1, math.ceil(_LEAST_UPDATES / updates_per_epoch(len(codes), _BATCH)))
    fed, asked = (np.asarray(part, np.float32) for part in ((codes - center) / scale, (target - low) / spread))
    # Not `fit` of arrays: it opens an iterator for each of some hundred epochs, which takes longer than the training.
    run_epochs(decoder, fed, asked, batch_size=_BATCH, seed=seed, epochs=epochs)
    return np.asarray(decoder((held - center) / scale, training=False)) * spread + low
