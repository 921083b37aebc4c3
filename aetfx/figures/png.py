"""Writes small PNG pictures (a standard-library encoder, so that no imaging package is needed)."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # channels -> PNG colour type: grey, RGB, RGBA


def encode(pixels: np.ndarray) -> bytes:
    """Encodes pixels as PNG.

    Args:
      pixels: uint8, shape (height, width, channels) with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

    Raises:
      ValueError: another shape or dtype.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in _COLOUR_TYPES:
        raise ValueError(f"Expected uint8 pixels (height, width, 1 | 3 | 4). Received: {pixels.dtype} {pixels.shape}")
    height, width, channels = pixels.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each line starts with filter type 0
    lines[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def data_uri(pixels: np.ndarray) -> str:
    """Returns the PNG of `pixels` (see `encode`) as a `data:` address."""
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
