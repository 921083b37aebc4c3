"""What to do: the user's request as typed structures, read from and written to YAML.

Every key but `data.train` has a default; an unknown key is refused with the nearest valid one.
A study is checked whole before any data are read and before TensorFlow is imported.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
import yaml
from msgspec import Meta, Struct
from msgspec.structs import replace

from aetfx.errors import StudyError, nearest

# A description completes "<key> must be ...": it is what a person is told who gave something else.
Count = Annotated[int, Meta(gt=0, description="a whole number above 0")]
Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max, description="a number above 0")]
NotNegative = Annotated[float, Meta(ge=0, le=sys.float_info.max, description="0 or a number above it")]
Share = Annotated[float, Meta(gt=0, lt=1, description="a number between 0 and 1")]
Widths = Annotated[list[Count], Meta(min_length=1, description="a list of whole numbers above 0, such as [64, 32],")]
Activation = Literal[
    "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "swish", "silu", "tanh", "sigmoid", "softplus", "softmax"
]
OptimizerName = Literal["adam", "adamw", "nadam", "adamax", "sgd", "rmsprop", "adagrad", "adadelta", "ftrl", "lion"]
Loss = Literal[
    "mse", "mae", "huber", "log_cosh", "bce", "binary_crossentropy", "mean_squared_error", "mean_absolute_error",
    "categorical_crossentropy", "kl_divergence", "cosine_similarity", "msle", "poisson",
]  # fmt: skip

# What a model that comes compiled brings itself; for any other these hold unless the study says otherwise.
_UNLESS_COMPILED = {"optimizer": "adam", "learning_rate": 1e-3, "loss": "mse"}


# What all configurations of a comparison have in common.
_SHARED = tuple(
    f"training.{key}" for key in ("seed", "strategy", "replicas", "processes", "checkpoint_seconds", "telemetry")
)

DATA_PATHS = ("train", "eval", "target", "eval_target", "labels", "eval_labels")  # keys of `data` that hold one
_NO_TARGET = ("target", "input")


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


class _Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a study: keys with types, ranges and defaults."""


class DataSection(_Section, frozen=True):
    """Where rows come from, which of them are held out, and what `fit` asks back for them.

    A model with several inputs has a path for each in `train`, under the names of its inputs; so has `eval` then, where
    it is no fraction.
    `target` is `input`, or a path of as many rows as `train` (denoising); `eval_target` goes with a path in `eval`.
    `memory` is how many gigabytes the rows may take before training reads them from disk; the rest of the work then
    goes on with a sample of them.
    `labels` is a path of one label for each row of `train`, and `eval_labels` of `eval`: they tell what a fix does for
    a linear probe or for finding anomalies (`aetfx.diagnosis.labels`), and nothing is trained or chosen by them.
    """

    train: Annotated[
        str | Annotated[dict[str, str], Meta(min_length=2)],
        Meta(description="a path or a glob, or one for each input of the model,"),
    ]
    eval: Annotated[float | str | dict[str, str], Meta(description="a held-out fraction, or a path")] = 0.2
    features: Annotated[
        Literal["auto", "table", "tensor"] | list[str], Meta(description="auto, table, tensor, or a list of columns")
    ] = "auto"
    target: Annotated[str, Meta(description="input, or a path")] = "input"
    eval_target: Annotated[str | None, Meta(description="a path")] = None
    labels: Annotated[str | None, Meta(description="a path")] = None
    eval_labels: Annotated[str | None, Meta(description="a path")] = None
    padding: Annotated[float | None, Meta(description="a number, the value of padded steps")] = None
    memory: Annotated[float, Meta(gt=0, description="a number of gigabytes")] = 0.5


class PreprocessingSection(_Section, frozen=True):
    """How rows are brought into a form that a network can take; fitted on the train rows only.

    A constant column that is dropped keeps its place: the network is fed 0 there, nothing is asked back for it, and
    the column's median comes out.
    """

    scaling: Literal["none", "standard", "minmax", "robust"] = "none"
    missing: Literal["none", "mean", "median", "zero"] = "none"
    outliers: Literal["none", "clip"] = "none"
    constant: Literal["none", "drop"] = "none"


FamilyName = Literal["auto", "dense", "conv", "denoising", "sparse", "vae", "lstm", "tcn"]
FAMILIES: tuple[str, ...] = tuple(name for name in get_args(FamilyName) if name != "auto")


class ModelSection(_Section, frozen=True):
    """The autoencoder: a reference family, the user's own factory, or a saved model.

    What a family is made of is None where it shall take what suits the shape of the rows (`aetfx models DATA` tells).
    Not every family has every key (`aetfx.models.families`).
    """

    family: FamilyName = "dense"
    hidden: Widths | None = None
    filters: Widths | None = None
    units: Count | None = None
    bottleneck: Count | None = None
    activation: Activation | None = None
    output_activation: Activation | None = None
    corruption: Literal["masking", "gaussian", "salt_pepper"] | None = None
    noise: Share | None = None
    sparsity: NotNegative | None = None
    beta: NotNegative | None = None
    free_bits: NotNegative | None = None
    factory: Annotated[str | None, Meta(description="module:function that returns a Keras model")] = None
    path: Annotated[str | None, Meta(description="the path of a saved .keras model")] = None

    def of_family(self) -> dict[str, Any]:
        """Returns what the study says about the family: its keys by name, None where the family shall choose."""
        others = ("family", "factory", "path")
        return {name: getattr(self, name) for name in _fields(ModelSection) if name not in others}


class TrainingSection(_Section, frozen=True):
    """How the model is fitted. One trial is one `model.fit` with these arguments.

    `optimizer`, `learning_rate` and `loss` are None where the study leaves them to a model that may come compiled.
    `schedule` sets the learning rate before each epoch: a half cosine down to 0, or a tenth of it where the loss has
    not fallen for five epochs (plateau), after `warmup_epochs` of a linear rise. `patience` ends a training whose score
    has not improved for so many epochs, and keeps the best weights. `precision` is Keras's dtype policy.
    `replicas` are GPUs, or parts of the CPU; None for all GPUs.
    `processes` train side by side; None stands for as many as there are cores. The results are the same.
    `checkpoint_seconds` is the least time between two checkpoints of a trial; 0 writes one after each epoch.
    `telemetry` lets `compare` read gradient norms, dead units and the like after each epoch; `histograms` those of the
    weights as well.
    """

    optimizer: OptimizerName | None = None
    learning_rate: Positive | None = None
    loss: Loss | None = None
    epochs: Count = 100
    batch_size: Count = 32
    seed: Annotated[int, Meta(ge=0, lt=2**31, description="a whole number from 0 to 2147483647")] = 0
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    warmup_epochs: Annotated[int, Meta(ge=0, description="a whole number from 0 on")] = 0
    patience: Count | None = None
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    strategy: Literal["auto", "mirrored", "one_device"] = "auto"
    replicas: Count | None = None
    processes: Count | None = None
    checkpoint_seconds: NotNegative = 15.0
    telemetry: bool | Literal["histograms"] = True

    def or_usual(self) -> TrainingSection:
        """Returns a copy that has the usual optimizer, learning rate and loss where the study is silent."""
        return replace(self, **{key: usual for key, usual in _UNLESS_COMPILED.items() if getattr(self, key) is None})


class DiagnosisSection(_Section, frozen=True):
    """How much a diagnosis may spend, and how good a reconstruction has to be.

    `budget` is in multiples of the user's own training; by default 8, 14 where few rows make re-splits necessary,
    and at least 120 seconds' worth. A score of at most `target` counts as good. `thresholds` overrides those of
    `aetfx.diagnosis.thresholds`, by name. `max_seconds` ends the work by the clock, whatever is left of the budget.
    `experiments: false` trains the user's recipe once and tells what its signs suggest, unverified.
    """

    budget: Positive | None = None
    max_seconds: Positive | None = None
    experiments: bool = True
    target: Annotated[float, Meta(gt=0, lt=1, description="a score between 0 and 1")] = 0.30
    thresholds: dict[str, Annotated[float, Meta(description="a number")]] = {}


class Range(_Section, frozen=True):
    """Numbers between two ends, to be drawn from; whole ones where both ends are. `log` draws them log-uniformly."""

    low: Annotated[int | float, Meta(description="a number")]
    high: Annotated[int | float, Meta(description="a number")]
    log: bool = False


class SweepSection(_Section, frozen=True):
    """How the configurations under `compare` are chosen and trained.

    `choose` takes the whole product (grid), or draws `configurations` of them: at random, or by a tree-structured
    Parzen estimator that learns from those before (tpe). Each is trained with `seeds` seeds. `halving` trains all for a
    ninth of the epochs, the best third for a third of them, and only the best third of those to the end.
    """

    choose: Literal["grid", "random", "tpe"] = "grid"
    configurations: Count = 20
    seeds: Count = 3
    halving: bool = False


class Thresholds(_Section, frozen=True):
    """What a model must reach to be blessed; what is None is not asked for.

    `score` is the largest score that is good enough. `against` is another model, a `.keras` file, whose score it may
    exceed by no more than the factor `at_most`. `slices` holds the largest score on each of some slices.
    """

    score: Positive | None = None
    against: Annotated[str | None, Meta(description="the path of a .keras file")] = None
    at_most: Positive = 1.0
    slices: dict[str, Annotated[float, Meta(gt=0, le=sys.float_info.max, description="a number above 0")]] = {}


class EvaluationSection(_Section, frozen=True):
    """What is told of held-out rows beside the score.

    `slices` are parts of the rows whose figures are told apart: a column with few values (`sex`), one value of a column
    (`sex=1`), a column in equal parts (`age@4`), or a condition (`age > 60 and sex == 1`).
    """

    slices: Annotated[list[str], Meta(description='a list of slices, such as ["sex", "age > 60"],')] = []
    thresholds: Thresholds = Thresholds()


class Study(_Section, frozen=True, kw_only=True):
    """A whole request. `name` becomes the run directory `runs/<name>`."""

    name: Annotated[str, Meta(description="a plain word")] = "study"
    data: DataSection
    preprocessing: PreprocessingSection = PreprocessingSection()
    model: ModelSection = ModelSection()
    training: TrainingSection = TrainingSection()
    compare: dict[
        str,
        Annotated[
            list[Any] | Range,
            Meta(description="a list of values, such as [0.001, 0.01], or a range {low: 0.001, high: 0.01},"),
        ],
    ] = {}
    sweep: SweepSection = SweepSection()
    diagnosis: DiagnosisSection = DiagnosisSection()
    evaluation: EvaluationSection = EvaluationSection()

    def to_tree(self) -> dict[str, Any]:
        """Returns nested dictionaries of plain values with every default written out.

        Of the user's own model, optimizer, learning rate and loss are left out unless the study sets them.
        """
        own_model = bool(self.model.factory or self.model.path)
        tree: dict[str, Any] = msgspec.to_builtins(self)
        tree["training"] = msgspec.to_builtins(self.training if own_model else self.training.or_usual())
        tree["model"] = {key: value for key, value in tree["model"].items() if value is not None}
        for key in _UNLESS_COMPILED:
            if tree["training"][key] is None:
                del tree["training"][key]
        return tree

    def with_changes(self, changes: dict[str, Any], where: str = "study") -> Study:
        """Returns a copy with dotted keys replaced.

        Args:
          changes: dotted key to value, e.g. `{"training.learning_rate": 0.01}`.
          where: who asks for the change, for messages.

        Raises:
          StudyError: a key is unknown or a value is out of range.
        """
        tree = msgspec.to_builtins(self)
        for dotted, value in changes.items():
            if dotted not in _dotted_keys():
                raise StudyError(f"{where}: unknown key '{dotted}'.{nearest(dotted, _dotted_keys())}")
            section, key = dotted.split(".")
            tree[section][key] = value
        return parse_study(tree, where=where)

    def alternatives(self) -> list[tuple[str, Study]]:
        """Returns every configuration of `compare` (the product), the baseline first.

        The name of each says what differs from the baseline, e.g. `learning_rate=0.01`. Of ranges, whose values are
        drawn later, the ends are taken.
        """
        found = {"baseline": replace(self, compare={})}
        lists = [values if isinstance(values, list) else [values.low, values.high] for values in self.compare.values()]
        for values in itertools.product(*lists):
            name, study = self.alternative(dict(zip(self.compare, values, strict=True)))
            found.setdefault(name, study)
        return list(found.items())

    def alternative(self, values: dict[str, Any]) -> tuple[str, Study]:
        """Returns one configuration and its name, given a value for each key of `compare`."""
        plain = replace(self, compare={})
        changes = {key: value for key, value in values.items() if plain._differs(key, value)}
        if not changes:
            return "baseline", plain
        name = ",".join(f"{key.split('.')[-1]}={_short(value)}" for key, value in changes.items())
        return name, plain.with_changes(changes, where=f"{self.name}: compare")

    def _differs(self, dotted: str, value: Any) -> bool:
        """Whether a value is not the study's; of a model that may come compiled, what it brings is not known."""
        section, key = dotted.split(".")
        return bool(self.to_tree()[section].get(key) != value)

    def to_yaml(self) -> str:
        """Returns the study as YAML with every default written out, fit to be run again from any folder."""
        tree = self.to_tree()
        paths = [("data", key) for key in DATA_PATHS]
        for section, key in (*paths, ("model", "path")):
            value = tree[section].get(key)
            if value is not None and (key, value) != _NO_TARGET:
                tree[section][key] = _each_path(value, lambda path: path if "://" in path else os.path.abspath(path))
        if (against := self.evaluation.thresholds.against) is not None and "://" not in against:
            tree["evaluation"]["thresholds"]["against"] = os.path.abspath(against)
        if "model.path" in self.compare:
            paths_compared = self.compare["model.path"]
            assert isinstance(paths_compared, list)
            tree["compare"]["model.path"] = [path and os.path.abspath(path) for path in paths_compared]
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
    return _relative_to(read_study(text, str(path), path.stem), path.parent)


def read_study(text: str, where: str = "study", name: str = "study") -> Study:
    """Reads and checks the text of a study, whose paths stay as they are.

    Args:
      text: YAML.
      where: it comes from, for messages.
      name: of the study, unless the text has one.

    Raises:
      StudyError: it is not YAML, or holds an unknown key or a value out of range.
    """
    try:
        tree = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise StudyError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise StudyError(f"{where}: expected keys such as 'data:' and 'model:' but got {type(tree).__name__}.")
    tree.setdefault("name", name)
    return parse_study(tree, where=where)


def parse_study(tree: dict[str, Any], where: str = "study") -> Study:
    """Checks a study given as nested dictionaries.

    Raises:
      StudyError: one line that names the key, what was expected, and the nearest valid key.
    """
    tree = _plain(tree)
    try:
        study = msgspec.convert(tree, Study)
    except msgspec.ValidationError as error:
        raise StudyError(f"{where}: {_complaint(Study, tree) or error}") from None
    _check_whole(study, where)
    return study


def parse_thresholds(tree: dict[str, Any], where: str = "thresholds") -> Thresholds:
    """Checks thresholds given as a dictionary.

    Raises:
      StudyError: as `parse_study`.
    """
    tree = _plain(tree)
    try:
        return msgspec.convert(tree, Thresholds)
    except msgspec.ValidationError as error:
        raise StudyError(f"{where}: {_complaint(Thresholds, tree) or error}") from None


def _check_whole(study: Study, where: str) -> None:
    """Checks what one key alone cannot tell."""
    if study.name in ("", ".", "..") or any(mark in study.name for mark in "/\\\0"):
        raise StudyError(
            f"{where}: name must be a plain word but got '{study.name}': it becomes the run directory runs/<name>. "
            "Choose another place with --out."
        )
    fraction = study.data.eval
    if not isinstance(study.data.train, str):
        _check_parts(study, where)
    elif isinstance(fraction, dict):
        raise StudyError(f"{where}: data.eval names several inputs, but data.train is one path. Give both alike.")
    if isinstance(fraction, float) and not 0 < fraction < 1:
        raise StudyError(f"{where}: data.eval must be a path or a fraction between 0 and 1 but got {fraction}.")
    if study.data.target != "input" and isinstance(fraction, str) and study.data.eval_target is None:
        raise StudyError(
            f"{where}: data.target needs data.eval_target, because the held-out rows come from a file of their own "
            f"({fraction}). Give the path of their targets."
        )
    if study.data.eval_target is not None and (study.data.target == "input" or not isinstance(fraction, str)):
        raise StudyError(
            f"{where}: data.eval_target goes with data.target and with a path in data.eval. Give these or leave it out."
        )
    if study.data.labels is not None and not isinstance(fraction, float) and study.data.eval_labels is None:
        raise StudyError(
            f"{where}: data.labels needs data.eval_labels, because the held-out rows come from a file of their own "
            f"({fraction}). Give the path of their labels."
        )
    if study.data.eval_labels is not None and isinstance(fraction, float):
        raise StudyError(f"{where}: data.eval_labels goes with a path in data.eval. Give both, or leave it out.")
    if study.model.factory and study.model.path:
        raise StudyError(f"{where}: model.factory and model.path exclude each other. Keep one of them.")
    if study.model.factory and study.model.factory.count(":") != 1:
        raise StudyError(
            f"{where}: model.factory must be 'module:function' but got '{study.model.factory}', e.g. 'my_module:build'."
        )
    if study.training.batch_size < (study.training.replicas or 1):
        raise StudyError(
            f"{where}: training.batch_size must be at least training.replicas ({study.training.replicas}) "
            f"but got {study.training.batch_size}."
        )
    if study.training.warmup_epochs >= study.training.epochs:
        raise StudyError(
            f"{where}: training.warmup_epochs must be below training.epochs ({study.training.epochs}) "
            f"but got {study.training.warmup_epochs}: the learning rate would never be reached."
        )
    for key, values in study.compare.items():
        if isinstance(values, Range):
            _check_range(study, key, values, where)
            values = [values.low, values.high]
        if not values:
            raise StudyError(f"{where}: compare.{key} lists no values. Give at least one, e.g. [0.001, 0.01].")
        if key not in _dotted_keys():
            raise StudyError(f"{where}: compare: unknown key '{key}'.{nearest(key, _dotted_keys())}")
        if key in _SHARED:
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
            replace(study, compare={}).with_changes({key: value}, where=f"{where}: compare")


def _check_range(study: Study, key: str, values: Range, where: str) -> None:
    if study.sweep.choose == "grid":
        raise StudyError(
            f"{where}: compare.{key} is a range, which a grid has no values for. List the values, or draw them: "
            "sweep: {choose: random}."
        )
    if not values.low < values.high or (values.log and values.low <= 0):
        raise StudyError(
            f"{where}: compare.{key} must have low < high{' and low > 0' * values.log} "
            f"but got {{low: {values.low}, high: {values.high}}}."
        )


def _check_parts(study: Study, where: str) -> None:
    """Checks a study whose model has several inputs."""
    data, train = study.data, list(study.data.train)
    if isinstance(data.eval, str):
        raise StudyError(
            f"{where}: data.eval must name a path for each of {', '.join(train)}, as data.train does, "
            f"or be a held-out fraction, but got '{data.eval}'."
        )
    if isinstance(data.eval, dict) and list(data.eval) != train:
        raise StudyError(
            f"{where}: data.eval names {', '.join(data.eval)}, but data.train names {', '.join(train)}. "
            "Give both the same inputs, in one order."
        )
    if data.features != "auto":
        raise StudyError(f"{where}: data.features cannot choose among several inputs. Leave it out.")
    if data.target != "input":
        raise StudyError(f"{where}: data.target goes with a single input. Call aetfx.diagnose(..., y_train=) instead.")
    if not study.model.factory and not study.model.path:
        raise StudyError(
            f"{where}: data.train names several inputs ({', '.join(train)}), which the {study.model.family} family has "
            "not. Give your own model: model.factory or model.path."
        )


def _each_path(value: Any, change: Callable[[str], str]) -> Any:
    """Changes a path, or each of several; anything else stays as it is."""
    if isinstance(value, dict):
        return {key: change(path) for key, path in value.items()}
    return change(value) if isinstance(value, str) else value


def _relative_to(study: Study, folder: Path) -> Study:
    def resolve(path: str) -> str:
        return path if "://" in path or Path(path).is_absolute() else str(folder / path)

    given = {key: getattr(study.data, key) for key in DATA_PATHS}
    changes = {k: _each_path(value, resolve) for k, value in given.items() if (k, value) != _NO_TARGET}
    data = replace(study.data, **changes)
    model = replace(study.model, path=_each_path(study.model.path, resolve))
    compare: dict[str, Any] = {
        key: [_each_path(value, resolve) for value in values]
        if key == "model.path" and isinstance(values, list)
        else values
        for key, values in study.compare.items()
    }
    limits = study.evaluation.thresholds
    limits = replace(limits, against=_each_path(limits.against, resolve))
    evaluation = replace(study.evaluation, thresholds=limits)
    return replace(study, data=data, model=model, compare=compare, evaluation=evaluation)


def _short(value: Any) -> str:
    """Words a compared value: a float with four digits, or all where these make it another.

    >>> _short(0.001), _short(0.00123456), _short([64, 32])
    ('0.001', '0.00123456', '[64, 32]')
    """
    short = f"{value:.4g}" if isinstance(value, float) else str(value)
    return short if not isinstance(value, float) or float(short) == value else repr(value)


def _plain(value: Any) -> Any:
    """Returns nested dictionaries and lists with NumPy's scalars and paths as plain values, for callers in Python."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def _dotted_keys() -> list[str]:
    return [
        f"{name}.{key}"
        for name, section in _fields(Study).items()
        if isinstance(section, type) and issubclass(section, _Section)
        for key in _fields(section)
    ]


def _fields(section: type[_Section]) -> dict[str, Any]:
    """Returns the keys of a section with their types."""
    return typing.get_type_hints(section, include_extras=True)


def _complaint(section: type[_Section], tree: Any, place: str = "") -> str:
    """Words the first thing that is wrong with a section, with its dotted key; empty if nothing is."""
    fields = _fields(section)
    if not isinstance(tree, dict):
        return f"{place} must hold keys ({', '.join(fields)}) but got {tree!r}."
    for key in tree:
        if key not in fields:
            return f"unknown key '{_dotted(place, key)}'.{nearest(str(key), fields)}"
    for key, kind in fields.items():
        if key not in tree and _is_required(section, key):
            return f"'{_dotted(place, key)}' is missing. It is required."
        wrong = _wrong_value(kind, tree[key], _dotted(place, key)) if key in tree else ""
        if wrong:
            return wrong
    return ""


def _wrong_value(kind: Any, value: Any, place: str) -> str:
    if isinstance(kind, type) and issubclass(kind, _Section):
        return _complaint(kind, value, place)
    if typing.get_origin(kind) is dict:
        if not isinstance(value, dict):
            return f"{place} must hold keys (dotted names, e.g. training.learning_rate) but got {value!r}."
        for key, entry in value.items():
            wrong = _wrong_value(typing.get_args(kind)[1], entry, f"{place}.{key}")
            if wrong or not isinstance(key, str):
                return wrong or f"{place}: keys must be words but got {key!r}."
        return ""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        choices, description = _choices(kind), _description(kind)
        if choices and (isinstance(value, str) or not description):
            return f"{place} is not known: got {value!r}.{nearest(str(value), choices)}"
        return f"{place} must be {description} but got {value!r}."
    return ""


def _dotted(place: str, key: Any) -> str:
    return f"{place}.{key}" if place else str(key)


def _is_required(section: type[_Section], key: str) -> bool:
    return next(field.required for field in msgspec.structs.fields(section) if field.name == key)


def _choices(kind: Any) -> list[str]:
    """Returns the words that a type allows, wherever in it they are."""
    if typing.get_origin(kind) is Literal:
        return list(typing.get_args(kind))
    return [word for part in typing.get_args(kind) for word in _choices(part)]


def _description(kind: Any) -> str:
    """Returns what a value "must be": the outermost description within a type."""
    for part in typing.get_args(kind):
        if isinstance(part, Meta) and part.description:
            return part.description
    return next(filter(None, map(_description, typing.get_args(kind))), "")
