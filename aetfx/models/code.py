"""A blueprint as text that people read and paste: one line per layer, with the arguments that are not Keras's defaults.

  outline(blueprint)      lines for a diff: `wide: Dense(8, activation="relu")`
  model_code(blueprint)   statements of Python that build the same model, or None where they cannot be written

Terms: a *node* is one serialised Keras object (`class_name`, `config`, `module`), a *blueprint* the node of a model.
"""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Mapping
from typing import Any

from aetfx.models.constructing import MARK
from aetfx.models.serial import Blueprint, dictionaries, plain

_UNSAID = ("name", "trainable", "dtype", "autocast")
_HOMES = {
    "keras.layers": "layers",
    "keras.initializers": "keras.initializers",
    "keras.regularizers": "keras.regularizers",
    "keras.constraints": "keras.constraints",
    "keras.losses": "keras.losses",
    "keras.optimizers": "keras.optimizers",
    "keras.optimizers.schedules": "keras.optimizers.schedules",
}
_BY_NAME = ("keras.initializers", "keras.regularizers", "keras.constraints", "keras.losses")


def outline(blueprint: Blueprint, indent: str = "") -> list[str]:
    """Returns a model as lines: its kind, then each layer with what it is fed from where that is not the one before.

    Args:
      blueprint: of a Sequential, a Functional model or a subclass.
      indent: put before each line but the first.
    """
    config = blueprint.get("config", {})
    if "layers" not in config:
        return [f"model: {expression(blueprint, prefix=False)}"]
    lines, before = [f"model: {blueprint['class_name']}"], None
    for node in config["layers"]:
        name = node["config"].get("name", node.get("name"))
        fed = _fed_from(node)
        source = f"  <- {', '.join(fed)}" if fed and fed != [before] else ""
        if "layers" in node["config"]:
            inner = outline(node, indent + "  ")
            lines += [f"{indent}  {name}: {node['class_name']}{source}", *inner[1:]]
        else:
            lines.append(f"{indent}  {name}: {expression(node, prefix=False)}{source}")
        before = name
    return lines


def expression(node: Any, *, prefix: bool = True) -> str:
    """Returns a serialised value or Keras object as a Python expression without arguments that equal the defaults.

    Args:
      node: plain data, or a serialised object.
      prefix: write `layers.Dense(...)` instead of `Dense(...)`.
    """
    if isinstance(node, list):
        items = ", ".join(expression(item, prefix=prefix) for item in node)
        # JSON knows no tuples; sizes and strides are written as such.
        return f"({items})" if len(node) > 1 and all(isinstance(item, int) for item in node) else f"[{items}]"
    if not isinstance(node, dict) or "class_name" not in node:
        return repr(_rounded(node)).replace("'", '"')
    kind, config = node["class_name"], node.get("config")
    if kind == "__tuple__":
        return f"({', '.join(expression(item, prefix=prefix) for item in node['items'])},)"
    if kind == "function":
        own = str(config).rpartition(">")[2]  # a registered function is written down with its package
        return f'"{config}"' if str(node.get("module", "builtins")).startswith("keras") else own
    if kind == "InputLayer":
        return _input(node["config"], prefix)
    cls = _keras_class(node)
    home = _HOMES.get(str(node.get("module")), "")
    first, others = _arguments(node, cls)
    if home == "keras.optimizers" and "learning_rate" in config:
        others = {"learning_rate": config["learning_rate"], **others}
    if home in _BY_NAME and not first and not others:
        return f'"{_snake(kind)}"'
    said = [expression(value, prefix=prefix) for value in first]
    said += [f"{key}={expression(value, prefix=prefix)}" for key, value in others.items()]
    return f"{home + '.' if prefix and home else ''}{kind}({', '.join(said)})"


def model_code(blueprint: Blueprint, variable: str = "model") -> list[str] | None:
    """Returns statements that build a model and bind it to `variable`.

    The names `keras` and `layers` (keras.layers) must be known where they run, and the user's own classes. None where a
    model is a subclass that describes itself by `get_config`, shares a layer between several places, feeds layers other
    than by position, repeats a whole model over time, or has plain operations (`keras.ops.relu(x)`) between its layers.
    """
    config = blueprint.get("config", {})
    if blueprint.get(MARK):
        return _constructor(blueprint, variable)
    if "layers" not in config or not all(_is_layer(node) for node in config["layers"]):
        return None
    return (
        _sequential(blueprint, variable) if blueprint["class_name"] == "Sequential" else _functional(config, variable)
    )


def slim(node: Any) -> Any:
    """Returns serialised data without the arguments that equal the defaults: shorter, and Keras builds the same."""
    if isinstance(node, list):
        return [slim(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "class_name" not in node or not isinstance(node.get("config"), dict):
        return {key: slim(value) for key, value in node.items() if key != "build_config"}
    config, cls = node["config"], _keras_class(node)
    kept = dict(config)
    if cls is not None and "layers" not in config and node["class_name"] != "InputLayer":
        first, others = _arguments(node, cls)
        required = _required(cls)[: len(first)]
        kept = {key: config[key] for key in config if key in required or key in others or key == "name"}
    rest = {key: value for key, value in node.items() if key not in ("config", "build_config") and value is not None}
    return {**{key: slim(value) for key, value in rest.items()}, "config": slim(kept)}


def _is_layer(node: dict[str, Any]) -> bool:
    """Whether a node can be written as one call: a layer of Keras's or of the user's own, or a model of such."""
    module = str(node.get("module"))
    if module.startswith("keras.") and module not in _HOMES and "layers" not in node["config"]:
        return False
    wrapped = node["config"].get("layer")
    return not (isinstance(wrapped, dict) and "layers" in (wrapped.get("config") or {}))


def _sequential(blueprint: Blueprint, variable: str) -> list[str] | None:
    before: list[str] = []
    items: list[str] = []
    for number, node in enumerate(blueprint["config"]["layers"]):
        if "layers" in node["config"]:
            part = f"{variable}_{number}"
            inner = model_code(node, part)
            if inner is None:
                return None
            before += inner
            items.append(part)
        else:
            items.append(expression(node))
    return [*before, f"{variable} = keras.Sequential([", *(f"    {item}," for item in items), "])"]


def _functional(config: dict[str, Any], variable: str) -> list[str] | None:
    lines: list[str] = []
    bound: dict[str, str] = {}
    for number, node in enumerate(config["layers"]):
        name = node["name"]
        bound[name] = f"{variable}_{number}" if not _is_word(name) else name
        if node["class_name"] == "InputLayer":
            # Keras wants the inputs of a dictionary to be called by its keys.
            said = f', name="{name}")' if isinstance(config["input_layers"], dict) else ")"
            lines.append(f"{bound[name]} = {expression(node)[:-1]}{said}")
            continue
        calls = node.get("inbound_nodes", [])
        if len(calls) != 1 or _tensors(calls[0]["kwargs"]):
            return None
        fed = [_fed(argument, bound) for argument in calls[0]["args"]]
        if None in fed or not fed:
            return None
        asked = ", ".join(map(str, fed))
        made = expression(node)
        if "layers" in node["config"]:
            made = f"{bound[name]}_part"
            inner = model_code(node, made)
            if inner is None or {line.split(" = ")[0] for line in inner} & set(bound.values()):
                return None  # of two tensors of one name the later would take the earlier one's place
            lines += inner
        lines.append(f"{bound[name]} = {made}({asked})")
    ends = [_end(config[key], bound) for key in ("input_layers", "output_layers")]
    if None in ends:
        return None
    return [*lines, f"{variable} = keras.Model({ends[0]}, {ends[1]})"]


def _constructor(blueprint: Blueprint, variable: str) -> list[str] | None:
    """Returns statements that call the constructor of a class of the user's own, after what its arguments need."""
    lines: list[str] = []
    said = []
    for name, value in blueprint["config"].items():
        if isinstance(value, dict) and (value.get(MARK) or "layers" in (value.get("config") or {})):
            part = f"{variable}_{name}" if variable == name else name
            inner = model_code(value, part)
            if inner is None:
                return None
            lines += inner
            said.append(f"{name}={part}")
        else:
            said.append(f"{name}={expression(value)}")
    return [*lines, f"{variable} = {blueprint['class_name']}({', '.join(said)})"]


def _fed(argument: Any, bound: Mapping[str, str]) -> str | None:
    """Returns an argument of a layer's call as text: a tensor, or a list of them; None for anything else."""
    if isinstance(argument, list):
        items = [_fed(item, bound) for item in argument]
        return None if None in items or not items else f"[{', '.join(map(str, items))}]"
    names = _tensors(argument)
    places = [node["keras_history"][2] for node in dictionaries(argument) if "keras_history" in node]
    if len(names) != 1 or places != [0]:
        return None
    return bound.get(names[0])


def _end(listed: Any, bound: Mapping[str, str]) -> str | None:
    """Returns a model's inputs or outputs as text: Keras writes one alone as [name, 0, 0], or a structure of such."""
    if isinstance(listed, dict):
        items = {key: _end(value, bound) for key, value in listed.items()}
        return None if None in items.values() else "{" + ", ".join(f'"{k}": {v}' for k, v in items.items()) + "}"
    if listed and isinstance(listed[0], str):
        return bound.get(listed[0]) if listed[2] == 0 else None
    ends = [_end(item, bound) for item in listed]
    if None in ends or not ends:
        return None
    return str(ends[0]) if len(ends) == 1 else f"[{', '.join(map(str, ends))}]"


def _is_word(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and name not in ("keras", "layers", "np")


def _fed_from(node: dict[str, Any]) -> list[str]:
    return [name for call in node.get("inbound_nodes", []) for name in _tensors([call["args"], call["kwargs"]])]


def _tensors(data: Any) -> list[str]:
    """Names of the layers whose outputs appear in the arguments of a call, in order."""
    return [node["keras_history"][0] for node in dictionaries(data) if "keras_history" in node]


def _input(config: dict[str, Any], prefix: bool) -> str:
    shape = tuple(config["batch_shape"][1:])
    said = [repr(shape)]
    if config.get("dtype", "float32") != "float32":
        said.append(f'dtype="{config["dtype"]}"')
    return f"{'keras.' if prefix else ''}Input({', '.join(said)})"


def _arguments(node: dict[str, Any], cls: Any) -> tuple[list[Any], dict[str, Any]]:
    """Splits a node's config into the values of the required arguments and those of others that are not defaults."""
    config = node.get("config") or {}
    if not isinstance(config, dict):
        return [config], {}
    required = _required(cls) if cls is not None else []
    first = [config[key] for key in required if key in config]
    usual = _defaults(cls, node, required) if len(first) == len(required) else {}
    others = {
        key: value
        for key, value in config.items()
        if key not in required and not _is_unsaid(key, value, config, usual) and _differs(value, usual.get(key, ...))
    }
    return first, others


def _is_unsaid(key: str, value: Any, config: dict[str, Any], usual: dict[str, Any]) -> bool:
    """Whether an argument says nothing about what is computed: names, and what is so unless asked for."""
    if key == "trainable":
        return value is True
    if key == "activity_regularizer" and value is None:
        return True
    if key == "dtype":
        return "dtype" not in usual or not _differs(value, usual["dtype"])
    return key in _UNSAID


def _differs(value: Any, usual: Any) -> bool:
    return bool(_rounded(value) != _rounded(usual))


def _rounded(value: Any) -> Any:
    """Keras keeps some numbers as float32: 0.0010000000474974513 is 0.001."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _keras_class(node: dict[str, Any]) -> Any:
    """Returns the class of a node if it is one of Keras's own, else None."""
    import keras

    if node.get("registered_name") and not str(node.get("module", "")).startswith("keras"):
        return None
    home: Any = keras
    for part in str(node.get("module", "")).split(".")[1:]:
        home = getattr(home, part, None)
    return getattr(home, str(node["class_name"]), None)


def _required(cls: Any) -> list[str]:
    """Names of a constructor's arguments without a default."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p.name for p in found if p.kind in kinds and p.default is inspect.Parameter.empty]


def _defaults(cls: Any, node: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Returns the config of the same object made with its required arguments alone; {} where that cannot be made."""
    import keras

    if cls is None:
        return {}
    try:
        if not required:
            return dict(plain(keras.saving.serialize_keras_object(cls()))["config"])
        # Through Keras's own reading of the config, since a wrapper's required argument is a layer.
        config = {key: node["config"][key] for key in required}
        made = keras.saving.deserialize_keras_object({**node, "config": config, "build_config": None})
        return dict(plain(keras.saving.serialize_keras_object(made))["config"])
    except Exception:  # whatever a constructor raises: then every argument is said
        return {}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
