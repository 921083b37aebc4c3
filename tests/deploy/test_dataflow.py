"""The Dataflow job is made offline and is as it should be; the launcher says what it misses (deploy/dataflow)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("apache_beam.runners.dataflow.internal.apiclient")

from aetfx.errors import AetfxError
from deploy.dataflow import main as launcher
from deploy.dataflow.graph import make_graph

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "registry.example/p/aetfx:0.1.0"
FLAGS = [
    "--runner=DataflowRunner", "--project=project", "--region=europe-west1", "--temp_location=gs://none/temp",
    f"--sdk_container_image={IMAGE}", "--sdk_location=container",
]  # fmt: skip
MARK = 123456.789  # a value in the rows that stands nowhere else


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    table = pd.DataFrame(np.full((2000, 4), MARK), columns=["a", "b", "c", "d"])
    table["word"] = "unmistakable"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def graph(rows, tmp_path_factory):
    """Made once, with no network: nothing may be asked of Google."""
    import socket

    out = tmp_path_factory.mktemp("graph")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
        return out, make_graph(str(rows), out, FLAGS)


def test_workers_run_in_our_image(graph):
    out, found = graph
    assert found["image"] == IMAGE
    pools = json.loads((out / "job.json").read_text())["environment"]["workerPools"]
    images = [one["containerImage"] for pool in pools for one in pool["sdkHarnessContainerImages"]]
    assert images == [IMAGE]


def test_stages_are_those_of_validation(graph):
    _, found = graph
    assert found["stages"] == ["Shards", "Read", "Accumulate", "Write"]


def test_no_row_is_in_the_graph(graph):
    out, found = graph
    assert found["bytes"] < 1_000_000
    for path in out.iterdir():
        raw = path.read_bytes()
        assert b"123456" not in raw, path.name
        assert b"unmistakable" not in raw, path.name
        assert np.float64(MARK).tobytes() not in raw, path.name


def test_a_job_without_an_image_of_its_own_is_refused(rows, tmp_path):
    with pytest.raises(AetfxError, match="Give --sdk_container_image"):
        make_graph(str(rows), tmp_path, [flag for flag in FLAGS if "container" not in flag])


def test_what_beam_refuses_is_one_line(rows, tmp_path):
    with pytest.raises(AetfxError, match=r"Beam's options: .* Invalid Project ID \(p\)"):
        make_graph(str(rows), tmp_path, ["--project=p" if "project" in flag else flag for flag in FLAGS])


@pytest.mark.parametrize("temp", ["gs://b/temp", "/tmp/here"])
def test_a_place_that_is_no_bucket_is_refused_before_beam_makes_one(rows, tmp_path, temp):
    flags = [f"--temp_location={temp}" if "temp" in flag else flag for flag in FLAGS]
    with pytest.raises(AetfxError, match=f"temp_location is '{temp}'. Give a bucket"):
        make_graph(str(rows), tmp_path, flags)


def test_the_template_takes_what_the_launcher_takes():
    template = json.loads((ROOT / "deploy" / "dataflow" / "metadata.json").read_text())
    names = {parameter["name"] for parameter in template["parameters"]}
    source = Path(launcher.__file__).read_text()
    options = set(re.findall(r'add_argument\("--(\w+)"', source))
    assert names - {"sdk_container_image"} <= options  # that one is Beam's own
    for parameter in template["parameters"]:
        assert set(parameter) <= {"name", "label", "helpText", "isOptional", "regexes"}
        for regex in parameter["regexes"]:
            re.compile(regex)
    expressions = {parameter["name"]: parameter["regexes"][0] for parameter in template["parameters"]}
    assert re.match(expressions["data"], "gs://b/rows-*.parquet")
    assert not re.match(expressions["data"], "/home/me/rows.csv")
    assert re.match(expressions["sdk_container_image"], IMAGE)
    assert not re.match(expressions["sdk_container_image"], "registry.example/p/aetfx")


def test_the_launcher_validates_with_any_runner(tmp_path):
    rng = np.random.default_rng(0)
    pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"]).to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "run"
    code = launcher.main(["--data", str(tmp_path / "t.csv"), "--output", str(out), "--runner=DirectRunner"])
    assert code == 0
    assert (out / "statistics" / "Split-train" / "FeatureStats.pb").exists()
    assert (out / "validation.html").exists()


def test_the_launcher_says_what_is_wrong(tmp_path, capsys):
    code = launcher.main(["--data", str(tmp_path / "none.csv"), "--output", str(tmp_path), "--runner=DirectRunner"])
    assert code == 2
    assert capsys.readouterr().err.startswith("aetfx: error: ")


@pytest.mark.parametrize(
    ("environment", "arguments", "said"),
    [
        ({}, ["graph", "x.csv"], "PROJECT is not set"),
        ({"BUCKET": "b"}, ["graph", "x.csv"], "BUCKET must start with gs://"),
        ({"BUCKET": "gs://b", "IMAGE": "r/i:latest"}, ["graph", "x.csv"], "tag latest"),
        ({"BUCKET": "gs://b"}, ["fly"], "say what to do"),
    ],
)
def test_the_script_says_what_it_misses(environment, arguments, said):
    full = {"PROJECT": "p", "REGION": "r", "IMAGE": "r/i:1"} if environment else {}
    command = ["sh", str(ROOT / "deploy" / "dataflow" / "launch.sh"), *arguments]
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **full, **environment}, capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr


def test_the_command_makes_a_graph(rows, tmp_path):
    command = [sys.executable, "-m", "deploy.dataflow.graph", str(rows), str(tmp_path), *FLAGS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["image"] == IMAGE
