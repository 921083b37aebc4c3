"""Slices: parts of the rows whose figures are shown apart.

How one is asked for: `sex` (a slice for each value of a column with few), `sex=1` or `country=NL` (one value, of a
text column too), `age@4` (four parts of about as many rows, with edges from the train rows), or a condition over
columns, `age > 60 and sex == 1` (`aetfx.evaluation.expression`). The slices of a column together hold every row once:
those whose value is missing, or was not among the train rows, form a slice of their own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.errors import StudyError, nearest
from aetfx.evaluation.expression import Condition, condition

ALL = "all"
MOST_VALUES = 20  # of a column that is cut by its values
MOST_SLICES = 200
_PARTS = re.compile(r"(.+)@(\d+)")
_VALUE = re.compile(r"([^=<>!]+)=([^=].*)")


@dataclass(frozen=True)
class _Values:
    """Some values of a column of numbers, and with `rest` a slice of all other rows."""

    column: str
    values: tuple[float, ...]
    rest: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (*(f"{self.column}={value:.10g}" for value in self.values), *[f"{self.column}=other"] * self.rest)

    def member(self, column: np.ndarray) -> list[np.ndarray]:
        found = [column == value for value in self.values]
        return [*found, ~np.logical_or.reduce(found)] if self.rest else found


@dataclass(frozen=True)
class _Text:
    """One value of a column that no model is fed: of text, or of numbers where these are not among `features`."""

    column: str
    value: str

    @property
    def names(self) -> tuple[str, ...]:
        return (f"{self.column}={self.value}",)

    def member(self, column: np.ndarray) -> list[np.ndarray]:
        try:
            wanted: tuple[Any, ...] = (self.value, float(self.value))
        except ValueError:
            wanted = (self.value,)
        return [np.array([cell in wanted for cell in column], bool)]


@dataclass(frozen=True)
class _Parts:
    """Parts of a column of numbers between edges, (low, high], and a slice of the rows without a value."""

    column: str
    edges: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        shown = [f"{edge:.6g}" for edge in self.edges]
        between = [f"{low} < {self.column} <= {high}" for low, high in itertools.pairwise(shown)]
        return (
            f"{self.column} <= {shown[0]}",
            *between,
            f"{self.column} > {shown[-1]}",
            f"{self.column} is missing",
        )

    def member(self, column: np.ndarray) -> list[np.ndarray]:
        place = np.searchsorted(np.array(self.edges), column, side="left")
        missing = np.isnan(column)
        return [*((place == i) & ~missing for i in range(len(self.edges) + 1)), missing]


@dataclass(frozen=True)
class Slicer:
    """Tells which slices each row is in. Picklable.

    Attributes:
      columns: names of the D numbers of a row.
      cuts: what cuts the rows, in the order in which it was asked for.
    """

    columns: tuple[str, ...] = ()
    cuts: tuple[_Values | _Text | _Parts | Condition, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the S slices; the first one holds all rows."""
        found = [ALL]
        for cut in self.cuts:
            found += _names(cut)
        return tuple(found)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns that are needed beside the numbers of the rows."""
        return tuple(dict.fromkeys(cut.column for cut in self.cuts if isinstance(cut, _Text)))

    @property
    def rests(self) -> tuple[bool, ...]:
        """Which slices hold what the others of their column do not: they need not be shown without rows, (S,)."""
        found = [False]
        for cut in self.cuts:
            if isinstance(cut, _Values):
                found += [False] * len(cut.values) + [True] * cut.rest
            elif isinstance(cut, _Parts):
                found += [False] * (len(cut.edges) + 1) + [True]
            else:
                found.append(False)
        return tuple(found)

    def member(self, rows: np.ndarray, texts: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
        """Returns which slices hold each row, bool (S, n).

        Args:
          rows: (n, D), raw units.
          texts: for each of `text_columns` its cells, object (n,).
        """
        places = {name: j for j, name in enumerate(self.columns)}

        def column(name: str) -> np.ndarray:
            return np.asarray(rows[:, places[name]], np.float64)

        found = [np.ones(len(rows), bool)]
        for cut in self.cuts:
            if isinstance(cut, Condition):
                found.append(cut({name: column(name) for name in cut.columns}))
            elif isinstance(cut, _Text):
                found += cut.member((texts or {})[cut.column])
            else:
                found += cut.member(column(cut.column))
        return np.stack(found)


def make_slicer(
    asked: Sequence[str], columns: Sequence[str], sample: np.ndarray, text_columns: Sequence[str] = ()
) -> Slicer:
    """Reads what slices are asked for.

    Args:
      asked: see the module's docstring.
      columns: names of the D numbers of a row.
      sample: train rows, (n, D), which values and edges are taken from.
      text_columns: further columns, of text.

    Raises:
      StudyError: a slice cannot be read, or names a column that is not there.
    """
    cuts: list[_Values | _Text | _Parts | Condition] = []
    for text in dict.fromkeys(asked):
        fresh = _cut(text.strip(), tuple(columns), sample, tuple(text_columns))
        named = set(_names(fresh))
        if named <= {name for cut in cuts for name in _names(cut)}:
            continue  # one value of a column that is cut by its values anyway
        cuts = [*(cut for cut in cuts if not set(_names(cut)) <= named), fresh]
    slicer = Slicer(tuple(columns), tuple(cuts))
    if len(slicer.names) > MOST_SLICES:
        raise StudyError(f"{len(slicer.names)} slices are asked for. Give fewer: at most {MOST_SLICES}.")
    twice = [name for name in slicer.names if slicer.names.count(name) > 1]
    if twice:
        raise StudyError(f"two slices would be called '{twice[0]}'. Keep one of them.")
    return slicer


def check_named(names: Sequence[str], slicer: Slicer, where: str) -> None:
    """Checks that each name is that of one slice.

    Raises:
      StudyError: one is not, as `age@4`, which is four.
    """
    for name in names:
        if name not in slicer.names:
            raise StudyError(f"{where}: '{name}' is not the name of one slice.{nearest(name, slicer.names)}")


def _names(cut: _Values | _Text | _Parts | Condition) -> tuple[str, ...]:
    return (cut.text,) if isinstance(cut, Condition) else cut.names


def _cut(
    text: str, columns: tuple[str, ...], sample: np.ndarray, text_columns: tuple[str, ...]
) -> _Values | _Text | _Parts | Condition:
    plain = text.strip("`")
    if plain in columns:
        return _each_value(plain, _known(sample, columns, plain))
    if plain in text_columns:
        raise StudyError(f"slice '{text}': is a column of text. Name a value, such as '{text}=...'.")
    parts = _PARTS.fullmatch(text)
    if parts and parts[1].strip("`") in columns:
        return _equal_parts(text, parts[1].strip("`"), int(parts[2]), _known(sample, columns, parts[1].strip("`")))
    value = _VALUE.fullmatch(text)
    if value:
        name, wanted = value[1].strip().strip("`"), value[2].strip()
        if name in text_columns:
            return _Text(name, wanted)
        if name in columns:
            try:
                return _Values(name, (float(wanted),), rest=False)
            except ValueError:
                raise StudyError(f"slice '{text}': column '{name}' holds numbers, not '{wanted}'.") from None
        raise _no_column(text, name, (*columns, *text_columns))
    if parts:
        raise _no_column(text, parts[1].strip("`"), columns)
    found = condition(text) if re.search(r"[<>=()+*/%-]|\b(and|or|not)\b", text) else None
    if found is None:
        raise _no_column(text, plain, (*columns, *text_columns))
    for name in found.columns:
        if name in text_columns:
            raise StudyError(f"slice '{text}': column '{name}' holds text. Write '{name}=...' alone.")
        if name not in columns:
            raise _no_column(text, name, columns)
    return found


def _known(sample: np.ndarray, columns: tuple[str, ...], name: str) -> np.ndarray:
    values = np.asarray(sample[:, columns.index(name)], np.float64)
    return values[np.isfinite(values)]


def _each_value(name: str, known: np.ndarray) -> _Values:
    values = np.unique(known)
    if not 0 < len(values) <= MOST_VALUES:
        raise StudyError(
            f"slice '{name}': the column has {len(values):,} values. Cut it into parts of as many rows, "
            f"'{name}@4', or name a value, '{name}=...'."
        )
    return _Values(name, tuple(map(float, values)), rest=True)


def _equal_parts(text: str, name: str, count: int, known: np.ndarray) -> _Parts:
    if not 2 <= count <= MOST_VALUES:
        raise StudyError(f"slice '{text}': cuts into {count} parts. Give 2 to {MOST_VALUES}.")
    if not len(known):
        raise StudyError(f"slice '{text}': the column holds no number in the train rows.")
    # Edges are values of the column: where a value is common, two of them may fall together, and parts are fewer.
    edges = np.unique(np.quantile(known, np.arange(1, count) / count, method="lower"))
    return _Parts(name, tuple(map(float, edges[edges < known.max()])) or (float(edges[0]),))


def _no_column(text: str, name: str, columns: Sequence[str]) -> StudyError:
    hint = nearest(name, columns)
    if len(columns) > 20:
        hint = hint.split(" Choose")[0]
    return StudyError(f"slice '{text}': there is no column '{name}'.{hint}")
