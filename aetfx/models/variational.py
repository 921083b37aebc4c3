"""What is variational about a model: its heads of mean and spread, and the weight of the divergence in its loss.

A variational autoencoder gives each row a distribution over codes, and pays for its distance from a standard
normal one (the KL divergence). Its two *heads*, mean and log-variance, are found as the first two outputs of a
nested encoder, or as two layers of one width whose names, or the attributes that hold them, say so (`z_mean` and
`z_log_var`, `mu` and `logvar`).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.models.passing import halves, named_layers, reconstruct
from aetfx.models.reading import layer_outputs
from aetfx.models.serial import Blueprint, dictionaries, leaf_layers

_MEAN = re.compile(r"(^|[_.])(z_?)?(mean|means|mu|loc)([_.\d]|$)", re.IGNORECASE)
_SPREAD = re.compile(r"log_?var|log_?sigma|log_?std|sigma|variance|stddev|(^|_)(z_?)?(var|std)([_\d]|$)", re.IGNORECASE)
_KL_WEIGHT = re.compile(r"(^|_)(kld?|beta)(_|$)|^kld?(weight|coef|factor|scale)", re.IGNORECASE)
_NO_WEIGHT = re.compile(r"epoch|step|warm|anneal|target|capacity|free|seed|dim|units|momentum|initial", re.IGNORECASE)


@dataclass(frozen=True)
class Heads:
    """The two layers or outputs that say where a row's code lies and how sure that is.

    Attributes:
      mean, spread: names of the layers, or "output 1 of 'encoder'".
      from_encoder: they are the first two of several outputs of a nested encoder beside a decoder.
      layers: names of the weighted layers that give them, as wide as the code.
      encoder: that encoder, else None.
    """

    mean: str
    spread: str
    from_encoder: bool
    layers: tuple[str, ...]
    encoder: Any = None

    def code_means(self, model: Any, fed: np.ndarray) -> np.ndarray:
        """Returns the mean of the code of each row as fed, float64 (n, units)."""
        if self.encoder is None:
            means = layer_outputs(model, fed, only=self.mean)[self.mean]
        else:
            import keras

            means = np.asarray(keras.tree.flatten(self.encoder(fed, training=False))[0])
        return means.astype(np.float64).reshape(len(fed), -1)


def find_heads(model: Any, shape: tuple[int, ...]) -> Heads | None:
    """Returns the heads of a built model; None where it is not seen to be variational.

    Args:
      model: built; one pass over two rows of zeros looks at its encoder.
      shape: shape of one row.
    """
    import keras

    parts = halves(model)
    if parts is not None:
        outputs = keras.tree.flatten(parts[0](np.zeros((2, *shape), "float32"), training=False))
        if len(outputs) >= 2 and outputs[0].shape == outputs[1].shape:
            name, width = parts[0].name, outputs[0].shape[-1]
            own = leaf_layers(parts[0]) if isinstance(parts[0], keras.Model) else {}
            last = tuple(key for key, layer in own.items() if getattr(layer, "units", None) == width)[-2:]
            return Heads(f"output 1 of '{name}'", f"output 2 of '{name}'", True, last, parts[0])
    leaves = leaf_layers(model)
    known = {id(layer): name for name, layer in leaves.items()}
    named = [(alias, layer) for alias, layer in named_layers(model) if id(layer) in known]
    spreads = [layer for alias, layer in named if _SPREAD.search(alias)]
    for alias, layer in named:
        for spread in spreads if _MEAN.search(alias) and not _SPREAD.search(alias) else []:
            width = getattr(layer, "units", None)
            if layer is not spread and width is not None and width == getattr(spread, "units", None):
                names = known[id(layer)], known[id(spread)]
                return Heads(*names, False, names)
    return None


def adds_losses(model: Any, fed: np.ndarray) -> bool:
    """Whether layers add to the loss of a batch (`add_loss`), beside the penalties on weights.

    Args:
      model: a copy that nobody needs: the pass is one of training.
      fed: a few rows as fed.
    """
    reconstruct(model, fed, training=True)
    penalties = sum(weight.regularizer is not None for weight in model.trainable_weights)
    return len(model.losses) > penalties


def inactive_units(means: np.ndarray, least_variance: float) -> tuple[int, int]:
    """Returns how many units of the code do not depend on the row, and how many there are.

    A unit is inactive where the variance over rows of its mean is below `least_variance` (Burda et al. 2016,
    section 5.2, where it is 0.01).
    """
    return int((means.var(axis=0) < least_variance).sum()), means.shape[1]


def kl_weights(blueprint: Blueprint) -> dict[str, float]:
    """Returns the numbers above 0 in a blueprint's settings whose names say that they weigh the divergence."""
    return {name: float(config[name]) for config, name in _weights(blueprint)}


def scale_kl(blueprint: Blueprint, factor: float) -> Blueprint:
    """Multiplies every weight of the divergence in a blueprint by a factor."""
    result = copy.deepcopy(blueprint)
    for config, name in list(_weights(result)):
        config[name] = float(config[name]) * factor
    return result


def is_kl_weight(name: str, value: Any) -> bool:
    """Whether a number's name says that it weighs the divergence: beta, kl_weight, kl_coef, kl_loss_weight."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return number and bool(_KL_WEIGHT.search(name)) and not _NO_WEIGHT.search(name)


def _weights(blueprint: Blueprint) -> Iterator[tuple[dict[str, Any], str]]:
    for node in dictionaries(blueprint):
        config = node.get("config")
        if isinstance(config, dict) and "class_name" in node:
            yield from ((config, name) for name, value in config.items() if is_kl_weight(name, value))
