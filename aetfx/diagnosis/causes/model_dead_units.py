"""Units that died in training: they answer the same to every row."""

from __future__ import annotations

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.models.activations import CAN_DIE
from aetfx.models.rewriting import set_activations


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
        return evidence or self._never_alive(case)

    def _never_alive(self, case: Case) -> list[str]:
        """Units that were dead before training, and that training did not wake."""
        (before, after), evidence = case.spread, []
        for layer in case.architecture.inner:
            if layer.activation in CAN_DIE and layer.name in after:
                dead = (before[layer.name] == 0) & (after[layer.name] == 0)
                if dead.sum() >= case.thresholds.dead_share * len(dead):
                    evidence.append(
                        f"{dead.sum()} of {len(dead)} units of '{layer.name}' answer the same to every row, after "
                        "training as before it"
                    )
        return evidence

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
