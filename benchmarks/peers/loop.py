"""What every tool of `benchmarks.field` does: import, then check one pair of files after another, a line of JSON each.

    python -m benchmarks.peers.NAME < cases.jsonl

A case is `{"id", "train", "eval", "clean"}`: paths of `.npy` files of shape (n, D), `clean` being the train rows before
a problem was put into them. The answer to a case is `{"id", "alarms", "run_s", "cpu_s", "peak_mb"}`; an *alarm* is
`[check, column]` of one failed check, column None where the check is about the data set. The first line is
`{"startup_s", "versions"}`.

Runs in environments that hold nothing but the tool: the standard library only.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

Alarm = tuple[str, str | None]
Check = Callable[[str, str | None, str], Iterable[Alarm]]  # (train, eval, clean train) -> alarms


def run(prepare: Callable[[], Check], packages: Iterable[str]) -> None:
    """Answers the cases on standard input.

    Args:
      prepare: imports the tool and returns the function that checks a pair.
      packages: whose versions are told.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the tool prints is no answer
    begun = time.perf_counter()
    check = prepare()
    versions = {name: importlib.metadata.version(name) for name in packages}
    _say(answers, {"startup_s": time.perf_counter() - begun, "versions": versions})
    for line in sys.stdin:
        case = json.loads(line)
        begun, cpu = time.perf_counter(), time.process_time()
        alarms = sorted(set(check(case["train"], case["eval"], case["clean"])), key=str)
        _say(
            answers,
            {
                "id": case["id"],
                "alarms": alarms,
                "run_s": round(time.perf_counter() - begun, 3),
                "cpu_s": round(time.process_time() - cpu, 3),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            },
        )


def _say(answers: Any, item: dict[str, Any]) -> None:
    answers.write(json.dumps(item) + "\n")
    answers.flush()


def frame(path: str) -> Any:
    """The rows of a file as pandas takes them, columns named c0, c1, ..."""
    import numpy as np
    import pandas as pd

    rows = np.load(path)
    return pd.DataFrame(rows, columns=[f"c{j}" for j in range(rows.shape[1])])
