"""Rows written as tf.Example come back as they were, and TensorFlow's own parser reads them (aetfx.data.examples)."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pandas as pd
import pytest

from aetfx.data import open_source
from aetfx.data.examples import pattern
from aetfx.data.rows import load
from aetfx.data.split import falls_below, row_hash
from aetfx.errors import DataError
from aetfx.validation.examples import write_examples

RNG = np.random.default_rng(5)


def written(path, out, **arguments):
    return write_examples(open_source(path), None, out, eval_fraction=0.25, seed=3, **arguments)


def test_a_table_keeps_its_order_its_gaps_and_its_integers(tmp_path):
    table = pd.DataFrame({"z": RNG.normal(size=200), "a": RNG.integers(-9, 9, 200), "m": RNG.normal(size=200)})
    table.loc[::7, "m"] = np.nan
    table["word"] = [f"w{i % 3}" for i in range(200)]
    table.to_csv(tmp_path / "t.csv", index=False)
    found = written(tmp_path / "t.csv", tmp_path / "examples")
    rows = load(open_source(tmp_path / "t.csv")).values
    held = falls_below(row_hash(rows, 3), 0.25)
    for split, mine in (("train", rows[~held]), ("eval", rows[held])):
        source = open_source(pattern(str(tmp_path / "examples"), split))
        assert source.names == ("z", "a", "m")
        assert source.skipped_text == ("word",)
        np.testing.assert_array_equal(load(source).values, mine.astype(np.float32))
        assert found.rows[split].counted == len(mine)
    assert sum(counts.read for counts in found.rows.values()) == 200


def test_images_keep_their_shape(tmp_path):
    np.save(tmp_path / "x.npy", RNG.normal(size=(40, 3, 5, 2)).astype(np.float32))
    written(tmp_path / "x.npy", tmp_path / "examples")
    source = open_source(pattern(str(tmp_path / "examples"), "train"))
    assert (source.shape, source.declared_shape, source.names[1]) == ((3, 5, 2), True, "0,0,1")
    first = open_source(tmp_path / "x.npy")
    assert source.names == first.names


def test_columns_of_an_array_stay_in_order(tmp_path):
    np.save(tmp_path / "x.npy", RNG.normal(size=(40, 12)).astype(np.float32))
    written(tmp_path / "x.npy", tmp_path / "examples")
    source = open_source(pattern(str(tmp_path / "examples"), "train"))
    assert (source.shape, source.declared_shape) == ((12,), False)
    assert source.names == open_source(tmp_path / "x.npy").names


def test_the_same_rows_give_the_same_bytes(tmp_path):
    np.save(tmp_path / "x.npy", RNG.normal(size=(40, 4)))
    one, two = (written(tmp_path / "x.npy", tmp_path / name) for name in "ab")
    assert one.digest == two.digest
    assert [(tmp_path / "a" / f).read_bytes() for f in one.files] == [
        (tmp_path / "b" / f).read_bytes() for f in one.files
    ]
    assert sorted(one.files) == [f"Split-{split}/data_tfrecord-00000-of-00001.gz" for split in ("eval", "train")]


def test_shards_of_an_earlier_writing_are_removed(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", RNG.normal(size=(60, 4)))
    with monkeypatch.context() as patch:
        patch.setattr("aetfx.data.sources.npy.SHARD_BYTES", 320)  # ten rows
        written(tmp_path / "x.npy", tmp_path / "[examples]")
    (tmp_path / "[examples]" / "Split-train" / "notes.txt").write_text("not ours")
    found = written(tmp_path / "x.npy", tmp_path / "[examples]")
    left = {str(path.relative_to(tmp_path / "[examples]")) for path in (tmp_path / "[examples]").glob("Split-*/*")}
    assert left == {*found.files, "Split-train/notes.txt"}


def test_a_record_is_what_the_format_says(tmp_path):
    pd.DataFrame({"x": [0.5, 1.5], "k": [300, 301]}).to_csv(tmp_path / "t.csv", index=False)
    write_examples(open_source(tmp_path / "t.csv"), open_source(tmp_path / "t.csv"), tmp_path / "examples")
    raw = gzip.decompress((tmp_path / "examples/Split-eval/data_tfrecord-00000-of-00001.gz").read_bytes())
    (length,) = struct.unpack("<Q", raw[:8])
    floats = b"\x0a\x01x\x12\x08\x12\x06\x0a\x04" + struct.pack("<f", 0.5)
    integers = b"\x0a\x01k\x12\x06\x1a\x04\x0a\x02" + bytes([0xAC, 0x02])
    features = b"".join(b"\x0a" + bytes([len(entry)]) + entry for entry in (floats, integers))
    assert raw[12 : 12 + length] == b"\x0a" + bytes([len(features)]) + features


def test_a_damaged_row_is_counted_and_left_out(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1.5,2\n" * 50 + "x,1\n" + "".join(f"{i},1\n" for i in range(99)))
    found = written(tmp_path / "t.csv", tmp_path / "examples")
    assert found.rows["train"].quarantined == 1
    assert sum(counts.read for counts in found.rows.values()) == 150


def test_an_empty_side_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((30, 2)))
    with pytest.raises(DataError, match="0 rows are left for"):
        written(tmp_path / "x.npy", tmp_path / "examples")
