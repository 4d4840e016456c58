#!/bin/sh
# Make the links that everything is imported by, where an archive or a system kept none. Called by
# make each time, and by setup.sh.
set -eu
cd "${0%/*}/.."
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
