"""Weights that start where gradients vanish, explode or are all the same."""

from __future__ import annotations

import math

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.models.arguments import KEY as STAND_INS
from aetfx.models.probing import KernelFacts
from aetfx.models.reading import LayerFacts
from aetfx.models.rewriting import same_initializer, set_initializers

# He et al. 2015 for units that are silent on one side, LeCun 1998 for SELU (Klambauer 2017), Glorot 2010 for the rest.
_HE = ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "swish", "softplus")
_KERAS = "glorot_uniform"  # the default of keras.layers


class Initialization(Cause):
    code = "model.initialization"
    title = "Unsuitable initial weights"
    meaning = (
        "Equal weights make equal units; weights far too small or large make signals and gradients vanish or blow up."
    )
    order = 50

    def admit(self, case: Case) -> Admission:
        if evidence := _complaints(case):
            return Admission.yes(*dict.fromkeys(evidence.values()))
        return Admission.no("all kernels start at a usual scale")

    def experiments(self, case: Case) -> list[Experiment]:
        # A scale that is far off for one layer is no better chosen for the others.
        odd = same_initializer(case.recipe.source.blueprint, set(_complaints(case)))
        # Asked without that sign (METHOD section 4), all layers are given the usual ones.
        layers = [layer for layer in case.architecture.layers if layer.name in odd] or list(case.architecture.layers)
        if not case.rewritable or not layers:
            return []
        usual = {layer.name: _initializer(layer.activation) for layer in layers}
        if STAND_INS in case.recipe.source.blueprint:  # one argument of the model decides for all of its layers
            usual = dict.fromkeys(usual, next(iter(usual.values())))
        # What Keras does when nothing is said is the smaller change, and often the better start for shallow models.
        unsaid = dict.fromkeys(usual, _KERAS)
        choices = {"usual": usual} if usual == unsaid else {"default": unsaid, "usual": usual}
        return [self._experiment(case, name, layers[0], kernels) for name, kernels in choices.items()]

    def _experiment(self, case: Case, name: str, first: LayerFacts, kernels: dict[str, str]) -> Experiment:
        blueprint = set_initializers(case.recipe.source.blueprint, kernels)
        words = " and ".join(sorted(set(kernels.values())))
        return Experiment(
            self.code,
            case.recipe.with_blueprint(blueprint, name=f"initializer={name}"),
            remedy=f"Let the kernels start from {words}, {'as Keras does by itself, ' * (name == 'default')}"
            "and the biases from zero.",
            keras=f'keras.layers.{first.kind}({first.units}, ..., kernel_initializer="{kernels[first.name]}")',
        )


def _complaints(case: Case) -> dict[str, str]:
    """Returns what is odd about the weights that layers start with, by layer."""
    found, factor = {}, case.thresholds.far_from_fan
    for kernel in case.initial_kernels:
        text = _complaint(kernel, factor)
        if text is not None:
            found[kernel.layer] = text
    return found or _too_large_together(case.initial_kernels, factor)


def _too_large_together(kernels: list[KernelFacts], factor: float) -> dict[str, str]:
    """Returns the same for layers none of which is far off by itself: what each blows up, the next blows up further.

    Small weights do no such harm: what they leave of a signal, biases and Adam make up for.
    """
    times = {kernel.layer: kernel.sd / kernel.usual_sd[1] for kernel in kernels}
    large = {layer: ratio for layer, ratio in times.items() if ratio > 1}
    together = math.prod(large.values())
    if together < factor:
        return {}
    text = f"the weights of {len(large)} layers start too large for their inputs, in all {together:,.0f} times"
    return dict.fromkeys(large, text)


def _complaint(kernel: KernelFacts, factor: float) -> str | None:
    if kernel.sd <= 1e-6 * abs(kernel.mean) or kernel.sd == 0:
        return f"all weights of '{kernel.layer}' start as {kernel.mean:.3g}, so that its units stay alike"
    low, high = kernel.usual_sd
    if low / factor <= kernel.sd <= high * factor:
        return None
    times = low / kernel.sd if kernel.sd < low else kernel.sd / high
    word = "small" if kernel.sd < low else "large"
    return (
        f"the weights of '{kernel.layer}' start with sd {kernel.sd:.3g}, {times:,.0f} times too {word} for "
        f"{kernel.fan_in:.0f} inputs"
    )


def _initializer(activation: str) -> str:
    if activation == "selu":
        return "lecun_normal"
    return "he_normal" if activation in _HE else _KERAS
