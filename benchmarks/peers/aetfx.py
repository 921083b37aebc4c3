"""aetfx, as `aetfx validate TRAIN --against EVAL` runs it: all findings count, those only worth knowing too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.peers.loop import Alarm, Check, run


def prepare() -> Check:
    import apache_beam.runners.portability.fn_api_runner  # noqa: F401  imported by the first `validate`

    from aetfx.validation.api import validate

    def check(train: str, evaluation: str | None, clean: str) -> list[Alarm]:
        alarms: list[Alarm] = []
        for finding in validate(train, evaluation).findings:
            # Columns of an .npy file are called "0", "1", ...
            named = {text for text in _texts([finding.feature, finding.evidence]) if text.isdigit()}
            alarms += [(finding.code, f"c{name}") for name in named] or [(finding.code, None)]
        return alarms

    return check


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


if __name__ == "__main__":
    run(prepare, ["aetfx", "apache-beam", "numpy"])
