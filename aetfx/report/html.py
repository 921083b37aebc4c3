"""Writes `report.html`: one file that opens offline, in light and dark, on a desktop and on a phone.

The page carries its figures as JSON and one copy of plotly.js; what it may run and fetch is said in `page`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from aetfx.errors import RunError
from aetfx.figures import words
from aetfx.figures.theme import DARK, LIGHT
from aetfx.report.load import RunFiles, load
from aetfx.report.markup import json_block
from aetfx.report.page import asset, document
from aetfx.report.sections import build
from aetfx.run import write_text


def write_report(run_directory: Path) -> Path:
    """Writes `report.html` into a run directory from the files that are there.

    Args:
      run_directory: holds `diagnosis.json`; figures whose data are missing are left out.

    Returns:
      The path of the report.

    Raises:
      RunError: the run cannot be read, the report cannot be written, or Plotly is not installed.
    """
    files = load(Path(run_directory))
    path = files.directory / "report.html"
    write_text(path, render(files))
    return path


def render(files: RunFiles) -> str:
    """Returns the whole page."""
    page = build(files)
    name = str(files.diagnosis.get("study_name") or files.directory.name)
    return document(
        page,
        name=name,
        title=words.verdict(files.diagnosis),
        footer="Made by aetfx. Every number on this page was measured on held-out rows.",
        style=asset("report.css"),
        data=[
            json_block(page.figures, id="figures"),
            json_block({LIGHT[role]: DARK[role] for role in LIGHT}, id="palette"),
        ],
        scripts=[plotly_script(), asset("copy.js", "report.js")],
        images="data: blob:",
    )


def plotly_script() -> str:
    """Returns plotly.js as the Python package brings it, found without importing the package (1 s)."""
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise RunError("The report needs Plotly, which is not installed. Run `pip install plotly`.")
    path = Path(next(iter(spec.submodule_search_locations))) / "package_data" / "plotly.min.js"
    try:
        # A closing tag inside the library would end the element; there is none today.
        return path.read_text(encoding="utf-8").replace("</script", "<\\/script")
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}). Reinstall it with `pip install plotly`.") from None
