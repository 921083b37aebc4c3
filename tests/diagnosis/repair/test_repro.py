"""aetfx.diagnosis.repair.repro: every kind of preprocessing, data and model as a script that runs."""

from __future__ import annotations

import contextlib
import io
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from aetfx.data.padding import padded_steps
from aetfx.diagnosis.repair.recipes import Side
from aetfx.diagnosis.repair.repro import repro
from aetfx.errors import ModelError
from aetfx.models.reading import read_architecture
from aetfx.models.rewriting import set_widths
from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model
from tests.models import vaes

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(300, 6))
IMAGES = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 16))
STUDY = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": 15, "batch_size": 16}})


class Narrow(keras.Model):
    """A subclass that can describe itself."""

    def __init__(self, code: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.code = code
        self.down, self.up = layers.Dense(code), layers.Dense(6)

    def call(self, inputs):
        return self.up(self.down(inputs))

    def get_config(self):
        return {**super().get_config(), "code": self.code}


def dense():
    return keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(2), layers.Dense(6)])


def skip():
    rows = keras.Input((6,))
    code = layers.Dense(2)(rows)
    back = layers.Dense(8, "elu")(code)
    return keras.Model(rows, layers.Dense(6)(layers.Concatenate()([back, code])))


def conv():
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
            layers.Dense(16),
            layers.Reshape((4, 4, 1)),
        ]
    )


class Halved(Narrow):
    """A subclass that reads its description in a way of its own."""

    @classmethod
    def from_config(cls, config):
        return cls(config["code"] // 2)

    def get_config(self):
        return {**super().get_config(), "code": 2 * self.code}


def subclass(kind=Narrow):
    model = kind(3)
    model(np.zeros((1, 6), "float32"))
    return model


def script(make, rows, spec, folder, *, facts=None, compiled=False, row_change="", **changes):
    """Writes the script for a repair by preprocessing or other changes of the recipe."""
    model = make()
    if not compiled:
        model.compile(keras.optimizers.Adam(0.01), "mse")
    before, _ = recipe_from_model(model, STUDY, rows.shape[1:])
    after = before.changed(preprocessing=spec, rows=row_change, **changes)
    np.save(folder / "train.npy", rows)
    facts = facts or {}
    scope = {k: v for k, v in spec.items() if k != "scope"}
    sentinels = {int(column): tuple(values) for column, values in facts.get("sentinels", [])}
    sides = [
        Side(recipe, fit_rows(own, rows, sentinels=sentinels), tuple(before.source.frozen), {
            name: f"{item.__module__}:{item.__qualname__}" for name, item in before.source.objects.items()
        })
        for recipe, own in ((before, {}), (after, scope))
    ]  # fmt: skip
    about = {"train": str(folder / "train.npy"), "eval": 0.2, "columns": None, "features": "table", "seed": 0,
             "sentinels": [], "fences": None, "judge": None, "excluded": False} | facts  # fmt: skip
    cause = SimpleNamespace(code="data.x", verdict="verified", score_before=0.9, score_after=0.1, remedy="Change it.")
    rows_beside = SimpleNamespace(code="data.too_few_rows", verdict="supported", score_before=0.9, score_after=0.01)
    return repro(*sides, about, [cause, rows_beside], folder)


def scores(text):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(text, "repro.py", "exec"), {"__name__": "__main__"})
    found = [line.split(": ") for line in said.getvalue().splitlines() if line.startswith(("as_it_is", "repaired"))]
    return {name: float(value) for name, value in found}


def test_scaling_by_each_kind(tmp_path):
    rows = TABLE * [1, 1, 1, 1000, 1, 0.01]
    for kind in ("minmax", "robust"):
        text = script(dense, rows, {"scaling": kind}, tmp_path, epochs=30)
        assert "A fault and its fix: data.x." in text, "a script cannot add rows"
        assert "0.900 before and 0.100 after" in text
        found = scores(text)
        assert found["repaired"] < 0.6 * found["as_it_is"], kind


@pytest.mark.slow
def test_missing_cells_and_sentinels_stay_out_of_loss_and_score(tmp_path):
    rows = TABLE.copy()
    rows[RNG.random(rows.shape) < 0.05] = np.nan
    rows[::9, 3] = -999.0
    facts = {"sentinels": [[3, [-999.0]]]}
    text = script(skip, rows, {"missing": "median"}, tmp_path, facts=facts, masked_loss=True)
    found = scores(text)
    assert found["as_it_is"] == 4.0, "NaN rows train to NaN"
    assert found["repaired"] < 0.7
    with_scaling = script(
        dense, rows, {"missing": "mean", "scaling": "standard"}, tmp_path, facts=facts, masked_loss=True
    )
    assert scores(with_scaling)["repaired"] < 0.7


@pytest.mark.slow
def test_outliers_are_clipped_and_rows_inside_are_scored(tmp_path):
    rows = TABLE.copy()
    rows[::40, 2] = 1e4
    edges = [float(5 * np.median(np.abs(TABLE)) + np.abs(TABLE).max())] * 5
    facts = {"fences": [[-edge for edge in edges] + [None], [*edges, None]], "judge": "inliers"}
    found = scores(script(dense, rows, {"outliers": "clip"}, tmp_path, facts=facts))
    assert found["repaired"] < 0.5 * found["as_it_is"]
    by_cell = scores(script(dense, rows, {"outliers": "clip"}, tmp_path, facts=facts | {"judge": "cells"}))
    assert by_cell["repaired"] < 0.5 * by_cell["as_it_is"]
    # Too many columns to write fences down: they are computed.
    wide = np.tile(rows, (1, 8))
    many = {"fences": [[-edges[0]] * 48, [edges[0]] * 48], "judge": "inliers"}
    text = script(lambda: keras.Sequential([keras.Input((48,)), layers.Dense(3), layers.Dense(48)]), wide,
                  {"outliers": "clip", "scaling": "robust"}, tmp_path, facts=many)  # fmt: skip
    assert "tukey(train)" in text
    assert set(scores(text)) == {"as_it_is", "repaired"}


@pytest.mark.slow
def test_images_are_scaled_as_a_whole(tmp_path):
    rows = (IMAGES.reshape(-1, 4, 4, 1) * 300 + 900).astype("float32")
    text = script(conv, rows, {"scaling": "standard", "scope": "pooled"}, tmp_path, facts={"features": "tensor"})
    assert "np.nanmean(x), np.nanstd(x)" in text
    found = scores(text)
    assert found["repaired"] < 0.5 * found["as_it_is"]


@pytest.mark.slow
def test_training_settings_and_early_stopping(tmp_path):
    optimizer = {**recipe_from_model(_compiled(), STUDY, (6,))[0].optimizer}
    optimizer = {**optimizer, "config": {**optimizer["config"], "learning_rate": 0.02}}
    text = script(dense, TABLE, {}, tmp_path, optimizer=optimizer, loss="huber", early_stopping=True, epochs=20)
    assert 'model.compile(keras.optimizers.Adam(learning_rate=0.02), loss="huber")' in text
    assert "epochs=20, batch_size=16" in text
    assert set(scores(text)) == {"as_it_is", "repaired"}


def test_a_changed_architecture_is_written_on_each_side(tmp_path):
    model = _compiled()
    before, _ = recipe_from_model(model, STUDY, (6,))
    architecture = read_architecture(before.source.build(), (6,))
    wider = {layer.name: 24 for layer in architecture.hidden}
    source = before.source.with_blueprint(set_widths(before.source.blueprint, wider))
    text = script(lambda: model, TABLE, {}, tmp_path, source=source)
    assert "def build" not in text
    assert text.count("layers.Dense(8") == 1
    assert text.count("layers.Dense(24") == 1
    assert set(scores(text)) == {"as_it_is", "repaired"}


def test_a_subclass_is_imported_from_its_module(tmp_path, monkeypatch):
    text = script(subclass, TABLE, {"scaling": "standard"}, tmp_path)
    assert f"from {Narrow.__module__} import Narrow" in text
    assert "    return Narrow(code=3)" in text
    assert "json" not in text
    import sys

    monkeypatch.setitem(sys.modules, Narrow.__module__, sys.modules.get(Narrow.__module__) or _module())
    assert scores(text)["repaired"] < 0.7


@pytest.mark.slow
def test_a_subclass_with_a_description_of_its_own_is_read_by_keras(tmp_path, monkeypatch):
    text = script(lambda: subclass(Halved), TABLE, {"scaling": "standard"}, tmp_path)
    assert "deserialize_keras_object" in text
    assert "Halved(code" not in text
    import sys

    monkeypatch.setitem(sys.modules, Halved.__module__, sys.modules.get(Halved.__module__) or _module())
    assert scores(text)["repaired"] < 0.7


def test_rows_from_a_csv_file_and_rows_that_are_nowhere(tmp_path):
    path = tmp_path / "rows.csv"
    names = ["a", "b", "c", "word", "d", "e", "f"]
    lines = [";".join([*map(repr, row[:3].tolist()), "x", *map(repr, row[3:].tolist())]) for row in TABLE]
    path.write_text(";".join(names) + "\n" + "\n".join(lines) + "\n")
    facts = {"train": str(path), "columns": [name for name in names if name != "word"]}
    text = script(dense, TABLE, {"scaling": "standard"}, tmp_path, facts=facts)
    assert 'delimiter=";", skip_header=1, usecols=[0, 1, 2, 4, 5, 6]' in text
    assert scores(text)["repaired"] < 0.7
    gone = script(dense, TABLE, {"scaling": "standard"}, tmp_path, facts={"train": "/nowhere/train.npy"})
    assert 'rows = np.load("rows.npy").astype("float64")  # your train rows' in gone
    (tmp_path / "data").mkdir()
    (tmp_path / "train.npy").rename(tmp_path / "data" / "train.npy")
    moved = script(dense, TABLE, {}, tmp_path, facts={"train": "/nowhere/run/data/train.npy"})
    assert f'np.load("{tmp_path.resolve()}/data/train.npy")' in moved, "arrays move with the run that holds them"
    text = script(dense, TABLE, {}, tmp_path, facts={"train": "/nowhere/other.parquet", "eval": "/nowhere/eval.npy"})
    assert "np.save('rows.npy', ...) writes them" in text
    assert 'held_out = np.load("eval_rows.npy")' in text


@pytest.mark.slow
def test_targets_of_their_own_are_asked_back_and_scored(tmp_path):
    clean = TABLE * [1, 1, 1, 1000, 1, 0.01]
    noisy = clean + 0.3 * clean.std(axis=0) * RNG.normal(size=clean.shape)
    np.save(tmp_path / "clean.npy", clean)
    facts = {"targets": {"train": str(tmp_path / "clean.npy"), "eval": None, "scored": True}}
    text = script(dense, noisy, {"scaling": "standard"}, tmp_path, facts=facts, epochs=30)
    found = scores(text)
    assert "model.fit(x, y, " in text
    assert found["repaired"] < 0.6 * found["as_it_is"]
    # What is asked back wrongly is scored by the rows; to ask these back is the repair.
    np.save(tmp_path / "clean.npy", RNG.permutation(TABLE))
    facts = {"targets": {"train": str(tmp_path / "clean.npy"), "eval": None, "scored": False}}
    text = script(dense, TABLE, {}, tmp_path, facts=facts, target="input")
    found = scores(text)
    assert "model.fit(train, asked, " in text
    assert "model.fit(train, train, " in text
    assert found["repaired"] < 0.7 * found["as_it_is"]


@pytest.mark.slow
def test_targets_of_held_out_rows_that_have_a_file_of_their_own(tmp_path):
    for name in ("asked", "eval", "eval_asked"):
        np.save(tmp_path / f"{name}.npy", TABLE[:50] if name.startswith("eval") else TABLE)
    paths = {"train": str(tmp_path / "asked.npy"), "eval": str(tmp_path / "eval_asked.npy"), "scored": True}
    facts = {"eval": str(tmp_path / "eval.npy"), "targets": paths}
    text = script(dense, TABLE, {"scaling": "standard"}, tmp_path, facts=facts, early_stopping=True)
    assert "validation_data=(v, w)" in text
    assert set(scores(text)) == {"as_it_is", "repaired"}


def test_columns_that_hardly_change_are_left_out_of_the_loss(tmp_path):
    rows = TABLE.copy()
    rows[:, 1] = 7.0
    rows[::60, 1] = 7e6  # it weighs as much as all others together
    text = script(dense, rows, {"constant": "drop"}, tmp_path, facts={"excluded": True}, masked_loss=True)
    assert "y = np.where(still, np.nan, x)" in text
    assert "return np.where(still, usual, model.predict(v, verbose=0))" in text
    found = scores(text)
    assert found["repaired"] < 0.5 * found["as_it_is"]


@pytest.mark.slow
def test_padded_steps_are_neither_scaled_nor_scored(tmp_path):
    rows = 500 + 100 * RNG.normal(size=(120, 1, 3)) + RNG.normal(size=(120, 6, 3))
    for i, row in enumerate(rows):
        row[2 + i % 5 :] = 0.0

    def sequences():
        return keras.Sequential(
            [keras.Input((6, 3)), layers.Masking(), layers.LSTM(8), layers.RepeatVector(6),
             layers.LSTM(8, return_sequences=True), layers.TimeDistributed(layers.Dense(3))]
        )  # fmt: skip

    facts = {"padding": 0.0, "features": "tensor"}
    text = script(sequences, rows, {"scaling": "standard"}, tmp_path, facts=facts, epochs=30)
    assert "unpadded(train)" in text
    names: dict = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "repro.py", "exec"), names)
    truth = names["held_out"]
    filled = np.isnan(names["unpadded"](truth)).all(axis=2)
    np.testing.assert_array_equal(filled, padded_steps(truth, 0.0))
    assert filled.any()
    found = scores(text)
    assert found["repaired"] < 0.5 * found["as_it_is"]


@pytest.mark.slow
def test_models_that_train_themselves(tmp_path):
    for kind, fed, said in (
        (vaes.VAE, "model.fit(x, epochs", "model.decoder(codes["),
        (vaes.Pairs, "model.fit(x, x, epochs", "model.decoder(codes["),
        (vaes.Called, "model.fit(x, epochs", "keras.tree.flatten(model.predict(v"),
    ):
        text = script(lambda kind=kind: vaes.keras_example(kind, rate=0.01), TABLE * 30, {"scaling": "standard"},
                      tmp_path, compiled=True)  # fmt: skip
        assert fed in text
        assert said in text
        assert f"return {kind.__name__}(encoder=encoder, decoder=decoder)" in text
        found = scores(text)
        assert found["repaired"] < 1.0


@pytest.mark.slow
def test_a_number_that_the_objective_holds_is_set(tmp_path):
    make = lambda: vaes.keras_example(vaes.Weighted, rate=0.01, kl_weight=50.0)  # noqa: E731
    text = script(make, TABLE, {}, tmp_path, compiled=True, objective={"attributes": {"0.kl_weight": 0.05}}, epochs=30)
    assert "model.kl_weight = 0.05" in text
    found = scores(text)
    assert found["repaired"] < 0.7 * found["as_it_is"]


@pytest.mark.parametrize(
    ("changes", "facts", "said"),
    [
        ({"row_change": "aligned"}, {}, "in which rows are trained on and held out"),
        ({"objective": {"elbo": "mse", "beta": 0.1}}, {}, "rewrites what the model minimises"),
        ({}, {"parts": {"kind": "list", "parts": []}}, "the model has several inputs"),
    ],
)
def test_what_a_script_cannot_show_is_refused_in_one_sentence(tmp_path, changes, facts, said):
    with pytest.raises(ModelError, match=f"{said}: a script cannot show that. Send fixed/model.keras"):
        script(dense, TABLE, {}, tmp_path, facts=facts, **changes)


def test_fixed_weights_cannot_be_written_down(tmp_path):
    def normalised():
        norm = layers.Normalization()
        norm.adapt(TABLE.astype("float32"))
        return keras.Sequential([keras.Input((6,)), norm, layers.Dense(2), layers.Dense(6)])

    with pytest.raises(ModelError, match="keeps weights that no training sets: a script cannot show that"):
        script(normalised, TABLE, {}, tmp_path)


def _compiled():
    model = dense()
    model.compile("adam", "mse")
    return model


def _module():
    return SimpleNamespace(Narrow=Narrow, Halved=Halved)
