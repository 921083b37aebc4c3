"""aetfx.training.disk_feed: what is read from disk is what would be fed from memory."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.data import open_source, shards
from aetfx.data.shards import stream
from aetfx.preprocessing.fit import fit_rows
from aetfx.training import disk_feed
from aetfx.training.disk_feed import DiskFeed
from aetfx.training.feed import batches

pytest.importorskip("tensorflow")
ROWS = np.random.default_rng(0).normal(size=(1003, 4)) * [1, 10, 100, 1000]


@pytest.fixture
def disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_FILE_BYTES", 200 * 32)
    monkeypatch.setattr(shards, "BLOCK_BYTES", 16 * 32)
    monkeypatch.setattr(disk_feed, "BLOCK_BYTES", 16 * 32)
    monkeypatch.setattr(disk_feed, "_BUFFER_BYTES", 10 * 16 * 32)
    np.save(tmp_path / "rows.npy", ROWS)
    source = open_source(str(tmp_path / "rows.npy"))
    return stream(source, tmp_path / "data", key="", fraction=0.0, seed=0, most_bytes=4000).train


def epoch(feed, asked, number, **settings):
    data = batches(feed, asked, batch_size=64, seed=5, first=number, **settings)
    return [tuple(np.asarray(part) for part in batch) for batch in data.take(16)]


def test_an_epoch_gives_each_row_once_prepared_as_in_memory(disk):
    preprocessing = fit_rows({"scaling": "standard"}, ROWS)
    feed = DiskFeed(disk, preprocessing)
    found = epoch(feed, feed, 0)
    assert [len(rows) for rows, _ in found] == [64] * 15 + [43]
    together = np.concatenate([rows for rows, _ in found])
    expected = preprocessing.apply(ROWS)
    np.testing.assert_array_equal(together[np.lexsort(together.T)], expected[np.lexsort(expected.T)])
    assert all(rows is asked or np.array_equal(rows, asked) for rows, asked in found)


def test_the_order_is_that_of_seed_and_epoch(disk):
    feed = DiskFeed(disk, fit_rows({}, ROWS))
    first, again, other = epoch(feed, feed, 0), epoch(feed, feed, 0), epoch(feed, feed, 1)
    for (rows, _), (same, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(rows, same)
    assert not np.array_equal(first[0][0], other[0][0])
    skipped = epoch(feed, feed, 0, skip=3)
    np.testing.assert_array_equal(skipped[0][0], first[3][0])


def test_rows_of_all_files_meet_in_a_batch(disk):
    feed = DiskFeed(disk, fit_rows({}, ROWS))
    places = {bytes(row): place for place, row in enumerate(ROWS.astype("float32"))}
    rows, _ = epoch(feed, feed, 0)[0]
    files = {places[bytes(row)] // 200 for row in rows}
    assert len(files) >= 4


def test_replicas_get_even_batches_of_the_same_rows(disk):
    feed = DiskFeed(disk, fit_rows({}, ROWS))
    plain, even = epoch(feed, feed, 0), epoch(feed, feed, 0, replicas=4)
    for (rows, _), (same, _, weights) in zip(plain[:-1], even, strict=False):
        np.testing.assert_array_equal(rows, same)
        assert set(weights) == {1.0}
    rows, asked, weights = even[-1]
    assert len(rows) == len(asked) == 4 * 43
    assert set(weights) == {0.25}
    np.testing.assert_array_equal(rows, np.tile(plain[-1][0], (4, 1)))


def test_targets_of_their_own(disk, tmp_path):
    np.save(tmp_path / "asked.npy", ROWS * 2)
    found = stream(open_source(str(tmp_path / "rows.npy")), tmp_path / "pairs", key="", fraction=0.0, seed=0,
                   most_bytes=4000, targets=open_source(str(tmp_path / "asked.npy")))  # fmt: skip
    identity = fit_rows({}, ROWS)
    for rows, asked in epoch(DiskFeed(found.train, identity), DiskFeed(found.targets, identity), 0):
        np.testing.assert_allclose(asked, 2 * rows, rtol=1e-6)
