"""What is wrong is said before anything is submitted (pipelines.check, pipelines.__main__)."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("kfp")

from aetfx.errors import RunError, StudyError
from pipelines.__main__ import arguments_of, main, with_digests
from pipelines.check import check, check_arguments, check_image

pytestmark = pytest.mark.usefixtures("quick_kubeflow")

ROOT = Path(__file__).resolve().parents[2]


class Registry(http.server.BaseHTTPRequestHandler):
    """A registry with one image, open to all, and one for which a token is asked for."""

    def do_HEAD(self):
        image, _, tag = self.path.removeprefix("/v2/").partition("/manifests/")
        self.server.asked.append((self.path, self.headers.get("Authorization"), self.headers.get("Accept")))
        if image == "p/closed" and self.headers.get("Authorization") != "Bearer t1":
            self.send_response(401)
            realm = f"http://localhost:{self.server.server_port}/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="s",scope="repository:p/closed:pull"')
        else:
            self.send_response(200 if image in ("p/aetfx", "p/closed") and tag == "0.1.0" else 404)
        self.end_headers()

    def do_GET(self):
        self.server.asked.append((self.path, None, None))
        self.send_response(200 if self.server.gives_tokens else 403)
        self.end_headers()
        self.wfile.write(b'{"token": "t1"}')

    def log_message(self, *_):
        pass


@pytest.fixture
def registry():
    with http.server.ThreadingHTTPServer(("localhost", 0), Registry) as server:
        server.asked, server.gives_tokens = [], True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_an_image_that_is_there(registry):
    check_image(f"localhost:{registry.server_port}/p/aetfx:0.1.0")
    path, _, accept = registry.asked[0]
    assert path == "/v2/p/aetfx/manifests/0.1.0"
    assert "application/vnd.oci.image.index.v1+json" in accept


def test_a_tag_that_is_not_there(registry):
    with pytest.raises(StudyError, match=r"has no such image or tag\. Push it first"):
        check_image(f"localhost:{registry.server_port}/p/aetfx:9.9.9")


def test_a_registry_that_asks_for_a_token(registry):
    check_image(f"localhost:{registry.server_port}/p/closed:0.1.0")
    assert registry.asked[-1][1] == "Bearer t1"
    registry.gives_tokens = False
    with pytest.raises(RunError, match=r"lets nobody without rights look \(403\)"):
        check_image(f"localhost:{registry.server_port}/p/closed:0.1.0")


def test_a_registry_that_is_not_there():
    with pytest.raises(RunError, match=r"localhost:1 cannot be reached"):
        check_image("localhost:1/p/aetfx:0.1.0")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("localhost:5000/p/aetfx", "has no tag"),
        ("localhost:5000/p/aetfx:latest", "has the tag latest"),
        ("Not An Image", "is no name of an image"),
    ],
)
def test_an_image_whose_name_is_wrong(image, said):
    with pytest.raises(StudyError, match=said):
        check_image(image)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"study": "x", "seeds": "two"}, 'seeds must be a whole number but got "two"'),
        ({"study": "x", "seeds": True}, "seeds must be a whole number but got true"),
        ({"study": "x", "strict": "yes"}, 'strict must be true or false but got "yes"'),
        ({"study": "x", "beam_flags": "--runner=x"}, "beam_flags must be a list but got"),
        ({"study": "x", "beam_flags": [1]}, "beam_flags must be a list of strings"),
        ({"study": "x", "seed": 1}, "no parameter 'seed'. Did you mean 'seeds'"),
        ({}, "study is missing"),
    ],
)
def test_parameters_of_another_type(arguments, said):
    with pytest.raises(StudyError, match=said):
        check_arguments("diagnosis", arguments)


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(f"{i},{i * 7 % 11}" for i in range(50)) + "\n")
    return tmp_path / "t.csv"


def wrongs(*arguments, **more):
    return {what: wrong for what, wrong in check(*arguments, **more) if wrong}


def test_nothing_wrong(rows, tmp_path):
    assert wrongs("validation", {"study": f"data: {{train: {rows}}}"}, root=str(tmp_path), cluster=False) == {}


def test_files_of_this_machine_are_not_seen_by_pods(rows):
    found = wrongs("validation", {"study": f"data: {{train: {rows}}}"}, root="/tmp/kfp")
    assert "is on this machine, where the steps do not run" in found["rows"]
    assert "is on this machine" in found["pipeline root"]


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    found = wrongs(
        "sweep",
        {"study": f"data: {{train: {tmp_path}/none.csv}}", "models_at": f"{tmp_path}/file/models", "seeds": "x"},
        image="aetfx", cluster=False,
    )  # fmt: skip
    assert set(found) == {"parameters", "study", "rows", "models_at", "image"}
    assert "nothing to sweep over" in found["study"]
    assert "no such file" in found["rows"]
    assert "cannot be written to" in found["models_at"]


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """No credentials of Google's, whoever runs the test."""
    pytest.importorskip("google.auth")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


def test_missing_credentials(nobody):
    found = wrongs("validation", {"study": "data: {train: gs://none/rows.csv}"}, root="gs://none/kfp")
    assert "no Google credentials here. Run `gcloud auth application-default login`" in found["rows"]
    assert "no Google credentials here" in found["pipeline root"]


def test_an_unreachable_bucket(nobody, monkeypatch, tmp_path):
    key = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}
    (tmp_path / "key.json").write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", "http://localhost:1/token")
    found = wrongs("validation", {"study": "data: {train: gs://none/rows.csv}"}, root="gs://none/kfp")
    assert "gs://none/rows.csv: the Google credentials here are not accepted, or Google is not reached" in found["rows"]
    assert "localhost" in found["pipeline root"]


def test_a_bucket_without_a_client():
    found = wrongs("validation", {"study": "data: {train: 'hdfs://none/rows.csv'}"})
    assert "hdfs" in found["rows"]


def test_flags_of_beam(rows):
    study = {"study": f"data: {{train: {rows}}}"}
    found = wrongs("validation", {**study, "beam_flags": ["--runer=DirectRunner"]}, cluster=False)
    assert "unknown Beam option '--runer=DirectRunner'. Did you mean '--runner'?" in found["Beam's flags"]
    found = wrongs("validation", {**study, "beam_flags": ["--runner=DataflowRunner", "--project=p"]}, cluster=False)
    assert "DataflowRunner needs --region" in found["Beam's flags"]


def test_models_that_a_study_names(rows, tmp_path):
    study = f"data: {{train: {rows}}}\nmodel: {{path: {tmp_path}/none.keras}}\n"
    assert "no such model file (model.path)" in wrongs("diagnosis", {"study": study}, cluster=False)["models"]
    assert "is on this machine, where the steps do not run" in wrongs("diagnosis", {"study": study})["models"]
    assert "models" not in wrongs("validation", {"study": study}), "only its data are read"
    study = f"data: {{train: {rows}}}\nmodel: {{factory: 'no_such_module:build'}}\n"
    assert "there is no module 'no_such_module'" in wrongs("diagnosis", {"study": study}, cluster=False)["models"]
    assert "models" not in wrongs("diagnosis", {"study": study}), "the image may have it"
    study = f"data: {{train: {rows}}}\nevaluation: {{thresholds: {{against: {tmp_path}/old.keras}}}}\n"
    found = wrongs("diagnosis", {"study": study}, cluster=False)["models"]
    assert found.startswith("evaluation.thresholds.against: ")


def test_parameters_of_the_command_line_have_the_type_of_the_pipeline(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ["digest=1234567890123456", "seeds=3", 'beam_flags=["--x"]', "push_to=serving", "schema="]
    found = arguments_of("diagnosis", None, str(rows), settings)
    assert (found["digest"], found["seeds"], found["beam_flags"]) == ("1234567890123456", 3, ["--x"])
    assert (found["push_to"], found["schema"]) == (str(tmp_path / "serving"), "")


def test_what_is_read_is_in_the_parameters_by_content(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "schema.pbtxt").write_text("feature {}")
    (tmp_path / "some_models.py").write_text("def build(): ...")
    (tmp_path / "study.yaml").write_text(f"data: {{train: {rows}}}\nmodel: {{factory: 'some_models:build'}}\n")

    def digests():
        return with_digests(arguments_of("diagnosis", tmp_path / "study.yaml", None, ["schema=schema.pbtxt"]))

    before = digests()
    assert digests() == before
    for path, key in (("t.csv", "digest"), ("schema.pbtxt", "schema_digest"), ("some_models.py", "study")):
        with open(tmp_path / path, "a") as file:
            file.write("\n")
        after = digests()
        assert {name for name in after if after[name] != before[name]} == {key}
        before = after


def command(monkeypatch, capsys, *arguments):
    """Runs the command line in this process: its exit code and what it said."""
    monkeypatch.setattr(sys, "argv", ["pipelines", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr()


def test_the_command_says_each_check_and_exits_2(rows):
    asked = ["check", "diagnosis", "--data", str(rows), "--set", "seeds=two", "--mounted"]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *asked], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert 'wrong parameters: diagnosis: seeds must be a whole number but got "two".' in done.stdout
    assert "ok    rows" in done.stdout
    assert done.stderr == "pipelines: error: 1 of 4 checks failed: parameters.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "diagnosis", "--local"], "no rows. Give --study STUDY.yaml, --data DATA, or both."),
        (["run", "validation", "--data", "x.csv"], "Add --local to run on this machine."),
        (["run", "validation", "--local", "--data", "none.csv"], "none.csv: no such file"),
        (["arguments", "diagnose", "--data", "none.csv"], "no pipeline 'diagnose'. Did you mean 'diagnosis'"),
        (["compile", "--image", "r/aetfx:latest"], "has the tag latest"),
    ],
)
def test_mistakes_are_one_line(arguments, said, monkeypatch, capsys):
    code, told = command(monkeypatch, capsys, *arguments)
    assert (code, told.out, told.err.count("\n")) == (2, "", 1), told.err
    assert said in told.err
