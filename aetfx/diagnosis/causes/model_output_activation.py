"""An output activation that cannot give the values that are asked of it."""

from __future__ import annotations

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.models.reading import LayerFacts
from aetfx.models.rewriting import put_dense_behind, set_activations
from aetfx.words import percent


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
        if case.outside_share <= case.thresholds.outside_share:
            return Admission.no(f"a {output.name} output can give {percent(1 - case.outside_share)} of the values")
        return Admission.yes(
            f"{percent(case.outside_share)} of the values as fed lie outside what a {output.name} output can give "
            f"({output.low:g} to {output.high:g})"
        )

    def experiments(self, case: Case) -> list[Experiment]:
        output = case.architecture.output
        if not case.rewritable or output is None:
            return []
        if output.recurrent:
            return self._dense_behind(case, output)
        missed = [layer for share, layer, *_ in case.outside if share > case.thresholds.outside_share]
        chosen = missed or [layer for layer in case.architecture.outputs if layer.activation == output.activation]
        output = chosen[0]
        blueprint = set_activations(
            case.recipe.source.blueprint, case.architecture, "linear", {layer.name for layer in chosen}
        )
        recipe = case.recipe.with_blueprint(blueprint, name="output_activation=linear")
        return [
            Experiment(
                self.code,
                recipe,
                remedy="Make the last layer linear.",
                keras=f'keras.layers.{output.kind}({output.units}, activation="linear")  # layer "{output.name}"',
                study={"model.output_activation": "linear"},
            )
        ]

    def _dense_behind(self, case: Case, output: LayerFacts) -> list[Experiment]:
        """A recurrent layer without its tanh blows up; a dense layer behind it reaches every value."""
        units = case.lab.shape[-1] if case.lab.parts is None else output.units
        blueprint = put_dense_behind(case.recipe.source.blueprint, output.name, units)
        recipe = case.recipe.with_blueprint(blueprint, name="output=dense")
        return [
            Experiment(
                self.code,
                recipe,
                remedy=f"Put a linear dense layer behind '{output.name}': a recurrent layer gives -1 to 1 only.",
                keras=f"keras.layers.TimeDistributed(keras.layers.Dense({units}))  # the last layer",
            )
        ]
