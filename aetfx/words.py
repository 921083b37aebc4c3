"""How numbers and names are worded, wherever a person reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def percent(share: float, digits: int = 0) -> str:
    """Words a share.

    >>> percent(0.254), percent(0.0049, 1), percent(-0.03)
    ('25 %', '0.5 %', '-3 %')
    """
    return f"{100 * share:.{digits}f} %"


def components(count: int) -> str:
    """Names a reference: what so many principal components give back.

    >>> components(1), components(8)
    ('PCA, 1 number', 'PCA, 8 numbers')
    """
    return f"PCA, {count} number{'' if count == 1 else 's'}"


def listed(items: Sequence[Any], most: int, word: Callable[[Any], str] = str) -> str:
    """Lists the first few of many.

    Args:
      word: says one item.

    >>> listed(["a", "b", "c"], 3), listed([1.25, 3, 4, 5], 2, "{:.1f}".format)
    ('a, b, c', '1.2, 3.0 and 2 more')
    """
    shown = ", ".join(map(word, items[:most]))
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def replace_unprintable(value: Any, keep: str = "") -> str:
    r"""Returns a value as text in which each character that cannot be printed is a replacement character.

    Names come from files: control characters in them could move a cursor, recolour a terminal or end a line.

    Args:
      value: anything; its `str` is taken.
      keep: control characters that may stay, e.g. line ends.

    >>> replace_unprintable("a\x1b[31m\n"), replace_unprintable("a\x00\n", keep="\n")
    ('a\ufffd[31m\ufffd', 'a\ufffd\n')
    """
    return "".join(char if char.isprintable() or char in keep else "\ufffd" for char in str(value))
