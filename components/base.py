"""What all components share: their image, and how artifacts become the places that a function of `aetfx.steps` takes.

Every output lies below a folder named after the configuration that it is of: iterations of a loop overwrite each
other's artifacts otherwise (kubeflow/pipelines#6718, #10186). A user's mistake is one line on stderr, as on the command
line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kfp import dsl

from components.artifacts import TYPE_NAMES

IMAGE = "aetfx:0.1.0"  # another one: `python -m pipelines compile --image`
SAID = "aetfx: "  # begins what a step says for people, among all that the SDK prints
# Of each component by its name in a compiled pipeline: the class of each artifact that it takes or gives.
TYPES: dict[str, dict[str, str]] = {}


def component(function: Callable[..., Any]) -> Any:
    """Makes a component of a function; nothing is installed when it starts, because the image has everything."""
    artifacts = {
        name: kind.__args__[0] if hasattr(kind, "__args__") else kind
        for name, kind in function.__annotations__.items()
        if hasattr(kind, "__metadata__")
    }
    TYPES[function.__name__.replace("_", "-")] = {name: kind.__name__ for name, kind in artifacts.items()}
    return dsl.component(function, base_image=IMAGE, install_kfp_package=False)


def work(
    function: Callable[..., dict[str, dict[str, Any]]],
    *,
    inputs: Mapping[str, dsl.Artifact] | None = None,
    outputs: Mapping[str, dsl.Artifact] | None = None,
    parameters: Mapping[str, Any] | None = None,
    again: str = "",
) -> dict[str, dict[str, Any]]:
    """Calls a function of `aetfx.steps` with the places of artifacts, and puts what it tells into their metadata.

    Args:
      function: named as the step.
      inputs, outputs: artifacts by the names of its arguments; metrics have no place and are only told of.
      parameters: plain data by name.
      again: parameter that has it act outside its outputs; see `aetfx.steps.running.run_step`.

    Returns:
      What the function returned.
    """
    from aetfx.errors import AetfxError
    from aetfx.steps.running import LINEAGE, run_step

    inputs, outputs, parameters = dict(inputs or {}), dict(outputs or {}), dict(parameters or {})
    lineage = os.environ.get(LINEAGE)
    try:
        for name, artifact in inputs.items():
            _check_type(name, artifact)
        configuration = _configuration(inputs, parameters)
        for artifact in outputs.values():
            if not isinstance(artifact, dsl.Metrics):
                ending = ".html" if isinstance(artifact, dsl.HTML) else ""
                artifact.uri = f"{artifact.uri.rstrip('/')}/{configuration}{ending}"
        remote = _on_other_machines(parameters.get("beam_flags", []))
        done = run_step(
            function.__name__,
            function,
            inputs={name: _place(function, name, artifact, remote) for name, artifact in inputs.items()},
            parameters=parameters,
            outputs={
                name: _place(function, name, artifact, remote)
                for name, artifact in outputs.items()
                if not isinstance(artifact, dsl.Metrics)
            },
            lineage=Path(lineage) if lineage else None,
            again=[again] if again else [],
        )
    except AetfxError as error:
        sys.stderr.write(f"aetfx: error: {' '.join(str(error).split())}\n")
        sys.exit(error.exit_code)
    for name, artifact in outputs.items():
        kind = {"type_name": TYPE_NAMES[name]} if name in TYPE_NAMES else {}
        artifact.metadata.update(kind | done.metadata.get(name, {}))
    print(f"{SAID}{function.__name__}: {'done before, taken over' if done.reused else f'done in {done.seconds:.1f} s'}")
    return done.metadata


def _check_type(name: str, artifact: dsl.Artifact) -> None:
    from aetfx.errors import DataError

    wanted = TYPE_NAMES[name]  # the SDK makes all of them plain artifacts when a step starts
    given = artifact.metadata.get("type_name", wanted)
    if wanted != given:
        raise DataError(f"{name}: expected {wanted} but got {given} ({artifact.uri}). Connect the output that fits.")


def _configuration(inputs: Mapping[str, dsl.Artifact], parameters: Mapping[str, Any]) -> str:
    """Returns the configuration that a step works on: that of its model, of its study, or of its first input."""
    if "study" in parameters and "model" not in inputs:
        from aetfx.steps.configurations import configuration, read, values_of

        return configuration(read(parameters["study"]), values_of(parameters.get("values", ""))).identity
    artifact = inputs.get("model") or next(iter(inputs.values()))
    return artifact.uri.rstrip("/").rsplit("/", 1)[-1]


def _place(function: Callable[..., Any], name: str, artifact: dsl.Artifact, remote: bool) -> str:
    """Returns where an artifact lies: in its store for workers on other machines, else on this one."""
    takes_any_place = function.__annotations__.get(name) == "str"
    return str(artifact.uri if remote and takes_any_place and "://" in artifact.uri else artifact.path)


def runner_of(flags: Sequence[str]) -> str:
    """Returns the runner that Beam's flags name, "" for its default.

    >>> runner_of(["--region=r", "--runner", "DataflowRunner"])
    'DataflowRunner'
    """
    words = [word for flag in flags for word in flag.split("=", 1)]
    return next((words[i + 1] for i, word in enumerate(words[:-1]) if word == "--runner"), "")


def _on_other_machines(flags: Sequence[str]) -> bool:
    runner = runner_of(flags)
    return bool(runner) and "Direct" not in runner and runner != "FnApiRunner"
