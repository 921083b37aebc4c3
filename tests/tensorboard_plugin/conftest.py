"""One TensorBoard and one browser for all tests of the dashboard: each takes seconds to start."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from aetfx.tensorboard_plugin.writing import write_dashboard
from tests.report.runs import make_run
from tests.tensorboard_plugin.runs import HOSTILE, add_findings, make_evaluation
from tests.tensorboard_plugin.server import tensorboard, wait_for_runs

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The runs below the log directory, by name."""
    logs = tmp_path_factory.mktemp("dashboard") / "logs"
    runs = {
        "table": make_evaluation(logs / "table", "table", configurations=12),
        "picture": make_evaluation(logs / "picture", "picture"),
        "sequence": make_evaluation(logs / "sequence", "sequence"),
        "wide": make_evaluation(logs / "wide", "wide", configurations=60, columns=800, kept=60),
        "nan": make_evaluation(logs / "nan", "table", not_finite=True),
        HOSTILE: make_evaluation(logs / HOSTILE, "table", name=HOSTILE),
    }
    for source, name in (("two_causes", "table"), ("hostile", HOSTILE)):
        diagnosis = make_run(logs.parent / source, source)
        for file in ("diagnosis.json", "histories.json", "findings.json"):
            shutil.copy(diagnosis / file, logs / name / file)
    add_findings(runs["table"], np.random.default_rng(0).normal(size=(200, 30)) * np.arange(1, 31) ** 2)
    for name in runs:
        write_dashboard(logs / name)
    return runs


@pytest.fixture(scope="session")
def logs(made) -> Path:
    return next(iter(made.values())).directory.parent


@pytest.fixture(scope="session")
def address(made, logs, tmp_path_factory):
    with tensorboard(logs, tmp_path_factory.mktemp("tensorboard")) as url:
        wait_for_runs(url, len(made))
        yield url


@pytest.fixture(scope="session")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "Chromium is missing: the dashboard was not opened. Install it with `apt-get install chromium`."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
