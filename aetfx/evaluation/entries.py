"""What is evaluated: `.keras` files, and the models that a run directory holds. Nothing is loaded here."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aetfx.data.files import is_remote, open_binary
from aetfx.errors import AetfxError, ModelError, RunError
from aetfx.run import read_json, stream_hash

BASELINE = "baseline"


@dataclass(frozen=True)
class Seed:
    """One model file: a training of a configuration."""

    path: str
    seed: int = 0


@dataclass(frozen=True)
class Entry:
    """One configuration.

    Attributes:
      identity: hash of its content.
      name: for people.
      seeds: its models.
      settings: dotted key to value, as far as they are known.
    """

    identity: str
    name: str
    seeds: tuple[Seed, ...]
    settings: dict[str, Any]


def find_entries(models: Sequence[str | Path]) -> list[Entry]:
    """Finds the configurations, in the order given; of a run the baseline first.

    Args:
      models: paths of `.keras` files and of run directories.

    Raises:
      ModelError: a file is missing or is of another kind.
      RunError: a directory holds no models.
    """
    if not models:
        raise ModelError("no model is given. Give a .keras file or a run directory.")
    found: list[Entry] = []
    for model in models:
        path = str(model)
        found += _of_run(Path(path)) if not is_remote(path) and Path(path).is_dir() else [_of_file(path)]
    return _named_apart(told_apart(found))


def told_apart(entries: Sequence[Entry]) -> list[Entry]:
    """Leaves out what is listed twice, and gives what else has the same identity another one.

    Copies of one file are of the same content; so are configurations of two runs that were trained on other rows.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        if any(entry.seeds == other.seeds for other in found.values()):
            continue
        identity, number = entry.identity, 1
        while identity in found:
            number += 1
            identity = f"{entry.identity}-{number}"
        found[identity] = replace(entry, identity=identity)
    return list(found.values())


def _of_file(path: str) -> Entry:
    if not is_remote(path):
        if not Path(path).exists():
            raise ModelError(f"{path}: no such model file. Give a model saved with model.save('x.keras').")
        if Path(path).suffix != ".keras":
            raise ModelError(f"{path}: a model must be a .keras file or a run directory. Save it with model.save().")
        if not zipfile.is_zipfile(path):
            raise ModelError(f"{path}: not a .keras archive, or a damaged one. Save it again with model.save().")
    with open_binary(path, packed=False) as stream:
        identity = stream_hash(stream)
    return Entry(identity, _name_of_file(path), (Seed(path),), {})


def _name_of_file(path: str) -> str:
    """Returns the name of a file; of one that a run has left, of what it is."""
    record = Path(path).parent / "trial.json"
    if not is_remote(path) and Path(path).name == "model.keras" and record.exists():
        trial = read_json(record)
        return f"{trial.get('name')}, seed {trial.get('seed', 0)}"
    return path.rstrip("/").rsplit("/", 1)[-1].removesuffix(".keras")


def _of_run(run: Path) -> list[Entry]:
    """Returns the configurations of a run, whose seeds have seen the main split."""
    grouped: dict[str, tuple[str, list[Seed]]] = {}
    for record in sorted(run.glob("configurations/*/seed-*/trial.json")):
        model = record.parent / "model.keras"
        trial = read_json(record)
        if not model.exists() or trial.get("split", 0) != 0:
            continue
        identity, name = str(trial.get("configuration")), str(trial.get("name"))
        grouped.setdefault(identity, (name, []))[1].append(Seed(str(model), int(trial.get("seed", 0))))
    if not grouped:
        raise RunError(f"{run}: holds no trained model (configurations/*/seed-*/model.keras). Give a finished run.")
    settings = _settings(run)
    entries = [
        Entry(identity, name, tuple(sorted(seeds, key=lambda one: one.seed)), settings.get(name, {}))
        for identity, (name, seeds) in grouped.items()
    ]
    return sorted(entries, key=lambda entry: entry.name != BASELINE)


def _settings(run: Path) -> dict[str, dict[str, Any]]:
    """Returns the compared settings of each configuration by name, as far as the run's study lists them."""
    from aetfx.study import load_study

    try:
        study = load_study(run / "study.yaml")
    except AetfxError:  # a diagnosis from Python keeps none that can be read again
        return {}
    found = {}
    for name, alternative in study.alternatives():
        tree = alternative.to_tree()
        found[name] = {key: tree[key.split(".")[0]].get(key.split(".")[1]) for key in study.compare}
    return found


def _named_apart(entries: list[Entry]) -> list[Entry]:
    """Tells configurations of one name apart by the folder that they come from."""
    names = [entry.name for entry in entries]
    if len(set(names)) == len(names):
        return entries
    found: list[Entry] = []
    for entry in entries:
        name = entry.name
        if names.count(name) > 1:
            folders = entry.seeds[0].path.replace("\\", "/").split("/")
            place = -4 if "configurations" in folders else -2
            name = f"{folders[place]}/{name}" if len(folders) >= -place else name
        if any(name == other.name for other in found):
            name = f"{name} ({entry.identity[:8]})"
        found.append(replace(entry, name=name))
    return found
