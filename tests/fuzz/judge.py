"""What must hold for any input, however damaged: success with every row accounted for, or one clear error."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path

from aetfx.errors import DataError
from tests.fuzz.damage import Case

LIMIT_SECONDS, LIMIT_BYTES = 30.0, 2 << 30


@dataclass
class Outcome:
    """How reading ended: "success", "error" (a `DataError`), or "traceback", "hang", "crash"."""

    kind: str
    message: str = ""
    counted: int = 0
    quarantined: list[tuple[str, int, str]] = field(default_factory=list)
    peak_bytes: int = 0
    seconds: float = 0.0


def read(path: Path) -> Outcome:
    """Reads a file as the validation does, but without Beam."""
    from aetfx.data import open_source

    try:
        batches = list(open_source(path).batches())
    except DataError as error:
        return Outcome("error", str(error))
    except Exception:
        return Outcome("traceback", traceback.format_exc())
    bad = [(row.file, row.position, row.reason) for batch in batches for row in batch.quarantined]
    return Outcome("success", "", sum(batch.n_rows for batch in batches), bad)


def validate(path: Path) -> Outcome:
    """Takes a file through the validation pipeline."""
    from aetfx.data import open_source
    from aetfx.validation.pipeline import compute

    try:
        found = compute(open_source(path))
    except DataError as error:
        return Outcome("error", str(error))
    except Exception:
        return Outcome("traceback", traceback.format_exc())
    bad = [(row.file, row.position, row.reason) for rows in found.quarantined.values() for row in rows]
    counts = found.rows["train"]
    if (counts.read, counts.quarantined) != (counts.counted + len(bad), len(bad)):
        return Outcome("traceback", f"the counts do not add up: {counts}, {len(bad)} rows listed")
    return Outcome("success", "", counts.counted, bad)


def complaint(case: Case, path: Path, outcome: Outcome) -> str | None:
    """Says what is wrong with an outcome, or None."""
    if outcome.kind not in ("success", "error"):
        return f"{outcome.kind}: {outcome.message.strip()[-2000:]}"
    if outcome.seconds > LIMIT_SECONDS:
        return f"took {outcome.seconds:.0f} s"
    if outcome.peak_bytes > LIMIT_BYTES:
        return f"took {outcome.peak_bytes / 2**30:.1f} GiB"
    if outcome.kind == "error":
        return _wording(outcome.message, path)
    positions = {position for _, position, _ in outcome.quarantined}
    if len(positions) < len(outcome.quarantined):
        return "two quarantined rows have one position"
    for file, position, reason in outcome.quarantined:
        if file != str(path) or position < 0 or not reason or not reason.isprintable():
            return f"a quarantined row without file, position or reason: {(file, position, reason)!r}"
    read = outcome.counted + len(outcome.quarantined)
    if case.rows is not None and read != case.rows:
        return (
            f"{case.rows} rows are in the file, but {outcome.counted} counted + {len(outcome.quarantined)} quarantined"
        )
    return None


def _wording(message: str, path: Path) -> str | None:
    short = message.replace(str(path.parent), "")
    if not message.isprintable() or len(short) > 450:
        return f"not one clear line: {message!r}"
    if path.name not in message:
        return f"does not name the file: {message!r}"
    if not message.endswith((".", "?")) or ". " not in short:
        return f"does not say what to do: {message!r}"
    return None
