"""Writes `report.html`: one file that opens offline, in light and dark, on a desktop and on a phone.

The page carries its own style, its figures as JSON and one copy of plotly.js. Its content security policy
allows exactly the two scripts written here (by hash) and no request to anywhere, so that neither a column
name nor a message can run or fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aetfx.errors import RunError
from aetfx.figures.theme import DARK, LIGHT
from aetfx.report import words
from aetfx.report.load import RunFiles, load
from aetfx.report.markup import Markup, join, json_block, tag
from aetfx.report.page import Page
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
    plotly, script = _plotly(), _asset("report.js")
    name = str(files.diagnosis.get("study_name") or files.directory.name)
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
        f"script-src {_hash(plotly)} {_hash(script)} 'unsafe-eval'"  # for plotly.js's WebGL and for browser automation
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{name}: {words.verdict(files.diagnosis)}"),
        tag("style", Markup(_asset("report.css"))),
    )
    body = tag(
        "body",
        _navigation(name, page),
        tag("main", page.hero, page.sections, _footer(files.diagnosis)),
        json_block(page.figures, id="figures"),
        json_block({LIGHT[role]: DARK[role] for role in LIGHT}, id="palette"),
        tag("script", Markup(plotly)),
        tag("script", Markup(script)),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _navigation(name: str, page: Page) -> Markup:
    links = [tag("a", title, href=f"#{anchor}") for anchor, title in page.anchors]
    return tag("nav", tag("div", tag("b", "aetfx"), tag("span", name, class_="name"), links, class_="bar"))


def _footer(diagnosis: dict[str, Any]) -> Markup:
    return tag("footer", join("Made by aetfx. Every number on this page was measured on held-out rows."))


def _asset(name: str) -> str:
    return resources.files("aetfx.report").joinpath(name).read_text(encoding="utf-8")


def _plotly() -> str:
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


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
