"""What `aetfx demo` leaves, opened as its last line says: `tensorboard --logdir .../demo/tensorboard`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.tensorboard_plugin.server import ROOT, tensorboard, wait_for_runs
from tests.tensorboard_plugin.test_browser import DRAWN
from tests.tensorboard_plugin.visit import Visit


@pytest.fixture(scope="module")
def visit(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-c", "from aetfx.cli import main; main()", "demo", "--quiet", "--out", str(folder / "demo")],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    logs = next(line.split()[-1] for line in done.stdout.splitlines() if "--logdir" in line)
    with tensorboard(logs, folder) as address:
        wait_for_runs(address, 1)
        visit = Visit(browser, address)
        yield visit
        visit.context.close()


@pytest.mark.parametrize("view", DRAWN)
def test_every_view_draws_from_the_demo(visit, view):
    visit.go(None, view=view)
    visit.wait(DRAWN[view])
    assert visit.view() == view
    visit.shot(f"{view}_demo")
    visit.assert_clean()
