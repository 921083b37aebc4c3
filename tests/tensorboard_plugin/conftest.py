"""One TensorBoard for all tests of the dashboard: it takes seconds to start."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from aetfx.tensorboard_plugin.writing import write_dashboard
from tests.report.runs import make_run
from tests.tensorboard_plugin.runs import HOSTILE, add_findings, make_evaluation
from tests.tensorboard_plugin.server import tensorboard, wait_for_runs


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
