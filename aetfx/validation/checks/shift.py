"""`data.train_eval_shift`: columns whose values are spread differently in train and eval.

Three effect sizes per column, read off the percentiles of both splits, on bins that both share (between the deciles of
train; a value that holds several percentiles, and missing cells, are bins of their own):

* the Jensen-Shannon distance (root of the divergence in nats: 0 for equal shares, 0.83 for no overlap);
* the normalised Wasserstein distance: mean |difference of quantiles| between 1 % and 99 %, in standard deviations of
  train within these quantiles (so that a few outliers are no shift);
* the population stability index (PSI, Siddiqi 2006), for the severity.

No p-value decides (with ten million rows all of them are tiny, evidently#50). A column is reported when an effect is
of practical size *and* beyond its noise floor: what two samples of these sizes from one distribution reach with a
chance of `chance` in any of the D columns. For n and m rows, with H = 1/n + 1/m, 8 JSD / H and PSI / H follow a
chi-square law with one degree of freedom less than bins (Lin 1991; Yurdakul 2018). The Wasserstein distance stays below
(z + 1) sqrt(H), z the normal quantile, and where tails are heavy below the band of quantiles that chance allows
(`_band`). Both floors are checked by simulation in the tests. Rows that repeat count as the fewer independent ones that
they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetfx.validation.checks.base import Context, columns_word, number, only, worst
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics

_INNER = slice(1, -1)  # of the percentiles: 1 % to 99 %
_THIN = 0.05  # of the standard deviation
_LEAST_EXPECTED = 10  # rows in a bin; from twice Cochran's 5 on the far tail of the chi-square law holds too
_LEAST_SHARE = 0.05  # of the rows in a bin: its ends are read off percentiles
_SKETCH_ERROR = 0.01  # of a rank, with 99 % confidence
_GRID_ERROR = 0.005  # of a rank read off percentiles, where values repeat


@dataclass(frozen=True)
class Effects:
    """Effect sizes per column and their noise floors, shape (D,) each.

    NaN where a split has no finite cell; the Wasserstein distance is 0 where one has fewer than ten.
    """

    jensen_shannon: np.ndarray
    jensen_shannon_floor: np.ndarray
    wasserstein: np.ndarray
    wasserstein_floor: np.ndarray
    psi: np.ndarray


def check(train: ColumnStatistics, evaluation: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all columns that shifted; nothing without percentiles."""
    if train.percentiles is None or evaluation.percentiles is None:
        return []
    limits = context.thresholds
    sizes = effects(train, evaluation, limits.chance)
    distance = sizes.jensen_shannon / np.maximum(limits.shift_distance, sizes.jensen_shannon_floor)
    way = sizes.wasserstein / np.maximum(limits.shift_wasserstein, sizes.wasserstein_floor)
    beyond = np.nan_to_num(np.maximum(distance, way))
    order = np.argsort(-beyond, kind="stable")[: np.count_nonzero(beyond > 1)]
    if not len(order):
        return []
    large = (distance > 1) & (sizes.psi > limits.large_psi) | (way > 1) & (sizes.wasserstein > limits.large_wasserstein)
    names = [train.names[j] for j in order]
    j = order[0]
    first = f"'{names[0]}' " if len(names) > 1 else ""
    figures = {
        "jensen_shannon": sizes.jensen_shannon,
        "jensen_shannon_floor": sizes.jensen_shannon_floor,
        "wasserstein_sd": sizes.wasserstein,
        "wasserstein_floor_sd": sizes.wasserstein_floor,
        "psi": sizes.psi,
        "train_median": train.quantile(0.5),
        "eval_median": evaluation.quantile(0.5),
    }
    return [
        Finding(
            "data.train_eval_shift",
            only(names),
            context.split,
            "warning" if large[order].any() else "info",
            f"{columns_word(names)} {'is' if len(names) == 1 else 'are'} spread differently in eval than in train, "
            f"{first}by {number(sizes.wasserstein[j])} standard deviations (Jensen-Shannon distance "
            f"{number(sizes.jensen_shannon[j])}, noise below {number(sizes.jensen_shannon_floor[j])})",
            {
                "columns": len(names),
                "large": int(large[order].sum()),
                "train_rows": train.n_rows,
                "eval_rows": evaluation.n_rows,
                "worst": worst(train.names, figures, order, limits.most_columns_shown),
            },
            "Of one source, hold rows out by hash (data.eval: 0.2); of two, train on rows like those in eval too.",
        )
    ]


def effects(train: ColumnStatistics, evaluation: ColumnStatistics, chance: float = 0.001) -> Effects:
    """Compares each column of two splits that have percentiles.

    Args:
      chance: that any column of two samples from one distribution reaches its floor.
    """
    from scipy.stats import chi2, norm

    assert train.percentiles is not None
    assert evaluation.percentiles is not None
    width = len(train.names)
    per_column = chance / max(1, width)
    distance, psi, bins = np.full((3, width), np.nan)
    n_train, n_eval = float(_rows(train, train.n_rows)), float(_rows(evaluation, evaluation.n_rows))
    for j in np.flatnonzero((train.n_finite > 0) & (evaluation.n_finite > 0)):
        p, q = _coarsened(*_shares(train, evaluation, int(j)), n_train, n_eval)
        distance[j], psi[j] = _jensen_shannon(p, q), _psi(p, q, train.n_rows, evaluation.n_rows)
        bins[j] = max(2, len(p))
    noise = 1 / n_train + 1 / n_eval
    squared = chi2.isf(per_column, bins - 1) * noise / 8
    rank_error = _GRID_ERROR if train.exact and evaluation.exact else _SKETCH_ERROR
    squared = squared + bins * rank_error**2  # each bin off by twice that, at worst
    finite = 1 / _rows(train, np.maximum(train.n_finite, 1)) + 1 / _rows(evaluation, np.maximum(evaluation.n_finite, 1))
    here, there = train.percentiles[_INNER], evaluation.percentiles[_INNER]
    z = norm.isf(per_column / 2)
    with np.errstate(all="ignore"):
        spread = here.std(axis=0)
        spread = np.where(spread > _THIN * train.sd, spread, train.sd)  # all but constant between 1 % and 99 %
        spread = np.where(spread > 0, spread, evaluation.sd)
        way = np.abs(here - there).mean(axis=0) / spread
        bands = np.maximum(_band(train, z * np.sqrt(finite)),
                           _band(evaluation, z * np.sqrt(finite))) / spread  # fmt: skip
    few = np.minimum(_rows(train, train.n_finite), _rows(evaluation, evaluation.n_finite)) < _LEAST_EXPECTED
    way = np.where(few, 0.0, way)  # a handful of cells may lie anywhere
    # A column constant in both splits, at one value, has not moved.
    way = np.where(np.isnan(way) & (train.quantile(0.5) == evaluation.quantile(0.5)), 0.0, way)
    return Effects(distance, np.sqrt(squared), way, np.fmax((z + 1) * np.sqrt(finite), bands), psi)


def _band(statistics: ColumnStatistics, z: np.ndarray) -> np.ndarray:
    """How far each column's quantiles may stray by chance, on average over the levels, shape (D,).

    The rank of a quantile has standard deviation sqrt(l (1 - l)) times the sampling error; the quantiles that many
    ranks away bound it, however the tails of the column look.

    Args:
      z: sampling error of a rank times the normal quantile, shape (D,).
    """
    assert statistics.percentiles is not None
    levels = np.linspace(0.0, 1.0, len(statistics.percentiles))
    inner = levels[_INNER]
    out = np.zeros(len(statistics.names))
    low, high = statistics.quantile(0.001), statistics.quantile(0.999)  # a heavy tail is steep beyond 1 % and 99 %
    levels = np.concatenate([levels[:1], [0.001], inner, [0.999], levels[-1:]])
    curves = np.insert(np.insert(statistics.percentiles, -1, high, axis=0), 1, low, axis=0)
    for j, curve in enumerate(curves.T):
        step = z[j] * np.sqrt(inner * (1 - inner))
        above, below = np.interp(inner + step, levels, curve), np.interp(inner - step, levels, curve)
        out[j] = np.maximum(above - curve[2:-2], curve[2:-2] - below).mean()
    return out


def _rows(statistics: ColumnStatistics, n: int | np.ndarray) -> float | np.ndarray:
    """Rows that count as independent, of `n`."""
    rows = statistics.row_hashes
    return np.maximum(n if rows is None else n * rows.n_effective / max(1, rows.n_rows), 1.0)


def _shares(train: ColumnStatistics, evaluation: ColumnStatistics, j: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of the rows of both splits in each bin of column j."""
    assert train.percentiles is not None
    assert evaluation.percentiles is not None
    here, there = train.percentiles[:, j], evaluation.percentiles[:, j]
    cuts = np.unique(here[10:-1:10])
    found = []
    for curve, split in ((here, train), (there, evaluation)):
        left, right = _ranks(curve, cuts, "left"), _ranks(curve, cuts, "right")
        found.append((left, right, split.n_finite[j] / max(1, split.n_rows)))
    atoms = np.maximum(found[0][1] - found[0][0], found[1][1] - found[1][0]) > 0.015  # more than one percentile
    both = []
    for left, right, finite in found:
        ranks = np.sort(np.concatenate([[0.0], right, left[atoms], [1.0]]))
        both.append(np.append(np.diff(ranks) * finite, 1.0 - finite))
    return both[0], both[1]


def _coarsened(p: np.ndarray, q: np.ndarray, n: float, m: float) -> tuple[np.ndarray, np.ndarray]:
    """Joins neighbouring bins until in each both splits expect a few rows."""
    expected = (p * n + q * m) / (n + m) * min(n, m)
    least = max(_LEAST_EXPECTED, _LEAST_SHARE * min(n, m))
    groups, held = np.zeros(len(p), np.int64), 0.0
    for i, rows in enumerate(expected):
        groups[i] = groups[i - 1] + (held >= least) if i else 0
        held = rows if i and groups[i] > groups[i - 1] else held + rows
    if held < least and groups[-1]:  # the last one is too small: it joins the one before
        groups[groups == groups[-1]] -= 1
    return np.bincount(groups, p), np.bincount(groups, q)


def _ranks(curve: np.ndarray, values: np.ndarray, side: str) -> np.ndarray:
    """Share of a split below ("left") or up to ("right") each value, linear between its percentiles."""
    levels = np.linspace(0.0, 1.0, len(curve))
    place = np.searchsorted(curve, values, side="left" if side == "left" else "right")
    low, high = np.clip(place - 1, 0, None), np.clip(place, None, len(curve) - 1)
    gap = curve[high] - curve[low]
    with np.errstate(all="ignore"):
        part = np.where(gap > 0, (values - curve[low]) / gap, 0.0)
    ranks = levels[low] + np.clip(part, 0.0, 1.0) * (levels[high] - levels[low])
    return np.where(place == 0, 0.0, np.where(place == len(curve), 1.0, ranks))


def _jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen-Shannon distance in nats, as `scipy.spatial.distance.jensenshannon`."""
    middle = (p + q) / 2
    with np.errstate(all="ignore"):
        terms = [np.where(side > 0, side * np.log(side / middle), 0.0).sum() for side in (p, q)]
    return float(np.sqrt(max(0.0, sum(terms) / 2)))


def _psi(p: np.ndarray, q: np.ndarray, n: int, m: int) -> float:
    """Population stability index; half a row is added to each bin, so that empty ones do not count infinitely."""
    p, q = (p * n + 0.5) / (n + 0.5 * len(p)), (q * m + 0.5) / (m + 0.5 * len(q))
    return float(((p - q) * np.log(p / q)).sum())
