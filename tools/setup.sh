#!/bin/sh
# Makes .venv from requirements.lock: `make setup`. Plain python3 with venv is all it needs to start.
#
# Everything that could stop it is asked before anything is made: a Python that suits the C library, its headers,
# a C++ compiler, disk space. When lock and project have not changed it ends at once, without the network; an
# interrupted setup is done again. The stamp holds the lock's hash, the project file's hash and the folder's path.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.aetfx-setup
started=$venv/.aetfx-setup-started
needed_kib=4500000 # the environment takes 3.6 GB, and wheels are unpacked beside it

fail() {
    echo "setup: error: $*" >&2
    exit 2
}

hash_of() { sha256sum "$1" | cut -d' ' -f1; }

# At least 2.38 is what the wheels for Python 3.12 and 3.13 ask for; see docs/decisions/001-two-stacks.md.
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p')
new_glibc() {
    [ -n "$glibc" ] || return 1
    major=${glibc%%.*} minor=${glibc#*.}
    minor=${minor%%.*}
    [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 38 ]; }
}

# Prints one word per question: version, "venv" or "-", "headers" or "-".
probe='
import importlib.util as find, os, sys, sysconfig
has = lambda name: find.find_spec(name) is not None
header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
print("aetfx-probe", "%d.%d" % sys.version_info[:2],
      "venv" if has("venv") and has("ensurepip") else "-", "headers" if os.path.exists(header) else "-")
'

# Why the Python at $1 cannot be used; nothing when it can. Being found is not enough: pyenv's shims may not run.
objection() {
    said=$("$1" -c "$probe" </dev/null 2>&1) || said="does not run: $said"
    case $said in
    *"aetfx-probe "*) set -- ${said##*aetfx-probe } ;;
    *)
        printf '%s' "$said" | tr '\n' ' ' | cut -c1-80
        return
        ;;
    esac
    case $1 in
    3.11) ;;
    3.12 | 3.13) new_glibc || { echo "Python $1 needs glibc >= 2.38, this is ${glibc:-no glibc}" && return; } ;;
    *) echo "is Python $1, not 3.11, 3.12 or 3.13" && return ;;
    esac
    [ "$2" = venv ] || { echo "has no venv and ensurepip: install python$1-venv" && return; }
    [ "$3" = headers ] || echo "has no Python.h, which pyfarmhash is built with: install python$1-dev"
}

# Sets `python` to the first that suits: 3.11 runs everywhere, the newer ones with a new C library.
find_python() {
    python='' refused=''
    for name in python3.11 python3.13 python3.12 python3; do
        IFS=:
        for folder in $PATH; do
            unset IFS
            [ -x "$folder/$name" ] || continue
            why=$(objection "$folder/$name")
            if [ -z "$why" ]; then
                python=$folder/$name
                return
            fi
            refused="$refused; $folder/$name ($why)"
        done
        unset IFS
    done
    [ -n "$refused" ] || refused='; none on PATH'
    fail "no suitable Python. Install Python 3.11 with venv and headers (or 3.12-3.13 where glibc is >= 2.38)." \
        "Found: ${refused#; }."
}

check_compiler() {
    for compiler in ${CXX:-c++} g++ clang++; do
        command -v "$compiler" >/dev/null 2>&1 && return
    done
    fail "no C++ compiler (c++, g++ or clang++), which pyfarmhash is built with. Install g++ (Debian, Ubuntu:" \
        "apt-get install g++), then run this again."
}

check_disk() {
    free=$(df -Pk . | awk 'NR == 2 { print $4 }')
    there=0
    [ ! -d "$venv" ] || there=$(du -sk "$venv" | cut -f1)
    [ $((free + there)) -ge "$needed_kib" ] ||
        fail "too little disk: $((free / 1000)) MB are free in $(pwd) and $venv needs about" \
            "$(((needed_kib - there) / 1000)) MB. Free some space, then run this again."
}

# The entries of the named packages in the lock, hashes included.
locked() {
    for package in "$@"; do
        awk -v start="^$package==" '$0 ~ start { on = 1 } on { print } on && !/\\$/ { on = 0 }' requirements.lock
    done
}

install_project() {
    "$venv/bin/uv" pip install --quiet --offline --python "$venv/bin/python" --no-deps --no-build-isolation -e .
}

wanted_lock=$(hash_of requirements.lock)
wanted_project=$(hash_of pyproject.toml)
lock='' project='' path=''
[ ! -f "$stamp" ] || read -r lock project path <"$stamp"

if [ "$lock" = "$wanted_lock" ] && [ "$path" = "$(pwd)" ] && [ -x "$venv/bin/python" ]; then
    [ "$project" != "$wanted_project" ] || exit 0
    install_project || fail "installing aetfx itself failed; the lines above say why."
else
    # A virtual environment holds its own path: one that was moved or copied is made afresh.
    if [ -n "$path" ] && [ "$path" != "$(pwd)" ]; then moved=yes; else moved=no; fi
    if [ "$moved" = no ] && [ -x "$venv/bin/python" ] && [ -z "$(objection "$venv/bin/python")" ]; then
        python=''
    else
        find_python
    fi
    check_compiler
    check_disk

    if [ -n "$python" ]; then
        echo "setup: making $venv with $python" >&2
        "$python" -m venv --clear "$venv" || {
            rm -rf "$venv"
            fail "$python could not make $venv; the lines above say why."
        }
    fi
    # Packages that were being written when a setup was stopped look whole; they are written again.
    again=''
    [ ! -e "$started" ] || again=--reinstall
    rm -f "$stamp"
    : >"$started"
    # The installer and the build tools come from the lock as well, so that nothing is ever fetched unpinned.
    locked uv setuptools >"$venv/bootstrap.txt"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        -r "$venv/bootstrap.txt" &&
        "$venv/bin/uv" pip install --python "$venv/bin/python" $again --require-hashes --no-build-isolation \
            -r requirements.lock &&
        install_project ||
        fail "installing from requirements.lock failed; the lines above say why. Run 'make setup' again: it goes on."
    rm -f "$started" "$venv/bootstrap.txt"
    # Importing TensorFlow takes 2.4 s from compiled files and 6 s without them: the first command, and every command
    # where the environment cannot be written to. Some packages hold files for other Pythons, which do not compile.
    "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || :
fi
echo "$wanted_lock $wanted_project $(pwd)" >"$stamp.new"
mv "$stamp.new" "$stamp"
