"""Conformance of every registered cause: one suite that a new file in aetfx/diagnosis/causes/ is run through."""

from __future__ import annotations

import copy
import dataclasses
import functools

import keras
import numpy as np
import pytest

from aetfx.comparison.lab import Lab
from aetfx.data.targets import SAME, relation
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes import REGISTRY, in_order
from aetfx.diagnosis.causes.data_missing import _filling_lines
from aetfx.diagnosis.causes.data_too_few_rows import times_the_rows
from aetfx.diagnosis.causes.keras_code import compile_line, fit_line, scaling_lines
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.evaluation.separation import told_apart
from aetfx.models.families import build as build_family
from aetfx.models.reading import read_architecture
from aetfx.models.serial import describe_model, dictionaries
from aetfx.training.recipe import Recipe, plain_optimizer
from aetfx.training.store import TrialStore
from aetfx.training.workshop import Workshop
from aetfx.validation.checks import run_checks
from aetfx.validation.checks.missing import find_sentinels
from aetfx.validation.checks.outliers import inner_fences
from aetfx.validation.statistics import summarize

VOCABULARY = {
    "code.target_mismatch", "code.train_eval_preprocessing_mismatch", "data.scaling", "data.missing", "data.outliers",
    "data.constant_features", "data.train_eval_shift", "data.too_few_rows", "model.capacity_too_small",
    "model.capacity_too_large",
    "model.linear_activations", "model.output_activation", "loss.mismatch", "optimizer.learning_rate_too_high",
    "optimizer.learning_rate_too_low", "optimizer.batch_size", "optimizer.undertrained", "optimizer.choice",
    "model.dead_units", "model.initialization", "model.regularization",
}  # fmt: skip


class Stocked(Workshop):
    """A workshop that lets nothing go: a compiled program serves all cases of a file that differ in numbers only."""

    most_kept = 64


_WORKSHOP = Stocked()


def make_case(
    rows: np.ndarray, *, hidden=(12,), code=3, activation="relu", output="linear", optimizer="adam", rate=1e-3,
    loss="mse", epochs=5, batch_size=16, target=0.3, edit=lambda blueprint: blueprint, evaluation=None, targets=None,
    **recipe_fields,
) -> Case:  # fmt: skip
    """Trains a small dense autoencoder on rows, or from rows to targets, and opens the case."""
    import keras

    model = build_family(
        "dense",
        rows.shape[1:],
        {"hidden": hidden, "bottleneck": code, "activation": activation, "output_activation": output},
    )
    chosen = keras.optimizers.get(optimizer)
    chosen.learning_rate = rate
    source = describe_model(model, rows.shape[1:])
    source = source.with_blueprint(edit(source.blueprint))
    recipe = Recipe(source, plain_optimizer(chosen), loss, epochs, batch_size, **recipe_fields)
    return open_case(recipe, rows, target, evaluation=evaluation, targets=targets)


def open_case(recipe: Recipe, rows: np.ndarray, target: float = 0.3, *, evaluation=None, targets=None) -> Case:
    """Trains a recipe once and opens the case."""
    statistics = summarize(rows)
    findings = run_checks({"train": statistics})
    outliers = any(f.code == "data.outliers" for f in findings)
    separation = None if evaluation is None else told_apart(rows, evaluation)
    lab = Lab(
        rows=rows,
        eval_rows=evaluation,
        fraction=0.25,
        seed=0,
        features="auto",
        declared_shape=False,
        names=statistics.names,
        sentinels=find_sentinels(statistics),
        fences=inner_fences(statistics) if outliers else None,
        judge="inliers" if outliers else None,
        store=TrialStore(None),
        workshop=_WORKSHOP,
        targets=targets,
        relation=SAME if targets is None else relation(rows, targets),
        separation=separation,
        reserve=separation is not None and separation.low > Thresholds().shift_auc,
    )
    lab.unit_seconds = lab.nominal_seconds(recipe)
    return Case(lab, recipe, lab.trial(recipe), Thresholds(), target, findings)


RNG = np.random.default_rng(0)
PLANE = RNG.normal(size=(160, 3)) @ RNG.normal(size=(3, 8)) + 0.1 * RNG.normal(size=(160, 8))
ANGLE = RNG.uniform(-2, 2, size=(400, 1))
CURVE = np.concatenate([np.sin(ANGLE * k) for k in (1, 2, 3)] + [np.cos(ANGLE * k) for k in (1, 2, 3)], axis=1)
BINARY = (RNG.random((160, 20)) < 0.04).astype(float)


def with_still_columns(rows: np.ndarray, n: int = 4) -> np.ndarray:
    """Rows with further columns that stand at 5 but for one row in fifty."""
    still = np.where(np.random.default_rng(2).random((len(rows), n)) < 0.02, 6.0, 5.0)
    return np.concatenate([rows, still], axis=1)


def with_cells(rows: np.ndarray, share: float, value) -> np.ndarray:
    changed = rows.copy()
    cells = np.random.default_rng(1).random(rows.shape) < share
    changed[cells] = value if np.isscalar(value) else value(int(cells.sum()))
    return changed


def layers_with(**settings):
    """An edit of a blueprint: the dense layers but the last get these settings."""

    def edit(blueprint):
        changed = copy.deepcopy(blueprint)
        for node in dictionaries(changed):
            if node.get("class_name") == "Dense" and node["config"]["name"] != "output":
                node["config"].update(settings)
        return changed

    return edit


def output_bias(value):
    """An edit of a blueprint: the biases of the output start here."""

    def edit(blueprint):
        changed = copy.deepcopy(blueprint)
        for node in dictionaries(changed):
            if node.get("class_name") == "Dense" and node["config"]["name"] == "output":
                node["config"]["bias_initializer"]["class_name"] = "Constant"
                node["config"]["bias_initializer"]["config"] = {"value": value}
        return changed

    return edit


def penalty(**factors):
    return {"module": "keras.regularizers", "class_name": "L1L2", "config": factors, "registered_name": None}


def with_dropout(rate, behind="code"):
    """An edit of a blueprint: a dropout layer behind the code, or behind the layer of that number."""

    def edit(blueprint):
        changed = copy.deepcopy(blueprint)
        layers = changed["config"]["layers"]
        names = [layer["config"].get("name") for layer in layers]
        place = behind if isinstance(behind, int) else names.index(behind)
        config = {"name": "dropout", "rate": rate}
        layers.insert(
            place + 1, {"module": "keras.layers", "class_name": "Dropout", "config": config, "registered_name": None}
        )
        return changed

    return edit


def subclass(width: int):
    import keras

    @keras.saving.register_keras_serializable("test_causes")
    class Own(keras.Model):
        def __init__(self, width: int, **kwargs):
            super().__init__(**kwargs)
            self.width, self.down, self.up = width, keras.layers.Dense(2), keras.layers.Dense(width)

        def call(self, x):
            return self.up(self.down(x))

        def get_config(self):
            return {**super().get_config(), "width": self.width}

    made = Own(width)
    made(np.zeros((1, width), np.float32))
    return made


def one_layer(width: int):
    import keras

    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(width)])


def convolutions(width: int):
    import keras

    layers = [keras.layers.Reshape((width, 1)), keras.layers.Conv1D(4, 3, padding="same", activation="relu")]
    layers += [keras.layers.Conv1D(1, 3, padding="same"), keras.layers.Reshape((width,))]
    return keras.Sequential([keras.Input((width,)), *layers])


MODELS = {"one layer": one_layer, "a subclass": subclass, "convolutions": convolutions}


@functools.cache
def plain() -> Case:
    """A case in which nothing stands out, trained once for all that only look at it."""
    return make_case(PLANE)


@functools.cache
def trained_long() -> Case:
    """The same, trained until its loss has settled."""
    return make_case(PLANE, rate=1e-2, epochs=150)


@functools.cache
def known_by_heart() -> Case:
    """A large model that knows its few rows by heart."""
    return make_case(RNG.normal(size=(60, 8)), hidden=(128, 128), code=7, epochs=250, batch_size=8)


# For each cause: a case that admits it, and one that does not.
STANDARD = {"scaling": "standard", "scope": "column"}
ADMITTED = {
    "code.target_mismatch": lambda: make_case(PLANE, targets=PLANE[::-1].copy()),
    "code.train_eval_preprocessing_mismatch": lambda: make_case(PLANE[:90], evaluation=PLANE[90:] * 255),
    "data.constant_features": lambda: make_case(with_still_columns(PLANE), preprocessing=STANDARD),
    "data.train_eval_shift": lambda: make_case(PLANE[:90], evaluation=PLANE[90:] * np.linspace(0.2, 3, 8)),
    "data.too_few_rows": known_by_heart,
    "data.scaling": lambda: make_case(PLANE * np.logspace(-2, 3, 8)),
    "data.missing": lambda: make_case(with_cells(PLANE, 0.05, np.nan)),
    "data.outliers": lambda: make_case(with_cells(PLANE, 0.004, lambda n: 1e4 * np.linspace(1, 2, n))),
    "model.capacity_too_small": lambda: make_case(PLANE, hidden=(1,), code=1, epochs=60, target=0.05),
    "model.capacity_too_large": known_by_heart,
    "model.linear_activations": lambda: make_case(CURVE, hidden=(16, 16), code=1, activation="linear", epochs=20),
    "model.output_activation": lambda: make_case(PLANE, output="sigmoid"),
    "loss.mismatch": lambda: make_case(BINARY),
    "optimizer.learning_rate_too_high": lambda: make_case(PLANE, rate=3.0, epochs=20),
    "optimizer.learning_rate_too_low": lambda: make_case(PLANE, rate=1e-6),
    "optimizer.batch_size": lambda: make_case(PLANE, batch_size=160),
    "optimizer.undertrained": lambda: make_case(PLANE, epochs=2),
    "optimizer.choice": lambda: make_case(PLANE, optimizer="adadelta", epochs=10),
    "model.dead_units": lambda: make_case(PLANE, rate=0.3, epochs=20),
    "model.initialization": lambda: make_case(PLANE, edit=layers_with(kernel_initializer="zeros")),
    "model.regularization": lambda: make_case(PLANE, epochs=60, edit=layers_with(activity_regularizer=penalty(l1=5.0))),
}
NOT_ADMITTED = {
    "code.target_mismatch": lambda: make_case(PLANE + RNG.normal(size=PLANE.shape), targets=PLANE),
    "code.train_eval_preprocessing_mismatch": lambda: make_case(
        PLANE[:90], evaluation=PLANE[90:] * np.linspace(0.2, 3, 8)
    ),
    "data.constant_features": lambda: make_case(with_still_columns(PLANE)),
    "data.train_eval_shift": lambda: make_case(PLANE[:90], evaluation=PLANE[90:]),
    "data.too_few_rows": plain,
    "data.scaling": plain,
    "data.missing": plain,
    "data.outliers": lambda: make_case(np.exp(PLANE / PLANE.std(axis=0))),
    "model.capacity_too_small": lambda: make_case(PLANE, code=3, hidden=(32,), epochs=150, rate=3e-3),
    "model.capacity_too_large": plain,
    "model.linear_activations": lambda: make_case(PLANE, activation="linear"),
    "model.output_activation": plain,
    "loss.mismatch": plain,
    # Learnt by heart: the loss wobbles on its floor, and a lower rate would help by learning less.
    "optimizer.learning_rate_too_high": lambda: make_case(
        RNG.normal(size=(60, 8)), hidden=(128, 128), code=7, epochs=400, batch_size=8, rate=2e-3
    ),
    "optimizer.learning_rate_too_low": trained_long,
    "optimizer.batch_size": plain,
    "optimizer.undertrained": trained_long,
    "optimizer.choice": lambda: make_case(PLANE, optimizer="rmsprop", epochs=2),
    "model.dead_units": lambda: make_case(PLANE, hidden=(32,), epochs=100),
    "model.initialization": lambda: make_case(PLANE, hidden=(64,), code=2),
    "model.regularization": lambda: make_case(
        PLANE, rate=1e-2, epochs=60, edit=layers_with(activity_regularizer=penalty(l1=1e-6))
    ),
}
# What an experiment of a cause may change in a recipe, beside its name.
MAY_CHANGE = {
    "code.target_mismatch": {"target"},
    "code.train_eval_preprocessing_mismatch": {"rows"},
    "data.constant_features": {"preprocessing", "masked_loss"},
    "data.train_eval_shift": {"rows"},
    "data.too_few_rows": {"rows", "epochs"},
    "data.scaling": {"preprocessing"},
    "data.missing": {"preprocessing", "masked_loss"},
    "data.outliers": {"preprocessing", "loss"},
    "model.capacity_too_small": {"source"},
    "model.capacity_too_large": {"source", "early_stopping"},
    "model.linear_activations": {"source"},
    "model.output_activation": {"source"},
    "loss.mismatch": {"loss", "source"},
    "optimizer.learning_rate_too_high": {"optimizer"},
    "optimizer.learning_rate_too_low": {"optimizer"},
    "optimizer.batch_size": {"batch_size", "epochs"},
    "optimizer.undertrained": {"epochs"},
    "optimizer.choice": {"optimizer"},
    "model.dead_units": {"source"},
    "model.initialization": {"source"},
    "model.regularization": {"source", "optimizer", "objective"},
}


RECIPE_FIELDS = (
    "optimizer", "loss", "epochs", "batch_size", "preprocessing", "masked_loss", "early_stopping", "target", "rows",
    "step", "objective",
)  # fmt: skip


def test_the_code_to_paste_keeps_what_the_optimizer_was_given():
    sgd = plain_optimizer(keras.optimizers.SGD(0.5, momentum=0.9, clipnorm=1.0))
    line = compile_line(plain().recipe.changed(optimizer=sgd).with_learning_rate(0.05))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    exec(line)
    given = plain_optimizer(model.optimizer)["config"]
    assert (given["learning_rate"], given["momentum"], given["clipnorm"]) == (0.05, 0.9, 1.0)


@pytest.mark.parametrize("earlier", [{}, STANDARD, {"missing": "median"}])
def test_the_code_of_a_later_step_goes_on_from_that_of_the_step_before(earlier):
    rows = PLANE * np.logspace(-2, 3, 8)
    rows[3, 2] = np.nan if "missing" in earlier else rows[3, 2]
    first = make_case(rows)
    made = {"scaling": scaling_lines("standard", "column", "x"), "missing": _filling_lines(first)}
    later = dataclasses.replace(plain(), recipe=plain().recipe.changed(preprocessing=earlier), step=2)
    fitted = []

    class Stub:
        def fit(self, *rows, **arguments):
            fitted.append((*rows, arguments))

        def compile(self, *arguments, **keywords):
            pass

        def predict(self, x):
            return x

    known = {"np": np, "keras": keras, "x_train": rows.copy(), "x": rows, "model": Stub()}
    for key in earlier.keys() & made.keys():
        exec(made[key].replace(", ...)", ")").replace("(..., ", "("), known)
    exec(fit_line(later, later.recipe.changed(epochs=80)), known)
    fed, asked, arguments = fitted[-1]
    assert arguments["epochs"] == 80
    assert np.isfinite(fed).all()
    if earlier:
        np.testing.assert_array_equal(fed, fitted[0][0])
        np.testing.assert_array_equal(asked, fitted[0][1])
    else:
        assert fed is known["x_train"]


@pytest.mark.parametrize(("output", "tried"), [("relu", ["scaling=minmax"]), ("softmax", []), ("linear", [])])
def test_rows_are_brought_to_an_output_that_cannot_be_changed(output, tried):
    case = make_case(PLANE, output=output)
    source = dataclasses.replace(case.recipe.source, blueprint={}, factory=case.recipe.source.build)
    fixed = dataclasses.replace(case, recipe=dataclasses.replace(case.recipe, source=source))
    assert not fixed.rewritable
    found = REGISTRY["model.output_activation"].experiments(fixed)
    assert [experiment.recipe.name for experiment in found] == tried
    assert all("cannot be changed in a copy" in experiment.remedy for experiment in found)


def test_the_registry_is_the_vocabulary():
    assert set(REGISTRY) == VOCABULARY == set(ADMITTED) == set(NOT_ADMITTED) == set(MAY_CHANGE)
    orders = [cause.order for cause in in_order()]
    assert orders == sorted(set(orders)), "two causes share a rank, so that ties have no winner"


@pytest.mark.parametrize("code", sorted(VOCABULARY))
def test_an_admitted_cause_has_evidence_and_experiments(code):
    case = ADMITTED[code]()
    cause = REGISTRY[code]
    admission = cause.admit(case)
    assert admission.admitted, admission.evidence
    assert all(len(sentence) > 15 for sentence in admission.evidence)
    experiments = cause.experiments(case)
    assert experiments
    names = [experiment.recipe.name for experiment in experiments]
    assert len(set(names)) == len(names)
    for experiment in experiments:
        assert experiment.code == code
        assert experiment.remedy.endswith(".")
        assert experiment.keras.strip()
        assert max(map(len, experiment.keras.splitlines())) <= 110
        assert experiment.recipe.identity != case.recipe.identity
        changed = {name for name in RECIPE_FIELDS if getattr(experiment.recipe, name) != getattr(case.recipe, name)}
        changed |= {"source"} if experiment.recipe.source.identity != case.recipe.source.identity else set()
        assert changed
        assert changed <= MAY_CHANGE[code]
        experiment.recipe.source.build()


@pytest.mark.parametrize("code", sorted(NOT_ADMITTED))
def test_a_cause_without_its_sign_is_not_admitted(code):
    case = NOT_ADMITTED[code]()
    admission = REGISTRY[code].admit(case)
    assert not admission.admitted, admission.evidence
    assert admission.evidence[0]


@pytest.mark.parametrize("rows", [PLANE, BINARY], ids=["table", "binary"])
@pytest.mark.parametrize("build", ["no hidden layer", "one layer", "a subclass", "convolutions"])
def test_every_experiment_can_be_asked_of_any_model(build, rows):
    """Where nothing explains a bad score, the experiments of causes that were not admitted are opened too."""
    case = make_case(rows, epochs=1, hidden=())
    if build != "no hidden layer":
        source = describe_model(MODELS[build](rows.shape[1]), rows.shape[1:])
        recipe = case.recipe.changed(source=source)
        case = Case(case.lab, recipe, case.lab.trial(recipe), case.thresholds, case.target, case.findings)
    for cause in in_order():
        cause.admit(case)
        for experiment in cause.experiments(case):
            experiment.recipe.source.build()


def test_a_calm_learning_rate_is_named_only_when_a_third_and_a_tenth_gain():
    case = make_case(PLANE, epochs=3)
    cause = REGISTRY["optimizer.learning_rate_too_high"]
    assert not cause.may_be_named(trained_long(), {"a": 0.5}), "one of them may be chance"
    assert cause.may_be_named(make_case(PLANE, rate=1e-9, epochs=1), {"a": 0.5}), "it is not that leaves the mean"
    assert not cause.may_be_named(case, {"a": 0.3, "b": 0.02})
    assert cause.may_be_named(case, {"a": 0.3, "b": 0.2})


def test_scaling_of_pixels_is_pooled_and_of_columns_is_not():
    pixels = RNG.random((120, 16)) * 255
    images = make_case(pixels, output="sigmoid", epochs=2)
    assert REGISTRY["data.scaling"].experiments(images)[0].recipe.preprocessing["scope"] == "pooled"
    table = make_case(PLANE * np.logspace(-2, 3, 8), epochs=2)
    assert REGISTRY["data.scaling"].experiments(table)[0].recipe.preprocessing["scope"] == "column"


@pytest.mark.parametrize(
    ("means", "sd", "scopes"),
    [
        (np.linspace(0, 200, 16), np.full(16, 20.0), ["pooled", "column"]),
        (np.linspace(0, 40, 16), np.full(16, 20.0), ["pooled"]),
        (np.linspace(0, 200, 16), np.r_[1.0, np.full(15, 20.0)], ["pooled"]),
    ],
    ids=["rows that share a picture", "rows that do not", "one value nearly still"],
)
def test_what_rows_share_is_taken_from_each_value(means, sd, scopes):
    case = make_case(means + sd * RNG.normal(size=(120, 16)), output="sigmoid", epochs=2)
    found = REGISTRY["data.scaling"].experiments(case)
    assert [experiment.recipe.preprocessing["scope"] for experiment in found] == scopes
    assert len({experiment.recipe.name for experiment in found}) == len(found)
    assert ["axis=0" in experiment.keras for experiment in found] == [scope == "column" for scope in scopes]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (layers_with(kernel_initializer={"class_name": "Constant", "config": {"value": 0.5}}), "start as 0.5"),
        (layers_with(kernel_initializer={"class_name": "RandomNormal", "config": {"stddev": 20.0}}), "times too large"),
        (layers_with(kernel_initializer={"class_name": "RandomNormal", "config": {"stddev": 1e-4}}), "times too small"),
    ],
)
def test_initial_weights_that_are_far_off_are_told_with_their_figures(edit, said):
    case = make_case(PLANE, epochs=1, edit=edit)
    admission = REGISTRY["model.initialization"].admit(case)
    assert admission.admitted
    assert said in admission.evidence[0]
    found = REGISTRY["model.initialization"].experiments(case)
    assert found
    for experiment in found:
        mended = Case(case.lab, experiment.recipe, case.trial, case.thresholds, case.target, case.findings)
        assert not REGISTRY["model.initialization"].admit(mended).admitted


@pytest.mark.parametrize(
    ("activation", "starts"),
    [
        ("tanh", {"initializer=usual": "glorot_uniform,"}),
        ("relu", {"initializer=default": "glorot_uniform, as Keras does", "initializer=usual": "he_normal"}),
    ],
)
def test_keras_own_start_is_tried_beside_that_of_the_activation(activation, starts):
    case = make_case(PLANE, epochs=1, activation=activation, edit=layers_with(kernel_initializer="zeros"))
    found = {e.recipe.name: e.remedy for e in REGISTRY["model.initialization"].experiments(case)}
    assert list(found) == list(starts)
    assert all(words in found[name] for name, words in starts.items())


def test_initial_weights_that_are_too_large_in_a_row_are_told_though_none_is_far_off():
    def starting_with(sd):
        config = {"class_name": "RandomNormal", "config": {"stddev": sd}}
        return make_case(PLANE, epochs=1, hidden=(16, 16), edit=layers_with(kernel_initializer=config))

    case, cause = starting_with(1.0), REGISTRY["model.initialization"]
    [evidence] = cause.admit(case).evidence
    assert "start too large for their inputs" in evidence
    found = cause.experiments(case)
    assert found
    for experiment in found:
        mended = Case(case.lab, experiment.recipe, case.trial, case.thresholds, case.target, case.findings)
        assert not cause.admit(mended).admitted
    assert not cause.admit(starting_with(0.1)).admitted, "small weights in a row do no harm"


def test_units_that_biases_silence_are_dead_and_start_from_zero():
    edit = layers_with(bias_initializer={"class_name": "Constant", "config": {"value": -9.0}})
    case = make_case(PLANE, epochs=1, edit=edit)
    assert not REGISTRY["model.initialization"].admit(case).admitted
    cause = REGISTRY["model.dead_units"]
    assert "biases start at -9" in cause.admit(case).evidence[0]
    mended = Case(case.lab, cause.experiments(case)[0].recipe, case.trial, case.thresholds, case.target, case.findings)
    assert cause.experiments(case)[0].recipe.name == "biases=zeros"
    assert not any(kernel.bias for kernel in mended.initial_kernels)


@pytest.mark.parametrize(("least", "most", "dies"), [(-0.4, 0.0, True), (-0.4, 0.4, False)])
def test_weights_below_0_silence_units_of_positive_rows(least, most, dies):
    rows = (PLANE - PLANE.min(axis=0)) / np.ptp(PLANE, axis=0)
    config = {"class_name": "RandomUniform", "config": {"minval": least, "maxval": most}}
    case = make_case(rows, epochs=1, edit=layers_with(kernel_initializer=config))
    cause = REGISTRY["model.dead_units"]
    names = [experiment.recipe.name for experiment in cause.experiments(case)]
    assert ("kernels=he_normal" in names) == dies
    if dies:
        assert "since their weights start below 0" in cause.admit(case).evidence[0]
        [changed] = [e.recipe for e in cause.experiments(case) if e.recipe.name == "kernels=he_normal"]
        mended = Case(case.lab, changed, case.trial, case.thresholds, case.target, case.findings)
        assert all(abs(kernel.mean) < kernel.sd for kernel in mended.initial_kernels)


def test_weights_are_compared_with_those_that_this_training_started_from():
    case = make_case(PLANE, rate=1e-9, epochs=1)
    for mine, trained in zip(case.initial_model.get_weights(), case.trial.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, trained, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"edit": layers_with(activity_regularizer=penalty(l1=5.0)), "epochs": 60}, "hardly answer any more"),
        ({"edit": layers_with(kernel_regularizer=penalty(l2=10.0)), "epochs": 200, "rate": 1e-2}, "shrank from sd"),
        ({"optimizer": "adamw", "rate": 0.02, "epochs": 60}, None),  # its default decay of 0.004
        ({"edit": with_dropout(0.95), "epochs": 40}, "with noise or dropout of up to 0.95"),
        ({"edit": with_dropout(0.02), "epochs": 150, "rate": 1e-2}, None),
    ],
)
def test_regularisation_is_too_strong_only_where_something_collapses(fields, said):
    case = make_case(PLANE, **fields)
    admission = REGISTRY["model.regularization"].admit(case)
    assert admission.admitted == (said is not None), admission.evidence
    if said:
        assert said in " ".join(admission.evidence)
        weaker, *_, none = REGISTRY["model.regularization"].experiments(case)
        assert weaker.recipe.identity != none.recipe.identity
        trial = case.lab.trial(none.recipe)
        assert case.lab.score(trial).value < case.select_score


def test_a_penalty_on_weights_is_tried_without_a_sign_and_one_on_the_code_is_not():
    cause = REGISTRY["model.regularization"]
    good = {"epochs": 150, "rate": 1e-2, "target": 2.0}
    case = make_case(PLANE, edit=layers_with(kernel_regularizer=penalty(l2=1e-3)), **good)
    admission = cause.admit(case)
    assert admission.admitted
    assert not admission.has_sign
    assert cause.is_generous(case)
    assert not cause.is_dear(case)
    assert [e.recipe.name for e in cause.experiments(case)][-1] == "penalties=none"
    sparse = make_case(PLANE, edit=layers_with(activity_regularizer=penalty(l1=1e-5)), **good)
    assert not cause.admit(sparse).admitted


def test_cross_entropy_wants_an_output_from_0_to_1():
    cause = REGISTRY["model.output_activation"]
    logits = keras.saving.serialize_keras_object(keras.losses.BinaryCrossentropy(from_logits=True))
    for output, loss, said in (
        ("tanh", "bce", "a tanh output gives -1 to 1"),
        ("linear", "bce", "a linear output gives -inf to inf"),
        ("linear", logits, "the model gives log-odds back"),
    ):
        case = make_case(BINARY, output=output, loss=loss)
        admission = cause.admit(case)
        assert admission.admitted
        assert said in admission.evidence[0]
        [experiment] = cause.experiments(case)
        assert experiment.recipe.loss == "bce"
        fixed = read_architecture(experiment.recipe.source.build(), case.lab.shape)
        assert fixed.output_range.name == "sigmoid"
    assert not cause.admit(make_case(BINARY, output="sigmoid", loss="bce")).admitted
    assert not cause.admit(make_case(PLANE, output="linear", loss="bce")).admitted, "that is the loss's fault"


def test_outputs_that_died_are_told_though_all_values_are_in_reach():
    cause = REGISTRY["model.output_activation"]
    reachable = (PLANE - PLANE.min(axis=0)) / np.ptp(PLANE, axis=0)
    lost = {}
    for bias in (0.0, -9.0):
        case = make_case(reachable, output="relu", epochs=40, edit=output_bias(bias))
        silent, share = case.silent_outputs
        given = case.trial.predict(reachable)
        assert list(silent) == list(np.ptp(given, axis=0) == 0)
        admission = cause.admit(case)
        assert admission.admitted == (share >= case.thresholds.silent_share)
        lost[bias] = (int(silent.sum()), share, admission)
    assert lost[0.0][0] < lost[-9.0][0] == 8
    assert lost[-9.0][1] == 1.0
    assert "8 of the 8 values that the relu output gives" in lost[-9.0][2].evidence[0]
    assert [e.recipe.name for e in cause.experiments(case)] == ["output_activation=linear", "output_activation=sigmoid"]
    assert not cause.admit(make_case(reachable, output="linear", edit=output_bias(-9.0))).admitted


def test_layers_narrower_than_the_one_between_them_are_widened_around_it():
    cause = REGISTRY["model.capacity_too_small"]
    case = make_case(PLANE, hidden=(2,), code=3, epochs=1)
    assert cause.unusual(case)
    assert "give 2 values each, fewer than the 3 of" in cause.admit(case).evidence[0]
    experiments = cause.experiments(case)
    assert [e.recipe.name for e in experiments] == ["around_the_middle=6", "around_the_middle=12"]
    for experiment, around in zip(experiments, (6, 12), strict=True):
        wider = read_architecture(experiment.recipe.source.build(), (8,))
        assert [layer.width for layer in wider.inner] == [around, 3, around]
        assert wider.code_width == 3
    experiments = cause.experiments(make_case(PLANE, hidden=(2, 1), code=3, epochs=1))
    wider = [read_architecture(experiment.recipe.source.build(), (8,)).widths for experiment in experiments]
    assert wider == ["8-12-6-3-6-12-8", "8-24-12-3-12-24-8"], "all that is narrower than the middle, in proportion"
    experiments = cause.experiments(make_case(PLANE, hidden=(4, 2), code=3, epochs=1))
    wider = [read_architecture(experiment.recipe.source.build(), (8,)).widths for experiment in experiments]
    assert wider == ["8-12-6-3-6-12-8", "8-24-12-3-12-24-8"], "and what would be narrower than that"
    for hidden, code in (((12,), 3), ((6, 3), 3), ((3,), 3)):
        assert not cause.unusual(make_case(PLANE, hidden=hidden, code=code, epochs=1)), "an hourglass has one waist"


@pytest.mark.parametrize(
    ("encoder", "code", "decoder", "said", "widened"),
    [
        (2, 6, 2, "give 2 values each, fewer than the 6 of 'code'", [12, 6, 12]),
        (16, 6, 2, "'decoder' carry 2 values from step to step, fewer than the 6 of the code", [16, 6, 12]),
        (16, 6, 6, None, None),
        (6, 6, 8, None, None),
    ],
)
def test_a_recurrent_layer_is_as_narrow_as_its_state(encoder, code, decoder, said, widened):
    import keras

    layers = [
        keras.layers.LSTM(encoder, name="encoder"),
        keras.layers.Dense(code, name="code"),
        keras.layers.RepeatVector(8),
        keras.layers.LSTM(decoder, return_sequences=True, name="decoder"),
        keras.layers.TimeDistributed(keras.layers.Dense(1)),
    ]
    model = keras.Sequential([keras.Input((8, 1)), *layers])
    recipe = Recipe(describe_model(model, (8, 1)), plain_optimizer(keras.optimizers.Adam()), "mse", 1, 32)
    case, cause = open_case(recipe, PLANE.reshape(160, 8, 1)), REGISTRY["model.capacity_too_small"]
    assert cause.unusual(case) == (said is not None)
    if said:
        assert said in cause.admit(case).evidence[0]
        wider = read_architecture(cause.experiments(case)[0].recipe.source.build(), (8, 1))
        assert [layer.units for layer in wider.inner] == widened


def test_both_states_of_an_lstm_are_no_wider_than_the_one_that_takes_them():
    import keras

    rows = keras.Input((8, 1))
    _, *states = keras.layers.LSTM(3, return_state=True, name="code")(rows)
    back = keras.layers.LSTM(3, return_sequences=True)(rows, initial_state=states)
    model = keras.Model(rows, keras.layers.TimeDistributed(keras.layers.Dense(1))(back))
    recipe = Recipe(describe_model(model, (8, 1)), plain_optimizer(keras.optimizers.Adam()), "mse", 1, 32)
    assert not REGISTRY["model.capacity_too_small"].unusual(open_case(recipe, PLANE.reshape(160, 8, 1)))


def test_a_score_that_pca_beats_by_far_is_not_good():
    case = make_case(PLANE, epochs=2, target=2.0)
    assert case.behind
    assert not case.is_good
    assert case.trains_behind
    near = trained_long()
    assert near.is_good
    assert not near.trains_behind


def test_independent_noise_excuses_a_code_that_is_narrower_only():
    noise = np.random.default_rng(0).uniform(size=(400, 8))
    assert make_case(noise, hidden=(8,), code=4, epochs=1).is_noise
    assert not make_case(noise, hidden=(8,), code=8, epochs=1).is_noise
    assert not make_case(PLANE, epochs=1).is_noise


def test_dropout_between_layers_is_tried_without_where_there_is_no_overfitting():
    def admitted(edit, ratio):
        case = make_case(CURVE, hidden=(16,), code=1, epochs=20, target=9.0, edit=edit)
        assert not case.trains_behind
        return REGISTRY["model.regularization"].admit(
            dataclasses.replace(case, thresholds=Thresholds(no_overfit_ratio=ratio))
        )

    found = admitted(with_dropout(0.2), 9.0)
    assert found.admitted
    assert not found.has_sign
    assert "dropout of up to 0.2" in found.evidence[0]
    assert not admitted(with_dropout(0.2), 0.0).admitted  # there is some to cure
    assert not admitted(with_dropout(0.05), 9.0).admitted
    assert not admitted(with_dropout(0.2, behind=0), 9.0).admitted  # denoising


def test_strong_dropout_is_tried_without_however_good_the_train_rows_are():
    cause = REGISTRY["model.regularization"]
    good = {"epochs": 150, "rate": 1e-2, "target": 2.0, "hidden": (64,)}
    assert cause.admit(make_case(PLANE, edit=with_dropout(0.5), **good)).admitted
    mild = make_case(PLANE, edit=with_dropout(0.01), **good)
    assert not mild.trains_behind
    assert not cause.admit(mild).admitted


def test_a_higher_rate_is_tried_where_the_loss_has_settled_and_two_must_gain():
    cause = REGISTRY["optimizer.learning_rate_too_low"]
    case = make_case(PLANE, rate=1e-4, epochs=80)
    settled = dataclasses.replace(case, thresholds=Thresholds(still_falling=1.0, at_the_mean=9.9))
    assert not settled.still_falling
    admission = cause.admit(settled)
    assert admission.admitted
    assert not admission.has_sign, "without experiments nobody is told so"
    assert "though the loss has settled" in admission.evidence[0]
    assert not cause.may_be_named(settled, {"x3": 0.3, "x10": 0.02})
    assert cause.may_be_named(settled, {"x3": 0.3, "x10": 0.2})
    assert cause.may_be_named(case, {"x3": 0.3, "x10": 0.02})


@pytest.mark.parametrize(("rate", "epochs", "odder"), [(1e-3, 6, "epochs"), (1e-4, 60, "rate"), (1e-3, 300, None)])
def test_of_a_low_rate_and_few_epochs_the_odder_goes_first(rate, epochs, odder):
    case = make_case(PLANE, rate=rate, epochs=epochs)
    assert REGISTRY["optimizer.undertrained"].unusual(case) == (odder == "epochs")


def test_values_from_0_to_1_behind_a_range_that_misses_them_may_take_a_sigmoid():
    cause = REGISTRY["model.output_activation"]
    images = np.clip(PLANE / 4, -0.4, 0.4) + 0.5
    names = [e.recipe.name for e in cause.experiments(make_case(images, output="softsign", epochs=1))]
    assert names == ["output_activation=linear", "output_activation=sigmoid"]
    names = [e.recipe.name for e in cause.experiments(make_case(PLANE, output="relu", epochs=1))]
    assert names == ["output_activation=linear"]


def test_ftrl_forgets_what_the_weights_were_set_to():
    case = make_case(PLANE, optimizer="ftrl", epochs=3)
    admission = REGISTRY["optimizer.choice"].admit(case)
    assert admission.has_sign
    assert "start from 0" in admission.evidence[0]


def test_an_optimizer_that_moves_is_tried_against_adam_without_a_word():
    case = make_case(PLANE, optimizer="sgd", rate=0.05, epochs=40)
    admission = REGISTRY["optimizer.choice"].admit(case)
    assert admission.admitted
    assert not admission.has_sign


@pytest.mark.parametrize(
    ("loss", "said"), [("hinge", "margin"), ("mape", "near to 0"), ("cosine_similarity", "directions")]
)
def test_losses_that_do_not_ask_for_the_values_are_told(loss, said):
    case = make_case(PLANE, loss=loss, epochs=1)
    assert said in REGISTRY["loss.mismatch"].admit(case).evidence[0]
    [experiment] = REGISTRY["loss.mismatch"].experiments(case)
    assert experiment.recipe.loss_name == "mse"


@pytest.mark.parametrize(("output", "kind"), [("sigmoid", "minmax"), ("linear", "standard")])
def test_scales_that_gross_cells_set_are_fitted_anew_without_them(output, kind):
    rows = np.random.default_rng(3).uniform(0.5, 1.0, size=(300, 6))
    rows[:4, 2] *= 30
    case = make_case(rows / rows.max(axis=0), output=output, epochs=1)
    assert case.squeezed
    names = [e.recipe.name for e in REGISTRY["data.outliers"].experiments(case)]
    assert names == ["outliers=clip", f"outliers=clip,scaling={kind}", "loss=huber"]
    rows[:4, 2] = -9999
    marked = (rows - rows.min(axis=0)) / np.ptp(rows, axis=0)
    case = make_case(marked, output=output, epochs=1)
    assert case.squeezed
    fill, rescale = REGISTRY["data.missing"].experiments(case)
    assert rescale.recipe.name == f"missing=median,scaling={kind}"
    assert rescale.recipe.preprocessing["scope"] == "column"
    assert rescale.study == {"preprocessing.missing": "median", "preprocessing.scaling": kind}
    assert "x_train = (x_train - " in rescale.keras
    assert "x_train = (x_train - " not in fill.keras


@pytest.mark.parametrize(
    ("scale", "scope", "line"),
    [
        (lambda rows: (rows - rows.mean(axis=0)) / rows.std(axis=0), "column", "x_train.std(axis=0)"),
        (lambda rows: (rows - rows.min(axis=0)) / np.ptp(rows, axis=0), "column", "x_train.std(axis=0)"),
        (lambda rows: (rows - rows.mean()) / rows.std(), "pooled", "x_train.std()"),
        (lambda rows: rows / rows.max(), "pooled", "x_train.std()"),
        (lambda rows: 1000 * rows, None, None),
    ],
)
def test_a_scale_that_gross_cells_in_all_columns_set_is_fitted_anew_as_it_was(scale, scope, line):
    rng = np.random.default_rng(3)
    rows = rng.uniform(0.5, 1.0, size=(400, 6))
    rows[rng.random(rows.shape) < 0.01] *= 30
    case = make_case(scale(rows), epochs=1)
    assert not case.squeezed
    found = {e.recipe.name: e for e in REGISTRY["data.outliers"].experiments(case)}
    again = found.pop("outliers=clip,scaling=standard", None)
    assert list(found) == ["outliers=clip", "loss=huber"]
    assert (again is None) == (scope is None)
    if again is not None:
        assert again.recipe.preprocessing == {"outliers": "clip", "scaling": "standard", "scope": scope}
        assert line in again.keras


def test_a_scale_that_is_fitted_anew_does_not_mend_an_output_that_cannot_give_the_rows():
    rows = np.random.default_rng(3).uniform(0.5, 1.0, size=(300, 6))
    rows[:4, 2] *= 30
    case = make_case((rows - rows.mean(axis=0)) / rows.std(axis=0), output="sigmoid", epochs=1)
    assert case.squeezed
    names = [e.recipe.name for e in REGISTRY["data.outliers"].experiments(case)]
    assert names == ["outliers=clip", "outliers=clip,scaling=standard", "loss=huber"]


def test_a_scale_that_marks_in_all_columns_set_is_fitted_anew_without_them():
    rng = np.random.default_rng(3)
    rows = rng.uniform(0.5, 1.0, size=(300, 6))
    rows[rng.random(rows.shape) < 0.02] = -999
    case = make_case((rows - rows.mean()) / rows.std(), epochs=1)
    assert not case.squeezed
    fill, rescale = REGISTRY["data.missing"].experiments(case)
    assert rescale.recipe.name == "missing=median,scaling=standard"
    assert rescale.recipe.preprocessing["scope"] == "pooled"
    assert "np.nanstd(x_train, axis=None)" in rescale.keras
    [fill] = REGISTRY["data.missing"].experiments(make_case(rows, epochs=1))
    assert "scaling" not in fill.recipe.preprocessing, "nobody scaled these"


def test_the_code_to_paste_clips_what_was_clipped_and_flattens_no_column_of_flags():
    flags = (np.random.default_rng(3).random((len(PLANE), 1)) < 0.1).astype(float)
    rows = np.concatenate([PLANE, flags], axis=1)
    rows[5, 0], rows[7, 8] = 4e3, -100.0
    case = make_case(rows)
    clip = next(e for e in REGISTRY["data.outliers"].experiments(case) if e.recipe.name == "outliers=clip")
    asked = {"np": np, "x_train": case.train_part.inputs.copy()}
    exec(clip.keras, asked)
    measured = np.clip(case.train_part.inputs, *case.lab.fences)
    crossed = (case.train_part.inputs != measured).any(axis=0)
    assert set(np.flatnonzero(crossed)) <= {0, 8}
    assert crossed.any()
    assert np.allclose(asked["x_train"], measured, rtol=1e-5)
    assert set(np.unique(flags)) <= set(np.unique(asked["x_train"][:, 8]))


def test_layers_that_repeat_a_width_are_left_out_where_the_model_learns_too_little():
    case = make_case(PLANE, hidden=(12,) * 4, epochs=1)
    cause = REGISTRY["model.capacity_too_large"]
    assert [layer.units for layer in case.architecture.repeated] == [12] * 6
    assert "6 layers repeat" in cause.admit(case).evidence[0]
    (shallower,) = cause.experiments(case)
    model = shallower.recipe.source.build()
    assert model.count_params() == 8 * 12 + 12 + 12 * 3 + 3 + 3 * 12 + 12 + 12 * 8 + 8
    assert model.predict(PLANE[:5], verbose=0).shape == (5, 8)
    for other in (make_case(PLANE, hidden=(12,) * 2, epochs=1), make_case(PLANE, hidden=(12,) * 4, target=9.0)):
        assert "repeat" not in cause.admit(other).evidence[0]


def test_a_code_behind_a_relu_is_tried_linear_without_a_sign():
    cause = REGISTRY["model.dead_units"]
    case = make_case(PLANE, edit=layers_with(activation="relu"), epochs=30)
    admission = cause.admit(case)
    assert admission.admitted
    assert not admission.has_sign, admission.evidence
    assert [e.recipe.name for e in cause.experiments(case)] == ["code_activation=linear"]
    assert not cause.admit(make_case(PLANE, epochs=1)).admitted


def test_rows_known_by_heart_need_neither_epochs_nor_a_higher_rate():
    case = make_case(PLANE, rate=1e-5, epochs=6)
    by_heart = dataclasses.replace(case, thresholds=Thresholds(by_heart=0.0), target=9.0)
    assert by_heart.learnt
    assert not case.learnt
    cause = REGISTRY["optimizer.learning_rate_too_low"]
    assert cause.admit(case).admitted
    assert "known by heart" in cause.admit(by_heart).evidence[0]
    assert not cause.admit(by_heart).admitted
    assert "known by heart" in REGISTRY["optimizer.undertrained"].admit(by_heart).evidence[0]


def test_an_absolute_error_is_at_fault_where_most_cells_of_a_column_are_one_value():
    cause = REGISTRY["loss.mismatch"]
    rng = np.random.default_rng(4)
    black = np.where(rng.random((200, 16)) < 0.3, rng.uniform(0.2, 1.0, (200, 16)), 0.0)
    admission = cause.admit(make_case(black, loss="mae", epochs=1))
    assert admission.admitted
    assert "100 % of the variance" in admission.evidence[0]
    assert not cause.admit(make_case(PLANE, loss="mae", epochs=1)).admitted
    assert not cause.admit(make_case(black, loss="mse", epochs=1)).admitted


def test_what_only_the_train_rows_still_gain_asks_for_neither_epochs_nor_a_higher_rate():
    case = make_case(PLANE, rate=1e-5, epochs=6)

    def half_way(score: float) -> Case:
        trial = dataclasses.replace(case.trial, scores={3: score})
        return dataclasses.replace(case, trial=trial, thresholds=Thresholds(overfit_ratio=0.0))

    cause, score = REGISTRY["optimizer.learning_rate_too_low"], case.select_score
    assert cause.admit(half_way(1.2 * score)).admitted
    refused = cause.admit(half_way(score))
    assert not refused.admitted
    assert f"{score:.3f} after half of the epochs" in refused.evidence[0]
    assert not REGISTRY["optimizer.undertrained"].admit(half_way(score)).admitted
    assert not dataclasses.replace(half_way(score), thresholds=Thresholds()).learnt  # it does not overfit


def test_an_output_that_half_of_the_values_cannot_come_from_is_unusual_unless_the_scale_is_the_reason():
    cause = REGISTRY["model.output_activation"]
    assert cause.unusual(make_case(PLANE, output="relu", epochs=1))
    assert not cause.unusual(make_case(PLANE, epochs=1))
    assert not cause.unusual(make_case(200 + 50 * PLANE, output="sigmoid", epochs=1))
    assert cause.unusual(make_case(PLANE, output="softmax", epochs=1))


def test_values_far_from_zero_are_a_question_of_scale_unless_the_model_copes():
    cause, case = REGISTRY["data.scaling"], make_case(40 + PLANE, epochs=1)
    assert "learnt first" in cause.admit(case).evidence[0]
    copes = dataclasses.replace(case, target=9.0, thresholds=Thresholds(pca_far=1e9))
    assert not cause.admit(copes).admitted
    assert not cause.admit(make_case(PLANE, epochs=1)).admitted


def test_as_many_eval_rows_as_train_rows_are_trained_on_and_nothing_is_judged_on_them():
    rows = RNG.normal(size=(400, 8)) @ RNG.normal(size=(8, 8))
    case = make_case(rows[:40], evaluation=rows[40:])
    recipes = times_the_rows(case)
    assert set(recipes) == {2, 4}
    for times, recipe in recipes.items():
        split = case.lab.split(0, recipe.rows)
        assert len(split.train) == 40 * times
        shared = {row.tobytes() for row in split.train} & {row.tobytes() for row in split.confirm}
        assert not shared
    assert set(times_the_rows(make_case(rows[:100], evaluation=rows[100:]))) == {2}
    assert not times_the_rows(make_case(rows)), "eval is a part of these rows"
    assert not times_the_rows(make_case(rows[:200], evaluation=rows[200:])), "eval has too few"
