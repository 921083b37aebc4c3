"""Whether eval rows are train-like rows whose cells stand in another order: mirrored, transposed, BGR, sorted columns.

No figure is fitted but the order itself, so that two things are asked for: as they are, the cells' means and spreads
are far from those of train, and in the other order they are as near as other rows of the same kind would be. Columns
may stand in any of D! orders, one of which fits by chance: there the correlations between columns, which the choice
does not look at, have to agree as well.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from aetfx.data.turning import MOST_CHANNELS

_LEAST_ROWS = 30  # of each side
_FAR = 0.03  # mean squared distance of means and log spreads, in standard deviations: as given it is at least that
_NOISE = 6.0  # times 1/n + 1/m: what other rows of the same kind may be apart (one degree of freedom, heavy tails)
_NEAR = 0.02  # beside the noise
_ALIKE = 1.5  # times the least distance
_BETTER = 8.0  # times nearer than as given
_MOST_COLUMNS = 500  # of a table, whose order is looked for
_MOST_CELLS = 400  # whose correlations are compared
_TOLD = 4.0  # times nearer, the correlations of a table's columns
_UNLIKE = 30.0  # times the median spread: columns in units of their own are no pixels
_MOST_PAIRS = 8  # of columns that are alike, whose order the correlations tell
_CAP = 25.0  # five standard deviations: one gross column is not all columns


@dataclass(frozen=True)
class Layout:
    """An order of cells that brings eval rows to that of train.

    Attributes:
      words: what eval rows are ("the train rows upside down").
      code: what undoes it, behind the name of an array of eval rows ("[:, ::-1]").
      order: int (D,): where cell i of train stands in an eval row.
      before, after: mean squared distance between the cells' means and log spreads, in standard deviations of train.
    """

    words: str
    code: str
    order: np.ndarray
    before: float
    after: float

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Returns eval rows (n, *shape) in train's order."""
        return np.ascontiguousarray(rows.reshape(len(rows), -1)[:, self.order].reshape(rows.shape))

    @property
    def sentence(self) -> str:
        """Says what the order undoes, with its figures."""
        return (
            f"the eval rows are {self.words}: in train's order means and spreads of their cells lie "
            f"{np.sqrt(self.after):.2g} sd from those of train, now {np.sqrt(self.before):.2g} sd"
        )


def layout(train: np.ndarray, evaluation: np.ndarray) -> Layout | None:
    """Looks for another order of cells.

    Args:
      train, evaluation: (n, *shape) and (m, *shape); cells that are not finite are left out.

    Returns:
      The order; None where there is none, or none is needed.
    """
    if min(len(train), len(evaluation)) < _LEAST_ROWS:
        return None
    shape = train.shape[1:]
    here, there = (_Cells.of(rows) for rows in (train, evaluation))
    if ((here.sd > 0) & (there.sd > 0)).mean() < 0.5:
        return None
    for picture in _pictures(here) if len(shape) == 1 else ():
        found = _in_shape(picture, train, evaluation, here, there)
        if found is not None:
            into, back = (f".reshape(-1, {', '.join(map(str, sizes))})" for sizes in (picture, shape))
            return replace(found, code=f"{into}{found.code}{back}")
    return _in_shape(shape, train, evaluation, here, there)


def _in_shape(
    shape: tuple[int, ...], train: np.ndarray, evaluation: np.ndarray, here: _Cells, there: _Cells
) -> Layout | None:
    """Looks for another order of cells that stand in a shape."""
    distances = _distances(here, there, shape)
    size = len(here.mean)
    before = float(np.mean(distances(np.arange(size))))
    noise = 1 / len(train) + 1 / len(evaluation)
    if before < _FAR + _NOISE * noise:
        return None
    orders = [(float(np.mean(distances(each[2]))), *each) for each in _orders(shape, here, there)]
    if not orders:
        return None
    # The plainest order that does as well is the one that is meant.
    enough = _ALIKE * min(item[0] for item in orders) + noise
    after, words, code, order = next(item for item in orders if item[0] <= enough)
    if after > _NEAR + _NOISE * noise or _BETTER * after > before:
        return None
    if len(shape) == 1:
        order = _told_by_correlations(train, evaluation, order, distances, _NOISE * noise)
        code = f"[:, {order.tolist()}]"
    as_given, reordered = _correlations_apart(train, evaluation, order)
    worst = as_given / _TOLD if len(shape) == 1 else as_given + noise
    return Layout(words, code, order, before, after) if reordered <= worst else None


def _pictures(cells: _Cells) -> Iterator[tuple[int, ...]]:
    """Yields the shapes of the square pictures that flat rows, all in one unit, may have been."""
    size, sd = len(cells.sd), cells.sd
    if sd.max() > _UNLIKE * np.median(sd[sd > 0]):
        return
    for channels in (1, 3):
        edge = math.isqrt(size // channels)
        if edge > MOST_CHANNELS and edge * edge * channels == size:
            yield (edge, edge) if channels == 1 else (edge, edge, channels)


@dataclass(frozen=True)
class _Cells:
    """Mean and standard deviation of each cell, float64 (D,)."""

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> _Cells:
        flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
        flat = np.where(np.isfinite(flat), flat, np.nan)
        known = np.isfinite(flat).any(axis=0)
        mean, sd = np.zeros(flat.shape[1]), np.zeros(flat.shape[1])
        mean[known], sd[known] = np.nanmean(flat[:, known], axis=0), np.nanstd(flat[:, known], axis=0)
        return cls(mean, sd)


def _distances(here: _Cells, there: _Cells, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function from an order to the squared distances of all cells, (D,).

    Cells of a picture or a sequence are in the same unit, so that those at its rim, which hardly move, weigh little.
    """
    unit = float(np.sqrt(np.mean(np.square(here.sd))))
    floor = 1e-3 * float(np.median(here.sd[here.sd > 0]))

    def distances(order: np.ndarray) -> np.ndarray:
        mean, sd = there.mean[order], there.sd[order]
        if len(shape) > 1:
            apart = (np.square(mean - here.mean) + np.square(sd - here.sd)) / unit**2
        else:
            one, other = np.maximum(here.sd, floor), np.maximum(sd, floor)
            apart = np.square(mean - here.mean) / (one * other) + np.square(np.log(one / other))
        return np.asarray(np.minimum(apart, _CAP))

    return distances


def _orders(shape: tuple[int, ...], here: _Cells, there: _Cells) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yields what eval rows may be, the code that undoes it, and where train's cells then stand."""
    size = int(np.prod(shape))
    cells = np.arange(size).reshape(shape)
    if len(shape) == 1:
        if 3 <= size <= _MOST_COLUMNS:
            yield "the train rows with their columns in another order", "", _assigned(here, there)
        return
    turned = [("", "", cells)]
    if len(shape) == 2 or shape[-1] <= MOST_CHANNELS:
        turned += _turned(cells)
    channels = [tuple(range(shape[-1]))]
    if 2 <= shape[-1] <= MOST_CHANNELS:
        channels = list(itertools.permutations(channels[0]))
    for (words, code, order), which in itertools.product(turned, channels):
        if which != channels[0]:
            # Train's channel i stands at which[i]; told is which of train's stands where.
            words = f"{words} with channels {', '.join(map(str, np.argsort(which)))} in this order".strip()
            code += f"[..., {list(which)}]"
        if words:
            yield f"the train rows {words}", code, order[..., list(which)].reshape(-1)


def _turned(cells: np.ndarray) -> list[tuple[str, str, np.ndarray]]:
    """The ways to flip and turn the first two axes; of a sequence with few channels, only the first."""
    flips = [("upside down" if cells.shape[1] > MOST_CHANNELS else "reversed", "[:, ::-1]", cells[::-1])]
    if cells.shape[1] > MOST_CHANNELS:
        flips.append(("mirrored left to right", "[:, :, ::-1]", cells[:, ::-1]))
        flips.append(("turned by 180 degrees", "[:, ::-1, ::-1]", cells[::-1, ::-1]))
    if cells.shape[0] != cells.shape[1]:
        return flips
    other = cells.swapaxes(0, 1)
    return [
        *flips,
        ("transposed", ".swapaxes(1, 2)", other),
        ("turned by 90 degrees to the right", ".swapaxes(1, 2)[:, ::-1]", other[::-1]),
        ("turned by 90 degrees to the left", ".swapaxes(1, 2)[:, :, ::-1]", other[:, ::-1]),
        ("transposed and turned by 180 degrees", ".swapaxes(1, 2)[:, ::-1, ::-1]", other[::-1, ::-1]),
    ]


def _assigned(here: _Cells, there: _Cells) -> np.ndarray:
    """Returns the order of columns whose means and spreads agree best (Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    size = len(here.mean)
    distances = _distances(here, there, (size,))
    costs = np.stack([distances(np.full(size, column)) for column in range(size)], axis=1)
    return np.asarray(linear_sum_assignment(costs)[1])


def _told_by_correlations(
    train: np.ndarray,
    evaluation: np.ndarray,
    order: np.ndarray,
    distances: Callable[[np.ndarray], np.ndarray],
    alike: float,
) -> np.ndarray:
    """Returns the order in which columns whose means and spreads are alike have changed places where this brings the
    correlations nearer to those of train."""
    own, other = _correlations(train), _correlations(evaluation)
    pairs = [(i, j) for i, j in itertools.combinations(range(len(order)), 2)
             if (distances(_swapped(order, i, j)) - distances(order)).sum() <= 2 * alike]  # fmt: skip
    # All ways together: two pairs that are both the wrong way round are as consistent as two that are not.
    best, least = order, np.inf
    for chosen in itertools.product((False, True), repeat=min(len(pairs), _MOST_PAIRS)):
        tried = order
        for (i, j), turned in zip(pairs, chosen, strict=False):
            tried = _swapped(tried, i, j) if turned else tried
        apart = float(np.square(own - other[np.ix_(tried, tried)]).sum())
        if apart < least:
            best, least = tried, apart
    return best


def _swapped(order: np.ndarray, i: int, j: int) -> np.ndarray:
    swapped = order.copy()
    swapped[[i, j]] = order[[j, i]]
    return swapped


def _correlations(rows: np.ndarray, which: np.ndarray | None = None) -> np.ndarray:
    flat = np.nan_to_num(np.asarray(rows, np.float64).reshape(len(rows), -1))
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.corrcoef(flat if which is None else flat[:, which], rowvar=False))


def _correlations_apart(train: np.ndarray, evaluation: np.ndarray, order: np.ndarray) -> tuple[float, float]:
    """Returns the mean squared difference of the correlations between cells, as given and in another order."""
    some = np.random.default_rng(0).permutation(len(order))[:_MOST_CELLS]
    own = _correlations(train, some)
    return tuple(  # type: ignore[return-value]
        float(np.mean(np.square(own - _correlations(evaluation, which)))) for which in (some, order[some])
    )
