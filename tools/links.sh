#!/bin/sh
# Make the links that everything is imported by: some archives and some systems keep none. Called by
# make, each time.
set -eu
cd "$(dirname "$0")/.."
for link in function convert edge requirements; do
    if [ ! -d "onnxlet/$link" ]; then rm -f "onnxlet/$link" && ln -s "../$link" "onnxlet/$link"; fi
done
