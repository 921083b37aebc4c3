"""Tests of aetfx.data.sources.tfrecord. Files are written by hand, as the format says; one by TensorFlow itself."""

import gzip
import os
import struct
import subprocess
import sys
import zlib

import google_crc32c
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetfx.data import load, open_source
from aetfx.data.sources import source_type
from aetfx.data.sources.tfrecord import TfrecordSource, decode_varints
from aetfx.errors import DataError
from tests.data.refusals import said


def varint(number):
    number &= (1 << 64) - 1
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def part(number, content):
    """A protobuf field of bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def floats(values):
    return part(2, part(1, np.asarray(values, "<f4").tobytes()))


def integers(values):
    return part(3, part(1, b"".join(map(varint, values))))


def texts(values):
    return part(1, b"".join(part(1, value) for value in values))


def example(features):
    return part(1, b"".join(part(1, part(1, name.encode()) + part(2, content)) for name, content in features.items()))


def checksum(data):
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)


def record(payload):
    head = struct.pack("<Q", len(payload))
    return head + checksum(head) + payload + checksum(payload)


def write(path, examples):
    """Writes Examples given as {name: content}, or payloads as bytes; returns the records."""
    records = [record(e if isinstance(e, bytes) else example(e)) for e in examples]
    path.write_bytes(b"".join(records))
    return records


VALUES = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
ROWS = [{"x": floats(row)} for row in VALUES]


def test_checksums_are_those_of_the_format():
    """The checksum of CRC-32C's test vector (RFC 3720, B.4: 32 zero bytes), masked by hand."""
    assert google_crc32c.value(bytes(32)) == 0x8A9136AA
    masked = ((0x8A9136AA >> 15) + ((0x8A9136AA & 0x7FFF) << 17) + 0xA282EAD8) % 2**32
    assert checksum(bytes(32)) == masked.to_bytes(4, "little")


def test_what_tensorflow_writes_comes_back(tmp_path):
    """The only test that starts TensorFlow: plain and gzipped, floats, integers, text, and an absent feature."""
    script = """
import sys, numpy as np, tensorflow as tf
rng = np.random.default_rng(7)
images, ids = rng.normal(size=(20, 6)).astype("f4"), rng.integers(-2**40, 2**40, 20)
for name, options in (("a.tfrecord", None), ("b.tfrecord", tf.io.TFRecordOptions(compression_type="GZIP"))):
    with tf.io.TFRecordWriter(f"{sys.argv[1]}/{name}", options) as out:
        for i, (image, id) in enumerate(zip(images, ids)):
            feature = {
                "image": tf.train.Feature(float_list=tf.train.FloatList(value=image)),
                "id": tf.train.Feature(int64_list=tf.train.Int64List(value=[id])),
                "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"n%d" % i])),
            }
            if i == 3:
                del feature["id"]
            out.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
"""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=quiet, capture_output=True)
    rng = np.random.default_rng(7)
    images, ids = rng.normal(size=(20, 6)).astype("f4"), rng.integers(-(2**40), 2**40, 20).astype(float)
    ids[3] = np.nan
    for name in ("a.tfrecord", "b.tfrecord"):
        rows = load(open_source(tmp_path / name))
        assert rows.names == ("id", *(f"image,{i}" for i in range(6)))
        assert rows.skipped_text == ("name",)
        np.testing.assert_array_equal(rows.values, np.column_stack([ids, images]))


def test_one_feature_is_a_tensor_and_keeps_float32(tmp_path):
    write(tmp_path / "a.tfrecord", ROWS)
    rows = load(open_source(tmp_path / "a.tfrecord"))
    assert (rows.names, rows.shape, rows.declared_shape) == (("0", "1", "2"), (3,), True)
    assert rows.values.dtype == np.float32
    np.testing.assert_array_equal(rows.values, VALUES)
    assert not open_source(tmp_path / "a.tfrecord", "table").declared_shape


def test_absent_and_empty_lists_are_missing(tmp_path):
    write(
        tmp_path / "a.tfrecord",
        [
            {"f": floats([1, 2]), "n": integers([5, -6]), "t": texts([b"x"])},
            {"f": floats([]), "n": integers([])},
            {"f": part(2, b""), "n": b""},
            {},
            {"n": integers([300, 7]), "f": floats([3, 4])},
        ],
    )
    rows = load(open_source(tmp_path / "a.tfrecord"))
    assert rows.names == ("f,0", "f,1", "n,0", "n,1")
    assert (rows.skipped_text, rows.declared_shape, rows.values.dtype) == (("t",), False, np.float64)
    nan = [np.nan] * 4
    np.testing.assert_array_equal(rows.values, [[1, 2, 5, -6], nan, nan, nan, [3, 4, 300, 7]])


def test_lists_that_are_not_packed_or_come_in_parts(tmp_path):
    one_by_one = part(2, b"".join(b"\x0d" + struct.pack("<f", v) for v in (1, 2, 3)))
    in_parts = part(2, part(1, struct.pack("<f", 4)) + part(1, struct.pack("<ff", 5, 6)))
    whole = part(3, b"\x08\x07" + b"\x08" + varint(-1))
    write(tmp_path / "a.tfrecord", [{"f": one_by_one, "n": whole}, {"f": in_parts, "n": integers([8, 9])}])
    np.testing.assert_array_equal(
        load(open_source(tmp_path / "a.tfrecord")).values, [[1, 2, 3, 7, -1], [4, 5, 6, 8, 9]]
    )


@pytest.mark.parametrize("size", [1, 29, 30, 31, 32, 33, 34, 4095, 4096, 4097])
def test_lists_at_the_limits_where_lengths_take_another_byte(size, tmp_path):
    values = np.random.default_rng(size).normal(size=(2, size)).astype("f4")
    write(tmp_path / "a.tfrecord", [{"x": floats(row), "n": integers([1] * size)} for row in values])
    np.testing.assert_array_equal(load(open_source(tmp_path / "a.tfrecord", ["x"])).values, values)
    assert load(open_source(tmp_path / "a.tfrecord", ["n"])).values.sum() == 2 * size


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200), min_size=1))
def test_any_integers_come_back(numbers):
    assert decode_varints(b"".join(map(varint, numbers))).tolist() == numbers


def test_ragged_and_mixed_features_are_left_out_and_named(tmp_path):
    write(
        tmp_path / "a.tfrecord",
        [
            {"len": floats([1, 2]), "mix": floats([1]), "ok": floats([1]), "txt": texts([b"a"])},
            {"len": floats([1, 2]), "mix": integers([1]), "ok": floats([2]), "txt": texts([b"a", b"b"])},
            {"len": floats([1, 2, 3]), "mix": floats([1]), "ok": floats([3]), "txt": texts([b"a"])},
        ],
    )
    path = tmp_path / "a.tfrecord"
    rows = load(open_source(path))
    assert rows.names == ("ok",)
    assert rows.skipped_text == ("len", "mix", "txt")
    assert said(path, ["len"]) == (
        "a.tfrecord: column 'len' is ragged: 2 values in row 0 but 3 in row 2. "
        "Pad it to one length, or leave it out of data.features."
    )
    assert said(path, ["mix"]) == (
        "a.tfrecord: column 'mix' holds floats in row 0 but integers in row 1. "
        "Write it with one type, or leave it out of data.features."
    )
    assert said(path, ["txt"]) == (
        "a.tfrecord: column 'txt' holds bytes, no numbers (row 0). Leave it out of data.features."
    )
    assert said(path, ["okk"]) == "a.tfrecord: no column 'okk' (data.features). Did you mean 'ok'?"


def test_a_length_that_differs_in_another_file_names_both(tmp_path):
    write(tmp_path / "a.tfrecord", ROWS[:2])
    write(tmp_path / "b.tfrecord", [*ROWS[:1], {"x": floats([1])}])
    assert said(tmp_path / "*.tfrecord") == (
        "a.tfrecord: no feature holds numbers of one length ('x' is ragged: 3 values in row 0 but 1 in row 1 of "
        "'b.tfrecord'). Give data with at least one numeric feature."
    )


def test_text_alone_is_refused(tmp_path):
    write(tmp_path / "a.tfrecord", [{"t": texts([b"a"]), "e": floats([])}])
    assert said(tmp_path / "a.tfrecord") == (
        "a.tfrecord: no feature holds numbers of one length ('e' holds nothing in any Example; "
        "'t' holds bytes, no numbers (row 0)). Give data with at least one numeric feature."
    )


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_records_are_quarantined_and_no_row_is_lost(packed, tmp_path):
    records = [record(example(row)) for row in ROWS]
    records[4] = records[4][:20] + bytes([records[4][20] ^ 1]) + records[4][21:]
    records[9] = record(b"\xff\xff no protobuf")
    records[11] = record(b"\x1a\x03abc")
    records[12] = record(example(ROWS[0]) + part(2, part(1, b"")))
    records[13] = record(example({"x": part(2, part(1, b"abcde"))}))
    records[14] = record(example({"x": b"\x12\x7f\x0a"}))
    content = b"".join(records)
    path = tmp_path / f"a.tfrecord{'.gz' * packed}"
    path.write_bytes(gzip.compress(content) if packed else content)
    rows = load(open_source(path))
    assert [(row.file, row.position, row.reason) for row in rows.quarantined] == [
        (str(path), 4, "its checksum is wrong: the record is damaged"),
        (str(path), 9, "not a tf.Example"),
        (str(path), 11, "not a tf.Example"),
        (str(path), 12, "a tf.SequenceExample, not a tf.Example"),
        (str(path), 13, "column 'x': its list of numbers is cut off"),
        (str(path), 14, "column 'x' is no tf.Feature"),
    ]
    assert rows.n_read == len(ROWS) == len(rows) + 6
    np.testing.assert_array_equal(rows.values, np.delete(VALUES, [4, 9, 11, 12, 13, 14], axis=0))


@given(damage=st.data())
def test_any_flipped_byte_is_noticed(damage, tmp_path_factory):
    """Whatever byte is damaged: an error that says where, or the row is quarantined and all others are as before."""
    content = bytearray(b"".join(record(example(row)) for row in ROWS[:6]))
    place = damage.draw(st.integers(0, len(content) - 1))
    content[place] ^= damage.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("flip") / "a.tfrecord"
    path.write_bytes(content)
    hit, inside = divmod(place, len(content) // 6)
    if inside < 12:
        assert ("not a TFRecord file" if hit == 0 else f"the length of record {hit}") in said(path)
    else:
        rows = load(open_source(path))
        assert [row.position for row in rows.quarantined] == [hit]
        np.testing.assert_array_equal(rows.values, np.delete(VALUES[:6], hit, axis=0))


def test_a_truncated_file_says_in_which_record_it_ends(tmp_path):
    path = tmp_path / "a.tfrecord"
    records = write(path, ROWS)
    size = len(records[0])
    for cut in (1, size - 12, size - 1):
        path.write_bytes(b"".join(records)[:-cut])
        assert said(path) == (
            f"a.tfrecord: the file ends inside record 39 (which starts at byte {39 * size}): it is truncated. "
            "Write it again."
        )
    path.write_bytes(b"".join(records)[:-size])
    assert len(load(open_source(path))) == 39, "a file that ends between records is whole"


def test_a_length_without_bounds_takes_no_memory(tmp_path):
    head = struct.pack("<Q", 1 << 60)
    (tmp_path / "a.tfrecord").write_bytes(record(example(ROWS[0])) + head + checksum(head) + bytes(100))
    assert "the length of record 1 (at byte" in said(tmp_path / "a.tfrecord")


def test_a_damaged_or_truncated_gz_file(tmp_path):
    path = tmp_path / "a.tfrecord.gz"
    records = [record(example(row)) for row in ROWS]
    parts = [gzip.compress(b"".join(part)) for part in (records[:17], records[17:])]  # one file may hold several
    path.write_bytes(b"".join(parts))
    np.testing.assert_array_equal(load(open_source(path)).values, VALUES)
    path.write_bytes(parts[0] + parts[1][:5])
    assert said(path) == (
        "a.tfrecord.gz: cannot be unpacked from record 17 on (Compressed file ended before the end-of-stream marker "
        "was reached). Write it again."
    )
    path.write_bytes(parts[0] + parts[1][:10] + b"\xff" * 20 + parts[1][30:])
    assert "a.tfrecord.gz: cannot be unpacked from record 17 on (Error -3" in said(path)
    path.write_bytes(parts[0] + gzip.compress(b"".join(records[17:])[:-5]))
    assert "a.tfrecord.gz: the file ends inside record 39" in said(path)


def test_gzip_is_found_under_any_name(tmp_path):
    content = b"".join(record(example(row)) for row in ROWS)
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(content))
    (tmp_path / "b.tfrecord.gz").write_bytes(content)
    for name in ("a.tfrecord", "b.tfrecord.gz"):
        np.testing.assert_array_equal(load(open_source(tmp_path / name)).values, VALUES)


def test_a_packed_file_that_unpacks_to_far_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("aetfx.data.sources.guards.UNPACKED_BYTES", 1 << 20)
    (tmp_path / "a.tfrecord.gz").write_bytes(gzip.compress(record(example({"x": floats(np.zeros(2_000_000))}))))
    assert "a.tfrecord.gz: unpacks to more than 200 times" in said(tmp_path / "a.tfrecord.gz")


@pytest.mark.parametrize("content", [b"a,b\n1,2\n3,4\n5,6\n", zlib.compress(bytes(1000)), bytes(5)])
def test_other_files(content, tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(content)
    message = said(tmp_path / "a.tfrecord")
    assert "not a TFRecord file" in message or "ends inside record 0" in message


def test_records_of_something_else(tmp_path):
    write(tmp_path / "a.tfrecord", [b"hello", b"world"])
    assert said(tmp_path / "a.tfrecord") == (
        "a.tfrecord: row 0: not a tf.Example, nor is any other record. Write tf.Example records."
    )


def test_empty_files_are_shards_without_rows_unless_all_are(tmp_path):
    (tmp_path / "a.tfrecord-00000-of-00003").write_bytes(b"")
    assert said(tmp_path / "a.tfrecord-00000-of-00003") == (
        "a.tfrecord-00000-of-00003: holds no records. Give data with at least one row."
    )
    write(tmp_path / "a.tfrecord-00001-of-00003", ROWS[:30])
    write(tmp_path / "a.tfrecord-00002-of-00003", ROWS[30:])
    np.testing.assert_array_equal(load(open_source(tmp_path / "a.tfrecord-*")).values, VALUES)


@pytest.mark.parametrize(
    "name",
    [
        "a.tfrecord", "a.TFRecord", "a.tfrecords", "a.tfrecord.gz", "a.tfrecord-00000-of-00010",
        "a.tfrecord-00000-of-00010.gz", "a.tfrecord.gz-00000-of-00010", "a-00003-of-00010.tfrecord",
        "data_tfrecord-00000-of-00001.gz", "mnist-train.tfrecord-00000-of-00001",
    ],
)  # fmt: skip
def test_names_of_shards(name):
    assert source_type(name) is TfrecordSource


def test_shards_are_byte_ranges_that_know_their_first_row(tmp_path, monkeypatch):
    path = tmp_path / "a.tfrecord"
    size = len(write(path, ROWS)[0])
    damaged = bytearray(path.read_bytes())
    damaged[17 * size + 20] ^= 1
    path.write_bytes(damaged)
    monkeypatch.setattr("aetfx.data.sources.tfrecord.SHARD_BYTES", 10 * size)
    source = open_source(path)
    expected = [(i * size, (i + 10) * size, i) for i in range(0, 40, 10)]
    assert [(s.start, s.stop, s.first) for s in source.shards()] == expected
    rows = load(source)
    assert [row.position for row in rows.quarantined] == [17]
    np.testing.assert_array_equal(rows.values, np.delete(VALUES, 17, axis=0))
    (tmp_path / "b.tfrecord.gz").write_bytes(gzip.compress(damaged))
    packed = open_source(tmp_path / "b.tfrecord.gz")
    assert len(packed.shards()) == 1
    np.testing.assert_array_equal(load(packed).values, rows.values)


def test_two_columns_of_one_name_are_refused(tmp_path):
    write(tmp_path / "a.tfrecord", [{"a": floats([1, 2]), "a,1": floats([1])}])
    assert said(tmp_path / "a.tfrecord") == "a.tfrecord: two columns would be named 'a,1'. Rename that feature."


def test_a_file_that_shrinks_after_opening_loses_no_row_in_silence(tmp_path):
    path = tmp_path / "a.tfrecord"
    records = write(path, ROWS)
    source = open_source(path)
    path.write_bytes(b"".join(records[:30]))
    with pytest.raises(DataError, match="ends inside record 30"):
        load(source)
