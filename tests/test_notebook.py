"""examples/diagnose.ipynb: it runs from its first cell to its last, says what it says, and loads nothing from afar."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from examples import notebook

KEPT = Path(__file__).resolve().parent.parent / "examples" / "diagnose.ipynb"


def printed(cell) -> str:
    return "".join(output.get("text", "") for output in cell.get("outputs", []))


def whole(read) -> str:
    return "".join(printed(cell) for cell in read.cells)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebook") / KEPT.name
    shutil.copy(KEPT, path)
    return notebook.run(path)


def test_the_notebook_names_the_cause_and_its_fix_helps(executed):
    assert "data.scaling gain 9" in whole(executed)
    worse = [line for line in whole(executed).splitlines() if line.startswith("columns that come back worse")]
    assert len(worse) == 2
    assert int(worse[0].split(": ")[1].split()[0]) > 10
    assert worse[1].split(": ")[1].startswith("0 ")


def test_what_is_kept_is_what_it_prints(executed):
    kept = nbformat.read(KEPT, as_version=4)
    assert all(cell.get("execution_count") for cell in kept.cells if cell.cell_type == "code"), (
        "run examples/notebook.py"
    )
    for mine, theirs in zip(executed.cells, kept.cells, strict=True):
        assert [o.output_type for o in mine.get("outputs", [])] == [o.output_type for o in theirs.get("outputs", [])]


@pytest.mark.parametrize("which", ["kept", "executed"])
def test_nothing_is_loaded_from_another_host(which, executed):
    read = executed if which == "executed" else nbformat.read(KEPT, as_version=4)
    for cell in read.cells:
        for output in cell.get("outputs", []):
            assert "application/javascript" not in output.get("data", {})
            assert "https://" not in str(output.get("data", {}).get("text/html", ""))
