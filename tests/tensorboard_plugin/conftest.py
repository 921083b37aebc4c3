"""One TensorBoard and one open page for all tests of the dashboard: they take seconds to start."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from aetfx.tensorboard_plugin.writing import write_dashboard
from tests.report.runs import make_run
from tests.tensorboard_plugin.runs import HOSTILE, add_findings, make_evaluation
from tests.tensorboard_plugin.server import tensorboard, wait_for_runs
from tests.tensorboard_plugin.visit import Visit


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The evaluated runs below the log directory, by name; beside them lies one that was only diagnosed."""
    logs = tmp_path_factory.mktemp("dashboard") / "logs"
    runs = {
        "table": make_evaluation(logs / "table", "table", configurations=12),
        "picture": make_evaluation(logs / "picture", "picture"),
        "sequence": make_evaluation(logs / "sequence", "sequence"),
        "wide": make_evaluation(logs / "wide", "wide", configurations=60, columns=800, kept=60),
        "nan": make_evaluation(logs / "nan", "table", not_finite=True),
        HOSTILE: make_evaluation(logs / HOSTILE, "table", name=HOSTILE),
    }
    for source, name, files in (("two_causes", "table", ()), ("hostile", HOSTILE, ("findings.json",))):
        add_findings(runs[name], np.random.default_rng(0).normal(size=(200, 30)) * np.arange(1, 31) ** 2)
        diagnosis = make_run(logs.parent / source, source)
        for file in ("diagnosis.json", "histories.json", *files):
            shutil.copy(diagnosis / file, logs / name / file)
    make_run(logs / "diagnosed", "table")
    for name in (*runs, "diagnosed"):
        write_dashboard(logs / name)
    return runs


@pytest.fixture(scope="session")
def logs(made) -> Path:
    return next(iter(made.values())).directory.parent


@pytest.fixture(scope="session")
def address(made, logs, tmp_path_factory):
    with tensorboard(logs, tmp_path_factory.mktemp("tensorboard")) as url:
        wait_for_runs(url, len(made) + 1)
        yield url


@pytest.fixture(scope="session")
def desk(browser, address):
    """An open page that goes from view to view."""
    visit = Visit(browser, address)
    yield visit
    visit.context.close()
