"""Every cause can be asked about any architecture: its experiments can be built, and say what they change."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.comparison.lab import Lab
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY, in_order
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.errors import ModelError
from aetfx.models.reading import read_architecture
from aetfx.models.serial import describe_model
from aetfx.training.recipe import Recipe, plain_optimizer
from aetfx.training.store import TrialStore
from aetfx.training.workshop import Workshop
from aetfx.validation.statistics import summarize
from tests.models import zoo

_WORKSHOP: list[Workshop] = []


def case_of(model, rows, epochs=2):
    import keras

    if not _WORKSHOP:
        _WORKSHOP.append(Workshop())
    shape = rows.shape[1:]
    recipe = Recipe(describe_model(model, shape), plain_optimizer(keras.optimizers.Adam(1e-3)), "mse", epochs, 32)
    names = summarize(rows.reshape(len(rows), -1)).names
    lab = Lab(
        rows=rows, eval_rows=None, fraction=0.25, seed=0, features="auto", declared_shape=len(shape) > 1, names=names,
        sentinels={}, fences=None, judge=None, store=TrialStore(None), workshop=_WORKSHOP[0],
    )  # fmt: skip
    lab.unit_seconds = lab.nominal_seconds(recipe)
    return Case(lab, recipe, lab.trial(recipe), Thresholds(), 0.3, [])


def rows_for(make, scale=1.0, n=80):
    shape = zoo.SHAPES[make]
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(n, 3)) @ rng.normal(size=(3, int(np.prod(shape))))
    return (scale * factors).reshape(n, *shape).astype(np.float32)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(zoo.unet, marks=pytest.mark.slow),
        pytest.param(zoo.bidirectional, marks=pytest.mark.slow),
        zoo.transformer,
        zoo.frames,
        zoo.tied,
    ],
)
def test_experiments_on_any_architecture_build_or_are_left_out(make):
    case = case_of(make(), rows_for(make))
    case.best_rate = (1e-3, {})  # a range test of a dozen rates, which is not the subject here
    built = 0
    for cause in in_order():
        assert cause.admit(case).evidence
        for experiment in cause.experiments(case):
            try:
                model = experiment.recipe.source.build()
            except ModelError:
                assert make is zoo.transformer
                assert "hidden" in experiment.recipe.name, "only widths can be tied to another branch"
                continue
            built += 1
            after, before = read_architecture(model, case.lab.shape), case.architecture
            for old, new in zip(before.layers, after.layers, strict=False):
                if old.recurrent:
                    assert new.activation == old.activation, f"{experiment.recipe.name} left the gates of {old.name}"
            if experiment.late:
                assert after.code_width > before.code_width
    assert built >= 3


def test_an_output_that_cannot_reach_the_rows_is_mended_in_every_form():
    expected = {
        zoo.tanh_out: ("output=dense", [("out", "tanh"), ("out_values", "linear")]),
        zoo.functions: ("output_activation=linear", [("back", "leaky_relu"), ("out", "linear")]),
    }
    for make, (name, tail) in expected.items():
        case = case_of(make(), rows_for(make, scale=5.0))
        cause = REGISTRY["model.output_activation"]
        assert cause.admit(case).admitted
        (experiment,) = cause.experiments(case)
        assert experiment.recipe.name == name
        found = read_architecture(experiment.recipe.source.build(), case.lab.shape)
        assert [(layer.name, layer.activation) for layer in found.layers[-2:]] == tail
        assert found.output_range.low == -np.inf


def test_an_activation_in_code_is_named_and_no_experiment_pretends_to_change_it():
    case = case_of(zoo.functions_in_call(), rows_for(zoo.functions_in_call, scale=5.0))
    cause = REGISTRY["model.output_activation"]
    admission = cause.admit(case)
    assert admission.admitted
    assert "sigmoid" in admission.evidence[0]
    assert {experiment.recipe.identity for experiment in cause.experiments(case)} <= {case.recipe.identity}


def test_what_is_computed_behind_the_last_layer_is_not_judged():
    case = case_of(zoo.rescaled(), rows_for(zoo.rescaled, scale=50.0))
    admission = REGISTRY["model.output_activation"].admit(case)
    assert not admission.admitted
    assert "behind its last layer" in admission.evidence[0]


def test_a_u_net_has_no_code_that_could_be_too_small():
    case = case_of(zoo.unet(), rows_for(zoo.unet))
    assert case.architecture.code_width is None
    assert case.pca is None
    cause = REGISTRY["model.capacity_too_small"]
    assert "skip connections carry the rows past" in cause.admit(case).evidence[0]
    assert cause.experiments(case) == []


@pytest.mark.slow
def test_gates_are_driven_to_their_ends_by_rows_off_scale():
    cause = REGISTRY["data.scaling"]
    near = case_of(zoo.bidirectional(), rows_for(zoo.bidirectional))
    assert not cause.admit(near).admitted
    far = case_of(zoo.bidirectional(), rows_for(zoo.bidirectional) + 400)
    assert "gates of recurrent layers" in cause.admit(far).evidence[0]
    assert far.pca is None
    assert set(far.sequence_scores) == {"last_value_score", "mean_sequence_score"}


def test_a_recurrent_layer_with_relu_is_given_its_tanh_back():
    import keras

    layers = [keras.layers.LSTM(8, "relu", name="code"), keras.layers.RepeatVector(5)]
    layers += [keras.layers.LSTM(8, "relu", return_sequences=True), keras.layers.Dense(3)]
    case = case_of(keras.Sequential([keras.Input((5, 3)), *layers]), rows_for(zoo.lstm))
    (experiment,) = REGISTRY["model.dead_units"].experiments(case)
    found = read_architecture(experiment.recipe.source.build(), (5, 3))
    assert [layer.activation for layer in found.layers] == ["tanh", "tanh", "linear"]
