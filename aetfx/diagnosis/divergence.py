"""The divergence (KL) in the loss of a variational autoencoder: whether it rules, and how it is weakened.

Three ways; the third is also tried beside the first, because a name does not prove what a number does:

1. The model, or a layer of it, holds the weight as a number of its config (`beta`, `kl_weight`): it is rewritten.
   Where only an attribute holds it, that is set.
2. The model is trained by Keras's step and the divergence is added by layers (`add_loss`): what they add is scaled.
3. The model trains itself and its weight is written into its code: its encoder and decoder are trained by aetfx's own
   step instead, with the reconstruction *summed* over the values of a row, plus beta times the divergence.

Where the reconstruction is a mean over the D values of a row, the divergence counts D times as much as in the
evidence lower bound. That is why each way also tries "the reconstruction summed over features".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.models.passing import reconstruct
from aetfx.models.variational import is_kl_weight, kl_weights, scale_kl
from aetfx.training.objective import numbers
from aetfx.training.recipe import Recipe

_FACTORS = (0.1, 0.01)
_OWN_WEIGHTS = (1.0, 0.1)
_MEANS = ("mse", "mae", "msle", "mape", "bce", "huber", "log_cosh")  # over the last axis, and then over all others
_FEW_ROWS = 256


@dataclass(frozen=True)
class Weaker:
    """One way to weaken the divergence: the changed recipe, the change in words, and as Keras code."""

    recipe: Recipe
    remedy: str
    keras: str


def has_divergence(case: Case) -> bool:
    """Whether the model pays for the spread of its codes: heads are there, and a loss that is not Keras's alone."""
    if case.heads is None or case.recipe.objective.get("elbo"):
        return False
    return case.recipe.step.own or case.adds_losses


def collapse(case: Case) -> list[str]:
    """Says in which way the codes have collapsed onto the prior; [] where they have not."""
    if not has_divergence(case) or case.trial.diverged:
        return []
    t, evidence = case.thresholds, []
    if case.inactive_units is not None:
        inactive, units = case.inactive_units
        if inactive >= t.inactive_share * units:
            evidence.append(
                f"{inactive} of {units} code units are inactive: the variance of their mean over rows is below "
                f"{t.inactive_variance:g}"
            )
    if case.at_the_mean:
        evidence.append(
            f"the train score is {case.train_score:.3f}, next to the mean, with a KL divergence in the loss"
        )
    return evidence


def heavy(case: Case) -> list[str]:
    """Says that the divergence is weighed more than in the evidence lower bound while train rows miss the target."""
    if not has_divergence(case) or case.trial.diverged or case.train_score <= case.target:
        return []
    if (found := _weight(case)) is None:
        return []
    (name, weight), usual, width = found, case.thresholds.usual_kl_weight, _width(case)
    said, norm = f"{name} is {weight:g}", f"where the evidence lower bound has {usual:g}"
    if usual / width < weight <= usual and _is_a_mean(case):
        said += f" beside a mean over the {width:g} values of a row, as {weight * width:.3g} beside their sum"
    elif weight <= usual:
        return []
    return [f"{said}, {norm}; the train rows score {case.train_score:.3f}"]


def weaker(case: Case) -> list[Weaker]:
    """Returns the ways to weaken the divergence, mildest first."""
    if not has_divergence(case):
        return []
    if case.recipe.step.own:
        return [*_by_weight(case), *_by_own_step(case)]
    return _by_weight(case) or _by_added_loss(case)


def _by_weight(case: Case) -> list[Weaker]:
    recipe, found = case.recipe, []
    if (weight := _weight(case)) is None:
        return []
    (name, value), in_config = weight, kl_weights(recipe.source.blueprint)
    attributes = _attributes(case)
    for factor, why in _factors(case):
        if in_config:
            source = recipe.source.with_blueprint(scale_kl(recipe.source.blueprint, factor))
            changed = recipe.changed(source=source)
        else:
            changed = recipe.changed(objective={"attributes": {p: v * factor for p, v in attributes.items()}})
        weight = float(f"{value * factor:.3g}")
        found.append(
            Weaker(
                changed.changed(name=f"{name}={weight:g}"),
                f"Weaken the KL divergence: {name} from {value:g} to {weight:g}{why}.",
                f"{name} = {weight:g}  # was {value:g}",
            )
        )
    return found


def _by_added_loss(case: Case) -> list[Weaker]:
    width = _width(case)
    found = [
        Weaker(
            case.recipe.changed(name=f"kl=x{factor:g}", objective={"reconstruction": 1.0, "added": factor}),
            f"Weaken the KL divergence that the model adds to its loss to {factor:g} of what it is.",
            f"self.add_loss({factor:g} * kl_loss)  # was kl_loss",
        )
        for factor in _FACTORS
    ]
    summed = Weaker(
        case.recipe.changed(name="reconstruction=summed", objective={"reconstruction": width, "added": 1.0}),
        f"Sum the reconstruction over the {width:g} values of a row instead of taking their mean.",
        f"loss = lambda x, y: {width:g} * keras.losses.{_family(case.recipe.loss_name)}(x, y)  # a sum over the row",
    )
    return sorted([*found, summed], key=lambda item: -_strength(item.recipe.objective))


def other_reconstruction(case: Case) -> list[Weaker]:
    """Returns the model trained by a step whose reconstruction fits the rows, its divergence weighed as it was.

    Empty where no such step can be made of it. Where the weight is written into the code, the usual ones are tried.
    """
    if not has_divergence(case) or not case.recipe.step.own:
        return []
    weight = _weight(case)
    return list(_by_own_step(case, _OWN_WEIGHTS if weight is None else (weight[1],)))


def _by_own_step(case: Case, weights: tuple[float, ...] = _OWN_WEIGHTS) -> Iterator[Weaker]:
    if case.heads is None or not case.heads.from_encoder:
        return
    loss = "bce" if _probabilities(case) else "mse"
    for beta in weights:
        code = "keras.ops.square(x - y)" if loss == "mse" else "binary_crossentropy(x, y)  # of each value"
        yield Weaker(
            case.recipe.changed(name=f"elbo,beta={beta:g}", objective={"elbo": loss, "beta": beta}),
            f"In train_step, sum the reconstruction over the values of a row and weigh the KL term with {beta:g}.",
            f"per_value = {code}\n"
            "reconstruction_loss = keras.ops.mean(keras.ops.sum(per_value, axis=-1))  # over all axes but the first\n"
            f"loss = reconstruction_loss + {beta:g} * kl_loss",
        )


def _factors(case: Case) -> list[tuple[float, str]]:
    """Factors of the weight, mildest first; one of them does what summing the reconstruction would do."""
    width = _width(case)
    named = dict.fromkeys(_FACTORS, "")
    if width > 1:
        named[1 / width] = f", as much as summing the reconstruction over its {width:g} values would do"
    return sorted(named.items(), reverse=True)


def _strength(objective: Any) -> float:
    return float(objective["added"]) / float(objective["reconstruction"])


def _width(case: Case) -> float:
    return float(math.prod(case.lab.shape))


def _is_a_mean(case: Case) -> bool:
    """Whether the reconstruction is a mean over the values of a row, and not that of a mean times their number.

    Keras's losses are; a step of the model's own may multiply one, and then reports so much more than it says.
    """
    import keras

    if case.recipe.loss_name not in _MEANS:
        return False
    if not case.recipe.step.own:
        return True
    fed = case.first_fed(_FEW_ROWS).astype(np.float32)
    rebuilt = np.asarray(reconstruct(case.trial.model, fed)).reshape(fed.shape)
    plain = float(np.mean(np.asarray(keras.losses.get(case.recipe.loss)(fed, rebuilt))))
    return float(case.trial.losses[-1]) < math.sqrt(_width(case)) * plain


def _weight(case: Case) -> tuple[str, float] | None:
    """Name and value of the number that weighs the divergence, None where there is none."""
    attributes = {place.split(".", 1)[1]: value for place, value in _attributes(case).items()}
    return next(iter((kl_weights(case.recipe.source.blueprint) or attributes).items()), None)


def _attributes(case: Case) -> dict[str, float]:
    return {place: value for place, value in numbers(case.initial_model).items() if _is_weight(place, value)}


def _is_weight(place: str, value: Any) -> bool:
    return is_kl_weight(place.split(".", 1)[1], value)


def _probabilities(case: Case) -> bool:
    """Whether the model gives probabilities and the rows as fed are some."""
    low, high = float(np.nanmin(case.statistics.minimum)), float(np.nanmax(case.statistics.maximum))
    return case.architecture.output_range.name == "sigmoid" and low >= 0.0 and high <= 1.0


def _family(name: str) -> str:
    return {"mse": "mean_squared_error", "mae": "mean_absolute_error", "bce": "binary_crossentropy"}.get(name, name)
