"""Rows that do not fit in memory: written once as plain binary files, and read back in blocks.

Terms: a *block* is a run of neighbouring rows of one file, of about `BLOCK_BYTES`; it is what is shuffled across files.
A *sample* is what is kept in memory of the rows of one side: those with the smallest hashes, so that which ones they
are depends on their values and not on their order or on the files that they come from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.data.files import size_of
from aetfx.data.rows import Rows, check_columns
from aetfx.data.sources import Quarantined, Source
from aetfx.data.split import check_sides, falls_below, row_hash
from aetfx.errors import DataError, RunError
from aetfx.run import atomic, read_json, write_json

BLOCK_BYTES = 1 << 20
_FILE_BYTES = 64 << 20
_SLACK = 1.25  # times the rows of a sample are held before those beyond are let go
_ABOUT = "about.json"


@dataclass(frozen=True)
class DiskRows:
    """Rows in binary files of a folder, in the order of their source.

    Attributes:
      folder: of the files.
      row_shape: of one row.
      dtype: of the numbers, little-endian.
      counts: rows in each file.
      digest: of the content.
    """

    folder: str
    row_shape: tuple[int, ...]
    dtype: str
    counts: tuple[int, ...]
    digest: str

    def __len__(self) -> int:
        return sum(self.counts)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.row_shape)

    @property
    def row_bytes(self) -> int:
        return math.prod(self.row_shape) * np.dtype(self.dtype).itemsize

    @cached_property
    def blocks(self) -> list[tuple[int, int, int]]:
        """File, first row and number of rows of each block."""
        size = max(1, BLOCK_BYTES // self.row_bytes)
        return [
            (number, start, min(size, count - start))
            for number, count in enumerate(self.counts)
            for start in range(0, count, size)
        ]

    def read(self, block: int) -> np.ndarray:
        """Returns the rows of one block, (rows, *row_shape)."""
        number, start, count = self.blocks[block]
        width = math.prod(self.row_shape)
        found = np.fromfile(self.file(number), self.dtype, count * width, offset=start * self.row_bytes)
        if len(found) != count * width:
            raise DataError(f"{self.file(number)}: the file was cut short. Delete {self.folder} and run again.")
        return found.reshape(count, *self.row_shape)

    def file(self, number: int) -> Path:
        return Path(self.folder) / f"{number:05d}.bin"

    def head(self, count: int) -> np.ndarray:
        """Returns the first rows, at most `count`."""
        parts: list[np.ndarray] = []
        for block in range(len(self.blocks)):
            if sum(map(len, parts)) >= count:
                break
            parts.append(self.read(block))
        return np.concatenate(parts)[:count]


@dataclass(frozen=True)
class Streamed:
    """What `stream` makes of a source.

    Attributes:
      train: all train rows, on disk.
      targets: what is asked back for them; None for the rows themselves.
      sample, target_sample: train rows in memory, and what is asked back for them.
      held_out, target_held_out: held-out rows in memory; None where none are held out of this source.
      n_held_out: how many there are in all.
    """

    train: DiskRows
    targets: DiskRows | None
    sample: Rows
    target_sample: Rows | None
    held_out: Rows | None
    target_held_out: Rows | None
    n_held_out: int


def rows_bytes(source: Source) -> int:
    """Returns how many bytes the numbers of a source take in memory; where that cannot be known, those of its files."""
    if source.n_rows is not None:
        return source.n_rows * source.n_columns * source.value_bytes
    return sum(map(size_of, source.files))


def stream(
    source: Source,
    folder: Path,
    *,
    key: str,
    fraction: float,
    seed: int,
    most_bytes: int,
    targets: Source | None = None,
    tell: Callable[[int], None] | None = None,
) -> Streamed:
    """Reads a source once, writes its train rows to disk, and keeps samples of both sides.

    Args:
      source: of the rows.
      folder: of the files; what an earlier call with the same key has written there is used.
      key: hash of all that decides what is written.
      fraction: held out, by the hash of each row as everywhere; 0 for none.
      seed: of the split.
      most_bytes: of each sample.
      targets: what is asked back, row for row.
      tell: told how many rows were read so far.

    Raises:
      DataError: the files are damaged, a side has no rows, or rows and targets do not belong together.
      RunError: the disk is full.
    """
    if (known := _known(folder, key)) is None:
        _clear(folder)
        _check_room(folder, source, targets)
        known = _write(source, targets, folder, key, fraction, seed, most_bytes, tell)
    quarantined = [Quarantined(*row) for row in known["quarantined"]]

    def rows(side: str, of: Source | None) -> Rows | None:
        path = folder / f"{side}.npy"
        if of is None or not path.exists():
            return None
        return _as_rows(np.load(path, allow_pickle=False), of, known["n_read"], quarantined)

    sample = rows("sample", source)
    assert sample is not None
    disk = [DiskRows(**{**item, "folder": str(folder / item["folder"])}) for item in known["disk"]]
    return Streamed(
        disk[0],
        disk[1] if targets is not None else None,
        sample,
        rows("target-sample", targets),
        rows("held-out", source),
        rows("target-held-out", targets),
        known["n_held_out"],
    )


def read_sample(source: Source, most_bytes: int, seed: int, targets: Source | None = None) -> tuple[Rows, Rows | None]:
    """Reads a source once and keeps as many of its rows in memory as fit, and what is asked back for them.

    Args:
      source, most_bytes, seed, targets: see `stream`.

    Raises:
      DataError: see `stream`.
    """
    sample = _Sample(most_bytes, source)
    quarantined: list[Quarantined] = []
    for rows, asked, bad in _paired(source, targets):
        quarantined += bad
        sample.add(row_hash(rows, seed, purpose=b"sample"), rows, asked)
    values, asked = sample.rows()
    if values is None:
        raise _no_rows(source, quarantined)
    check_columns(source.path, source.names, np.isfinite(values).any(axis=0))
    n_read = sample.seen + len(quarantined)
    rows = _as_rows(values, source, n_read, quarantined)
    return rows, None if targets is None or asked is None else _as_rows(asked, targets, n_read, quarantined)


def _as_rows(values: np.ndarray, source: Source, n_read: int, quarantined: list[Quarantined]) -> Rows:
    return Rows(
        values.reshape(-1, *source.shape), source.names, source.shape, source.declared_shape, n_read, quarantined,
        source.skipped_text, source.whole,
    )  # fmt: skip


def _no_rows(source: Source, quarantined: list[Quarantined]) -> DataError:
    return DataError(f"{source.path}: no row is left: all {len(quarantined)} rows are quarantined. Mend the file.")


def _write(
    source: Source,
    targets: Source | None,
    folder: Path,
    key: str,
    fraction: float,
    seed: int,
    most_bytes: int,
    tell: Callable[[int], None] | None,
) -> dict[str, Any]:
    """Returns what `about.json` holds, which is written when all else is."""
    sides = {"rows": source} if targets is None else {"rows": source, "targets": targets}
    # One type for both, because blocks are of so many bytes and rows must meet their targets.
    dtype = np.dtype("<f4" if all(side.value_bytes == 4 for side in sides.values()) else "<f8")
    writers = {name: _Writer(folder, name, side, dtype) for name, side in sides.items()}
    samples = {name: _Sample(most_bytes, source) for name in ("sample", "held-out")}
    quarantined: list[Quarantined] = []
    seen, n_read = np.zeros(source.n_columns, bool), 0
    for rows, asked, bad in _paired(source, targets):
        quarantined += bad
        n_read += len(rows) + len(bad)
        seen |= np.isfinite(rows).any(axis=0)
        out = falls_below(row_hash(rows, seed), fraction) if fraction else np.zeros(len(rows), bool)
        order = row_hash(rows, seed, purpose=b"sample")
        for writer, values in zip(writers.values(), (rows, asked), strict=False):
            writer.add(values[~out])
        for sample, side in zip(samples.values(), (~out, out), strict=True):
            sample.add(order[side], rows[side], None if asked is None else asked[side])
        if tell is not None:
            tell(n_read)
    if not n_read - len(quarantined):
        raise _no_rows(source, quarantined)
    check_columns(source.path, source.names, seen)
    disk = [writer.close() for writer in writers.values()]
    if fraction:
        check_sides(len(disk[0]), samples["held-out"].seen, fraction)
    for name, sample in samples.items():
        for prefix, values in zip(("", "target-"), sample.rows(), strict=True):
            if values is not None:
                with atomic(folder / f"{prefix}{name}.npy") as temporary:
                    np.save(temporary, values, allow_pickle=False)
    known = {
        "key": key,
        "disk": [{**dataclasses.asdict(rows), "folder": name} for name, rows in zip(writers, disk, strict=True)],
        "n_read": n_read,
        "n_held_out": samples["held-out"].seen,
        "quarantined": [dataclasses.astuple(row) for row in quarantined],
    }
    write_json(folder / _ABOUT, known)
    return known


def _known(folder: Path, key: str) -> dict[str, Any] | None:
    """Returns what was written before, if it is whole and belongs to the same rows."""
    path = folder / _ABOUT
    known = dict(read_json(path)) if path.exists() else {}
    if known.get("key") != key or not (folder / "sample.npy").exists():
        return None
    for disk in known["disk"]:
        disk["row_shape"], disk["counts"] = tuple(disk["row_shape"]), tuple(disk["counts"])
        rows = DiskRows(**{**disk, "folder": str(folder / disk["folder"])})
        sizes = [path.stat().st_size if path.exists() else 0 for path in map(rows.file, range(len(rows.counts)))]
        if sizes != [count * rows.row_bytes for count in rows.counts]:
            return None
    return known


def _clear(folder: Path) -> None:
    """Deletes what an earlier call has written there, and nothing else: people keep data in folders of that name."""
    names = [f"{prefix}{side}.npy" for prefix in ("", "target-") for side in ("sample", "held-out")]
    numbers = [f"{side}/{'[0-9]' * 5}.bin" for side in ("rows", "targets")]
    for name in (_ABOUT, *names, *numbers):
        place, file = os.path.split(name)
        stem, suffix = os.path.splitext(file)
        for pattern in (file, f".{stem}-*{suffix}"):  # whole, and left behind half-written
            for path in (folder / place).glob(pattern):
                path.unlink(missing_ok=True)


def _check_room(folder: Path, source: Source, targets: Source | None) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    wanted = sum(rows_bytes(side) for side in (source, targets) if side is not None)
    if wanted > free:
        raise RunError(
            f"{folder}: the train rows of {source.path} take about {wanted / 2**30:.1f} GB there, of which only "
            f"{free / 2**30:.1f} GB are free. Give --out on a larger disk, or raise data.memory to keep the rows in "
            "memory."
        )


def _paired(
    source: Source, targets: Source | None
) -> Iterator[tuple[np.ndarray, np.ndarray | None, tuple[Quarantined, ...]]]:
    """Yields rows, what is asked back for them, and rows that cannot be read."""
    if targets is None:
        for batch in source.batches():
            yield batch.values(), None, batch.quarantined
        return
    asked = _Stack(targets)
    for batch in source.batches():
        if batch.quarantined:
            raise DataError(
                f"{source.path}: row {batch.quarantined[0].position} cannot be read ({batch.quarantined[0].reason}), "
                "so that rows and targets no longer belong together. Mend the file."
            )
        rows = batch.values()
        yield rows, asked.take(len(rows)), ()
    asked.check_end()


class _Stack:
    """Hands out the rows of a source in portions of another's size."""

    def __init__(self, source: Source):
        self.source, self.batches = source, source.batches()
        self.rest = np.empty((0, source.n_columns), np.float32)

    def take(self, count: int) -> np.ndarray:
        parts = [self.rest]
        while sum(map(len, parts)) < count:
            batch = next(self.batches, None)
            if batch is None:
                raise DataError(f"{self.source.path}: fewer targets than there are rows. Give one for each row.")
            if batch.quarantined:
                bad = batch.quarantined[0]
                raise DataError(
                    f"{self.source.path}: row {bad.position} cannot be read ({bad.reason}), so that rows and targets "
                    "no longer belong together. Mend the file."
                )
            parts.append(batch.values())
        together = np.concatenate([part for part in parts if len(part)]) if count else self.rest
        self.rest = together[count:]
        return together[:count]

    def check_end(self) -> None:
        if len(self.rest) or any(batch.n_rows for batch in self.batches):
            raise DataError(f"{self.source.path}: more targets than there are rows. Give one for each row.")


class _Writer:
    """Writes rows to files of about `_FILE_BYTES`."""

    def __init__(self, folder: Path, name: str, source: Source, dtype: np.dtype):
        self.dtype = dtype
        self.per_file = max(1, _FILE_BYTES // max(1, source.n_columns * self.dtype.itemsize))
        self.rows = DiskRows(str(folder / name), source.shape, self.dtype.str, (), "")
        self.counts: list[int] = []
        self.parts: list[np.ndarray] = []
        self.waiting = 0
        self.hash = hashlib.blake2b(digest_size=16)

    def add(self, rows: np.ndarray) -> None:
        if not len(rows):
            return
        kept = np.array(rows, self.dtype, order="C")  # what a batch holds is given up with it
        self.hash.update(kept.tobytes())
        self.parts.append(kept)
        self.waiting += len(kept)
        while self.waiting >= self.per_file:
            self._flush(self.per_file)

    def close(self) -> DiskRows:
        if self.waiting:
            self._flush(self.waiting)
        return dataclasses.replace(self.rows, counts=tuple(self.counts), digest=self.hash.hexdigest())

    def _flush(self, count: int) -> None:
        together = np.concatenate(self.parts)
        now, rest = together[:count], together[count:]
        with atomic(self.rows.file(len(self.counts))) as temporary:
            now.tofile(temporary)
        self.counts.append(len(now))
        self.parts, self.waiting = ([rest] if len(rest) else []), len(rest)


class _Sample:
    """Keeps the rows with the smallest hashes, as many as fit."""

    def __init__(self, most_bytes: int, source: Source):
        self.most = max(2, most_bytes // max(1, source.n_columns * source.value_bytes))
        self.bound = np.uint64(2**64 - 1)
        self.seen = 0
        self.held = 0
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray | None]] = []

    def add(self, hashes: np.ndarray, rows: np.ndarray, asked: np.ndarray | None) -> None:
        self.seen += len(hashes)
        chosen = hashes <= self.bound
        if not chosen.any():
            return
        self.parts.append((hashes[chosen], rows[chosen], None if asked is None else asked[chosen]))
        self.held += int(chosen.sum())
        if self.held > _SLACK * self.most:
            self._cut()

    def rows(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Returns the rows that were kept, in the order of their source, and what is asked back for them."""
        if self.held > self.most:
            self._cut()
        if not self.parts:
            return None, None
        if len(self.parts) > 1:
            self._join([np.ones(len(hashes), bool) for hashes, _, _ in self.parts])
        _, rows, asked = self.parts[0]
        return rows, asked

    def _cut(self) -> None:
        every = np.concatenate([hashes for hashes, _, _ in self.parts])
        self.bound = np.partition(every, self.most - 1)[self.most - 1]
        keep = every <= self.bound
        # Rows of one value have one hash: of those at the bound only as many stay as there is room for.
        at_bound = np.flatnonzero(every == self.bound)
        room = self.most - int((every < self.bound).sum())
        keep[at_bound[room:]] = False
        self._join(np.split(keep, np.cumsum([len(hashes) for hashes, _, _ in self.parts])[:-1]))

    def _join(self, keep: list[np.ndarray]) -> None:
        """Puts the rows that are kept, bool for each part, into one part.

        Small arrays left in place would leave holes between them that no later array fits into.
        """
        hashes, rows, asked = (list(side) for side in zip(*self.parts, strict=True))
        self.parts = []
        targets = [values for values in asked if values is not None]
        asked.clear()
        joined = _picked(hashes, keep)
        self.parts = [(joined, _picked(rows, keep), _picked(targets, keep) if targets else None)]
        self.held = len(joined)


def _picked(parts: list[np.ndarray], keep: list[np.ndarray]) -> np.ndarray:
    """Joins the rows of each part that its bool array names; empties the list, so that each part goes once copied."""
    held = sum(int(chosen.sum()) for chosen in keep)
    whole = np.empty((held, *parts[0].shape[1:]), np.result_type(*parts))
    parts.reverse()
    start = 0
    for chosen in keep:
        places, values = np.flatnonzero(chosen), parts.pop().astype(whole.dtype, copy=False)
        # `values[chosen]` would be one copy more, and so would be mode "raise", which buffers `out`.
        np.take(values, places, axis=0, out=whole[start : start + len(places)], mode="clip")
        start += len(places)
    return whole
