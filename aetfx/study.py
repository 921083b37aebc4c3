"""What to do: the user's request as pydantic models, read from and written to YAML.

Every key but `data.train` has a default; an unknown key is refused with the nearest valid one.
A study is checked whole before any data are read and before TensorFlow is imported.
"""

from __future__ import annotations

import itertools
import os
import re
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field

from aetfx.errors import StudyError, nearest

Activation = Literal[
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "swish", "silu", "tanh", "sigmoid", "softplus", "softmax"
]
OptimizerName = Literal["adam", "adamw", "nadam", "adamax", "sgd", "rmsprop", "adagrad", "adadelta", "ftrl", "lion"]
Loss = Literal[
    "mse", "mae", "huber", "log_cosh", "bce", "binary_crossentropy", "mean_squared_error", "mean_absolute_error",
    "categorical_crossentropy", "kl_divergence", "cosine_similarity", "msle", "poisson",
]  # fmt: skip

# A model that comes compiled brings these, so that their defaults do not hold for it.
_OF_COMPILED_MODELS = ("training.optimizer", "training.learning_rate", "training.loss")


class _Loader(yaml.SafeLoader):
    """YAML that takes `1e-3` for a number, as YAML 1.2 does, and does not let a repeated key replace the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class DataSection(_Section):
    """Where rows come from and which of them are held out."""

    train: str
    eval: float | str = Field(default=0.2, description="a held-out fraction, or a path")
    features: Literal["auto", "table", "tensor"] | list[str] = Field(
        default="auto", description="auto, table, tensor, or a list of columns"
    )


class PreprocessingSection(_Section):
    """How rows are brought into a form that a network can take; fitted on the train rows only."""

    scaling: Literal["none", "standard", "minmax", "robust"] = "none"
    missing: Literal["none", "mean", "median", "zero"] = "none"
    outliers: Literal["none", "clip"] = "none"


class ModelSection(_Section):
    """The autoencoder: a reference family, the user's own factory, or a saved model."""

    family: Literal["dense"] = "dense"
    hidden: list[Annotated[int, Field(gt=0)]] = [64, 32]
    bottleneck: Annotated[int, Field(gt=0)] = 8
    activation: Activation = "relu"
    output_activation: Activation = "linear"
    factory: str | None = Field(default=None, description="module:function that returns a Keras model")
    path: str | None = Field(default=None, description="a saved .keras model")


class TrainingSection(_Section):
    """How the model is fitted. One trial is one `model.fit` with these arguments."""

    optimizer: OptimizerName = "adam"
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    loss: Loss = "mse"
    epochs: Annotated[int, Field(gt=0)] = 100
    batch_size: Annotated[int, Field(gt=0)] = 32
    seed: Annotated[int, Field(ge=0)] = 0
    strategy: Literal["auto", "mirrored", "one_device"] = "auto"
    replicas: Annotated[int, Field(gt=0)] = 1


class DiagnosisSection(_Section):
    """How much a diagnosis may spend, and how good a reconstruction has to be."""

    budget: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="in multiples of the user's own training; by default 8, 14 where few rows make re-splits "
        "necessary, and at least 90 seconds' worth",
    )
    target: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.30, description="score that counts as good")
    thresholds: dict[str, float] = Field(default={}, description="overrides of aetfx.diagnosis.thresholds, by name")


class Study(_Section):
    """A whole request. `name` becomes the run directory `runs/<name>`."""

    name: str = "study"
    data: DataSection
    preprocessing: PreprocessingSection = PreprocessingSection()
    model: ModelSection = ModelSection()
    training: TrainingSection = TrainingSection()
    compare: dict[str, list[Any]] = {}
    diagnosis: DiagnosisSection = DiagnosisSection()

    def with_changes(self, changes: dict[str, Any], where: str = "study") -> Study:
        """Returns a copy with dotted keys replaced; keys that were left to their default stay so.

        Args:
          changes: dotted key to value, e.g. `{"training.learning_rate": 0.01}`.
          where: who asks for the change, for messages.

        Raises:
          StudyError: a key is unknown or a value is out of range.
        """
        # Only what was given: a model that comes compiled keeps its optimizer unless the study sets one.
        tree = self.model_dump(mode="python", exclude_unset=True)
        for dotted, value in changes.items():
            if dotted not in _dotted_keys():
                raise StudyError(f"{where}: unknown key '{dotted}'.{nearest(dotted, _dotted_keys())}")
            section, key = dotted.split(".")
            tree.setdefault(section, {})[key] = value
        return parse_study(tree, where=where)

    def alternatives(self) -> list[tuple[str, Study]]:
        """Returns every configuration of `compare` (the product), the baseline first.

        The name of each says what differs from the baseline, e.g. `learning_rate=0.01`.
        """
        plain = self.model_copy(update={"compare": {}})
        found = {"baseline": plain}
        for values in itertools.product(*self.compare.values()):
            changes = {key: v for key, v in zip(self.compare, values, strict=True) if plain._differs(key, v)}
            if changes:
                name = ",".join(f"{key.split('.')[-1]}={value}" for key, value in changes.items())
                found[name] = plain.with_changes(changes, where=f"{self.name}: compare")
        return list(found.items())

    def _differs(self, dotted: str, value: Any) -> bool:
        """Whether a value is not the study's; for a model that comes compiled the defaults say nothing."""
        section, key = dotted.split(".")
        of_model = bool(self.model.factory or self.model.path) and dotted in _OF_COMPILED_MODELS
        unknown = of_model and key not in getattr(self, section).model_fields_set
        return bool(unknown or getattr(getattr(self, section), key) != value)

    def to_yaml(self) -> str:
        """Returns the study as YAML with every default written out, fit to be run again from any folder."""
        tree = self.model_dump(mode="json")
        for section, key in (("data", "train"), ("data", "eval"), ("model", "path")):
            value = tree[section][key]
            if isinstance(value, str) and "://" not in value:
                tree[section][key] = os.path.abspath(value)
        if "model.path" in self.compare:
            tree["compare"]["model.path"] = [path and os.path.abspath(path) for path in self.compare["model.path"]]
        if self.model.factory or self.model.path:
            for section, key in (dotted.split(".") for dotted in _OF_COMPILED_MODELS):
                if key not in getattr(self, section).model_fields_set:
                    del tree[section][key]
        return yaml.safe_dump(tree, sort_keys=False)


def load_study(path: str | Path) -> Study:
    """Reads and checks a study file. Paths of local files in it are relative to the file's folder.

    Raises:
      StudyError: the file is missing, is not YAML, or holds an unknown key or a value out of range.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyError(f"{path}: no such study file. Give the path of a YAML file (see 'aetfx --help').") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read as text ({error}). Give the path of a YAML file.") from None
    try:
        tree = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise StudyError(f"{path}: expected keys such as 'data:' and 'model:' but got {type(tree).__name__}.")
    tree.setdefault("name", path.stem)
    study = parse_study(tree, where=str(path))
    return _relative_to(study, path.parent)


def parse_study(tree: dict[str, Any], where: str = "study") -> Study:
    """Checks a study given as nested dictionaries.

    Raises:
      StudyError: one line that names the key, what was expected, and the nearest valid key.
    """
    try:
        study = Study.model_validate(tree)
    except pydantic.ValidationError as error:
        raise StudyError(f"{where}: {_explain(error)}") from None
    _check_whole(study, where)
    return study


def _check_whole(study: Study, where: str) -> None:
    """Checks what one key alone cannot tell."""
    if study.name in ("", ".", "..") or any(mark in study.name for mark in "/\\\0"):
        raise StudyError(
            f"{where}: name must be a plain word but got '{study.name}': it becomes the run directory runs/<name>. "
            "Choose another place with --out."
        )
    fraction = study.data.eval
    if isinstance(fraction, float) and not 0 < fraction < 1:
        raise StudyError(f"{where}: data.eval must be a path or a fraction between 0 and 1 but got {fraction}.")
    if study.model.factory and study.model.path:
        raise StudyError(f"{where}: model.factory and model.path exclude each other. Keep one of them.")
    if study.model.factory and study.model.factory.count(":") != 1:
        raise StudyError(
            f"{where}: model.factory must be 'module:function' but got '{study.model.factory}', e.g. 'my_module:build'."
        )
    if study.training.batch_size < study.training.replicas:
        raise StudyError(
            f"{where}: training.batch_size must be at least training.replicas ({study.training.replicas}) "
            f"but got {study.training.batch_size}."
        )
    for key, values in study.compare.items():
        if not values:
            raise StudyError(f"{where}: compare.{key} lists no values. Give at least one, e.g. [0.001, 0.01].")
        if key not in _dotted_keys():
            raise StudyError(f"{where}: compare: unknown key '{key}'.{nearest(key, _dotted_keys())}")
        if key in ("training.seed", "training.strategy", "training.replicas"):
            raise StudyError(
                f"{where}: compare.{key} cannot be compared: every configuration is trained with the same seeds on "
                f"the same devices. Set {key} itself."
            )
        if key.split(".")[0] not in ("preprocessing", "model", "training"):
            raise StudyError(
                f"{where}: compare.{key} cannot be compared: configurations share their data. "
                "Compare keys of preprocessing, model or training."
            )
        for value in values:
            study.model_copy(update={"compare": {}}).with_changes({key: value}, where=f"{where}: compare")


def _relative_to(study: Study, folder: Path) -> Study:
    def resolve(value: str | None) -> str | None:
        if value is None or "://" in value or Path(value).is_absolute():
            return value
        return str(folder / value)

    data = study.data.model_copy(
        update={
            "train": resolve(study.data.train),
            "eval": resolve(study.data.eval) if isinstance(study.data.eval, str) else study.data.eval,
        }
    )
    model = study.model.model_copy(update={"path": resolve(study.model.path)})
    compare = {k: [resolve(v) for v in values] if k == "model.path" else values for k, values in study.compare.items()}
    return study.model_copy(update={"data": data, "model": model, "compare": compare})


def _dotted_keys() -> list[str]:
    return [
        f"{name}.{key}"
        for name, section in Study.model_fields.items()
        if isinstance(section.annotation, type) and issubclass(section.annotation, BaseModel)
        for key in section.annotation.model_fields
    ]


def _explain(error: pydantic.ValidationError) -> str:
    """Turns pydantic's first complaint into one line with the dotted key and a suggestion."""
    first = error.errors()[0]
    section: Any = Study
    field: Any = None
    place: list[str] = []
    for part in first["loc"]:
        if isinstance(part, int):
            place.append(str(part))
        elif part in getattr(section, "model_fields", {}):
            field = section.model_fields[part]
            section = field.annotation
            place.append(part)
        elif not _is_choice(field):  # of a choice between types pydantic also names the type that was tried
            place.append(str(part))
    dotted, given = ".".join(place), first["input"]
    if first["type"] == "extra_forbidden":
        return f"unknown key '{dotted}'.{nearest(place[-1], section.model_fields)}"
    if first["type"] == "missing":
        return f"'{dotted}' is missing. It is required."
    if first["type"] == "literal_error" and (isinstance(given, str) or not _is_choice(field)):
        choices = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{dotted} is not known: got {given!r}.{nearest(str(given), choices)}"
    if field is not None and _is_choice(field):
        return f"{dotted} must be {field.description} but got {given!r}."
    if first["type"] in ("model_type", "dict_type"):
        keys = ", ".join(getattr(section, "model_fields", {})) or "dotted names, e.g. training.learning_rate"
        return f"{dotted} must hold keys ({keys}) but got {given!r}."
    return f"{dotted}: {first['msg'][:1].lower()}{first['msg'][1:]} but got {given!r}."


def _is_choice(field: Any) -> bool:
    """Whether a field takes values of several types (`float | str`); `str | None` is one type that may be absent."""
    if field is None or typing.get_origin(field.annotation) not in (types.UnionType, typing.Union):
        return False
    return len(set(typing.get_args(field.annotation)) - {type(None)}) > 1
