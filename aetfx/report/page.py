"""A page under construction: its figures, its sections, and the blocks that they are laid out in."""

from __future__ import annotations

from dataclasses import dataclass, field
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
