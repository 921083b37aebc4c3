"""Which configurations a study has, what each is called, and the study of one of them on Examples."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from aetfx.data.examples import pattern
from aetfx.errors import StudyError
from aetfx.run import content_hash, file_hash
from aetfx.study import Range, Study, read_study

_ABOUT = ("preprocessing", "model", "training")
_NOT_ABOUT = ("seed", "strategy", "replicas", "processes", "checkpoint_seconds", "telemetry")  # change no result


@dataclass(frozen=True)
class Configuration:
    """One configuration of a study.

    Attributes:
      name: what differs from the baseline, e.g. "bottleneck=4".
      values: of the keys under `compare`.
      study: the whole request, with nothing to compare.
    """

    name: str
    values: dict[str, Any]
    study: Study

    @property
    def identity(self) -> str:
        """`<name>-<8 hex digits>`: fit for a path, and another one whenever the configuration is another.

        It is known before anything is trained. A recipe's identity, which `model.keras` lies under, is known after.
        """
        tree = {section: self.study.to_tree()[section] for section in _ABOUT}
        tree["training"] = {key: value for key, value in tree["training"].items() if key not in _NOT_ABOUT}
        plain = re.sub(r"[^A-Za-z0-9.=_+-]+", "_", self.name).strip("_.") or "configuration"
        return f"{plain[:60]}-{content_hash(tree)[:8]}"


def configurations(study: Study) -> list[Configuration]:
    """Returns every configuration of a study, the baseline first.

    Raises:
      StudyError: some are only drawn while others are trained, so that they cannot be dealt out beforehand.
    """
    drawn = [key for key, values in study.compare.items() if isinstance(values, Range)]
    if drawn or study.sweep.choose != "grid":
        raise StudyError(
            f"{study.name}: its configurations are drawn ({', '.join(drawn) or study.sweep.choose}) one after the "
            "other, so that they cannot be dealt out. List values under compare, or use the Tuner, which draws them."
        )
    found: dict[str, Configuration] = {"baseline": configuration(study, {})}
    for name, alternative in study.alternatives()[1:]:
        changed, base = alternative.to_tree(), found["baseline"].study.to_tree()
        values = {}
        for key in study.compare:
            section, member = key.split(".")
            if changed[section].get(member) != base[section].get(member):
                values[key] = changed[section].get(member)
        found[name] = Configuration(name, values, alternative)
    return list(found.values())


def configuration(study: Study, values: Mapping[str, Any]) -> Configuration:
    """Returns the configuration of a study that has some values.

    Raises:
      StudyError: a key is unknown or a value out of range.
    """
    name, alternative = replace(study, compare={}).alternative(dict(values))
    return Configuration(name, dict(values), alternative)


def values_of(text: str) -> dict[str, Any]:
    """Reads values as a pipeline hands them on: a JSON object, or "" for none.

    Raises:
      StudyError: it is something else.
    """
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise StudyError(f'values: not JSON ({error}). Give an object such as {{"model.bottleneck": 4}}.') from None
    if not isinstance(found, dict):
        raise StudyError(f'values: must be a JSON object such as {{"model.bottleneck": 4}} but got {text[:60]}.')
    return found


def text_of(study: Study) -> str:
    """Returns a study as pipelines take it: its text, by which every cache knows a step that depends on it.

    A saved model, or the module of a factory, may change while its name stays. A last line tells their content.
    """
    from aetfx.models.load import factory_files

    models = [one.model for _, one in study.alternatives()]
    files = {Path(path) for path in (study.evaluation.thresholds.against, *(model.path for model in models)) if path}
    files |= {path for factory in {model.factory for model in models} if factory for path in factory_files(factory)}
    hashes = [[path.name, file_hash(path)] for path in sorted(files) if path.is_file()]
    return study.to_yaml() + (f"# the models that it names: {content_hash(hashes)}\n" if hashes else "")


def read(text: str) -> Study:
    """Reads the text of a study that a pipeline was given.

    Raises:
      StudyError: it is no study, or one that pipelines cannot run.
    """
    study = read_study(text, "study")
    if isinstance(study.data.train, dict) or study.data.target != "input" or study.data.labels is not None:
        raise StudyError(
            f"{study.name}: pipelines take rows from one path and ask the rows themselves back, without labels. Use "
            "`aetfx diagnose` for models with several inputs, for data.target and for data.labels."
        )
    return study


def on_examples(study: Study, examples: str) -> Study:
    """Returns a study whose rows are the splits of Examples."""
    features = study.data.features if isinstance(study.data.features, str) else "auto"  # chosen when they were written
    data = replace(study.data, train=pattern(examples, "train"), eval=pattern(examples, "eval"), features=features)
    return replace(study, data=data)
