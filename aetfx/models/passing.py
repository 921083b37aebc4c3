"""One pass of rows through an autoencoder, also through one that has no `call` of its own.

A model that trains itself (a VAE as Keras's examples write it) often defines `train_step` and no `call`. Its
reconstruction is then `decoder(encoder(rows))`, by its attributes of these names. Which of several outputs of the
encoder the decoder gets: the last of three or more (mean, spread, *draw*), the first of two (*mean*, spread); of
one output that is twice as wide as the decoder's input, the first half (the mean).

Terms: of several outputs of a `call` (rows, mean, spread) the *reconstruction* is the one with the shape of the
rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_PAIRS = (("encoder", "decoder"), ("enc", "dec"))


def has_call(model: Any) -> bool:
    """Whether a model, or what is made of a class, can be called: all can but subclasses that leave `call` out."""
    import keras

    return (model if isinstance(model, type) else type(model)).call not in (keras.Model.call, keras.Layer.call)


def halves(model: Any) -> tuple[Any, Any] | None:
    """Returns the model's encoder and decoder where its attributes (or nested models) of these names are layers."""
    import keras

    for names in _PAIRS:
        found = tuple(_part(model, name) for name in names)
        if all(isinstance(part, keras.Layer) for part in found):
            return found[0], found[1]
    return None


def reconstruct(model: Any, rows: Any, *, training: bool | None = False) -> Any:
    """Returns what the model makes of rows.

    Args:
      model: a Keras model, with or without `call`.
      rows: (n, *shape), an array, a tensor or a symbolic one.
      training: passed on to the layers; None leaves it to whoever calls a symbolic result.

    Returns:
      A tensor (n, *shape); or what `call` returned where not one of its outputs, and only one, has that shape.

    Raises:
      NotImplementedError: neither `call` nor an encoder and a decoder are there.
    """
    import keras

    if has_call(model):
        outputs = model(rows, training=training)
        return _like(outputs, tuple(rows.shape)[1:])
    parts = halves(model)
    if parts is None:
        raise NotImplementedError(
            f"{type(model).__name__} has no call(), and no attributes 'encoder' and 'decoder' that are layers"
        )
    encoder, decoder = parts
    return keras.tree.flatten(decoder(what_is_decoded(encoder(rows, training=training), decoder), training=training))[0]


def what_is_decoded(outputs: Any, decoder: Any) -> Any:
    """Chooses among an encoder's outputs the one that the decoder is fed (see the module's docstring)."""
    import keras

    listed = keras.tree.flatten(outputs)
    if len(listed) > 2:
        return listed[-1]
    first = listed[0]
    width = _input_width(decoder)
    if len(listed) == 1 and width is not None and first.shape[-1] == 2 * width:
        return first[..., :width]
    return first


def mean_and_spread(outputs: Any, decoder: Any) -> tuple[Any, Any] | None:
    """Returns the mean and the log-variance among an encoder's outputs: the first two of one shape, or two halves.

    Returns:
      None where the encoder gives no such pair.
    """
    import keras

    listed = keras.tree.flatten(outputs)
    if len(listed) > 1:
        return (listed[0], listed[1]) if tuple(listed[0].shape) == tuple(listed[1].shape) else None
    width = _input_width(decoder)
    if width is not None and listed[0].shape[-1] == 2 * width:
        return listed[0][..., :width], listed[0][..., width:]
    return None


def named_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yields (name, layer) for each layer at any depth: under its own name and each attribute that holds it."""
    import keras

    for layer in [model, *model._flatten_layers(include_self=False, recursive=True)]:
        if layer is not model:
            yield layer.name, layer
        for attribute, value in vars(layer).items():
            if isinstance(value, keras.Layer) and not attribute.startswith("_"):
                yield attribute, value


def _part(model: Any, name: str) -> Any:
    found = getattr(model, name, None)
    if found is None:
        found = next((layer for layer in model.layers if layer.name == name), None)
    return found


def _like(outputs: Any, shape: tuple[int, ...]) -> Any:
    """Returns the output with the shape of a row; all as they are where there is none, or several."""
    import keras

    if hasattr(outputs, "shape"):
        return outputs
    listed = [item for item in keras.tree.flatten(outputs) if tuple(getattr(item, "shape", ()))[1:] == shape]
    return listed[0] if len(listed) == 1 else outputs


def _input_width(decoder: Any) -> int | None:
    """Width of what a decoder takes, where it was built with one."""
    shape = getattr(decoder, "input_shape", None) if getattr(decoder, "built", False) else None
    if isinstance(shape, tuple) and shape and isinstance(shape[-1], int):
        return int(shape[-1])
    return None
