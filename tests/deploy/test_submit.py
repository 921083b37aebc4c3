"""Nothing is submitted before all checks pass (deploy/kubeflow/submit.py)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("kfp")

import kfp

from deploy.kubeflow import submit

pytestmark = pytest.mark.usefixtures("quick_kubeflow")


@pytest.fixture
def client(monkeypatch):
    """Kubeflow's client: keeps what it is asked."""

    class Client:
        asked: list = []  # noqa: RUF012 (one test, one list)

        def __init__(self, **settings):
            self.asked.append(settings)

        def create_run_from_pipeline_package(self, path, **settings):
            self.asked.append({"yaml": Path(path).read_text(), **settings})
            return type("Run", (), {"run_id": "r1"})

    Client.asked = []
    monkeypatch.setattr(kfp, "Client", Client)
    return Client


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(f"{i},{i * 7 % 11}" for i in range(50)) + "\n")
    return str(tmp_path / "t.csv")


def arguments(rows, tmp_path, *more):
    asked = ["validation", "--data", rows, "--host", "http://localhost:1", "--image", "localhost:1/aetfx:0.1.0"]
    return [*asked, "--root", str(tmp_path), "--mounted", *more]


def test_what_is_wrong_is_said_and_nothing_submitted(client, rows, tmp_path, capsys):
    assert submit.main(arguments(rows, tmp_path, "--set", "strict=maybe")) == 2
    err = capsys.readouterr().err
    assert 'wrong parameters: validation: strict must be true or false but got "maybe".' in err
    assert "wrong image: localhost:1/aetfx:0.1.0: localhost:1 cannot be reached" in err
    assert err.splitlines()[-1] == "submit: error: nothing was submitted: 2 of 5 checks failed."
    assert client.asked == []


def test_a_run_is_submitted_with_its_digest_and_image(client, rows, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pipelines.check.check_image", lambda image: None)
    monkeypatch.setenv("KFP_TOKEN", "t")
    assert submit.main(arguments(rows, tmp_path, "--set", "strict=false", "--no-cache")) == 0
    connected, run = client.asked
    assert connected == {"host": "http://localhost:1", "namespace": None, "existing_token": "t"}
    assert len(run["arguments"]["digest"]) == 16
    assert run["arguments"]["strict"] is False
    assert set(re.findall(r"image: (.*)", run["yaml"])) == {"localhost:1/aetfx:0.1.0"}
    assert (run["enable_caching"], run["pipeline_root"]) == (False, str(tmp_path))
    assert capsys.readouterr().out == "http://localhost:1/#/runs/details/r1\n"


def test_each_step_is_cached_as_it_was_compiled_and_an_image_may_be_trusted(client, rows, tmp_path):
    assert submit.main(arguments(rows, tmp_path, "--trust-image")) == 0
    assert client.asked[-1]["enable_caching"] is None


def test_a_host_that_does_not_answer(rows, tmp_path, capsys, monkeypatch):
    def refuse(**_):
        raise ConnectionError("refused")

    monkeypatch.setattr("pipelines.check.check_image", lambda image: None)
    monkeypatch.setattr(kfp, "Client", refuse)
    assert submit.main(arguments(rows, tmp_path)) == 2
    assert "http://localhost:1: did not take the run (ConnectionError: refused)" in capsys.readouterr().err
