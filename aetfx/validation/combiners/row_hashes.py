"""Rows that occur more than once, within a split or in both, and columns that are copies of each other.

Each row becomes one 64-bit number that depends on its values alone: not on dtype (float32 0.5 is float64 0.5), order or
file; -0.0 counts as 0.0 and all NaN as one value. Two different rows share a number with a chance of about
n^2 / 2^65: 1e-7 among two million rows.

Up to `budget` distinct rows all numbers are kept. Beyond, only the smallest are: a bottom-k sketch (Cohen and Kaplan
2007). As the numbers are uniform, those below any `threshold` are a fair sample of the distinct rows, with exact
counts, and the same rows are sampled in every split; shares computed from them are estimates without bias, and memory
stays flat.
The split by hash (aetfx.data.split) uses another hash, so that it does not bias the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aetfx.validation.combiners.base import Accumulator, Cells

BUDGET = 1 << 18  # distinct rows: 4 MB with their counts; shares of a thousandth are then known to 6 %
_BLOCK_CELLS = 1 << 16  # cells hashed at a time: 512 KiB of float64 stay in the cache
_ALL = np.uint64(2**64 - 1)
_GOLDEN, _MIX1, _MIX2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True)
class RowHashes:
    """What is known of the rows of a split.

    Attributes:
      hashes: numbers of the distinct rows that were kept, ascending, uint64 (k,).
      counts: how often each occurs, int64 (k,).
      n_rows: rows seen.
      threshold: all rows whose number is below this were kept; 2^64 - 1 where nothing was left out.
      columns: one number per column, uint64 (D,): equal for columns that hold the same values in the same rows.
    """

    hashes: np.ndarray
    counts: np.ndarray
    n_rows: int
    threshold: int
    columns: np.ndarray

    @property
    def exact(self) -> bool:
        """No row was left out."""
        return self.threshold == int(_ALL)

    @property
    def n_kept(self) -> int:
        """Rows behind the numbers that were kept."""
        return int(self.counts.sum())

    @property
    def surplus_share(self) -> float:
        """Share of the rows that repeat an earlier one."""
        return 1.0 - len(self.hashes) / max(1, self.n_kept)

    @property
    def n_distinct(self) -> int:
        """Distinct rows; an estimate where some were left out."""
        return len(self.hashes) if self.exact else round(len(self.hashes) / max(1, self.n_kept) * self.n_rows)

    @property
    def n_effective(self) -> float:
        """Rows that count as independent where equal rows stay together, as in a split by hash: (sum c)^2 / sum c^2."""
        kept = self.counts.astype(np.float64)
        return float(self.n_rows * kept.sum() / max(1.0, (kept * kept).sum()))

    def below(self, threshold: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers below a threshold and their counts."""
        stop = len(self.hashes) if threshold >= self.threshold else np.searchsorted(self.hashes, np.uint64(threshold))
        return self.hashes[:stop], self.counts[:stop]


class RowHasher(Accumulator[RowHashes]):
    """Keeps numbers with their counts, and recent ones as they come; both in bounded memory.

    Args:
      n_columns: D.
      budget: distinct rows that are kept.
    """

    def __init__(self, n_columns: int, budget: int = BUDGET):
        super().__init__(n_columns)
        self.budget = budget
        self.n_rows = 0
        self.threshold = _ALL
        self.hashes, self.counts = np.empty(0, np.uint64), np.empty(0, np.int64)
        self.recent: list[np.ndarray] = []
        self.n_recent = 0
        self.columns = np.zeros(n_columns, np.uint64)

    def add(self, cells: Cells) -> RowHasher:
        return self.add_hashes(*hash_rows(cells.values))

    def add_hashes(self, hashes: np.ndarray, columns: np.ndarray) -> RowHasher:
        """Takes in what `hash_rows` made of a batch."""
        self.n_rows += len(hashes)
        self.columns = self.columns + columns  # modulo 2^64
        if self.threshold < _ALL:
            hashes = hashes[hashes < self.threshold]
        self.recent.append(hashes)
        self.n_recent += len(hashes)
        if self.n_recent > self.budget // 2:
            self._compact()
        return self

    def merge(self, other: RowHasher) -> RowHasher:
        self.n_rows += other.n_rows
        self.columns = self.columns + other.columns
        self.threshold = min(self.threshold, other.threshold)
        recent = [*self.recent, *other.recent]
        self._compact(recent, other.hashes, other.counts)
        return self

    def result(self) -> RowHashes:
        self._compact()
        return RowHashes(self.hashes, self.counts, self.n_rows, int(self.threshold), self.columns)

    def _compact(
        self,
        recent: list[np.ndarray] | None = None,
        hashes: np.ndarray | None = None,
        counts: np.ndarray | None = None,
    ) -> None:
        """Sorts everything in, and lowers the threshold where there are too many."""
        fresh, n = np.unique(np.concatenate([self.hashes[:0], *(recent or self.recent)]), return_counts=True)
        numbers, often = [self.hashes, fresh], [self.counts, n]
        if hashes is not None and counts is not None:
            numbers, often = [*numbers, hashes], [*often, counts]
        self.recent, self.n_recent = [], 0
        together, weights = np.concatenate(numbers), np.concatenate(often)
        order = np.argsort(together, kind="stable")  # of sorted runs, which a stable sort only merges
        together, weights = together[order], weights[order]
        starts = np.flatnonzero(np.append(True, together[1:] != together[:-1])) if len(together) else order
        self.hashes = together[starts]
        self.counts = np.add.reduceat(weights, starts) if len(starts) else weights[:0]
        if len(self.hashes) > self.budget:
            self.threshold = min(self.threshold, self.hashes[self.budget])
        stop = np.searchsorted(self.hashes, self.threshold) if self.threshold < _ALL else len(self.hashes)
        self.hashes, self.counts = self.hashes[:stop].copy(), self.counts[:stop].copy()


@np.errstate(over="ignore", invalid="ignore")
def hash_rows(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a number per row and, for the batch, a number per column.

    Each cell's bits are mixed by a multiplication between two folds; a row is the sum of its mixed cells times one odd
    factor per column; a column is the sum of its mixed cells times the numbers of their rows.

    Args:
      values: shape (n, D), float32 or float64.

    Returns:
      uint64 (n,) and uint64 (D,). The column numbers of batches add up.
    """
    n, width = values.shape
    factors = _mixed(np.arange(1, width + 1, dtype=np.uint64) * _GOLDEN) | np.uint64(1)
    rows, columns = np.empty(n, np.uint64), np.zeros(width, np.uint64)
    step = max(1, _BLOCK_CELLS // max(1, width))
    folded, half = np.empty((min(step, n), width), np.uint64), np.uint64(32)
    for start in range(0, n, step):
        part = values[start : start + step]
        # A signed zero plus 0.0 is 0.0; float32 widens without loss.
        bits = np.add(part, 0.0, dtype=np.float64)
        if np.isnan(bits.sum()):  # also for infinities of both signs, to no harm
            bits[np.isnan(bits)] = np.nan
        cells, fold = bits.view(np.uint64), folded[: len(part)]
        cells ^= np.right_shift(cells, half, out=fold)
        cells *= _MIX1
        cells ^= np.right_shift(cells, half, out=fold)
        rows[start : start + step] = _mixed(cells @ factors)
        columns += rows[start : start + step] @ cells
    return rows, columns


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input reaches every bit."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _MIX1
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _MIX2
    return numbers ^ (numbers >> np.uint64(31))
