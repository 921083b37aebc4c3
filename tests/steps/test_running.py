"""Steps that were done are taken over, and lineage tells what came from what (aetfx.steps.running)."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from aetfx.errors import RunError
from aetfx.steps.places import tree_hash
from aetfx.steps.running import run_step, trace


class Pipeline:
    """Two steps, each of which writes what it reads in capitals or doubled, and counts how often it works."""

    def __init__(self, folder):
        self.folder, self.lineage, self.worked, self.number = folder, folder / "lineage", [], 0

    def first(self, text, made):
        self.worked.append("first")
        made.mkdir()
        (made / "a.txt").write_text(text.upper())
        return {"made": {"length": len(text)}}

    def second(self, made, doubled):
        self.worked.append("second")
        doubled.write_text((made / "a.txt").read_text() * 2)
        return {"doubled": {}}

    def run(self, text):
        self.number += 1
        here, self.worked = self.folder / f"run-{self.number}", []
        one = run_step(
            "first", self.first, inputs={}, parameters={"text": text},
            outputs={"made": str(here / "made")}, lineage=self.lineage,
        )  # fmt: skip
        run_step(
            "second", self.second, inputs={"made": str(here / "made")}, parameters={},
            outputs={"doubled": str(here / "doubled.txt")}, lineage=self.lineage,
        )  # fmt: skip
        return here, one


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tmp_path)


def test_the_same_is_not_done_again(pipeline):
    pipeline.run("abc")
    here, one = pipeline.run("abc")
    assert pipeline.worked == []
    assert (one.reused, one.metadata) == (True, {"made": {"length": 3, "hash": tree_hash(here / "made")}})
    assert (here / "doubled.txt").read_text() == "ABCABC"


def test_another_parameter_is_another_step(pipeline):
    pipeline.run("abc")
    here, _ = pipeline.run("abcd")
    assert pipeline.worked == ["first", "second"]
    assert (here / "doubled.txt").read_text() == "ABCDABCD"


def test_the_same_content_is_the_same_input(pipeline):
    pipeline.run("abc")
    here, _ = pipeline.run("ABC")
    assert pipeline.worked == ["first"]
    assert (here / "doubled.txt").read_text() == "ABCABC"


def test_what_was_damaged_is_done_again(pipeline):
    here, _ = pipeline.run("abc")
    (here / "made" / "a.txt").write_text("XYZ")
    again, _ = pipeline.run("abc")
    assert pipeline.worked == ["first"]
    assert (again / "made" / "a.txt").read_text() == "ABC"


@pytest.mark.parametrize("what", ["code_hash", "versions"])
def test_other_code_does_it_again(pipeline, monkeypatch, what):
    pipeline.run("abc")
    monkeypatch.setattr(f"aetfx.steps.running.{what}", lambda: "another")
    pipeline.run("abc")
    assert pipeline.worked == ["first", "second"]


def test_a_step_that_fails_leaves_no_record(pipeline):
    def fail(text, made):
        raise RunError("no")

    pipeline.first = fail
    with pytest.raises(RunError, match="no"):
        pipeline.run("abc")
    assert not list((pipeline.lineage / "steps").glob("*.json"))


def test_lineage_tells_what_made_a_file_and_what_it_led_to(pipeline):
    here, _ = pipeline.run("abc")
    pipeline.run("other")
    found = trace(pipeline.lineage, str(here / "made" / "a.txt"))
    assert [step["parameters"] for step in found["made_by"]] == [{"text": "abc"}]
    assert [step["outputs"]["doubled"]["path"] for step in found["led_to"]] == [str(here / "doubled.txt")]
    found = trace(pipeline.lineage, tree_hash(here / "doubled.txt"))
    assert [step["step"] for step in found["made_by"]] == ["first", "second"]
    assert found["led_to"] == []
    assert trace(pipeline.lineage, "doubled") == trace(pipeline.lineage, "second")
    code = found["made_by"][0]["code"]
    assert set(code) == {"hash", "versions"}
    assert "numpy" in code["versions"]


def test_lineage_knows_a_copy_that_was_made_outside_of_the_run(pipeline):
    here, _ = pipeline.run("abc")
    (pipeline.folder / "served").mkdir()
    shutil.copy(here / "made" / "a.txt", pipeline.folder / "served" / "1.txt")
    for what in ("served", "served/1.txt"):
        found = trace(pipeline.lineage, str(pipeline.folder / what))
        assert [step["step"] for step in found["made_by"]] == ["first"]
    (pipeline.folder / "empty").mkdir()
    with pytest.raises(RunError, match="knows nothing of"):
        trace(pipeline.lineage, str(pipeline.folder / "empty"))


def test_of_steps_that_wrote_the_same_the_one_whose_output_was_read_made_it(pipeline):
    homes = [pipeline.run(text)[0] for text in ("abc", "Abc")]
    for home, text in zip(homes, ("abc", "Abc"), strict=True):
        found = trace(pipeline.lineage, str(home / "made"))
        assert [step["parameters"]["text"] for step in found["made_by"]] == [text]
    # Doubled was done once, for the first; the second took it over, and reads its own input since.
    made_by = trace(pipeline.lineage, str(homes[1] / "doubled.txt"))["made_by"]
    assert {"text": "Abc"} in [step["parameters"] for step in made_by]
    assert len(made_by) == 2


def test_what_is_not_known_is_said(pipeline):
    pipeline.run("abc")
    known = "Name a path of the run, or one of first, made, second, doubled."
    with pytest.raises(RunError, match=re.escape(f"knows nothing of 'x'. {known}")):
        trace(pipeline.lineage, "x")


def test_lineage_is_one_json_of_all_steps_in_order(pipeline):
    pipeline.run("abc")
    found = json.loads((pipeline.lineage / "lineage.json").read_text())
    assert [step["step"] for step in found["steps"]] == ["first", "second"]
    first, second = found["steps"]
    assert second["inputs"]["made"]["hash"] == first["outputs"]["made"]["hash"]
    assert list(first["outputs"]["made"]["files"]) == ["a.txt"]
