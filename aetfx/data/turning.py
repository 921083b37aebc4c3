"""The ways in which a picture, or a sequence, can lie: which of them suits another one best, and turning it so."""

from __future__ import annotations

from itertools import combinations

import numpy as np

Way = tuple[bool, tuple[int, ...]]  # whether transposed, then mirrored along which axes

MOST_CHANNELS = 4  # a last axis of so many cells at most is none to mirror
_CHUNK, _HALVINGS = 4096, 7


def turn(rows: np.ndarray, way: Way) -> np.ndarray:
    """Returns rows (n, *shape) as they lie in another way."""
    transposed, axes = way
    return np.flip(rows.swapaxes(1, 2) if transposed else rows, axes)


def turns(shape: tuple[int, ...]) -> list[Way]:
    """Returns how rows of such a shape (n, ...) can be turned, along any axes."""
    axes = [axis for axis in range(1, len(shape)) if shape[axis] > 1]
    mirrored = [chosen for size in range(len(axes) + 1) for chosen in combinations(axes, size)]
    square = len(shape) > 2 and shape[1] == shape[2]
    return [(False, chosen) for chosen in mirrored if chosen] + [(True, chosen) for chosen in mirrored if square]


def turned_back(targets: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Returns targets (n, *shape) turned and mirrored as each comes closest to its input."""
    found = targets.copy()
    for start in range(0, len(targets), _CHUNK):
        part = slice(start, start + _CHUNK)
        best = likeness(inputs[part], targets[part]).argmax(axis=0)
        for number, way in enumerate(_ways(targets.shape)):
            chosen = np.flatnonzero(best == number) + start
            found[chosen] = turn(targets[chosen], way)
    return found


def likeness(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the correlation of each row (n, *shape) with its other one in each way to turn that, (ways, n)."""
    a = _centred(x)
    return np.stack([np.einsum("ij,ij->i", a, _centred(turn(y, way))) for way in _ways(x.shape)])


def _centred(rows: np.ndarray) -> np.ndarray:
    """Rows without their own mean and brought to length one."""
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
    known = np.isfinite(flat)
    filled = np.where(known, flat, 0.0)
    mean = filled.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = np.where(known, filled - mean, 0.0)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def _ways(shape: tuple[int, ...]) -> list[Way]:
    """Returns how such rows can lie: as they are, then turned along axes that are neither channels nor features."""
    last = len(shape) - 1
    few = {last} if last > 2 or shape[last] <= MOST_CHANNELS else set()
    return [(False, ()), *(way for way in turns(shape) if not few & set(way[1]) and not (way[0] and 2 in few))]


def share_moved(found: np.ndarray) -> float:
    """Returns the share of the rows that another way suits better than the one in which they lie."""
    return float((found.argmax(axis=0) > 0).mean())


def moved_by_noise(y: np.ndarray, best: float, seed: int) -> float:
    """Returns which share looks turned where nothing is, under noise that leaves the best way as good on the mean."""
    rng = np.random.default_rng(seed)
    clean = _centred(y) * np.sqrt(y[0].size)
    noise, low, high = rng.normal(size=clean.shape), 0.0, 1.0
    for _ in range(_HALVINGS):
        part = (low + high) / 2  # of the variance
        found = likeness((np.sqrt(1 - part) * clean + np.sqrt(part) * noise).reshape(y.shape), y)
        low, high = (part, high) if found.max(axis=0).mean() > best else (low, part)
    return share_moved(found)
