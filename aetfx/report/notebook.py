"""A diagnosis inside a notebook: compact HTML without scripts, so that Jupyter, Colab and VS Code show it alike.

Bars are plain elements and rows are small PNG pictures. The styles are scoped to one class and take the
notebook's own text colour, which makes them fit its light and its dark theme.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aetfx.figures import columns, words
from aetfx.figures.png import data_uri
from aetfx.figures.rows import pixels, value_range
from aetfx.figures.theme import DIVERGING, LIGHT, percent, short
from aetfx.report.markup import Markup, tag
from aetfx.report.page import asset
from aetfx.words import replace_unprintable

_COLOURS = {
    "faulty": LIGHT["before"],
    "healthy": LIGHT["improvement"],
    "limited": LIGHT["after"],
    "inconclusive": LIGHT["suspected"],
}
_CELL = (7, 14)  # pixels of a table cell, width and height
_MOST_CELLS = 60
_PER_KIND = 4


def to_html(diagnosis: dict[str, Any], samples: Mapping[str, Any] | None) -> str:
    """Returns the notebook view of a diagnosis.

    Args:
      diagnosis: the content of `diagnosis.json`.
      samples: the arrays of `samples.npz`, or None.
    """
    state = words.status(diagnosis)
    causes = diagnosis.get("causes") or []
    closing = None
    if not causes:
        closing = words.sensitivity(diagnosis) if state in ("healthy", "limited") else words.next_step(diagnosis)
    return tag(
        "div",
        tag("style", Markup(asset("notebook.css"))),
        tag("p", tag("b", words.STATUS[state], style=f"color:{_COLOURS[state]}"), " ", _about(diagnosis)),
        tag("h4", words.verdict(diagnosis)),
        _bars(diagnosis),
        [_cause(cause) for cause in causes],
        [tag("p", sentence) for sentence in words.statements(diagnosis)],
        closing and tag("p", closing),
        words.labels_line(diagnosis) and tag("p", tag("b", "Labels: "), words.labels_line(diagnosis)),
        _others(diagnosis),
        _rows(samples) if samples else None,
        class_="aetfx-view",
    )


def to_text(diagnosis: dict[str, Any]) -> str:
    """Returns the plain-text view: a few lines, no colour."""
    state = words.status(diagnosis)
    before, after = words.before_after(diagnosis)
    score = f"score {short(before)}" + (f" -> {short(after)}" if after is not None else "")
    lines = [f"Diagnosis: {words.STATUS[state].lower()} ({score})", f"  {words.verdict(diagnosis)}"]
    for cause in diagnosis.get("causes") or []:
        between = words.interval(cause.get("gain_interval"))
        gain = f"gain {percent(cause.get('gain'))}" + (f", 95 % interval {between}" if between else "")
        lines.append(f"  {cause.get('code')}: {gain}. {cause.get('remedy') or ''}".rstrip())
    if words.labels_line(diagnosis):
        lines.append(f"  {words.labels_line(diagnosis)}")
    for item in diagnosis.get("suspected") or []:
        lines.append(f"  suspected: {item.get('code')}")
    return "\n".join(map(replace_unprintable, lines))


def _about(diagnosis: dict[str, Any]) -> Markup:
    widths = (diagnosis.get("model") or {}).get("widths")
    return tag("span", " · ".join(str(p) for p in (words.data_line(diagnosis), widths) if p), class_="q")


def _bars(diagnosis: dict[str, Any]) -> Markup | None:
    before, after = words.before_after(diagnosis)
    entries: list[tuple[str, float | None, str]] = [("predicting the mean", 1.0, LIGHT["muted"])]
    entries.append(("as it is", before, LIGHT["before"] if after is not None else _COLOURS[words.status(diagnosis)]))
    for cause in diagnosis.get("causes") or []:
        entries.append(
            (str(cause.get("experiment_name") or cause.get("code")), cause.get("score_after"), LIGHT["after"])
        )
    entries.append(("PCA, same code width", words.pca(diagnosis), LIGHT["muted"]))
    known = [(name, value, colour) for name, value, colour in entries if value is not None]
    reach = max(value for _, value, _ in known)
    lines = [
        tag(
            "div",
            tag("span", name, class_="q"),
            tag("span", tag("i", style=f"width:{max(0.6, 100 * value / reach):.1f}%;background:{colour}")),
            tag("b", short(value)),
            class_="rung",
        )
        for name, value, colour in known
    ]
    return tag("div", lines, style="margin:8px 0 12px") if before is not None else None


def _cause(cause: dict[str, Any]) -> Markup:
    between = words.interval(cause.get("gain_interval"))
    gain = f"{percent(cause.get('gain'))} less error" + (f" (95 % interval {between})" if between else "")
    alike = ", ".join(str(code) for code in cause.get("equivalents") or [])
    return tag(
        "div",
        tag("p", tag("b", words.title(cause)), " ", tag("span", f"{cause.get('code')} · {gain}", class_="q")),
        tag("ul", [tag("li", line) for line in cause.get("evidence") or []]) if cause.get("evidence") else None,
        cause.get("remedy") and tag("p", cause["remedy"]),
        tag("pre", str(cause["keras"]).strip("\n")) if cause.get("keras") else None,
        tag("p", f"As good: {alike}", class_="q") if alike else None,
    )


def _others(diagnosis: dict[str, Any]) -> list[Markup]:
    made = []
    for label, key in (("Improvements", "improvements"), ("Suspected", "suspected"), ("Ruled out", "ruled_out")):
        items = diagnosis.get(key) or []
        if items:
            listed = ", ".join(
                words.title(item) + (f" ({percent(item['gain'])})" if item.get("gain") is not None else "")
                for item in items
            )
            made.append(tag("p", tag("b", f"{label}: "), listed, class_="q"))
    return made


def _rows(samples: Mapping[str, Any]) -> Markup | None:
    """Draws the worst and the typical rows above their reconstruction."""
    original = np.asarray(samples.get("rows", []), float)
    kinds = np.asarray(samples.get("row_kind", [])).astype(str).ravel()
    if original.ndim < 2 or len(kinds) != len(original):
        return None
    rebuilt = {side: np.asarray(samples.get(f"reconstruction_{side}", []), float) for side in ("before", "after")}
    sides = [side for side, values in rebuilt.items() if values.size == original.size]
    bands = [original.reshape(len(original), -1)]
    bands += [rebuilt[side].reshape(bands[0].shape) for side in sides]
    names = " / ".join(["original", *(sides if len(sides) > 1 else ["rebuilt"])])
    made = []
    for kind, label in (("worst", "worst rows"), ("median", "typical rows")):
        chosen = np.flatnonzero(kinds == kind)[:_PER_KIND]
        if len(chosen) and sides:
            picture = _picture(samples, [band[chosen] for band in bands], bands[0])
            made.append(tag("div", tag("span", f"{label}: {names}", class_="q"), picture))
    return tag("div", made, class_="rows") if made else None


def _picture(samples: Mapping[str, Any], bands: list[np.ndarray], originals: np.ndarray) -> Markup:
    """Returns one `<img>`: pictures side by side, or a block of coloured cells per row of a table."""
    shape = columns.picture_shape(samples)
    if shape is not None and np.prod(shape) == originals.shape[1]:
        low, high = value_range(originals)
        step = max(1, -(-max(shape[:2]) // 64))
        lines = [[pixels(row, shape, low, high)[::step, ::step] for row in band] for band in bands]
        mosaic = np.concatenate([np.concatenate([_framed(t) for t in line], axis=1) for line in lines], axis=0)
        scale = max(1, round(56 / lines[0][0].shape[0]))
    else:
        keep = columns.worst(samples, originals.shape[1], _MOST_CELLS)
        centre, spread = columns.centre_and_spread(samples, originals)
        blocks = []
        for row in zip(*bands, strict=True):
            cells = np.stack([((values - centre) / spread)[keep] for values in row])
            coloured = diverging(cells).repeat(_CELL[1], axis=0).repeat(_CELL[0], axis=1)
            blocks.append(np.pad(coloured, ((0, 6), (0, 0), (0, 0))))
        mosaic, scale = np.concatenate(blocks, axis=0), 1
    width = mosaic.shape[1] * scale
    return tag("img", src=data_uri(mosaic), width=width, alt="rows above their reconstruction")


def diverging(z: np.ndarray) -> np.ndarray:
    """Colours standard deviations from the mean, -3 blue to 3 orange, as RGBA uint8 (..., 4); NaN is clear."""
    stops = np.array([[int(stop[1][i : i + 2], 16) for i in (1, 3, 5)] for stop in DIVERGING])
    place = np.clip(np.nan_to_num(z, nan=0.0) / 3, -1, 1)
    out = np.empty((*z.shape, 4), np.uint8)
    for channel in range(3):
        out[..., channel] = np.interp(place, [-1, -0.5, 0, 0.5, 1], stops[:, channel]).round()
    out[..., 3] = np.where(np.isnan(z), 0, 255)
    return out


def _framed(tile: np.ndarray) -> np.ndarray:
    return np.pad(tile, ((0, 1), (0, 1), (0, 0)))


__all__ = ["diverging", "to_html", "to_text"]
