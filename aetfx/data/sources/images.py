"""Folders of images, PNG and JPEG; a shard is a run of files.

Every image is a row of values 0-255 (0-65535 for 16-bit grey), of shape (H, W) for grey and (H, W, 3) for colour. The
size and kind that most files have is the shape of a row. Images of another size or kind, and files that cannot be
decoded, are quarantined: nothing is resized, because that would change what the autoencoder sees.
"""

from __future__ import annotations

import dataclasses
import io
import math
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from aetfx.data.files import IMAGE_ENDINGS, is_remote, open_binary
from aetfx.data.sources.base import Batch, Features, Place, Quarantined, Shard, Source, to_batch
from aetfx.data.sources.guards import check_width, printable
from aetfx.data.sources.npy import array_fields
from aetfx.errors import DataError

SHARD_BYTES = 64 << 20  # of float32 once decoded; 21,400 images of 28 x 28, 107 of 224 x 224 x 3

GREY, GREY16, COLOUR = "grey", "16-bit grey", "colour"
KINDS = {
    **dict.fromkeys(("1", "L", "LA"), GREY),
    **dict.fromkeys(("I;16", "I;16B", "I;16L", "I"), GREY16),  # older versions of Pillow open 16-bit PNG as "I"
    **dict.fromkeys(("P", "RGB", "RGBA", "CMYK", "YCbCr"), COLOUR),
}  # by Pillow's mode


@dataclass(frozen=True)
class ImagesSource(Source):
    """The images of a folder and its subfolders, or of a glob, sorted by path.

    Grey comes from 1-bit (0 and 255), 8-bit and 16-bit grey, with or without alpha; all else is colour, also images
    with a palette. Pillow cuts 16-bit colour, and 16-bit grey with alpha, to 8 bits. Alpha is dropped where it is
    opaque, else the image is composited on black. Of an animation the first picture counts; EXIF's orientation is not
    applied. Bytes damaged in the middle of a JPEG are not always noticed: its format has no checksum.

    Opening reads the headers of all files, but decodes none. An image larger than Pillow's limit against
    decompression bombs (`PIL.Image.MAX_IMAGE_PIXELS`, 89 million pixels) is quarantined.
    """

    extensions: ClassVar[tuple[str, ...]] = IMAGE_ENDINGS
    image_shape: tuple[int, ...] = ()
    kind: str = GREY

    @classmethod
    def open(cls, path: str, files: tuple[str, ...], features: Features) -> ImagesSource:
        found: Counter[tuple[str, tuple[int, ...]]] = Counter()
        first_bad = ""
        with _bombs_are_errors():
            for file in files:
                try:
                    with _open(file) as image:
                        found[_row(image)] += 1
                except ValueError as error:
                    first_bad = first_bad or f"'{file}' is {error}"
        if not found:
            raise DataError(f"{path}: none of {len(files)} image files can be read: {first_bad}. Save them as PNG.")
        (kind, shape), most = found.most_common(1)[0]
        if most == 1 and len(found) > 1:
            raise DataError(
                f"{path}: no two of {len(found)} images have the same size (the first is {_words(kind, shape)}). "
                "Resize them all to one size first."
            )
        check_width(path, math.prod(shape))
        fields = array_fields(path, files, (len(files), *shape), features)
        return cls(**fields, value_bytes=4, whole=True, image_shape=shape, kind=kind)

    @property
    def n_rows(self) -> int:
        return len(self.files)

    def shards(self) -> list[Shard]:
        step = max(1, SHARD_BYTES // (4 * math.prod(self.image_shape)))
        n = len(self.files)
        return [Shard(self.path, start, min(start + step, n), start) for start in range(0, n, step)]

    def read(self, shard: Shard) -> Iterator[Batch]:
        """Reads the files from `shard.start` to `shard.stop` of `files`; a quarantined one is its file, position 0."""
        for start in range(shard.start, shard.stop, self.rows_per_batch):
            yield self._batch(self.files[start : min(start + self.rows_per_batch, shard.stop)])

    def _batch(self, files: tuple[str, ...]) -> Batch:
        dtype = np.uint16 if self.kind == GREY16 else np.uint8
        values = np.empty((len(files), *self.image_shape), dtype)
        good: list[Place] = []
        bad = []
        with _bombs_are_errors():
            for file in files:
                try:
                    values[len(good)] = self._pixels(file)
                    good.append((file, None))
                except ValueError as error:
                    bad.append(Quarantined(file, 0, str(error)))
        return dataclasses.replace(to_batch(self.pick(values[: len(good)]), bad), where=lambda: good)

    def _pixels(self, file: str) -> np.ndarray:
        """The numbers of one image, of shape `image_shape`.

        Raises:
          ValueError: why the image is no row.
        """
        with _open(file) as image:
            if (row := _row(image)) != (self.kind, self.image_shape):
                raise ValueError(f"{_words(*row)}, but most images are {_words(self.kind, self.image_shape)}")
            try:
                return _decoded(image, self.kind)
            except Exception as error:  # decoders meet damaged bytes with errors of every class
                raise ValueError(f"cannot be decoded ({_short(error)})") from None


def _open(file: str) -> Any:
    """Reads the header of an image.

    Raises:
      ValueError: why it is none.
    """
    from PIL import Image, UnidentifiedImageError

    picture: str | io.BytesIO = file
    if is_remote(file):
        with open_binary(file) as stream:
            picture = io.BytesIO(stream.read())
    try:
        return Image.open(picture, formats=("PNG", "JPEG"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"larger than Pillow's limit of {Image.MAX_IMAGE_PIXELS} pixels ({_short(error)})") from None
    except UnidentifiedImageError:
        raise ValueError("neither PNG nor JPEG") from None
    except Exception as error:  # damaged headers: OSError, SyntaxError, struct.error, zlib.error, ...
        raise ValueError(f"unreadable ({_short(error)})") from None


def _row(image: Any) -> tuple[str, tuple[int, ...]]:
    """The kind and shape of the row that an image makes, from its header.

    Raises:
      ValueError: a mode that PNG and JPEG do not have.
    """
    if image.mode not in KINDS:
        raise ValueError(f"of an unknown mode '{image.mode}'")
    kind = KINDS[image.mode]
    return kind, (image.height, image.width, 3) if kind == COLOUR else (image.height, image.width)


def _decoded(image: Any, kind: str) -> np.ndarray:
    from PIL import Image

    if kind == GREY16:
        return np.asarray(image).astype(np.uint16)
    plain, with_alpha = ("RGB", "RGBA") if kind == COLOUR else ("L", "LA")
    if image.mode not in ("LA", "RGBA") and "transparency" not in image.info:
        return np.asarray(image if image.mode == plain else image.convert(plain))
    image = image.convert(with_alpha)
    black = Image.new(plain, image.size)
    black.paste(image.convert(plain), mask=image.getchannel("A"))
    return np.asarray(black)


def _words(kind: str, shape: tuple[int, ...]) -> str:
    return f"{kind} of shape {shape}"


def _bombs_are_errors() -> warnings.catch_warnings[None]:
    """Makes Pillow's warning of a very large image an error, for the time of one block of files."""
    from PIL import Image

    return warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning)


def _short(error: BaseException) -> str:
    return printable(str(error), 120) or type(error).__name__
