"""Components are thin, typed, and say the same as the functions that they call (components)."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

pytest.importorskip("kfp")

from kfp import dsl

from aetfx.errors import AetfxError
from aetfx.steps.places import tree_hash
from components.artifacts import TYPE_NAMES
from components.base import TYPES, work

ROOT = Path(__file__).resolve().parents[2] / "components"
NAMES = [
    "example_gen", "statistics_gen", "schema_gen", "example_validator", "transform", "tuner", "trainer", "evaluator",
    "diagnoser", "pusher",
]  # fmt: skip


@pytest.fixture(scope="module")
def loaded():
    return {name: importlib.import_module(f"components.{name}") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_each_calls_one_function_and_does_nothing_else(name):
    tree = ast.parse((ROOT / f"{name}.py").read_text())
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        docstring, *body = function.body
        assert isinstance(docstring, ast.Expr)
        kinds = [type(node) for node in body]
        assert kinds in (
            [ast.ImportFrom, ast.ImportFrom, ast.Expr],
            [ast.ImportFrom, ast.ImportFrom, ast.Assign, ast.Return],
        ), f"{function.name} has logic of its own"
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        assert [node.func.id for node in calls if isinstance(node.func, ast.Name)].count("work") == 1


def test_artifacts_have_the_same_class_under_the_same_name_everywhere(loaded):
    for component, artifacts in TYPES.items():
        for name, kind in artifacts.items():
            if kind not in ("HTML", "Metrics"):
                assert TYPE_NAMES[name] == kind, f"{component}: {name}"
    assert set(TYPE_NAMES) == {n for artifacts in TYPES.values() for n, kind in artifacts.items() if n in TYPE_NAMES}


def test_every_parameter_of_a_function_is_given_by_its_component(loaded):
    from aetfx.steps import data, models

    for name in [*NAMES, "evaluator_of_many"]:
        function = getattr(data, name, None) or getattr(models, name)
        home = loaded["evaluator" if name == "evaluator_of_many" else name]
        spec = getattr(home, name).component_spec
        given = {*spec.inputs, *(key for key in spec.outputs or {} if key not in ("metrics", "values"))}
        assert given == set(inspect.signature(function).parameters), name


def test_nothing_is_installed_when_a_step_starts(loaded):
    for home in loaded.values():
        for item in vars(home).values():
            if isinstance(item, dsl.base_component.BaseComponent):
                command = " ".join(item.component_spec.implementation.container.command)
                assert "pip install" not in command


def make(function, folder, **outputs):
    """Calls a function as a component does, with its outputs in a folder."""
    made = {name: kind(name=name, uri=str(folder / name)) for name, kind in outputs.items()}
    return made, lambda **more: work(function, outputs=made, **more)


STUDY = "data: {train: rows.csv}\ncompare: {model.bottleneck: [4]}\n"


def test_outputs_lie_below_the_configuration_and_tell_their_metadata(tmp_path):
    def write(study, values, model, report):
        for path in (model / "model.keras", report):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(values)
        return {"model": {"score": 0.5}, "metrics": {"score": 0.5}}

    homes = []
    for values in ("", '{"model.bottleneck": 4}'):
        made, call = make(write, tmp_path, model=dsl.Model, report=dsl.HTML, metrics=dsl.Metrics)
        call(parameters={"study": STUDY, "values": values})
        digest = tree_hash(made["model"].path)
        assert made["model"].metadata == {"type_name": "Model", "score": 0.5, "hash": digest}
        assert made["metrics"].metadata == {"score": 0.5}
        assert made["report"].path.endswith(".html")
        assert (Path(made["model"].path) / "model.keras").read_text() == values
        homes.append(Path(made["model"].path).name)
    assert [home.rsplit("-", 1)[0] for home in homes] == ["baseline", "bottleneck=4"]


def test_a_step_without_a_study_goes_on_with_the_configuration_of_its_input(tmp_path):
    def count(examples, statistics):
        return {}

    made, call = make(count, tmp_path, statistics=dsl.Artifact)
    call(inputs={"examples": dsl.Dataset(name="examples", uri=str(tmp_path / "examples" / "baseline-1234abcd"))})
    assert made["statistics"].path == str(tmp_path / "statistics" / "baseline-1234abcd")


def test_what_is_made_of_a_model_lies_below_the_configuration_of_the_model(tmp_path):
    def judge(examples, model, study, blessing):
        return {}

    made, call = make(judge, tmp_path, blessing=dsl.Artifact)
    inputs = {"examples": dsl.Dataset(uri="/x/baseline-1"), "model": dsl.Model(uri="/x/bottleneck=4-2")}
    call(inputs=inputs, parameters={"study": STUDY})
    assert made["blessing"].path == str(tmp_path / "blessing" / "bottleneck=4-2")


def test_an_artifact_of_another_class_is_refused(tmp_path, capsys):
    made, call = make(lambda schema, anomalies: {}, tmp_path, anomalies=dsl.Artifact)
    wrong = dsl.Artifact(uri="/x", metadata={"type_name": "ExampleStatistics"})
    with pytest.raises(SystemExit):
        call(inputs={"schema": wrong})
    assert "schema: expected Schema but got ExampleStatistics (/x)" in capsys.readouterr().err
    assert made["anomalies"].metadata == {}


def test_a_mistake_is_one_line_and_an_exit_code(tmp_path, capsys):
    def fail(study, model):
        raise AetfxError("no\nrows")

    _, call = make(fail, tmp_path, model=dsl.Model)
    with pytest.raises(SystemExit) as ended:
        call(parameters={"study": STUDY})
    assert ended.value.code == 2
    assert capsys.readouterr().err == "aetfx: error: no rows\n"


def test_workers_on_other_machines_get_places_in_the_store(tmp_path):
    seen = []

    def count(examples: str, statistics: Path, beam_flags: list):
        seen.append(examples)
        return {}

    for flags in ([], ["--runner=DirectRunner"], ["--runner=DataflowRunner"]):
        _, call = make(count, tmp_path, statistics=dsl.Artifact)
        examples = dsl.Dataset(uri="gs://bucket/examples/baseline-1234abcd")
        call(inputs={"examples": examples}, parameters={"beam_flags": flags})
    local = "/gcs/bucket/examples/baseline-1234abcd"
    assert [str(place) for place in seen] == [local, local, "gs://bucket/examples/baseline-1234abcd"]
