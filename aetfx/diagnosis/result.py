"""A diagnosis as people and programs get it: attributes over the public JSON format."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aetfx.errors import RunError
from aetfx.run import read_json, write_bytes, write_json
from aetfx.words import percent

if TYPE_CHECKING:
    from aetfx.diagnosis.repair.apply import Repair
    from aetfx.diagnosis.repair.recipes import Recipes


@dataclass(frozen=True)
class CauseVerdict:
    """One cause in the order of the chain, or an improvement; fields as in `diagnosis.json`.

    Attributes:
      code: entry of the cause vocabulary.
      verdict: "verified", "supported" or "improvement".
      gain: share of the score that the change takes away, e.g. 0.8.
      gain_interval: where the gain lies with 95 % probability when the comparison is made again with fresh seeds on as
        many fresh rows (`aetfx.evaluation.paired.Gain.repeated`).
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
      trained: the repaired Keras model where this process trained it, of its trainings the best on the select rows;
        `fixed_model` reads it from a run as well.
      directory: the run directory, if there is one.
      samples: rows, reconstructions and figures for the report (arrays by name).
      files: content of the run's small files by name, where there is no run directory to copy them from.
      objects: the user's own classes and functions in the model, by name, where this process was given the model.
    """

    record: dict[str, Any]
    trained: Any = None
    directory: Path | None = None
    samples: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def fixed_model(self) -> Any:
        """The repaired, trained Keras model (raw rows in, raw rows out), or None where nothing was verified.

        Of a run that was read back it is loaded when first asked for.

        Raises:
          ModelError: the run's model cannot be loaded here; the message says what is missing.
        """
        kept = (self.record.get("fixed") or {}).get("path")
        if self.trained is not None or self.directory is None or not kept:
            return self.trained
        from aetfx.diagnosis.repair.load import load_fixed

        recipes = self._recipes
        own = dict(recipes.after.recipe.source.objects) if recipes is not None and recipes.after is not None else {}
        return load_fixed(self.directory / kept, own)

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

    def diff(self) -> str:
        """Returns the repair as a unified diff of model, compile, fit and preprocessing, and as Keras code to paste.

        Raises:
          RunError: the run is too old to hold what the diff is made from.
        """
        from aetfx.diagnosis.repair.diff import diff
        from aetfx.diagnosis.repair.recipes import repaired

        if not self.causes:
            return f"no change: no cause was verified (status: {self.status})\n"
        return diff(*repaired(self._recipes), self.causes)

    def apply(self, model: Any = None) -> Repair:
        """Makes the repaired model, fresh and compiled, with what prepares its rows. `model` is left as it is.

        Args:
          model: the model that was diagnosed, or a function that returns one. It is needed where a saved run meets
            classes that this process has not imported, or layers whose weights are fixed.

        Returns:
          A `Repair`: `.fit(x)` trains it; `.model`, `.prepare`, `.targets`, `.restore` and `.fit_arguments` are its
          parts.

        Raises:
          RunError: there is no repair, or the run is too old.
          ModelError: `model` is another one, or it is needed and missing.
        """
        from aetfx.diagnosis.repair.apply import apply
        from aetfx.diagnosis.repair.recipes import repaired

        before, after = repaired(self._recipes)
        assert self._recipes is not None
        return apply(before, after, self._recipes.rows, model, seed=int(self.record.get("seed", 0)))

    def repro(self) -> str:
        """Returns a script of plain Keras and NumPy that shows the fault and its fix.

        Raises:
          RunError: there is no repair, or the run is too old.
          ModelError: the model cannot be written down.
        """
        from aetfx.diagnosis.repair.recipes import repaired
        from aetfx.diagnosis.repair.repro import repro

        before, after = repaired(self._recipes)
        assert self._recipes is not None
        return repro(before, after, self._recipes.rows, self.causes, self.directory)

    @cached_property
    def _recipes(self) -> Recipes | None:
        from aetfx.diagnosis.repair.recipes import FILE, from_json

        if FILE in self.files:
            return from_json(json.loads(self.files[FILE]), self.objects)
        if self.directory is None or not (self.directory / FILE).exists():
            return None
        return from_json(read_json(self.directory / FILE), self.objects)

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
        if self.trained is not None:
            from aetfx.training.whole import save_raw

            save_raw(self.trained, directory / "fixed")
        write_json(directory / "diagnosis.json", self.record)
        return directory

    def __repr__(self) -> str:
        causes = ", ".join(f"{cause.code} (-{percent(cause.gain)})" for cause in self.causes)
        return f"Diagnosis(status={self.status!r}, causes=[{causes}])"


def load_run(directory: str | Path) -> Diagnosis:
    """Reads a finished run. The repaired model is loaded when `fixed_model` is first asked for.

    Raises:
      RunError: the directory holds no diagnosis.
    """
    directory = Path(directory)
    if not (directory / "diagnosis.json").exists():
        raise RunError(f"{directory}: holds no diagnosis.json. Give the folder of a finished 'aetfx diagnose'.")
    return Diagnosis(read_json(directory / "diagnosis.json"), directory=directory)
