"""Whether eval rows are train-like rows on another scale: one affine map, or one per column, lays one over the other.

Quantiles are compared, not rows: the two sides hold different rows. An affine map always exists *roughly* between
two columns of one hump, so three things are asked for: the map fits at 19 levels with hardly a rest, it is far from
changing nothing, and it has a cause. One map for all columns (pixels divided by 255 on one side only) is cause enough;
a map per column is believed only where one side carries the mark of having been scaled and the other one is grossly
off, or where eval was scaled exactly by its own figures; a map of some columns only where the same factor lies between
them all, as where one of two sources counts in cents, and the other columns agree as they are. Columns of few values,
whose quantiles jump, are laid over each other by these (`levels`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aetfx.evaluation.levels import Levels

_LEVELS = np.linspace(0.05, 0.95, 19)
_LEAST_ROWS = 30  # of each side: a quantile of fewer rows strays by an eighth of its column's spread
_R2 = 0.99
# What sampling alone takes off R2, times 1/n + 1/m: 1.6 on average, four times that where columns hang together and
# stray alike (99 % of a chi-square with one degree of freedom); but never so much that unlike shapes would pass.
_NOISE, _MOST_NOISE = 6.0, 0.05
_LEAST_MOVE = 0.5  # rms way of the quantiles, in standard deviations of train
_BETTER = 10.0  # times less rest than without a map
_LEAST_COLUMNS = 3  # a map of fewer proves nothing
_MOST_OFF, _OFF = 0.2, 0.1  # share of the columns that may leave more rest than that: quantiles of codes jump
_ROUND = 0.015  # relative distance to a usual factor, below which the factor is meant
_LIKELY = 0.1  # the same of the middle of several columns' factors, each of which strays
_FACTORS = (2.0, 10.0, 16.0, 100.0, 127.5, 128.0, 255.0, 256.0, 1000.0, 65535.0)
_SAME = 1.5  # times between the slopes of columns with the same factor: a quantile's own noise at _LEAST_ROWS rows
_COINCIDENCE = 10.0  # between the largest of some counts smaller factors lie by chance
_EXACT = 1e-4  # of a scaler's own figures, float32
_ENDS = 0.02  # of the range of all cells: grey levels of some pages end a little below white
_PROVEN_REST = 0.25  # of eval rows from another place: heights of a strip that the train rows have little of
_GROSS = 3.0  # times another spread, or spreads away from another mean


@dataclass(frozen=True)
class Alignment:
    """A map of eval rows onto the scale of train: `rows * scale + offset`.

    Attributes:
      kind: "one" map for all columns, one per column ("columns"), or one for each of "some" columns.
      scale, offset: float64 (D,).
      r2: share of the variance of train's quantiles that eval's explain after the map; median over columns.
      move: how far the quantiles lie apart without it, rms, in standard deviations of train.
      compared: bool (D,), the columns that were compared; the others hardly move.
    """

    kind: str
    scale: np.ndarray
    offset: np.ndarray
    r2: float
    move: float
    compared: np.ndarray

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Returns eval rows (n, *shape) on train's scale, in their own dtype."""
        flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
        return (flat * self.scale + self.offset).reshape(rows.shape).astype(rows.dtype)

    @property
    def sentence(self) -> str:
        """Says what the map undoes, with its figures."""
        fit = f"with that undone their quantiles agree (R2 {self.r2:.3f}), now they lie {self.move:.3g} sd apart"
        if self.kind != "one":
            factors = 1 / self.scale[self.compared]
            low, high = f"{factors.min():.3g}", f"{factors.max():.3g}"
            times = f"{low} times" if low == high else f"{low} to {high} times"
            if self.kind == "some":
                which = (
                    f"{int(self.compared.sum())} of {len(self.compared)} columns of the eval rows are spread {times}"
                )
                return f"{which} as wide as in the train rows, and the others alike: {fit}"
            return f"each column of the eval rows is on a scale of its own, {times} that of the train rows: {fit}"
        return f"the eval rows are {self.words}: {fit}"

    @property
    def words(self) -> str:
        """What eval rows are to train rows, for a single map."""
        factor, offset = 1 / float(self.scale[0]), -float(self.offset[0] / self.scale[0])
        if factor < 0:
            return f"{offset:.4g} minus the train rows, as a negative is"
        times = "" if factor == 1 else f" times {factor:.4g}" if factor > 1 else f" divided by {1 / factor:.4g}"
        more = "" if offset == 0 else f" {'plus' if offset > 0 else 'minus'} {abs(offset):.4g}"
        return f"the train rows{times}{more}"


def alignment(train: np.ndarray, evaluation: np.ndarray) -> Alignment | None:
    """Looks for a map.

    Args:
      train, evaluation: (n, *shape) and (m, *shape); cells that are not finite are left out.

    Returns:
      The map, one for all columns first; None where there is none worth the name.
    """
    if min(len(train), len(evaluation)) < _LEAST_ROWS:
        return None
    here, there = (np.asarray(rows, np.float64).reshape(len(rows), -1) for rows in (train, evaluation))
    here, there = (np.where(np.isfinite(rows), rows, np.nan) for rows in (here, there))
    sides, found = _Sides.of(here, there), None
    if sides is not None:
        found = _one_map(sides) or _negative(sides) or _map_per_column(sides, here, there)
        found = found or _map_of_some(sides) or _map_of_two_scalers(sides)
    return found or _map_of_levels(sides, here, there)


_FIGURES = (np.nanmean, np.nanstd, np.nanmin, np.nanmax)


@dataclass(frozen=True)
class _Sides:
    """Quantiles (L, C) of the columns that move on both sides, and plain figures of these columns."""

    here: np.ndarray
    there: np.ndarray
    figures: tuple[np.ndarray, np.ndarray]  # of each side: mean, sd, minimum, maximum, (4, C)
    used: np.ndarray  # bool (D,)
    slack: float  # what sampling takes off R2
    whole: tuple[np.ndarray, np.ndarray]  # the figures of all columns, (4, D)
    pooled: tuple[np.ndarray, np.ndarray]  # the same of all cells together, (4,)

    @classmethod
    def of(cls, here: np.ndarray, there: np.ndarray) -> _Sides | None:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
            quantiles = [np.nanquantile(side, _LEVELS, axis=0) for side in (here, there)]
            figures, pooled = (
                tuple(np.stack([f(side, axis=axis) for f in _FIGURES]) for side in (here, there)) for axis in (0, None)
            )
        # Where a quarter of the rows shares a value, quantiles jump from it by chance.
        inner = [q[14] - q[4] for q in quantiles]
        used = (inner[0] > 0) & (inner[1] > 0)
        if not used.any():
            return None
        return cls(
            *(q[:, used] for q in quantiles),
            tuple(f[:, used] for f in figures),  # type: ignore[arg-type]
            used,
            min(_MOST_NOISE, _NOISE * (1 / len(here) + 1 / len(there))),
            figures,  # type: ignore[arg-type]
            pooled,  # type: ignore[arg-type]
        )

    def rests(self, mapped: np.ndarray) -> np.ndarray:
        """1 - R2 of mapped eval quantiles, (C,)."""
        return _rests(self.here, mapped)

    def rest(self, mapped: np.ndarray) -> float:
        return float(np.median(self.rests(mapped)))

    def accepted(self, scale: np.ndarray, offset: np.ndarray, *, proven: bool = False) -> tuple[float, float] | None:
        """R2 and move of a map, scale and offset of shape (C,), where it fits and moves enough.

        Where two scalers or a factor are `proven` the rows may differ as well, so that less of a fit is asked for.
        """
        return self.laid_over(self.there * scale + offset, proven=proven) if (scale > 0).all() else None

    def laid_over(self, mapped: np.ndarray, *, proven: bool = False) -> tuple[float, float] | None:
        """The same of eval's quantiles (L, C) as a map leaves them."""
        rests = self.rests(mapped)
        rest, unmapped = float(np.median(rests)), self.rest(self.there)
        spread = self.here.std(axis=0)
        move = float(np.sqrt(np.mean(np.square((self.there - self.here) / spread))))
        good = rest < 1 - _R2 + self.slack and (rests > _OFF + 2 * self.slack).mean() <= _MOST_OFF
        good = good and unmapped > _BETTER * rest
        good = good or (proven and rest < _PROVEN_REST < unmapped)
        return (1 - rest, move) if good and move > _LEAST_MOVE else None

    def exact_factor(self) -> float | None:
        """The usual factor that lies exactly between the largest of all cells, as white is 255 here and 1 there."""
        (least, most), (eval_least, eval_most) = (figures[2:] for figures in self.pooled)
        for usual in _FACTORS:
            for factor in (usual, 1 / usual):
                near = abs(least - factor * eval_least) <= _OFF * (most - least)
                if usual > _COINCIDENCE and near and abs(most - factor * eval_most) <= _EXACT * abs(most):
                    return factor
        return None

    def two_scalers(self) -> bool:
        """Whether each side bears the exact mark of a scaler fitted to all of its own cells, and not of the same."""
        here, there = (_mark(figures) for figures in self.pooled)
        return None not in (here, there) and here != there


def _rests(here: np.ndarray, mapped: np.ndarray) -> np.ndarray:
    """1 - R2 of quantiles (L, C) on the scale of others, (C,)."""
    total = np.square(here - here.mean(axis=0)).sum(axis=0)
    return np.asarray(np.square(here - mapped).sum(axis=0) / total)


def _one_map(sides: _Sides) -> Alignment | None:
    if sides.here.shape[1] < _LEAST_COLUMNS:
        return None
    weight = 1 / sides.here.var(axis=0)
    x, y = sides.there, sides.here
    w = np.broadcast_to(weight, x.shape)
    mean_x, mean_y = np.average(x, weights=w), np.average(y, weights=w)
    covariance = np.average((x - mean_x) * (y - mean_y), weights=w)
    scale = float(covariance / np.average(np.square(x - mean_x), weights=w))
    if not np.isfinite(scale) or scale <= 0:
        return None
    # The plainest map that fits as well is the one that is meant: a usual factor alone, then with an offset.
    usual = next(
        (f for u in _FACTORS for f in (u, 1 / u) if abs(scale / f - 1) < 4 * _ROUND), 1.0 if 0.9 < scale < 1.1 else None
    )
    exact = sides.exact_factor()
    usual = exact or usual
    candidates = [] if usual is None else [(usual, 0.0), (usual, mean_y - usual * mean_x)]
    ratio = float(np.average(x * y, weights=w) / np.average(x * x, weights=w))
    candidates += [(ratio, 0.0), (scale, mean_y - scale * mean_x)]
    rests = [sides.rest(x * a + b) for a, b in candidates]
    least = min(rests)
    width = x.shape[1]
    for (a, b), rest in zip(candidates, rests, strict=True):
        if 0.9 < a < 1.1 and not all(_floored(figures[2]) for figures in sides.figures):
            continue  # everything a little larger is how the world shifts; pixels keep their black
        if a > 0 and rest <= 1.5 * least + sides.slack / 4:
            fit = sides.accepted(np.full(width, a), np.full(width, b), proven=a == exact and b == 0)
            if fit is not None:
                size = len(sides.used)
                return Alignment("one", np.full(size, a), np.full(size, b), *fit, sides.used)
    return None


def _negative(sides: _Sides) -> Alignment | None:
    """The map of a negative: dark is bright and bright is dark, between the same two ends."""
    (least, most), (eval_least, eval_most) = (figures[2:] for figures in sides.pooled)
    apart = max(abs(least - eval_least), abs(most - eval_most))
    if sides.here.shape[1] < _LEAST_COLUMNS or apart > _ENDS * (most - least):
        return None
    fit, size = sides.laid_over(least + most - sides.there[::-1]), len(sides.used)
    return fit and Alignment("one", np.full(size, -1.0), np.full(size, least + most), *fit, sides.used)


def _map_per_column(sides: _Sides, here: np.ndarray, there: np.ndarray) -> Alignment | None:
    if sides.here.shape[1] < _LEAST_COLUMNS or not _scaled_apart(sides):
        return None
    scale, offset = _lines(sides)
    fit = sides.accepted(scale, offset)
    if fit is None:
        return None
    return Alignment("columns", *_completed(sides, Levels.of(here, there), scale, offset), *fit, sides.used)


def _completed(sides: _Sides, levels: Levels, scale: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lines of all columns (D,), given those through the quantiles (C,)."""
    # A column that mostly stays at one value has no quantiles to compare: mean and sd have to do.
    (mean, sd), (eval_mean, eval_sd) = (figures[:2] for figures in sides.whole)
    with np.errstate(all="ignore"):
        scales = np.where((sd > 0) & (eval_sd > 0), sd / eval_sd, 1.0)
        offsets = np.nan_to_num(mean - scales * eval_mean)
    scales[sides.used], offsets[sides.used] = scale, offset
    return np.where(levels.mapped, levels.scale, scales), np.where(levels.mapped, levels.offset, offsets)


def _map_of_some(sides: _Sides) -> Alignment | None:
    """A map of the columns that are grossly off by the same factor, where all others are alike without one."""
    (mean, sd), (eval_mean, eval_sd) = (figures[:2] for figures in sides.figures)
    off = _is_off((eval_mean - mean) / sd, eval_sd / sd)
    others = sides.rests(sides.there)[~off]
    if off.sum() < _LEAST_COLUMNS or off.all() or (others > _OFF + 2 * sides.slack).mean() > _MOST_OFF:
        return None
    some = replace(sides, here=sides.here[:, off], there=sides.there[:, off])
    slopes, offsets = _lines(some)
    middle = float(np.median(slopes))
    if slopes.min() <= 0 or slopes.max() > _SAME * slopes.min() or 1 / _GROSS < middle < _GROSS:
        return None
    usual = next((f for u in _FACTORS for f in (u, 1 / u) if abs(middle / f - 1) < _LIKELY), None)
    if usual is not None:  # quantiles of few rows stray; what they stray about is meant
        meant = np.full(len(slopes), usual), some.here.mean(axis=0) - usual * some.there.mean(axis=0)
        if some.accepted(*meant) is not None:
            slopes, offsets = meant
    fit = some.accepted(slopes, offsets)
    if fit is None:
        return None
    moved = np.flatnonzero(sides.used)[off]
    scale, offset, compared = np.ones(len(sides.used)), np.zeros(len(sides.used)), np.zeros(len(sides.used), bool)
    scale[moved], offset[moved], compared[moved] = slopes, offsets, True
    return Alignment("some", scale, offset, *fit, compared)


def _map_of_two_scalers(sides: _Sides) -> Alignment | None:
    """The map from one scaler of all cells to another, by mean and sd: nobody knows what they were fitted to."""
    if not sides.two_scalers():
        return None
    (mean, sd), (eval_mean, eval_sd) = (figures[:2] for figures in sides.pooled)
    scale, width, size = sd / eval_sd, sides.here.shape[1], len(sides.used)
    offset = mean - scale * eval_mean
    fit = sides.accepted(np.full(width, scale), np.full(width, offset), proven=True)
    return None if fit is None else Alignment("one", np.full(size, scale), np.full(size, offset), *fit, sides.used)


def _map_of_levels(sides: _Sides | None, here: np.ndarray, there: np.ndarray) -> Alignment | None:
    """The map of columns of few values each, where eval has others than train; the columns beside them must follow."""
    levels = Levels.of(here, there)
    if not levels.prepared_otherwise:
        return None
    scale, offset, followed = levels.scale, levels.offset, True
    if sides is not None:
        # What agrees as it is stays so; of the others as many must agree as of the columns of few values.
        slopes, shifts = _lines(sides)
        same = sides.rests(sides.there) < _OFF
        slopes, shifts = np.where(same, 1.0, slopes), np.where(same, 0.0, shifts)
        others = sides.rests(sides.there * slopes + shifts)[~levels.few[sides.used]]
        if others.size and (others > _OFF + 2 * sides.slack).mean() > _MOST_OFF:
            return None
        scale, offset = _completed(sides, levels, slopes, shifts)
        followed = not others.size
    told = levels.mapped & levels.few
    moved = told & (levels.moves > 0)
    alike = (np.ptp(part[moved]) <= _EXACT * max(1.0, float(np.abs(part[moved]).max())) for part in (scale, offset))
    one = followed and bool((moved == told).all()) and all(alike)
    if one:
        scale, offset = (np.full(len(part), np.median(part[moved])) for part in (scale, offset))
    laid = [np.nanquantile(rows[:, told], _LEVELS, axis=0) for rows in (here, there * scale + offset)]
    jumps = np.ptp(laid[0], axis=0) > 0  # all quantiles of a rare flag are alike
    r2 = 1 - float(np.median(_rests(*(side[:, jumps] for side in laid)))) if jumps.any() else 1.0
    move = float(np.sqrt(np.mean(np.square(levels.moves[told]))))
    return Alignment("one" if one else "columns", scale, offset, r2, move, told)


def _mark(figures: np.ndarray) -> str | None:
    """Names the scaler that cells with such mean, sd, minimum and maximum came from, where they are exact."""
    mean, sd, minimum, maximum = figures
    if abs(mean) < _EXACT and abs(sd - 1) < _EXACT:
        return "standard"
    if abs(maximum - 1) < _EXACT and min(abs(minimum), abs(minimum + 1)) < _EXACT:
        return "unit" if abs(minimum) < _EXACT else "signed"
    return None


def _lines(sides: _Sides) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and offsets (C,) of the lines through the quantiles of each column, eval's on train's."""
    x, y = sides.there, sides.here
    dx, dy = x - x.mean(axis=0), y - y.mean(axis=0)
    slopes = (dx * dy).sum(axis=0) / np.square(dx).sum(axis=0)
    return slopes, y.mean(axis=0) - slopes * x.mean(axis=0)


def _scaled_apart(sides: _Sides) -> bool:
    """Whether eval was scaled by its own figures, or one side was scaled and the other one is grossly off."""
    here, there = sides.figures
    if _standardised(there, 1e-3) or _between_ends(there, 1e-3):
        return True
    # What was standardised on train's figures has cells below 0, whoever the rows are; measurements often have none.
    if _standardised(here, 1e-3) and (there[2] >= 0).all():
        return True
    # Nor do pixels between 0 and 1, whose eval rows have mean 0 and sd 1 in each cell.
    if _standardised(there, 0.25) and (here[2] >= 0).all():
        return True
    return any(
        (_standardised(scaled, 0.25) or _between_ends(scaled, 0.25)) and _gross(other)
        for scaled, other in ((here, there), (there, here))
    )


def _standardised(figures: np.ndarray, slack: float) -> bool:
    """Whether all columns have mean 0 and sd 1."""
    mean, sd = figures[:2]
    near = np.abs(np.log(sd)) < 2 * slack if slack > 0.1 else np.abs(sd - 1) < max(slack, 0.02)
    return bool(((np.abs(mean) < slack) & near).all())


def _between_ends(figures: np.ndarray, slack: float) -> bool:
    """Whether all columns run from 0 (or -1) to 1."""
    minimum, maximum = figures[2:]
    bottom = np.minimum(np.abs(minimum), np.abs(minimum + 1)) < slack
    return bool(((np.abs(maximum - 1) < slack) & bottom).all())


def _floored(minimum: np.ndarray) -> bool:
    """Whether most columns share their smallest value, as those of images do."""
    return bool(np.unique(minimum, return_counts=True)[1].max() > 0.5 * len(minimum))


def _gross(figures: np.ndarray) -> bool:
    """Whether columns never were standardised: most are far from mean 0 and sd 1, or start at 0 as pixels do."""
    mean, sd, minimum, maximum = figures
    off = _is_off(mean, sd)
    unit = (minimum > -1.5) & (maximum < 1.5) & (maximum > 0.5)
    pixels = (minimum >= 0).all() and (minimum == 0).mean() > 0.5
    return bool((off & ~unit).mean() > 0.5 or pixels)


def _is_off(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Which columns (C,) are far from mean 0 and sd 1."""
    return np.asarray(
        (np.abs(np.log(np.maximum(sd, 1e-300))) > np.log(_GROSS)) | (np.abs(mean) > _GROSS * np.maximum(sd, 1.0))
    )
