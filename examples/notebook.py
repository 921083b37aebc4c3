"""Runs `diagnose.ipynb` from its first cell to its last and keeps what it printed.

python examples/notebook.py          # a minute; needs no network
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parent / "diagnose.ipynb"


def run(path: Path = NOTEBOOK) -> nbformat.NotebookNode:
    """Executes a notebook in its folder.

    Returns:
      The notebook with its outputs.

    Raises:
      CellExecutionError: a cell raised; the message shows it.
    """
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": path.parent}},
        coalesce_streams=True,  # what one cell prints may arrive in pieces, on a busy machine
    ).execute()
    for cell in notebook.cells:
        cell.get("metadata", {}).pop("execution", None)  # when it ran says nothing to a reader
        # Notices of TensorFlow and bars of progress belong to a terminal.
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if output.get("name") != "stderr"]
    return notebook


if __name__ == "__main__":
    nbformat.write(run(), NOTEBOOK)
    print(NOTEBOOK.name)
