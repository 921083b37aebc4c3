"""Models with several inputs or outputs as models of one flat row, and back.

The user's model stays whole inside: its layers keep their names, so that they are read and rewritten as in any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.data.parts import Part, Parts
from aetfx.errors import ModelError


@dataclass(frozen=True)
class Output:
    """One output of the user's model.

    Attributes:
      key: its key or place among the outputs, None for a single one.
      name: of the output as `compile(loss={...})` knows it.
      place: in the order in which Keras lists outputs.
      part: the part that it gives back, or None.
    """

    key: str | int | None
    name: str
    place: int
    part: str | None


@dataclass(frozen=True)
class Packed:
    """A model of one input and one output, made from the user's.

    Attributes:
      model: shares its layers and weights with the user's; not compiled.
      parts: of the flat row, with those that are given back; None where the model has one input.
      outputs: all outputs of the user's model.
    """

    model: Any
    parts: Parts | None
    outputs: tuple[Output, ...]


def pack_model(model: Any, parts: Parts) -> Packed:
    """Wraps a model with several inputs: flat rows in, flat rows out.

    Raises:
      ModelError: it does not take such parts, gives none of them back, or trains in a way of its own.
    """
    import keras

    from aetfx.models.packing_layers import Pack, Unpack

    name = type(model).__name__
    if type(model).train_step is not keras.Model.train_step:
        raise ModelError(
            f"{name} has several inputs and a train_step of its own, which is not supported together. "
            "Let it take one tensor and split that inside, or train with compile(loss=...)."
        )
    zeros = parts.structure([np.zeros((2, *part.shape), "float32") for part in parts.parts])
    told = ", ".join(f"'{part.name}' {part.shape}" for part in parts.parts)
    given = _leaves(_called(model, zeros, f"the inputs {told}"))
    outputs = _assigned(model, given, list(parts.parts))
    back = {output.part: output for output in outputs if output.part is not None}
    if not back:
        shapes = ", ".join(str(tuple(tensor.shape)[1:]) for _, tensor in given)
        raise ModelError(
            f"{name} gives back none of its inputs: outputs of shape {shapes} for the inputs {told}. "
            "An autoencoder's output must have the shape of its input."
        )
    parts = parts.with_scored(set(back))
    layout = [list(part.shape) for part in parts.parts], [part.start for part in parts.parts], parts.width
    rows = keras.Input((parts.width,), name="rows")
    conditions = [i for i, part in enumerate(parts.parts) if not part.scored]
    inputs = Unpack(*layout, conditions=conditions, name="unpack")(rows)
    found = dict(_leaves(model(parts.structure(inputs))))
    chosen = [found[back[part.name].key] for part in parts.scored]
    scored = [list(part.shape) for part in parts.scored], [part.start for part in parts.scored], parts.width
    return Packed(keras.Model(rows, Pack(*scored, name="pack")(chosen), name="packed"), parts, tuple(outputs))


def pick_output(model: Any, shape: tuple[int, ...]) -> Packed | None:
    """Wraps a model of one input and several outputs so that it gives the one that has the shape of a row.

    Returns:
      None where the model has one output only.

    Raises:
      ModelError: no output has the shape of a row.
    """
    import keras

    given = _leaves(_called(model, np.zeros((2, *shape), "float32"), f"rows of shape {shape}"))
    if len(given) == 1 and given[0][0] is None:
        return None
    outputs = _assigned(model, given, [Part("rows", tuple(shape), 0, int(np.prod(shape)))])
    chosen = next((output for output in outputs if output.part is not None), None)
    if chosen is None:
        shapes = ", ".join(str(tuple(tensor.shape)[1:]) for _, tensor in given)
        raise ModelError(
            f"{type(model).__name__} gives back {shapes} for rows of shape {shape}: none of its outputs has the "
            "shape of its input. Let one of them give the rows back."
        )
    if type(model).train_step is not keras.Model.train_step:
        raise ModelError(
            f"{type(model).__name__} has several outputs and a train_step of its own, which is not supported together. "
            "Let call() return the reconstruction alone."
        )
    rows = keras.Input(shape, name="rows")
    return Packed(keras.Model(rows, dict(_leaves(model(rows)))[chosen.key], name="picked"), None, tuple(outputs))


def unpack_model(model: Any, parts: Parts) -> Any:
    """Wraps a model of flat rows so that it takes and gives what the user's model does.

    What is not given back by the user's model is taken all the same, and left out of the output.
    """
    import keras

    from aetfx.models.packing_layers import Pack, Unpack

    inputs = [keras.Input(part.shape, dtype=model.input.dtype, name=_word(part.name)) for part in parts.parts]
    layout = [list(part.shape) for part in parts.parts], [part.start for part in parts.parts], parts.width
    rows = Pack(*layout, dtype=model.input.dtype, name="lay_side_by_side")(inputs)
    scored = [list(part.shape) for part in parts.scored], [part.start for part in parts.scored], parts.width
    given = Unpack(*scored, dtype=model.output.dtype, name="take_apart")(model(rows))
    named = {part.name: tensor for part, tensor in zip(parts.scored, given, strict=True)}
    outputs = named if parts.kind == "dict" else given
    return keras.Model(parts.structure(inputs), outputs if len(given) > 1 else given[0], name=f"parts_{model.name}")


def _called(model: Any, inputs: Any, what: str) -> Any:
    try:
        return model(inputs, training=False)
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"{type(model).__name__} does not take {what}: {(lines or ['no message'])[0][:240]}. "
            "Give x_train in the order, or under the names, of the model's inputs."
        ) from error


def _leaves(structure: Any) -> list[tuple[str | int | None, Any]]:
    """Returns (key, tensor) of an output that is a tensor, or a list, tuple or dictionary of them."""
    if isinstance(structure, dict):
        return [(str(key), value) for key, value in structure.items()]
    if isinstance(structure, list | tuple):
        return list(enumerate(structure))
    return [(None, structure)]


def _assigned(model: Any, given: list[tuple[str | int | None, Any]], parts: list[Part]) -> list[Output]:
    """Finds out which part each output gives back: by key, by place, by name, or by shape, in this order."""
    shapes = [tuple(int(size or 0) for size in tensor.shape[1:]) for _, tensor in given]
    names = list(getattr(model, "output_names", None) or [str(key) for key, _ in given])
    names = names if len(names) == len(given) else [str(key) for key, _ in given]
    found: dict[int, str] = {}
    left = {part.name: part for part in parts}
    in_place = len(given) == len(parts)

    def take(matches: Callable[[int, str | int | None, Part], bool]) -> None:
        for i, (key, _) in enumerate(given):
            fitting = [part.name for part in left.values() if part.shape == shapes[i] and matches(i, key, part)]
            if i not in found and fitting:
                found[i] = fitting[0]
                del left[fitting[0]]

    take(lambda i, key, part: part.name in (key, names[i]))
    take(lambda i, key, part: in_place and isinstance(key, int) and parts[i] is part)
    take(lambda i, key, part: True)
    order = {key: place for place, key in enumerate(sorted(str(key) for key, _ in given))}
    outputs = []
    for i, (key, _) in enumerate(given):
        by_key = isinstance(key, str)
        outputs.append(Output(key, str(key) if by_key else names[i], order[str(key)] if by_key else i, found.get(i)))
    return outputs


def _word(name: str) -> str:
    """Keras takes no slash in a name."""
    return name.replace("/", "_")
