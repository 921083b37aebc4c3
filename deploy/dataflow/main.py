"""Validates rows on Dataflow: `aetfx validate`, with its results at a place of the store. The flex template's entry.

It parses what the template's parameters are, calls one function of aetfx, and hands everything else to Beam.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence

from aetfx.errors import AetfxError


def main(argv: Sequence[str] | None = None) -> int:
    """Validates, copies the run directory to `--output`, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--data", required=True, help="rows: a path or glob, gs://bucket/rows-*.parquet")
    parser.add_argument("--against", help="rows to compare with")
    parser.add_argument("--schema", help="place of a reviewed schema.pbtxt")
    parser.add_argument("--features", default="auto", help="auto, table, tensor, or columns: age,height")
    parser.add_argument("--output", required=True, help="place for the run directory: gs://bucket/runs/monday")
    asked, flags = parser.parse_known_args(argv)
    if not any(flag.startswith("--runner") for flag in flags):
        flags = ["--runner=DataflowRunner", *flags]
    try:
        from aetfx.report.validation import write_views
        from aetfx.steps.places import copy_tree
        from aetfx.validation.api import validate

        kinds = ("auto", "table", "tensor")
        features = asked.features if asked.features in kinds else asked.features.split(",")
        with tempfile.TemporaryDirectory(prefix="aetfx-") as folder:
            found = validate(
                asked.data, asked.against, schema=asked.schema, features=features, out=folder, beam_flags=flags
            )
            write_views(folder)
            copy_tree(folder, asked.output)
        print(f"{len(found.findings)} findings; {asked.output}/validation.html")
    except AetfxError as error:
        print(f"aetfx: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
