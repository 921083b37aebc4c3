"""Conditions over columns, as a person writes them: `age > 60 and sex == 1`.

Python's own parser reads them, and only what a condition needs is let through: names of columns, numbers, comparisons,
`and`, `or`, `not` and arithmetic. Nothing is called and nothing is looked up but columns, so that a condition from a
study can do nothing but be true or false. Names that are no Python names stand in backticks:
`` `blood pressure` > 90 ``.
"""

from __future__ import annotations

import ast
import functools
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aetfx.errors import StudyError

_MOST_CHARACTERS, _MOST_NESTED = 1000, 100
_QUOTED = re.compile(r"`([^`]*)`")
_STAND_IN = "_quoted_name_"

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}


@dataclass(frozen=True)
class Condition:
    """A condition that was checked. Picklable: workers parse its text again.

    Attributes:
      text: as it was given.
    """

    text: str

    @cached_property
    def _parsed(self) -> tuple[ast.expr, dict[str, str]]:
        return _parse(self.text)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names, each once."""
        tree, quoted = self._parsed
        names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        return tuple(dict.fromkeys(quoted.get(name, name) for name in names))

    def __call__(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns for which rows it holds, bool (n,). A comparison with a missing value does not hold.

        Args:
          values: float64 (n,) for each of `columns`.
        """
        tree, quoted = self._parsed
        length = len(next(iter(values.values()))) if values else 0
        with np.errstate(all="ignore"):
            return np.broadcast_to(_value(tree, quoted, values), length).astype(bool)

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text}


def condition(text: str) -> Condition:
    """Checks a condition.

    Raises:
      StudyError: it is no condition, or holds more than conditions may.
    """
    found = Condition(text)
    if not found.columns:
        raise StudyError(f"slice '{text}': names no column. Write a condition such as 'age > 60 and sex == 1'.")
    return found


def _parse(text: str) -> tuple[ast.expr, dict[str, str]]:
    """Returns the checked tree, and the column that each stand-in for a name in backticks means."""
    if len(text) > _MOST_CHARACTERS:
        raise StudyError(f"slice '{text[:40]}...': {len(text)} characters are too many. Give at most 1,000.")
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        name = f"{_STAND_IN}{len(quoted)}"
        quoted[name] = match[1]
        return f" {name} "

    try:
        tree = ast.parse(_QUOTED.sub(stand_in, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise StudyError(
            f"slice '{text}': cannot be read ({said}). Write a condition such as 'age > 60 and sex == 1'; names with "
            "other characters than letters stand in backticks."
        ) from None
    if _check(tree, text) != "truth":
        raise StudyError(f"slice '{text}': is a number, not a condition. Compare it with something, e.g. '{text} > 0'.")
    return tree, quoted


def _check(node: ast.AST, text: str, depth: int = 0) -> str:
    """Returns whether a part is a "truth" or a "number".

    Raises:
      StudyError: it is neither, or nested so deep that Python could not go through it.
    """
    if depth > _MOST_NESTED:
        raise StudyError(f"slice '{text[:40]}...': is nested too deep. Write a shorter condition.")

    def all_are(kind: str, parts: Sequence[ast.AST]) -> bool:
        return all(_check(part, text, depth + 1) == kind for part in parts)

    if isinstance(node, ast.Name):
        return "number"
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        if abs(node.value) <= sys.float_info.max:
            return "number"
        raise StudyError(f"slice '{text}': holds a number that is too large.")
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        if all_are("number", (node.left, *node.comparators)):
            return "truth"
        raise StudyError(f"slice '{text}': compares a condition with something. Compare numbers; use and, or, not.")
    if isinstance(node, ast.BoolOp) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
        if all_are("truth", node.values if isinstance(node, ast.BoolOp) else [node.operand]):
            return "truth"
        raise StudyError(f"slice '{text}': 'and', 'or' and 'not' stand between conditions, such as 'age > 60'.")
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        parts = [node.left, node.right]
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _SIGNS:
        parts = [node.operand]
    else:
        raise StudyError(
            f"slice '{text}': {type(node).__name__} is not allowed. A condition is made of column names, numbers, "
            "comparisons, 'and', 'or', 'not' and arithmetic."
        )
    if all_are("number", parts):
        return "number"
    raise StudyError(f"slice '{text}': calculates with a condition. Calculate with columns and numbers.")


def _value(node: ast.AST, quoted: Mapping[str, str], values: Mapping[str, np.ndarray]) -> Any:
    if isinstance(node, ast.Name):
        return values[quoted.get(node.id, node.id)]
    if isinstance(node, ast.Constant):
        return np.float64(node.value)
    if isinstance(node, ast.Compare):
        parts = [_value(part, quoted, values) for part in (node.left, *node.comparators)]
        pairs = zip(parts[:-1], parts[1:], node.ops, strict=True)
        # NaN differs from everything, also from itself: a row without the value is in no slice.
        told = [_COMPARE[type(op)](a, b) & ~(np.isnan(a) | np.isnan(b)) for a, b, op in pairs]
        return functools.reduce(np.logical_and, told)  # of numbers alone, 0 < 1, it is one for all rows
    if isinstance(node, ast.BoolOp):
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return functools.reduce(join, (_value(part, quoted, values) for part in node.values))
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, quoted, values)
        return np.logical_not(inner) if isinstance(node.op, ast.Not) else _SIGNS[type(node.op)](inner)
    assert isinstance(node, ast.BinOp)
    return _ARITHMETIC[type(node.op)](_value(node.left, quoted, values), _value(node.right, quoted, values))
