"""Makes words from data safe for a terminal: control characters could move the cursor or recolour the screen."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from aetfx.words import replace_unprintable


def plain(value: Any, style: str = "") -> Text:
    """Returns `value` as text without markup; what cannot be printed becomes a replacement character."""
    return Text(replace_unprintable(value, keep="\n"), style=style)


def output(console: Console | None) -> Console:
    """Returns `console`, or standard output, with letters that its encoding lacks replaced and not refused."""
    if console is not None:
        return console
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False)


def say(console: Console, text: Text, *, indent: int = 0, mark: str | Text = "") -> None:
    """Prints wrapped text without trailing spaces.

    Args:
      text: what to print.
      indent: columns to the left of each line.
      mark: stands in the indent of the first line ("  - ").
    """
    first = mark if isinstance(mark, Text) else Text(mark)
    first.pad_right(max(0, indent - first.cell_len))
    for number, line in enumerate(text.wrap(console, max(20, console.width - indent))):
        line.rstrip()
        console.print(Text.assemble(first if number == 0 else " " * indent, line), soft_wrap=True)
