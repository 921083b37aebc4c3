"""All that `aetfx validate` shows of a run directory: the page, the TensorBoard logs, the terminal, the refusal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from aetfx.report.lists import print_findings
from aetfx.report.plain import output, plain, say
from aetfx.report.validation_logs import write_logs
from aetfx.report.validation_page import write_page
from aetfx.run import read_json
from aetfx.validation.files import Anomaly, read_anomalies
from aetfx.words import listed

_MOST = 5  # anomalies printed, and causes named in a refusal


def write_views(directory: str | Path) -> None:
    """Writes `validation.html` and the TensorBoard logs into a run directory that `validate` wrote.

    Raises:
      RunError: a file cannot be read or written.
    """
    write_page(directory)
    write_logs(directory)


def print_validation(directory: str | Path, *, console: Console | None = None) -> None:
    """Prints the findings, what breaks the schema, and where to see more.

    Args:
      directory: holds `findings.json`.
      console: standard output by default.
    """
    console = output(console)
    directory = Path(directory)
    found = read_json(directory / "findings.json")
    print_findings(found, console=console)
    if found.get("left_out"):
        said = f"Left out, because they hold no numbers of one length: {_listed(found['left_out'])}."
        say(console, plain(said, "dim"))
    anomalies = read_anomalies(directory)
    if anomalies:
        console.print()
        console.print(Text("What breaks the schema", "bold"))
        for anomaly in anomalies[:_MOST]:
            where = f"{anomaly.feature}: " if anomaly.feature else ""
            say(console, plain(f"{where}{anomaly.description or anomaly.title}"), indent=4, mark="  - ")
        if len(anomalies) > _MOST:
            console.print(f"    and {len(anomalies) - _MOST} more")
    console.print()
    # Paths are not broken: they must survive copying.
    console.print(Text.assemble(("Page    ", "dim"), plain(directory / "validation.html")), soft_wrap=True)
    console.print(plain(f"tensorboard --logdir {directory / 'tensorboard'}"), soft_wrap=True)


def refusal(directory: str | Path) -> str | None:
    """Says why data should not be trained on; None where no finding and no anomaly is an error.

    Anomalies count as TFDV grades them, whether the schema was handed in or inferred from the train split.

    Args:
      directory: holds `findings.json`.
    """
    reasons = errors(directory)
    return (
        f"the data are refused (--strict): {reasons}. See {Path(directory) / 'validation.html'}." if reasons else None
    )


def errors(directory: str | Path) -> str:
    """Counts and names the findings and anomalies that are errors; "" where none is."""
    found = read_json(Path(directory) / "findings.json")
    codes = [str(item["code"]) for item in found["findings"] if item["severity"] == "error"]
    broken = [anomaly for anomaly in read_anomalies(Path(directory)) if anomaly.is_error]
    said = [f"{len(codes)} error-level finding{'s' * (len(codes) != 1)} ({_listed(codes)})"] if codes else []
    if broken:
        said.append(f"{len(broken)} schema anomal{'y' if len(broken) == 1 else 'ies'} ({_listed(map(_word, broken))})")
    return " and ".join(said)


def _word(anomaly: Anomaly) -> str:
    title = anomaly.title.rstrip(".").lower() or "anomaly"
    return f"'{anomaly.feature}': {title}" if anomaly.feature else title


def _listed(items: Iterable[str]) -> str:
    """Lists each item once."""
    return listed(list(dict.fromkeys(items)), _MOST)
