"""How the targets of a `fit(x, y)` relate to its inputs: the same rows, cleaner rows, or the wrong ones.

An autoencoder asks its inputs back. Where `fit` got something else, it is either denoising (each target is a cleaner
form of its input) or a mistake: rows or columns in another order, on another scale, moved along an axis, mirrored or
turned, computed from the inputs, or of other things. Cleaner rows may be on another scale too, as where noise was added
to scaled rows and the rows before are asked back, or each turned otherwise than its input, as where two generators
augment them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.data.turning import likeness, moved_by_noise, share_moved, turn, turned_back, turns
from aetfx.words import percent

_MOST_ROWS = 4096
_AFFINE_R2 = 0.999  # noise that denoising is meant for leaves less than that
_SHORTEST_OVERLAP = 3  # of an axis a third may be moved out of sight
_MOST_CELLS, _MOST_CELLS_MOVED = 8_000_000, 1_000_000  # to look at: once, and for each place along an axis
_LEAST_ROWS = 64
# The slope of inputs over targets is 1 where noise was added, whatever its strength; cells that were emptied make it
# smaller (a quarter where three of four are), but are then equal in the others.
_STEEP, _FLAT = 1.25, 0.2
_EQUAL_CELLS = 0.02
_BY_COLUMN = 1.1  # residuals of one line for all cells, times those of a line for each column
_SAME_ROWS = 0.95  # of the targets that are found among the inputs
_REACH = 2  # cells on each side of one that a derivative or a difference looks at
_OWN_R2 = 0.5  # of a target on its own input: smoothed, sharpened and restored rows still resemble what goes in
_MOST_COLUMNS, _ROWS_PER_COLUMN = 512, 3  # for a line through all cells of a row
_LEAST_TURNED = 0.2  # of noisy rows, beyond those that their noise makes look turned
_LEAST_LIKE = 0.1  # correlation of rows turned back, beyond that of pairs drawn at random
_PERMUTATIONS = 200
_LEAST_Z = 3.0  # of the pairs' mean correlation among those of permuted pairs


@dataclass(frozen=True)
class Relation:
    """What targets are to their inputs.

    Attributes:
      kind: same | denoising | backwards | rescaled | turned apart | permuted | affine | shifted | turned | reordered |
        computed | unrelated.
      sentence: what was seen, with figures.
      scale, offset: of rescaled targets: `scale * targets + offset` are on the scale of the inputs; a number each, or
        one for each column (*shape).
    """

    kind: str
    sentence: str
    scale: Any = None
    offset: Any = None

    @property
    def asks_inputs(self) -> bool:
        """Whether the inputs should have been asked back."""
        return self.kind not in ("same", "denoising", "backwards") and not self.asks_others

    @property
    def asks_others(self) -> bool:
        """Whether other targets than the given ones were meant, which can be made of these."""
        return self.kind in ("rescaled", "turned apart")

    def meant(self, targets: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Returns targets (n, *shape) on the scale of their inputs, and turned as these are."""
        if self.kind == "turned apart":
            return turned_back(targets, inputs)
        if self.scale is None:
            return targets
        return (np.asarray(targets, np.float64) * self.scale + self.offset).astype(targets.dtype)


SAME = Relation("same", "the targets are the inputs")


def relation(inputs: np.ndarray, targets: np.ndarray, *, recurrent: bool = True, seed: int = 0) -> Relation:
    """Compares inputs and targets.

    Args:
      inputs, targets: (n, *shape) each, in the order of the pairs; NaN and infinite cells are left out.
      recurrent: the model's layers are, so that sequences may be asked back from their end by design.
      seed: of the permuted pairs.
    """
    chosen = _some(inputs, _MOST_CELLS)
    x, y = (np.asarray(part[chosen], np.float64) for part in (inputs, targets))
    x, y = (np.where(np.isfinite(part), part, np.nan) for part in (x, y))
    if np.array_equal(x, y, equal_nan=True) and np.array_equal(inputs, targets, equal_nan=True):
        return SAME
    found = _permuted(inputs, targets) or _affine(x, y) or _shifted(x, y)
    if not found and recurrent and _is_from_the_end(x, y):
        return Relation("backwards", "the targets are the inputs from their end, as recurrent decoders may be asked")
    found = found or _turned(x, y) or _reordered(x, y) or _computed(x, y) or _unrelated(x, y, seed)
    if not found and not recurrent:
        found = _turned_apart(x, y, seed)
    return found or _rescaled(x, y) or Relation("denoising", "each target resembles its own input")


def _some(rows: np.ndarray, cells: int) -> np.ndarray:
    """Returns the numbers of so many rows, evenly spread, that they have about so many cells."""
    most = max(_LEAST_ROWS, min(_MOST_ROWS, cells // max(int(np.prod(rows.shape[1:])), 1)))
    return np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)


def _permuted(inputs: np.ndarray, targets: np.ndarray) -> Relation | None:
    from aetfx.data.split import row_hash

    x, y = row_hash(inputs, 0, purpose=b"target"), row_hash(targets, 0, purpose=b"target")
    known, moved = np.isin(y, x), x != y
    if known.mean() < _SAME_ROWS or moved.mean() <= 1 - _SAME_ROWS:
        return None
    return Relation(
        "permuted",
        f"the targets are the same rows in another order: {int(moved.sum()):,} of {len(x):,} stand beside another row",
    )


def _affine(x: np.ndarray, y: np.ndarray) -> Relation | None:
    """One scale and offset for all cells, or one for each column."""
    flat_x, flat_y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    whole = _line(flat_x.reshape(-1, 1), flat_y.reshape(-1, 1))
    if whole[2][0] > _AFFINE_R2:
        scale, offset = float(whole[0][0]), float(whole[1][0])
        if abs(scale - 1) < 1e-3 and abs(offset) < 1e-3 * np.nanstd(flat_x):
            return None
        return Relation("affine", f"the targets are the inputs times {scale:.4g} plus {offset:.4g}")
    scale, offset, r2 = _line(flat_x, flat_y)
    varies = np.nanstd(flat_x, axis=0) > 0
    if varies.any() and np.nanmin(r2[varies]) > _AFFINE_R2:
        low, high = float(np.nanmin(np.abs(scale[varies]))), float(np.nanmax(np.abs(scale[varies])))
        return Relation(
            "affine",
            f"each column of the targets is that of the inputs on another scale: times {low:.3g} to {high:.3g}",
        )
    return None


def _line(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fits y = scale x + offset per column; returns scale, offset and R2, (D,) each."""
    good = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(good.sum(axis=0), 1)
    mean_x, mean_y = (np.where(good, part, 0.0).sum(axis=0) / count for part in (x, y))
    dx, dy = np.where(good, x - mean_x, 0.0), np.where(good, y - mean_y, 0.0)
    xx, yy, xy = (dx**2).sum(axis=0), (dy**2).sum(axis=0), (dx * dy).sum(axis=0)
    with np.errstate(all="ignore"):
        scale = np.where(xx > 0, xy / xx, 0.0)
        r2 = np.where((xx > 0) & (yy > 0), xy**2 / (xx * yy), 0.0)
    return scale, mean_y - scale * mean_x, r2


def _shifted(x: np.ndarray, y: np.ndarray) -> Relation | None:
    """Rows moved along one axis, as where the next steps of a series are asked back."""
    few = _some(x, _MOST_CELLS_MOVED)
    x, y = x[few], y[few]
    for axis in range(1, x.ndim):
        furthest = x.shape[axis] // _SHORTEST_OVERLAP
        for step in (s for n in range(1, furthest + 1) for s in (n, -n)):
            length = x.shape[axis] - abs(step)
            source = np.take(x, np.arange(max(0, -step), max(0, -step) + length), axis=axis)
            target = np.take(y, np.arange(max(0, step), max(0, step) + length), axis=axis)
            if _lies_on(source, target):
                return Relation("shifted", f"the targets are the inputs moved by {abs(step)} along axis {axis}")
    return None


def _turned(x: np.ndarray, y: np.ndarray) -> Relation | None:
    """Rows mirrored, turned or transposed, all or some, as where augmentation reached only inputs or only targets."""
    few = _some(x, _MOST_CELLS_MOVED)
    x, y = x[few], y[few]
    moved = ~_equal_rows(x, y)
    source, target = x[moved], y[moved]
    for way in turns(x.shape):
        transposed, axes = way
        turned = turn(source, way)
        share = _equal_rows(turned, target).sum() / len(x)
        if share > 1 - _SAME_ROWS:
            mirrored = f"mirrored along axis {' and '.join(map(str, axes))}" if axes else ""
            how = " and ".join(filter(None, ("transposed" if transposed else "", mirrored)))
            return Relation("turned", f"{percent(share)} of the targets are their inputs {how}")
    return None


def _turned_apart(x: np.ndarray, y: np.ndarray, seed: int) -> Relation | None:
    """Clean rows turned or mirrored otherwise than their noisy inputs, as where two generators augment them."""
    if x.ndim < 3:
        return None
    few = _some(x, _MOST_CELLS_MOVED)
    x, y = x[few], y[few]
    found = likeness(x, y)
    best, moved = float(found.max(axis=0).mean()), share_moved(found)
    if moved < _LEAST_TURNED or moved < _LEAST_TURNED + moved_by_noise(y, best, seed):
        return None
    others = likeness(x, y[np.random.default_rng(seed).permutation(len(y))])
    if best < float(others.max(axis=0).mean()) + _LEAST_LIKE:
        return None
    return Relation(
        "turned apart",
        f"{percent(moved)} of the targets are turned or mirrored otherwise than their inputs: turned back they agree "
        f"with a mean correlation of {best:.2f}, now with {found[0].mean():.2f}",
    )


def _is_from_the_end(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether sequences are asked back from their end: a design (Srivastava et al. 2015), if all of them are."""
    return x.ndim <= 3 and bool(_equal_rows(np.flip(x, 1), y).mean() > _SAME_ROWS)


def _reordered(x: np.ndarray, y: np.ndarray) -> Relation | None:
    """Columns in another order, as where two files were read with theirs."""
    flat_x, flat_y = (part.reshape(len(part), -1).astype(np.float32) for part in (x, y))
    varies = np.flatnonzero((flat_y != flat_y[:1]).any(axis=0))
    known = {flat_x[:, j].tobytes(): j for j in reversed(range(flat_x.shape[1]))}
    origin = {int(j): known.get(flat_y[:, j].tobytes()) for j in varies}
    moved = {j: k for j, k in origin.items() if not np.array_equal(flat_x[:, j], flat_y[:, j], equal_nan=True)}
    if not moved or None in origin.values():
        return None
    j, k = next(iter(moved.items()))
    return Relation(
        "reordered",
        f"{len(moved):,} of {flat_y.shape[1]:,} columns of the targets are other columns of the inputs: "
        f"their column {j} is column {k}",
    )


def _computed(x: np.ndarray, y: np.ndarray) -> Relation | None:
    """Sums of several cells, as where differences, slopes or components are asked back: noise would leave a rest.

    What cleaner rows are asked back for resembles its own cell more than that (`_OWN_R2`).
    """
    flat_x, flat_y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    varies = np.nanstd(flat_y, axis=0) > 0
    whole = np.isfinite(flat_x).all(axis=1) & np.isfinite(flat_y).all(axis=1)
    if not varies.any() or whole.sum() < _LEAST_ROWS:
        return None
    if float(np.median(_line(flat_x, flat_y)[2][varies])) > _OWN_R2:
        return None
    x, y, flat_x, flat_y = x[whole], y[whole], flat_x[whole], flat_y[whole][:, varies]
    for axis in range(1, x.ndim):
        if x.shape[axis] <= 2 * _REACH + 1:
            continue
        weights, r2 = _sum_of_neighbours(x, y, axis)
        if r2 > _AFFINE_R2:
            said = ", ".join(f"{weight:.2g}" for weight in weights)
            return Relation(
                "computed", f"each target is a sum of neighbours of its cell along axis {axis}, weighted {said}"
            )
    n, width = flat_x.shape
    if width > _MOST_COLUMNS or n < _ROWS_PER_COLUMN * width:
        return None
    # Fitted on two thirds and looked at in the others: what many columns explain by chance does not last.
    fitted = np.arange(n) % 3 > 0
    inputs = np.column_stack([flat_x, np.ones(n)])
    weights = np.linalg.lstsq(inputs[fitted], flat_y[fitted], rcond=None)[0]
    rest = np.square(flat_y[~fitted] - inputs[~fitted] @ weights).sum(axis=0)
    total = np.square(flat_y[~fitted] - flat_y[fitted].mean(axis=0)).sum(axis=0)
    if float(np.median(rest[total > 0] / total[total > 0])) >= 1 - _AFFINE_R2:
        return None
    return Relation("computed", "each target is a weighted sum of the cells of its input, without any noise")


def _sum_of_neighbours(x: np.ndarray, y: np.ndarray, axis: int) -> tuple[np.ndarray, float]:
    """Fits one set of weights of the cells next to one for all cells; returns them, from before it on, and R2."""
    few = _some(x, _MOST_CELLS_MOVED)
    length = x.shape[axis] - 2 * _REACH
    moved = [np.take(x[few], np.arange(start, start + length), axis=axis).ravel() for start in range(2 * _REACH + 1)]
    target = np.take(y[few], np.arange(_REACH, _REACH + length), axis=axis).ravel()
    inputs = np.column_stack([*moved, np.ones(len(target))])
    weights = np.linalg.lstsq(inputs, target, rcond=None)[0]
    total = float(np.square(target - target.mean()).sum())
    rest = float(np.square(target - inputs @ weights).sum())
    return weights[:-1], 1 - rest / total if total > 0 else 0.0


def _equal_rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.isclose(x, y, rtol=1e-5, atol=1e-8, equal_nan=True).reshape(len(x), -1).all(axis=1)


def _lies_on(source: np.ndarray, target: np.ndarray) -> bool:
    """Whether one line takes a tensor to another, or of flat rows one for each column."""
    if source.ndim > 2:
        return bool(_line(source.reshape(-1, 1), target.reshape(-1, 1))[2][0] > _AFFINE_R2)
    varies = np.nanstd(source, axis=0) > 0
    return bool(varies.sum() > 1 and np.min(_line(source, target)[2][varies]) > _AFFINE_R2)


def _rescaled(x: np.ndarray, y: np.ndarray) -> Relation | None:
    """Cleaner rows on another scale: one for all cells, or one for each column."""
    flat_x, flat_y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    tells = flat_y != np.nanmin(flat_y)  # the black of an image is black on many scales
    if not tells.any() or np.mean((flat_x == flat_y)[tells]) > _EQUAL_CELLS:
        return None
    whole, columns = _line(flat_y.reshape(-1, 1), flat_x.reshape(-1, 1)), _line(flat_y, flat_x)
    varies = np.nanstd(flat_y, axis=0) > 0
    if not varies.any():
        return None
    left = [np.nanmean(np.square(flat_x - line[0] * flat_y - line[1])[:, varies]) for line in (whole, columns)]
    if left[0] <= _BY_COLUMN * left[1]:
        scale, offset = float(whole[0][0]), float(whole[1][0])
        middle, said = scale, f"the inputs are noisy targets times {scale:.4g} plus {offset:.4g}"
    else:
        shape = x.shape[1:]
        slopes = np.where(varies, columns[0], 1.0)
        scale = slopes.reshape(shape)
        offset = (np.nanmean(flat_x, axis=0) - slopes * np.nanmean(flat_y, axis=0)).reshape(shape)
        middle = float(np.median(columns[0][varies]))
        low, high = (float(edge(columns[0][varies])) for edge in (np.min, np.max))
        said = f"each column of the inputs is that of the targets with noise, times {low:.3g} to {high:.3g}"
    if _FLAT <= middle <= _STEEP:
        return None
    return Relation("rescaled", said, scale, offset)


def _unrelated(x: np.ndarray, y: np.ndarray, seed: int) -> Relation | None:
    """Pairs that agree no better than pairs drawn at random."""
    a, b = _unit_rows(x), _unit_rows(y)
    rng = np.random.default_rng(seed)
    own = float((a * b).sum(axis=1).mean())
    others = np.array([float((a * b[rng.permutation(len(b))]).sum(axis=1).mean()) for _ in range(_PERMUTATIONS)])
    if own > others.mean() + _LEAST_Z * max(float(others.std()), 1e-12):
        return None
    return Relation(
        "unrelated",
        f"an input and its target are no more alike than any two rows: mean correlation {own:.3f}, {others.mean():.3f} "
        "among pairs drawn at random",
    )


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    """Rows standardised by column and brought to length one."""
    flat = rows.reshape(len(rows), -1)
    flat = np.where(np.isfinite(flat), flat, np.nan)
    with np.errstate(all="ignore"):
        centred = np.nan_to_num((flat - np.nanmean(flat, axis=0)) / np.nanstd(flat, axis=0), posinf=0.0, neginf=0.0)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
