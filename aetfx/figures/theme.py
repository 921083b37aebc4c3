"""Colours, fonts and axes shared by all figures, and the words and numbers put into them.

Terms: a *role* says what a colour means (`before`, `after`, `reference`); `LIGHT` and `DARK` give each role its
colour. Figures are built with `LIGHT`. No two roles of `LIGHT` share a colour, so that swapping colour strings
is enough to turn a figure dark, in Python (`recolour`) as in the browser (`report.js`).

Before and after are the vermilion and the blue of Okabe and Ito's palette, which readers with any of the
usual colour-vision deficiencies tell apart; diverging scales run from blue to orange for the same reason.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from aetfx.words import replace_unprintable

LIGHT: dict[str, str] = {
    "ink": "#1d2127",
    "quiet": "#666d78",
    "grid": "#e9e8e4",
    "axis": "#b9b8b2",
    "surface": "#ffffff",
    "before": "#d55e00",
    "before_soft": "rgba(213,94,0,0.28)",
    "after": "#0072b2",
    "after_soft": "rgba(0,114,178,0.28)",
    "improvement": "#009e73",
    "improvement_soft": "rgba(0,158,115,0.22)",
    "other": "#a2559b",
    "other_soft": "rgba(162,85,155,0.22)",
    "suspected": "#d99a00",
    "reference": "#8a8f98",
    "muted": "#c3c6cb",
    "faint": "rgba(110,116,126,0.35)",
    "mark": "#17191d",
    "low2": "#0b5c94",
    "low1": "#8dbbd9",
    "middle": "#f5f4f1",
    "high1": "#f0b285",
    "high2": "#b84e00",
    "heat0": "#f3f1ec",
    "heat1": "#f7d2a8",
    "heat2": "#ef9a55",
    "heat3": "#cc5a11",
    "heat4": "#6e2c05",
    "point0": "#9cc9e4",
    "point1": "#4c9cc9",
    "point2": "#7d7f9a",
    "point3": "#cf7a3c",
    "point4": "#b03a02",
}

DARK: dict[str, str] = {
    "ink": "#e9e7e2",
    "quiet": "#9aa1ab",
    "grid": "#2a2e34",
    "axis": "#4a5059",
    "surface": "#191c20",
    "before": "#f58a3c",
    "before_soft": "rgba(245,138,60,0.30)",
    "after": "#56b4e9",
    "after_soft": "rgba(86,180,233,0.30)",
    "improvement": "#2cc79a",
    "improvement_soft": "rgba(44,199,154,0.24)",
    "other": "#d08fca",
    "other_soft": "rgba(208,143,202,0.24)",
    "suspected": "#f0bd3c",
    "reference": "#858c96",
    "muted": "#4d535c",
    "faint": "rgba(150,157,168,0.32)",
    "mark": "#ffffff",
    "low2": "#6fc0f2",
    "low1": "#2f6c94",
    "middle": "#24282d",
    "high1": "#a05a20",
    "high2": "#ffab66",
    "heat0": "#23272c",
    "heat1": "#5a3213",
    "heat2": "#a8571a",
    "heat3": "#ee8b3a",
    "heat4": "#ffe0bd",
    "point0": "#2f6f98",
    "point1": "#56a9d8",
    "point2": "#a5a6bd",
    "point3": "#f0a065",
    "point4": "#ffc79a",
}

FONT = 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
DIVERGING: list[list[Any]] = [
    [i / 4, LIGHT[role]] for i, role in enumerate(("low2", "low1", "middle", "high1", "high2"))
]
HEAT: list[list[Any]] = [[i / 4, LIGHT[f"heat{i}"]] for i in range(5)]
POINTS: list[list[Any]] = [[i / 4, LIGHT[f"point{i}"]] for i in range(5)]

# Of configurations that are picked to be compared, in the order in which they were picked.
PICKED = ("after", "before", "improvement", "other")

CLEAR = "rgba(0,0,0,0)"


def figure(
    data: list[dict[str, Any]], *, title: str, caption: str = "", height: int = 320, **layout: Any
) -> dict[str, Any]:
    """Returns a figure in the shared style.

    Args:
      data: Plotly traces.
      title: a few words, shown by whatever page holds the figure (kept in `layout.meta`, plain text).
      caption: one sentence on how to read it (plain text).
      height: pixels; the width follows the page.
      **layout: Plotly layout entries; those named `xaxis...` and `yaxis...` extend the shared axis style.
    """
    full: dict[str, Any] = {
        "meta": {"title": title, "caption": caption},
        "height": height,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": FONT, "size": 12, "color": LIGHT["quiet"]},
        "margin": {"l": 8, "r": 16, "t": 10, "b": 36},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "hoverlabel": {
            "bgcolor": LIGHT["surface"],
            "bordercolor": LIGHT["axis"],
            "font": {"family": FONT, "size": 12, "color": LIGHT["ink"]},
            "align": "left",
        },
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "xaxis": {},
        "yaxis": {},
    }
    for key, value in layout.items():
        merge = isinstance(value, dict) and isinstance(full.get(key), dict)
        full[key] = full[key] | value if merge else value
    for key in full:
        if key.startswith(("xaxis", "yaxis")):
            full[key] = axis() | full[key]
    return {"data": data, "layout": full}


def axis() -> dict[str, Any]:
    """Returns the shared style of one axis. Ranges are fixed, so that a thumb can scroll the page over a figure."""
    return {
        "gridcolor": LIGHT["grid"],
        "linecolor": LIGHT["axis"],
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        "ticks": "",
    }


def fixed_margin(axis_words: Iterable[str], **sides: int) -> dict[str, Any]:
    """Returns margins that hold the labels and the title of a y axis whatever they turn out to be.

    Plotly could measure them, but draws a figure twice to do so: with fixed margins and axes without `automargin` a
    scatter of 700 points took 37 ms in Chromium instead of 95.

    Args:
      axis_words: the longest labels of the y axis, about.
      **sides: pixels of the others: "r", "t" and "b".
    """
    return {"l": 26 + wide(axis_words), "autoexpand": False} | sides


def wide(words: Iterable[str], size: int = 12) -> int:
    """Returns how many pixels the longest of some words takes in the widest of our fonts, about.

    >>> wide(["0.3", "1,000"])
    39
    """
    return math.ceil(0.65 * size * max(map(len, words), default=0))


def text(value: Any, limit: int = 0) -> str:
    """Makes a word from data safe for Plotly, which reads text as simple HTML.

    Args:
      value: shown as it is, control characters as a replacement character.
      limit: longer text is cut to this many characters with an ellipsis; 0 means never.

    >>> text("<b>age</b> & more")
    '&lt;b&gt;age&lt;/b&gt; &amp; more'
    >>> text("a very long name", 8)
    'a very …'
    """
    plain = replace_unprintable(value)
    if limit and len(plain) > limit:
        plain = plain[: limit - 1] + "…"
    return html.escape(plain, quote=False)


def numbers(values: Any, digits: int = 4) -> list[Any]:
    """Turns an array into nested lists of `digits` significant digits; what is not finite becomes None.

    >>> numbers([1.23456, float("nan")])
    [1.235, None]
    """
    if np.ndim(values) > 1:
        return [numbers(row, digits) for row in np.asarray(values)]
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in np.asarray(values, dtype=float).tolist()]


def short(value: float | None) -> str:
    """Words a score or a value in two or three significant digits.

    >>> short(0.7132), short(0.04), short(0.00031), short(12.4), short(4120.0), short(658886.0), short(None)
    ('0.71', '0.040', '0.00031', '12.4', '4,120', '659k', '?')
    """
    if value is None or not math.isfinite(value):
        return "?"
    size = abs(value)
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= unit:
            scaled = value / (1e3 if letter == "k" else unit)
            return f"{scaled:,.0f}{letter}" if abs(scaled) >= 10 else f"{scaled:.1f}{letter}"
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}".removesuffix(".0")
    if size >= 0.1 or value == 0:
        return f"{value:.2f}"
    return f"{value:#.2g}"


def decades(low: float, high: float) -> list[float]:
    """Returns ticks for a logarithmic axis between two powers of ten: 1 and 3, or fewer where there are many.

    >>> decades(-2.1, 0.1), decades(-0.8, 0.2)
    ([0.01, 0.03, 0.1, 0.3, 1.0], [0.2, 0.5, 1.0])
    """
    for steps in ((1, 3), (1, 2, 5)):
        ticks = [float(f"{step}e{power}") for power in range(math.floor(low), math.ceil(high) + 1) for step in steps]
        ticks = [tick for tick in ticks if low <= math.log10(tick) <= high]
        if len(ticks) > 2:
            break
    if len(ticks) > 6:  # whole powers of ten only, and not all of them
        whole = [tick for tick in ticks if math.log10(tick).is_integer()]
        ticks = whole[:: max(1, -(-len(whole) // 6))]
    return ticks if len(ticks) >= 2 else [float(f"{10**low:.2g}"), float(f"{10**high:.2g}")]


def worded(value: float) -> str:
    """Words a tick as short as it can be.

    >>> worded(0.3), worded(0.0), worded(2500.0), worded(0.00001)
    ('0.3', '0', '2,500', '1.0e-05')
    """
    return f"{value:.3g}" if value == 0 or 1e-4 < abs(value) < 1e3 else short(value)


def percent(share: float | None) -> str:
    """Words a gain or share.

    >>> percent(0.834), percent(-0.02), percent(0.004), percent(0.9972), percent(None)
    ('83 %', '-2 %', '0.4 %', '99.7 %', '?')
    """
    if share is None or not math.isfinite(share):
        return "?"
    value = 100 * share
    if abs(value) < 0.05:
        return "0 %"
    return f"{value:.1f} %" if abs(value) < 1 or 99.5 <= value < 99.95 else f"{value:.0f} %"


def recolour(value: Any, palette: dict[str, str] = DARK) -> Any:
    """Returns a copy of a figure (or any part of it) with each colour of `LIGHT` replaced by that of `palette`."""
    swap = {LIGHT[role]: colour for role, colour in palette.items()}

    def walk(item: Any) -> Any:
        if isinstance(item, str):
            return swap.get(item, item)
        if isinstance(item, dict):
            return {key: walk(entry) for key, entry in item.items()}
        if isinstance(item, list):
            return [walk(entry) for entry in item]
        return item

    return walk(value)


def guide(*, x: float | None = None, y: float | None = None, role: str = "reference") -> dict[str, Any]:
    """Returns a dotted line across the whole plot at one value of x or of y."""
    across = {"x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1}
    along = {"y0": y, "y1": y, "xref": "paper", "x0": 0, "x1": 1}
    line = {"color": LIGHT[role], "width": 1.4, "dash": "dot"}
    return {"type": "line", "layer": "below", "line": line} | (along if x is None else across)
