"""What a file that cannot be read is refused with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aetfx.data import load, open_source
from aetfx.errors import DataError


def said(path: Path, features: Any = "auto") -> str:
    """The message that a path is refused with, without its folder: one line of fewer than 400 characters."""
    with pytest.raises(DataError) as caught:
        load(open_source(path, features))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message.replace(f"{path.parent}/", "")
