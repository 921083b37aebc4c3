"""Rewriting a subclass by the arguments of its constructor.

The blueprint of `class Denoiser(keras.Model)` made as `Denoiser(hidden=128, output="softmax")` says nothing of its
layers. What each argument sets is measured: the model is built with another value, and the settings of its layers are
compared: a width may be the argument itself or derived from it (`hidden // 2`, `4 * size`). What was found goes into
the blueprint as *stand-ins*: nodes that look like the description of each layer, with those settings that an argument
decides; a layer that is only an activation (`ReLU`) stands there as `Activation`, which another argument may make of
it. Whoever rewrites a blueprint changes the stand-ins like any other layer; `settle` then gives the arguments the
values that were asked for, as far as that can be had.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from aetfx.models.activations import activation_of_call

KEY = "stand_ins"

_SETTINGS = {"units", "filters", "activation", "rate", "stddev", "dropout", "recurrent_dropout", "kernel_initializer"}
_NOT_ARGUMENTS = ("name", "trainable", "dtype")
_MOST_BUILDS = 24
_FACTORS = range(2, 17)  # by which a width may be derived from an argument

Layers = dict[str, tuple[str, dict[str, Any]]]  # name to class and settings


def stand_ins(config: dict[str, Any], layers_with: Callable[[dict[str, Any]], Layers]) -> dict[str, Any] | None:
    """Measures what the arguments of a model set.

    Args:
      config: the arguments as described.
      layers_with: builds the model with such arguments and returns the settings of its layers; may raise.

    Returns:
      What the blueprint keeps under `KEY`, or None where no argument sets anything.
    """
    before = layers_with(config)

    def with_argument(path: tuple[str | int, ...], value: Any) -> Layers:
        """Returns the settings with another value of an argument; none where that gives other layers, or no model.

        Layers are the same by their order: what Keras calls an activation depends on which it is.
        """
        changed = copy.deepcopy(config)
        _put(changed, path, value)
        try:
            after = layers_with(changed)
        except Exception:  # the model cannot be built with it: the argument is not one to be changed alone
            return {}
        kinds = [[kind for kind, _ in layers.values()] for layers in (before, after)]
        return dict(zip(before, after.values(), strict=True)) if kinds[0] == kinds[1] else {}

    knobs: list[dict[str, Any]] = []
    trials = [(path, value, other) for path, value in _arguments(config) for other in _others(value)]
    for path, value, other in trials[:_MOST_BUILDS]:
        after = with_argument(path, other)
        derived: dict[tuple[str, str], dict[int, int]] = {}
        for name, setting in [(name, setting) for name, (_, settings) in after.items() for setting in settings]:
            was, now = before[name][1][setting], after[name][1][setting]
            if now != was and now == _as_kept(setting, other):
                knobs.append({"argument": list(path), "layer": name, "setting": setting})
            elif now != was and isinstance(value, int) and isinstance(now, int):
                derived[name, setting] = {value: was, other: now}
        if derived:
            third = 3 * value + 2
            knobs += _derived(path, derived, third, with_argument(path, third))
    if not knobs:
        return None
    decided = {(knob["layer"], knob["setting"]) for knob in knobs}
    nodes = [
        {
            "class_name": kind,
            "config": {"name": name} | {key: value for key, value in settings.items() if (name, key) in decided},
        }
        for name, (kind, settings) in before.items()
    ]
    return {"layers": nodes, "knobs": knobs}


def _derived(
    path: tuple[str | int, ...], seen: dict[tuple[str, str], dict[int, int]], third: int, after: Layers
) -> list[dict[str, Any]]:
    """Returns the knobs of settings that are a multiple or a part of an argument.

    Args:
      path: of the argument.
      seen: by layer and setting, what it was with each of two values of the argument.
      third, after: a value that has to confirm the rule, and the settings with it.
    """
    rules = [{key: n} for key in ("times", "over") for n in _FACTORS]
    found = []
    for name, setting in seen if after else ():
        pairs = {**seen[name, setting], third: after[name][1][setting]}
        fitting = [rule for rule in rules if all(_give(rule, value) == units for value, units in pairs.items())]
        if len(fitting) == 1:
            found.append({"argument": list(path), "layer": name, "setting": setting, **fitting[0]})
    return found


def _give(knob: dict[str, Any], value: Any) -> Any:
    """Returns what a layer's setting is with a value of the argument."""
    if "times" in knob:
        return value * knob["times"]
    return value // knob["over"] if "over" in knob else value


def _take(knob: dict[str, Any], setting: Any) -> Any:
    """Returns the least value of the argument with which a layer has that much of a setting."""
    if "times" in knob:
        return -(-setting // knob["times"])
    return setting * knob["over"] if "over" in knob else setting


def without_stand_ins(blueprint: dict[str, Any]) -> dict[str, Any]:
    """Returns a blueprint as Keras reads it, without stand-ins."""
    return {key: value for key, value in blueprint.items() if key != KEY}


def settings_of(layers: dict[str, Any]) -> Layers:
    """Returns class and settings of layers by name, as `stand_ins` compares them."""
    found: Layers = {}
    for name, layer in layers.items():
        try:
            config = layer.get_config()
        except Exception:  # a layer of the user's own that cannot describe itself has no settings to change
            config = {}
        kept = {key: _plain(value) for key, value in config.items() if key in _SETTINGS}
        kind = type(layer).__name__
        if not layer.weights and (activation := activation_of_call(layer)):
            kind, kept = "Activation", {"activation": activation}
        found[name] = (kind, {key: value for key, value in kept.items() if value is not None})
    return found


def settle(blueprint: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Gives arguments the values that changed stand-ins ask for, and the stand-ins what the arguments give.

    Args:
      blueprint: whose stand-ins may have been changed.
      before: the blueprint that it was made from.

    Returns:
      A blueprint in which both agree. What no argument can do, or only by changing more other settings than were asked
      for, stays as it was.
    """
    if KEY not in blueprint or blueprint[KEY] == before[KEY]:
        return blueprint
    result = copy.deepcopy(blueprint)
    old, new = _values(before[KEY]), _values(blueprint[KEY])
    result[KEY] = copy.deepcopy(before[KEY])
    kept = {node["config"]["name"]: node["config"] for node in result[KEY]["layers"]}
    for argument in dict.fromkeys(tuple(knob["argument"]) for knob in before[KEY]["knobs"]):
        knobs = [knob for knob in before[KEY]["knobs"] if tuple(knob["argument"]) == argument]
        itself = [knob for knob in knobs if not {"times", "over"} & set(knob)]
        # Where a layer has the argument's own value, what is derived from it follows.
        for sets in (itself, knobs):
            pairs = {(knob["layer"], knob["setting"]): knob for knob in sets}
            wanted = [_take(knob, new[pair]) for pair, knob in pairs.items() if pair in new and new[pair] != old[pair]]
            if wanted:
                break
        if not wanted or any(value != wanted[0] for value in wanted) or 2 * len(wanted) <= len(sets):
            continue
        _put(result["config"], argument, wanted[0])
        for knob in knobs:
            kept[knob["layer"]][knob["setting"]] = _give(knob, wanted[0])
    return result


def _values(kept: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Returns the values of the settings that arguments decide; without those of layers that were replaced."""
    settings = {node["config"]["name"]: node["config"] for node in kept["layers"]}
    pairs = [(knob["layer"], knob["setting"]) for knob in kept["knobs"]]
    return {(layer, key): settings[layer][key] for layer, key in pairs if key in settings.get(layer, {})}


def _arguments(config: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yields the path and the value of each plain argument, also of those in lists and dictionaries."""
    items = config.items() if isinstance(config, dict) else enumerate(config)
    for key, value in items:
        if not path and key in _NOT_ARGUMENTS:
            continue
        if isinstance(value, list) or (isinstance(value, dict) and "class_name" not in value):
            yield from _arguments(value, (*path, key))
        else:
            yield (*path, key), value


def _others(value: Any) -> list[Any]:
    """Returns other values of the kind of an argument, to see what it sets."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int):
        return [2 * value + 1] if value > 0 else []
    if isinstance(value, float):
        return [value / 2] if value else [0.25]
    if value is None:
        return ["softsign"]
    if isinstance(value, dict) and _initializer(value):
        return ["lecun_uniform"]
    if not isinstance(value, str):
        return []
    kinds = []
    if _activation(value):
        kinds.append("softsign" if value != "softsign" else "tanh")
    if _initializer(value):
        kinds.append("lecun_uniform" if _initializer(value) != _initializer("lecun_uniform") else "he_uniform")
    return kinds


def _activation(name: str) -> bool:
    import keras

    try:
        return callable(keras.activations.get(name))
    except ValueError:
        return False


def _initializer(name: str | dict[str, Any]) -> Any:
    """Returns the description of Keras's initialiser of that name or description, None if there is none."""
    import keras

    try:
        return _plain(keras.initializers.serialize(keras.initializers.get(copy.deepcopy(name))))
    except (ValueError, TypeError):
        return None


def _as_kept(setting: str, value: Any) -> Any:
    return _initializer(value) if setting.endswith("_initializer") and isinstance(value, str) else value


def _plain(value: Any) -> Any:
    """Returns a setting without what differs between equal layers (seeds)."""
    if isinstance(value, dict):
        config = value.get("config")
        kept = {key: item for key, item in config.items() if key != "seed"} if isinstance(config, dict) else config
        return {"class_name": value.get("class_name"), "config": kept}
    return value


def _put(config: Any, path: tuple[str | int, ...] | list[str | int], value: Any) -> None:
    for key in path[:-1]:
        config = config[key]
    config[path[-1]] = value
