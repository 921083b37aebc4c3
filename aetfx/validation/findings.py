"""A finding: one thing that is wrong with the data, what shows it, and what to do. And `findings.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 1

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


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
      remedy: what to change.
    """

    code: str
    feature: str | None
    split: str
    severity: Severity
    message: str
    evidence: dict[str, Any] = field(default_factory=dict)
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first; within a severity the order is kept."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def findings_json(findings: Sequence[Finding], rows: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The content of `findings.json`.

    Args:
      rows: per split the numbers of rows read, counted and quarantined.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "rows": {split: dict(counts) for split, counts in rows.items()},
        "findings": [finding.to_json() for finding in findings],
    }
