"""Whether a study reconstructs worse than it once did: what `pytest --aetfx` asks.

A *reference* is the score of each seed, kept in `<study>.aetfx.json` beside the study and meant for version control:

    {"schema_version": 1, "study": "wdbc", "score_metric": "fvu", "scores": {"0": 0.21, "1": 0.22, "2": 0.20},
     "rows": "<hash>", "configuration": "<hash>", "versions": {"tensorflow": "2.16.2", ...}}

The same seeds are trained again and compared on the logarithm, with the between-seed variance pooled over both sides
(`aetfx.evaluation.paired`). Worse means at least 10 % more error, with an interval that leaves no doubt about the sign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aetfx.comparison.request import open_request
from aetfx.comparison.session import open_lab, prepare_model
from aetfx.errors import RunError
from aetfx.evaluation.paired import Gain, gain_over_seeds, pooled_log_variance
from aetfx.run import Run, read_json, versions, write_json
from aetfx.study import Study
from aetfx.words import percent

_SCHEMA_VERSION = 1
SEEDS = 3
WORSE = -0.10  # a gain of this or below fails: healthy changes of a pipeline stay within 10 %
_LEVEL = 0.05  # one-sided, of the interval that must lie below 0


@dataclass(frozen=True)
class Measured:
    """Scores of one study.

    Attributes:
      metric: "fvu" or "deviance".
      scores: by seed, on all held-out rows.
      rows: hash of train and held-out rows.
      configuration: identity of the recipe.
      versions: of the packages that a score depends on.
    """

    study: str
    metric: str
    scores: Mapping[int, float]
    rows: str
    configuration: str
    versions: Mapping[str, str]

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.scores.values())))

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": _SCHEMA_VERSION,
            "study": self.study,
            "score_metric": self.metric,
            "scores": {str(seed): score for seed, score in self.scores.items()},
            "rows": self.rows,
            "configuration": self.configuration,
            "versions": dict(self.versions),
        }


@dataclass(frozen=True)
class Judgement:
    """What came of the comparison.

    Attributes:
      ok: False where the reconstruction got worse.
      line: the result in one line.
      details: more lines, for a failure.
    """

    ok: bool
    line: str
    details: tuple[str, ...] = ()


def reference_path(study: Path) -> Path:
    """Returns where the reference of a study is kept.

    >>> reference_path(Path("studies/wdbc.yaml")).as_posix()
    'studies/wdbc.aetfx.json'
    """
    return study.with_suffix(".aetfx.json")


def read_reference(study: Path) -> Measured | None:
    """Reads the reference of a study, None where there is none.

    Raises:
      RunError: the file is damaged.
    """
    path = reference_path(study)
    if not path.exists():
        return None
    content = read_json(path)
    try:
        return Measured(
            study=content["study"],
            metric=content["score_metric"],
            scores={int(seed): float(score) for seed, score in content["scores"].items()},
            rows=content["rows"],
            configuration=content["configuration"],
            versions=content["versions"],
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RunError(f"{path}: not a reference of aetfx. Write it anew with pytest --aetfx-update.") from None


def write_reference(study: Path, measured: Measured) -> Path:
    """Writes the reference of a study."""
    path = reference_path(study)
    write_json(path, measured.to_json())
    return path


def measure(study: Study, directory: Path, seeds: Sequence[int] | None = None) -> Measured:
    """Trains a study's baseline with several seeds and scores each on the held-out rows.

    Args:
      study: checked; its `compare` is left out.
      directory: an empty run directory.
      seeds: `SEEDS` of them from the study's own on, by default. Rows are split by the study's own seed.

    Raises:
      AetfxError: the data or the model cannot be used.
    """
    request = open_request(study).loaded().placed(directory)
    prepared = prepare_model(request, None)
    with Run(directory):
        session = open_lab(request, directory, prepared, None)
        lab, recipe = session.lab, session.baseline
        chosen = list(seeds) if seeds else [lab.seed + i for i in range(SEEDS)]
        scores = {seed: lab.score(lab.trial(recipe, seed=seed), "held_out").value for seed in chosen}
        split = lab.split()
        digest = hashlib.blake2b(digest_size=8)
        for rows in (split.train, split.select, split.confirm):
            digest.update(np.ascontiguousarray(rows).tobytes())
        return Measured(
            study=study.name,
            metric=lab.scorer().metric,
            scores=scores,
            rows=digest.hexdigest(),
            configuration=recipe.identity,
            versions=versions(),
        )


def judge(now: Measured, reference: Measured | None, target: float) -> Judgement:
    """Compares with the reference, or with the target score where there is none.

    Args:
      now: of this code and these data.
      reference: of the same seeds.
      target: score that counts as good.
    """
    if reference is None:
        ok = now.mean <= target
        word = "at most" if ok else "above"
        line = f"score {now.mean:.4g}, {word} the target of {target:g} (no reference is kept)"
        return Judgement(ok, line, (f"score      {_listed(now)}", f"target     {target:g}"))
    if now.metric != reference.metric:
        return Judgement(
            False,
            f"the score is {now.metric} now and was {reference.metric}: the rows are of another kind",
            (f"score      {_listed(now)}", f"reference  {_listed(reference)}", *_changes(now, reference)),
        )
    gain = _gain(now, reference)
    ok = not (gain.gain <= WORSE and gain.lower_at(1 - _LEVEL) < 0)
    low, high = gain.interval
    change = f"{percent(abs(gain.gain))} {'less' if gain.gain >= 0 else 'more'} error"
    line = f"score {now.mean:.4g}, reference {reference.mean:.4g}: {change}"
    return Judgement(
        ok,
        line,
        (
            f"score      {_listed(now)}",
            f"reference  {_listed(reference)}",
            (
                f"gain       {percent(gain.gain)}, 95 % interval {percent(low)} to {percent(high)}; fails from "
                f"{percent(WORSE)} on where chance is ruled out"
            ),
            *_changes(now, reference),
        ),
    )


def _gain(now: Measured, reference: Measured) -> Gain:
    seeds = sorted(set(now.scores) & set(reference.scores))
    before, after = [reference.scores[s] for s in seeds], [now.scores[s] for s in seeds]
    return gain_over_seeds(before, after, pooled=pooled_log_variance([before, after]))


def _listed(measured: Measured) -> str:
    each = ", ".join(f"{score:.4g}" for score in measured.scores.values())
    seeds = ", ".join(map(str, measured.scores))
    return f"{measured.mean:.4g}  (seeds {seeds}: {each})"


def _changes(now: Measured, reference: Measured) -> list[str]:
    """Says what else is not as it was when the reference was written."""
    found = []
    if now.rows != reference.rows:
        found.append("the rows")
    if now.configuration != reference.configuration:
        found.append("the model or its training")
    names = sorted(set(now.versions) | set(reference.versions))
    for name in names:
        old, new = reference.versions.get(name, "none"), now.versions.get(name, "none")
        if old != new:
            found.append(f"{name} {old} -> {new}")
    return [f"changed    {', '.join(found)}"] if found else []
