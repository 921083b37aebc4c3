"""aetfx.models.precision: which layers compute in half precision, and that the loss is scaled where it has to be."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from aetfx.models.families import build
from aetfx.models.precision import dtype_policy
from aetfx.models.serial import describe_model

DENSE = keras.layers.Dense


@keras.saving.register_keras_serializable("test_precision")
class Halves(keras.Model):
    """Makes its layers itself, so that no description holds them."""

    def __init__(self, units=3, **others):
        super().__init__(**others)
        self.units, self.down, self.up = units, DENSE(units, "relu"), DENSE(6)

    def call(self, rows):
        return self.up(self.down(rows))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def types_of(model):
    """Name of each layer with weights to the type that it computes in."""
    found = model._flatten_layers(include_self=False, recursive=True)
    return {layer.name: str(layer.compute_dtype) for layer in found if layer.weights and not hasattr(layer, "layers")}


@pytest.mark.parametrize(
    ("family", "shape", "last"),
    [
        ("dense", (6,), ["output"]),
        ("dense", (4, 4), ["output"]),
        ("conv", (8, 8), ["output"]),
        ("conv", (9, 9, 3), ["output"]),
        ("tcn", (6, 2), ["output"]),
        ("lstm", (6, 2), ["output", "dense"]),
        ("vae", (6,), ["output"]),
    ],
    ids=str,
)
def test_all_but_what_makes_the_output_is_in_half_precision(family, shape, last):
    source = describe_model(build(family, shape, {}), shape)
    model = source.with_precision("mixed_float16").build()
    types = types_of(model)
    full = {name for name, kind in types.items() if kind == "float32"}
    assert full == {name for name in types if any(name.startswith(word) for word in last)} != set(types)
    assert model(np.zeros((2, *shape), "float32")).dtype == "float32"
    model.compile("adam", "mse")
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    assert keras.config.dtype_policy().name == "float32"


def test_a_model_within_a_model_keeps_its_own_output():
    decoder = keras.Sequential([keras.Input((2,)), DENSE(5, "relu", name="a"), DENSE(6, name="b")], name="decoder")
    model = keras.Sequential([keras.Input((6,)), DENSE(2, name="code"), decoder])
    types = types_of(describe_model(model, (6,)).with_precision("mixed_bfloat16").build())
    assert types == {"code": "bfloat16", "a": "bfloat16", "b": "float32"}


def test_layers_that_stand_in_no_description_are_in_half_precision_too():
    model = Halves()
    model(np.zeros((2, 6), "float32"))
    source = describe_model(model, (6,))
    assert set(types_of(source.with_precision("mixed_bfloat16").build()).values()) == {"bfloat16"}
    assert source.with_precision("mixed_bfloat16").identity != source.identity


def test_the_global_policy_is_put_back():
    with pytest.raises(KeyError), dtype_policy("mixed_float16"):
        raise KeyError
    assert keras.config.dtype_policy().name == "float32"
