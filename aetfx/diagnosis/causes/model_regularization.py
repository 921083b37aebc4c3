"""A penalty, divergence, decay, dropout or noise so strong that it, and not the rows, rules what is learnt."""

from __future__ import annotations

import copy
from typing import Any

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import REGISTRY, Admission, Cause, Experiment
from aetfx.diagnosis.divergence import collapse, has_divergence, heavy, weaker
from aetfx.models.rewriting import (
    largest_hidden_dropout,
    largest_noise,
    largest_penalty,
    largest_weight_penalty,
    scale_noise,
    scale_penalties,
)
from aetfx.models.serial import dictionaries
from aetfx.training.recipe import Recipe
from aetfx.words import percent

_FACTORS = (0.1, 0.01, 0.0)
_DEFAULT_DECAY = 0.004  # of Keras's AdamW


class Regularization(Cause):
    """Less of it always lowers the error, so that a collapse admits it, or train rows that miss the target under it.

    A penalty on weights is there for rows that the model has not seen, and for nothing else: whether it serves them is
    tried without a sign too; so is dropout between layers where train rows come back no better than others. Penalties
    on codes, divergences and noise are there for the codes; how much is a choice.
    """

    code = "model.regularization"
    title = "Regularisation too strong"
    meaning = "The cheapest way to lower this loss is to keep codes or weights near zero, whatever the rows are."
    order = 60
    enough = True

    def admit(self, case: Case) -> Admission:
        penalty, noise, decay = _strengths(case.recipe)
        if not (penalty or noise or decay or has_divergence(case)):
            return Admission.no("there is no penalty, divergence, decay, dropout or noise")
        if evidence := _signs(case):
            return Admission.yes(*evidence)
        if _on_weights(case.recipe) and not case.trial.diverged:
            return Admission.yes(f"{_named(penalty, decay)}: less is tried, though nothing is lost", has_sign=False)
        dropout = largest_hidden_dropout(case.recipe.source.blueprint)
        overfits = case.trial.diverged or case.overfit_ratio > case.thresholds.no_overfit_ratio
        if dropout >= case.thresholds.some_dropout and not overfits:
            return Admission.yes(
                f"dropout of up to {dropout:g} between layers, and train rows come back without it as badly as others: "
                "there is no overfitting that it cures",
                has_sign=False,
            )
        return Admission.no("no code, weight or row is lost to the regularisation; less of it would be a choice")

    def experiments(self, case: Case) -> list[Experiment]:
        penalty, noise, decay = _strengths(case.recipe)
        ways = weaker(case)
        # A step of aetfx's own replaces the reconstruction loss as well. Where that does not fit, or the output does
        # not fit the values and a weight is known, it would take the credit for what these do.
        plain = [way for way in ways if "elbo" not in way.recipe.objective]
        blind = case.recipe.loss is None and REGISTRY["loss.mismatch"].admit(case).admitted
        if blind or (plain and REGISTRY["model.output_activation"].admit(case).admitted):
            ways = plain
        found = [self._experiment(way.recipe, way.recipe.name, way.remedy, way.keras) for way in ways]
        if decay or (case.rewritable and penalty):
            for factor in _FACTORS:
                recipe = _with_penalties(case.recipe, factor, case.rewritable)
                left = f"a factor of {penalty * factor:.3g}" if penalty else f"a weight decay of {decay * factor:.3g}"
                remedy = f"Weaken the penalties to {percent(factor)}, {left}." if factor else "Leave the penalties out."
                found.append(
                    self._experiment(recipe, _word("penalties", factor), remedy, _penalty_line(penalty, decay, factor))
                )
        if case.rewritable and noise:
            for factor in (0.25, 0.0):
                blueprint = scale_noise(case.recipe.source.blueprint, factor)
                recipe = case.recipe.with_blueprint(blueprint)
                remedy = (
                    f"Weaken dropout and noise to {noise * factor:.3g}." if factor else "Leave dropout and noise out."
                )
                code = (
                    f"keras.layers.Dropout({noise * factor:.3g})  # was {noise:g}"
                    if factor
                    else "# without Dropout and GaussianNoise"
                )
                found.append(self._experiment(recipe, _word("noise", factor), remedy, code))
        return found

    def is_generous(self, case: Case) -> bool:
        """Less of a penalty or divergence under which codes and weights live on lowers the error of any model."""
        penalty, noise, decay = _strengths(case.recipe)
        return (has_divergence(case) or bool(penalty or decay)) and not noise and not _lost(case)

    def is_dear(self, case: Case) -> bool:
        """A weaker penalty on weights costs nothing: no healthy model gains much from it."""
        return super().is_dear(case) and not _on_weights(case.recipe)

    def _experiment(self, recipe: Recipe, name: str, remedy: str, keras: str) -> Experiment:
        return Experiment(self.code, recipe.changed(name=name), remedy=remedy, keras=keras)


def _strengths(recipe: Recipe) -> tuple[float, float, float]:
    """Largest penalty and noise of the layers, and the optimizer's weight decay."""
    blueprint = recipe.source.blueprint
    decay = recipe.optimizer["config"].get("weight_decay")
    return largest_penalty(blueprint), largest_noise(blueprint), float(decay or 0.0)


def _signs(case: Case) -> list[str]:
    """Says what is lost, or that train rows miss the target under it; [] where neither is so."""
    penalty, noise, decay = _strengths(case.recipe)
    evidence, named = _lost(case) or heavy(case), _named(penalty, decay)
    bad = case.train_score > case.target or case.trains_behind
    above = f", the train rows score {case.train_score:.3f}"
    if case.train_score > case.target:
        above += f", above the target of {case.target:g}"
    elif case.trains_behind:
        above += f", where PCA with as many numbers reaches {case.pca:.3f}"
    if named and not evidence and not case.trial.diverged and bad:
        evidence.append(f"with {named}{above}")
    if noise and (bad or noise >= case.thresholds.strong_noise):
        evidence.append(f"with noise or dropout of up to {noise:g} in training{above} without it")
    return evidence


def _on_weights(recipe: Recipe) -> bool:
    """Whether weights are penalised, by more than an optimizer does by itself."""
    decay = recipe.optimizer["config"].get("weight_decay") or 0.0
    return largest_weight_penalty(recipe.source.blueprint) > 0 or decay > _DEFAULT_DECAY


def _lost(case: Case) -> list[str]:
    """Signs that codes, weights or rows are lost to a divergence, penalty or decay; [] where none are."""
    penalty, _, decay = _strengths(case.recipe)
    evidence, named = collapse(case), _named(penalty, decay)
    if named and case.at_the_mean:
        evidence.append(f"the train score is {case.train_score:.3f}, next to the mean, with {named}")
    if penalty and not case.trial.diverged:
        evidence += _silenced(case)
    if named and not case.trial.diverged:
        evidence += _shrunk(case, everywhere=decay > 0)
    return evidence


def _named(penalty: float, decay: float) -> str:
    parts = [f"penalties of up to {penalty:g}"] if penalty else []
    return " and ".join(parts + ([f"a weight decay of {decay:g}"] if decay else []))


def _silenced(case: Case) -> list[str]:
    """Penalised layers most of whose units hardly answer any more."""
    t, penalised = case.thresholds, _penalised(case.recipe.source.blueprint)
    return [
        f"{silent.sum()} of {len(silent)} units of the penalised layer '{name}' hardly answer any more"
        for name, silent in sorted(case.silent_units(t.silenced_spread).items())
        if name in penalised and silent.sum() >= t.silenced_share * len(silent)
    ]


def _shrunk(case: Case, everywhere: bool) -> list[str]:
    """Penalised layers whose kernels all but vanished."""
    start = {kernel.layer: kernel.sd for kernel in case.initial_kernels}
    chosen = set(start) if everywhere else _penalised(case.recipe.source.blueprint)
    return [
        f"the weights of '{kernel.layer}' shrank from sd {start[kernel.layer]:.2g} to {kernel.sd:.2g}"
        for kernel in case.trained_kernels
        if kernel.layer in chosen and kernel.sd < case.thresholds.shrunk * start[kernel.layer]
    ]


def _penalised(blueprint: dict[str, Any]) -> set[str]:
    """Names of the layers with a penalty on weights or activities."""
    configs = [node["config"] for node in dictionaries(blueprint) if isinstance(node.get("config"), dict)]
    return {
        str(config["name"])
        for config in configs
        if "name" in config and any(key.endswith("_regularizer") and value for key, value in config.items())
    }


def _with_penalties(recipe: Recipe, factor: float, rewritable: bool) -> Recipe:
    optimizer = copy.deepcopy(recipe.optimizer)
    if optimizer["config"].get("weight_decay"):
        optimizer["config"]["weight_decay"] *= factor
    source = recipe.source
    if rewritable:
        source = source.with_blueprint(scale_penalties(source.blueprint, factor))
    return recipe.changed(source=source, optimizer=optimizer)


def _word(what: str, factor: float) -> str:
    return f"{what}={percent(factor)}".replace(" ", "") if factor else f"{what}=none"


def _penalty_line(penalty: float, decay: float, factor: float) -> str:
    if not penalty:
        return f"weight_decay={decay * factor:.3g}  # of the optimizer, was {decay:g}"
    if not factor:
        return "keras.layers.Dense(..., activity_regularizer=None, kernel_regularizer=None)"
    return f"keras.regularizers.L1({penalty * factor:.3g})  # was {penalty:g}; the same factor for every penalty"
