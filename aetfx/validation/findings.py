"""A finding: one thing that is wrong with the data, what shows it, and what to do. And `findings.json`.

The format of `findings.json` is public: `findings.schema.json` beside this file describes it, `schema` returns it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any, Literal

SCHEMA_VERSION = 1

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")

# A setting of a study inside a sentence: `preprocessing.missing: mean`, `preprocessing: {outliers: clip}`.
_SETTING = re.compile(
    r"\b((?:data|preprocessing|model|training)(?:\.[a-z_]+)*): (\{[^{}]*\}|\[[^][]*\]|[\w+-]+(?:\.\d[\w+-]*)?)"
)


@dataclass(frozen=True)
class Finding:
    """One thing wrong with the data.

    Attributes:
      code: a cause code, or one with a finer word behind it (data.missing.sentinel).
      feature: the column concerned; None where several columns share the finding (then `evidence` lists them).
      split: "train" or "eval".
      severity: error (an autoencoder will fail on it), warning (it may), info (worth knowing).
      message: one sentence for a person.
      evidence: figures behind the message; plain values and lists only.
      remedy: what to change. Settings in it, written as `section.key: value`, are found by `study`.
    """

    code: str
    feature: str | None
    split: str
    severity: Severity
    message: str
    evidence: dict[str, Any] = field(default_factory=dict)
    remedy: str = ""

    @property
    def study(self) -> list[dict[str, Any]]:
        """The remedy as parts of a study: alternatives, any one of which will do; empty where it is no setting."""
        return settings(self.remedy)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"study": self.study}


def settings(remedy: str) -> list[dict[str, Any]]:
    """Finds the settings of a study that a sentence names.

    Args:
      remedy: settings stand in it as `section.key: value` or `section: {key: value, ...}`; " or " parts alternatives.

    Returns:
      One nested dictionary per alternative.

    >>> settings("Clip them: preprocessing: {outliers: clip, scaling: robust}; or training.loss: huber.")
    [{'preprocessing': {'outliers': 'clip', 'scaling': 'robust'}}, {'training': {'loss': 'huber'}}]
    >>> settings("Impute them: preprocessing.missing: mean."), settings("Check the value.")
    ([{'preprocessing': {'missing': 'mean'}}], [])
    """
    import yaml

    found: list[dict[str, Any]] = []
    for alternative in re.split(r"\bor\b", remedy):
        part: dict[str, Any] = {}
        for path, value in _SETTING.findall(alternative):
            section, *keys = path.split(".")
            try:
                inner = yaml.safe_load(value)
            except yaml.YAMLError:
                continue
            for key in reversed(keys):
                inner = {key: inner}
            if isinstance(inner, dict):
                part[section] = {**part.get(section, {}), **inner}
        if part:
            found.append(part)
    return found


def rank(severity: Any) -> int:
    """The place of a severity among `SEVERITIES`, worst first; one that is not known counts as the mildest."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first; within a severity the order is kept."""
    return sorted(findings, key=lambda finding: rank(finding.severity))


def findings_json(
    findings: Sequence[Finding], rows: Mapping[str, Mapping[str, int]], left_out: Sequence[str] = ()
) -> dict[str, Any]:
    """The content of `findings.json`.

    Args:
      rows: per split the numbers of rows read, counted and quarantined.
      left_out: columns that no model is trained on, because they hold no numbers; the key is there where there are any.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "rows": {split: dict(counts) for split, counts in rows.items()},
        "findings": [finding.to_json() for finding in findings],
        **({"left_out": list(left_out)} if left_out else {}),
    }


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `findings.json`. Later versions may add fields; none is renamed."""
    return json.loads(resources.files("aetfx.validation").joinpath("findings.schema.json").read_text(encoding="utf-8"))
