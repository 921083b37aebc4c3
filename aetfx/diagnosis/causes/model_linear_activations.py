"""A stack of linear layers where the data lie on a curve."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.models.rewriting import set_activations
from aetfx.words import percent


class LinearActivations(Cause):
    code = "model.linear_activations"
    title = "Linear hidden layers on curved data"
    meaning = "However deep, linear layers can do no better than PCA, and these data do not lie on a plane."
    order = 90
    generous = True
    equal_cost = True

    def admit(self, case: Case) -> Admission:
        hidden = case.architecture.hidden
        if case.architecture.is_recurrent:
            return Admission.no("recurrent layers are not linear: their gates multiply")
        if not hidden:
            return Admission.no("there is no hidden layer beside the code")
        if any(layer.activation != "linear" for layer in hidden):
            names = ", ".join(sorted({layer.activation for layer in hidden} - {"linear"}))
            return Admission.no(f"hidden layers are not linear ({names})")
        if case.architecture.code and case.architecture.code.activation != "linear":
            return Admission.no(f"the code layer is not linear ({case.architecture.code.activation})")
        if case.curved <= 0:
            return Admission.no(
                "all layers are linear, but so are the data: products of the codes explain nothing of what PCA leaves, "
                "on rows not fitted on"
            )
        # However little products explain: a surface may bend in other ways than they tell.
        return Admission.yes(
            f"all {len(hidden)} hidden layers are linear, and products of the PCA codes explain {percent(case.curved)} "
            "of what PCA leaves, on rows not fitted on"
        )

    def experiments(self, case: Case) -> list[Experiment]:
        if not case.rewritable or not case.architecture.hidden:
            return []
        found = []
        for activation in ("elu", "relu"):
            names = {layer.name for layer in case.architecture.hidden}
            blueprint = set_activations(case.recipe.source.blueprint, case.architecture, activation, names)
            recipe = case.recipe.with_blueprint(blueprint, name=f"activation={activation}")
            first = case.architecture.hidden[0]
            found.append(
                Experiment(
                    self.code,
                    recipe,
                    remedy=f"Give the hidden layers the activation '{activation}'; code and output stay linear.",
                    keras=f'keras.layers.{first.kind}({first.units}, activation="{activation}")  # each hidden layer',
                    study={"model.activation": activation},
                )
            )
        return found
