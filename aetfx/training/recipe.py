"""A recipe: everything that a trial is made from, as plain data.

Two recipes with the same content have the same identity, whatever they are called, so that no
configuration is ever trained twice. Changing a recipe gives another recipe; nothing is edited.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aetfx.models.serial import Blueprint, ModelSource, dictionaries
from aetfx.run import content_hash
from aetfx.training.step import KERAS_STEP, TrainStep

_LOSS_NAMES = {
    "mean_squared_error": "mse", "meansquarederror": "mse", "mse": "mse",
    "mean_absolute_error": "mae", "meanabsoluteerror": "mae", "mae": "mae",
    "mean_squared_logarithmic_error": "msle", "meansquaredlogarithmicerror": "msle", "msle": "msle",
    "binary_crossentropy": "bce", "binarycrossentropy": "bce", "bce": "bce",
    "categorical_crossentropy": "categorical_crossentropy", "categoricalcrossentropy": "categorical_crossentropy",
    "kl_divergence": "kl_divergence", "kldivergence": "kl_divergence", "kld": "kl_divergence",
    "cosine_similarity": "cosine_similarity", "cosinesimilarity": "cosine_similarity",
    "mean_absolute_percentage_error": "mape", "meanabsolutepercentageerror": "mape", "mape": "mape",
    "hinge": "hinge", "squared_hinge": "squared_hinge", "squaredhinge": "squared_hinge",
    "categorical_hinge": "categorical_hinge", "categoricalhinge": "categorical_hinge",
    "huber": "huber", "logcosh": "log_cosh", "log_cosh": "log_cosh", "poisson": "poisson",
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """One full setting of a study.

    Attributes:
      source: how to build the model.
      optimizer: serialised Keras optimizer.
      loss: serialised Keras loss: a name, a dictionary, or None for models that add their own.
      epochs, batch_size: as given to `fit`; the batch is the global batch over all replicas.
      preprocessing: spec of `aetfx.preprocessing.fit`, e.g. `{"scaling": "standard"}`.
      masked_loss: leave missing target cells out of the loss.
      early_stopping: keep the weights of the epoch that scored best on the select rows.
      target: "given" asks back the targets that the user gave, "input" the rows themselves, "rescaled" the given ones
        on the scale of the rows, "turned" the given ones as these lie.
      rows: how the rows differ from the study's; "" not at all. The laboratory knows what it means.
      step: whether the model trains itself in its own way, and how it is fed then.
      objective: what is changed in what the model minimises, `{}` for nothing (`aetfx.training.objective`).
      name: what differs from the baseline, for people; not part of the identity.
      metrics: names of what the user has Keras report; not part of the identity.
      schedule: of the learning rate, `{}` for none (`aetfx.training.schedules`).
      patience: epochs without a better score after which a training ends; None for never.
    """

    source: ModelSource
    optimizer: dict[str, Any]
    loss: Any
    epochs: int
    batch_size: int
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    masked_loss: bool = False
    early_stopping: bool = False
    target: str = "given"
    rows: str = ""
    step: TrainStep = KERAS_STEP
    objective: Mapping[str, Any] = field(default_factory=dict)
    name: str = "baseline"
    metrics: tuple[str, ...] = ()
    schedule: Mapping[str, Any] = field(default_factory=dict)
    patience: int | None = None

    @cached_property
    def identity(self) -> str:
        """Content hash (16 hex digits) of all but the name and the metrics."""
        return content_hash(
            {
                "source": self.source.identity,
                "optimizer": self.optimizer,
                "loss": self.loss,
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "preprocessing": dict(self.preprocessing),
                "masked_loss": self.masked_loss,
                "early_stopping": self.early_stopping,
                "target": self.target,
                "rows": self.rows,
                "step": dataclasses.asdict(self.step),
                "objective": dict(self.objective),
                **({"schedule": dict(self.schedule)} if self.schedule else {}),
                **({"patience": self.patience} if self.patience else {}),
            }
        )

    def changed(self, **changes: Any) -> Recipe:
        """Returns a copy with fields replaced."""
        return dataclasses.replace(self, **changes)

    def with_loss(self, loss: str) -> Recipe:
        """Returns a copy with another loss; of several outputs each gets it, and keeps its weight."""
        if isinstance(self.loss, dict) and self.loss.get("class_name") == "PartsLoss":
            config = {**self.loss["config"], "losses": [loss] * len(self.loss["config"]["losses"])}
            return self.changed(loss={**self.loss, "config": config})
        return self.changed(loss=loss)

    @property
    def masks_targets(self) -> bool:
        """Whether missing target cells can be left out of the loss: not where the model computes it itself."""
        return self.masked_loss and self.loss is not None and not self.step.own

    @property
    def one_device(self) -> bool:
        """Whether it must be trained on one device: `aetfx.training.step`, or free bits.

        A unit's free bits are taken off its mean divergence over a batch, and replicas know only their part of it.
        """
        free_bits = any(node.get("free_bits") for node in dictionaries(self.source.blueprint))
        return self.step.own or bool(self.objective) or free_bits

    @property
    def loss_name(self) -> str:
        """Short name of the loss: `mse`, `bce`, ...; `custom` for the user's own, `none` without one."""
        return loss_name(self.loss)

    @property
    def optimizer_name(self) -> str:
        return str(self.optimizer["class_name"]).lower()

    @property
    def learning_rate(self) -> float:
        """The learning rate, or the initial one of a schedule."""
        rate = self.optimizer["config"].get("learning_rate", 0.001)
        if isinstance(rate, dict):
            config = rate.get("config", {})
            rate = config.get("initial_learning_rate", config.get("max_lr", 0.001))
        return float(f"{float(rate):.6g}")  # Keras keeps float32: 0.0010000000474974513

    def with_blueprint(self, blueprint: Blueprint, **changes: Any) -> Recipe:
        """Returns a copy with another architecture, and fields replaced."""
        return self.changed(source=self.source.with_blueprint(blueprint), **changes)

    def with_learning_rate(self, rate: float) -> Recipe:
        """Returns a copy with another learning rate; a schedule keeps its form and is scaled."""
        optimizer = copy.deepcopy(self.optimizer)
        current = optimizer["config"].get("learning_rate")
        if isinstance(current, dict):
            for key in ("initial_learning_rate", "end_learning_rate", "warmup_target"):
                if isinstance(current["config"].get(key), float):
                    current["config"][key] *= rate / self.learning_rate
        else:
            optimizer["config"]["learning_rate"] = rate
        return self.changed(optimizer=optimizer)


def loss_name(loss: Any) -> str:
    """Returns the short name of a serialised loss."""
    if loss is None:
        return "none"
    if isinstance(loss, dict) and loss.get("class_name") == "PartsLoss":
        names = {loss_name(inner) for inner in loss["config"]["losses"]}
        return names.pop() if len(names) == 1 else "custom"
    if isinstance(loss, dict):
        if loss.get("class_name") == "function" or isinstance(loss.get("config"), str):
            loss = loss["config"]
        elif "class_name" in loss:
            loss = loss["class_name"]
    if not isinstance(loss, str):
        return "custom"
    return _LOSS_NAMES.get(loss.replace("-", "_").lower(), _LOSS_NAMES.get(loss.lower().replace("_", ""), "custom"))


def plain_optimizer(optimizer: Any) -> dict[str, Any]:
    """Serialises a Keras optimizer (instance or name) with readable numbers."""
    import keras

    config = keras.optimizers.serialize(keras.optimizers.get(optimizer))
    config["config"].pop("name", None)  # "adam_1" for the second one of a process: no difference in what is trained
    for node in dictionaries(config):
        for key, value in node.items():
            if isinstance(value, float):
                node[key] = float(f"{value:.6g}")
    return config
