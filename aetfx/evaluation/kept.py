"""Rows that are kept to be looked at: the worst and the best of each configuration, and a sample of all.

Each part of the rows keeps its own and merging keeps the extremes of both, ordered by error and then by the row's
hash: the same rows are kept however rows were dealt out. Equal rows have one hash and are kept once. The typical rows
of a configuration, those nearest its median error, are looked for in the sample, because the median is known at the
end only.

Memory is that of at most `2 * extremes * L + sample` rows, and twice that for a moment, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class KeptRow:
    """A row of the data.

    Attributes:
      place: its number in its file, -1 where that is not known.
      error: float64 (L,), of each configuration.
      truth: (D,), raw units, in the dtype of the source.
      member: bool (S,), the slices that hold it.
    """

    place: int
    error: np.ndarray
    truth: np.ndarray
    member: np.ndarray


class Kept:
    """An accumulator of rows.

    Args:
      n_lists: L, configurations whose errors are told.
      extremes: worst and best rows to keep of each.
      sample: rows with the smallest hashes to keep beside these.
    """

    def __init__(self, n_lists: int, extremes: int, sample: int):
        self.extremes, self.n_sample = extremes, sample
        self.worst: list[dict[int, float]] = [{} for _ in range(n_lists)]
        self.best: list[dict[int, float]] = [{} for _ in range(n_lists)]
        self.sample: list[int] = []  # hashes, ascending
        self.rows: dict[int, KeptRow] = {}

    def add(
        self,
        errors: np.ndarray,
        keys: np.ndarray,
        truth: np.ndarray,
        member: np.ndarray,
        places: Callable[[], np.ndarray] | None = None,
    ) -> Kept:
        """Takes in a batch.

        Args:
          errors: float64 (L, n); NaN for rows without a scored cell, which are in no list.
          keys: uint64 (n,), hashes of the rows.
          truth: (n, D).
          member: bool (S, n).
          places: returns the rows' numbers, int64 (n,); called only where a row gets in.
        """
        chosen: dict[int, int] = {}  # hash to place in the batch
        for lists, sign in ((self.worst, -1.0), (self.best, 1.0)):
            for kept, mine in zip(lists, errors, strict=True):
                for i in self._beyond(kept, sign * mine, keys, sign):
                    key = int(keys[i])
                    kept[key] = _more_extreme(kept.get(key), float(mine[i]), sign)
                    chosen.setdefault(key, int(i))
                _cut(kept, self.extremes, sign)
        bound = self.sample[-1] if len(self.sample) >= self.n_sample else 2**64
        low = np.flatnonzero(keys < np.uint64(bound)) if bound < 2**64 else np.arange(len(keys))
        low = low[np.argsort(keys[low], kind="stable")]
        fresh, first = np.unique(keys[low], return_index=True)
        for key, i in zip(fresh[: self.n_sample].tolist(), low[first[: self.n_sample]].tolist(), strict=True):
            chosen.setdefault(key, i)
        self.sample = sorted({*self.sample, *fresh[: self.n_sample].tolist()})[: self.n_sample]
        wanted = {key: i for key, i in chosen.items() if key not in self.rows and self._is_listed(key)}
        if wanted:
            numbers = None if places is None else places()
            for key, i in wanted.items():
                place = -1 if numbers is None else int(numbers[i])
                self.rows[key] = KeptRow(place, errors[:, i].copy(), truth[i].copy(), member[:, i].copy())
        self._forget()
        return self

    def merge(self, other: Kept) -> Kept:
        for mine, theirs, sign in ((self.worst, other.worst, -1.0), (self.best, other.best, 1.0)):
            for kept, more in zip(mine, theirs, strict=True):
                for key, error in more.items():
                    kept[key] = _more_extreme(kept.get(key), error, sign)
                _cut(kept, self.extremes, sign)
        self.sample = sorted({*self.sample, *other.sample})[: self.n_sample]
        for key, row in other.rows.items():
            known = self.rows.get(key)
            if known is None or row.place < known.place:
                self.rows[key] = row
        self._forget(now=True)
        return self

    def ordered(self, which: str, number: int) -> list[int]:
        """Returns the hashes of the "worst" or "best" rows of a configuration, the most extreme first."""
        kept = (self.worst if which == "worst" else self.best)[number]
        sign = -1.0 if which == "worst" else 1.0
        return sorted(kept, key=lambda key: (sign * kept[key], key))

    def nearest(self, number: int, error: float, count: int) -> list[int]:
        """Returns the hashes of the sampled rows whose error of a configuration is nearest to a given one."""
        known = [key for key in self.sample if np.isfinite(self.rows[key].error[number])]
        return sorted(known, key=lambda key: (abs(self.rows[key].error[number] - error), key))[:count]

    def _beyond(self, kept: dict[int, float], level: np.ndarray, keys: np.ndarray, sign: float) -> np.ndarray:
        """Returns which rows of a batch may get into a list: those with the lowest levels, NaN never."""
        known = ~np.isnan(level)
        if not self.extremes:
            return np.zeros(0, np.int64)
        if len(kept) >= self.extremes:
            known &= level <= max(sign * error for error in kept.values())
        found = np.flatnonzero(known)
        if len(found) > self.extremes:
            order = np.lexsort((keys[found], level[found]))
            found = found[order]
            # Equal rows share a hash and count once.
            first = np.sort(np.unique(keys[found], return_index=True)[1])[: self.extremes]
            found = found[first]
        return found

    def _is_listed(self, key: int) -> bool:
        if any(key in kept for kept in (*self.worst, *self.best)):
            return True
        return bool(self.sample) and key <= self.sample[-1]

    def _forget(self, now: bool = False) -> None:
        """Drops rows that no list names any more."""
        most = self.n_sample + 2 * self.extremes * len(self.worst)
        if now or len(self.rows) > 2 * most:
            listed = {*self.sample, *(key for kept in (*self.worst, *self.best) for key in kept)}
            self.rows = {key: row for key, row in self.rows.items() if key in listed}


def _more_extreme(known: float | None, error: float, sign: float) -> float:
    """Equal rows may differ in the last bits of their errors: the more extreme one stands, in whatever order."""
    return error if known is None or sign * error < sign * known else known


def _cut(kept: dict[int, float], most: int, sign: float) -> None:
    if len(kept) > most:
        for key in sorted(kept, key=lambda key: (sign * kept[key], key))[most:]:
            del kept[key]
