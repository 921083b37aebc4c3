"""The user's recipe and the repaired one as a small JSON file, `recipes.json`, from which both can be made again.

    {"schema_version": 1, "shape": [13],
     "before": {"blueprint": {...}, "objects": {"Sampling": "my_module:Sampling"}, "frozen": [], "optimizer": {...},
                "loss": "mse", "epochs": 40, "batch_size": 16, "preprocessing": {}, ..., "fitted": {...}},
     "after": {"preprocessing": {"scaling": "standard"}, "fitted": {...}, "name": "scaling=standard"} or null,
     "rows": {"train": "data/wine.csv", "eval": 0.2, "columns": [...], "features": "table", "seed": 0,
              "sentinels": [[3, [-999.0]]], "fences": null, "judge": null, "excluded": false, "padding": null,
              "targets": {"train": "data/clean.npy", "eval": null, "scored": true, "rescaling": null} or null,
              "parts": {"kind": "dict", "parts": [{"name": "pixels", "shape": [8, 8], ...}]} or null}}

`after` holds what differs from `before`. The user's own classes are named, not stored: they are found where the process
has imported them. Weights of layers that are not trained are not stored either (`frozen` names the layers).
"""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.comparison.request import Request
from aetfx.data.parts import Part, Parts
from aetfx.errors import RunError
from aetfx.models.serial import ModelSource
from aetfx.preprocessing.transform import Preprocessing
from aetfx.training.recipe import Recipe

FILE = "recipes.json"
_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Side:
    """A recipe and its preprocessing as fitted on the train rows.

    Attributes:
      frozen: names of the layers whose weights no training sets.
      homes: the user's own classes and functions in the recipe: `module:name` by name.
    """

    recipe: Recipe
    fitted: Preprocessing
    frozen: tuple[str, ...]
    homes: Mapping[str, str]


@dataclass(frozen=True)
class Recipes:
    """What was diagnosed, what it became, and the rows that both were trained on.

    Attributes:
      before: the user's own.
      after: with all fixes of the chain, or None where nothing was verified.
      rows: where they are, how they are scored; see the module.
    """

    before: Side
    after: Side | None
    rows: Mapping[str, Any]


def to_json(lab: Lab, request: Request, before: Recipe, after: Recipe | None) -> dict[str, Any]:
    """Returns the content of `recipes.json`."""
    first = _side(lab, before)
    last = None if after is None else {key: v for key, v in _side(lab, after).items() if v != first[key]}
    study, scorer = request.study, lab.scorer()
    return {
        "schema_version": _SCHEMA_VERSION,
        "shape": list(lab.shape),
        "before": first,
        "after": last,
        "rows": {
            "train": _absolute(request.train_path),
            "eval": study.data.eval if request.eval_path is None else _absolute(request.eval_path),
            "columns": list(lab.names) if len(lab.shape) == 1 else None,
            "features": scorer.features,
            "seed": lab.seed,
            "sentinels": [[column, list(values)] for column, values in sorted(lab.sentinels.items())],
            "fences": None if lab.fences is None else [_edges(side) for side in lab.fences],
            "judge": lab.judge,
            "excluded": bool(scorer.excluded),
            "padding": lab.padding,
            "targets": _targets(lab, request),
            "parts": None if lab.parts is None else dataclasses.asdict(lab.parts),
        },
    }


def from_json(content: Mapping[str, Any], objects: Mapping[str, Any]) -> Recipes:
    """Restores what `to_json` wrote.

    Args:
      content: of the file.
      objects: the user's own classes and functions by name, as far as they are at hand; those of modules that this
        process has imported are found without.
    """
    if content["rows"].get("parts") is not None:
        import aetfx.models.packing_layers  # noqa: F401 (is looked up by name)

    make = functools.partial(_restored, shape=tuple(content["shape"]), objects=objects)
    after = content["after"]
    return Recipes(
        before=make(content["before"]),
        after=None if after is None else make({**content["before"], **after}),
        rows=content["rows"],
    )


def repaired(recipes: Recipes | None) -> tuple[Side, Side]:
    """Returns both sides.

    Raises:
      RunError: the run is from before recipes were kept, or nothing was verified.
    """
    if recipes is None:
        raise RunError(f"this run keeps no {FILE}: it is older than the repair. Run the diagnosis again.")
    if recipes.after is None:
        raise RunError("no cause was verified, so there is no repair. See diagnosis.status and diagnosis.suspected.")
    return recipes.before, recipes.after


def parts_of(rows: Mapping[str, Any]) -> Parts | None:
    """Returns where the parts of a row lie, from `rows` of `recipes.json`; None for rows of one part."""
    known = rows.get("parts")
    if known is None:
        return None
    return Parts(tuple(Part(**{**part, "shape": tuple(part["shape"])}) for part in known["parts"]), known["kind"])


def rescaling_of(rows: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns scale and offset that bring targets to the scale of their inputs, where they are on another."""
    known = (rows.get("targets") or {}).get("rescaling")
    return None if known is None else (np.asarray(known[0]), np.asarray(known[1]))


def _targets(lab: Lab, request: Request) -> dict[str, Any] | None:
    """Returns where the targets of `fit(x, y)` are, and whether the score compares with them or with the inputs."""
    if request.targets is None:
        return None
    data, found = request.study.data, lab.relation
    rescaling = None if found.scale is None else [np.asarray(part).tolist() for part in (found.scale, found.offset)]
    return {
        "train": _absolute(data.target),
        "eval": None if data.eval_target is None else _absolute(data.eval_target),
        "scored": not lab.scores_inputs,
        "rescaling": rescaling,
    }


def _side(lab: Lab, recipe: Recipe) -> dict[str, Any]:
    source = recipe.source
    own = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe) if f.name != "source"}
    return {
        "blueprint": source.blueprint,
        "objects": {name: f"{item.__module__}:{item.__qualname__}" for name, item in source.objects.items()},
        "frozen": list(source.frozen),
        **{name: _plain(value) for name, value in own.items()},
        "fitted": lab.preprocessing(recipe).to_config(),
    }


def _restored(side: Mapping[str, Any], *, shape: tuple[int, ...], objects: Mapping[str, Any]) -> Side:
    found = {name: objects.get(name, _imported(home)) for name, home in side["objects"].items()}
    source = ModelSource(side["blueprint"], shape, {name: item for name, item in found.items() if item is not None})
    fields = {f.name: _typed(f.default, side[f.name]) for f in dataclasses.fields(Recipe) if f.name in side}
    return Side(
        recipe=Recipe(source=source, **fields),
        fitted=Preprocessing.from_config(side["fitted"]),
        frozen=tuple(side["frozen"]),
        homes=side["objects"],
    )


def _plain(value: Any) -> Any:
    """Makes a field of a recipe fit for JSON; it may be a small dataclass of its own."""
    if isinstance(value, Mapping):
        return dict(value)
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _typed(default: Any, value: Any) -> Any:
    """Undoes `_plain` by the type that the field's default has."""
    return type(default)(**value) if dataclasses.is_dataclass(default) and isinstance(value, dict) else value


def _imported(home: str) -> Any:
    """Returns a class or function of a module that this process has imported, else None: a file starts no import."""
    module, name = home.split(":")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _absolute(path: str) -> str:
    return path if "://" in path else os.path.abspath(Path(path))


def _edges(side: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in side]
