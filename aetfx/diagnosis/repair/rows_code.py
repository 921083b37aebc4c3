"""Python lines that read the rows of a study with NumPy alone, where NumPy can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.errors import AetfxError

_TRIED_ROWS = 20
# What a script calls the rows; the file it would read them from; what these are called in words.
_KINDS = {
    "train": ("rows.npy", "your train rows"),
    "eval": ("eval_rows.npy", "your held-out rows"),
    "targets": ("targets.npy", "your targets"),
    "eval_targets": ("eval_targets.npy", "your held-out targets"),
}


def reading_lines(rows: Mapping[str, Any], run: Path | None) -> list[str]:
    """Returns lines that bind `train` and `held_out`, float64 rows in raw units.

    Where `fit(x, y)` asks something else back, `asked` and `held_out_asked` are that.

    Args:
      rows: of `recipes.json`.
      run: the run directory, where arrays from memory were kept.
    """
    targets, columns = rows.get("targets"), rows["columns"]
    if isinstance(rows["eval"], str):
        lines = [
            _reading("train", rows["train"], "train", columns, run),
            _reading("held_out", rows["eval"], "eval", columns, run),
        ]
        if targets is not None:
            lines += [
                _reading("asked", targets["train"], "targets", columns, run),
                _reading("held_out_asked", targets["eval"], "eval_targets", columns, run),
            ]
        return lines
    lines = [_reading("rows", rows["train"], "train", columns, run)]
    drawn = [
        f"order = np.random.default_rng({rows['seed']}).permutation(len(rows))",
        f"held_out, train = np.split(rows[order], [int({rows['eval']} * len(rows))])",
    ]
    if targets is not None:
        lines.append(_reading("targets", targets["train"], "targets", columns, run))
        drawn.append(f"held_out_asked, asked = np.split(targets[order], [int({rows['eval']} * len(rows))])")
    return lines + drawn


def _reading(variable: str, path: str, kind: str, columns: list[str] | None, run: Path | None) -> str:
    """Returns the line that reads a file; where NumPy cannot, one with a placeholder and a hint for the reader."""
    path = _found(path, run)
    try:
        expression = _expression(path, columns)
    except (AetfxError, OSError, ValueError, EOFError):  # whatever is wrong with the file is not this script's affair
        expression = None
    if expression is not None:
        return f'{variable} = {expression}.astype("float64")'
    name, words = _KINDS[kind]
    of = f"the rows of {path}" if Path(path).exists() else words
    return f'{variable} = np.load("{name}").astype("float64")  # {of}: np.save(\'{name}\', ...) writes them'


def _found(path: str, run: Path | None) -> str:
    """Returns where a file is now: a run directory may have been moved with the arrays in it."""
    kept = None if run is None else run / "data" / Path(path).name
    return str(kept.resolve()) if kept is not None and not Path(path).exists() and kept.exists() else path


def _expression(path: str, columns: list[str] | None) -> str | None:
    if not Path(path).is_file():
        return None
    suffix = Path(path).suffix.lower()
    if suffix == ".npy":
        wide = np.load(path, mmap_mode="r", allow_pickle=False).shape[1:]
        return f'np.load("{path}")' if columns is None or wide == (len(columns),) else None
    if suffix in (".csv", ".tsv", ".txt"):
        return _csv(path, columns)
    return None


def _csv(path: str, columns: list[str] | None) -> str | None:
    from aetfx.data.sources.csv_layout import find_layout

    layout = find_layout(path)
    form = layout.form
    if columns is None or form.decimal != "." or form.packed or form.utf16 or not set(columns) <= set(layout.columns):
        return None
    delimiter = None if form.delimiter == " " else form.delimiter
    settings: dict[str, Any] = {"delimiter": delimiter, "skip_header": int(layout.has_header)}
    if list(layout.columns) != columns:
        settings["usecols"] = [layout.columns.index(name) for name in columns]
    tried = np.genfromtxt(path, max_rows=_TRIED_ROWS, **settings)
    if tried.ndim != 2 or tried.shape[1] != len(columns) or np.isnan(tried).all():
        return None
    said = "".join(f", {key}={value!r}".replace("'", '"') for key, value in settings.items() if value)
    return f'np.genfromtxt("{path}"{said})'
