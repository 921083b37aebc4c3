"""Pipelines compile to the YAML that was reviewed (pipelines.compiling)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

pytest.importorskip("kfp")

from aetfx.errors import StudyError
from pipelines.compiling import PIPELINES, check_types, compile_all, define, load

pytestmark = pytest.mark.usefixtures("quick_kubeflow")

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "deploy" / "kubeflow"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return {path.stem: path for path in compile_all(tmp_path_factory.mktemp("build"))}


def read(path):
    return next(yaml.safe_load_all(path.read_text()))


def without_version(text):
    """The SDKs of both stacks, 2.13 and 2.16, compile to the same but for this line."""
    return re.sub(r"^sdkVersion: kfp-[\d.]+$", "sdkVersion:", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", PIPELINES)
def test_yaml_is_what_was_reviewed(name, compiled):
    """A change of interface is seen here: review the difference, then `make pipelines` writes it anew."""
    assert without_version(compiled[name].read_text()) == without_version((GOLDEN / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", PIPELINES)
def test_kubeflow_loads_it(name, compiled):
    assert load(compiled[name]).name == name


def test_what_is_no_pipeline_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("a: 1\n")
    with pytest.raises(StudyError, match="not a pipeline that Kubeflow takes"):
        load(tmp_path / "x.yaml")


def test_every_step_has_limits_retries_and_one_image(compiled):
    for path in compiled.values():
        executors = read(path)["deploymentSpec"]["executors"]
        images = {executor["container"]["image"] for executor in executors.values()}
        assert images == {"aetfx:0.1.0"}
        for name, executor in executors.items():
            assert {"resourceCpuLimit", "resourceMemoryLimit"} <= set(executor["container"]["resources"]), name


def test_what_acts_or_reads_outside_its_artifacts_is_never_cached(compiled):
    uncached = {
        f"{path.stem}/{name}"
        for path in compiled.values()
        for name, task in read(path)["root"]["dag"]["tasks"].items()
        if not task["cachingOptions"].get("enableCache") and "loop" not in name
    }
    assert uncached - {"sweep/configurations"} == {"diagnosis/pusher", "sweep/evaluator-of-many"}


def test_an_image_without_a_version_is_refused(tmp_path):
    with pytest.raises(StudyError, match="has no tag"):
        compile_all(tmp_path, "registry.example/aetfx")


def test_nothing_is_collected_from_the_loop(compiled):
    text = compiled["sweep"].read_text()
    assert "parameterIterator" in text
    assert "artifactSelectors" not in text
    assert "Collected" not in text
    tasks = read(compiled["sweep"])["root"]["dag"]["tasks"]
    assert "configurations" in tasks["evaluator-of-many"]["dependentTasks"]


def test_an_output_for_another_input_is_found(compiled):
    text = compiled["diagnosis"].read_text()
    check_types(text)
    wrong = text.replace("outputArtifactKey: schema\n", "outputArtifactKey: statistics\n", 1)
    wrong = wrong.replace("producerTask: schema-gen\n", "producerTask: statistics-gen\n", 1)
    assert wrong != text
    with pytest.raises(StudyError, match="example-validator: input 'schema' takes Schema but is given Ex"):
        check_types(wrong)


def test_the_sweep_unrolls_to_the_same_steps():
    from kfp import compiler  # noqa: F401 (its classes are what `define` makes)

    spec = define("sweep", unrolled=["{}", '{"model.bottleneck": 4}']).pipeline_spec
    tasks = set(spec.root.dag.tasks)
    assert {"trainer", "trainer-2", "transform", "transform-2", "evaluator-of-many"} <= tasks
    assert {"trainer", "trainer-2"} <= set(spec.root.dag.tasks["evaluator-of-many"].dependent_tasks)


def test_an_unknown_pipeline_is_refused():
    with pytest.raises(StudyError, match="no pipeline 'diagnose'. Did you mean 'diagnosis'"):
        define("diagnose")
