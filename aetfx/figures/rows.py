"""Held-out rows beside their reconstruction: pictures as pictures, tables as bands of coloured cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aetfx.figures import columns
from aetfx.figures.png import data_uri
from aetfx.figures.theme import DIVERGING, LIGHT, figure, numbers, short, text

_CELLS = 40  # columns drawn per row of a table
_TILE = 96  # pixels of a picture's longer side, at most
_GAP = 2  # pixels between pictures
_MARKED = 4  # worst cells marked per reconstruction
_WORDS = {"worst": "Worst rows", "median": "Typical rows", "best": "Best rows"}


def rows(samples: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
    """Draws the rows of one kind: the original, the reconstruction before and, where there is one, after.

    Args:
      samples: the arrays of `samples.npz`; uses `rows`, `reconstruction_before`, `reconstruction_after`, (n, D) each.
      kind: `worst`, `median` or `best` (by the baseline's error).
    """
    bands = _bands(samples, kind)
    if bands is None:
        return None
    shape = columns.picture_shape(samples)
    size = bands[0][1].shape[1]
    if shape is not None and np.prod(shape) == size:
        return _pictures(samples, kind, bands, shape)
    return _table(samples, kind, bands)


def _bands(samples: Mapping[str, Any], kind: str) -> list[tuple[str, np.ndarray, np.ndarray]] | None:
    """Returns (name, cells (k, D), error of each row (k,)) for the original and each reconstruction."""
    original = np.asarray(samples.get("rows", []), float)
    kinds = np.asarray(samples.get("row_kind", [])).astype(str).ravel()
    if original.ndim < 2 or len(kinds) != len(original):
        return None
    chosen = np.flatnonzero(kinds == kind)
    original = original.reshape(len(original), -1)
    bands = [("original", original[chosen], np.full(len(chosen), np.nan))]
    for side in ("before", "after"):
        made = samples.get(f"reconstruction_{side}")
        if made is None or np.size(made) != original.size:
            continue
        errors = np.asarray(samples.get(f"error_{side}", []), float).ravel()
        errors = errors if len(errors) == len(kinds) else np.full(len(kinds), np.nan)
        bands.append((side, np.asarray(made, float).reshape(original.shape)[chosen], errors[chosen]))
    if len(bands) == 2:
        bands[1] = ("rebuilt", *bands[1][1:])
    return bands if len(chosen) and len(bands) > 1 else None


def _row_numbers(samples: Mapping[str, Any], kind: str, count: int) -> list[str]:
    index = np.asarray(samples.get("row_index", [])).ravel()
    kinds = np.asarray(samples.get("row_kind", [])).astype(str).ravel()
    if len(index) != len(kinds):
        return [f"row {i + 1}" for i in range(count)]
    return [f"row {int(i)}" for i in index[kinds == kind]]


def _table(samples: Mapping[str, Any], kind: str, bands: list[Any]) -> dict[str, Any]:
    everything = np.asarray(samples["rows"], float).reshape(len(samples["rows"]), -1)
    size = everything.shape[1]
    names = columns.names(samples, size)
    keep = columns.worst(samples, size, _CELLS)
    centre, spread = columns.centre_and_spread(samples, everything)
    labels = _row_numbers(samples, kind, len(bands[0][1]))
    cells: list[Any] = []
    hover: list[Any] = []
    edges, ticks, words = [0.0], [], []
    marks_x: list[int] = []
    marks_y: list[float] = []
    for row in range(len(bands[0][1])):
        if row:  # a thin empty line between two rows
            cells.append([None] * len(keep))
            hover.append([""] * len(keep))
            edges.append(edges[-1] + 0.55)
        original = bands[0][1][row]
        for name, values, errors in bands:
            middle = edges[-1] + 0.5
            edges.append(edges[-1] + 1)
            ticks.append(middle)
            words.append(f"<b>{labels[row]}</b>" if name == "original" else f"{name} {short(errors[row])}")
            z = (values[row] - centre) / spread
            cells.append(numbers(np.clip(z[keep], -9, 9), 3))
            hover.append(
                [
                    f"{text(names[i])}<br>{name} {short(values[row][i])}"
                    + ("" if name == "original" else f", original {short(original[i])}")
                    for i in keep
                ]
            )
            if name != "original":
                miss = np.abs(values[row] - original)[keep] / spread[keep]
                miss = np.nan_to_num(miss, nan=np.inf)
                for cell in np.argsort(-miss, kind="stable")[:_MARKED]:
                    if miss[cell] > 1:
                        marks_x.append(int(cell))
                        marks_y.append(middle)
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "z": cells,
            "y": edges,
            "zmin": -3,
            "zmax": 3,
            "colorscale": DIVERGING,
            "showscale": False,
            "xgap": 1,
            "ygap": 1,
            "customdata": hover,
            "hovertemplate": "%{customdata}<extra></extra>",
            "hoverongaps": False,
        },
        {
            "type": "scatter",
            "mode": "markers",
            "x": marks_x,
            "y": marks_y,
            "marker": {"size": 6, "color": LIGHT["mark"], "line": {"color": LIGHT["surface"], "width": 1}},
            "hoverinfo": "skip",
        },
    ]
    return figure(
        traces,
        title=_WORDS.get(kind, kind),
        caption="",
        height=24 + round(17 * edges[-1]),
        margin={"l": 8, "r": 4, "t": 4, "b": 8},
        xaxis={"visible": False, "range": [-0.5, len(keep) - 0.5]},
        yaxis={
            "range": [edges[-1], 0],
            "tickvals": ticks,
            "ticktext": words,
            "tickfont": {"size": 10.5},
            "showgrid": False,
            "showline": False,
        },
    )


def _pictures(samples: Mapping[str, Any], kind: str, bands: list[Any], shape: tuple[int, int, int]) -> dict[str, Any]:
    step = max(1, -(-max(shape[:2]) // _TILE))
    low, high = value_range(np.asarray(samples["rows"], float))
    tiles = [[pixels(cells, shape, low, high)[::step, ::step] for cells in values] for _, values, _ in bands]
    height, width = tiles[0][0].shape[:2]
    count = len(tiles[0])
    mosaic = np.zeros((len(bands) * (height + _GAP) - _GAP, count * (width + _GAP) - _GAP, 4), np.uint8)
    for i, line in enumerate(tiles):
        for j, tile in enumerate(line):
            mosaic[i * (height + _GAP) :, j * (width + _GAP) :][:height, :width] = tile
    labels = _row_numbers(samples, kind, count)
    under = [f"{labels[j]}<br>{'<br>→ '.join(short(errors[j]) for _, _, errors in bands[1:])}" for j in range(count)]
    return figure(
        [{"type": "image", "source": data_uri(mosaic), "hoverinfo": "skip"}],
        title=_WORDS.get(kind, kind),
        caption="",
        height=round(57 * len(bands) * min(1.6, height / width)) + 68,
        margin={"l": 8, "r": 4, "t": 4, "b": 56},
        xaxis={
            "range": [-0.5, mosaic.shape[1] - 0.5],
            "tickvals": [j * (width + _GAP) + width / 2 - 0.5 for j in range(count)],
            "ticktext": under,
            "tickfont": {"size": 10},
            "tickangle": 0,
            "showgrid": False,
            "constrain": "domain",
        },
        yaxis={
            "range": [mosaic.shape[0] - 0.5, -0.5],
            "tickvals": [i * (height + _GAP) + height / 2 for i in range(len(bands))],
            "ticktext": [name for name, _, _ in bands],
            "tickfont": {"size": 11},
            "showgrid": False,
            "scaleanchor": "x",
            "constrain": "domain",
            "constraintoward": "top",
        },
    )


def value_range(originals: np.ndarray) -> tuple[float, float]:
    """Returns the range of values that is drawn from black to white."""
    finite = originals[np.isfinite(originals)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return low, high if high > low else low + 1.0


def pixels(cells: np.ndarray, shape: tuple[int, int, int], low: float, high: float) -> np.ndarray:
    """Returns one row as RGBA pixels, uint8, (height, width, 4); what is not finite is drawn in vermilion."""
    values = np.asarray(cells, float).reshape(shape)
    bad = ~np.isfinite(values).all(axis=2)
    scaled = np.clip((np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / (high - low), 0, 1)
    colour = np.repeat(scaled, 3, axis=2) if shape[2] == 1 else scaled[:, :, :3]
    out = np.full((*shape[:2], 4), 255, np.uint8)
    out[:, :, :3] = np.round(255 * colour)
    out[bad] = (213, 94, 0, 255)
    return out
