"""What components hand on fits, on real data (components): all of them in one process, for its speed.

`make pipelines-full` runs each in a process of its own, as `python -m pipelines run` does.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

pytest.importorskip("kfp")

from kfp import dsl

from aetfx.diagnosis.api import diagnose_study
from aetfx.steps.configurations import configurations, read, text_of
from aetfx.steps.running import LINEAGE, trace
from aetfx.study import load_study
from components.diagnoser import diagnoser
from components.evaluator import evaluator, evaluator_of_many
from components.example_gen import example_gen
from components.example_validator import example_validator
from components.pusher import pusher
from components.schema_gen import schema_gen
from components.statistics_gen import statistics_gen
from components.trainer import trainer
from components.transform import transform
from components.tuner import tuner
from tests.wine import write_wine

KINDS = {"system.Metrics": dsl.Metrics, "system.HTML": dsl.HTML}


class Hands:
    """Calls components as Kubeflow does: artifacts in, artifacts out."""

    def __init__(self, folder):
        self.folder, self.calls = folder, 0

    def __call__(self, component, **given):
        self.calls += 1
        wanted = inspect.signature(component.python_func).parameters
        made = {
            name: KINDS.get(output.type.split("@")[0], dsl.Artifact)(
                name=name, uri=str(self.folder / f"{component.name}-{self.calls}" / name)
            )
            for name, output in component.component_spec.outputs.items()
            if name in wanted
        }
        returned = component.python_func(**given, **made)
        return made if returned is None else (made, *returned)


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    return write_wine(tmp_path_factory.mktemp("wine"))


@pytest.fixture(scope="module")
def text(wine):
    return text_of(load_study(wine / "study.yaml"))


@pytest.fixture(scope="module")
def made(wine, text):
    """The steps of `diagnosis`, and those of `sweep` on the same Examples: what each wrote."""
    call, done = Hands(wine), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LINEAGE, str(wine / "run"))
        done["examples"] = examples = call(example_gen, study=text, digest="")["examples"]
        done |= call(statistics_gen, examples=examples)
        done |= call(schema_gen, statistics=done["statistics"])
        done |= call(example_validator, statistics=done["statistics"], schema=done["schema"])
        tuned, best = call(tuner, examples=examples, study=text)
        done |= tuned
        done["models"], place = {}, str(wine / "published")
        for one in configurations(read(text)):
            values = json.dumps(one.values)
            graph = call(transform, examples=examples, study=text, values=values)["transform_graph"]
            found = call(trainer, examples=examples, transform_graph=graph, study=text, values=values, publish_to=place)
            done["models"][values] = found["model"]
        done["model"] = done["models"][best]
        done |= call(evaluator, model=done["model"], examples=examples, study=text)
        done["many"] = call(evaluator_of_many, examples=examples, study=text, models_at=place)
        done |= call(pusher, model=done["model"], blessing=done["blessing"], push_to=str(wine / "serving"))
        done |= call(diagnoser, study=text, digest="")
    return done


def test_the_diagnosis_is_that_of_the_command(made, wine, tmp_path):
    record = diagnose_study(load_study(wine / "study.yaml"), tmp_path / "direct").record
    assert record["causes"] or record["suspected"]
    one, other = (
        json.loads((Path(folder) / "diagnosis.json").read_text())
        for folder in (made["diagnosis"].path, tmp_path / "direct")
    )
    for each in (one, other):
        del each["cost"]["seconds"]
    assert one == other


def test_a_model_that_is_good_enough_is_blessed_and_pushed(made, wine):
    assert [path.name for path in Path(made["blessing"].path).iterdir()] == ["BLESSED"]
    (version,) = (wine / "serving").iterdir()
    assert (version / "saved_model.pb").exists()
    assert made["pushed_model"].metadata["pushed"]


def test_the_sweep_scores_every_configuration_that_was_published(made):
    record = json.loads((Path(made["many"]["evaluation"].path) / "evaluation.json").read_text())
    assert [one["name"] for one in record["configurations"]] == ["baseline", "bottleneck=6"]


def test_a_pipeline_and_a_sweep_score_a_model_alike(made):
    alone, among = made["evaluation"].metadata, made["many"]["evaluation"].metadata
    assert alone["best"] == among["best"]
    assert alone["score"] == pytest.approx(among["score"], rel=1e-6)


def test_every_artifact_tells_its_class_its_hash_and_the_score_of_its_model(made):
    for name in ("examples", "statistics", "schema", "anomalies", "model", "evaluation", "blessing", "diagnosis"):
        metadata = made[name].metadata
        assert len(metadata["hash"]) == 16
        assert metadata["type_name"].lower().endswith(name if name != "statistics" else "examplestatistics")
    assert made["model"].metadata["score"] < 1
    assert made["examples"].metadata["rows"] == made["statistics"].metadata["rows"] == 178


def test_lineage_tells_data_code_and_configuration_of_a_model(made, wine):
    for values, model in made["models"].items():
        found = trace(wine / "run", f"{model.path}/model.keras")
        assert [step["step"] for step in found["made_by"]] == ["example_gen", "transform", "trainer"]
        assert found["made_by"][-1]["parameters"]["values"] == values
        assert found["made_by"][1]["parameters"]["values"] == values  # the graphs of both have the same content
        assert "tensorflow" in found["made_by"][-1]["code"]["versions"]
    (version,) = (wine / "serving").iterdir()
    assert "trainer" in [step["step"] for step in trace(wine / "run", str(version))["made_by"]]
    led_to = [step["step"] for step in trace(wine / "run", str(wine / "wine.csv"))["led_to"]]
    assert {"statistics_gen", "trainer", "evaluator", "pusher", "diagnoser"} <= set(led_to)
