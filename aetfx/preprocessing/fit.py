"""Fitting a preprocessing on the train rows, or on their statistics.

`fit_rows` is for rows in memory: it masks missing cells, clips, and takes centre, scale and fill from what is left.
`fit` does the same from `ColumnStatistics`, which a Beam pipeline may have made from rows that fit no memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aetfx.data.padding import padded_cells
from aetfx.errors import DataError
from aetfx.preprocessing import spec as specs
from aetfx.preprocessing.constant import constant_by_statistics, constant_columns
from aetfx.preprocessing.transform import Preprocessing, Sentinels, missing_cells
from aetfx.validation.statistics import ColumnStatistics

__all__ = ["Preprocessing", "fit", "fit_rows"]

# Interquartile range of a normal distribution in standard deviations: a robust scale of 1 is then a sd of 1.
_NORMAL_IQR = 1.3489795003921634
_OUTER_FENCE = 3.0  # times the interquartile range beyond the quartiles; Tukey (1977) calls what lies outside "far out"
# A standard deviation below this part of the largest value is rounding of a constant column, not spread.
_ROUNDING = 1e-13

Fences = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Figures:
    """What scaling and imputing are taken from, float64 (D,) each; NaN for columns without a value."""

    mean: np.ndarray
    sd: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    lower_quartile: np.ndarray
    median: np.ndarray
    upper_quartile: np.ndarray


def fit_rows(
    spec: Mapping[str, str],
    x_train: np.ndarray,
    *,
    scope: str = "column",
    sentinels: Sentinels | None = None,
    fences: Fences | None = None,
    names: Sequence[str] | None = None,
    padding: float | None = None,
    pools: np.ndarray | None = None,
) -> Preprocessing:
    """Fits a preprocessing on train rows.

    Args:
      spec: scaling none|standard|minmax|robust, missing none|mean|median|zero, outliers none|clip, constant none|drop.
      x_train: (n, *shape), raw units, any numeric dtype.
      scope: "column", or "pooled" for one centre and scale for the whole tensor (images). Fill values stay
        per column.
      sentinels: flat column number to values that stand for "missing"; with `missing: none` they are ordinary values.
      fences: (low, high), (D,) each, for clipping; by default Tukey's outer fences of the cells that are left.
      names: D column names, for messages.
      padding: value of the padded steps at the end of rows (T, ...): they enter no figure and stay as they are.
      pools: int (D,), with scope "pooled": columns of one number share centre and scale; None pools all.

    Raises:
      StudyError: an unknown key or value in `spec`.
      DataError: a column without any finite value has nothing to be filled with.
    """
    chosen = specs.check(spec)
    shape = tuple(int(size) for size in x_train.shape[1:])
    flat = np.asarray(x_train).astype(np.float64).reshape(len(x_train), int(np.prod(shape)))
    marks = sentinels if sentinels and chosen["missing"] != "none" else {}
    # Infinite cells never enter a figure: with `missing: none` they stay what they are, and alone wreck their rows.
    missing = missing_cells(flat, marks)
    padded = padded_cells(flat, padding, shape)
    if padded is not None:
        missing |= padded
    low = high = None
    if chosen["outliers"] == "clip":
        low, high = _clean(fences) if fences is not None else _outer_fences(_figures(flat, missing, quartiles=True))
        flat = np.clip(flat, low, high)
    constant = constant_columns(flat, missing) if chosen["constant"] == "drop" else None
    quartiles = chosen["scaling"] == "robust" or chosen["missing"] == "median" or constant is not None
    columns = _figures(flat, missing, quartiles)
    scaled_by = columns
    if scope == "pooled":
        kept = np.ones(flat.shape[1], bool) if constant is None or constant.all() else ~constant
        scaled_by = _pooled_figures(flat, missing, quartiles, pools, kept)
    return _assemble(chosen, shape, columns, scaled_by, low, high, marks, names, constant, padding)


def fit(
    spec: Mapping[str, str],
    statistics: ColumnStatistics,
    *,
    shape: tuple[int, ...],
    scope: str = "column",
    sentinels: Sentinels | None = None,
    fences: Fences | None = None,
    names: Sequence[str] | None = None,
) -> Preprocessing:
    """Fits a preprocessing on the statistics of the train rows.

    Same arguments and errors as `fit_rows`. Three things cannot be had from statistics exactly: a sentinel that
    still counts in them (refused), the mean and standard deviation after clipping (those before are used), and
    quartiles pooled over columns (taken from the columns' quantiles).

    Raises:
      ValueError: the statistics still hold one of `sentinels`.
    """
    chosen = specs.check(spec)
    marks = sentinels if sentinels and chosen["missing"] != "none" else {}
    for spike in statistics.spikes:
        if spike.value in marks.get(spike.column, ()):
            name = statistics.names[spike.column]
            raise ValueError(f"statistics of '{name}' count the sentinel {spike.value}: mask it first, or use fit_rows")
    columns = _Figures(
        mean=statistics.mean,
        sd=statistics.sd,
        minimum=statistics.minimum,
        maximum=statistics.maximum,
        lower_quartile=statistics.quantile(0.25),
        median=statistics.quantile(0.5),
        upper_quartile=statistics.quantile(0.75),
    )
    low = high = None
    if chosen["outliers"] == "clip":
        low, high = _clean(fences) if fences is not None else _outer_fences(columns)
        columns = _Figures(
            **{
                name: values if name in ("mean", "sd") else np.clip(values, low, high)
                for name, values in vars(columns).items()
            }
        )
    constant = constant_by_statistics(statistics) if chosen["constant"] == "drop" else None
    scaled_by = _pool(statistics, columns, constant) if scope == "pooled" else columns
    return _assemble(chosen, tuple(shape), columns, scaled_by, low, high, marks, names or statistics.names, constant)


def _assemble(
    chosen: dict[str, str],
    shape: tuple[int, ...],
    columns: _Figures,
    scaled_by: _Figures,
    low: np.ndarray | None,
    high: np.ndarray | None,
    sentinels: Sentinels,
    names: Sequence[str] | None,
    constant: np.ndarray | None,
    padding: float | None = None,
) -> Preprocessing:
    size = int(np.prod(shape))
    fill = center = scale = dropped = None
    if constant is not None and constant.any():
        # A column without any value comes back as 0: whoever divided by a spread of zero had 0 in mind.
        dropped = np.where(constant, np.nan_to_num(columns.median), np.nan)
    if chosen["missing"] == "zero":
        fill = np.zeros(size)
    elif chosen["missing"] != "none":
        fill = columns.mean if chosen["missing"] == "mean" else columns.median
        if dropped is not None:
            fill = np.where(np.isnan(dropped), fill, dropped)
        if padding is not None:  # a step that no train row reaches
            fill = np.where(np.isnan(fill), padding, fill)
        empty = np.flatnonzero(np.isnan(fill))
        if len(empty):
            name = names[empty[0]] if names is not None else str(empty[0])
            raise DataError(
                f"column '{name}' has no finite value in the train rows, so there is no {chosen['missing']} to fill "
                "it with. Leave the column out, or use preprocessing.missing: zero."
            )
    if chosen["scaling"] != "none":
        center, scale = _center_and_scale(chosen["scaling"], scaled_by)
        center, scale = np.broadcast_to(center, size).copy(), np.broadcast_to(scale, size).copy()
    return Preprocessing(
        spec=chosen,
        shape=shape,
        fill=fill,
        low=low,
        high=high,
        center=center,
        scale=scale,
        dropped=dropped,
        sentinels={int(j): tuple(map(float, values)) for j, values in sentinels.items()},
        padding=padding,
    )


def _center_and_scale(scaling: str, figures: _Figures) -> tuple[np.ndarray, np.ndarray]:
    if scaling == "standard":
        center, scale = figures.mean, figures.sd
    elif scaling == "minmax":
        center, scale = figures.minimum, figures.maximum - figures.minimum
    else:
        center, scale = figures.median, (figures.upper_quartile - figures.lower_quartile) / _NORMAL_IQR
        scale = np.where(scale > 0, scale, figures.sd)  # more than half of the rows at one value
    largest = np.fmax(np.abs(figures.minimum), np.abs(figures.maximum))
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(scale) & (scale > _ROUNDING * largest) & (figures.maximum > figures.minimum)
    return np.where(np.isfinite(center), center, 0.0), np.where(usable, scale, 1.0)


def _figures(flat: np.ndarray, missing: np.ndarray, quartiles: bool) -> _Figures:
    """Computes the figures of (n, D) rows over the cells that are not missing; quartiles only where asked for."""
    count = (~missing).sum(axis=0)
    full = not missing.any()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = (flat if full else np.where(missing, 0.0, flat)).sum(axis=0) / count
        deviation = flat - mean if full else np.where(missing, 0.0, flat - mean)
        sd = np.sqrt(np.square(deviation).sum(axis=0) / count)
    minimum = (flat if full else np.where(missing, np.inf, flat)).min(axis=0)
    maximum = (flat if full else np.where(missing, -np.inf, flat)).max(axis=0)
    cut = np.full((3, flat.shape[1]), np.nan)
    if quartiles and full:
        cut = np.quantile(flat, [0.25, 0.5, 0.75], axis=0)
    elif quartiles:
        for j in np.flatnonzero(count):
            cut[:, j] = np.quantile(flat[~missing[:, j], j], [0.25, 0.5, 0.75])
    empty = count == 0
    return _Figures(
        mean,
        sd,
        np.where(empty, np.nan, minimum),
        np.where(empty, np.nan, maximum),
        cut[0],
        cut[1],
        cut[2],
    )


def _pooled_figures(
    flat: np.ndarray, missing: np.ndarray, quartiles: bool, pools: np.ndarray | None, kept: np.ndarray
) -> _Figures:
    """Figures over all cells of each pool, handed to each of its columns; of one cell each where all are one pool.

    Columns that are not kept have no say in them, unless their pool holds no others.
    """
    if pools is None:
        return _figures(flat[:, kept].reshape(-1, 1), missing[:, kept].reshape(-1, 1), quartiles)
    names = [field.name for field in dataclasses.fields(_Figures)]
    found = {name: np.empty(flat.shape[1]) for name in names}
    for pool in np.unique(pools):
        member = pools == pool
        heard = member & kept if (member & kept).any() else member
        figures = _figures(flat[:, heard].reshape(-1, 1), missing[:, heard].reshape(-1, 1), quartiles)
        for name in names:
            found[name][member] = getattr(figures, name)[0]
    return _Figures(**found)


def _pool(statistics: ColumnStatistics, columns: _Figures, constant: np.ndarray | None) -> _Figures:
    """Merges the figures of all columns that are kept into those of one, shape (1,)."""
    count = statistics.n_finite.astype(np.float64)
    if constant is not None and not constant.all():
        count = np.where(constant, 0.0, count)
    known = count > 0
    share = count[known] / count.sum()
    mean = float(share @ columns.mean[known])
    variance = float(share @ (np.square(columns.sd[known]) + np.square(columns.mean[known] - mean)))
    # Each column spread over its own quantile curve at 100 even levels; exact enough for a scale.
    from aetfx.validation.statistics import QUANTILES

    levels = (np.arange(100) + 0.5) / 100
    curves = np.stack([np.interp(levels, QUANTILES, statistics.quantiles[:, j]) for j in np.flatnonzero(known)])
    order = np.argsort(curves, axis=None)
    weight = np.cumsum(np.repeat(share, len(levels))[order]) / len(levels)
    quartiles = np.interp([0.25, 0.5, 0.75], weight, curves.reshape(-1)[order])
    one = (mean, variance**0.5, columns.minimum[known].min(), columns.maximum[known].max(), *quartiles)
    return _Figures(*(np.array([value]) for value in one))


def _outer_fences(figures: _Figures) -> Fences:
    """Tukey's outer fences; none for a column whose quartiles coincide, where they would flatten everything."""
    reach = _OUTER_FENCE * (figures.upper_quartile - figures.lower_quartile)
    with np.errstate(invalid="ignore"):
        usable = reach > 0
    low = np.where(usable, figures.lower_quartile - reach, -np.inf)
    return low, np.where(usable, figures.upper_quartile + reach, np.inf)


def _clean(fences: Fences) -> Fences:
    low, high = (np.asarray(side, dtype=np.float64).reshape(-1) for side in fences)
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
