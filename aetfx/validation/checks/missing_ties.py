"""`data.missing.tied`: whether a cell is missing goes with the values, or the missing cells, of another column.

Cells that are missing not at random bias what is filled in: the mean of those who told their income is no guess at the
income of those who did not. Two effects per pair of columns, over the sample of distinct rows:

* how often the other column is larger in a row where the cell is missing than in one where it is present (the area
  under the ROC curve, Mann and Whitney's U over all pairs of rows): 50 % by chance, whatever the column's tails;
* phi, the correlation of both columns' "is missing".

Either counts from a medium effect on if it is beyond what chance does in any of all pairs. Outages break the assumption
that rows are independent: a run of missing cells counts as one cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aetfx.validation.checks.base import Context, in_others, number, only
from aetfx.validation.checks.missing_patterns import run_lengths
from aetfx.validation.checks.noise import is_odd, rank_floor, share_bounds
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics
from aetfx.validation.thresholds import Thresholds
from aetfx.words import percent

_VALUES, _MISSING = "values", "missing cells"
_SAME_ROWS = 0.9  # phi: two outages of a twentieth of the rows each lie so well over one another once in 100 times
_MOST_COLUMNS = 500  # with missing cells that are looked at, those with the most
_BLOCK_PAIRS = 1 << 18  # pairs of columns at a time: 2 MB per figure
_UNIFORM_SD = 12**-0.5


@dataclass(frozen=True)
class Tie:
    """A column whose missing cells go with another.

    Attributes:
      column, other: column indices.
      kind: what of the other column it goes with: "values" or "missing cells".
      effect: share of the pairs of rows in which the other column is larger where this one is missing, or phi.
      floor: what chance reaches, as `effect` and on its side.
      strength: the effect over the least one that counts.
    """

    column: int
    other: int
    kind: str
    effect: float
    floor: float
    strength: float


def check(statistics: ColumnStatistics, context: Context) -> list[Finding]:
    """One finding for all columns whose missing cells go with another column."""
    ties = find_ties(statistics, context.thresholds)
    if not ties:
        return []
    names = [statistics.names[tie.column] for tie in ties]
    first, other = ties[0], statistics.names[ties[0].other]
    if first.kind == _VALUES:
        way, share = ("larger", first.effect) if first.effect > 0.5 else ("smaller", 1 - first.effect)
        seen = (
            f"where '{names[0]}' is missing '{other}' is {way}, in {percent(share)} of all pairs of rows (chance: 50 %)"
        )
    else:
        way = "in the same rows" if first.effect > 0 else "in different rows"
        seen = f"'{names[0]}' and '{other}' are missing {way} (phi {number(first.effect)})"
    return [
        Finding(
            "data.missing.tied",
            only(names),
            context.split,
            "warning" if any(tie.kind == _VALUES for tie in ties) else "info",
            f"{seen}{in_others(names, 'such a tie')}; cells are missing not at random, and the rows that have them do "
            "not stand for the others",
            {
                "columns": len(names),
                "worst": [
                    {
                        "column": statistics.names[tie.column],
                        "goes_with": f"{tie.kind} of {statistics.names[tie.other]}",
                        "measure": "larger in share of pairs" if tie.kind == _VALUES else "phi",
                        "effect": tie.effect,
                        "noise_floor": tie.floor,
                    }
                    for tie in ties[: context.thresholds.most_columns_shown]
                ],
            },
            "Impute them and leave them out of the loss (preprocessing.missing: mean), and feed np.isnan(x) as further "
            "columns, so that the model can tell what was filled in.",
        )
    ]


def find_ties(statistics: ColumnStatistics, thresholds: Thresholds) -> list[Tie]:
    """The strongest tie of each column that has one; those with values first, the strongest first."""
    sample, runs = statistics.row_sample, run_lengths(statistics, thresholds.chance)
    if sample is None or runs is None:
        return []
    missing = ~np.isfinite(sample)
    counts = np.count_nonzero(missing, axis=0)
    holed = np.flatnonzero((counts > 0) & (counts < len(sample)))
    holed = np.sort(holed[np.argsort(-counts[holed], kind="stable")[:_MOST_COLUMNS]])
    if not len(holed):
        return []
    # A run of missing cells is one event: so many events are among the cells of a column.
    events = np.nan_to_num(statistics.n_missing * runs[1] / runs[0], nan=np.inf)[holed]
    chance = thresholds.chance / (2 * len(holed) * sample.shape[1])
    ranks, holes = _ranks(sample), missing.astype(np.float32)
    ties = []
    step = max(1, _BLOCK_PAIRS // sample.shape[1])
    for begin in range(0, len(holed), step):
        block = slice(begin, begin + step)
        ties += list(_block_ties(ranks, holes, holed[block], events[block], chance, thresholds))
    return sorted(ties, key=lambda tie: (tie.kind != _VALUES, -tie.strength))


def _block_ties(
    ranks: np.ndarray, holes: np.ndarray, holed: np.ndarray, events: np.ndarray, chance: float, thresholds: Thresholds
) -> Iterator[Tie]:
    """The strongest tie of each column of `holed`.

    Args:
      ranks, holes: float32 (k, D); see `_ranks`, and 1 where a cell is missing.
      holed, events: columns and how many events their missing cells are, shape (H,).
      chance: of one pair to reach its floor.
    """
    n = float(len(holes))
    n_holes = holes.sum(axis=0, dtype=np.float64)
    m, p = n_holes[holed][:, None], n_holes / n
    together = (holes[:, holed].T @ holes).astype(np.float64)
    # Values: mean rank where i is missing, less that where it is present, over the rows that have j.
    group, whole = m - together, n - n_holes
    total = (holes[:, holed].T @ ranks).astype(np.float64)
    with np.errstate(all="ignore"):
        apart = total / group * whole / (whole - group)
        part = np.minimum(group, whole - group)  # whichever group is smaller has been drawn
        beyond = np.abs(apart) * (1 - part / whole) > rank_floor(np.minimum(part, events[:, None]), chance)
        larger = np.where(beyond, apart * _UNIFORM_SD, 0.0)
        by_values = np.abs(larger) / (thresholds.tied_share - 0.5)
        # Missing cells: share of the smaller group in which j is missing.
        seen = np.where(m <= n / 2, together / m, (n_holes - together) / (n - m))
        phi = (together / n - p[holed][:, None] * p) / np.sqrt(np.outer(p[holed] * (1 - p[holed]), p * (1 - p)))
        drawn = np.minimum(m, n - m)
        draws = np.where(phi >= _SAME_ROWS, drawn, np.minimum(drawn, events[:, None]))
        odd = is_odd(draws, np.clip(seen, 0.0, 1.0), p, chance)
        by_missing = np.where(odd, np.abs(phi), 0.0) / thresholds.tied_phi
    both = np.nan_to_num(np.stack([by_values, by_missing]), nan=0.0, posinf=0.0)
    both[:, np.arange(len(holed)), holed] = 0.0
    for h, column in enumerate(holed.tolist()):
        kind, j = np.unravel_index(int(np.argmax(both[:, h])), both[:, h].shape)
        strength = float(both[kind, h, j])
        if strength < 1:
            continue
        if kind == 0:
            floor = rank_floor(min(part[h, j], events[h]), chance) / (1 - part[h, j] / whole[j]) * _UNIFORM_SD
            way = float(np.sign(larger[h, j]))
            yield Tie(column, int(j), _VALUES, 0.5 + float(larger[h, j]), 0.5 + way * float(floor), strength)
        else:
            bounds = share_bounds(draws[h, j], p[j], chance)
            bound = bounds[int(seen[h, j] > p[j])]
            yield Tie(column, int(j), _MISSING, float(phi[h, j]),
                      float(phi[h, j] * (bound - p[j]) / (seen[h, j] - p[j])), strength)  # fmt: skip


def _ranks(sample: np.ndarray) -> np.ndarray:
    """Ranks of the finite cells of each column about their mean, in standard deviations of a uniform law; 0 elsewhere.

    Returns:
      float32, the shape of `sample`.
    """
    out = np.zeros(sample.shape, np.float32)
    for j, column in enumerate(sample.T):
        finite = np.isfinite(column)
        values = column[finite]
        ordered = np.sort(values)
        middle = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2
        out[finite, j] = (middle / max(1, len(values)) - 0.5) / _UNIFORM_SD
    return out
