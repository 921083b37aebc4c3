"""Reads back what a run left behind; only `diagnosis.json` must be there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aetfx.errors import RunError
from aetfx.run import read_arrays, read_json

if TYPE_CHECKING:
    import numpy as np


@dataclass
class RunFiles:
    """The content of a run directory that a report draws on.

    Attributes:
      diagnosis: `diagnosis.json`.
      findings: `findings.json`, or {}.
      samples: the arrays of `samples.npz`, or {}.
      histories: `histories.json`, or {}.
      study: the text of `study.yaml`, or "".
    """

    directory: Path
    diagnosis: dict[str, Any]
    findings: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    histories: dict[str, Any] = field(default_factory=dict)
    study: str = ""


def load(directory: Path) -> RunFiles:
    """Reads a run directory.

    Raises:
      RunError: `diagnosis.json` is missing, or one of the files cannot be read.
    """
    directory = Path(directory)
    check_run(directory)
    diagnosis = _object(directory / "diagnosis.json")
    return RunFiles(
        directory=directory,
        diagnosis=diagnosis,
        findings=_object(directory / "findings.json", optional=True),
        samples=read_samples(directory / "samples.npz"),
        histories=_object(directory / "histories.json", optional=True),
        study=_text(directory / "study.yaml"),
    )


def check_run(directory: Path) -> None:
    """Checks that a folder holds a run, without reading it.

    Raises:
      RunError: there is no such folder.
    """
    if not directory.is_dir():
        raise RunError(f"{directory}: no such folder. Give the folder that `aetfx diagnose` wrote, such as runs/demo.")


def read_samples(path: Path) -> dict[str, np.ndarray]:
    """Reads `samples.npz` without unpickling anything; a missing file gives {}.

    Raises:
      RunError: the file is damaged.
    """
    return read_arrays(path) if path.exists() else {}


def _object(path: Path, *, optional: bool = False) -> dict[str, Any]:
    if optional and not path.exists():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a JSON object. Run `diagnose` again.")
    return content


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror or error}).") from None
