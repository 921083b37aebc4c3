"""Reading an architecture: where the code is, how wide the layers are, which activations they have.

Works on any Keras 3 model, because it watches one forward pass: every layer's output is seen,
nested or not, subclassed or not.

Terms: a *weighted* layer has a kernel (dense, convolution, recurrent). A *cut* is a layer through which all goes
that the output depends on: held fixed, it lets the output depend on nothing. The *code* is the narrowest weighted
layer before the output that is a cut; its width counts all values of its output, behind the pooling that follows.
A *hidden* layer is weighted and neither the code nor an output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.models.activations import OUTPUT_RANGES
from aetfx.models.cuts import find_code
from aetfx.models.drafts import Draft, draft_layers
from aetfx.models.serial import leaf_layers
from aetfx.models.tracing import drawn_weights, trace
from aetfx.validation.output_range import OutputRange

_OVER_TIME = ("Conv1D", "SeparableConv1D", "Conv1DTranspose", "MultiHeadAttention", "Attention", "AdditiveAttention")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")


@dataclass(frozen=True)
class LayerFacts:
    """One weighted layer.

    Attributes:
      name, kind: the layer's name and class name; of a wrapper (`Bidirectional`) the kind of what it wraps.
      units: its own width setting (units or filters).
      width: values per row in its output, behind the pooling that belongs to it.
      activation: effective activation, its own or that of an activation layer or function behind it.
      activation_layer: name of that separate layer, or None.
      last: name of the last layer whose output still belongs to it (activation, batch norm, pooling).
      n_weights: trainable parameters.
      resizable: another number of units is written in its configuration, and nothing behind fixes it.
      activation_fixed: the activation stands in code and cannot be changed.
      recurrent: whether it has gates and states, for which not every activation will do.
      keeps_shape: what it gives has the shape of what it takes.
    """

    name: str
    kind: str
    units: int
    width: int
    activation: str
    activation_layer: str | None
    last: str
    n_weights: int
    resizable: bool = True
    activation_fixed: bool = False
    recurrent: bool = False
    keeps_shape: bool = False


@dataclass(frozen=True)
class Architecture:
    """What reading found. `opaque` models have no weighted layer that can be seen.

    Attributes:
      layers: weighted layers in the order of the pass, those that give the output last.
      shape: of one row.
      n_parameters: all weights.
      kind: class of the model.
      has_batch_norm: whether some layer normalises over the batch.
      code_place: which of `layers` is the code; None where no layer is one.
      bypassed: skip connections carry the rows past every layer narrower than a row.
      n_outputs: how many of the last `layers` give an output.
      output_columns: for a model of flat rows of several parts, where in the row each output lies; else empty.
      output_seen: the output is what the last layer gives, and nothing is computed behind it.
      over_time: rows are sequences: recurrent layers, attention or convolutions run along their first axis.
      is_recurrent: some layer is recurrent.
    """

    layers: tuple[LayerFacts, ...]
    shape: tuple[int, ...]
    n_parameters: int
    kind: str
    has_batch_norm: bool
    code_place: int | None = None
    bypassed: bool = False
    n_outputs: int = 1
    output_columns: tuple[slice, ...] = ()
    output_seen: bool = True
    over_time: bool = False
    is_recurrent: bool = False

    @property
    def opaque(self) -> bool:
        return len(self.layers) < 2

    @property
    def inner(self) -> tuple[LayerFacts, ...]:
        """All layers but the outputs."""
        return self.layers[: len(self.layers) - self.n_outputs]

    @property
    def code(self) -> LayerFacts | None:
        """The narrowest layer through which everything goes; of equals the one nearest the middle."""
        return None if self.code_place is None else self.layers[self.code_place]

    @property
    def code_width(self) -> int | None:
        return self.code.width if self.code else None

    @property
    def hidden(self) -> tuple[LayerFacts, ...]:
        return tuple(layer for layer in self.inner if layer is not self.code)

    @property
    def repeated(self) -> tuple[LayerFacts, ...]:
        """Hidden dense and convolutional layers that follow one like them: without them the model is only less deep."""
        pairs = zip(self.inner, self.inner[1:], strict=False)
        return tuple(
            layer
            for before, layer in pairs
            if self.code not in (before, layer)
            and before.kind == layer.kind
            and layer.kind.startswith(("Dense", "Conv"))
            and layer.keeps_shape
        )

    @property
    def outputs(self) -> tuple[LayerFacts, ...]:
        return self.layers[len(self.layers) - self.n_outputs :]

    @property
    def output(self) -> LayerFacts | None:
        return self.layers[-1] if self.layers else None

    @property
    def output_range(self) -> OutputRange:
        """What the output can give; unbounded where that is not known, or differs between several outputs."""
        names = {layer.activation for layer in self.outputs} if self.output_seen else {"unknown"}
        return _range(names.pop() if len(names) == 1 else "linear")

    @property
    def output_ranges(self) -> list[tuple[LayerFacts, OutputRange, slice]]:
        """What each output can give, and in which columns of a flat row; one entry for a model of one output."""
        if not self.output_columns:
            return [(self.output, self.output_range, slice(None))] if self.output else []
        pairs = zip(self.outputs, self.output_columns, strict=True)
        return [(layer, _range(layer.activation if self.output_seen else "unknown"), here) for layer, here in pairs]

    @property
    def widths(self) -> str:
        """Widths from input to output, e.g. `30-16-8-16-30`."""
        numbers = [math.prod(self.shape), *(layer.width for layer in self.layers)]
        return "-".join(map(str, numbers))


def read_architecture(model: Any, shape: tuple[int, ...], *, code: bool = True) -> Architecture:
    """Reads a built model by watching a few forward passes over two rows, with weights drawn for the purpose.

    Args:
      model: a Keras model that aetfx built (its layers are hooked for the moment of the pass, and its weights are
        put back).
      shape: shape of one row.
      code: also look for the code, which takes several passes and draws from fixed seeds; without, there is none.
    """
    rows = np.random.default_rng(0).uniform(0.05, 0.95, (2, 2, *shape)).astype("float32")
    for layer in leaf_layers(model).values():
        for here in getattr(layer, "condition_columns", []):  # what is only given may pass the code by
            rows[1][:, here] = rows[0][:, here]
    with drawn_weights(model):
        drafts, n_outputs, seen = draft_layers(*trace(model, rows[0]), n_rows=len(rows[0]))
        inner = drafts[: len(drafts) - n_outputs]
        place, bypassed = find_code(model, rows, inner, math.prod(shape)) if code else (None, False)
    packing = [layer for layer in leaf_layers(model).values() if getattr(layer, "packs_outputs", False)]
    columns = packing[-1].columns if packing else []
    kinds = {type(layer).__name__ for layer in leaf_layers(model).values()}
    is_recurrent = any(kind in _RECURRENT for kind in kinds)
    return Architecture(
        layers=tuple(map(_facts, drafts)),
        shape=tuple(shape),
        n_parameters=model.count_params(),
        kind=type(model).__name__,
        has_batch_norm="BatchNormalization" in kinds,
        code_place=place,
        bypassed=bypassed,
        n_outputs=n_outputs,
        output_columns=tuple(columns) if len(columns) == n_outputs else (),
        output_seen=seen,
        over_time=len(shape) == 2 and (is_recurrent or any(kind in _OVER_TIME for kind in kinds)),
        is_recurrent=is_recurrent,
    )


def layer_outputs(
    model: Any, rows: np.ndarray, only: str | None = None, *, training: bool = False
) -> dict[str, np.ndarray]:
    """Runs the model on rows (n, *shape) and returns what each leaf layer gave, in the order of the pass.

    Args:
      model: a built Keras model; its layers are hooked during the call and left as they were.
      rows: float32 rows as fed.
      only: keep this layer's output only.
      training: as in training (dropout, batch statistics), not as in inference.

    Returns:
      The first output of each layer by name; of a layer that is used again, that of its last use.
    """
    calls, _ = trace(model, rows, only=only, training=training)
    return {call.name: call.values for call in calls}


def _range(name: str) -> OutputRange:
    low, high = OUTPUT_RANGES.get(name, (-math.inf, math.inf))
    return OutputRange(low, high, name)


def _facts(draft: Draft) -> LayerFacts:
    return LayerFacts(
        name=draft.name,
        kind=draft.kind,
        units=draft.units,
        width=draft.width,
        activation=draft.activation,
        activation_layer=draft.activation_layer,
        last=draft.last,
        n_weights=draft.n_weights,
        resizable=draft.resizable,
        activation_fixed=draft.activation_fixed,
        recurrent=draft.recurrent,
        keeps_shape=draft.keeps_shape,
    )
