"""aetfx.cli, run as a person runs it: real processes, exit codes, one line per mistake, nothing slow imported."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SLOW = {"tensorflow", "keras", "apache_beam", "tensorflow_data_validation", "numpy", "pandas", "sklearn", "plotly"}


def python(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs this Python with the repository on its path, as an installed aetfx would be found."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def aetfx(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return python("-m", "aetfx.cli", *arguments, cwd=cwd)


def assert_one_line(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """A user's mistake: exit code 2, one line on stderr with all `words`, nothing on stdout."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("aetfx: error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("command", ["demo", "validate", "diagnose", "compare", "evaluate", "find-lr", "report"])
def test_help_of_each_command_shows_examples_and_options(command):
    result = aetfx(command, "--help")
    assert result.returncode == 0
    assert re.search(rf"^ +aetfx {command}", result.stdout, re.MULTILINE)
    assert "--out" in result.stdout
    assert "--json" in result.stdout
    assert ("--replicas" in result.stdout) == (command in ("demo", "diagnose", "compare"))
    assert all(len(line) <= 110 for line in result.stdout.splitlines())


def test_help_lists_every_command():
    result = aetfx("--help")
    assert result.returncode == 0
    assert re.findall(r"^  (\w[\w-]*)  ", result.stdout, re.MULTILINE) == [
        "demo", "validate", "diagnose", "compare", "evaluate", "find-lr", "models", "report",
    ]  # fmt: skip
    commands = result.stdout.split("Commands:")[1]
    assert "..." not in commands, "a short help was cut off"


def test_version():
    result = aetfx("--version")
    assert result.returncode == 0
    assert re.fullmatch(r"aetfx \d\S*\n", result.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["demo", "--help"],
        ["demo", "--replicas", "0"],
        ["diagnos"],
        ["diagnose"],
        ["diagnose", "missing.yaml"],
        ["diagnose", "bad.yaml"],
        ["compare", "bad.yaml", "--bogus"],
        ["validate"],
    ],
)
def test_help_and_bad_arguments_import_nothing_slow(arguments, tmp_path):
    (tmp_path / "bad.yaml").write_text("data: {train: a.csv}\ntrainning: {epochs: 3}\n")
    result = python("-X", "importtime", "-m", "aetfx.cli", *arguments, cwd=tmp_path)
    assert result.returncode == (0 if "--help" in arguments else 2)
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in result.stderr.splitlines() if "|" in line}
    assert "typer" in imported
    assert not imported & (SLOW | {"rich"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["diagnos"], ["No such command 'diagnos'", "diagnose"]),
        (["diagnose"], ["Missing argument"]),
        (["demo", "--replicas", "0"], ["--replicas", "1"]),
        (["demo", "--replicas", "two"], ["--replicas", "two"]),
        (["report", "--epochs", "3"], ["No such option", "--epochs"]),
    ],
)
def test_wrong_usage_is_short_and_has_no_traceback(arguments, words):
    result = aetfx(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 5
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("command", "content", "words"),
    [
        (
            "diagnose",
            "data: {train: a.csv}\ntrainning: {epochs: 3}\n",
            ["study.yaml", "unknown key 'trainning'", "Did you mean 'training'?"],
        ),
        (
            "diagnose",
            "data: {train: a.csv}\nmodel: {bottelneck: 3}\n",
            ["'model.bottelneck'", "Did you mean 'bottleneck'?"],
        ),
        ("diagnose", "data: {train: a.csv\nmodel: {\n", ["study.yaml", "not valid YAML", "line"]),
        ("diagnose", "data: {train: a.csv}\ntraining: {epochs: -1}\n", ["training.epochs", "-1"]),
        ("diagnose", "data: {train: a.csv}\ntraining: {loss: msee}\n", ["training.loss", "'mse'"]),
        ("compare", "model: {bottleneck: 3}\n", ["'data' is missing"]),
        ("find-lr", "data: {train: a.csv}\ntraining: {lr: 1}\n", ["unknown key 'training.lr'"]),
        ("diagnose", "just words\n", ["study.yaml", "data:"]),
        ("diagnose", "", ["study.yaml", "data:"]),
        ("compare", "data: {train: a.csv}\ncompare: {model.botleneck: [1]}\n", ["model.botleneck", "Did you mean"]),
    ],
)
def test_wrong_studies_are_one_line(command, content, words, tmp_path):
    (tmp_path / "study.yaml").write_text(content)
    assert_one_line(aetfx(command, "study.yaml", "--json", cwd=tmp_path), *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.yaml"], "a refused study leaves nothing behind"


def test_missing_study_is_one_line(tmp_path):
    assert_one_line(aetfx("diagnose", "no/such.yaml", cwd=tmp_path), "no/such.yaml", "no such study file")
    assert not list(tmp_path.iterdir())


def test_a_folder_as_study_is_one_line(tmp_path):
    assert_one_line(aetfx("diagnose", ".", cwd=tmp_path), "Give the path of a YAML file")


def test_control_c_says_what_is_kept(tmp_path):
    pipe = tmp_path / "study.yaml"  # reading it waits for a writer that never comes
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [sys.executable, "-m", "aetfx.cli", "diagnose", str(pipe)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        # A test run started in the background by a shell inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    _wait_until_in_read(process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said == "aetfx: stopped. What was finished is kept; the same command goes on from there.\n"


def _wait_until_in_read(process: subprocess.Popen[str]) -> None:
    """Waits until the process sleeps in open() of the pipe (seen by its kernel wait channel), 20 s at most."""
    channel = Path(f"/proc/{process.pid}/wchan")
    for _ in range(400):
        if "wait_for_partner" in channel.read_text():
            return
        time.sleep(0.05)
    time.sleep(3)  # a kernel that hides wait channels


JSON_SCRIPT = """
import os, sys
from aetfx import cli
cli._silence_libraries()
with cli._working(True) as show:
    print("library says")
    os.system("echo child says")
    show({"score": float("nan"), "causes": [1.5]}, lambda: print("for people"))
    print("after")
print("later")
"""


def test_validate_prints_the_findings_file_and_leaves_the_terminal_quiet(tmp_path):
    rows = "".join(f"{i % 7},{i % 5 if i != 30 else ''}\n" for i in range(60))
    (tmp_path / "table.csv").write_text("one,two\n" + rows)
    result = aetfx("validate", "table.csv", "--json", "--strict", cwd=tmp_path)
    assert result.returncode == 3, result.stderr
    run = tmp_path / "runs" / "table"
    assert result.stdout == (run / "findings.json").read_text()
    assert json.loads(result.stdout)["rows"]["train"] == {"read": 60, "counted": 60, "quarantined": 0}
    # One line alone: notices of TensorFlow, Beam or Google's packages do not reach the terminal.
    assert result.stderr == (
        "aetfx: error: the data are refused (--strict): 1 error-level finding (data.missing). "
        "See runs/table/validation.html.\n"
    )
    assert "data.missing" in (run / "validation.html").read_text()
    assert list((run / "tensorboard" / "data").glob("events.out.tfevents.*"))


STRICT_SCRIPT = """
import sys
from aetfx.validation import tfdv
tfdv.infer_schema = lambda statistics: None  # 15 s of import for what this test does not ask
from aetfx import cli
sys.argv = ["aetfx", "validate", *sys.argv[1:]]
cli.main()
"""


@pytest.mark.parametrize(
    ("cell", "strict", "code"), [("", ["--strict"], 3), ("", [], 0), ("1.5", ["--strict"], 0)], ids=str
)
def test_strict_gates_on_errors_alone(cell, strict, code, tmp_path):
    rows = "".join(f"{(i * 37 % 60) / 10},{(i * 23 % 60) / 9},7\n" for i in range(60))
    (tmp_path / "table.csv").write_text(f"a,b,constant\n{rows}{cell},1.0,7\n")
    result = python("-c", STRICT_SCRIPT, "table.csv", *strict, cwd=tmp_path)
    assert result.returncode == code, result.stderr
    assert "constant" in result.stdout, "a warning is shown, and refuses nothing"
    assert "validation.html" in result.stdout
    assert ("(--strict): 1 error-level finding (data.missing)" in result.stderr) == (code == 3)


def test_validate_names_a_missing_file_and_leaves_nothing(tmp_path):
    assert_one_line(aetfx("validate", "table.csv", cwd=tmp_path), "table.csv", "no such file")
    assert not list(tmp_path.iterdir())


def test_report_of_no_run_is_one_line(tmp_path):
    assert_one_line(aetfx("report", "runs/none", "--json", cwd=tmp_path), "runs/none")


def test_json_keeps_stdout_for_the_machine():
    result = python("-c", JSON_SCRIPT)
    assert result.returncode == 0, result.stderr
    text, later = result.stdout.rsplit("}\n", 1)
    assert json.loads(text + "}") == {"score": None, "causes": [1.5]}
    assert later == "later\n"
    assert {"library says", "child says", "after"} <= set(result.stderr.splitlines())
    assert "for people" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    "error",
    [
        "OSError(28, 'No space left on device', '/runs/x')",
        "RuntimeError('h5py: write failed: errno = 28, error message = No space left on device')",
    ],
)
def test_a_full_disk_is_one_line_whoever_meets_it(error, tmp_path):
    # A command whose work meets a full disk inside a library: only the failing call is put in its place.
    (tmp_path / "study.yaml").write_text("data: {train: a.csv}\n")
    script = (
        "import sys, aetfx.study\n"
        f"def full(path): raise {error}\n"
        "aetfx.study.load_study = full\n"
        "from aetfx import cli\n"
        "sys.argv = ['aetfx', 'diagnose', 'study.yaml']\n"
        "cli.main()\n"
    )
    assert_one_line(python("-c", script, cwd=tmp_path), "no space left", "--out")


def test_a_defect_keeps_its_traceback(tmp_path):
    script = (
        "import sys, aetfx.study\n"
        "aetfx.study.load_study = lambda path: 1 / 0\n"
        "from aetfx import cli\n"
        "sys.argv = ['aetfx', 'diagnose', 'study.yaml']\n"
        "cli.main()\n"
    )
    (tmp_path / "study.yaml").write_text("data: {train: a.csv}\n")
    result = python("-c", script, cwd=tmp_path)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError" in result.stderr
