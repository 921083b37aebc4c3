"""The sentences and numbers that every view of a diagnosis shares: terminal, HTML and notebook say the same."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from aetfx.figures.theme import percent, short

STATUS = {
    "faulty": "Cause found",
    "healthy": "Healthy",
    "limited": "Limited by the code",
    "inconclusive": "Not settled",
}

NOTES = {
    "no_bottleneck": "The code is as wide as the data: the model can copy its input and need not learn anything.",
    "accuracy_metric": "Accuracy counts how often the largest value of a row is predicted to be the largest. It says "
    "nothing about a reconstruction; watch the loss, or the score above.",
    "backwards": "The targets are the inputs from their end, as recurrent decoders may be asked. Turn round what comes "
    "out before you compare it with what went in; if that is not what you meant, ask the inputs themselves back.",
    "skip_connections": "Skip connections carry the rows past the narrowest layer: its width is no bottleneck, and the "
    "score says little about what that layer keeps.",
}


def status(diagnosis: dict[str, Any]) -> str:
    """Returns the status: `faulty`, `healthy`, `limited` or `inconclusive`."""
    found = str(diagnosis.get("status") or ("healthy" if diagnosis.get("healthy") else "inconclusive"))
    return found if found in STATUS else "inconclusive"


def title(item: dict[str, Any]) -> str:
    """Returns what a cause is called."""
    return str(item.get("title") or item.get("code") or "?")


def before_after(diagnosis: dict[str, Any]) -> tuple[float | None, float | None]:
    """Returns the score as it is and, where causes were verified, the score with all their fixes.

    Both come from the paired measurement on the confirm rows where there is one.
    """
    causes = diagnosis.get("causes") or []
    baseline = (diagnosis.get("baseline") or {}).get("score")
    if not causes:
        return baseline, None
    before = causes[0].get("score_before")
    proved = mended(causes) or causes
    return (baseline if before is None else before), proved[-1].get("score_after")


def mended(causes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the causes whose fix was tried: what more rows would give is not in the repaired model."""
    return [cause for cause in causes if cause.get("verdict") != "supported"]


def more_rows(diagnosis: dict[str, Any], cause: dict[str, Any]) -> str:
    """Says of how many times the rows the gain of a cause is told that only more rows would mend."""
    before, after = _point(diagnosis, cause, "score_before"), _point(diagnosis, cause, "score_after")
    return "four times" if before and after and after["rows"] >= 3 * before["rows"] > 0 else "twice"


def is_foreseen(diagnosis: dict[str, Any], cause: dict[str, Any]) -> bool:
    """Whether no model was trained on as many rows as the gain is told of; else eval rows stood in for them."""
    after = _point(diagnosis, cause, "score_after")
    return cause.get("verdict") == "supported" and not (after and after.get("measured"))


def _point(diagnosis: dict[str, Any], cause: dict[str, Any], side: str) -> dict[str, Any] | None:
    """Returns the point of the learning curve that a score of a cause was read off."""
    points, score = diagnosis.get("learning_curve") or [], cause.get(side)
    return min(points, key=lambda point: abs(point["score"] - score)) if points and score else None


def verdict(diagnosis: dict[str, Any]) -> str:
    """Says the result in one sentence."""
    causes = diagnosis.get("causes") or []
    state = status(diagnosis)
    if state == "faulty" and causes:
        before, after = before_after(diagnosis)
        total = 1 - after / before if before and after is not None else causes[0].get("gain")
        names = [title(causes[0]), *(_lower(title(cause)) for cause in causes[1:])]
        if causes[0].get("verdict") == "supported":
            times, gain = more_rows(diagnosis, causes[0]), percent(causes[0].get("gain"))
            beside = f" Without them: {', then '.join(names[1:])}, {percent(total)}." if names[1:] else ""
            return f"{names[0]}: {times} as many would remove about {gain} of the error.{beside}"
        more = ""
        if causes[-1].get("verdict") == "supported":
            names, more = names[:-1], f" Still {names[-1]}."
        if len(names) == 1:
            return f"{names[0]}: one change removes {percent(total)} of the error.{more}"
        listed = ", then ".join(names) if len(names) < 3 else ", ".join(names[:-1]) + " and " + names[-1]
        return f"{listed}: {_COUNT.get(len(names), len(names))} changes remove {percent(total)} of the error.{more}"
    if state == "healthy":
        return "This autoencoder is healthy: no single change was found that matters."
    if state == "limited":
        return "No fault: the width of the code and the data themselves set this score."
    suspects = len(diagnosis.get("suspected") or [])
    if diagnosis.get("truncated"):
        return "It was ended before a cause could be proved."
    if suspects:
        if suspects == 1:
            return f"One suspect, not proved: {_lower(title(diagnosis['suspected'][0]))}."
        return f"{str(_COUNT.get(suspects, suspects)).capitalize()} suspects, none of them proved."
    return "The score is bad, and no single change explains it."


_COUNT = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}


def next_step(diagnosis: dict[str, Any]) -> str | None:
    """Says what to do about a diagnosis that settled nothing."""
    if status(diagnosis) != "inconclusive":
        return None
    if diagnosis.get("next"):
        return str(diagnosis["next"])
    if diagnosis.get("suspected"):
        return "More held-out rows, or a higher diagnosis.budget, would prove or clear the suspects."
    return "Try another architecture, or change two things at once: everything that was tried alone is listed below."


def pca(diagnosis: dict[str, Any]) -> float | None:
    """Returns PCA's score on the rows as the shown model gets them: the repaired one's, where there is one."""
    of = "fixed" if diagnosis.get("fixed") else "baseline"
    score = (diagnosis.get(of) or {}).get("pca_score")
    return float(score) if score is not None else None


def sequence_line(diagnosis: dict[str, Any]) -> str:
    """Says what repeating one value of each sequence scores; empty where rows are no sequences."""
    found = diagnosis.get("baseline") or {}
    last, mean = found.get("last_value_score"), found.get("mean_sequence_score")
    if last is None or mean is None:
        return ""
    return f"repeating each sequence's last value scores {short(last)}, its mean {short(mean)}"


def part_lines(diagnosis: dict[str, Any]) -> list[str]:
    """Says what each part of the rows scores, for models with several inputs."""
    said = []
    for part in diagnosis.get("parts") or []:
        if not part.get("scored"):
            said.append(f"{part['name']}: given, not scored")
        elif part.get("score") is not None:
            after = f", fixed {short(part['score_after'])}" if part.get("score_after") is not None else ""
            said.append(f"{part['name']}: {short(part['score'])}{after}")
    return said


def metric(diagnosis: dict[str, Any]) -> str:
    """Names what a score is a share of."""
    return "deviance" if diagnosis.get("score_metric") == "deviance" else "variance"


def meaning(score: float | None, diagnosis: dict[str, Any]) -> str:
    """Says in a few words what a score means."""
    if score is None:
        return "not measured"
    if score >= 3.99:
        return "far worse than predicting the mean"
    if score > 1.02:
        return "worse than predicting the mean"
    if score >= 0.95:
        return "no better than predicting the mean"
    return f"{percent(score)} of the {metric(diagnosis)} is lost"


def interval(bounds: Any, form: Any = percent) -> str:
    """Words an interval as "low to high"; empty where there is none."""
    if not bounds or bounds[0] is None or bounds[1] is None:
        return ""
    return f"{form(bounds[0])} to {form(bounds[1])}"


def duration(seconds: float | None) -> str:
    """Words a time span.

    >>> duration(4.2), duration(75), duration(4000), duration(None)
    ('4.2 s', '1 min 15 s', '1 h 6 min', '?')
    """
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def sensitivity(diagnosis: dict[str, Any]) -> str | None:
    """Says what a clean bill of health could have missed."""
    found = diagnosis.get("sensitivity") or {}
    if found.get("sentence"):
        return str(found["sentence"])
    if found.get("detectable_gain") is not None:
        return f"A fault worth {percent(found['detectable_gain'])} or more would have been found with 80 % power."
    return None


def statements(diagnosis: dict[str, Any]) -> list[str]:
    """Returns the plain sentences of a diagnosis: its own, then those of its notes."""
    said = [str(sentence) for sentence in diagnosis.get("statements") or []]
    # Notes that carry figures of their own are among the statements.
    return said + [NOTES[note] for note in diagnosis.get("notes") or [] if note in NOTES]


def data_line(diagnosis: dict[str, Any]) -> str:
    """Words the data: rows, columns and shape."""
    data = diagnosis.get("data") or {}
    parts = []
    if data.get("rows_read") is not None:
        parts.append(f"{int(data['rows_read']):,} rows")
    shape = data.get("shape") or []
    if len(shape) > 1:
        parts.append(" × ".join(str(size) for size in shape))
    elif data.get("columns") is not None:
        columns = data["columns"]
        count = len(columns) if isinstance(columns, list) else columns
        parts.append(f"{count:,} columns" if isinstance(count, int) else str(count))
    return " × ".join(parts) if len(shape) <= 1 else ", ".join(parts)


def rows_line(diagnosis: dict[str, Any]) -> str:
    """Words which rows were used for what."""
    rows = diagnosis.get("rows") or {}
    words = {"train": "to train", "select": "to choose", "confirm": "to confirm"}
    return ", ".join(f"{rows[key]:,} {word}" for key, word in words.items() if rows.get(key) is not None)


def labels_line(diagnosis: dict[str, Any]) -> str:
    """Words the effect of the fix on the user's labels, empty where none were given."""
    labels = diagnosis.get("labels") or {}
    what = {
        "probe": "balanced accuracy of a linear probe of the codes",
        "anomaly_auc": "AUC of anomalies found by their error",
    }.get(str(labels.get("kind")))
    if what is None or labels.get("before") is None:
        return ""
    after = labels.get("after")
    return f"{what}: {labels['before']:.3f}" + (f" before, {after:.3f} after the fix" if after is not None else "")


def cost_line(diagnosis: dict[str, Any]) -> str:
    """Words what the diagnosis cost."""
    cost = diagnosis.get("cost") or {}
    parts = []
    if diagnosis.get("trials"):
        parts.append(f"{diagnosis['trials']} trainings")
    if cost.get("seconds") is not None:
        parts.append(duration(cost["seconds"]))
    if cost.get("training_multiple") is not None:
        parts.append(f"{cost['training_multiple']:.1f} × one training")
    return ", ".join(parts)


def findings_rows(findings: dict[str, Any]) -> str:
    """Says how many rows were read and that none was lost."""
    said = []
    for split, count in (findings.get("rows") or {}).items():
        read, kept, bad = (count.get(key) or 0 for key in ("read", "counted", "quarantined"))
        said.append(f"{split}: {read:,} rows read, {kept:,} used" + (f", {bad:,} quarantined" if bad else ""))
    return "; ".join(said) + ("." if said else "")


def row_place(row: dict[str, Any]) -> str:
    """Says where a row stands.

    >>> row_place({"file": "data/a.csv", "position": 21}), row_place({"file": "faces/7.png", "position": None})
    ('a.csv:21', '7.png')
    """
    name = PurePath(str(row.get("file"))).name
    return name if row.get("position") is None else f"{name}:{row['position']}"


def _lower(words: str) -> str:
    """Lowers the first letter unless the word is an acronym: "MSE on ..." stays."""
    return words if len(words) > 1 and words[1].isupper() else words[:1].lower() + words[1:]
