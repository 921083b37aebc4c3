"""Kills a sweep again and again: `python -m tests.kill.run --seed 0 --count 30`.

A sweep of dense and variational autoencoders writes a checkpoint after each epoch. It is killed (SIGKILL, the whole
process group) at random moments and begun anew in the same folder until it ends; every third kill waits for a
checkpoint that is just being written. Each folder that ends must hold the same `evaluation.parquet` as a sweep that
was left alone. Prints one line per kill, and exits 1 where a table differs or a rerun fails.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

_POLL_SECONDS = 0.0005
_WRITING = "configurations/**/.*.checkpoint"  # a file that is being written has a dot before its name


def write_study(folder: Path, *, epochs: int = 40) -> Path:
    """Writes rows and a study of two families and two learning rates, two seeds each."""
    rng = np.random.default_rng(0)
    rows = np.tanh(rng.normal(size=(1500, 3)) @ rng.normal(size=(3, 24))) + 0.1 * rng.normal(size=(1500, 24))
    np.save(folder / "rows.npy", rows.astype("float32"))
    tree = {
        "data": {"train": "rows.npy"},
        "model": {"bottleneck": 3},
        "training": {"epochs": epochs, "checkpoint_seconds": 0, "telemetry": True},
        "compare": {"model.family": ["dense", "vae"], "training.learning_rate": [0.001, 0.01]},
        "sweep": {"seeds": 2},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def start(study: Path, out: Path) -> subprocess.Popen[bytes]:
    """Starts `aetfx compare` in a process group of its own."""
    code = "from aetfx.cli import main; main()"
    command = [sys.executable, "-c", code, "compare", str(study), "--out", str(out), "--quiet"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def ends(process: subprocess.Popen[bytes]) -> str:
    """Waits for a process; returns what it complained of, "" where it ended well."""
    _, said = process.communicate()
    return "" if process.returncode == 0 else f"exit code {process.returncode}: {said.decode()[-400:]}"


def kill(process: subprocess.Popen[bytes], out: Path, *, after: float, writing: bool) -> str:
    """Kills a sweep; returns when, or "" where it ended before.

    Args:
      process: of the sweep.
      out: its folder.
      after: seconds that it is left alone.
      writing: wait until a checkpoint is being written then.
    """
    began = time.monotonic()
    while process.poll() is None:
        if time.monotonic() - began >= after:
            found = next(out.glob(_WRITING), None) if writing else None
            if found is not None or not writing:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                place = f" while {found.parent.parent.name}/{found.name} was written" if found is not None else ""
                return f"{time.monotonic() - began:.1f} s{place}"
        time.sleep(_POLL_SECONDS)
    return ""


def run(folder: Path, *, count: int, seed: int, writing_each: int = 3, epochs: int = 40) -> list[str]:
    """Kills `count` times; returns what went wrong.

    Args:
      folder: for study and runs.
      count: kills.
      seed: of the moments.
      writing_each: one in so many kills waits for a checkpoint that is being written.
      epochs: of each trial.
    """
    study, moments = write_study(folder, epochs=epochs), random.Random(seed)
    began = time.monotonic()
    if said := ends(start(study, folder / "whole")):
        return [f"the sweep fails by itself: {said}"]
    seconds = time.monotonic() - began
    expected = (folder / "whole" / "evaluation.parquet").read_bytes()
    print(f"left alone: {seconds:.1f} s", flush=True)
    wrong: list[str] = []
    killed = number = 0
    while killed < count or number == 0:
        out = folder / f"cut-{number}"
        number += 1
        for _ in range(20):  # a sweep that is killed earlier each time would never end
            if killed >= count:
                break
            writing = killed % writing_each == writing_each - 1
            longest = 0.7 if writing else 1.1  # of the whole time: something must be left to be written
            when = kill(start(study, out), out, after=moments.uniform(0.1, longest * seconds), writing=writing)
            if not when:
                break
            killed += 1
            print(f"kill {killed}: {out.name} after {when}", flush=True)
        if said := ends(start(study, out)):
            wrong.append(f"{out.name}: {said}")
        elif (out / "evaluation.parquet").read_bytes() != expected:
            wrong.append(f"{out.name}: evaluation.parquet differs")
        print(f"{out.name}: {'as if left alone' if not wrong or out.name not in wrong[-1] else wrong[-1]}", flush=True)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aetfx-kill-") as folder:
        wrong = run(Path(folder), count=args.count, seed=args.seed)
    print("\n".join(wrong) or f"{args.count} kills, and each sweep ended as if left alone")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
