"""Bad input through the whole command line: exit code 2, one line that says what to do, and nothing half-written.

`aetfx.cli.main` runs in this process, so that TensorFlow is imported once; what must not import it at all is
run as a process of its own. A full disk is a file size limit (RLIMIT_FSIZE) of this process for a moment: the
system then refuses to write on, in Python, HDF5 and TensorFlow alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from aetfx import cli
from aetfx.run import Run

ROOT = Path(__file__).resolve().parents[1]
RNG = np.random.default_rng(0)
TABLE = "a,b,c\n" + "".join(f"{i % 13},{i % 7},{i * 37 % 101}\n" for i in range(90))
STUDY = "data: {{train: {train}}}\nmodel: {{hidden: [4], bottleneck: 2}}\ntraining: {{epochs: 2}}\n{more}"
COMPARE = "compare: {training.learning_rate: [0.001, 0.01]}\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder; whatever a test changes in this process is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


@pytest.fixture
def refused(here, capfd, monkeypatch):
    """Runs aetfx and returns its one line of complaint, after checking that nothing else came of it."""

    def run(*arguments: str) -> str:
        before = files(here)
        code, out, said = main([*arguments, "--quiet"], capfd, monkeypatch)
        assert code == 2, said
        assert out == ""
        assert said.startswith("aetfx: error: ")
        assert said.count("\n") == 1, said
        assert "Traceback" not in said
        assert len(said) < 500, "a line that nobody reads"
        assert files(here) == before, "something was left behind"
        return said

    return run


def main(arguments, capfd, monkeypatch) -> tuple[int, str, str]:
    """Returns exit code, stdout and stderr of the command line."""
    monkeypatch.setattr(sys, "argv", ["aetfx", *arguments])
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, said = capfd.readouterr()
    return end.value.code or 0, out, said


def files(folder: Path) -> dict[str, int]:
    """All files below a folder with their sizes."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def study(train="table.csv", more="", name="study.yaml") -> str:
    Path(name).write_text(STUDY.format(train=train, more=more))
    if not Path("table.csv").exists():
        Path("table.csv").write_text(TABLE)
    return name


# Data. `validate` gets the file, `diagnose` and `compare` a study that names it.

DATA = {
    "missing.csv": (None, ["missing.csv", "no such file", "Check the path"]),
    "empty.csv": (b"", ["empty.csv", "empty (0 bytes)", "Give a file that holds rows"]),
    "header.csv": (b"a,b\n", ["header.csv", "holds a header but no rows", "Give data"]),
    "ragged.csv": (b"a,b\n1,2\n1,2,3\n", ["ragged.csv", "line 3", "expected 2 fields but got 3", "Mend that line"]),
    "nan.csv": (b"a,b\n1,\n2,NA\n3,nan\n", ["nan.csv", "column 'b'", "every cell is NaN", "data.features"]),
    "table.xlsx": (b"PK", ["table.xlsx", "'.xlsx' is not known", "Choose one of"]),
}


@pytest.mark.parametrize("command", ["validate", "diagnose", "compare"])
@pytest.mark.parametrize("name", DATA)
def test_unusable_data(refused, command, name):
    content, words = DATA[name]
    if content is not None:
        Path(name).write_bytes(content)
    said = refused(command, name if command == "validate" else study(name, COMPARE))
    for word in words:
        assert word in said


@pytest.mark.parametrize("command", ["validate", "diagnose"])
def test_pickles_are_refused(refused, command):
    np.save("rows.npy", np.array([[1, "a"], [2, "b"]], object), allow_pickle=True)
    said = refused(command, "rows.npy" if command == "validate" else study("rows.npy"))
    assert "rows.npy" in said
    assert "pickles are refused" in said


@pytest.mark.parametrize("command", ["validate", "diagnose"])
def test_a_text_column_asked_for_as_a_number(refused, command):
    Path("people.csv").write_text("age,name\n31,Bob\n32,Al\n")
    if command == "validate":
        said = refused("validate", "people.csv", "--features", "age,name")
    else:
        Path("study.yaml").write_text("data: {train: people.csv, features: [age, name]}\n")
        said = refused("diagnose", "study.yaml")
    for word in ("people.csv", "column 'name'", "line 2 holds 'Bob'", "Leave it out of data.features"):
        assert word in said


@pytest.mark.parametrize("command", ["diagnose", "compare"])
def test_no_rows_left_after_the_split(refused, command):
    Path("same.csv").write_text("a,b\n" + "1,2\n" * 50)
    said = refused(command, study("same.csv", COMPARE))
    assert "0 rows are left for" in said
    assert "data.eval" in said


def test_an_eval_file_of_other_columns(refused):
    study()
    Path("other.csv").write_text("a,b\n1,2\n2,3\n")
    Path("study.yaml").write_text("data: {train: table.csv, eval: other.csv}\n")
    said = refused("diagnose", "study.yaml")
    assert "other.csv" in said
    Path("study.yaml").write_text("data: {train: table.csv, eval: gone.csv}\n")
    assert "gone.csv" in refused("diagnose", "study.yaml")


def test_infinite_data_set_of_one_row(refused):
    Path("one.csv").write_text("a,b\n1,2\n")
    assert "rows are left" in refused("diagnose", study("one.csv"))


# The study.


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("trainning: {epochs: 3}", ["unknown key 'trainning'", "Did you mean 'training'?"]),
        ("training: {epoch: 3}", ["unknown key 'training.epoch'", "Did you mean 'epochs'?"]),
        ("compare: {training.lerning_rate: [1]}", ["study.yaml", "training.lerning_rate", "training.learning_rate"]),
        ("compare: {training.learning_rate: [-1]}", ["study.yaml", "training.learning_rate", "-1"]),
        ("diagnosis: {thresholds: {least_gian: 1}}", ["least_gian", "Did you mean 'least_gain'?"]),
        ("model: {path: model.keras}", ["model.keras", "no such model file", "model.path"]),
        ("model: {factory: 'no_such_module:build'}", ["no_such_module", "model.factory", "PYTHONPATH"]),
        ("model: {factory: build}", ["model.factory", "module:function"]),
    ],
)
def test_wrong_studies(refused, content, words):
    study()
    Path("study.yaml").write_text("data: {train: table.csv}\n" + content + "\n")
    said = refused("diagnose", "study.yaml")
    for word in words:
        assert word in said


def test_nothing_to_compare(refused):
    said = refused("compare", study())
    assert "nothing to compare" in said
    assert "compare: {" in said


# The model. These are the first to need TensorFlow.

FACTORIES = {
    "raises": (
        "    return keras.Sequential([keras.layers.Dense(3)][7])",
        ["model.factory", "IndexError", "raises.py, line 3"],
    ),
    "narrow": (
        "    return keras.Sequential([keras.layers.Dense(2)])",
        ["shape (2,)", "shape (3,)", "Give its last layer 3 values"],
    ),
    "nothing": ("    return 'a model'", ["model.factory", "must return a keras.Model", "str"]),
    "wants": (
        "    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])",
        ["shape (3,)", "Give the model an input"],
    ),
}


@pytest.mark.parametrize("command", ["diagnose", "compare"])
@pytest.mark.parametrize("name", FACTORIES)
def test_factories_that_do_not_work(refused, monkeypatch, command, name):
    body, words = FACTORIES[name]
    Path(f"{name}.py").write_text(f"import keras\ndef build():\n{body}\n")
    study(more=COMPARE)
    Path("study.yaml").write_text(
        f"data: {{train: table.csv}}\nmodel: {{factory: '{name}:build'}}\ntraining: {{epochs: 2}}\n{COMPARE}"
    )
    monkeypatch.delitem(sys.modules, name, raising=False)
    said = refused(command, "study.yaml")
    for word in words:
        assert word in said


def test_a_factory_whose_module_is_broken(refused):
    Path("broken_module.py").write_text("import keras\n\nbuild = undefined_name\n")
    study()
    Path("study.yaml").write_text("data: {train: table.csv}\nmodel: {factory: 'broken_module:build'}\n")
    said = refused("diagnose", "study.yaml")
    for word in ("NameError", "undefined_name", "broken_module.py, line 3"):
        assert word in said


def test_a_misspelt_factory(refused):
    Path("good_module.py").write_text("def build():\n    return 1\n")
    study()
    Path("study.yaml").write_text("data: {train: table.csv}\nmodel: {factory: 'good_module:biuld'}\n")
    assert "Did you mean 'build'?" in refused("diagnose", "study.yaml")


@pytest.mark.parametrize("kind", ["saved_model", "damaged", "weights", "other"])
def test_model_files_that_cannot_be_read(refused, kind):
    if kind == "saved_model":
        Path("m.keras").mkdir()
        Path("m.keras/saved_model.pb").write_bytes(b"x")
        path, words = "m.keras", ["SavedModel", "model.save("]
    elif kind == "damaged":
        with zipfile.ZipFile("m.keras", "w") as archive:
            archive.writestr("config.json", "{")
        path, words = "m.keras", ["cannot load it"]
    elif kind == "weights":
        import h5py

        with h5py.File("m.h5", "w") as file:
            file.create_dataset("dense/kernel", data=np.ones((3, 3)))
        path, words = "m.h5", ["weights only", "model.save('model.keras')"]
    else:
        Path("m.pt").write_bytes(b"x")
        path, words = "m.pt", ["must end in .keras", "model.path"]
    study()
    Path("study.yaml").write_text(f"data: {{train: table.csv}}\nmodel: {{path: {path}}}\n")
    said = refused("diagnose", "study.yaml")
    for word in [path, *words]:
        assert word in said


# Models that train themselves, and trainings that break.

OWN_STEP = """
import keras

class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.code, self.out = keras.layers.Dense(2), keras.layers.Dense(3)

    def call(self, rows):
        return self.out(self.code(rows))

    def train_step(self, data):
        {body}

def build():
    model = Own()
    model.compile({compiled})
    return model
"""


def own_step(name: str, body: str, compiled: str = "'adam'") -> str:
    """Writes a module with such a model, and a study that uses it."""
    Path(f"{name}.py").write_text(OWN_STEP.format(body=body, compiled=compiled))
    study()
    Path("study.yaml").write_text(
        f"data: {{train: table.csv}}\nmodel: {{factory: '{name}:build'}}\ntraining: {{epochs: 2}}\n"
    )
    return "study.yaml"


def test_a_train_step_that_raises(refused):
    said = refused("diagnose", own_step("raising_step", "raise KeyError('no such column')"))
    for word in ("train_step", "model.fit(x)", "model.fit(x, x)", "KeyError", "no such column", "Check it"):
        assert word in said


def test_a_loss_that_is_no_number_from_the_first_step_is_a_verdict(here, capfd, monkeypatch):
    Path("nan_loss.py").write_text(
        "import keras\n"
        "def of_nothing(rows, rebuilt):\n"
        "    return keras.ops.mean(keras.ops.log(-1.0 - keras.ops.square(rebuilt)), axis=-1)\n"
        "def build():\n"
        "    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(3)])\n"
        "    model.compile('adam', of_nothing)\n"
        "    return model\n"
    )
    study()
    Path("study.yaml").write_text(
        "data: {train: table.csv}\nmodel: {factory: 'nan_loss:build'}\ntraining: {epochs: 2}\ndiagnosis: {budget: 3}\n"
    )
    code, out, said = main(["diagnose", "study.yaml", "--out", "run", "--quiet", "--json"], capfd, monkeypatch)
    assert code in (0, 1), said
    assert "Traceback" not in said
    record = json.loads(Path("run/diagnosis.json").read_text())
    assert record["status"] in ("faulty", "inconclusive")
    assert any("The training broke off: the first value that is not a number" in s for s in record["statements"])
    assert json.loads(out)["status"] == record["status"]


def test_ctrl_c_keeps_what_was_finished(here):
    Path("study.yaml").write_text(
        "data: {train: table.csv}\nmodel: {hidden: [4], bottleneck: 2}\ntraining: {epochs: 400}\n"
    )
    Path("table.csv").write_text(TABLE)
    process = subprocess.Popen(
        [sys.executable, "-m", "aetfx.cli", "diagnose", "study.yaml", "--out", "run"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A test run started in the background by a shell inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 240
    while not list(Path("run").glob("configurations/*/*/trial.json")) and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "stopped. What was finished is kept; the same command goes on from there." in said
    assert "Traceback" not in said
    assert list(Path("run").glob("configurations/*/*/trial.json"))
    assert not Path("run/diagnosis.json").exists()
    assert_complete(here / "run")


# Checks come before work: none of these may cost the user an import of TensorFlow.


def test_a_wrong_request_is_told_before_tensorflow_is_imported(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "same.csv").write_text("a,b\n" + "1,2\n" * 50)
    cases = {
        "eval": "data: {train: table.csv, eval: gone.csv}",
        "split": "data: {train: same.csv}",
        "model": "data: {train: table.csv}\nmodel: {path: gone.keras}",
        "threshold": "data: {train: table.csv}\ndiagnosis: {thresholds: {nothing: 1}}",
        "pickle": "data: {train: rows.npy}",
    }
    np.save(tmp_path / "rows.npy", np.array([None, 1]), allow_pickle=True)
    for name, content in cases.items():
        (tmp_path / f"{name}.yaml").write_text(content + "\n")
    script = (
        "import sys\nfrom aetfx import cli\n"
        f"for name in {list(cases)}:\n"
        "    sys.argv = ['aetfx', 'diagnose', name + '.yaml']\n"
        "    try: cli.main()\n"
        "    except SystemExit as end: assert end.code == 2\n"
        "slow = {'tensorflow', 'keras', 'apache_beam', 'tensorflow_data_validation'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("aetfx: error: ") == result.stderr.count("\n") == len(cases)


# The disk.


@contextlib.contextmanager
def at_most(n_bytes: int):
    """Lets no file of this process grow beyond `n_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_complete(run: Path) -> None:
    """Whatever lies in a run directory is a whole file under its own name."""
    for path in run.rglob("*"):
        if path.is_file():
            assert not path.name.startswith("."), path
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".npz":
                with np.load(path) as archive:
                    assert all(np.isfinite(archive[name]).all() for name in archive.files)
            elif path.suffix == ".keras":
                assert zipfile.ZipFile(path).testzip() is None


def test_no_space_for_the_first_file(here, capfd, monkeypatch):
    path = study(more=COMPARE)
    for command in ("diagnose", "compare"):
        with at_most(600):
            code, out, said = main([command, path, "--out", f"runs/{command}", "--quiet"], capfd, monkeypatch)
        assert (code, out) == (2, "")
        assert said.startswith("aetfx: error: ")
        assert said.count("\n") == 1, said
        assert "no space left" in said
        assert "--out" in said
        assert_complete(here / "runs")


def test_no_space_for_the_demo_data(tmp_path):
    result = subprocess.run(
        ["sh", "-c", f"ulimit -f 8; exec '{sys.executable}' -m aetfx.cli demo --out demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1, result.stderr
    assert "wdbc.csv: no space left" in result.stderr
    assert not files(tmp_path)


def test_no_space_in_the_middle_and_going_on_after(here, capfd, monkeypatch):
    path = study(more=COMPARE)
    with at_most(20_000):  # the trained model is the first file that is larger
        code, out, said = main(["compare", path, "--out", "run", "--quiet"], capfd, monkeypatch)
    assert (code, out) == (2, "")
    assert said.count("\n") == 1, said
    assert "model.keras: no space left" in said
    assert "run the same command again" in said
    assert_complete(here / "run")
    assert not (here / "run" / "comparison.json").exists()

    code, out, said = main(["compare", path, "--out", "run", "--quiet", "--json"], capfd, monkeypatch)
    assert code == 0, said
    assert {row["name"] for row in json.loads(out)["rows"]} >= {"baseline", "learning_rate=0.01"}
    assert_complete(here / "run")


def test_a_sweep_in_which_every_configuration_fails_is_no_success(here, capfd, monkeypatch):
    path = study(more="compare: {training.batch_size: [16]}\n")
    text = (
        Path(path).read_text().replace("{epochs: 2}", "{epochs: 2, optimizer: sgd, loss: mse, learning_rate: 1.0e+30}")
    )
    Path(path).write_text(text)
    code, out, said = main(["compare", path, "--out", "run", "--quiet"], capfd, monkeypatch)
    assert code == 2
    assert out.count("NaN or infinite") == 2
    assert "no configuration could be trained" in said
    assert all(row["failed"] for row in json.loads(Path("run/comparison.json").read_text())["rows"][:2])


def test_a_run_directory_that_cannot_be_made(refused):
    Path("taken").write_text("a file, not a folder")
    said = refused("diagnose", study(), "--out", "taken")
    assert "taken" in said
    assert "--out" in said


# Two processes.


@pytest.mark.parametrize("command", ["diagnose", "compare", "validate"])
def test_a_run_directory_in_use(refused, here, command):
    path = study(more=COMPARE)
    with Run(here / "run"):
        said = refused(command, "table.csv" if command == "validate" else path, "--out", "run")
    assert "run: another aetfx process is writing" in said
    assert "choose another --out" in said
