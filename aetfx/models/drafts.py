"""From the calls of a forward pass to its weighted layers, with all that belongs to each.

Terms: the *tip* of a weighted layer is the tensor that it gives in the end, behind its activation, normalisation and
pooling. A call belongs to the layer whose tip it takes. Where a function in the user's code stands between two
layers, it is found by its values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.models.activations import activation_between, activation_name, activation_of_call
from aetfx.models.tracing import Call, first_tensor, tensors_in

_PASSIVE = (
    "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization",
    "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D", "SpatialDropout2D",
    "SpatialDropout3D", "ActivityRegularization", "Identity",
)  # fmt: skip
_SHAPING = ("Flatten", "Permute", "Cropping", "ZeroPadding", "UpSampling", "RepeatVector", "Squeeze", "ExpandDims")
_FIXED_SIZE = ("Reshape",)
_MERGES = ("Add", "Average", "Subtract")
_NO_KERNEL = (
    "Embedding",
    "Normalization",
    "MultiHeadAttention",
    "GroupedQueryAttention",
    "GroupQueryAttention",
    "PReLU",
)
_LOOKED_BACK = 4  # weighted layers behind which a function in code is looked for


@dataclass
class Draft:
    """A weighted layer while the calls are gone through; attributes as in `LayerFacts`, and the tip.

    `changed_behind` says that more than its activation decides what the tip can be.
    """

    name: str
    kind: str
    units: int
    width: int
    activation: str
    n_weights: int
    last: str
    tip: Any
    resizable: bool
    recurrent: bool
    activation_fixed: bool
    keeps_shape: bool
    activation_layer: str | None = None
    changed_behind: bool = False


def draft_layers(calls: Sequence[Call], output: Any, n_rows: int) -> tuple[list[Draft], int, bool]:
    """Finds the weighted layers.

    Args:
      calls: of a pass.
      output: what the model gave.
      n_rows: rows of that pass.

    Returns:
      The layers in the order of the pass, those that give an output last; how many these are; and whether the
      output is what they give.
    """
    drafts: list[Draft] = []
    used = {id(tensor) for call in calls for tensor in call.inputs} | {id(tensor) for tensor in tensors_in(output)}
    for call in calls:
        owner = _owner(drafts, call.inputs[0]) if call.inputs else None
        known = next((draft for draft in drafts if draft.name == call.name), None)
        if known is not None:
            known.tip = first_tensor(call.output)
        elif _is_weighted(call):
            drafts.append(_draft(call, used, n_rows))
        elif owner is not None:
            _attach(owner, call, n_rows)
    packed = [call.inputs for call in calls if getattr(call.layer, "packs_outputs", False)]
    finals = packed[-1] if packed else tensors_in(output)[:1]
    owners = [_owner(drafts, tensor) for tensor in finals]
    seen = bool(owners) and all(owner is not None and not owner.changed_behind for owner in owners)
    outputs = list({id(owner): owner for owner in owners if owner is not None}.values()) or drafts[-1:]
    if not seen:
        for draft in outputs:  # something is computed behind it, so that its activation is not the model's
            draft.activation_fixed = True
    inner = [draft for draft in drafts if not any(draft is other for other in outputs)]
    return [*inner, *outputs], len(outputs), seen


def wrapped(layer: Any) -> Any:
    """Returns what a wrapper of Keras (`Bidirectional`, `SpectralNormalization`, `RNN`) wraps, or the layer itself."""
    import keras

    if isinstance(layer, keras.layers.Bidirectional):
        return wrapped(layer.forward_layer)
    if isinstance(layer, keras.layers.Wrapper):
        return wrapped(layer.layer)
    return layer.cell if type(layer) is keras.layers.RNN else layer


def _is_weighted(call: Call) -> bool:
    layer = call.layer
    weights = getattr(layer, "weights", [])
    if not weights or type(layer).__name__ in _NO_KERNEL or type(layer).__name__ in _PASSIVE:
        return False
    inner = wrapped(layer)
    if getattr(inner, "units", None) or getattr(inner, "filters", None):
        return True
    return any(len(weight.shape) > 1 for weight in weights)


def _draft(call: Call, used: set[int], n_rows: int) -> Draft:
    import keras

    layer, inner = call.layer, wrapped(call.layer)
    units = getattr(inner, "units", None) or getattr(inner, "filters", None)
    recurrent = isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)
    frozen = not layer.trainable_weights
    activation = activation_name(inner)
    if getattr(layer, "merge_mode", None) == "sum":
        activation = f"sum of two {activation}"
    return Draft(
        name=call.name,
        kind=type(inner).__name__,
        units=int(units or call.values.shape[-1]),
        width=_width(call, recurrent, used) // n_rows,
        activation=activation,
        n_weights=sum(math.prod(weight.shape) for weight in layer.trainable_weights),
        last=call.name,
        tip=first_tensor(call.output),
        resizable=not frozen and _says(inner, ("units", "filters")),
        recurrent=recurrent,
        activation_fixed=frozen or not _says(inner, ("activation",)),
        keeps_shape=bool(call.inputs) and tuple(call.inputs[0].shape) == call.values.shape,
    )


def _width(call: Call, recurrent: bool, used: set[int]) -> int:
    """Values that a layer hands on; of a recurrent layer that gives its states, those that are used."""
    tensors = tensors_in(call.output)
    taken = [tensor for tensor in tensors if id(tensor) in used]
    if not recurrent or len(tensors) == 1 or not taken:
        return call.values.size
    distinct: list[np.ndarray] = []
    for tensor in taken:
        values = np.asarray(tensor)
        if not any(values.shape == other.shape and np.array_equal(values, other) for other in distinct):
            distinct.append(values)
    return sum(values.size for values in distinct)


def _says(layer: Any, keys: tuple[str, ...]) -> bool:
    """Whether a layer's configuration holds one of some keys."""
    try:
        return any(key in layer.get_config() for key in keys)
    except Exception:  # a layer of the user's own may not be able to describe itself
        return False


def _owner(drafts: list[Draft], tensor: Any) -> Draft | None:
    """Returns the layer whose tip a tensor is; one that a function in code was applied to gets that activation."""
    for draft in reversed(drafts):
        if draft.tip is tensor:
            return draft
    for draft in reversed(drafts[-_LOOKED_BACK:]):
        found = activation_between(np.asarray(draft.tip), np.asarray(tensor))
        if found == "linear":
            draft.tip = tensor
            return draft
        if found is not None and draft.activation == "linear":
            draft.activation, draft.activation_fixed, draft.tip = found, True, tensor
            return draft
    return None


def _attach(draft: Draft, call: Call, n_rows: int) -> None:
    """Lets an activation, normalisation, pooling or reshaping belong to the weighted layer before it."""
    kind, output = type(call.layer).__name__, first_tensor(call.output)
    activation = activation_of_call(call.layer)
    if activation is not None:
        if draft.activation == "linear":
            draft.activation, draft.activation_layer = activation, call.name
        elif activation != "linear":
            draft.changed_behind = True
        draft.last = call.name
    elif kind in _PASSIVE:
        draft.changed_behind |= kind.endswith("Normalization") and draft.activation != "linear"
        draft.last = call.name
    elif "Pooling" in kind:
        draft.width, draft.last = int(np.prod(output.shape)) // n_rows, call.name
    elif kind.startswith(_FIXED_SIZE):
        draft.resizable = False
    elif kind in _MERGES:
        if draft.activation != "linear":
            return
    elif not kind.startswith(_SHAPING):
        found = activation_between(np.asarray(draft.tip), np.asarray(output))
        if found is None or draft.activation != "linear":
            return
        draft.activation, draft.activation_fixed, draft.last = found, found != "linear", call.name
    draft.tip = output
