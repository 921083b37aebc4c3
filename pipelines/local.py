"""A pipeline on this machine through Kubeflow's own local runner: each component in a process of its own."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aetfx.errors import RunError
from aetfx.run import folder_lock, read_json
from aetfx.steps.running import LINEAGE
from components.base import SAID
from pipelines.compiling import define

ROOT = Path(__file__).resolve().parents[1]


def run_local(name: str, arguments: dict[str, Any], out: Path) -> Path:
    """Runs a pipeline to its end. Steps that were done before with the same inputs are taken over.

    Args:
      name: of the pipeline.
      arguments: of its parameters.
      out: run directory: `artifacts/` with what each step wrote, `lineage.json`.

    Returns:
      The folder with the artifacts of this run: `<step>/<output>/<configuration>`.

    Raises:
      RunError: a step failed; says which. Its own words stand on stderr, and all else in `run.log`. Or another run is
        using the folder.
    """
    from kfp import local

    out = out.resolve()
    if name == "sweep":
        dealt = arguments.get("configurations", [])
        sys.stderr.write(f"Kubeflow's local runner knows no loops: the {len(dealt)} configurations are unrolled\n")
        pipeline = define(name, unrolled=dealt)
    else:
        pipeline = define(name)
    with _alone(out), _environment(out), warnings.catch_warnings():
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(out / "artifacts"), raise_on_error=True)
        before = set(_runs(out))
        # That the image may not be of Python; and steps say themselves what they did.
        warnings.simplefilter("ignore", RuntimeWarning)
        logging.disable(logging.INFO)
        try:
            with _said(out / "run.log") as said:
                pipeline(**arguments)
        except RuntimeError as error:
            failed = str(error).rsplit("Inner task failed: ", 1)[-1].strip(".'\" ")
            if said.raised and not said.told:
                sys.stderr.write(f"{said.raised}\n")
            raise RunError(
                f"the pipeline '{name}' stopped: step {_plain(failed)} failed, for the reason above ({out / 'run.log'} "
                "holds all that it said). Run the same command again: steps that were done are taken over."
            ) from None
        finally:
            logging.disable(logging.NOTSET)
        (now,) = set(_runs(out)) - before
        _remove_old(out, now)
    return now


def _alone(out: Path) -> contextlib.AbstractContextManager[None]:
    """Keeps a second run out of the folder."""
    return folder_lock(out, ".running", busy="another run is using it. Wait for it to end, or choose another --out.")


def _runs(out: Path) -> list[Path]:
    folder = out / "artifacts"
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


@contextlib.contextmanager
def _environment(out: Path) -> Iterator[None]:
    """What the processes of the steps need: where lineage is kept, and where the components are."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    wanted = {LINEAGE: str(out), "PYTHONPATH": os.pathsep.join(paths)}
    kept = {key: os.environ.get(key) for key in wanted}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR", "PYTHONWARNINGS": "ignore"}
    os.environ.update(wanted)
    for key, value in {**quiet, "TF_DETERMINISTIC_OPS": "1"}.items():
        os.environ.setdefault(key, value)
    try:
        yield
    finally:
        for key, value in kept.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextlib.contextmanager
def _said(log: Path) -> Iterator[_Tee]:
    """Keeps all that steps and the runner print in a file, and shows what steps say for people."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as file:
        tee = _Tee(file)
        with contextlib.redirect_stdout(tee):
            yield tee


class _Tee(io.TextIOBase):
    """Writes to a file; shows lines for people.

    Attributes:
      told: the last step said what was wrong.
      raised: the last line of its traceback, where it did not.
    """

    def __init__(self, file: Any):
        self._file, self._line = file, ""
        self.told, self.raised = False, ""

    def write(self, text: str) -> int:
        self._file.write(text)
        self._file.flush()
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            line = line.strip()
            if line.startswith(SAID):
                sys.stderr.write(f"{line.removeprefix(SAID)}\n")
                self.told, self.raised = line.startswith(f"{SAID}error:"), ""
            elif re.match(r"[\w.]*(Error|Exception)\b", line):
                self.raised = line
        return len(text)


def _remove_old(out: Path, now: Path) -> None:
    """Removes the artifacts of earlier runs that no record of a step names any more."""
    records = [read_json(path) for path in (out / "steps").glob("*.json")]
    named = {output["path"] for record in records for output in record["outputs"].values()}
    for folder in _runs(out):
        if folder != now and not any(path.startswith(f"{folder}{os.sep}") for path in named):
            shutil.rmtree(folder, ignore_errors=True)


def _plain(said: str) -> str:
    """Takes the colours off what the runner says."""
    return re.sub(r"\x1b\[[0-9;]*m", "", said).strip("'")
