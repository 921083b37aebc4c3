"""Tests of aetfx.data.sources: every kind of file through one conformance suite, then what is special to each."""

import gzip
import pickle
import struct

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from aetfx.data import load, open_source
from aetfx.data.sources import parquet

ROWS = np.random.default_rng(0).normal(size=(57, 4))
NAMES = ["age", "b", "c", "d"]  # in alphabetical order: TFRecord has no order of its own


def write_npy(folder, name, rows):
    np.save(folder / f"{name}.npy", rows)


def write_npz(folder, name, rows):
    np.savez_compressed(folder / f"{name}.npz", x=rows, other=np.zeros(3))


def write_csv(folder, name, rows):
    lines = [",".join(NAMES)] + [",".join(map(repr, row)) for row in rows.tolist()]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def pack(path):
    """Gzips a file in its place."""
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def write_csv_gz(folder, name, rows):
    write_csv(folder, name, rows)
    pack(folder / f"{name}.csv")


def write_parquet(folder, name, rows):
    table = pa.table({key: rows[:, i] for i, key in enumerate(NAMES)})
    pq.write_table(table, folder / f"{name}.parquet", row_group_size=20)


def write_tfrecord(folder, name, rows):
    """By hand, as the formats of TFRecord and of protobuf say; lengths here are below 128, so one byte each."""

    def part(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    def checksum(data):
        crc = google_crc32c.value(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)

    with open(folder / f"{name}.tfrecord", "wb") as out:
        for row in rows:
            features = zip(NAMES, row, strict=True)
            entries = [part(1, key.encode()) + part(2, part(2, part(1, struct.pack("<f", x)))) for key, x in features]
            payload = part(1, b"".join(part(1, entry) for entry in entries))
            head = struct.pack("<Q", len(payload))
            out.write(head + checksum(head) + payload + checksum(payload))


def write_tfrecord_gz(folder, name, rows):
    write_tfrecord(folder, name, rows)
    pack(folder / f"{name}.tfrecord")


def write_images(folder, name, rows):
    for i, row in enumerate(rows):
        Image.fromarray(row).save(folder / f"{name}-{i:03d}.png")


def rows_for(write):
    """`ROWS` as far as a kind of file can hold them."""
    if write is write_images:
        return np.random.default_rng(0).integers(0, 256, (57, 2, 2), dtype=np.uint8)
    return ROWS.astype(np.float32) if write in (write_tfrecord, write_tfrecord_gz) else ROWS


def whole(folder):
    """The only file of a folder, or the folder."""
    files = list(folder.iterdir())
    return files[0] if len(files) == 1 else folder


WRITERS = [
    write_npy, write_npz, write_csv, write_csv_gz, write_parquet, write_tfrecord, write_tfrecord_gz, write_images,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
class TestEverySource:
    """What any source must do."""

    def test_one_file_comes_back_bit_for_bit(self, write, tmp_path):
        expected = rows_for(write)
        write(tmp_path, "a", expected)
        rows = load(open_source(whole(tmp_path)))
        np.testing.assert_array_equal(rows.values, expected)
        is_tensor = write is write_images
        assert (rows.shape, rows.declared_shape, rows.n_read, rows.quarantined) == (
            expected.shape[1:], is_tensor, 57, [],
        )  # fmt: skip

    def test_a_glob_is_one_source_in_sorted_order(self, write, tmp_path):
        expected = rows_for(write)
        for name, part in (("b", expected[30:]), ("a", expected[:30])):
            write(tmp_path, name, part)
        np.testing.assert_array_equal(load(open_source(f"{tmp_path}/*")).values, expected)

    def test_a_list_selects_columns_in_its_order(self, write, tmp_path):
        expected = rows_for(write)
        write(tmp_path, "a", expected)
        wanted = {write_npy: ["2", "0"], write_npz: ["2", "0"], write_images: ["1,0", "0,0"]}.get(write, ["c", "age"])
        rows = load(open_source(f"{tmp_path}/*", wanted))
        np.testing.assert_array_equal(rows.values, expected.reshape(57, 4)[:, [2, 0]])
        assert rows.names == tuple(wanted)

    def test_shards_and_source_travel_as_small_pickles(self, write, tmp_path):
        expected = rows_for(write)
        write(tmp_path, "a", expected)
        source = open_source(f"{tmp_path}/*")
        again = pickle.loads(pickle.dumps(source))
        shards = pickle.loads(pickle.dumps(source.shards()))
        assert len(pickle.dumps(source)) < 2000 + 200 * (len(source.files) - 1)
        values = np.concatenate([batch.values() for shard in shards for batch in again.read(shard)])
        np.testing.assert_array_equal(values.reshape(expected.shape), expected)

    def test_shapes_of_shards_must_agree(self, write, tmp_path):
        write(tmp_path, "a", rows_for(write))
        if write in (write_npy, write_npz):
            write(tmp_path, "b", ROWS[:, :3])
            with pytest.raises(Exception, match=r"b.np.*agree"):
                open_source(f"{tmp_path}/*")


def test_npy_tensors_keep_their_shape(tmp_path):
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    np.save(tmp_path / "a.npy", images)
    rows = load(open_source(tmp_path / "a.npy"))
    assert rows.values.dtype == np.float32
    assert rows.declared_shape
    assert rows.shape == (3, 4)
    assert rows.names[7] == "1,3"
    assert rows.values[0, 1, 3] == 7
    assert not open_source(tmp_path / "a.npy", "table").declared_shape


def test_npy_is_cut_into_row_ranges(tmp_path, monkeypatch):
    monkeypatch.setattr("aetfx.data.sources.npy.SHARD_BYTES", 10 * 4 * 8)
    np.save(tmp_path / "a.npy", ROWS)
    source = open_source(tmp_path / "a.npy")
    assert [(s.start, s.stop) for s in source.shards()] == [(i, min(i + 10, 57)) for i in range(0, 57, 10)]
    np.testing.assert_array_equal(load(source).values, ROWS)


def test_float32_columns_stay_float32_and_integers_become_exact(tmp_path):
    np.save(tmp_path / "f.npy", ROWS.astype(np.float32))
    np.save(tmp_path / "i.npy", np.array([[2**40, 1]]))
    assert load(open_source(tmp_path / "f.npy")).values.dtype == np.float32
    assert load(open_source(tmp_path / "i.npy")).values[0, 0] == 2**40


def test_parquet_fixed_size_lists_are_tensors(tmp_path):
    images = np.random.default_rng(1).normal(size=(9, 2, 3))
    nested = pa.FixedSizeListArray.from_arrays(pa.FixedSizeListArray.from_arrays(pa.array(images.ravel()), 3), 2)
    pq.write_table(pa.table({"image": nested}), tmp_path / "a.parquet")
    rows = load(open_source(tmp_path / "a.parquet"))
    assert rows.declared_shape
    assert rows.shape == (2, 3)
    assert rows.names[5] == "1,2"
    np.testing.assert_array_equal(rows.values, images)


def test_parquet_text_is_left_out_and_nulls_are_nan(tmp_path):
    table = pa.table(
        {"id": ["x", "y"], "n": pa.array([1, None], pa.int64()), "flag": pa.array([True, False]), "z": [1.5, 2.5]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    rows = load(open_source(tmp_path / "a.parquet"))
    assert rows.names == ("n", "flag", "z")
    assert rows.skipped_text == ("id",)
    np.testing.assert_array_equal(rows.values, [[1, 1, 1.5], [np.nan, 0, 2.5]])


def test_parquet_missing_lists_are_rows_of_nan():
    """Not through a file: older versions of Arrow cannot write missing fixed-size lists, others can."""
    column = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float64(), 2))
    batch = pa.RecordBatch.from_arrays([column], ["v"])
    np.testing.assert_array_equal(parquet._numbers(batch, ("v",), 2), [[1, 2], [np.nan, np.nan], [3, 4]])
