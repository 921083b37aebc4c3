"""Study files: what is refused and in which words, names of configurations, YAML out and in (aetfx.study)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from aetfx.errors import StudyError
from aetfx.study import Study, load_study, parse_study

DATA = {"data": {"train": "rows.csv"}}


def load(text: str, folder: Path, name: str = "wdbc.yaml") -> Study:
    (folder / name).write_text(text)
    return load_study(folder / name)


def complaint(text: str, folder: Path) -> str:
    """The one line that a study file is refused with."""
    with pytest.raises(StudyError) as refused:
        load(text, folder)
    said = str(refused.value)
    assert "\n" not in said
    assert "wdbc.yaml: " in said
    for ours in ("Literal", "Annotated", "`", "$.", "Meta(", "msgspec", "list[", "Section"):
        assert ours not in said, "msgspec's own words"
    return said.split("wdbc.yaml: ", 1)[1]


WRONG = [
    # Unknown keys, with the nearest valid one.
    ("trainning: {epochs: 3}", "unknown key 'trainning'. Did you mean 'training'?"),
    ("training: {epoch: 3}", "unknown key 'training.epoch'. Did you mean 'epochs'?"),
    ("model: {bottelneck: 3}", "unknown key 'model.bottelneck'. Did you mean 'bottleneck'?"),
    (
        "preprocessing: {zzz: 1}",
        "unknown key 'preprocessing.zzz'. Choose one of: constant, missing, outliers, scaling.",
    ),
    ("3: 4", "unknown key '3'. Choose one of: compare, data,"),
    # Values out of range.
    ("training: {epochs: 0}", "training.epochs must be a whole number above 0 but got 0."),
    ("training: {epochs: 2.5}", "training.epochs must be a whole number above 0 but got 2.5."),
    ("training: {epochs: many}", "training.epochs must be a whole number above 0 but got 'many'."),
    ("training: {learning_rate: -1e-3}", "training.learning_rate must be a number above 0 but got -0.001."),
    ("training: {learning_rate: .inf}", "training.learning_rate must be a number above 0 but got inf."),
    ("training: {learning_rate: .nan}", "training.learning_rate must be a number above 0 but got nan."),
    ("training: {batch_size: -3}", "training.batch_size must be a whole number above 0 but got -3."),
    ("training: {seed: -1}", "training.seed must be a whole number from 0 to 2147483647 but got -1."),
    ("training: {seed: 5000000000}", "training.seed must be a whole number from 0 to 2147483647 but got 5000000000."),
    (
        "training: {epochs: 5, warmup_epochs: 5}",
        "training.warmup_epochs must be below training.epochs (5) but got 5: the learning rate would never be reached.",
    ),
    ("training: {replicas: 64}", "training.batch_size must be at least training.replicas (64) but got 32."),
    (
        "model: {hidden: [64, 0]}",
        "model.hidden must be a list of whole numbers above 0, such as [64, 32], but got [64, 0].",
    ),
    ("model: {hidden: 64}", "model.hidden must be a list of whole numbers above 0, such as [64, 32], but got 64."),
    ("training: {epochs: }", "training.epochs must be a whole number above 0 but got None."),
    ("diagnosis: {target: 1.5}", "diagnosis.target must be a score between 0 and 1 but got 1.5."),
    ("diagnosis: {budget: 0}", "diagnosis.budget must be a number above 0 but got 0."),
    ("diagnosis: {thresholds: {least_gain: much}}", "diagnosis.thresholds.least_gain must be a number but got 'much'."),
    # Words that are not known.
    ("training: {loss: msee}", "training.loss is not known: got 'msee'. Did you mean 'mse'?"),
    ("training: {optimizer: adamm}", "training.optimizer is not known: got 'adamm'. Did you mean 'adam'?"),
    ("model: {activation: rleu}", "model.activation is not known: got 'rleu'. Did you mean 'relu'?"),
    (
        "preprocessing: {scaling: standart}",
        "preprocessing.scaling is not known: got 'standart'. Did you mean 'standard'",
    ),
    ("preprocessing: {scaling: 3}", "preprocessing.scaling is not known: got 3."),
    # Things of the wrong kind.
    ("model: [1, 2]", "model must hold keys (family, hidden, filters,"),
    ("training:", "training must hold keys (optimizer,"),
    ("compare: [1]", "compare must hold keys (dotted names, e.g. training.learning_rate) but got [1]."),
    ("model: {path: 3}", "model.path must be the path of a saved .keras model but got 3."),
    # What one key alone cannot tell.
    ("model: {factory: 'a:b', path: m.keras}", "model.factory and model.path exclude each other. Keep one of them."),
    ("model: {factory: build}", "model.factory must be 'module:function' but got 'build', e.g. 'my_module:build'."),
    # A key given twice: YAML itself would drop the first without a word.
    ("training: {epochs: 3}\ntraining: {seed: 1}", "'training' is given twice"),
    ("training: {epochs: 3, epochs: 4}", "'epochs' is given twice"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[text for text, _ in WRONG])
def test_wrong_keys_and_values(text, words, tmp_path):
    assert words in complaint("data: {train: rows.csv}\n" + text, tmp_path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{train: rows.csv, features: tabl}", "data.features is not known: got 'tabl'. Did you mean 'table'?"),
        (
            "{train: rows.csv, features: [1, 2]}",
            "data.features must be auto, table, tensor, or a list of columns but got",
        ),
        (
            "{train: rows.csv, features: 3}",
            "data.features must be auto, table, tensor, or a list of columns but got 3.",
        ),
        ("{train: rows.csv, eval: [1]}", "data.eval must be a held-out fraction, or a path but got [1]."),
        ("{train: rows.csv, eval: {a: 1}}", "data.eval must be a held-out fraction, or a path but got"),
        ("{train: rows.csv, eval: 0}", "data.eval must be a path or a fraction between 0 and 1 but got 0.0."),
        ("{train: rows.csv, eval: 1.0}", "data.eval must be a path or a fraction between 0 and 1 but got 1.0."),
        ("{train: rows.csv, eval: .nan}", "data.eval must be a path or a fraction between 0 and 1 but got nan."),
        ("{eval: 0.2}", "'data.train' is missing. It is required."),
        (
            "{train: [a.csv, b.csv]}",
            "data.train must be a path or a glob, or one for each input of the model, but got ['a.csv', 'b.csv'].",
        ),
        (
            "rows.csv",
            "data must hold keys (train, eval, features, target, eval_target, labels, eval_labels, padding, memory)",
        ),
    ],
)
def test_wrong_data_sections(data, words, tmp_path):
    assert words in complaint(f"data: {data}", tmp_path)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "/etc", "a\\\\b", ""])
def test_a_name_that_would_be_a_path(name, tmp_path):
    said = complaint(f'data: {{train: rows.csv}}\nname: "{name}"', tmp_path)
    assert "name must be a plain word but got" in said
    assert "runs/<name>" in said


def test_files_that_hold_no_study(tmp_path):
    assert complaint("", tmp_path) == "expected keys such as 'data:' and 'model:' but got NoneType."
    assert complaint("- a\n- b", tmp_path).endswith("but got list.")
    assert complaint("data: {train: a.csv\nmodel: {", tmp_path).startswith("not valid YAML: ")
    assert "line 2" in complaint("data: {train: a.csv}\n  x: 1", tmp_path)
    assert complaint("model: {bottleneck: 2}", tmp_path) == "'data' is missing. It is required."
    assert complaint("data: !!python/object:os.system {}", tmp_path).startswith("not valid YAML: ")
    (tmp_path / "wdbc.yaml").write_bytes(b"data: \xff\xfe")
    with pytest.raises(StudyError, match="wdbc.yaml: cannot be read as text"):
        load_study(tmp_path / "wdbc.yaml")
    with pytest.raises(StudyError, match="gone.yaml: no such study file"):
        load_study(tmp_path / "gone.yaml")


# Alternatives.

WRONG_COMPARE = [
    ("{training.lerning_rate: [1]}", "unknown key 'training.lerning_rate'. Did you mean 'training.learning_rate'?"),
    ("{learning_rate: [0.1]}", "unknown key 'learning_rate'. Did you mean 'training.learning_rate'?"),
    ("{trainin.epochs: [1]}", "unknown key 'trainin.epochs'. Did you mean 'training.epochs'?"),
    ("{training: [1]}", "unknown key 'training'."),
    ("{training.learning_rate: [0.1, -1]}", "training.learning_rate must be a number above 0 but got -1."),
    (
        "{training.learning_rate: 0.1}",
        (
            "compare.training.learning_rate must be a list of values, such as [0.001, 0.01], or a range {low: 0.001, "
            "high: 0.01}, but got 0.1."
        ),
    ),
    ("{training.learning_rate: []}", "compare.training.learning_rate lists no values. Give at least one"),
    ("{model.hidden: [64, 32]}", "model.hidden must be a list of whole numbers above 0, such as [64, 32], but got 64."),
    ("{data.train: [a.csv, b.csv]}", "compare.data.train cannot be compared: configurations share their data."),
    ("{data.eval: [0.1]}", "compare.data.eval cannot be compared: configurations share their data."),
    ("{diagnosis.budget: [3]}", "compare.diagnosis.budget cannot be compared"),
    (
        "{training.seed: [1, 2]}",
        "compare.training.seed cannot be compared: every configuration is trained with the same",
    ),
    ("{training.replicas: [1, 2]}", "compare.training.replicas cannot be compared"),
    ("{training.telemetry: [true, false]}", "compare.training.telemetry cannot be compared"),
]


@pytest.mark.parametrize(("compare", "words"), WRONG_COMPARE, ids=[text for text, _ in WRONG_COMPARE])
def test_wrong_comparisons_name_the_study_and_the_key(compare, words, tmp_path):
    assert words in complaint(f"data: {{train: rows.csv}}\ncompare: {compare}", tmp_path)


def test_without_comparison_the_baseline_is_the_only_configuration():
    study = parse_study(DATA)
    assert study.alternatives() == [("baseline", study)]


def test_alternatives_are_the_product_named_by_what_differs():
    study = parse_study(
        {
            **DATA,
            "model": {"bottleneck": 8},  # else the family chooses, when the rows are known
            "training": {"learning_rate": 0.01},
            "compare": {"training.learning_rate": [0.001, 0.01], "model.bottleneck": [4, 8, 16]},
        }
    )
    found = dict(study.alternatives())
    assert list(found) == [
        "baseline",
        "learning_rate=0.001,bottleneck=4",
        "learning_rate=0.001",
        "learning_rate=0.001,bottleneck=16",
        "bottleneck=4",
        "bottleneck=16",
    ], "6 combinations, one of which is the study itself"
    both = found["learning_rate=0.001,bottleneck=16"]
    assert (both.training.learning_rate, both.model.bottleneck) == (0.001, 16)
    assert (found["bottleneck=4"].training.learning_rate, found["bottleneck=4"].model.bottleneck) == (0.01, 4)
    assert all(not other.compare for other in found.values())
    assert all(other.data == study.data for other in found.values())


def test_rates_that_are_nearly_the_same_are_two_configurations():
    compare = {"training.learning_rate": [0.0012341, 0.0012342]}
    names = [name for name, _ in parse_study({**DATA, "compare": compare}).alternatives()]
    assert names == ["baseline", "learning_rate=0.0012341", "learning_rate=0.0012342"]


def test_lists_and_words_can_be_compared():
    compare = {"model.hidden": [[64, 32], [128]], "preprocessing.scaling": ["none", "standard"]}
    study = parse_study({**DATA, "model": {"hidden": [64, 32]}, "compare": compare})
    names = [name for name, _ in study.alternatives()]
    assert names == ["baseline", "scaling=standard", "hidden=[128]", "hidden=[128],scaling=standard"]


def test_numbers_like_1e_3_are_numbers(tmp_path):
    """YAML 1.1, which PyYAML reads, takes 1e-3 for a word; it must not become a second baseline."""
    study = load("data: {train: a.csv, eval: 1e-1}\ncompare: {training.learning_rate: [1e-3, 1e-2]}", tmp_path)
    assert study.data.eval == 0.1
    assert [name for name, _ in study.alternatives()] == ["baseline", "learning_rate=0.01"]


def test_a_compiled_models_own_settings_are_not_the_studys_defaults():
    tree = {**DATA, "model": {"factory": "m:build"}, "compare": {"training.learning_rate": [0.001, 0.01]}}
    names = [name for name, _ in parse_study(tree).alternatives()]
    assert names == ["baseline", "learning_rate=0.001", "learning_rate=0.01"], "the model may bring any rate"
    tree["training"] = {"learning_rate": 0.001}
    assert [name for name, _ in parse_study(tree).alternatives()] == ["baseline", "learning_rate=0.01"]


def test_changes_are_checked_and_leave_the_study_as_it_was():
    study = parse_study({**DATA, "model": {"hidden": [64, 32]}})
    changed = study.with_changes({"training.epochs": 3, "model.hidden": [5]})
    assert (changed.training.epochs, changed.model.hidden) == (3, [5])
    assert (study.training.epochs, study.model.hidden) == (100, [64, 32])
    assert changed.training.learning_rate is None, "what was left to the model stays so"
    with pytest.raises(StudyError, match="here: unknown key 'training.epoch'. Did you mean 'training.epochs'"):
        study.with_changes({"training.epoch": 3}, where="here")
    with pytest.raises(StudyError, match="training.epochs must be a whole number above 0 but got 0"):
        study.with_changes({"training.epochs": 0})


# Files.


def test_the_name_is_that_of_the_file_unless_given(tmp_path):
    assert load("data: {train: a.csv}", tmp_path).name == "wdbc"
    assert load("name: other\ndata: {train: a.csv}", tmp_path).name == "other"


def test_paths_are_relative_to_the_study(tmp_path, monkeypatch):
    folder = tmp_path / "studies"
    folder.mkdir()
    text = (
        "data: {train: rows/*.csv, eval: eval.csv}\nmodel: {path: m.keras}\ncompare: {model.path: [m.keras, n.keras]}"
    )
    study = load(text, folder)
    assert study.data.train == str(folder / "rows" / "*.csv")
    assert study.data.eval == str(folder / "eval.csv")
    assert study.model.path == str(folder / "m.keras")
    assert [s.model.path for _, s in study.alternatives()] == [str(folder / "m.keras"), str(folder / "n.keras")]

    assert load("data: {train: a.csv, eval: 0.3}", folder).data.eval == 0.3
    assert load("data: {train: /x/a.csv}", folder).data.train == "/x/a.csv"
    assert load("data: {train: 'gs://bucket/a.csv'}", folder).data.train == "gs://bucket/a.csv"
    monkeypatch.chdir(folder)
    assert load_study("wdbc.yaml").data.train == "gs://bucket/a.csv"
    assert not os.path.isabs(load("data: {train: a.csv}", Path()).data.train)


FULL = """
name: everything
data: {train: rows.csv, eval: 0.25, features: [a, b]}
preprocessing: {scaling: robust, missing: median, outliers: clip}
model: {hidden: [16], bottleneck: 3, activation: tanh, output_activation: sigmoid}
training: {optimizer: sgd, learning_rate: 1.0e-2, loss: bce, epochs: 7, batch_size: 5, seed: 3}
compare: {training.learning_rate: [0.01, 0.1], model.hidden: [[16], [32, 16]]}
diagnosis: {budget: 4, target: 0.1, thresholds: {least_gain: 0.3}}
"""


def test_yaml_out_and_in_is_the_same_study(tmp_path, monkeypatch):
    study = load(FULL, tmp_path)
    again = parse_study(yaml.safe_load(study.to_yaml()))
    assert again.to_tree() == study.to_tree()
    assert [name for name, _ in again.alternatives()] == [name for name, _ in study.alternatives()]

    monkeypatch.chdir(tmp_path)
    near = load_study("wdbc.yaml").to_yaml()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load(near, Path(), "again.yaml").data.train == str(tmp_path / "rows.csv"), "runs from any folder"


def test_yaml_of_a_compiled_models_study_does_not_fix_its_optimizer(tmp_path):
    study = load("data: {train: a.csv}\nmodel: {factory: 'm:build'}\ntraining: {loss: mae}", tmp_path)
    tree = yaml.safe_load(study.to_yaml())
    assert tree["training"]["loss"] == "mae"
    assert tree["training"]["epochs"] == 100
    assert not {"optimizer", "learning_rate"} & tree["training"].keys()
    assert {"optimizer", "learning_rate"} <= yaml.safe_load(parse_study(DATA).to_yaml())["training"].keys()


def test_values_from_python_are_plain_in_the_study(tmp_path):
    training = {"epochs": np.int64(3), "learning_rate": np.float32(0.5), "seed": np.array(2)}
    study = parse_study({"data": {"train": tmp_path / "rows.csv"}, "training": training})
    assert study.data.train == str(tmp_path / "rows.csv")
    assert (study.training.epochs, study.training.learning_rate, study.training.seed) == (3, 0.5, 2)
    assert yaml.safe_load(study.to_yaml())["training"]["epochs"] == 3


def test_a_study_cannot_be_changed_in_place():
    study = parse_study(DATA)
    with pytest.raises(Exception, match="immutable"):
        study.training.epochs = 3
