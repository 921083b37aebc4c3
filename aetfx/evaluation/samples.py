"""`samples.npz`: some rows with what every configuration makes of them, small enough to be drawn at once.

Which rows: a sample by hash, and for each configuration its worst, its best, and those nearest its median error
(`aetfx.evaluation.kept`). They are at most `MOST_ROWS`, and fewer where rows are wide or configurations many. The rows
were kept in the pass; only these few are then given to the models once more, for reconstructions and codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.evaluation.baselines import pca
from aetfx.evaluation.tally import LEVELS, Plan, Tally
from aetfx.run import atomic

MOST_ROWS = 1000
RANDOM, WORST, BEST, MEDIAN = 1, 2, 4, 8
_SHOWN_BYTES = 256 << 20  # of truth and reconstructions together
_FLOAT32_BYTES = 64 << 20  # of reconstructions; beyond they are kept as float16 where their range allows
_FLOAT16_RANGE = 6e4
_HELD_BYTES = 16 << 20  # of the sample that each worker holds, from which typical rows are chosen
_MOST_HELD = 2048
_LEAST_EACH = 1

# truth (n, *shape) of the kept rows and the number of a configuration to its reconstructions and codes, or None
Answer = Callable[[np.ndarray, int], tuple[np.ndarray | None, np.ndarray | None]]


def sample_size(n_columns: int, n_random: int) -> int:
    """Returns how many rows are sampled by hash: `n_random` at least, and as many more as fit."""
    return max(n_random, min(_MOST_HELD, _HELD_BYTES // max(1, 8 * n_columns)))


def most_rows(n_columns: int, n_configurations: int) -> int:
    """Returns how many rows may be kept.

    >>> most_rows(30, 12), most_rows(150_528, 12)
    (1000, 34)
    """
    return max(1, min(MOST_ROWS, _SHOWN_BYTES // (4 * n_columns * (1 + n_configurations))))


def choose(tally: Tally, n_random: int) -> dict[int, int]:
    """Returns the hashes of the rows to keep, ascending, with the bits of why.

    Where these were too many, fewer extreme ones of each configuration are taken, then fewer of the sample.
    """
    plan = tally.plan
    most = most_rows(int(np.prod(plan.scorer.shape)), len(plan.leads))
    n_random = min(n_random, most)
    each = plan.extremes
    while True:
        found = _chosen(tally, n_random, each)
        if len(found) <= most:
            return dict(sorted(found.items()))
        if each > _LEAST_EACH:
            each -= 1
        elif n_random > 1:
            n_random //= 2
        else:  # many configurations: those of the first ones
            return dict(sorted(list(found.items())[:most]))


def _chosen(tally: Tally, n_random: int, each: int) -> dict[int, int]:
    found: dict[int, int] = {}

    def add(keys: Sequence[int], why: int) -> None:
        for key in keys:
            found[key] = found.get(key, 0) | why

    kept, leads = tally.kept, tally.plan.leads
    add(kept.sample[:n_random], RANDOM)
    middle = None
    if tally.n_rows[0]:
        middle = tally.quantiles[0].result()[0].quantiles(LEVELS)[LEVELS.index(0.5)]
    for number, lead in enumerate(leads):
        add(kept.ordered("worst", number)[:each], WORST)
        add(kept.ordered("best", number)[:each], BEST)
        if middle is not None and np.isfinite(middle[lead]):
            add(kept.nearest(number, float(middle[lead]), each), MEDIAN)
    return found


def collect(
    tally: Tally, places: Sequence[int], n_configurations: int, answer: Answer, n_random: int
) -> dict[str, np.ndarray]:
    """Collects the arrays of `samples.npz`.

    Args:
      tally: of the whole pass.
      places: for each configuration of the tally its number in `evaluation.json`.
      n_configurations: in `evaluation.json`, failed ones too.
      answer: asks a configuration.
      n_random: rows of the sample by hash.
    """
    plan: Plan = tally.plan
    chosen = choose(tally, n_random)
    kept = [tally.kept.rows[key] for key in chosen]
    shape = plan.scorer.shape
    n = len(kept)
    truth = np.array([row.truth for row in kept]).reshape(n, *shape)
    error = np.full((n_configurations, n), np.nan, np.float32)
    why = np.array(list(chosen.values()), np.uint8)
    names, rests = plan.slicer.names, plan.slicer.rests
    shown = [s for s in range(len(names)) if not rests[s] or tally.n_rows[s]]
    member = np.array([row.member for row in kept], dtype=bool).reshape(n, len(names)).T
    found: dict[str, np.ndarray] = {
        "schema": np.int64(2),
        "key": np.array(list(chosen), np.uint64),
        "place": np.array([row.place for row in kept], np.int64),
        "why": why,
        "truth": _as(truth, np.float32),
        "slices": member[shown],
    }
    narrow = len(places) * truth.size * 4 > _FLOAT32_BYTES
    for number, place in enumerate(places):
        error[place] = _as(np.array([row.error[number] for row in kept]), np.float32)
        if not n:
            continue
        restored, codes = answer(truth, number)
        if restored is not None:
            fits = narrow and np.abs(restored[np.isfinite(restored)]).max(initial=0.0) < _FLOAT16_RANGE
            found[f"restored_{place}"] = _as(restored.reshape(n, *shape), np.float16 if fits else np.float32)
        if codes is not None:
            found[f"code_{place}"] = _as(codes, np.float32)
            plane = _plane(codes, (why & RANDOM) > 0)
            if plane is not None:
                found[f"plane_{place}"] = plane
    return {**found, "error": error}


def write_samples(path: Path, samples: dict[str, Any]) -> None:
    """Writes the arrays atomically, without pickles."""
    with atomic(path) as temporary:
        np.savez_compressed(temporary, **samples)


def _plane(codes: np.ndarray, drawn: np.ndarray) -> np.ndarray | None:
    """Returns codes along the two principal axes of those of the sampled rows, float32 (n, 2).

    The extreme rows are no basis: they are not how the rows are.
    """
    codes = np.asarray(codes, np.float64)
    basis = codes[drawn & np.isfinite(codes).all(axis=1)]
    if len(basis) < 3:
        return None
    mean, directions = pca(basis, 2)
    flat = (codes - mean) @ directions.T
    return _as(np.pad(flat, ((0, 0), (0, 2 - flat.shape[1]))), np.float32)


def _as(values: np.ndarray, dtype: Any) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(dtype)
