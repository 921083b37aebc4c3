"""What holds for every kind of file: how wide a row may be, how much may be unpacked, how its words are shown.

A file may be damaged or made to do harm. Whatever it promises is held against a limit before memory is taken for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from aetfx.errors import DataError
from aetfx.words import replace_unprintable

MOST_VALUES = 1 << 19  # numbers in a row; validating 3 rows as wide takes 1.6 GB, twice as wide 2.8 GB (measured)
UNPACKED_BYTES = 128 << 20  # a packed file may always unpack to this much
MOST_UNPACKED = 200  # ... and beyond it to this many times its size; deflate stops at 1032, tables of text reach 5-50


def check_width(where: str, n_values: int) -> None:
    """Checks that a row is no wider than what can be named and measured.

    Raises:
      DataError: it has more than `MOST_VALUES` numbers.
    """
    if n_values > MOST_VALUES:
        raise DataError(
            f"{where}: a row holds {n_values:,} numbers; at most {MOST_VALUES:,} can be used. "
            "Make rows smaller, or check that rows come first."
        )


def check_unpacked(where: str, packed_bytes: int, unpacked_bytes: int) -> None:
    """Checks that a packed file does not unpack to far more than data do.

    Raises:
      DataError: it does; the remedy is to unpack it by hand.
    """
    if unpacked_bytes > UNPACKED_BYTES and unpacked_bytes > MOST_UNPACKED * max(1, packed_bytes):
        raise DataError(
            f"{where}: unpacks to more than {MOST_UNPACKED} times its {packed_bytes:,} bytes, as no real data do. "
            "If it is meant, unpack it first and give the unpacked file."
        )


def find_twice(names: Iterable[str]) -> str | None:
    """Returns the first name that was there before, or None.

    >>> find_twice(["a", "b", "a", "b"]), find_twice(["a"])
    ('a', None)
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def printable(text: str, most: int = 100) -> str:
    r"""Returns text from a file so that it can stand in a message: on one line, no control characters, not long.

    >>> printable("a\n b\0"), printable("x" * 9, 6)
    ('a b�', 'xxx...')
    """
    shown = replace_unprintable(" ".join(text[: 4 * most].split()))
    return shown if len(shown) <= most else shown[: most - 3] + "..."
