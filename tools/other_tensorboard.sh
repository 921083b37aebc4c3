#!/bin/sh
# Makes build/tensorboard, an environment with the TensorBoard of the other stack and what the dashboard needs beside it,
# without TensorFlow: `make dashboard`.
set -eu
cd "$(dirname "$0")/.."

venv=build/tensorboard
here=$(.venv/bin/python -c 'from importlib.metadata import version; print(version("tensorboard"))')
# The lock pins one for each stack.
other=$(sed -n 's/^tensorboard==\([^ ]*\).*/\1/p' requirements.lock | grep -vx "$here" | head -n 1)
plotly=$(sed -n 's/^plotly==\([^ ]*\).*/\1/p' requirements.lock)
[ -n "$other" ] || { echo "other_tensorboard: error: requirements.lock pins no TensorBoard but $here" >&2; exit 2; }

.venv/bin/uv venv --quiet --allow-existing --python .venv/bin/python "$venv"
# 2.16 imports pkg_resources, which left setuptools with version 81.
.venv/bin/uv pip install --quiet --python "$venv/bin/python" "tensorboard==$other" "plotly==$plotly" "setuptools<81"
echo "TensorBoard $other in $venv"
