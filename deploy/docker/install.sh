#!/bin/sh
# Installs aetfx and what pipelines need into a virtual environment, from requirements.lock alone: the steps of the image,
# and of the test that runs them in a clean root file system.
#
#     install.sh TARGET [PYTHON]
#
# What only developers need stays out: tests, linters, browsers. So do the files that nobody reads in a container.
set -eu
target=$1
python=${2:-python3}

"$python" -m venv "$target"
pip="$target/bin/python -m pip --disable-pip-version-check --no-cache-dir"

# The installer comes from the lock as well (docs/decisions/002-hashed-lock.md).
locked() {
    for package in "$@"; do
        awk -v start="^$package==" '$0 ~ start { on = 1 } on { print } on && !/\\$/ { on = 0 }' requirements.lock
    done
}
locked uv setuptools hatchling editables pathspec pluggy packaging trove-classifiers >"$target/first.txt"
$pip install --quiet --no-deps --require-hashes -r "$target/first.txt"
rm "$target/first.txt"

# The lock holds more than an image needs. What is needed is what the extras ask for; which version of it, and with
# which hash, stands in the lock.
"$target/bin/uv" pip compile --quiet --no-header --no-annotate --generate-hashes --no-emit-index-url \
    --python "$target/bin/python" --extra kubeflow --extra dataflow --extra sweep \
    --constraint requirements.lock --no-build-isolation pyproject.toml -o "$target/wanted.txt"
"$target/bin/uv" pip install --quiet --no-cache --python "$target/bin/python" --require-hashes --no-build-isolation \
    -r "$target/wanted.txt"
rm "$target/wanted.txt"
"$target/bin/uv" pip install --quiet --no-cache --offline --python "$target/bin/python" --no-deps --no-build-isolation .

# Without the installer and the build tools, nothing can be added in a running container.
"$target/bin/uv" pip check --python "$target/bin/python"
"$target/bin/uv" pip uninstall --quiet --python "$target/bin/python" hatchling editables trove-classifiers
rm -f "$target/bin/uv" "$target/bin/uvx"
find "$target" -type d \( -name tests -o -name test \) -path '*/site-packages/*/*' -prune \
    ! -path '*/tensorflow/*' ! -path '*/apache_beam/*' ! -path '*/keras/*' -exec rm -rf {} +
"$target/bin/python" -m compileall -q -j 0 "$target/lib" >/dev/null 2>&1 || :
