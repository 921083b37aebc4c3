"""The codes of the best configuration for TensorBoard's own Projector, as tab-separated text and a config by hand.

One embedding that the Projector cannot read switches its tab off for all runs, so that only finite codes are written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aetfx.figures.png import encode
from aetfx.figures.rows import pixels, value_range
from aetfx.run import write_bytes, write_text
from aetfx.words import replace_unprintable

CONFIG = "projector_config.pbtxt"
_MOST_ROWS = 2_000
_TILE = 32  # pixels of a picture in the sprite
_LEAST_AXES = 3  # the Projector draws in three dimensions


def write_codes(
    directory: Path, codes: np.ndarray, labels: dict[str, list[Any]], pictures: np.ndarray | None = None
) -> bool:
    """Writes the files of one embedding into a directory that holds an event file.

    Args:
      codes: (n, k).
      labels: columns of n values that points can be coloured by; at least two.
      pictures: (n, height, width, channels) or None.

    Returns:
      Whether there was anything to write.
    """
    finite = np.flatnonzero(np.isfinite(codes).all(axis=1))[:_MOST_ROWS]
    if len(finite) < 3 or codes.shape[1] < 1:
        (directory / CONFIG).unlink(missing_ok=True)
        return False
    shown = codes[finite].astype(float)
    shown = np.pad(shown, ((0, 0), (0, max(0, _LEAST_AXES - shown.shape[1]))))
    write_text(directory / "codes.tsv", "".join("\t".join(f"{v:.6g}" for v in row) + "\n" for row in shown))
    lines = ["\t".join(labels)]
    for place in finite:
        lines.append("\t".join(replace_unprintable(values[place]) for values in labels.values()))
    write_text(directory / "codes_rows.tsv", "\n".join(lines) + "\n")
    sprite = ""
    if pictures is not None:
        height, width = _write_sprite(directory / "codes.png", pictures[finite])
        sprite = f'  sprite {{ image_path: "codes.png" single_image_dim: {width} single_image_dim: {height} }}\n'
    config = '  tensor_name: "code"\n  tensor_path: "codes.tsv"\n  metadata_path: "codes_rows.tsv"\n'
    write_text(directory / CONFIG, f"embeddings {{\n{config}{sprite}}}\n")
    return True


def _write_sprite(path: Path, pictures: np.ndarray) -> tuple[int, int]:
    step = max(1, -(-max(pictures.shape[1:3]) // _TILE))
    small = pictures[:, ::step, ::step]
    n, height, width, channels = small.shape
    low, high = value_range(small)
    side = int(np.ceil(np.sqrt(n)))
    sheet = np.full((side * height, side * width, 4), 255, np.uint8)
    for place in range(n):
        top, left = place // side * height, place % side * width
        tile = pixels(small[place], (height, width, channels), low, high)
        sheet[top : top + height, left : left + width] = tile
    write_bytes(path, encode(sheet))
    return height, width
