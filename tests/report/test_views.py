"""Tests of the terminal and notebook views of a diagnosis, and of the words that all views share."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from rich.console import Console

from aetfx.figures import words
from aetfx.report.console import print_comparison, print_diagnosis, print_families, print_findings
from aetfx.report.load import load
from aetfx.report.markup import json_block, tag
from aetfx.report.notebook import to_html, to_text
from tests.report.runs import HOSTILE, make_run

KINDS = ("table", "image", "two_causes", "healthy", "limited", "inconclusive", "hostile", "bare")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {kind: load(make_run(folder / kind, kind)) for kind in KINDS}


def printed(function, *arguments, encoding="utf-8"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict" if encoding == "utf-8" else "replace")
    function(*arguments, console=Console(file=stream, width=80, highlight=False))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("kind", KINDS)
def test_the_terminal_view_fits_80_columns_without_colour_or_trailing_spaces(runs, kind):
    files = runs[kind]
    text = printed(print_diagnosis, files.diagnosis, files.directory)
    assert "\x1b" not in text
    assert text.rstrip().splitlines()[-1] == f"tensorboard --logdir {files.directory / 'tensorboard'}"
    whole = {"Report", "Fixed", "tensorboard"}  # paths and code are not broken
    for line in text.splitlines():
        assert line == line.rstrip()
        code = kind == "hostile" or line.startswith("      ")
        assert len(line) <= 80 or code or line.split()[0] in whole, line


def test_the_terminal_view_says_what_to_change_and_what_it_brings(runs):
    text = printed(print_diagnosis, runs["table"].diagnosis, runs["table"].directory)
    cause = runs["table"].diagnosis["causes"][0]
    for words_ in ("CAUSE FOUND", "data.scaling", "norm.adapt(x_train)", "88 % less", "More epochs", "Ruled out"):
        assert words_ in text
    assert f"{cause['score_before']:.2f} → {cause['score_after']:.3f}" in text
    assert str(runs["table"].directory / "report.html") in text


def test_without_a_run_directory_no_path_is_printed(runs):
    text = printed(print_diagnosis, runs["table"].diagnosis, None)
    assert "tensorboard" not in text
    assert "report.html" not in text


def test_an_ascii_terminal_gets_ascii_bars(runs):
    text = printed(print_diagnosis, runs["table"].diagnosis, None, encoding="ascii")
    assert "####" in text
    assert "0.63 -> 0.074" in text


def test_findings_are_grouped_and_rows_accounted_for(runs):
    text = printed(print_findings, runs["table"].findings)
    assert text.count("data.scaling") == 1
    assert "worst area" in text
    assert "2 quarantined" in text
    assert "No findings" in printed(print_findings, {"findings": [], "rows": {}})


def test_the_leaderboard_is_sorted_by_score():
    rows = [
        {"name": "baseline", "score": 0.63, "interval": [0.6, 0.66], "seeds": 3, "seconds": 12},
        {"name": "mean", "score": 1.0, "kind": "reference"},
        {"name": "bottleneck=16", "score": 0.05, "interval": [0.04, 0.06], "seeds": 3, "seconds": 75,
         "gain": 0.92, "gain_interval": [0.9, 0.94]},
        {"name": "epochs=12", "score": 0.6, "seeds": 3, "gain": 0.05, "gain_interval": [-0.1, 0.2]},
        {"name": "diverged", "score": None, "failed": "its loss became NaN"},
        {"name": "bottleneck=2", "score": None, "dropped_at": 3},
    ]  # fmt: skip
    text = printed(print_comparison, rows)
    places = [text.index(name) for name in ("bottleneck=16", "baseline", "mean", "diverged")]
    assert places == sorted(places)
    assert "1 min 15 s" in text
    assert "92 %" in text
    assert "~ 5 %" in text, "its interval holds 0"
    assert "Dropped early: bottleneck=2 (epoch 3)." in text
    assert "Failed: diverged: its loss became NaN" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "Gain" not in printed(print_comparison, rows[:2])


def test_families_are_listed_with_what_suits_the_rows():
    from aetfx.models.families import catalogue

    everything = printed(print_families, {"shape": None, "families": catalogue(None)})
    assert "free_bits" in everything
    assert "auto" not in everything
    suiting = printed(print_families, {"shape": [8, 8], "families": catalogue((8, 8))})
    assert "One row: 8 x 8." in suiting
    assert suiting.count("< auto") == 1
    flat = printed(print_families, {"shape": [5], "families": catalogue((5,))})
    assert "conv takes images, (height, width) or (height, width, channels)." in flat


class Elements(HTMLParser):
    """Collects the elements of a piece of HTML."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_notebook_view_is_small_and_has_no_scripts(runs, kind):
    html = to_html(runs[kind].diagnosis, runs[kind].samples)
    elements = Elements(html).found
    assert len(html) < 100_000
    assert "script" not in {name for name, _ in elements}
    assert all(attrs["src"].startswith("data:image/png") for name, attrs in elements if name == "img")
    assert not any(key.startswith("on") for _, attrs in elements for key in attrs)
    assert to_html(runs[kind].diagnosis, None)


def test_the_text_view_names_cause_gain_and_remedy(runs):
    text = to_text(runs["table"].diagnosis)
    assert text.startswith("Diagnosis: cause found (score 0.63 -> 0.074)")
    assert "data.scaling: gain 88 %" in text
    assert "\x1b" not in to_text(runs["hostile"].diagnosis)


@pytest.mark.parametrize("kind", KINDS)
def test_each_status_has_a_sentence(runs, kind):
    sentence = words.verdict(runs[kind].diagnosis)
    assert sentence.endswith(".")
    assert (words.next_step(runs[kind].diagnosis) is not None) == (kind == "inconclusive")


def test_scores_are_put_into_words():
    assert words.meaning(0.71, {}) == "71 % of the variance is lost"
    assert words.meaning(0.3, {"score_metric": "deviance"}) == "30 % of the deviance is lost"
    assert words.meaning(1.0, {}) == "no better than predicting the mean"
    assert words.meaning(4.0, {}) == "far worse than predicting the mean"


def test_markup_escapes_children_attributes_and_json():
    assert "<script>" not in tag("p", HOSTILE, title=HOSTILE)
    block = json_block({"name": "</script><script>alert(1)</script>"}, id="x")
    assert block.count("</script>") == 1
    assert json.loads(block.split(">", 1)[1].rsplit("<", 1)[0])["name"].startswith("</script>")


def test_the_report_needs_no_slow_import(runs):
    program = (
        "import sys; from pathlib import Path; from aetfx.report.html import write_report;"
        f"write_report(Path({str(runs['table'].directory)!r}));"
        "print([m for m in ('tensorflow', 'pandas', 'plotly', 'apache_beam', 'aetfx.diagnosis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
