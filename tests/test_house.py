"""The house: tools/setup.sh with made-up interpreters, the lock, the Makefile, and what `import aetfx` loads.

The interpreters here are short scripts on a PATH of their own: they answer the questions that setup.sh asks
and write down what they were told to do, so that nothing is installed.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ["sh", "dirname", "sha256sum", "cut", "sed", "awk", "df", "du", "tr", "mv", "rm", "mkdir", "cp", "cat", "chmod"]

# Answers the probe; makes a venv by copying itself; its pip writes down the call and brings a uv that does the same.
PYTHON = r"""#!/bin/sh
case $1 in
-c) echo "aetfx-probe {answer}" ;;
-m)
    case $2 in
    venv) echo "venv $0" >>"$LOG"; shift $(($# - 1)); mkdir -p "$1/bin"; cp "$0" "$1/bin/python" ;;
    pip)
        echo "pip $(cat "${{0%/bin/python}}/bootstrap.txt" | tr '\n' '|')" >>"$LOG"
        printf '#!/bin/sh\necho "uv $*" >>"$LOG"\n[ -z "$UV_FAILS" ]\n' >"${{0%/python}}/uv"
        chmod +x "${{0%/python}}/uv" ;;
    esac ;;
esac
"""


class House:
    """A copy of what setup.sh needs, on a PATH with chosen interpreters only."""

    def __init__(self, root: Path):
        self.root = root / "house"
        self.bin = root / "bin"
        self.log = root / "log"
        for folder in (self.root / "tools", self.bin):
            folder.mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "setup.sh", self.root / "tools")
        (self.root / "pyproject.toml").write_text("[project]\n")
        (self.root / "requirements.lock").write_text(
            "numpy==1 \\\n    --hash=sha256:00\nsetuptools==80 ; python_version < '3.12' \\\n    --hash=sha256:01\n"
            "    # via tensorboard\nuv==0.9 \\\n    --hash=sha256:02 \\\n    --hash=sha256:03\n    # via aetfx\n"
        )
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or f"/missing/{tool}")
        self.script("getconf", "#!/bin/sh\necho glibc 2.36\n")
        self.script("c++", "#!/bin/sh\n")
        self.log.touch()

    def script(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def interpreter(self, name: str, answer: str) -> None:
        self.script(name, PYTHON.format(answer=answer))

    def setup(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "tools/setup.sh"],
            cwd=self.root,
            env={"PATH": str(self.bin), "LOG": str(self.log), "UV_FAILS": "", **environment},
            capture_output=True,
            text=True,
            timeout=30,
        )

    def said(self) -> list[str]:
        """What the interpreters and uv were told since the last time."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def assert_refused(house: House, *words: str) -> None:
    result = house.setup()
    assert result.returncode == 2
    assert result.stderr.startswith("setup: error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr
    assert not (house.root / ".venv").exists(), "nothing half made"
    assert house.said() == []


def test_setup_installs_only_from_the_lock(house):
    house.interpreter("python3.11", "3.11 venv headers")
    result = house.setup()
    assert result.returncode == 0, result.stderr
    venv, pip, dependencies, project = house.said()
    assert venv == f"venv {house.bin}/python3.11"
    assert pip == (
        "pip uv==0.9 \\|    --hash=sha256:02 \\|    --hash=sha256:03|"
        "setuptools==80 ; python_version < '3.12' \\|    --hash=sha256:01|"
    )
    assert "--require-hashes" in dependencies
    assert "-r requirements.lock" in dependencies
    assert "--reinstall" not in dependencies
    assert "--offline" in project
    assert project.endswith("--no-deps --no-build-isolation -e .")


def test_setup_again_does_nothing(house):
    house.interpreter("python3.11", "3.11 venv headers")
    house.setup()
    house.said()
    result = house.setup()
    assert (result.returncode, result.stdout, result.stderr, house.said()) == (0, "", "", [])


def test_changed_lock_is_installed_into_the_same_environment(house):
    house.interpreter("python3.11", "3.11 venv headers")
    house.setup()
    house.said()
    with open(house.root / "requirements.lock", "a") as lock:
        lock.write("scipy==1 \\\n    --hash=sha256:04\n")
    assert house.setup().returncode == 0
    assert [line.split()[0] for line in house.said()] == ["pip", "uv", "uv"]


def test_changed_project_is_installed_alone(house):
    house.interpreter("python3.11", "3.11 venv headers")
    house.setup()
    house.said()
    (house.root / "pyproject.toml").write_text("[project]\nversion = '2'\n")
    assert house.setup().returncode == 0
    (only,) = house.said()
    assert only.endswith("-e .")


def test_interrupted_setup_is_done_again(house):
    house.interpreter("python3.11", "3.11 venv headers")
    result = house.setup(UV_FAILS="yes")
    assert result.returncode == 2
    assert "Run 'make setup' again" in result.stderr
    house.said()
    assert house.setup().returncode == 0
    assert "--reinstall" in house.said()[1], "packages that were being written are written again"
    assert house.setup().stderr == ""
    assert house.said() == []


def test_moved_folder_gets_a_new_environment(house):
    house.interpreter("python3.11", "3.11 venv headers")
    house.setup()
    house.said()
    house.root = house.root.rename(house.root.with_name("elsewhere"))
    assert house.setup().returncode == 0
    assert house.said()[0].startswith("venv ")


@pytest.mark.parametrize(
    ("glibc", "answers", "chosen"),
    [
        ("2.36", {"python3.11": "3.11", "python3.13": "3.13", "python3": "3.12"}, "python3.11"),
        ("2.36", {"python3.13": "3.13", "python3": "3.11"}, "python3"),
        ("2.38", {"python3.12": "3.12", "python3.13": "3.13"}, "python3.13"),
        ("2.41", {"python3": "3.13"}, "python3"),
        ("3.0", {"python3.12": "3.12", "python3": "3.14"}, "python3.12"),
    ],
)
def test_first_python_that_suits_the_c_library(glibc, answers, chosen, house):
    house.script("getconf", f"#!/bin/sh\necho glibc {glibc}\n")
    for name, version in answers.items():
        house.interpreter(name, f"{version} venv headers")
    assert house.setup().returncode == 0
    assert house.said()[0] == f"venv {house.bin}/{chosen}"


def test_shim_that_does_not_run_is_passed_over(house, tmp_path):
    house.script("python3.11", "#!/bin/sh\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n")
    other = tmp_path / "other bin"
    other.mkdir()
    house.interpreter("python", "3.11 venv headers")
    (house.bin / "python").rename(other / "python3.11")
    assert house.setup(PATH=f"{house.bin}:{other}").returncode == 0
    assert house.said()[0] == f"venv {other}/python3.11"


def test_no_python_says_what_was_found_and_why_it_was_refused(house):
    house.script("python3.11", "#!/bin/sh\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n")
    house.interpreter("python3.13", "3.13 venv headers")
    house.interpreter("python3", "3.9 venv headers")
    assert_refused(
        house,
        "no suitable Python. Install Python 3.11",
        f"{house.bin}/python3.11 (does not run: pyenv: python3.11: command not found)",
        f"{house.bin}/python3.13 (Python 3.13 needs glibc >= 2.38, this is 2.36)",
        f"{house.bin}/python3 (is Python 3.9, not 3.11, 3.12 or 3.13)",
    )


def test_no_python_at_all(house):
    assert_refused(house, "no suitable Python", "none on PATH")


def test_python_without_venv_or_headers(house):
    house.interpreter("python3.11", "3.11 - headers")
    house.interpreter("python3", "3.11 venv -")
    assert_refused(house, "install python3.11-venv", "has no Python.h", "install python3.11-dev")


def test_no_c_compiler(house):
    house.interpreter("python3.11", "3.11 venv headers")
    (house.bin / "c++").unlink()
    assert_refused(house, "no C++ compiler", "apt-get install g++")


def test_too_little_disk(house):
    house.interpreter("python3.11", "3.11 venv headers")
    (house.bin / "df").unlink()
    house.script("df", "#!/bin/sh\necho header\necho /dev/x 9000000 8000000 1000000 89% /\n")
    assert_refused(house, "too little disk: 1000 MB are free", "needs about 4500 MB")


def test_probe_describes_a_real_python():
    probe = (ROOT / "tools" / "setup.sh").read_text().split("probe='")[1].split("'")[0]
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    version = "{}.{}".format(*sys.version_info[:2])
    assert re.fullmatch(rf"aetfx-probe {re.escape(version)} venv (headers|-)\n", result.stdout)


def test_lock_holds_both_stacks_with_hashes_and_names_no_registry():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "make lock" in text.splitlines()[1]
    entries = re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;]+)([^\\\n]*)(\\?)$", text, re.MULTILINE)
    assert entries
    assert all(hashed for *_, hashed in entries), "an entry without a hash"
    pinned = {(name, version) for name, version, *_ in entries}
    stacks = {version for name, version in pinned if name == "tensorflow-data-validation"}
    assert stacks == {"1.16.1", "1.21.0"}
    assert {"uv", "hatchling", "editables", "setuptools"} <= {name for name, _ in pinned}


def test_make_alone_lists_the_targets():
    result = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"^  make ([\w-]+)", result.stdout, re.MULTILINE) == [
        "help", "setup", "demo", "test", "slow", "fuzz", "kill", "replicas", "lint", "examples", "bench-diagnosis",
        "pipelines", "pipelines-full", "dashboard", "wheel", "lock", "clean",
    ]  # fmt: skip


def test_every_target_that_runs_our_code_sets_up_first():
    rules = dict(re.findall(r"^([\w-]+): ([^#\n]*)##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    running = ("demo", "slow", "fuzz", "lint", "examples", "bench-diagnosis", "pipelines", "dashboard", "wheel")
    assert {name for name in running if "setup" not in rules[name]} == set()
    assert "lint" in rules["test"]


def test_ci_installs_what_tests_need_and_makes_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("exec make test")
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_import_loads_neither_tensorflow_nor_numpy():
    script = (
        "import aetfx, sys; dir(aetfx); print(sorted({'tensorflow', 'numpy', 'msgspec', 'typer'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert result.stdout == "[]\n", result.stderr


def test_public_names_are_where_the_package_says():
    import aetfx

    assert {*aetfx._HOMES, "errors"} == set(aetfx.__all__)
    assert set(aetfx.__all__) <= set(dir(aetfx))
    for name, module in aetfx._HOMES.items():
        tree = ast.parse((ROOT / Path(*module.split("."))).with_suffix(".py").read_text())
        assert name in {getattr(node, "name", None) for node in tree.body}, f"{module} defines no {name}"


def test_public_names_are_loaded_when_used():
    import aetfx
    from aetfx.study import Study

    assert aetfx.Study is Study
    assert issubclass(aetfx.errors.StudyError, aetfx.errors.AetfxError)
    assert aetfx.__version__
    with pytest.raises(AttributeError, match="'diagnos'; its public names are Diagnosis, "):
        _ = aetfx.diagnos
