"""A real TensorBoard in a process of its own, which finds the plugin as everybody's does: by its entry point.

TensorFlow is kept out of that process (TensorBoard has a switch for it): the plugin must not need it, and TensorBoard
starts in 3 s instead of 15. `AETFX_TENSORBOARD_PYTHON` names the Python of another environment, to test the TensorBoard
of the other stack (`make dashboard`).
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_START = """
import sys, types
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")
from tensorboard.main import run_main
run_main()
"""


def entry_point(folder: Path) -> Path:
    """Writes the metadata of an installed aetfx with the entry points of pyproject.toml, and returns its folder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = folder / f"aetfx-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: aetfx\nVersion: {project['version']}\n")
    points = project["entry-points"]["tensorboard_plugins"]
    lines = ["[tensorboard_plugins]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


@contextlib.contextmanager
def tensorboard(logdir: Path, folder: Path, *options: str) -> Iterator[str]:
    """Yields the address of a TensorBoard.

    Args:
      logdir: its log directory.
      folder: for its metadata and its log.
      *options: more of its command line.
    """
    path = os.pathsep.join([str(entry_point(folder / "site")), str(ROOT)])
    process = subprocess.Popen(
        [
            os.environ.get("AETFX_TENSORBOARD_PYTHON") or sys.executable,
            *("-c", _START, "--logdir", str(logdir), "--port", "0", "--host", "127.0.0.1", "--reload_interval", "1"),
            *options,
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stderr is not None
    said: list[str] = []
    address = ""
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"at (http://\S+)", line):
            address = found[1].rstrip("/") + "/"
            break
    threading.Thread(target=lambda: said.extend(process.stderr), daemon=True).start()  # a full pipe would stop it
    try:
        assert address, "".join(said)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for_runs(address: str, count: int, seconds: float = 60) -> None:
    """Waits until TensorBoard has read so many runs."""
    import json

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}data/plugin/aetfx/start") as answer:
            if len(json.load(answer)["runs"]) >= count:
                return
        time.sleep(0.2)
    raise AssertionError(f"TensorBoard did not read {count} runs within {seconds} s")
