"""Every error that a user can meet: what happened, where, and what to do about it.

The command line prints the message of an `AetfxError` as one line and exits with its
`exit_code`; anything else is a defect of aetfx and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AetfxError(Exception):
    """Base of all errors that a user can cause and mend."""

    exit_code = 2


class StudyError(AetfxError):
    """Raised when the request itself is wrong: an unknown key, a value out of range."""


class DataError(AetfxError):
    """Raised when data cannot be read or used: missing, empty, ragged, not numeric."""


class ModelError(AetfxError):
    """Raised when a model cannot be built, read, rewritten or does not fit the data."""


class RunError(AetfxError):
    """Raised when a run directory cannot be written, read or is in use by another process."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Suggests the choice closest to `word`.

    Returns:
      `" Did you mean 'x'?"` or, where nothing is close, a list of the choices.

    >>> nearest("epoch", ["epochs", "seed"])
    " Did you mean 'epochs'?"
    >>> nearest("qqq", ["epochs", "seed"])
    ' Choose one of: epochs, seed.'
    """
    choices = sorted(choices)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Choose one of: {', '.join(choices)}."
