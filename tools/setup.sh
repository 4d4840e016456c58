#!/bin/sh
# Make an environment with everything that is locked: `setup.sh [FOLDER [LOCK]]`, .venv with
# requirements/dev.txt if not given. Called by make.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-.venv}
lock=${2:-requirements/dev.txt}

# Some archives and some systems keep no links: what all is imported by consists of them.
# One that was followed is a copy, which edits of the folder itself would not reach.
for link in function convert edge requirements; do
    if [ -d "onnxlet/$link" ] && [ ! -L "onnxlet/$link" ]; then
        if ! diff -rq -x __pycache__ "$link" "onnxlet/$link" >/dev/null; then
            echo "onnxlet/$link is a copy of $link, and differs from it" >&2
            echo "Move what you changed there to $link, and remove onnxlet/$link." >&2
            exit 1
        fi
        rm -r "onnxlet/$link"
    fi
    if [ ! -d "onnxlet/$link" ]; then rm -f "onnxlet/$link" && ln -s "../$link" "onnxlet/$link"; fi
done

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; }

# What a candidate that is not usable is; nothing of one that nobody named and that is not there.
described() {
    if command -v "$1" >/dev/null; then
        said=$("$1" --version 2>&1 </dev/null | head -n 1)
        echo "; $1 is ${said:-no Python that runs}"
    elif [ -n "${PYTHON:-}" ]; then echo "; $1: there is none"; fi
}

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

echo "setting up $folder with Python $version; this takes a minute or two, once" >&2
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --only-binary :all: -r "$lock"
touch "$folder/ready"
