"""A sample of `make kill`: a sweep that was killed twice, once while it wrote a checkpoint, ends as if left alone."""

from __future__ import annotations

from tests.kill.run import run


def test_a_killed_sweep_ends_as_if_left_alone(tmp_path, capsys):
    wrong = run(tmp_path, count=2, seed=3, writing_each=2, epochs=12)
    assert not wrong, wrong
    said = capsys.readouterr().out
    assert said.count("kill ") == 2
    assert "was written" in said
