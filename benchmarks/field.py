"""The same problems put into the same data, as seen by aetfx, TFDV, deepchecks and Evidently.

    python -m benchmarks.field                          # everything; resumes: what was measured is not run again
    python -m benchmarks.field --again aetfx            # measures one tool anew

Problems and data are those of `benchmarks.findings` (16 columns of each data set at most), each problem at two
strengths: the least at which aetfx found it in half of the trials there, and the strongest of that benchmark. Each tool
is used as its own documentation recommends (`benchmarks/peers/`), on the train and eval rows; deepchecks and Evidently
have an environment of their own, made here from PyPI below `runs/benchmarks/field`.

*Found*: a check fails that names the column, or one about the whole data set, and it does not fail in this way on the
pair before the problem was put in (of a copied column: with the copy's cells shuffled). This is the same lenient rule
for all: `benchmarks.findings` also asks aetfx for the right code. *Alarms* are what fails on the clean pairs; `KNOWN`
says which of it is true of those data and left out.

Times per pair are those of pairs with a problem; two tools run at a time. The large file is checked by one tool at a
time, in a process of its own. Start-up (imports) is given apart. Answers are kept in `runs/benchmarks/field`, their
summary goes to `benchmarks/results/field.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import findings
from benchmarks.peers.evidently import REFERENCE
from benchmarks.validation import warm, write_data

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "results" / "field.json"
PLACE = ROOT.parent / "runs" / "benchmarks" / "field"

# The tools in the order in which they start, the slowest first, and what their own environments hold; aetfx and TFDV
# run in ours. deepchecks 0.19.1 is the last release; it needs pkg_resources, and names that NumPy 2 has taken away.
# Evidently 0.7.23 does not import under pandas 3.
TOOLS: dict[str, tuple[str, ...]] = {
    "evidently": ("evidently==0.7.23", "pandas<3"),
    "deepchecks": ("deepchecks==0.19.1", "setuptools<81", "numpy<2", "pandas<2.3", "scikit-learn<1.6"),
    "tfdv": (),
    "aetfx": (),
}
SHOWN = ("aetfx", "tfdv", "deepchecks", "evidently")
REPEATS = 2  # trials per data set, problem and strength
MOST_COLUMNS = 16  # of a data set: Evidently takes 0.2 s for each, of each pair
LARGE, LARGE_ROUNDS = (60_000, 100), 2
LIMIT_SECONDS = 600

# Words in the names of checks that are right about the clean data, see `findings.KNOWN`.
KNOWN = {
    "digits": ("constant", "SingleValue", "Duplicated column"),
    "iris": ("uplicate", "SamplesMix", "leak"),
    "linnerud": ("few_rows",),
}

Case = dict[str, Any]


def strengths() -> dict[str, tuple[float, float]]:
    """Of each problem the least strength that aetfx finds in half of the trials, and the strongest there is."""
    rates = json.loads(findings.RESULTS.read_text())["rates"]
    chosen = {}
    for problem, (_, _, _, values) in findings.PROBLEMS.items():
        found = [rates[problem][f"{value:g}"] for value in values]
        order = values if found[0] <= found[-1] else values[::-1]  # noise on a copied column hides it
        least = next(value for value in order if rates[problem][f"{value:g}"] >= 0.5)
        chosen[problem] = (least, order[-1] if order[-1] != least else order[-2])
    return chosen


def clean_sets() -> dict[str, np.ndarray]:
    """The data of `benchmarks.findings`, of wide ones every k-th column; rows that are equal in those are left out."""
    found = {}
    for name, rows in findings.clean_sets().items():
        if rows.shape[1] > MOST_COLUMNS:
            rows = rows[:, :: -(-rows.shape[1] // MOST_COLUMNS)]
            rows = rows[np.sort(np.unique(rows, axis=0, return_index=True)[1])]
        found[name] = rows
    return found


def cases(folder: Path) -> Iterator[Case]:
    """Writes the pairs one data set after another, each clean pair before those with a problem."""
    for k, (name, rows) in enumerate(clean_sets().items()):
        for seed in range(REPEATS):
            pair = findings.split(rows, seed)
            files = _save(folder / f"{name}-{seed}", pair)
            clean = {"id": f"{name}|{seed}|clean", **files, "clean": files["train"]}
            yield clean
            moving = np.flatnonzero((pair[0].std(axis=0) > 0.1) & (pair[1].std(axis=0) > 0))
            for number, (problem, chosen) in enumerate(strengths().items()):
                before = clean
                for strength in chosen:
                    rng = np.random.default_rng([k, seed])
                    j = int(rng.choice(moving))
                    changed = findings.PROBLEMS[problem][2]((pair[0].copy(), pair[1].copy()), j, strength, rng)
                    if before is clean and changed[0].shape[1] > rows.shape[1]:
                        # What is new must be that a column is a copy, not that there is one more.
                        mixed = tuple(np.column_stack([x[:, :-1], rng.permutation(x[:, -1])]) for x in changed)
                        files = _save(folder / f"{name}-{seed}-{number}", mixed)
                        before = {"id": f"{name}|{seed}|before {problem}", **files, "clean": files["train"]}
                        yield before
                    yield {
                        "id": f"{name}|{seed}|{problem}|{strength:g}",
                        **_save(folder / f"{name}-{seed}-{number}-{strength:g}", changed),
                        "clean": before["train"],
                        "before": before["id"],
                        "columns": [f"c{j}", f"c{rows.shape[1]}"],  # the second is where a copy stands
                    }


def _save(stem: Path, pair: findings.Pair) -> dict[str, str]:
    files = {split: f"{stem}-{split}.npy" for split in ("train", "eval")}
    for file, rows in zip(files.values(), pair, strict=True):
        np.save(file, rows)
    return files


def interpreter(tool: str) -> str:
    """The Python that a tool runs in; makes its environment where there is none yet."""
    if not TOOLS[tool]:
        return sys.executable
    place = PLACE / f"env-{tool}"
    python, made = place / "bin" / "python", place / "made"
    if not made.exists() or made.read_text() != "\n".join(TOOLS[tool]):
        uv = str(Path(sys.executable).with_name("uv"))
        print(f"{tool}: making its environment", flush=True)
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *TOOLS[tool]], check=True)
        made.write_text("\n".join(TOOLS[tool]))
    return str(python)


def ask(tool: str, todo: list[Case], told: Callable[[dict[str, Any]], None]) -> None:
    """Runs a tool in a process of its own over cases; each answer is passed on as it comes.

    A case at which the tool fails or hangs is passed on with an error, and the rest goes to a new process.
    """
    while todo:
        command = [interpreter(tool), "-W", "ignore", "-m", f"benchmarks.peers.{tool}"]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "DO_NOT_TRACK": "1"}
        with tempfile.TemporaryFile("w+") as said:
            child = subprocess.Popen(
                command, cwd=ROOT.parent, env=environment, text=True, bufsize=1,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
            )  # fmt: skip
            assert child.stdin is not None
            assert child.stdout is not None
            head = json.loads(child.stdout.readline() or "{}")
            while head and todo:
                child.stdin.write(json.dumps(todo[0]) + "\n")
                watch = threading.Timer(LIMIT_SECONDS, child.kill)
                watch.start()
                answer = child.stdout.readline()
                watch.cancel()
                if not answer:
                    break
                told({"tool": tool, **head, **json.loads(answer)})
                todo = todo[1:]
            child.stdin.close()
            child.wait()
            said.seek(0)
            if todo:
                if not head:
                    raise SystemExit(f"{tool} does not start:\n{said.read()[-2000:]}")
                told({"tool": tool, **head, "id": todo[0]["id"], "error": said.read()[-500:]})
                todo = todo[1:]


def is_found(answer: dict[str, Any], clean: dict[str, Any], columns: list[str]) -> bool:
    """Whether a check fails, of a column concerned or of the whole data set, that did not fail on the clean pair."""
    before = set(map(tuple, clean["alarms"]))
    new = {alarm for alarm in map(tuple, answer.get("alarms", [])) if alarm not in before}
    return any(column is None or column in columns for _, column in new)


def summary(measured: list[dict[str, Any]], wanted: dict[str, Case]) -> dict[str, Any]:
    """Per tool: share found of each problem and strength, alarms on clean pairs, times."""
    result: dict[str, Any] = {}
    for tool in SHOWN:
        answers = {item["id"]: item for item in measured if item["tool"] == tool and "error" not in item}
        hits: dict[str, dict[str, list[bool]]] = {}
        by: dict[str, Counter[str]] = {}
        seconds: dict[str, list[float]] = {}
        for key, case in wanted.items():
            clean = answers.get(case.get("before", ""))
            if clean is None:
                continue
            name, _, problem, strength = key.split("|")
            answer = answers.get(key, {})
            hits.setdefault(problem, {}).setdefault(strength, []).append(is_found(answer, clean, case["columns"]))
            before = set(map(tuple, clean["alarms"]))
            by.setdefault(problem, Counter()).update(
                {
                    check
                    for check, column in map(tuple, answer.get("alarms", []))
                    if (check, column) not in before and (column is None or column in case["columns"])
                }
            )
            if answer:
                seconds.setdefault(name, []).append(answer["run_s"])
        alarms: list[tuple[str, str, str | None]] = []
        n_pairs = n_columns = n_reference = 0
        for key, answer in answers.items():
            if key.endswith("|clean") and key in wanted:
                name = key.split("|")[0]
                n_pairs += 1
                n_columns += np.load(wanted[key]["train"], mmap_mode="r").shape[1]
                n_reference += sum(check.startswith(REFERENCE) for check, _ in answer["alarms"])
                alarms += [
                    (key, check, column)
                    for check, column in answer["alarms"]
                    if not check.startswith(REFERENCE) and not any(word in check for word in KNOWN.get(name, ()))
                ]
        large = [item for item in measured if item["tool"] == tool and item["id"].startswith("large|")]
        result[tool] = {
            "versions": next((item["versions"] for item in answers.values()), {}),
            "found": {p: {s: round(float(np.mean(h)), 3) for s, h in by_s.items()} for p, by_s in hits.items()},
            "found_by": {p: dict(counter.most_common(5)) for p, counter in by.items()},
            "clean_pairs": n_pairs,
            "clean_columns": n_columns,
            "clean_alarms": len(alarms),
            "clean_pairs_with_alarms": len({key for key, _, _ in alarms}),
            "clean_columns_accused": len({(key, column) for key, _, column in alarms if column is not None}),
            "clean_alarms_by_check": dict(Counter(check for _, check, _ in alarms).most_common()),
            "startup_s": _median([item["startup_s"] for item in answers.values()]),
            "seconds_per_pair": {name: _median(values) for name, values in seconds.items()},
            "large": {key: _median([item[key] for item in large if key in item]) for key in ("run_s", "peak_mb")},
            "failed": [item["id"] for item in measured if item["tool"] == tool and "error" in item],
        }
        if n_reference:
            result[tool]["clean_alarms_against_reference"] = n_reference
    return result


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 2) if values else None


def show(result: dict[str, Any]) -> None:
    """Prints the table."""
    print(f"\n{'found, % of pairs':40}" + "".join(f"{tool:>12}" for tool in SHOWN))
    for problem, (_, unit, _, _) in findings.PROBLEMS.items():
        for strength in result["aetfx"]["found"].get(problem, {}):
            cells = (result[tool]["found"].get(problem, {}).get(strength) for tool in SHOWN)
            line = "".join(f"{'-' if cell is None else f'{cell:.0%}':>12}" for cell in cells)
            print(f"{f'{problem}: {strength} ({unit})':40}{line}")
    for key in ("clean_alarms", "clean_columns_accused", "clean_columns", "clean_pairs_with_alarms", "clean_pairs"):
        print(f"{key.replace('_', ' '):40}" + "".join(f"{result[tool][key]:>12}" for tool in SHOWN))
    print(f"{'start-up, s':40}" + "".join(f"{result[tool]['startup_s'] or 0:>12.1f}" for tool in SHOWN))
    for name in result["aetfx"]["seconds_per_pair"]:
        cells = (result[tool]["seconds_per_pair"].get(name) for tool in SHOWN)
        print(f"{f'seconds per pair, {name}':40}" + "".join(f"{cell or float('nan'):>12.2f}" for cell in cells))
    label = f"{LARGE[0]:,} x {LARGE[1]}"
    for key, unit in (("run_s", "seconds"), ("peak_mb", "peak MB")):
        cells = (result[tool]["large"][key] for tool in SHOWN)
        print(f"{f'{label}, {unit}':40}" + "".join(f"{cell or float('nan'):>12.1f}" for cell in cells))
    for tool in SHOWN:
        for key in result[tool]["failed"]:
            print(f"{tool} failed: {key}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=TOOLS)
    parser.add_argument("--again", nargs="*", default=[], choices=TOOLS, help="tools to measure anew")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    kept = PLACE / "answers.jsonl"
    measured = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    measured = [item for item in measured if item["tool"] not in given.again]
    kept.write_text("".join(json.dumps(item) + "\n" for item in measured))
    begun, lock = time.perf_counter(), threading.Lock()
    with tempfile.TemporaryDirectory(dir=PLACE) as folder, kept.open("a", buffering=1) as answers:
        wanted = {case["id"]: case for case in cases(Path(folder))}

        def told(item: dict[str, Any]) -> None:
            with lock:
                measured.append(item)
                answers.write(json.dumps(item) + "\n")
                said = f"{item['run_s']:.2f} s, {len(item['alarms'])} alarms" if "run_s" in item else "failed"
                print(f"{time.perf_counter() - begun:5.0f} s  {item['tool']} {item['id']}: {said}", flush=True)

        def left(tool: str, keys: list[str]) -> list[str]:
            done = {item["id"] for item in measured if item["tool"] == tool}
            return [key for key in keys if key not in done]

        tools = [tool for tool in TOOLS if tool in given.tools]
        for tool in tools:
            interpreter(tool)
        path = PLACE.parent / f"{LARGE[0]}x{LARGE[1]}.npy"
        write_data(path, *LARGE)
        warm(path)
        for number in range(LARGE_ROUNDS):
            for tool in tools if number % 2 == 0 else tools[::-1]:
                for key in left(tool, [f"large|{number}"]):
                    ask(tool, [{"id": key, "train": str(path), "eval": None, "clean": str(path)}], told)
        with ThreadPoolExecutor(2) as pool:
            work = [pool.submit(ask, tool, [wanted[key] for key in left(tool, list(wanted))], told) for tool in tools]
            for item in work:
                item.result()
        result = summary(measured, wanted)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    given.results.parent.mkdir(parents=True, exist_ok=True)
    state = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "tools": result}
    given.results.write_text(json.dumps(state, indent=1) + "\n")
    show(result)
    print(f"{time.perf_counter() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
