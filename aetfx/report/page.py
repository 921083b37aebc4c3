"""A page: its figures, its sections, the blocks that they are laid out in, and the one file that it becomes.

The file opens offline, in light and dark, on a desktop and on a phone: it carries its own styles and scripts. Its
content security policy allows exactly those scripts (by hash) and no request to anywhere, so that neither a column
name nor a message can run or fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from aetfx.report.markup import Markup, join, tag


@dataclass
class Page:
    """A page under construction.

    Attributes:
      figures: Plotly specifications by name, drawn by `report.js` into `data-figure` places.
      anchors: (id, title) of each section, for the navigation.
    """

    hero: Markup = field(default_factory=Markup)
    sections: list[Markup] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    anchors: list[tuple[str, str]] = field(default_factory=list)

    def plot(self, name: str, made: dict[str, Any] | None, *, fill: bool = False) -> Markup | None:
        """Registers a figure and returns its place on the page; None where there is nothing to draw.

        Args:
          name: unique on the page.
          made: the figure.
          fill: whether it may grow to the height of its card.
        """
        if made is None:
            return None
        self.figures[name] = made
        meta, height = made["layout"]["meta"], made["layout"]["height"]
        caption = tag("figcaption", tag("h3", meta["title"]), meta["caption"] and tag("p", meta["caption"]))
        label = f"{meta['title']}. {meta['caption']}".strip()
        place = tag(
            "div",
            class_="plot fill" if fill else "plot",
            style=f"{'min-height' if fill else 'height'}:{height}px",
            data_figure=name,
            role="img",
            aria_label=label,
        )
        return tag("figure", caption, place, class_="card")

    def section(self, anchor: str, short_title: str, title: str, lead: str | None, *content: Any) -> None:
        """Adds a section unless all of its content is missing."""
        parts = join(*content)
        if not parts:
            return
        self.anchors.append((anchor, short_title))
        self.sections.append(tag("section", tag("h2", title), lead and tag("p", lead), parts, id=anchor))


def document(
    page: Page,
    *,
    name: str,
    title: str,
    footer: str,
    style: str,
    data: Sequence[Markup],
    scripts: Sequence[str],
    images: str = "data:",
) -> str:
    """Returns the whole file.

    Args:
      name: of the run, in the navigation.
      title: of the page, behind the name in the browser's tab.
      style: CSS.
      data: blocks of JSON that the scripts read.
      scripts: JavaScript, run in this order when everything above is there.
      images: where pictures may come from, as in the policy's `img-src`.
    """
    allowed = " ".join(_hash(script) for script in scripts)
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {images}; base-uri 'none'; form-action 'none'; "
        f"script-src {allowed} 'unsafe-eval'"  # for plotly.js's WebGL and for browser automation
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{name}: {title}"),
        tag("style", Markup(style)),
    )
    links = [tag("a", text, href=f"#{anchor}") for anchor, text in page.anchors]
    body = tag(
        "body",
        tag("nav", tag("div", tag("b", "aetfx"), tag("span", name, class_="name"), links, class_="bar")),
        tag("main", page.hero, page.sections, tag("footer", footer)),
        *data,
        [tag("script", Markup(script)) for script in scripts],
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def asset(*names: str) -> str:
    """Returns style sheets or scripts of this package, one behind the other."""
    folder = resources.files("aetfx.report")
    return "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def code(text: str, *, copy: bool = True) -> Markup:
    """Returns a block of code with a copy button."""
    button = tag("button", "Copy", type="button", data_copy=True) if copy else None
    return tag("div", tag("pre", tag("code", str(text).strip("\n"))), button, class_="code")


def stack(*cells: Any) -> Markup | None:
    """Returns a column of cards; the last one grows to the height of the column beside it."""
    content = join(*cells)
    return tag("div", content, class_="stack") if content else None


def grid(*cells: Any, wide: bool = False) -> Markup | None:
    """Returns cards side by side where the screen has room; `wide` means two in a row at most."""
    kept = [cell for cell in cells if cell]
    return tag("div", kept, class_="grid two" if wide else "grid") if kept else None
