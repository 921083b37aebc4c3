"""An output activation that cannot give the values that are asked of it."""

from __future__ import annotations

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import REGISTRY, Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import asked, compile_line, scaling_lines
from aetfx.models.activations import CAN_DIE
from aetfx.models.reading import LayerFacts
from aetfx.models.rewriting import put_dense_behind, set_activations
from aetfx.words import percent


def _no_probabilities(case: Case) -> str:
    """Says why what comes out is nothing that cross-entropy could compare with values from 0 to 1; "" where it is."""
    # The loss of a train step of one's own cannot be seen. That it is a cross-entropy is tried where the score is bad.
    unseen = case.recipe.step.own and case.select_score > case.target
    if not _from_0_to_1(case) or not (unseen or case.recipe.loss_name == "bce"):
        return ""
    loss = case.recipe.loss
    if isinstance(loss, dict) and loss.get("config", {}).get("from_logits"):
        return "cross-entropy with from_logits=True: the model gives log-odds back, and not values from 0 to 1"
    output = case.worst_output
    if output.low >= 0 and output.high <= 1:
        return ""
    if unseen:
        return (
            f"the model computes its loss itself, and a {output.name} output gives {output.low:g} to {output.high:g} "
            "where the values go from 0 to 1: outside there a cross-entropy has no gradient"
        )
    return (
        f"binary cross-entropy is defined for outputs from 0 to 1, and a {output.name} output gives "
        f"{output.low:g} to {output.high:g}: outside there is no gradient"
    )


def _silent(case: Case) -> str:
    """Says how much is lost in outputs that died; "" where that is little."""
    if not any(layer.activation in CAN_DIE for _, layer, *_ in case.outside) or case.trial.diverged:
        return ""
    silent, share = case.silent_outputs
    if share < case.thresholds.silent_share:
        return ""
    return (
        f"{silent.sum()} of the {len(silent)} values that the {case.worst_output.name} output gives are one end of its "
        f"range for every row, where it has no gradient; {percent(share)} of what is lost is lost there"
    )


def _from_0_to_1(case: Case) -> bool:
    cells = case.fed_cells[np.isfinite(case.fed_cells)]
    return bool(cells.size) and cells.min() >= -1e-6 and cells.max() <= 1 + 1e-6


class OutputActivation(Cause):
    code = "model.output_activation"
    title = "An output activation that cannot reach the data"
    meaning = "Values outside the range of the last layer's activation can never be given back."
    order = 40

    def admit(self, case: Case) -> Admission:
        output = case.worst_output
        if case.architecture.opaque:
            return Admission.no("the output layer cannot be seen in this model")
        if not case.architecture.output_seen:
            return Admission.no("the model computes something behind its last layer, so that any value may come out")
        if output.name == "softmax":
            return Admission.yes("a softmax output: the values of each row are forced to sum to one")
        if because := _no_probabilities(case):
            return Admission.yes(because)
        if case.outside_share <= case.thresholds.outside_share:
            within = f"a {output.name} output can give {percent(1 - case.outside_share)} of the values"
            return Admission.yes(silent) if (silent := _silent(case)) else Admission.no(within)
        return Admission.yes(
            f"{percent(case.outside_share)} of the values as fed lie outside what a {output.name} output can give "
            f"({output.low:g} to {output.high:g})"
        )

    def experiments(self, case: Case) -> list[Experiment]:
        output = case.architecture.output
        if output is None:
            return []
        if not case.rewritable:
            return self._within_reach(case)
        if output.recurrent:
            return self._dense_behind(case, output)
        if _no_probabilities(case):
            return self._sigmoid(case, output)
        missed = [layer for share, layer, *_ in case.outside if share > case.thresholds.outside_share]
        chosen = missed or [layer for layer in case.architecture.outputs if layer.activation == output.activation]
        output, names = chosen[0], {layer.name for layer in chosen}
        remedies = {"linear": "Make the last layer linear.", "sigmoid": "Give the last layer a sigmoid."}
        # Mostly black images leave a linear output at 0 for long; a sigmoid gets out of it.
        if not _from_0_to_1(case) or output.activation == "sigmoid":
            del remedies["sigmoid"]
        found = []
        for activation, remedy in remedies.items():
            blueprint = set_activations(case.recipe.source.blueprint, case.architecture, activation, names)
            recipe = case.recipe.with_blueprint(blueprint, name=f"output_activation={activation}")
            layer = f'keras.layers.{output.kind}({output.units}, activation="{activation}")  # layer "{output.name}"'
            study = {"model.output_activation": activation}
            found.append(Experiment(self.code, recipe, remedy=remedy, keras=layer, study=study))
        return found

    def unusual(self, case: Case) -> bool:
        # Of values on an ordinary scale: no other change gives back what an output cannot.
        if case.worst_output.name == "softmax":
            return True
        scaling = REGISTRY["data.scaling"].admit(case)
        return case.out_of_reach and not (scaling.admitted and scaling.has_sign)

    def _sigmoid(self, case: Case, output: LayerFacts) -> list[Experiment]:
        """Cross-entropy as the user has it, of an output that gives what it is defined for."""
        names = {layer.name for layer in case.architecture.outputs}
        blueprint = set_activations(case.recipe.source.blueprint, case.architecture, "sigmoid", names)
        own = case.recipe.step.own
        recipe = case.recipe if own else case.recipe.with_loss("bce")
        recipe = recipe.with_blueprint(blueprint, name="output_activation=sigmoid")
        layer = f'keras.layers.{output.kind}({output.units}, activation="sigmoid")  # layer "{output.name}"'
        return [
            Experiment(
                self.code,
                recipe,
                remedy="Give the last layer a sigmoid" + ("." if own else ", and compare by plain cross-entropy."),
                keras=layer if own else f"{layer}\n{compile_line(recipe)}",
                study={"model.output_activation": "sigmoid"},
            )
        ]

    def _within_reach(self, case: Case) -> list[Experiment]:
        """Rows from 0 to 1, for an output that gives these and cannot be changed in a copy of the model."""
        output, prepared = case.worst_output, case.recipe.preprocessing
        reaches = output.name != "softmax" and output.low <= 0 and output.high >= 1
        if not reaches or case.outside_share <= case.thresholds.outside_share:
            return []
        if prepared.get("scaling", "none") != "none":
            return []
        scope = "column" if case.is_table else "pooled"
        recipe = case.recipe.changed(
            name="scaling=minmax", preprocessing={**prepared, "scaling": "minmax", "scope": scope}
        )
        return [
            Experiment(
                self.code,
                recipe,
                remedy=(
                    f"Make the last layer linear, or bring the rows to what a {output.name} output gives: tried here "
                    "were rows from 0 to 1, since the layers of this model cannot be changed in a copy of it."
                ),
                keras=scaling_lines("minmax", scope, asked(case, recipe)),
                study={"preprocessing.scaling": "minmax"},
            )
        ]

    def _dense_behind(self, case: Case, output: LayerFacts) -> list[Experiment]:
        """A recurrent layer without its tanh blows up; a dense layer behind it reaches every value."""
        units = case.lab.shape[-1] if case.lab.parts is None else output.units
        blueprint = put_dense_behind(case.recipe.source.blueprint, output.name, units)
        # What is linear may leave 0 to 1, where cross-entropy ends.
        ends = _no_probabilities(case) and not case.recipe.step.own
        recipe = case.recipe.with_loss("mse") if ends else case.recipe
        recipe = recipe.with_blueprint(blueprint, name="output=dense")
        return [
            Experiment(
                self.code,
                recipe,
                remedy=f"Put a linear dense layer behind '{output.name}': a recurrent layer gives -1 to 1 only.",
                keras=f"keras.layers.TimeDistributed(keras.layers.Dense({units}))  # the last layer",
            )
        ]
