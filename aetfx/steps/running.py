"""Running one step: what was done before with the same inputs and code is taken over, and lineage is kept.

A step is known by the hash of its name, its parameters, the content of its inputs, the code and the versions of what
the code stands on. What it wrote is copied
(linked where the disk can) from where an earlier run left it, as long as it is still intact there: of a run that was
killed midway only the step that was under way is done again. Lineage is a folder: `steps/<hash>.json` for each step
that was done, and `lineage.json` with all of them, in the order in which they ended.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aetfx.errors import RunError
from aetfx.run import cannot_write, content_hash, file_hash, folder_lock, read_json, versions, write_json
from aetfx.steps.places import hashed, tree_hash

LINEAGE = "AETFX_LINEAGE"  # the environment variable that names the folder
Metadata = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Done:
    """What a step came to.

    Attributes:
      metadata: of each place that it wrote; of each local one its `hash` too, by which `trace` finds it.
      reused: it had been done before.
      seconds: that it took when it was done.
    """

    metadata: Metadata
    reused: bool
    seconds: float


def run_step(
    name: str,
    work: Callable[..., Metadata],
    *,
    inputs: Mapping[str, str],
    parameters: Mapping[str, Any],
    outputs: Mapping[str, str],
    lineage: Path | None = None,
    again: Sequence[str] = (),
) -> Done:
    """Runs a step, or takes over what it wrote before.

    Args:
      name: of the step.
      work: called with all inputs, parameters and outputs by name; local outputs are given as `Path`.
      inputs: places that earlier steps wrote.
      parameters: plain data.
      outputs: places to write; local ones must not be there yet.
      lineage: folder of a run; None runs the step and keeps no lineage.
      again: parameters for whose sake a step acts outside its outputs: with one of them set it is never taken over.

    Raises:
      AetfxError: as `work` raises it.
    """
    started = time.perf_counter()
    key, record = "", {}
    if lineage is not None:
        hashes = {each: {"path": os.path.abspath(p), "hash": tree_hash(p)} for each, p in sorted(inputs.items())}
        code = {"hash": code_hash(), "versions": versions()}
        key = content_hash([name, code, parameters, {each: found["hash"] for each, found in hashes.items()}])
        record = {
            "schema_version": 1, "step": name, "key": key, "parameters": dict(parameters), "inputs": hashes,
            "code": code,
        }  # fmt: skip
        if not any(parameters.get(each) for each in again):
            before = _taken_over(lineage, key, outputs)
            if before is not None:
                _keep(lineage, before | {"inputs": hashes})
                return Done(before["metadata"], True, before["seconds"])
    local = {each: Path(place) for each, place in outputs.items() if "://" not in place}
    for path in local.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {**inputs, **parameters, **outputs}
    paths = {each: Path(place) for each, place in inputs.items() if "://" not in place}
    asked = work.__annotations__
    given |= {each: path for each, path in {**paths, **local}.items() if asked.get(each) != "str"}
    metadata = work(**given)
    seconds = round(time.perf_counter() - started, 3)
    written = {}
    for each, path in local.items():
        if path.exists():
            digest, files = hashed(path)
            written[each] = {"path": os.path.abspath(path), "hash": digest, "files": files}
            metadata.setdefault(each, {})["hash"] = digest
    if lineage is not None:
        record |= {"outputs": written, "metadata": metadata, "seconds": seconds, "finished": _now()}
        _keep(lineage, record)
    return Done(metadata, False, seconds)


@cache
def code_hash() -> str:
    """Returns the hash of the source of aetfx as it is installed: what a step comes to depends on it."""
    root = Path(__file__).parents[1]
    return content_hash([[str(path.relative_to(root)), file_hash(path)] for path in sorted(root.rglob("*.py"))])


def trace(lineage: Path, what: str) -> dict[str, Any]:
    """Tells what something was made from, and what was made from it.

    Args:
      lineage: folder of a run.
      what: a hash, the path of a file or folder of the run, or of a copy such as a model that was pushed or published,
        the path of rows that a study named, or the name of a step or of an output.

    Returns:
      `made_by`: the steps that led to it, the first one first; `led_to`: the steps that used it or what came of it.

    Raises:
      RunError: the run has no lineage, or nothing of the kind in it.
    """
    steps: list[dict[str, Any]] = read_json(lineage / "lineage.json")["steps"]
    starts = [step for step in steps if _made(step, what)]
    users = [step for step in steps if _used(step, what)]
    if not starts and not users and os.path.exists(what):
        content = set(hashed(what)[1].values())
        starts = [step for step in steps if content and _has(step, content)]
    if not starts and not users:
        known = ", ".join(dict.fromkeys(name for step in steps for name in (step["step"], *step["outputs"])))
        raise RunError(
            f"{lineage / 'lineage.json'}: knows nothing of '{what}'. Name a path of the run, or one of {known}."
        )
    makers = {step["key"]: _makers(step, steps) for step in steps}
    followers = {key: {other for other, made_by in makers.items() if key in made_by} for key in makers}
    started = {step["key"] for step in starts}
    after = {step["key"] for step in users}.union(*(followers[key] for key in started))
    made_by, led_to = _closure(started, makers), _closure(after, followers)
    return {
        "made_by": [step for step in steps if step["key"] in made_by],
        "led_to": [step for step in steps if step["key"] in led_to],
    }


def _closure(first: set[str], next_to: Mapping[str, set[str]]) -> set[str]:
    found, left = set(first), list(first)
    while left:
        new = next_to[left.pop()] - found
        found |= new
        left += new
    return found


def _makers(step: dict[str, Any], steps: list[dict[str, Any]]) -> set[str]:
    """Returns the keys of the steps whose outputs a step read.

    Several may have written the same content, as Transform does for configurations that differ in the model only: then
    it was the one at that path. An earlier run may have read it elsewhere, and then any of them will do.
    """
    found: set[str] = set()
    for read in step["inputs"].values():
        same = [(s["key"], o["path"]) for s in steps for o in s["outputs"].values() if o["hash"] == read["hash"]]
        there = {key for key, path in same if path == read["path"]}
        found |= there or {key for key, _ in same}
    return found


def _made(step: dict[str, Any], what: str) -> bool:
    """Whether a step wrote it: by its hash, its folder, a file in that, its name or the step's."""
    if what == step["step"] or what in step["outputs"]:
        return True
    for output in step["outputs"].values():
        if what == output["hash"] or what in output["files"].values():
            return True
        if _inside(what, output["path"]):
            return True
    return False


def _has(step: dict[str, Any], content: set[str]) -> bool:
    """Whether one output of a step has all these files, under whatever names."""
    return any(content <= set(output["files"].values()) for output in step["outputs"].values())


def _used(step: dict[str, Any], what: str) -> bool:
    """Whether a step read it where no step wrote it: rows or a model that the study names, by path or digest."""
    parameters = step["parameters"]
    named = what and (what if "://" in what else os.path.abspath(what))
    return bool(what) and (what == parameters.get("digest") or f" {named}\n" in str(parameters.get("study", "")))


def _inside(what: str, path: str) -> bool:
    return f"{os.path.abspath(what)}/".startswith(f"{path}/")


def _taken_over(lineage: Path, key: str, outputs: Mapping[str, str]) -> dict[str, Any] | None:
    """Puts what a step wrote before at its new places; None where it was not done, or something of it is gone."""
    path = lineage / "steps" / f"{key}.json"
    if not path.exists():
        return None
    record: dict[str, Any] = read_json(path)
    for kept in record["outputs"].values():
        try:
            if tree_hash(kept["path"]) != kept["hash"]:
                return None
        except (RunError, OSError):
            return None
    for each, kept in record["outputs"].items():
        if each not in outputs or os.path.abspath(outputs[each]) == kept["path"]:
            continue
        source, target = Path(kept["path"]), Path(outputs[each])
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if source.is_file():
                _link(str(source), str(target))
            else:
                shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)
        except OSError as error:
            raise cannot_write(target, error) from error
        kept["path"] = os.path.abspath(target)
    return record


def _link(source: str, target: str) -> None:
    """Files of a run are replaced and never changed, so that a second name is as good as a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _keep(lineage: Path, record: dict[str, Any]) -> None:
    """Writes the record of a step, and all of them together."""
    with folder_lock(lineage):  # steps of one run may end at the same time
        write_json(lineage / "steps" / f"{record['key']}.json", record)
        steps = [read_json(path) for path in sorted((lineage / "steps").glob("*.json"))]
        steps.sort(key=lambda step: (step["finished"], step["key"]))
        write_json(lineage / "lineage.json", {"schema_version": 1, "steps": steps})


def _now() -> str:
    """Returns the time with milliseconds: steps may be short."""
    now = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z"
