#!/bin/sh
# Installs aetfx and what pipelines need into a new virtual environment: the steps of the image, which
# deploy/docker/try.sh also runs in a clean root file system.
#
#     install.sh TARGET [PYTHON]
#
# Everything comes from locks, with hashes: requirements.lock for the installer and the build tools, and
# deploy/docker/requirements.lock for what stays. Neither tests nor linters nor compilers are in the result.
set -eu
cd "$(dirname "$0")/../.."
target=$1
python=${2:-python3}

# The entries of the named packages in the lock, hashes included (docs/decisions/002-hashed-lock.md).
locked() {
    for package in "$@"; do
        awk -v start="^$package==" '$0 ~ start { on = 1 } on { print } on && !/\\$/ { on = 0 }' requirements.lock
    done
}

build="uv setuptools hatchling editables pathspec pluggy packaging trove-classifiers"
"$python" -m venv "$target"
# shellcheck disable=SC2086 # names are words
locked $build >"$target/first.txt"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
    -r "$target/first.txt"
run() {
    command=$1
    shift
    "$target/bin/uv" pip "$command" --quiet --python "$target/bin/python" "$@"
}
# Without isolation pyfarmhash and kfp take the setuptools of the lock, not the newest one.
run install --no-cache --require-hashes --no-build-isolation -r deploy/docker/requirements.lock
run install --no-cache --offline --no-deps --no-build-isolation .

# pip stays: the program that starts Beam's workers lists with it what is installed.
run uninstall hatchling editables trove-classifiers
run check
rm -rf "$target/bin/uv" "$target/bin/uvx" "$target/first.txt" "$target"/lib/python3.*/site-packages/uv \
    "$target"/lib/python3.*/site-packages/uv-*.dist-info
# TensorFlow loads in 2.4 s from compiled files, and nobody can write them later. Some packages hold files for other
# Pythons, which do not compile.
"$target/bin/python" -m compileall -q -j 0 "$target/lib" >/dev/null 2>&1 || :
