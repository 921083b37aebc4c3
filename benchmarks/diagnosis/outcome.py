"""What one diagnosis counts as: the rules of the fault suite, in one place.

Ranking: the verified causes in the order of the chain, then the suspicions by gain. *Strict*: the first is an injected
cause. *Equivalent*: it is not, but the named fix, applied outside aetfx (the whole chain for compounds), brings the
program within 1.33x of the good one's score. *Top 3*: every injected cause is among the first three; *top 3 with
equivalents*: it is, with the fixes that the verdict lists beside a cause as doing the same (`equivalents`) read behind
it, or the program is repaired as above. `inconclusive` and errors are misses on faulty programs, whatever is suspected;
a false alarm is a healthy program called `faulty`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.figures.words import mended

REPAIRED_RATIO = 1.33
FLOOR = 1e-6


@dataclass(frozen=True)
class Outcome:
    """One diagnosis, counted.

    Attributes:
      case, kind, split, codes: the program.
      status: of the verdict, or "error".
      ranking: codes as named.
      strict, equivalent, top3, top3_equivalent: see above; what is equivalent includes what is strict.
      wall_s, multiple: cost in seconds and in T.
      promised: gain of the first cause that was mended and its interval, None without one.
      got: its gain on fresh rows and seeds, None where the fix could not be applied outside.
      repaired_ratio: score after the fix against the good program's.
    """

    case: str
    kind: str
    split: str
    codes: tuple[str, ...]
    status: str
    ranking: tuple[str, ...]
    strict: bool
    equivalent: bool
    top3: bool
    top3_equivalent: bool
    wall_s: float
    multiple: float
    promised: tuple[float, float, float] | None
    got: float | None
    repaired_ratio: float | None

    @property
    def holds(self) -> bool | None:
        """Whether the gain that was got lies in the promised interval."""
        if self.promised is None or self.got is None:
            return None
        return self.promised[1] <= self.got <= self.promised[2]


def count(record: dict[str, Any], run: dict[str, Any]) -> Outcome:
    """Counts one run of one program's result file."""
    codes = tuple(record["codes"])
    causes, suspected = run.get("causes", []), run.get("suspected", [])
    named = [cause["code"] for cause in causes]
    named += [item["code"] for item in sorted(suspected, key=lambda item: -(item.get("gain") or 0.0))]
    ranking = tuple(dict.fromkeys(named))
    listed = [code for cause in causes for code in (cause["code"], *cause["equivalents"])] + named[len(causes) :]
    faulty = record["kind"] != "healthy"
    named_some = faulty and bool(causes)
    strict = named_some and ranking[0] in codes
    after = run.get("after", {})
    fixed = after.get("all" if record["kind"] == "compound" and "all" in after else "first")
    ratio = None if not fixed else _mean(fixed["score"]) / max(record["good_score"], FLOOR)
    got = None
    if after.get("first"):
        before = after["before"]["as_given"] if after.get("before") else record["as_given"]
        got = 1 - _mean(after["first"]["as_given"]) / _mean(before)
    tried = mended(causes)
    promised = (tried[0]["gain"], *tried[0]["gain_interval"]) if tried else None
    repaired = named_some and ratio is not None and ratio <= REPAIRED_RATIO
    top3, behind = (named_some and set(codes) <= set(tuple(dict.fromkeys(order))[:3]) for order in (named, listed))
    return Outcome(
        case=record["case"],
        kind=record["kind"],
        split=record["split"],
        codes=codes,
        status=run.get("status", "error"),
        ranking=ranking,
        strict=strict,
        equivalent=strict or repaired,
        top3=top3,
        top3_equivalent=top3 or behind or repaired,
        wall_s=run["wall_s"],
        multiple=run["wall_s"] / max(run["plain_s"], 0.01),
        promised=promised,
        got=got,
        repaired_ratio=ratio,
    )


def _mean(scores: list[float]) -> float:
    return float(np.exp(np.mean(np.log(np.maximum(scores, FLOOR)))))
