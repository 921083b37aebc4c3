"""aetfx.report.progress: the bar and the table of a sweep, as a terminal shows them."""

from __future__ import annotations

import io

from rich.console import Console

from aetfx.report.progress import _Bar, showing
from aetfx.training.progress import Board, Standing

STANDINGS = [
    Standing("baseline", 1.0, 0.31, "trained"),
    Standing("learning_rate=0.1", 0.2, None, "failed"),
    Standing("learning_rate=0.01", 1.0, 0.12, "trained"),
    Standing("bottleneck=4", 0.11, 0.5, "dropped"),
    Standing("bottleneck=8", 0.4),
    Standing("[red]bottleneck=16[/red]"),
]


def shown(height=30):
    from rich import progress

    console = Console(file=io.StringIO(), width=80, height=height, force_terminal=False)
    bar = _Bar(progress.Progress(progress.TextColumn("{task.description}"), console=console))
    bar.update("12 variants", 3.0, 12.0)
    bar.show(STANDINGS)
    console.print(bar)
    return console.file.getvalue().splitlines()


def test_what_trains_stands_first_then_what_is_best_then_what_waits():
    lines = [line.split() for line in shown()]
    assert lines[0] == ["12", "variants"]
    assert [line[0] for line in lines[1:]] == ["training", "trained", "trained", "waiting", "dropped", "failed"]
    assert [line[-1] for line in lines[1:4]] == ["bottleneck=8", "learning_rate=0.01", "baseline"]
    assert "0.120" in lines[2]


def test_names_are_text_and_no_markup():
    assert any("[red]bottleneck=16[/red]" in line for line in shown())


def test_a_low_terminal_says_how_many_more_there_are():
    lines = shown(height=7)
    assert len(lines) == 5
    assert "and 3 more" in lines[-1]


def test_only_a_terminal_has_a_board():
    with showing(lines=True) as progress:
        assert not isinstance(progress, Board)
    assert isinstance(_Bar.__new__(_Bar), Board)
