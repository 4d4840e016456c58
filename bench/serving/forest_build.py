"""Fit a forest of 300 trees on 30 columns and build it, on one core: prints both times in ms."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from sklearn.ensemble import RandomForestClassifier

from bench.models import breast_cancer_split
from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source


def main() -> None:
    """Measure once."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    X_train, X_test, y_train, _ = breast_cancer_split()
    start = time.perf_counter()
    forest = RandomForestClassifier(300, random_state=0).fit(X_train, y_train)
    fitted = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        build(Source(forest, X_test), "forest", Path(folder), lambda line: None)
    built = time.perf_counter()
    sys.stdout.write(json.dumps([(fitted - start) * 1e3, (built - fitted) * 1e3]))


if __name__ == "__main__":
    main()
