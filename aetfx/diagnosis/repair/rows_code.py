"""Python lines that read the rows of a study with NumPy alone, where NumPy can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.errors import AetfxError

_PLACEHOLDER = 'np.load("rows.npy")'
_TRIED_ROWS = 20


def reading_lines(rows: Mapping[str, Any], run: Path | None) -> list[str]:
    """Returns lines that bind `train` and `held_out`, float64 rows in raw units.

    Args:
      rows: of `recipes.json`.
      run: the run directory, where arrays from memory were kept.
    """
    train = _found(rows["train"], run)
    said, hint = _reading(train, rows["columns"])
    comment = f"  # {hint}" if hint else ""
    if isinstance(rows["eval"], str):
        evaluation = _found(rows["eval"], run)
        other, hint = _reading(evaluation, rows["columns"])
        if hint:
            other, hint = other.replace("rows.npy", "eval_rows.npy"), hint.replace("rows.npy", "eval_rows.npy")
        return [
            f'train = {said}.astype("float64"){comment}',
            f'held_out = {other}.astype("float64"){"  # " + hint if hint else ""}',
        ]
    return [
        f'rows = {said}.astype("float64"){comment}',
        f"order = np.random.default_rng({rows['seed']}).permutation(len(rows))",
        f"held_out, train = np.split(rows[order], [int({rows['eval']} * len(rows))])",
    ]


def _found(path: str, run: Path | None) -> str:
    """Returns where a file is now: a run directory may have been moved with the arrays in it."""
    kept = None if run is None else run / "data" / Path(path).name
    return str(kept.resolve()) if kept is not None and not Path(path).exists() and kept.exists() else path


def _reading(path: str, columns: list[str] | None) -> tuple[str, str]:
    """Returns an expression that reads a file, and a hint for the reader where it is a placeholder."""
    try:
        expression = _expression(path, columns)
    except (AetfxError, OSError, ValueError, EOFError):  # whatever is wrong with the file is not this script's affair
        expression = None
    if expression is not None:
        return expression, ""
    name = Path(path).name
    of = f"the rows of {path}" if Path(path).exists() else f"your {'train' if name == 'train.npy' else 'held-out'} rows"
    return _PLACEHOLDER, f"{of}: np.save('rows.npy', ...) writes them"


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
