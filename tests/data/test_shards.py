"""aetfx.data.shards: rows that do not fit in memory are written once, split as everywhere, and sampled."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest

from aetfx.data import open_source, shards
from aetfx.data.shards import read_sample, stream
from aetfx.data.split import held_out, row_hash
from aetfx.errors import DataError, RunError

ROWS = np.random.default_rng(0).normal(size=(5000, 6)).astype("float32")
SETTINGS = {"key": "a", "fraction": 0.2, "seed": 3, "most_bytes": 400 * 24}


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(shards, "_FILE_BYTES", 900 * 24)
    monkeypatch.setattr(shards, "BLOCK_BYTES", 70 * 24)


@pytest.fixture
def source(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    return open_source(str(tmp_path / "rows.npy"))


def all_of(disk):
    return np.concatenate([disk.read(block) for block in range(len(disk.blocks))])


def test_train_rows_are_those_of_the_split_in_their_order(source, tmp_path):
    found = stream(source, tmp_path / "data", **SETTINGS)
    out = held_out(ROWS, 0.2, 3)
    assert len(found.train) == (~out).sum()
    assert found.train.shape == ((~out).sum(), 6)
    assert len(found.train.counts) == 5, "files of 900 rows"
    np.testing.assert_array_equal(all_of(found.train), ROWS[~out])
    np.testing.assert_array_equal(found.train.head(100), ROWS[~out][:100])
    assert found.n_held_out == out.sum()


def test_samples_are_of_their_side_and_do_not_depend_on_the_order_of_rows(source, tmp_path):
    found = stream(source, tmp_path / "data", **SETTINGS)
    out = held_out(ROWS, 0.2, 3)
    assert len(found.sample) == len(found.held_out) == 400
    assert found.sample.is_sample
    train = set(map(bytes, ROWS[~out]))
    assert all(bytes(row) in train for row in found.sample.values)
    assert not any(bytes(row) in train for row in found.held_out.values)
    np.save(tmp_path / "mixed.npy", np.random.default_rng(1).permutation(ROWS))
    mixed = stream(open_source(str(tmp_path / "mixed.npy")), tmp_path / "mixed", **SETTINGS)
    assert {bytes(row) for row in mixed.sample.values} == {bytes(row) for row in found.sample.values}


def test_what_is_written_is_used_again_and_what_was_cut_short_is_not(source, tmp_path):
    first = stream(source, tmp_path / "data", **SETTINGS)
    reads = []
    again = stream(source, tmp_path / "data", **SETTINGS, tell=reads.append)
    assert not reads
    assert again.train == first.train
    np.testing.assert_array_equal(again.sample.values, first.sample.values)
    path = first.train.file(2)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="cut short"):
        all_of(again.train)
    assert stream(source, tmp_path / "data", **SETTINGS, tell=reads.append).train == first.train
    assert reads[-1] == 5000
    reads.clear()
    stream(source, tmp_path / "data", **{**SETTINGS, "key": "b"}, tell=reads.append)
    assert reads
    assert json.loads((tmp_path / "data" / "about.json").read_text())["key"] == "b"


def test_targets_stay_with_their_rows(source, tmp_path):
    np.savez(tmp_path / "noisy.npz", rows=ROWS + 1)  # of another kind, whose batches are of another size
    found = stream(source, tmp_path / "data", **SETTINGS, targets=open_source(str(tmp_path / "noisy.npz")))
    np.testing.assert_allclose(all_of(found.targets), all_of(found.train) + 1)
    np.testing.assert_allclose(found.target_sample.values, found.sample.values + 1)
    np.testing.assert_allclose(found.target_held_out.values, found.held_out.values + 1)
    rows, asked = read_sample(source, 100 * 24, 0, open_source(str(tmp_path / "noisy.npz")))
    np.testing.assert_allclose(asked.values, rows.values + 1)


@pytest.mark.parametrize("kinds", [("float32", "float64"), ("float64", "float32")])
def test_targets_of_another_type_stay_with_their_rows_block_by_block(tmp_path, kinds):
    np.save(tmp_path / "rows.npy", ROWS.astype(kinds[0]))
    np.save(tmp_path / "asked.npy", (ROWS + 1).astype(kinds[1]))
    rows, asked = (open_source(str(tmp_path / f"{name}.npy")) for name in ("rows", "asked"))
    found = stream(rows, tmp_path / "data", **SETTINGS, targets=asked)
    assert len(found.train.blocks) == len(found.targets.blocks) > 10
    for block in range(len(found.train.blocks)):
        np.testing.assert_allclose(found.targets.read(block), found.train.read(block) + 1, rtol=1e-6)


def test_what_others_keep_in_the_folder_is_left_alone(source, tmp_path):
    mine = tmp_path / "data" / "rows.npy", tmp_path / "data" / "rows" / "mine.bin"
    mine[1].parent.mkdir(parents=True)
    for path in mine:
        path.write_text("mine")
    first = stream(source, tmp_path / "data", **SETTINGS).train
    half = tmp_path / "data" / "rows" / ".00004-abc.bin"
    half.write_text("of a process that was killed")
    few = {**SETTINGS, "key": "b", "fraction": 0.9}
    second = stream(source, tmp_path / "data", **few).train
    assert len(second.counts) < len(first.counts)
    assert {path.name for path in (tmp_path / "data" / "rows").iterdir()} == {
        "mine.bin", *(second.file(number).name for number in range(len(second.counts)))
    }  # fmt: skip
    assert all(path.read_text() == "mine" for path in mine)


def test_a_sample_that_is_gone_is_made_again(source, tmp_path):
    first = stream(source, tmp_path / "data", **SETTINGS)
    (tmp_path / "data" / "sample.npy").unlink()
    again = stream(source, tmp_path / "data", **SETTINGS)
    np.testing.assert_array_equal(again.sample.values, first.sample.values)


@pytest.mark.parametrize("count", [4999, 5001])
def test_targets_of_another_number_are_refused(source, tmp_path, count):
    np.save(tmp_path / "asked.npy", np.zeros((count, 6), "float32"))
    with pytest.raises(DataError, match="one for each row"):
        stream(source, tmp_path / "data", **SETTINGS, targets=open_source(str(tmp_path / "asked.npy")))


def test_rows_that_cannot_be_read_are_counted(tmp_path):
    lines = ["a,b", *(f"{a},{b}" for a, b in ROWS[:500, :2]), "1,2,3", "4,5"]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    found = stream(open_source(str(tmp_path / "rows.csv")), tmp_path / "data", **SETTINGS)
    assert found.sample.n_read == 502
    assert len(found.sample.quarantined) == 1
    assert len(found.train) + found.n_held_out == 501


def test_equal_rows_do_not_fill_a_sample_beyond_its_size(tmp_path):
    np.save(tmp_path / "rows.npy", np.repeat(ROWS[:3], 2000, axis=0))
    rows, _ = read_sample(open_source(str(tmp_path / "rows.npy")), 1000 * 24, 0)
    assert len(rows) == 1000


def test_a_sample_holds_the_rows_with_the_smallest_hashes_in_their_order(tmp_path):
    rows = np.concatenate([ROWS, ROWS[:2000]])  # some twice, far apart
    np.save(tmp_path / "rows.npy", rows)
    source = open_source(str(tmp_path / "rows.npy"))
    sample = shards._Sample(700 * 24, source)
    for start in range(0, len(rows), 130):
        part = rows[start : start + 130]
        sample.add(row_hash(part, 3, purpose=b"sample"), part, part + 1)
        assert sample.held == sum(len(hashes) for hashes, _, _ in sample.parts) <= 1.25 * 700
    kept, asked = sample.rows()
    order = np.argsort(row_hash(rows, 3, purpose=b"sample"), kind="stable")[:700]
    np.testing.assert_array_equal(kept, rows[np.sort(order)])
    np.testing.assert_array_equal(asked, kept + 1)


def test_a_sample_takes_no_third_of_itself(tmp_path):
    """It holds a quarter more than it keeps, and for a moment one copy."""
    np.save(tmp_path / "rows.npy", ROWS.reshape(1000, 30))
    rng, sample = np.random.default_rng(0), shards._Sample(8 << 20, open_source(str(tmp_path / "rows.npy")))
    part = np.zeros((1000, 30), np.float32)
    tracemalloc.start()
    try:
        for _ in range(300):
            sample.add(rng.integers(2**63, size=len(part)).astype(np.uint64), part, None)
        rows, _ = sample.rows()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sample.seen == 300_000
    assert len(rows) == sample.most
    assert peak < 2.6 * rows.nbytes


def test_a_disk_without_room_is_said_before_anything_is_written(source, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": 1000})())
    with pytest.raises(RunError, match="Give --out on a larger disk"):
        stream(source, tmp_path / "data", **SETTINGS)
    assert not (tmp_path / "data").exists()
