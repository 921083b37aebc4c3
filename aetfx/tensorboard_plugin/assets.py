"""The files that the browser loads: our own modules, and plotly.js of the installed package, compressed once.

Their addresses hold a hash of their content, so that a browser may keep them for as long as it likes. Only what is
listed here is served; no part of a request ever becomes a path.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from functools import cached_property
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

# By hand: what the operating system believes of `.js` may be text/plain, which browsers do not run as a module.
_TYPES = {".js": "text/javascript", ".css": "text/css"}


class Assets:
    """The files below `static/`, and plotly.js.

    Attributes:
      files: name to (media type, gzip content).
      version: hash of all of them.
    """

    def __init__(self) -> None:
        folder = resources.files("aetfx.tensorboard_plugin").joinpath("static")
        contents = {item.name: item.read_bytes() for item in folder.iterdir() if Path(item.name).suffix in _TYPES}
        whole = b"".join(name.encode() + contents[name] for name in sorted(contents))
        self.version = hashlib.blake2b(whole, digest_size=6).hexdigest()
        self.files = {
            name: (_TYPES[Path(name).suffix], gzip.compress(content, 6, mtime=0)) for name, content in contents.items()
        }
        self._lock = threading.Lock()

    @cached_property
    def plotly_version(self) -> str:
        """A hash that changes with plotly.js; "missing" where Plotly is not installed."""
        path = _plotly_path()
        if path is None:
            return "missing"
        about = path.stat()
        return hashlib.blake2b(f"{about.st_size} {about.st_mtime_ns}".encode(), digest_size=6).hexdigest()

    @cached_property
    def _plotly(self) -> bytes | None:
        path = _plotly_path()
        return None if path is None else gzip.compress(path.read_bytes(), 6, mtime=0)

    def plotly(self) -> bytes | None:
        """Returns plotly.js, compressed; None where Plotly is not installed. The first call takes about 0.3 s."""
        with self._lock:
            return self._plotly


def _plotly_path() -> Path | None:
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / "package_data" / "plotly.min.js"
    return path if path.is_file() else None
