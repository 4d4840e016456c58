#!/bin/sh
# Make an environment of what is locked: `setup.sh [FOLDER [LOCK]]`, .venv with requirements/run.txt
# if not given. With a third word, add to the environment that is there, also what is no lock, an
# .in file. FOLDER/ready, or FOLDER/WORD, is there when all is. Called by make.
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
    if command -v "${PYTHON:-}" >/dev/null; then set -- "$PYTHON"; else # its path may have spaces
        # shellcheck disable=SC2086 # several words
        set -- ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}
    fi
    for candidate in "$@"; do
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

# Nothing is compiled here: Python does it to what it imports, which is far less. A lock has hashes.
case $lock in *.txt) checked="--require-hashes --only-binary :all:" ;; *) checked="" ;; esac
by_pip() {
    # shellcheck disable=SC2086 # several words
    "$folder/bin/python" -m pip install --disable-pip-version-check --no-compile $checked "$@"
}

# The value of one of pip's settings, from its files or the environment; several with spaces between.
told_pip() {
    printf '%s\n' "$settings" | sed -n "s/^[^=]*\.$1='\(.*\)'\$/\1/p" | sed -n 's/\\n/ /g;1p'
}

# Have uv know a setting of pip's by its own variable, unless somebody has set that.
tell_uv() {
    value=$(told_pip "$2")
    if [ -n "$value" ] && eval "[ -z \"\${$1:-}\" ]"; then export "$1=$value"; fi
}

# Quicker, and what two environments have is once on the disk. It is the one in .venv; or pip brings
# it where it is locked. What it can't do, such as ask as pip is told to ask, pip does.
by_uv() {
    uv=.venv/bin/uv
    if ! "$uv" --version >/dev/null 2>&1; then
        uv=$folder/bin/uv line=$(sed -n '/^uv==/,/[^\\]$/p' "$lock")
        if [ -z "$line" ]; then return 1; fi
        printf '%s\n' "$line" | by_pip --quiet --requirement /dev/stdin
    fi
    settings=$("$folder/bin/python" -m pip config list)
    if [ -n "$(told_pip no-index)" ]; then return 1; fi
    tell_uv UV_DEFAULT_INDEX index-url
    tell_uv UV_INDEX extra-index-url
    tell_uv UV_INSECURE_HOST trusted-host
    tell_uv ALL_PROXY proxy
    tell_uv SSL_CERT_FILE cert
    if [ -z "$checked" ]; then # a lock leaves nothing to choose
        tell_uv UV_FIND_LINKS find-links
        tell_uv UV_CONSTRAINT constraint
    fi
    # Of an index and a further one pip takes what fits, wherever it is.
    # shellcheck disable=SC2086 # several words
    "$uv" pip install --system-certs --index-strategy unsafe-best-match \
        --python "$folder/bin/python" $checked --requirement "$lock"
}

# From any folder `.venv` imports the onnxlet of this checkout, and none of the names beside it.
import_from_anywhere() {
    mkdir -p .venv/checkout
    ln -sfn ../../onnxlet .venv/checkout/onnxlet
    for site in .venv/lib/python*/site-packages; do echo ../../../checkout >"$site/onnxlet.pth"; done
}

if [ "$part" = ready ]; then new_environment; else echo "adding $lock to $folder, once" >&2; fi
by_uv || by_pip --requirement "$lock"
if [ "$folder" = .venv ]; then import_from_anywhere; fi
touch "$folder/$part"
