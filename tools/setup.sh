#!/bin/sh
# Make an environment of what is locked: `setup.sh [FOLDER [LOCK]]`, .venv with requirements/run.txt
# if not given. With a third word, add to the environment that is there. FOLDER/ready, or
# FOLDER/WORD, is there when all is. Called by make.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-.venv}
lock=${2:-requirements/run.txt}
part=${3:-ready}
sh tools/links.sh

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; }

# What a candidate that is not usable is; nothing of one that nobody named and that is not there.
described() {
    if command -v "$1" >/dev/null; then
        said=$("$1" --version 2>&1 </dev/null | head -n 1)
        echo "; $1 is ${said:-no Python that runs}"
    elif [ -n "${PYTHON:-}" ]; then echo "; $1: there is none"; fi
}

new_environment() {
    python="" tried=""
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if usable "$candidate"; then python=$candidate && break; fi
        tried=$tried$(described "$candidate")
    done
    if [ -z "$python" ]; then
        echo "onnxlet needs Python 3.11, 3.12, 3.13 or 3.14${tried:-; there is none}" >&2
        echo "On Debian, Ubuntu and Raspberry Pi OS: sudo apt-get install python3 python3-venv" >&2
        echo "On macOS: brew install python@3.13. Or name one: make setup PYTHON=/path/to/python3.12" >&2
        exit 1
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        echo "Python $version has no venv module." >&2
        echo "On Debian, Ubuntu and Raspberry Pi OS: sudo apt-get install python$version-venv" >&2
        exit 1
    fi
    echo "setting up $folder with Python $version; this takes a minute, once" >&2
    rm -rf "$folder"
    "$python" -m venv "$folder"
}

# Nothing is compiled here: Python does it to what it imports, which is far less.
install() { "$folder/bin/python" -m "$@" --require-hashes --only-binary :all:; }
by_pip() { install pip install --disable-pip-version-check --no-compile "$@"; }

# Quicker. pip brings it where it is locked; an index or a proxy is known to pip only.
by_uv() {
    uv=$(sed -n '/^uv==/,/[^\\]$/p' "$lock")
    if [ -z "$uv" ] || "$folder/bin/python" -m pip config list | grep -qE 'index|proxy'; then return 1; fi
    echo "$uv" | by_pip --quiet --requirement /dev/stdin
    install uv pip install --system-certs --python "$folder/bin/python" --requirement "$lock"
}

if [ "$part" = ready ]; then new_environment; else echo "adding $lock to $folder, once" >&2; fi
by_uv || by_pip --requirement "$lock"
touch "$folder/$part"
