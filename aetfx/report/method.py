"""How a diagnosis was measured, as a card of facts."""

from __future__ import annotations

from typing import Any

from aetfx.figures import words
from aetfx.figures.theme import short
from aetfx.report.load import RunFiles
from aetfx.report.markup import Markup, tag
from aetfx.report.page import code

_EACH = "mean over the columns"
_POOLED = {"tensor": "pooled over all columns"}


def method(files: RunFiles) -> Markup:
    """Returns the card of facts behind the numbers: data, rows, model, training, score, cost, and the study."""
    diagnosis = files.diagnosis
    data, model = diagnosis.get("data") or {}, diagnosis.get("model") or {}
    baseline = diagnosis.get("baseline") or {}
    pieces: dict[str, list[Any]] = {
        "Data": [data.get("path"), words.data_line(diagnosis)],
        "Labels": [words.labels_line(diagnosis)],
        "Rows": [words.rows_line(diagnosis)],
        "Model": [
            model.get("widths"),
            model.get("output_activation") and f"output {model['output_activation']}",
            model.get("loss") and f"loss {model['loss']}",
        ],
        "Training": [
            model.get("optimizer"),
            model.get("learning_rate") is not None and f"learning rate {model['learning_rate']}",
            model.get("batch_size") and f"batch {model['batch_size']}",
            model.get("epochs") and f"{model['epochs']} epochs",
        ],
        "Score": [
            f"{words.metric(diagnosis)} unexplained, "
            + ("mean over the parts" if diagnosis.get("parts") else _POOLED.get(data.get("features"), _EACH)),
            "original units, held-out rows",
        ],
        "Baseline": [
            f"score {short(baseline.get('score'))}",
            words.interval(baseline.get("score_interval"), short),
            baseline.get("pca_score") is not None and f"PCA {short(baseline['pca_score'])}",
            words.sequence_line(diagnosis),
        ],
        "Parts": words.part_lines(diagnosis),
        "Cost": [words.cost_line(diagnosis), diagnosis.get("truncated") and "stopped by the budget"],
        "Sure how far": [words.sensitivity(diagnosis)],
    }
    facts = []
    for name, parts in pieces.items():
        said = ", ".join(str(part) for part in parts if part)
        if said:
            facts.append(tag("div", tag("dt", name), tag("dd", said)))
    study = tag("details", tag("summary", "The study as it ran"), code(files.study)) if files.study else None
    return tag("div", tag("dl", facts, class_="facts"), study, class_="card")
