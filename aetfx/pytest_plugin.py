"""The pytest plugin: `pytest --aetfx study.yaml` fails when the study's autoencoder reconstructs worse than it did.

    pytest --aetfx study.yaml --aetfx-update     trains, and keeps the scores as the reference: study.aetfx.json
    pytest --aetfx study.yaml                    trains again with the same seeds and compares
    pytest --aetfx study.yaml -m aetfx           ... and runs no other test

Without a reference the score must reach `diagnosis.target` of the study. Pytest loads this module at every start,
wherever aetfx is installed: it imports nothing of aetfx before a study is collected.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_LINES = pytest.StashKey[list[str]]()


class Regression(Exception):
    """Raised by the item of a study that reconstructs worse than its reference; holds the text to show."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("aetfx", "reconstruction of autoencoders (aetfx)")
    group.addoption(
        "--aetfx",
        action="append",
        default=[],
        metavar="STUDY.yaml",
        help="train this study and fail if it reconstructs worse than its reference; may be given several times",
    )
    group.addoption(
        "--aetfx-update",
        action="store_true",
        help="write the scores of the studies as their reference, <study>.aetfx.json, instead of comparing",
    )
    group.addoption(
        "--aetfx-seeds",
        type=int,
        default=None,
        metavar="N",
        help="trainings of a study whose reference is written, or that has none (default 3)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "aetfx: the reconstruction of a study, as asked for by --aetfx")
    config.stash[_LINES] = []
    seeds = config.getoption("--aetfx-seeds")
    if seeds is not None and seeds < 2:
        raise pytest.UsageError(f"--aetfx-seeds must be at least 2, to tell a change from chance, but got {seeds}")
    named = {Path(str(argument).split("::")[0]).resolve() for argument in config.args}
    for study in config.getoption("--aetfx"):
        if not Path(study).is_file():
            raise pytest.UsageError(f"--aetfx {study}: no such study file")
        if Path(study).resolve() not in named:
            config.args.append(study)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.resolve() in {Path(study).resolve() for study in parent.config.getoption("--aetfx")}:
        return StudyFile.from_parent(parent, path=file_path)
    return None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash.get(_LINES, [])
    if lines:
        terminalreporter.section("aetfx")
        for line in lines:
            terminalreporter.line(line)


class StudyFile(pytest.File):
    """A study: one item."""

    def collect(self) -> Iterator[pytest.Item]:
        yield StudyItem.from_parent(self, name="reconstruction")


class StudyItem(pytest.Item):
    """Trains a study's baseline and compares its score with the reference."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.add_marker("aetfx")

    def runtest(self) -> None:
        from aetfx.comparison import regression
        from aetfx.study import load_study

        config = self.config
        study = load_study(self.path)
        update = config.getoption("--aetfx-update")
        reference = None if update else regression.read_reference(self.path)
        count = config.getoption("--aetfx-seeds") or regression.SEEDS
        seeds = list(reference.scores) if reference else [study.training.seed + i for i in range(count)]
        with tempfile.TemporaryDirectory(prefix="aetfx-pytest-") as directory, warnings.catch_warnings():
            # google.api_core, about the end of support for a Python; no affair of who tests a model.
            warnings.filterwarnings("ignore", category=FutureWarning, module="google")
            now = regression.measure(study, Path(directory), seeds)
        self.user_properties.append(("aetfx_score", now.mean))
        if update:
            path = regression.write_reference(self.path, now)
            self._say(f"score {now.mean:.4g}, kept as the reference in {path.name}")
            return
        judgement = regression.judge(now, reference, study.diagnosis.target)
        self._say(judgement.line)
        if not judgement.ok:
            raise Regression(self._failure(judgement, kept=reference is not None))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from aetfx.errors import AetfxError

        if isinstance(excinfo.value, Regression | AetfxError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name}: reconstruction"

    def _say(self, line: str) -> None:
        self.config.stash[_LINES].append(f"{self.path.name}: {line}")

    def _failure(self, judgement: Any, kept: bool) -> str:
        title = "the reconstruction got worse" if kept else "the reconstruction misses its target"
        path = os.path.relpath(self.path, self.config.invocation_params.dir)
        lines = [f"{self.path.name}: {title}", *(f"  {line}" for line in judgement.details)]
        lines.append(f"Find the cause:   aetfx diagnose {path}")
        lines.append(f"If it is meant:   pytest --aetfx {path} --aetfx-update")
        return "\n".join(lines)
