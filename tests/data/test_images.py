"""Tests of aetfx.data.sources.images, on files that Pillow writes."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from aetfx.data import load, open_source
from tests.data.refusals import said

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 5, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (12, 5, 4, 3), dtype=np.uint8)


def save(folder, name, pixels, mode=None, **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def save_all(folder, stack):
    for i, pixels in enumerate(stack):
        save(folder, f"{i:03d}.png", pixels)


def reasons(folder, rows):
    return [(row.file.removeprefix(f"{folder}/"), row.position, row.reason) for row in rows.quarantined]


@pytest.mark.parametrize("stack", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_folder_is_a_stack_of_tensors(stack, tmp_path):
    save_all(tmp_path / "all", stack)
    rows = load(open_source(tmp_path / "all"))
    assert (rows.shape, rows.declared_shape, rows.values.dtype) == (stack.shape[1:], True, np.float32)
    assert rows.names[-1] == ",".join(str(n - 1) for n in stack.shape[1:])
    np.testing.assert_array_equal(rows.values, stack)


def test_subfolders_are_included_in_the_order_of_paths(tmp_path):
    for name, pixels in (("dog/1.png", GREY[2]), ("cat/a/2.PNG", GREY[0]), ("cat/b.png", GREY[1])):
        save(tmp_path, f"train/{name}", pixels)
    save(tmp_path, "train/.hidden/4.png", GREY[3])
    (tmp_path / "train" / "dog" / "._1.png").write_bytes(b"what an archive of another system leaves behind")
    (tmp_path / "train" / "labels.csv").write_text("a,b\n1,2\n")
    (tmp_path / "train" / "dog" / "up").symlink_to(tmp_path / "train")
    rows = load(open_source(tmp_path / "train"))
    np.testing.assert_array_equal(rows.values, GREY[:3])
    assert rows.n_read == 3


def test_linked_folders_are_followed(tmp_path):
    save_all(tmp_path / "store", GREY)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "cat").symlink_to(tmp_path / "store")
    np.testing.assert_array_equal(load(open_source(tmp_path / "train")).values, GREY)


def test_jpeg_comes_back_as_pillow_decodes_it(tmp_path):
    smooth = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * 8
    for name in ("a.jpg", "b.jpeg", "c.JPG"):
        save(tmp_path, name, smooth)
    save(tmp_path, "d.jpg", np.stack([smooth] * 3, axis=2))
    rows = load(open_source(f"{tmp_path}/*"))
    assert rows.shape == (16, 16)
    assert np.abs(rows.values - smooth).max() < 8
    assert reasons(tmp_path, rows) == [
        ("d.jpg", 0, "colour of shape (16, 16, 3), but most images are grey of shape (16, 16)")
    ]


def test_kinds_of_grey(tmp_path):
    bits = (GREY[0] > 128).astype(np.uint8) * 255
    save(tmp_path, "a.png", bits, "1")
    save(tmp_path, "b.png", GREY[1])
    save(tmp_path, "c.png", np.dstack([GREY[2], np.full_like(GREY[2], 255)]), None)
    see_through = np.dstack([np.full_like(GREY[3], 200), np.tile([0, 255], (5, 2)).astype(np.uint8)])
    save(tmp_path, "d.png", see_through)
    keyed = np.full_like(GREY[0], 9)
    keyed[0] = 77
    save(tmp_path, "e.png", keyed, transparency=77)
    rows = load(open_source(f"{tmp_path}/*.png"))
    assert rows.quarantined == []
    black_where_keyed = np.where(keyed == 77, 0, keyed)
    expected = [bits, GREY[1], GREY[2], np.tile([0, 200], (5, 2)), black_where_keyed]
    np.testing.assert_array_equal(rows.values, expected)


def test_kinds_of_colour(tmp_path):
    opaque = np.full_like(GREY[0], 255)
    save(tmp_path, "a.png", COLOUR[0])
    save(tmp_path, "b.png", np.dstack([COLOUR[1], opaque]))
    half = np.dstack([np.full_like(COLOUR[2], 100), np.full_like(opaque, 51)])
    save(tmp_path, "c.png", half)
    indices = Image.fromarray(np.array([[0, 1, 2, 1]] * 5, np.uint8), "P")
    indices.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    save(tmp_path, "d.png", indices)
    save(tmp_path, "e.png", indices, transparency=1)
    rows = load(open_source(tmp_path))
    red, green, blue, black = [255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]
    palette = [[red, green, blue, green]] * 5
    keyed = [[red, black, blue, black]] * 5
    np.testing.assert_array_equal(rows.values, [COLOUR[0], COLOUR[1], np.full_like(COLOUR[2], 20), palette, keyed])


def test_16_bit_grey_keeps_its_numbers(tmp_path):
    deep = RNG.integers(0, 2**16, (3, 5, 4), dtype=np.uint16)
    save_all(tmp_path / "all", deep)
    save(tmp_path, "all/z.png", GREY[0])
    rows = load(open_source(tmp_path / "all"))
    np.testing.assert_array_equal(rows.values, deep)
    assert reasons(tmp_path, rows) == [
        ("all/z.png", 0, "grey of shape (5, 4), but most images are 16-bit grey of shape (5, 4)")
    ]


def test_what_is_no_row_is_quarantined_and_none_is_lost(tmp_path):
    save_all(tmp_path, GREY)
    save(tmp_path, "wide.png", GREY[0].T.copy())
    save(tmp_path, "colour.png", COLOUR[0])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not an image")
    save(tmp_path, "moving.gif", GREY[0])
    (tmp_path / "moving.gif").rename(tmp_path / "moving.png")
    noise = RNG.integers(0, 256, (5, 4), dtype=np.uint8)
    whole = save(tmp_path, "cut.png", noise).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:50])
    (tmp_path / "locked.png").symlink_to(tmp_path / "gone")
    rows = load(open_source(tmp_path))
    np.testing.assert_array_equal(rows.values, GREY)
    found = {name: reason for name, _, reason in reasons(tmp_path, rows)}
    assert set(found) == {
        "wide.png", "colour.png", "empty.png", "text.png", "moving.png", "cut.png", "locked.png",
    }  # fmt: skip
    assert found["wide.png"] == "grey of shape (4, 5), but most images are grey of shape (5, 4)"
    assert found["text.png"] == found["moving.png"] == found["empty.png"] == "neither PNG nor JPEG"
    assert found["cut.png"].startswith("cannot be decoded (")
    assert found["locked.png"].startswith("unreadable (")
    assert rows.n_read == 12 + 7


def test_a_decompression_bomb_is_quarantined(tmp_path, recwarn):
    """Small files that say they are large: one above Pillow's limit (a warning), one above twice that (an error)."""
    save_all(tmp_path, GREY)
    for name, side in (("large.png", 10_000), ("huge.png", 60_000)):
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        body = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        (tmp_path / name).write_bytes(body + struct.pack(">I", 4) + b"IDAT" + bytes(8))
    rows = load(open_source(tmp_path))
    assert [(name, reason[:43]) for name, _, reason in reasons(tmp_path, rows)] == [
        ("huge.png", "larger than Pillow's limit of 89478485 pixe"),
        ("large.png", "larger than Pillow's limit of 89478485 pixe"),
    ]
    assert not [w for w in recwarn if "decompression bomb" in str(w.message)]


def test_shards_are_runs_of_files(tmp_path, monkeypatch):
    save_all(tmp_path / "all", GREY)
    (tmp_path / "all" / "006.png").write_bytes(b"?")
    monkeypatch.setattr("aetfx.data.sources.images.SHARD_BYTES", 5 * 4 * 20)
    source = open_source(tmp_path / "all")
    assert [(s.start, s.stop) for s in source.shards()] == [(0, 5), (5, 10), (10, 12)]
    rows = load(source)
    np.testing.assert_array_equal(rows.values, np.delete(GREY, 6, axis=0))
    assert reasons(tmp_path, rows) == [("all/006.png", 0, "neither PNG nor JPEG")]


def test_a_list_selects_pixels(tmp_path):
    save_all(tmp_path, GREY)
    rows = load(open_source(tmp_path, ["1,3", "0,0"]))
    np.testing.assert_array_equal(rows.values, np.stack([GREY[:, 1, 3], GREY[:, 0, 0]], axis=1))
    assert "no column '9,9'" in said(tmp_path, ["9,9"])
    assert not open_source(tmp_path, "table").declared_shape


def test_errors(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    np.save(folder / "a.npy", GREY)
    assert said(folder) == "d: is a folder. Give a file or a glob of files, e.g. 'd/*.npy'."
    (folder / "b.png").write_bytes(b"")
    assert said(folder) == (
        "d: none of 1 image files can be read: 'd/b.png' is neither PNG nor JPEG. Save them as PNG."
    )
    assert "matches files of different kinds" in said(folder / "*")
    for side in (3, 4, 5):
        save(tmp_path, f"sizes/{side}.png", np.zeros((side, side), np.uint8))
    assert said(tmp_path / "sizes") == (
        "sizes: no two of 3 images have the same size (the first is grey of shape (3, 3)). "
        "Resize them all to one size first."
    )
    save(tmp_path, "vast/a.png", np.zeros((1100, 1000), np.uint8))
    assert said(tmp_path / "vast").startswith("vast: a row holds 1,100,000 numbers")
