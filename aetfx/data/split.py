"""Which rows are held out: decided by a hash of each row's values, so that equal rows stay together.

The hash does not depend on order, file, dtype of the file or platform: a row of the same float64
numbers falls on the same side everywhere, in memory and inside a Beam worker.
"""

from __future__ import annotations

import hashlib

import numpy as np

from aetfx.errors import DataError

COMMON = 0.01  # share of the held-out rows above which equal ones are dealt out to both halves
_RARE = 4  # that many equal rows are no kind of data yet


def row_hash(values: np.ndarray, seed: int, purpose: bytes = b"held out") -> np.ndarray:
    """Hashes each row: blake2b over its float64 little-endian bytes, keyed by the seed.

    Args:
      values: shape (n, ...), any real dtype. All NaN count as one value, and -0.0 as 0.0.
      seed: the study's split seed.
      purpose: hashes for different purposes (at most 16 bytes) are independent of each other.

    Returns:
      uint64, shape (n,).
    """
    flat = np.array(values, dtype="<f8", order="C").reshape(len(values), -1)  # a copy: it is changed below
    flat += 0.0  # -0.0 becomes 0.0
    flat[np.isnan(flat)] = np.nan
    key = (int(seed) % (1 << 64)).to_bytes(8, "little")
    base = hashlib.blake2b(digest_size=8, key=key, person=purpose)
    digests = bytearray()
    for row in flat:
        digest = base.copy()
        digest.update(row)
        digests += digest.digest()
    return np.frombuffer(bytes(digests), dtype="<u8").astype(np.uint64)


def falls_below(hashes: np.ndarray, fraction: float) -> np.ndarray:
    """Whether each hash, seen as a number in [0, 1), is below `fraction`; bool of the same shape."""
    return hashes < np.uint64(min(max(int(fraction * 2.0**64), 0), 2**64 - 1))


def held_out(values: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Chooses the rows that are held out.

    Args:
      values: shape (n, ...).
      fraction: share of the rows to hold out, between 0 and 1.

    Returns:
      bool, shape (n,). Equal rows are on the same side.

    Raises:
      DataError: no row is left on one side.
    """
    chosen = falls_below(row_hash(values, seed), fraction)
    check_sides(int(len(chosen) - chosen.sum()), int(chosen.sum()), fraction)
    return chosen


def halve(values: np.ndarray, seed: int) -> np.ndarray:
    """Splits held-out rows into select (False) and confirm (True), independently of `held_out`.

    Equal rows stay together, but for those so common that a half without them is another kind of data (empty baskets,
    black pictures): these are dealt out in turns.

    Returns:
      bool, shape (n,).

    Raises:
      DataError: no row is left on one side.
    """
    hashes = row_hash(values, seed, purpose=b"confirm")
    chosen = falls_below(hashes, 0.5)
    _, group, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    for common in np.flatnonzero(counts > max(_RARE, COMMON * len(hashes))):
        rows = np.flatnonzero(group == common)
        chosen[rows] = (np.arange(len(rows)) + chosen[rows[0]]) % 2 == 1
    n_confirm = int(chosen.sum())
    if not 0 < n_confirm < len(chosen):
        raise DataError(
            f"the {len(chosen)} held-out rows cannot be halved: {len(chosen) - n_confirm} to select and {n_confirm} to "
            "confirm on. Hold out more rows (data.eval) or give more distinct rows."
        )
    return chosen


def check_sides(n_train: int, n_eval: int, fraction: float) -> None:
    """Checks that both sides of a split have rows.

    Raises:
      DataError: with both counts and what to do.
    """
    if n_train and n_eval:
        return
    side, remedy = ("train", "Lower data.eval") if not n_train else ("eval", "Raise data.eval")
    raise DataError(
        f"0 rows are left for {side} after the split: {n_train} train and {n_eval} eval rows of {n_train + n_eval} "
        f"(data.eval {fraction}; equal rows stay together). {remedy}, or give more distinct rows."
    )
