#!/bin/sh
# Runs the install steps of the image where no container can be built: in a clean root file system that mmdebstrap makes
# (as root), or in a fresh virtual environment of this machine where none can be made.
#
#     deploy/docker/try.sh bookworm FOLDER      # Python 3.11, glibc 2.36
#     deploy/docker/try.sh trixie FOLDER        # Python 3.13, glibc 2.41
#     deploy/docker/try.sh here FOLDER [PYTHON]
#
# Then, as a user without rights and with nothing writable but /tmp: validates a table, compiles the pipelines, loads
# TensorFlow and TensorBoard. FOLDER takes 4 GB and is left for a look; it must not be there yet.
set -eu
cd "$(dirname "$0")/../.."
suite=${1:-}
root=${2:-}
fail() {
    echo "try: error: $*" >&2
    exit 2
}
[ -n "$root" ] || fail "say which suite, and a folder (see the head of this file)."
[ ! -e "$root" ] || fail "$root is there already. Name another folder, or remove it."

# The same files as the Dockerfile copies.
copy() {
    mkdir -p "$1/deploy/docker"
    cp -r requirements.lock pyproject.toml README.md LICENSE aetfx "$1"
    cp deploy/docker/install.sh deploy/docker/requirements.lock "$1/deploy/docker"
}
checks='
set -eu
cd /tmp
aetfx --version
printf "a,b\n%s" "$(for i in $(seq 200); do echo "$i,$((i * 37 % 101))"; done)" >rows.csv
aetfx validate rows.csv --out /tmp/run --quiet >/dev/null
ls /tmp/run/statistics/Split-train/FeatureStats.pb /tmp/run/validation.html
python -m pipelines compile --out /tmp/build
python -c "import tensorflow, keras; print(tensorflow.__version__, keras.__version__)"
tensorboard --version 2>/dev/null
python -c "import kfp, apache_beam; from apache_beam.runners.dataflow.internal import apiclient; print(kfp.__version__, apache_beam.__version__)"
'

if [ "$suite" = here ]; then
    mkdir -p "$root/build" "$root/app"
    copy "$root/build"
    cp -r components pipelines "$root/app"
    sh "$root/build/deploy/docker/install.sh" "$root/venv" "${3:-python3.11}"
    PATH="$root/venv/bin:$PATH" PYTHONPATH="$root/app" sh -c "$checks"
    du -sh "$root/venv"
    exit
fi

command -v mmdebstrap >/dev/null || fail "no mmdebstrap (apt-get install mmdebstrap). Or: try.sh here FOLDER."
[ "$(id -u)" -eq 0 ] || fail "a root file system is made as root. Or: try.sh here FOLDER."
mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,python3-dev,g++,libc6-dev,ca-certificates \
    "$suite" "$root" "${MIRROR:-http://deb.debian.org/debian}"
copy "$root/build"
mkdir -p "$root/app"
cp -r components pipelines "$root/app"
# How this machine reaches its registry: an address, a certificate, wheels on its disk.
for file in /etc/resolv.conf /etc/hosts "${SSL_CERT_FILE:-}" /etc/pip.conf /etc/xdg/pip/pip.conf /etc/xdg/pip/constraints.txt; do
    if [ -f "$file" ]; then
        mkdir -p "$root$(dirname "$file")"
        cp "$file" "$root$file"
    fi
done
chroot "$root" groupadd --gid 10001 aetfx
chroot "$root" useradd --uid 10001 --gid 10001 --create-home --home-dir /home/aetfx aetfx
mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT
chroot "$root" sh /build/deploy/docker/install.sh /opt/aetfx
chroot --userspec=10001:10001 "$root" env HOME=/tmp PATH=/opt/aetfx/bin:/usr/bin:/bin PYTHONPATH=/app \
    TF_CPP_MIN_LOG_LEVEL=3 sh -c "$checks"
du -sh "$root/opt/aetfx"
