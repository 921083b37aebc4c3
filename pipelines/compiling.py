"""From definitions to the YAML that Kubeflow takes, with the checks that its SDK does not make."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from aetfx.errors import StudyError, nearest
from aetfx.run import write_text

PIPELINES = ("diagnosis", "validation", "sweep")


def define(name: str, **arguments: Any) -> Any:
    """Returns a pipeline.

    Raises:
      StudyError: there is none of that name.
    """
    if name not in PIPELINES:
        raise StudyError(f"no pipeline '{name}'.{nearest(name, PIPELINES)}")
    return importlib.import_module(f"pipelines.{name}").define(**arguments)


def compile_all(out: Path, image: str = "") -> list[Path]:
    """Writes `<name>.yaml` of every pipeline into a folder, as `compile_one` does, and returns the files."""
    return [compile_one(name, out / f"{name}.yaml", image) for name in PIPELINES]


def compile_one(name: str, path: Path, image: str = "") -> Path:
    """Writes a pipeline as YAML.

    Args:
      name: of the pipeline.
      path: the file.
      image: that all steps run in; "" for that of the components.

    Returns:
      The file.

    Raises:
      StudyError: the image has no version, or an output is given to an input of another class.
      RunError: the file cannot be written.
    """
    import tempfile

    from kfp import compiler

    from components.base import IMAGE
    from pipelines.check import split_image

    if image:
        split_image(image)
    with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
        compiled = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(define(name), str(compiled))
        text = compiled.read_text(encoding="utf-8")
    check_types(text)
    if image:  # that of a component is fixed when it is made, which is when its module is imported
        text = text.replace(f"image: {IMAGE}\n", f"image: {image}\n")
    write_text(path, text)
    return path


def load(path: Path) -> Any:
    """Loads a compiled pipeline through the SDK, which checks it against Kubeflow's pipeline spec.

    Raises:
      StudyError: it does not fit.
    """
    from kfp import components

    try:
        return components.load_component_from_file(str(path))
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise StudyError(f"{path}: not a pipeline that Kubeflow takes ({said}). Compile it again.") from None


def check_types(text: str) -> None:
    """Checks that each output goes to an input of its own class: to Kubeflow's SDK most of them are alike.

    Raises:
      StudyError: names the task and the input.
    """
    import yaml

    from components.base import TYPES

    spec = next(yaml.safe_load_all(text))
    dags = [spec["root"]["dag"], *(c["dag"] for c in spec["components"].values() if "dag" in c)]
    for dag in dags:
        made = {name: _component(task) for name, task in dag["tasks"].items()}
        for name, task in dag["tasks"].items():
            for wanted, source in task.get("inputs", {}).get("artifacts", {}).items():
                output = source.get("taskOutputArtifact")
                takes = TYPES.get(made[name], {}).get(wanted)
                if output is None or takes is None:  # handed through from outside
                    continue
                gives = TYPES.get(made[output["producerTask"]], {}).get(output["outputArtifactKey"])
                if gives != takes:
                    raise StudyError(f"{name}: input '{wanted}' takes {takes} but is given {gives}.")


def _component(task: dict[str, Any]) -> str:
    """Returns the component of a task; uses of it are numbered where they differ in what they may use."""
    name = task["componentRef"]["name"].removeprefix("comp-")
    return str(name.rstrip("0123456789").rstrip("-") if name[-1].isdigit() else name)
