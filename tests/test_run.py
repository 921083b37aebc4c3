"""Run directories: atomic files, stages that resume, one process at a time (aetfx.run)."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aetfx.errors import RunError
from aetfx.run import Run, atomic, cannot_write, content_hash, file_hash, read_json, write_bytes, write_json, write_text

ROOT = Path(__file__).resolve().parents[1]


def process(code: str, *arguments: object, **options):
    """Runs Python in a process of its own, without TensorFlow."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        **options,
    )


# Hashes.


def test_hash_does_not_depend_on_the_order_of_keys():
    one = {"a": 1, "b": {"x": [1.5, None], "y": "z"}}
    other = {"b": {"y": "z", "x": [1.5, None]}, "a": 1}
    assert content_hash(one) == content_hash(other)
    assert content_hash(one) != content_hash({**one, "a": 2})
    assert content_hash([1, 2]) != content_hash([2, 1])


def test_hash_is_the_same_tomorrow_and_in_another_process():
    value = {"rate": 1e-3, "layers": [64, 8], "missing": None, "name": "größe"}
    assert content_hash(value) == "287b3260d3150215"
    told = process(
        "from aetfx.run import content_hash; import sys, json; print(content_hash(json.loads(sys.argv[1])))",
        json.dumps(value),
    )
    assert told.stdout.strip() == content_hash(value)


def test_hash_takes_numpy_paths_and_tuples():
    assert content_hash({"n": np.int64(3), "x": np.array([1.0, 2.0])}) == content_hash({"n": 3, "x": [1.0, 2.0]})
    assert content_hash((1, Path("a/b"))) == content_hash([1, "a/b"])
    with pytest.raises(TypeError, match="object is not JSON"):
        content_hash(object())


def test_file_hash_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    (tmp_path / "b").write_bytes(b"x" * 3_000_000)
    (tmp_path / "c").write_bytes(b"x" * 2_999_999 + b"y")
    assert file_hash(tmp_path / "a") == file_hash(tmp_path / "b") != file_hash(tmp_path / "c")


# JSON.


def test_json_holds_null_where_a_number_is_not_finite(tmp_path):
    nan, inf = float("nan"), float("inf")
    value = {
        "plain": [nan, inf, -inf, 1.5],
        "numpy": np.array([1.0, np.nan]),
        "scalars": (np.float32("nan"), np.float64("inf"), np.float32(0.5), np.int64(3), np.bool_(True)),
        "path": Path("a") / "b",
        7: {"deep": {"deeper": nan}},
    }
    write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text, parse_constant=pytest.fail) == {
        "plain": [None, None, None, 1.5],
        "numpy": [1.0, None],
        "scalars": [None, None, 0.5, 3, True],
        "path": "a/b",
        "7": {"deep": {"deeper": None}},
    }
    assert read_json(tmp_path / "x.json")["numpy"] == [1.0, None]


def test_json_that_cannot_be_read_names_the_file(tmp_path):
    with pytest.raises(RunError, match="gone.json: no such file. Is '.*' a finished aetfx run"):
        read_json(tmp_path / "gone.json")
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(RunError, match="half.json: cannot be read as JSON .* Delete that file"):
        read_json(tmp_path / "half.json")
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(RunError, match="latin.json"):
        read_json(tmp_path / "latin.json")


# Atomic writes.


def test_a_failing_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    write_text(tmp_path / "x.txt", "old")

    def write() -> None:
        with atomic(tmp_path / "x.txt") as temporary:
            temporary.write_text("half")
            assert (tmp_path / "x.txt").read_text() == "old", "a reader never meets half a file"
            assert temporary.suffix == ".txt", "Keras and NumPy choose the format by the suffix"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert (tmp_path / "x.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_a_value_that_is_not_json_keeps_the_old_file(tmp_path):
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert read_json(tmp_path / "x.json") == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_folders_are_made_and_others_may_read(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "x.bin", b"\0\1")
    assert (tmp_path / "a/b/x.bin").read_bytes() == b"\0\1"
    assert (tmp_path / "a/b/x.bin").stat().st_mode & 0o777 == 0o644


FULL_DISK = """
import sys
from pathlib import Path
from aetfx.errors import RunError
from aetfx.run import write_text
write_text(Path(sys.argv[1]), "old " * 10)
try:
    write_text(Path(sys.argv[1]), "new " * 10_000)
except RunError as error:
    print(error)
"""


def test_a_full_disk_keeps_the_old_file_and_says_so(tmp_path):
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    told = process(FULL_DISK, tmp_path / "x.txt", preexec_fn=limit)
    assert told.stdout.count("\n") == 1, told.stderr
    for words in ("x.txt: no space left to write", "Free some disk space", "--out", "goes on where it stopped"):
        assert words in told.stdout
    assert (tmp_path / "x.txt").read_text() == "old " * 10
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"x.txt: cannot be written \(.+\). Choose another --out."):
        write_text(tmp_path / "file" / "x.txt", "text")
    with pytest.raises(RunError, match="file: cannot be written"), Run(tmp_path / "file"):
        pass
    assert "Choose another --out" in str(cannot_write(Path("x"), OSError("no number, only words")))


# Stages.


def test_a_stage_is_done_while_inputs_and_outputs_are_what_they_were(tmp_path):
    with Run(tmp_path / "run") as run:
        assert not run.done("look", "h1")
        write_text(run.path("a.txt"), "a")
        write_text(run.path("deep", "b.txt"), "b")
        run.finish("look", "h1", [run.path("a.txt"), run.path("deep", "b.txt")], seconds=1.23456)
        assert run.done("look", "h1")

    with Run(tmp_path / "run") as run:  # as a later process finds it
        assert run.done("look", "h1")
        assert not run.done("look", "h2"), "other inputs"
        assert not run.done("train", "h1"), "another stage"
        run.path("deep", "b.txt").write_text("edited")
        assert not run.done("look", "h1"), "an output was edited"
        run.path("deep", "b.txt").write_text("b")
        assert run.done("look", "h1"), "content counts, not the time of writing"
        run.path("a.txt").unlink()
        assert not run.done("look", "h1"), "an output is gone"

    lineage = read_json(tmp_path / "run" / "lineage.json")
    assert lineage["stages"]["look"]["outputs"].keys() == {"a.txt", "deep/b.txt"}, "a run can be moved"
    assert lineage["stages"]["look"]["seconds"] == 1.235
    assert {"python", "tensorflow", "numpy"} <= lineage["versions"].keys()


def test_finishing_one_stage_keeps_the_others(tmp_path):
    with Run(tmp_path) as run:
        write_text(run.path("a"), "a")
        run.finish("one", "h", [run.path("a")], seconds=0)
    with Run(tmp_path) as run:
        run.finish("two", "h", [run.path("a")], seconds=0)
        assert run.done("one", "h")
        run.finish("one", "h2", [run.path("a")], seconds=0)
        assert run.done("one", "h2")
        assert not run.done("one", "h")
        assert run.done("two", "h")


def test_a_moved_run_is_still_done(tmp_path):
    with Run(tmp_path / "here") as run:
        write_text(run.path("a"), "a")
        run.finish("one", "h", [run.path("a")], seconds=0)
    (tmp_path / "here").rename(tmp_path / "there")
    with Run(tmp_path / "there") as run:
        assert run.done("one", "h")


# One process at a time.

SECOND = """
import sys
from aetfx.errors import RunError
from aetfx.run import Run
try:
    with Run(sys.argv[1]):
        print("in")
except RunError as error:
    print(error)
"""


def test_a_second_process_is_refused_until_the_first_is_through(tmp_path):
    with Run(tmp_path / "run"):
        refused = process(SECOND, tmp_path / "run").stdout
        assert "run: another aetfx process is writing to this run" in refused
        assert "Wait for it, or choose another --out." in refused
        assert (tmp_path / "run" / ".lock").exists(), "being refused must not take the lock away"
    assert not (tmp_path / "run" / ".lock").exists()
    assert process(SECOND, tmp_path / "run").stdout == "in\n"


def test_the_lock_is_gone_after_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError), Run(tmp_path):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    with Run(tmp_path):
        pass


def test_the_lock_of_a_killed_process_does_not_count(tmp_path):
    code = "import os, sys; from aetfx.run import Run; Run(sys.argv[1]).__enter__(); os.kill(os.getpid(), 9)"
    assert process(code, tmp_path).returncode == -9
    assert (tmp_path / ".lock").exists()
    with Run(tmp_path):
        pass
    assert not (tmp_path / ".lock").exists()


def test_damaged_lineage_is_said_and_does_not_keep_the_lock(tmp_path):
    (tmp_path / "lineage.json").write_text("{")
    run = Run(tmp_path)
    with pytest.raises(RunError, match="lineage.json: cannot be read as JSON .* Delete that file and run again"), run:
        pass
    assert not (tmp_path / ".lock").exists()
    (tmp_path / "lineage.json").unlink()
    with Run(tmp_path):
        pass
