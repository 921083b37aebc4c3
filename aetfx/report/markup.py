"""Builds HTML in which everything is escaped unless it was built here.

`tag("td", name)` escapes `name`; only `Markup`, which `tag` returns, is taken as it is. So a column called
`<script>` is shown as those letters, whatever part of a report it ends in.
"""

from __future__ import annotations

import html
import json
from typing import Any

from aetfx.words import replace_unprintable

_VOID = {"meta", "br", "img", "hr"}


class Markup(str):
    """Text that is already HTML."""


def escape(value: Any) -> Markup:
    """Escapes a value for text and for quoted attributes; `Markup` is left alone, control characters are replaced.

    >>> escape("<b> & 'x'")
    '&lt;b&gt; &amp; &#x27;x&#x27;'
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(replace_unprintable(value, keep="\n\t"), quote=True))


def join(*children: Any) -> Markup:
    """Joins children: None and False are left out, lists are flattened, the rest is escaped."""
    parts: list[str] = []
    for child in children:
        if child is None or child is False:
            continue
        if isinstance(child, list | tuple):
            parts.append(join(*child))
        else:
            parts.append(escape(child))
    return Markup("".join(parts))


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """Builds one element. `class_` becomes `class`, other underscores become hyphens; None leaves an attribute out.

    >>> tag("p", "a < b", tag("b", "!"), class_="note", data_step=2)
    '<p class="note" data-step="2">a &lt; b<b>!</b></p>'
    """
    pairs = ""
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        pairs += f" {key}" if value is True else f' {key}="{escape(value)}"'
    if name in _VOID:
        return Markup(f"<{name}{pairs}>")
    return Markup(f"<{name}{pairs}>{join(*children)}</{name}>")


def json_block(value: Any, **attributes: Any) -> Markup:
    """Builds a `<script type="application/json">` whose content cannot end the element, whatever it holds."""
    content = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        content = content.replace(char, f"\\u{ord(char):04x}")
    return tag("script", Markup(content), type="application/json", **attributes)
