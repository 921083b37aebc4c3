"""Tests of remote paths (aetfx.data.files): every kind of file through a Beam file system with a scheme of its own."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

from aetfx import validate
from aetfx.data import load, open_source
from aetfx.data.sources import npy
from aetfx.errors import DataError
from tests.data.test_sources import ROWS, WRITERS, rows_for, write_csv, write_npy


class ObjectStore(FileSystem):
    """`store://folder/...`: as a bucket, names are plain text, and there are no folders. Read only."""

    root = ""

    @classmethod
    def scheme(cls):
        return "store"

    def has_dirs(self):
        return False

    def _local(self, path):
        return os.path.join(self.root, path.removeprefix("store://"))

    def _list(self, prefix):
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = "store://" + os.path.relpath(os.path.join(folder, name), self.root)
                if path.startswith(prefix):
                    yield self.metadata(path)

    def exists(self, path):
        return os.path.isfile(self._local(path))

    def metadata(self, path):
        return FileMetadata(path, os.path.getsize(self._local(path)))

    def size(self, path):
        return self.metadata(path).size_in_bytes

    def open(self, path, mime_type=None, compression_type="auto"):
        if "locked" in path:
            raise BeamIOError("Open failed", {path: PermissionError("403 no access")})
        assert compression_type == "uncompressed"  # Beam would unpack by the ending, and offsets would be lost
        return open(self._local(path), "rb", buffering=0)

    def _refuse(self, *args, **kwargs):
        raise AssertionError("data are only read")

    join = split = create = copy = rename = delete = mkdirs = last_updated = _refuse


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    monkeypatch.setattr(ObjectStore, "root", str(tmp_path))
    (tmp_path / "rows").mkdir()
    return tmp_path / "rows"


@pytest.mark.parametrize("write", WRITERS)
class TestEverySource:
    def test_a_glob_gives_the_same_rows_as_local_files(self, write, bucket):
        for name, part in (("b", rows_for(write)[30:]), ("a", rows_for(write)[:30])):
            write(bucket, name, part)
        near, far = open_source(f"{bucket}/*"), open_source("store://rows/*")
        assert all(file.startswith("store://rows/") for file in far.files)
        np.testing.assert_array_equal(load(far).values, load(near).values)
        assert far.names == near.names
        assert len(far.shards()) == len(near.shards())

    def test_validation_says_the_same(self, write, bucket):
        write(bucket, "a", rows_for(write))
        near, far = validate(f"{bucket}/*"), validate("store://rows/*")
        assert far.rows == near.rows
        np.testing.assert_array_equal(far.statistics["train"].quantiles, near.statistics["train"].quantiles)


# Half a CSV table is a table but for its last line.
@pytest.mark.parametrize("write", [write for write in WRITERS if write is not write_csv])
def test_half_a_file_is_one_clear_error(write, bucket):
    write(bucket, "a", rows_for(write))
    for file in bucket.iterdir():
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="store://rows"):
        load(open_source("store://rows/*"))


def test_arrays_stored_column_by_column(bucket, monkeypatch):
    np.save(bucket / "a.npy", np.asfortranarray(ROWS))
    np.testing.assert_array_equal(load(open_source("store://rows/a.npy")).values, ROWS)
    monkeypatch.setattr(npy, "FORTRAN_BYTES", 1000)
    with pytest.raises(DataError, match="too large to hold"):
        load(open_source("store://rows/a.npy"))


def test_a_folder_stands_for_its_images(bucket):
    from PIL import Image

    pixels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    (bucket / "dogs").mkdir()
    for place, image in (("dogs/a.png", pixels[0]), ("z.png", pixels[1])):
        Image.fromarray(image).save(bucket / place)
    for path in ("store://rows", "store://rows/"):
        np.testing.assert_array_equal(load(open_source(path)).values, pixels)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("store://rows/b.npy", "store://rows/b.npy: no such file"),
        ("store://rows/*.csv", "store://rows/*.csv: no file matches this pattern"),
        ("store://rows", "store://rows: is a folder. Give a file or a glob of files, e.g. 'store://rows/*.parquet'."),
        ("store://rows/locked.npy", "cannot be reached (PermissionError: 403 no access). Check the path, your rights"),
        ("s4://bucket/a.npy", "s4://bucket/a.npy: Beam has no file system for 's4://' here."),
        ("hdfs://name/a.npy", "cannot be reached"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(bucket, path, expected):
    write_npy(bucket, "a", ROWS)
    shutil.copy(bucket / "a.npy", bucket / "locked.npy")
    with pytest.raises(DataError) as caught:
        open_source(path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_local_paths_do_not_pay_for_beam(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    code = f"import sys; from aetfx.data import load, open_source; load(open_source({str(tmp_path / 'a.npy')!r})); "
    code += "sys.exit('apache_beam' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
