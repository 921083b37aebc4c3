"""The parts of the report page, top to bottom; a part without content is left out."""

from __future__ import annotations

from typing import Any

from aetfx import figures
from aetfx.figures import columns, words
from aetfx.figures.theme import percent, short
from aetfx.report.load import RunFiles
from aetfx.report.markup import Markup, tag
from aetfx.report.method import method
from aetfx.report.page import Page, code, grid, stack
from aetfx.report.tables import experiment_tables, findings_table


def build(files: RunFiles) -> Page:
    """Builds all parts of the page from the files of a run."""
    page = Page()
    diagnosis, samples = files.diagnosis, files.samples
    page.hero = _hero(page, diagnosis)
    _evidence(page, files)
    page.section(
        "rows",
        "Rows",
        "Rows and their reconstruction",
        _rows_lead(samples),
        grid(*(page.plot(f"rows_{kind}", figures.rows(samples, kind)) for kind in ("worst", "median", "best"))),
    )
    per_column = [figures.feature_maps(samples, side) for side in ("before", "after")]
    if not any(per_column):
        per_column = [figures.feature_scores(samples)]
    # Two figures side by side end at one height.
    height = max([340, *(made["layout"]["height"] for made in per_column if made)])
    page.section(
        "errors",
        "Errors",
        "Where the error sits",
        None,
        grid(
            *(page.plot(f"both{index}", made) for index, made in enumerate(per_column)),
            page.plot("errors", figures.error_distribution(samples, height)),
            wide=len(per_column) < 2,
        ),
    )
    page.section(
        "code",
        "Code",
        "Inside the code",
        "Held-out rows as the encoder sees them, along the two directions in which their codes vary most. "
        "One colour means the same error everywhere."
        if "latent_before" in samples
        else None,
        grid(
            *(page.plot(f"latent_{side}", figures.latent(samples, side)) for side in ("before", "after")),
            page.plot("code_curve", figures.code_curve(diagnosis)),
        ),
    )
    stages = ("raw", "fed_before", "fed_after")
    page.section(
        "data",
        "Data",
        "The data, before and after preprocessing",
        None,
        grid(*(page.plot(f"data_{stage}", figures.distributions(samples, stage)) for stage in stages)),
        findings_table(files.findings),
    )
    page.section("checked", "Checked", "What else was checked", None, experiment_tables(diagnosis))
    page.section("method", "Method", "How it was measured", None, method(files))
    return page


def _hero(page: Page, diagnosis: dict[str, Any]) -> Markup:
    state = words.status(diagnosis)
    causes = diagnosis.get("causes") or []
    before, after = words.before_after(diagnosis)
    model = diagnosis.get("model") or {}
    about = " · ".join(part for part in (words.data_line(diagnosis), str(model.get("widths") or "")) if part)
    scores = [_score(before, words.meaning(before, diagnosis), "was" if after is not None else "only")]
    if after is not None:
        scores += [
            tag("div", "→", class_="arrow", aria_hidden="true"),
            _score(after, words.meaning(after, diagnosis), "is"),
        ]
    lead: str | None = None
    if len(causes) == 1:
        lead = causes[0].get("meaning")
    elif not causes:
        lead = words.sensitivity(diagnosis) if state == "healthy" else words.next_step(diagnosis)
    told = words.statements(diagnosis)
    return tag(
        "div",
        tag(
            "div",
            tag("div", words.STATUS[state], about and tag("span", about, class_="quiet"), class_="chip"),
            tag("h1", words.verdict(diagnosis)),
            lead and tag("p", lead, class_="meaning"),
            tag("div", scores, class_="scores"),
            _changes(causes),
            tag("ul", [tag("li", sentence) for sentence in told], class_="say") if told else None,
        ),
        page.plot("ladder", figures.ladder(diagnosis)),
        class_=f"hero {state}",
    )


def _score(value: float | None, explained: str, role: str) -> Markup:
    return tag("div", tag("b", short(value)), tag("span", explained), class_=f"score {role}")


def _changes(causes: list[dict[str, Any]]) -> list[Markup]:
    """Returns the code to change, one block per cause."""
    made = []
    for index, cause in enumerate(causes):
        if not cause.get("keras"):
            continue
        label = "The change" if len(causes) == 1 else f"Change {index + 1}: {words.title(cause)}"
        made.append(tag("div", tag("div", label, class_="label"), code(cause["keras"]), class_="change"))
    return made


def _evidence(page: Page, files: RunFiles) -> None:
    diagnosis, histories = files.diagnosis, files.histories
    causes = [_cause(cause, index, diagnosis) for index, cause in enumerate(diagnosis.get("causes") or [])]
    gains = page.plot("gains", figures.gains(diagnosis))
    loss = page.plot("loss", figures.loss_curves(histories, diagnosis), fill=True)
    scores = page.plot("scores", figures.score_curves(histories, diagnosis), fill=True)
    more_rows = page.plot("learning_curve", figures.learning_curve(diagnosis))
    if causes:
        page.section(
            "evidence",
            "Evidence",
            "The evidence",
            None,
            grid(stack(causes, loss), stack(more_rows, gains, scores), wide=True),
        )
    else:
        page.section("evidence", "Evidence", "What was tried", None, gains, more_rows, grid(scores, loss, wide=True))


def _cause(cause: dict[str, Any], index: int, diagnosis: dict[str, Any]) -> Markup:
    several = len(diagnosis.get("causes") or []) > 1
    gain = f"−{percent(cause.get('gain'))}"
    between = words.interval(cause.get("gain_interval"))
    facts = [
        f"{short(cause.get('score_before'))} → {short(cause.get('score_after'))}",
        between and f"95 % interval {between}",
        cause.get("seeds") and f"{cause['seeds']} seeds",
    ]
    alike = [str(code_) for code_ in cause.get("equivalents") or []]
    study = cause.get("study") or {}
    return tag(
        "div",
        tag(
            "div",
            tag("h3", f"{index + 1}. " if several else "", words.title(cause)),
            tag("span", gain, class_="gain"),
            class_="head",
        ),
        tag("p", " · ".join(str(fact) for fact in facts if fact), class_="quiet small"),
        several and cause.get("meaning") and tag("p", cause["meaning"]),
        tag("ul", [tag("li", line) for line in cause.get("evidence") or []]) if cause.get("evidence") else None,
        cause.get("remedy") and tag("p", cause["remedy"]),
        tag("p", "As good: ", ", ".join(alike), class_="quiet small") if alike else None,
        tag("p", "In the study: ", *_settings(study), class_="quiet small") if study else None,
        tag("p", cause.get("code"), class_="tag"),
        class_="card cause",
    )


def _settings(study: dict[str, Any]) -> list[Any]:
    parts: list[Any] = []
    for key, value in study.items():
        parts += [", " if parts else "", tag("code", f"{key}: {value}")]
    return parts


def _rows_lead(samples: dict[str, Any]) -> str:
    if columns.picture_shape(samples):
        return "Below each picture: the error of that row before and after. 1 is no better than the mean picture."
    count = columns.names(samples, len(samples["names"])) if "names" in samples else []
    some = " The 40 columns with the worst score." if len(count) > 40 else ""
    return (
        "One cell per column, in standard deviations from its mean: blue is low, orange is high. "
        f"A dot marks the worst cells of a reconstruction; beside it stands the error of the row.{some}"
    )
