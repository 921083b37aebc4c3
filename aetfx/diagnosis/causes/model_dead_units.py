"""Units that died in training: they answer the same to every row."""

from __future__ import annotations

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.models.activations import CAN_DIE
from aetfx.models.probing import KernelFacts
from aetfx.models.rewriting import same_initializer, set_activations, set_biases_to_zero, set_initializers


class DeadUnits(Cause):
    code = "model.dead_units"
    title = "Dead units"
    meaning = "Units that answer the same to every row carry nothing; with a ReLU they also get no gradient to recover."
    order = 91
    generous = True
    equal_cost = True

    def admit(self, case: Case) -> Admission:
        if case.trial.diverged:
            return Admission.no("the training broke off: its last weights tell nothing")
        if evidence := self._dead(case):
            return Admission.yes(*evidence)
        if (code := case.architecture.code) and code.activation in CAN_DIE:
            return Admission.yes(
                f"hardly a unit died in training, but the code is that of '{code.name}' behind {code.activation}, "
                "which passes on one half of each direction only",
                has_sign=False,
            )
        return Admission.no("hardly a unit died in training")

    def _dead(self, case: Case) -> list[str]:
        before, _ = case.spread
        t, evidence = case.thresholds, []
        for name, silent in case.silent_units(t.dead_spread).items():
            if silent.sum() >= t.dead_share * len(silent):
                evidence.append(
                    f"{silent.sum()} of {len(silent)} units of '{name}' answer the same to every row; before training "
                    f"{np.count_nonzero(before[name] == 0)} did"
                )
        return evidence or self._never_alive(case) or self._silenced(case)

    def _never_alive(self, case: Case) -> list[str]:
        """Units that were dead before training, and that training did not wake."""
        (before, after), evidence = case.spread, []
        biases, weights = _negative_biases(case), _negative_weights(case)
        for layer in case.architecture.inner:
            if layer.activation in CAN_DIE and layer.name in after:
                dead = (before[layer.name] == 0) & (after[layer.name] == 0)
                if dead.sum() >= case.thresholds.dead_share * len(dead):
                    since = f", since their biases start at {biases[layer.name]:.3g}" if layer.name in biases else ""
                    if layer.name in weights:
                        since = f", since their weights start below 0 (mean {weights[layer.name]:.3g})"
                    evidence.append(
                        f"{dead.sum()} of {len(dead)} units of '{layer.name}' answer the same to every row, after "
                        f"training as before it{since}"
                    )
        return evidence

    def _silenced(self, case: Case) -> list[str]:
        """Units that their biases kept below 0 before training, some of which training woke."""
        return [
            f"units of '{name}' answered 0 to every row before training, since their biases start at {bias:.3g}"
            for name, bias in _negative_biases(case).items()
        ]

    def experiments(self, case: Case) -> list[Experiment]:
        layers = [layer for layer in case.architecture.inner if layer.activation in CAN_DIE]
        if not case.rewritable or not layers:
            return []
        found, code = [], case.architecture.code
        if code in layers and not code.recurrent:
            blueprint = set_activations(case.recipe.source.blueprint, case.architecture, "linear", {code.name})
            found.append(
                Experiment(
                    self.code,
                    case.recipe.with_blueprint(blueprint, name="code_activation=linear"),
                    remedy=f"Leave the code layer '{code.name}' linear, so that it can pass on both signs.",
                    keras=f'keras.layers.{code.kind}({code.units}, activation="linear")  # "{code.name}"',
                )
            )
            if case.trial.diverged or not self._dead(case):
                return found
        if biases := _negative_biases(case):
            # One rule for the biases of all layers is no better for those whose units live.
            alike = {kernel.layer for kernel in case.initial_kernels if kernel.bias in biases.values()}
            blueprint = set_biases_to_zero(case.recipe.source.blueprint, alike)
            first = next(layer for layer in layers if layer.name in biases)
            found.append(
                Experiment(
                    self.code,
                    case.recipe.with_blueprint(blueprint, name="biases=zeros"),
                    remedy="Let the biases start from zero, so that units are on either side of it.",
                    keras=f'keras.layers.{first.kind}({first.units}, ..., bias_initializer="zeros")  # "{first.name}"',
                )
            )
        if weights := _negative_weights(case):
            # What is drawn by the same rule is better drawn anew with them.
            alike = same_initializer(case.recipe.source.blueprint, set(weights))
            blueprint = set_initializers(case.recipe.source.blueprint, dict.fromkeys(alike, "he_normal"))
            first = next(layer for layer in layers if layer.name in weights)
            found.append(
                Experiment(
                    self.code,
                    case.recipe.with_blueprint(blueprint, name="kernels=he_normal"),
                    remedy="Let the weights start on both sides of 0 (he_normal), so that units do too.",
                    keras=(
                        f'keras.layers.{first.kind}({first.units}, ..., kernel_initializer="he_normal")  '
                        f'# "{first.name}"'
                    ),
                )
            )
        # A recurrent layer with ReLU blows up or dies; its gates were made for tanh.
        if any(layer.recurrent and layer.activation == "relu" for layer in layers):
            layers = [layer for layer in layers if layer.recurrent]
            choices = ("tanh",)
        else:
            layers = [layer for layer in layers if not layer.recurrent]
            choices = ("leaky_relu", "elu") if layers else ()
        for activation in choices:
            names = {layer.name for layer in layers}
            blueprint = set_activations(case.recipe.source.blueprint, case.architecture, activation, names)
            found.append(
                Experiment(
                    self.code,
                    case.recipe.with_blueprint(blueprint, name=f"activation={activation}"),
                    remedy=f"Use '{activation}' in all recurrent layers, whose gates are made for it."
                    if activation == "tanh"
                    else f"Use '{activation}', which keeps a gradient everywhere, in all layers but the last.",
                    keras=f'keras.layers.{layers[0].kind}({layers[0].units}, activation="{activation}")  # and so on',
                    study={"model.activation": activation},
                )
            )
        return found


def _negative_biases(case: Case) -> dict[str, float]:
    """Returns what biases start at that keep units of a ReLU below 0 before training, by layer."""
    return {kernel.layer: kernel.bias for kernel in _of_silent_layers(case) if kernel.bias < 0}


def _negative_weights(case: Case) -> dict[str, float]:
    """Returns the mean of weights that start on one side of 0 and do the same to units whose inputs have no sign."""
    return {kernel.layer: kernel.mean for kernel in _of_silent_layers(case) if kernel.mean < -kernel.sd}


def _of_silent_layers(case: Case) -> list[KernelFacts]:
    """Returns the kernels of layers whose units can die, and mostly answer the same to every row before training."""
    kinds = {layer.name: layer.activation for layer in case.architecture.inner}
    found = []
    for kernel in case.initial_kernels:
        if kinds.get(kernel.layer) in CAN_DIE:
            silent = case.spread[0].get(kernel.layer, np.ones(1)) == 0
            if silent.sum() >= case.thresholds.dead_share * len(silent):
                found.append(kernel)
    return found
