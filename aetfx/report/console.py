"""The terminal summary of a diagnosis: reads well at 80 columns, without colour, and in a pipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.text import Text

from aetfx.figures import words
from aetfx.figures.theme import percent, short
from aetfx.report.lists import print_comparison, print_families, print_findings
from aetfx.report.plain import output, plain, say
from aetfx.report.plan import print_plan

__all__ = ["about", "print_comparison", "print_diagnosis", "print_families", "print_findings", "print_plan"]

_STYLES = {"faulty": "bold red", "healthy": "bold green", "limited": "bold blue", "inconclusive": "bold yellow"}
_BAR = 30  # characters of a score of 1
_MOST = 6  # entries of a list before "and n more"


def print_diagnosis(diagnosis: dict[str, Any], run_directory: Path | None, *, console: Console | None = None) -> None:
    """Prints what is wrong, the evidence, the change to make, and the score before and after.

    Args:
      diagnosis: the content of `diagnosis.json`.
      run_directory: where the report and the TensorBoard logs are; None prints neither.
      console: for tests and other outputs; standard output otherwise.
    """
    console = output(console)
    state = words.status(diagnosis)
    causes = diagnosis.get("causes") or []
    console.print()
    say(console, Text.assemble((words.STATUS[state].upper(), _STYLES[state]), "  ", about(diagnosis)))
    say(console, plain(words.verdict(diagnosis), "bold"))
    console.print()
    console.print(_bars(diagnosis, console))
    for index in range(len(causes)):
        _cause(console, diagnosis, index)
    for sentence in words.statements(diagnosis):
        say(console, plain(sentence))
    if not causes:
        closing = words.sensitivity(diagnosis) if state in ("healthy", "limited") else words.next_step(diagnosis)
        if closing:
            say(console, plain(closing))
        console.print()
    _list(console, "Improvements", [_improvement(item) for item in diagnosis.get("improvements") or []])
    _list(console, "Suspected", [_suspect(item) for item in diagnosis.get("suspected") or []])
    _ruled_out(console, diagnosis)
    _facts(console, diagnosis, run_directory)


def about(diagnosis: dict[str, Any]) -> Text:
    """Returns the study, the data and the model in one line."""
    widths = (diagnosis.get("model") or {}).get("widths")
    parts = [diagnosis.get("study_name"), words.data_line(diagnosis), widths]
    return plain(" · ".join(str(part) for part in parts if part), "dim")


def _bars(diagnosis: dict[str, Any], console: Console) -> Group:
    """Draws the score as it is, after the change, and of PCA, as bars of characters."""
    before, after = words.before_after(diagnosis)
    pca = words.pca(diagnosis)
    lines: list[Text] = []
    fixed = "fixed" if words.mended(diagnosis.get("causes") or []) else "more rows"
    entries = [("Score", before, "red" if after is not None else "bold"), (fixed, after, "blue"), ("PCA", pca, "dim")]
    wide = max(6, *(len(name) for name, value, _ in entries if value is not None))
    full, empty = ("#", ".") if console.options.ascii_only else ("█", "░")
    for name, value, style in entries:
        if value is None:
            continue
        filled = min(_BAR, max(1, round(_BAR * value)))
        line = Text(f"  {name:<{wide}} {short(value):>7}  ")
        line.append(full * filled, style)
        line.append(empty * (_BAR - filled), "dim")
        if name != "PCA":
            line.append(f"  {words.meaning(value, diagnosis)}", "dim")
        lines.append(line)
    if lines:
        lines.append(Text(f"  {'':<{wide}} {'':>7}  0 = perfect{'1 = the mean':>{_BAR - 11}}", "dim"))
        lines.append(Text())
    return Group(*lines)


def _cause(console: Console, diagnosis: dict[str, Any], index: int) -> None:
    cause = diagnosis["causes"][index]
    number = f"{index + 1}. " if len(diagnosis["causes"]) > 1 else ""
    between = words.interval(cause.get("gain_interval"))
    detail = ", ".join(
        part
        for part in (
            f"95 % interval {between}" if between else "",
            f"{cause['seeds']} seeds" if cause.get("seeds") else "",
            "supported, not verified" if cause.get("verdict") == "supported" else "",
        )
        if part
    )
    say(
        console,
        Text.assemble((number, "bold"), plain(words.title(cause), "bold"), "  ", plain(cause.get("code") or "", "dim")),
    )
    if cause.get("meaning"):
        say(console, plain(cause["meaning"]), indent=2)
    for line in cause.get("evidence") or []:
        say(console, plain(line), indent=4, mark="  - ")
    gain = f"{short(cause.get('score_before'))} → {short(cause.get('score_after'))}: {percent(cause.get('gain'))} less"
    if console.options.ascii_only:
        gain = gain.replace("→", "->")
    how = "Foreseen" if words.is_foreseen(diagnosis, cause) else "Measured"
    say(console, Text.assemble(f"{how} ", (gain, "bold"), (f" ({detail})" if detail else "", "dim")), indent=2)
    if cause.get("equivalents"):
        say(console, plain("As good: " + ", ".join(map(str, cause["equivalents"])), "dim"), indent=2)
    if cause.get("remedy"):
        say(console, plain(cause["remedy"]), indent=2)
    if cause.get("keras"):
        console.print()
        for line in str(cause["keras"]).strip("\n").splitlines():
            # Code is not wrapped: it must survive copying.
            console.print(Text("      ") + plain(line, "cyan"), soft_wrap=True)
    if cause.get("study"):
        console.print()
        settings = ", ".join(f"{key}: {value}" for key, value in cause["study"].items())
        say(console, plain(f"In the study: {settings}", "dim"), indent=2)
    console.print()


def _improvement(item: dict[str, Any]) -> Text:
    between = words.interval(item.get("gain_interval"))
    return Text.assemble(
        plain(words.title(item)),
        f": {percent(item.get('gain'))}" + (f" ({between})" if between else ""),
        plain(f"  {item['remedy']}" if item.get("remedy") else "", "dim"),
    )


def _suspect(item: dict[str, Any]) -> Text:
    gain = f" (gain {percent(item['gain'])}, not proved)" if item.get("gain") is not None else ""
    evidence = " ".join(str(line) for line in item.get("evidence") or [])
    return Text.assemble(plain(words.title(item)), gain, plain(f"  {evidence}", "dim"))


def _list(console: Console, title: str, entries: list[Text]) -> None:
    if not entries:
        return
    console.print(Text(title, "bold"))
    for entry in entries[:_MOST]:
        say(console, entry, indent=4, mark="  - ")
    if len(entries) > _MOST:
        console.print(f"  and {len(entries) - _MOST} more")
    console.print()


def _ruled_out(console: Console, diagnosis: dict[str, Any]) -> None:
    """Prints what was tried without gain, what nothing speaks for, and what the budget left open."""
    groups: dict[str, list[str]] = {"by experiment: ": [], "no sign of: ": [], "no budget left for: ": []}
    for item in diagnosis.get("ruled_out") or []:
        if item.get("gain") is not None:
            groups["by experiment: "].append(f"{words.title(item)} ({percent(item['gain'])})")
        elif "budget" in str(item.get("reason")):
            groups["no budget left for: "].append(words.title(item))
        else:
            groups["no sign of: "].append(words.title(item))
    if not any(groups.values()):
        return
    console.print(Text("Ruled out", "bold"))
    for label, names in groups.items():
        if names:
            say(console, Text.assemble((label, "dim"), plain(", ".join(names) + ".")), indent=2)
    console.print()


def _facts(console: Console, diagnosis: dict[str, Any], run_directory: Path | None) -> None:
    pairs = [("Rows", words.rows_line(diagnosis)), ("Cost", words.cost_line(diagnosis))]
    if words.part_lines(diagnosis):
        pairs.insert(0, ("Parts", "; ".join(words.part_lines(diagnosis))))
    if words.sequence_line(diagnosis):
        pairs.insert(0, ("Beside", words.sequence_line(diagnosis)))
    if diagnosis.get("causes") and words.sensitivity(diagnosis):
        pairs.append(("Limit", str(words.sensitivity(diagnosis))))
    pairs.append(("Labels", words.labels_line(diagnosis)))
    if run_directory is not None:
        fixed = (diagnosis.get("fixed") or {}).get("path")
        if fixed:
            pairs.append(("Fixed", str(Path(run_directory) / fixed)))
        pairs.append(("Report", str(Path(run_directory) / "report.html")))
    for name, value in pairs:
        if value:
            if name in ("Report", "Fixed"):  # paths are not broken: they must survive copying
                console.print(Text.assemble((f"{name:<8}", "dim"), plain(value)), soft_wrap=True)
            else:
                say(console, plain(value), indent=8, mark=Text(f"{name:<8}", "dim"))
    if run_directory is not None:
        console.print(plain(f"tensorboard --logdir {Path(run_directory) / 'tensorboard'}"), soft_wrap=True)
