"""What becomes of a model, and models that are found by listing a place (aetfx.steps.models, places)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aetfx.errors import DataError, RunError, StudyError
from aetfx.steps import models
from aetfx.steps.places import copy_tree, fetch, tree_hash

STUDY = "data: {train: rows.csv}\nmodel: {bottleneck: 4}\ncompare: {model.bottleneck: [4, 8]}\n"


@pytest.fixture
def trained(tmp_path):
    """A model as Trainer leaves it, and a blessing."""
    serving = tmp_path / "model" / "Format-Serving"
    (serving / "variables").mkdir(parents=True)
    (serving / "variables" / "variables.index").write_text("v")
    (serving / "fingerprint.pb").write_text("f")
    (serving / "saved_model.pb").write_text("graph")
    (tmp_path / "blessing").mkdir()
    return tmp_path


def push(folder, to):
    told = models.pusher(folder / "model", folder / "blessing", folder / "pushed", to)["pushed_model"]
    kept = json.loads((folder / "pushed" / "push.json").read_text())
    assert {"schema_version": 1, **told} == kept
    return told


def test_a_blessed_model_is_pushed_whole_under_a_number(trained):
    (trained / "blessing" / "BLESSED").touch()
    told = push(trained, str(trained / "serving"))
    (version,) = (trained / "serving").iterdir()
    assert (told["pushed"], told["destination"]) == (True, str(version))
    assert version.name.isdigit()
    assert tree_hash(version) == tree_hash(trained / "model" / "Format-Serving") == told["model_hash"]


def test_a_model_that_is_the_newest_version_is_not_pushed_again(trained):
    (trained / "blessing" / "BLESSED").touch()
    first = push(trained, str(trained / "serving"))["destination"]
    told = push(trained, str(trained / "serving"))
    assert (told["pushed"], told["reason"]) == (False, f"it is the newest version already: {first}")
    (trained / "serving" / "9999999999").mkdir()  # another one since
    assert push(trained, str(trained / "serving"))["pushed_version"] == "10000000000"


@pytest.mark.parametrize(
    ("blessing", "to", "reason"),
    [("NOT_BLESSED", "serving", "the model is not blessed"), ("BLESSED", "", "no place to push to was given")],
)
def test_a_model_that_stays(trained, blessing, to, reason):
    (trained / "blessing" / blessing).touch()
    told = push(trained, str(trained / to) if to else "")
    assert (told["pushed"], told["reason"]) == (False, reason)
    assert not (trained / "serving").exists()


def test_half_a_model_is_not_pushed(trained):
    (trained / "blessing" / "BLESSED").touch()
    (trained / "model" / "Format-Serving" / "saved_model.pb").unlink()
    with pytest.raises(RunError, match="holds no saved_model.pb"):
        push(trained, str(trained / "serving"))


def test_the_graph_of_a_model_comes_last(trained, monkeypatch):
    (trained / "blessing" / "BLESSED").touch()
    written = []
    monkeypatch.setattr(models, "copy_tree", lambda folder, to: written.extend(copy_tree(folder, to)))
    push(trained, str(trained / "serving"))
    assert [path.rsplit("/", 1)[1] for path in written] == ["fingerprint.pb", "variables.index", "saved_model.pb"]


def test_a_configuration_that_is_not_there(tmp_path):
    with pytest.raises(StudyError, match=r"configuration 2: the study has 2\. Give 0 to 1\."):
        models.train_one(STUDY, 2, str(tmp_path))


def test_a_model_that_was_not_published_is_named(tmp_path):
    from aetfx.steps.configurations import configurations, read

    first = configurations(read(STUDY))[0].identity
    for name in ("model.keras", "trial.json"):
        path = tmp_path / "configurations" / first / "seed-0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"published": 1}')
    with pytest.raises(DataError, match=r"There 'bottleneck=8' should be: see whether its Trainer failed\."):
        models.evaluator_of_many(str(tmp_path), "examples", STUDY, tmp_path / "e", tmp_path / "b")


def test_seeds_of_an_earlier_sweep_at_the_same_place_are_left_out(tmp_path, monkeypatch):
    from aetfx.steps.configurations import configurations, read

    for one in configurations(read(STUDY)):
        for seed, published in ((0, 2), (1, 1), (2, 2)):
            path = tmp_path / "configurations" / one.identity / f"seed-{seed}" / "model.keras"
            path.parent.mkdir(parents=True)
            path.write_text("model")
            path.with_name("trial.json").write_text(json.dumps({"published": published}))

    def seen(folders, *_):
        return sorted(path.parent.name for path in Path(folders[0]).glob("configurations/*/*/model.keras"))

    monkeypatch.setattr(models, "_evaluate", seen)
    found = models.evaluator_of_many(str(tmp_path), "examples", STUDY, tmp_path / "e", tmp_path / "b")
    assert found == ["seed-0", "seed-0", "seed-2", "seed-2"]


def test_files_are_copied_and_found_again(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "x.txt").write_text("x")
    copy_tree(tmp_path / "a", str(tmp_path / "b"))
    (found,) = fetch(f"{tmp_path}/b/*/x.txt", tmp_path / "c", str(tmp_path / "b"))
    assert found == tmp_path / "c" / "deep" / "x.txt"
    assert tree_hash(tmp_path / "a") == tree_hash(tmp_path / "b") == tree_hash(tmp_path / "c")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("x")
    with pytest.raises(RunError, match="a/x/x: cannot be written"):
        copy_tree(tmp_path / "a", str(tmp_path / "a" / "x"))
