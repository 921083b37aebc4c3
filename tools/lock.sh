#!/bin/sh
# Writes requirements.lock anew: `make lock`. One file for both stacks of docs/decisions/001-two-stacks.md, chosen by
# environment markers. Versions that still fit are kept; delete the file first to take the newest of everything.
set -eu
cd "$(dirname "$0")/.."

uv=.venv/bin/uv
[ -x "$uv" ] || uv=$(command -v uv) || {
    echo "lock: error: no uv. Run 'make setup' first, or install uv." >&2
    exit 2
}
UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url \
    --python-version 3.11 --all-extras pyproject.toml -o requirements.lock
# What the image needs of it (deploy/docker): the same versions, without what only developers use.
UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url \
    --python-version 3.11 --extra kubeflow --extra dataflow --extra sweep --constraint requirements.lock \
    pyproject.toml -o deploy/docker/requirements.lock
if grep -n '://' requirements.lock deploy/docker/requirements.lock; then
    echo "lock: error: a lock names a registry (above); it has to install from any mirror." >&2
    exit 1
fi
