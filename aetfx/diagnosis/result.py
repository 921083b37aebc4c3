"""A diagnosis as people and programs get it: attributes over the public JSON format."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aetfx.errors import RunError
from aetfx.run import read_json, write_bytes, write_json
from aetfx.words import percent


@dataclass(frozen=True)
class CauseVerdict:
    """One cause in the order of the chain, or an improvement; fields as in `diagnosis.json`.

    Attributes:
      code: entry of the cause vocabulary.
      verdict: "verified", "supported" or "improvement".
      gain: share of the score that the change takes away, e.g. 0.8.
      gain_interval: two-sided 95 % interval of the gain.
      score_before, score_after: means over seeds or re-splits on rows nobody selected on.
      equivalents: codes of other changes that did as well.
      evidence: what was seen, in sentences.
      remedy: the change in words.
      keras: the change as Keras code.
      study: the change as dotted study keys.
      title, meaning: the cause in words.
      experiment, experiment_name: id and name of the configuration that showed it.
      seeds: paired trainings behind the figures.
      step: 1 for the user's own recipe, 2 after the first fix, ...
    """

    code: str
    verdict: str
    gain: float
    gain_interval: tuple[float, float]
    score_before: float
    score_after: float
    equivalents: list[str]
    evidence: list[str]
    remedy: str
    keras: str
    study: dict[str, Any]
    title: str
    meaning: str
    experiment: str
    experiment_name: str
    seeds: int
    step: int

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "gain_interval": list(self.gain_interval)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> CauseVerdict:
        known = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        return cls(**{**known, "gain_interval": tuple(record["gain_interval"])})


@dataclass
class Diagnosis:
    """What is wrong, what fixes it, and by how much that was measured to help.

    Attributes:
      record: the content of `diagnosis.json`.
      fixed_model: the repaired, trained Keras model (raw rows in, raw rows out), or None.
      directory: the run directory, if there is one.
      samples: rows, reconstructions and figures for the report (arrays by name).
      files: content of the run's small files by name, where there is no run directory to copy them from.
    """

    record: dict[str, Any]
    fixed_model: Any = None
    directory: Path | None = None
    samples: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """faulty | healthy | limited | inconclusive."""
        return str(self.record["status"])

    @property
    def healthy(self) -> bool:
        return bool(self.record["healthy"])

    @property
    def causes(self) -> list[CauseVerdict]:
        """Verified causes, the most helpful first; each step was measured on top of those before."""
        return [CauseVerdict.from_json(item) for item in self.record["causes"]]

    @property
    def improvements(self) -> list[CauseVerdict]:
        """Changes that help, but whose absence is no fault."""
        return [CauseVerdict.from_json(item) for item in self.record["improvements"]]

    @property
    def suspected(self) -> list[dict[str, Any]]:
        """Causes that gained enough, but not surely enough."""
        return list(self.record["suspected"])

    @property
    def ruled_out(self) -> list[dict[str, Any]]:
        """Causes that were excluded, each with its reason and, where one was needed, its experiment."""
        return list(self.record["ruled_out"])

    def save(self, directory: str | Path) -> Path:
        """Writes the diagnosis as a run directory: JSON, samples and the repaired model; a kept run is copied whole.

        Raises:
          RunError: the directory cannot be written.
        """
        from aetfx.diagnosis.samples import write_samples

        directory = Path(directory)
        if self.directory is not None:
            if self.directory.resolve() != directory.resolve():
                try:
                    shutil.copytree(
                        self.directory, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock")
                    )
                except (OSError, shutil.Error) as error:
                    raise RunError(
                        f"{directory}: the run cannot be copied there ({error}). Choose another place."
                    ) from error
            return directory
        for name, content in self.files.items():
            write_bytes(directory / name, content)
        write_samples(directory / "samples.npz", self.samples)
        if self.fixed_model is not None:
            from aetfx.training.whole import save_raw

            save_raw(self.fixed_model, directory / "fixed")
        write_json(directory / "diagnosis.json", self.record)
        return directory

    def __repr__(self) -> str:
        causes = ", ".join(f"{cause.code} (-{percent(cause.gain)})" for cause in self.causes)
        return f"Diagnosis(status={self.status!r}, causes=[{causes}])"


def load_run(directory: str | Path) -> Diagnosis:
    """Reads a finished run. The repaired model is not loaded: see `fixed/model.keras` in the run.

    Raises:
      RunError: the directory holds no diagnosis.
    """
    directory = Path(directory)
    if not (directory / "diagnosis.json").exists():
        raise RunError(f"{directory}: holds no diagnosis.json. Give the folder of a finished 'aetfx diagnose'.")
    return Diagnosis(read_json(directory / "diagnosis.json"), directory=directory)
