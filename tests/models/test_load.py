"""Models from files and factories: what is taken, and in which words the rest is refused (aetfx.models.load)."""

from __future__ import annotations

import sys

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from aetfx.errors import ModelError
from aetfx.models.load import check_model_request, check_shapes, from_factory, load_model
from aetfx.study import ModelSection
from tests.models import zoo

SHAPE = (6,)


def load(**section):
    section = ModelSection(**section)
    check_model_request(section)
    return load_model(section, SHAPE)


def refusal(**section) -> str:
    with pytest.raises(ModelError) as refused:
        load(**section)
    said = str(refused.value)
    assert "\n" not in said
    assert len(said) < 500
    return said


# Files.


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_model_comes_back_with_its_weights_and_its_training(tmp_path, suffix):
    model = zoo.sequential()
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss=keras.losses.Huber())
    model.save(tmp_path / f"m{suffix}")
    loaded = load(path=str(tmp_path / f"m{suffix}"))
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert loaded.compiled
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.05)
    assert type(loaded.loss).__name__ == "Huber"


def test_an_old_file_whose_loss_has_no_name_any_more_still_gives_its_architecture(tmp_path):
    model = zoo.sequential()
    model.compile(optimizer="adam", loss="mse")
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:  # as Keras 2 wrote it
        file.attrs["training_config"] = file.attrs["training_config"].replace('"mse"', '"gone_loss"')
    loaded = load(path=str(tmp_path / "m.h5"))
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_missing_files_and_files_of_another_kind(tmp_path):
    said = refusal(path=str(tmp_path / "gone.keras"))
    assert "gone.keras: no such model file (model.path). Give a model saved with model.save('x.keras')." in said
    (tmp_path / "m.pt").write_bytes(b"x")
    assert "m.pt: model.path must end in .keras (or .h5) but got '.pt'" in refusal(path=str(tmp_path / "m.pt"))
    (tmp_path / "folder").mkdir()
    assert "folder: a folder, which holds no Keras 3 architecture" in refusal(path=str(tmp_path / "folder"))


def test_a_saved_model_folder_is_told_how_to_convert(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    said = refusal(path=str(tmp_path / "saved"))
    assert "saved: a TensorFlow SavedModel" in said
    assert "model.save('model.keras') under Keras 3" in said


def test_damaged_files(tmp_path):
    zoo.sequential().save(tmp_path / "m.keras")
    whole = (tmp_path / "m.keras").read_bytes()
    (tmp_path / "m.keras").write_bytes(whole[: len(whole) // 2])
    assert "m.keras: not a .keras archive, or a damaged one (model.path)." in refusal(path=str(tmp_path / "m.keras"))
    middle = len(whole) // 2
    (tmp_path / "m.keras").write_bytes(whole[: middle - 500] + b"\0" * 1000 + whole[middle + 500 :])
    assert "m.keras: Keras cannot load it" in refusal(path=str(tmp_path / "m.keras"))
    (tmp_path / "m.h5").write_bytes(b"not HDF5")
    assert "m.h5: not an HDF5 file, or a damaged one (model.path)." in refusal(path=str(tmp_path / "m.h5"))


def test_weights_without_an_architecture(tmp_path):
    zoo.sequential().save_weights(tmp_path / "m.weights.h5")
    said = refusal(path=str(tmp_path / "m.weights.h5"))
    assert "holds weights only, no architecture (model.path)." in said
    assert "model.save('model.keras')" in said


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_layer_is_refused_as_it_would_run_code(tmp_path, suffix):
    model = keras.Sequential([keras.Input(SHAPE), layers.Dense(6), layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / f"m{suffix}")
    said = refusal(path=str(tmp_path / f"m{suffix}"))
    assert "holds a Lambda layer, which would run code from the file (model.path)" in said
    assert "model.factory" in said


def test_classes_that_keras_does_not_know_need_a_factory(tmp_path):
    zoo.custom().save(tmp_path / "m.keras")
    said = refusal(path=str(tmp_path / "m.keras"))
    assert "m.keras: Keras cannot load it" in said
    assert "Could not locate function 'twice'" in said, "Keras's own reason, not its preamble"
    assert "Custom classes need a factory: model.factory: 'my_module:build'." in said


# Factories. Each test writes a module of its own: Python imports a name once per process.


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module into the working folder, as a user does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written = []

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def test_a_factory_is_called(module):
    name = module(
        "factory_good",
        "import keras\ndef build():\n    return keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(6)])\n",
    )
    assert [layer.units for layer in load(factory=f"{name}:build").layers] == [2, 6]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "raises",
            "def build():\n    x = []\n    return x[3]\n",
            ["raised IndexError: list index out of range", "(raises.py, line 3)"],
        ),
        (
            "raises_deep",
            "import keras\ndef layer():\n    return keras.layers.Dense(-1)\ndef build():\n    return layer()\n",
            ["raised ValueError", "(raises_deep.py, line 3)"],
        ),
        (
            "raises_json",
            "import json\ndef build():\n    json.loads('{')\n",
            ["JSONDecodeError", "(raises_json.py, line 3)"],
        ),
        ("wants_more", "def build(width):\n    pass\n", ["TypeError", "It must run without arguments"]),
        ("no_model", "def build():\n    return [1]\n", ["must return a keras.Model but got list"]),
        (
            "misspelt",
            "def biuld():\n    pass\n",
            ["module 'misspelt' has no function 'build'", "Did you mean 'biuld'?"],
        ),
        ("a_number", "build = 3\n", ["module 'a_number' has no function 'build'"]),
        ("undefined", "import os\n\nbuild = thing\n", ["raised NameError", "(undefined.py, line 3)"]),
        (
            "needs_more",
            "import no_such_package_\n",
            ["ModuleNotFoundError", "no_such_package_", "(needs_more.py, line 1)"],
        ),
        ("typo", "def build(:\n    pass\n", ["SyntaxError", "(typo.py, line 1)"]),
    ],
)
def test_factories_that_fail_name_the_users_line(module, name, text, words):
    said = refusal(factory=f"{module(name, text)}:build")
    for word in ["model.factory", *words]:
        assert word in said
    assert said.count(", line ") <= 1, "one place, and the user's"


def test_a_module_that_is_not_there(module):
    said = refusal(factory="not_there:build")
    assert "model.factory: there is no module 'not_there' in " in said
    assert "PYTHONPATH" in said
    assert "there is no module 'no.such.package'" in refusal(factory="no.such.package:build")


def test_a_function_given_in_python():
    assert from_factory(zoo.sequential).name.startswith("sequential")
    with pytest.raises(ModelError, match="model.factory build raised RuntimeError: no message"):
        from_factory(lambda: (_ for _ in ()).throw(RuntimeError()), "build")


# Shapes.


def test_an_output_of_another_shape():
    with pytest.raises(ModelError) as refused:
        check_shapes(keras.Sequential([keras.Input((4, 2)), layers.Dense(3)]), (4, 2))
    said = str(refused.value)
    assert "gives back rows of shape (4, 3) for rows of shape (4, 2)" in said
    assert "Give its last layer 8 values in that shape." in said


def test_an_input_of_another_shape():
    with pytest.raises(
        ModelError, match=r"does not take rows of shape \(7,\): .*Give the model an input of shape \(7,\)"
    ):
        check_shapes(zoo.sequential(), (7,))


def test_several_outputs_are_left_to_what_picks_one():
    rows = keras.Input((6,))
    check_shapes(keras.Model(rows, [layers.Dense(6)(rows), layers.Dense(2)(rows)]), (6,))
