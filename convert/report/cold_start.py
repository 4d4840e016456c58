"""From a process that has just started to a first answer: what a cold start is spent on."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import onnxlet
from onnxlet.function import json_text

RUNS = 3
LONGEST = 60.0  # seconds of one

# Both are timed by this process, from the start of theirs to its end.
SERVED = """
import sys
from pathlib import Path
from onnxlet.function import json_text
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict
request = native.from_object(json_text.loads(sys.argv[2]))
native.encode(predict(load_model(Path(sys.argv[1])), request), request)
"""
PICKLED = """
import pickle, sys, warnings
warnings.simplefilter("ignore")
with open(sys.argv[1], "rb") as file:
    estimator, row = pickle.load(file)
getattr(estimator, "predict_proba", estimator.predict)(row)
"""


def served(directory: Path, row: dict[str, Any]) -> float | None:
    """Seconds until the function has answered a row; None where it does not answer it."""
    body = json_text.dumps({"instances": [row]}).decode()
    return _started(SERVED, [os.fspath(directory.resolve()), body])


def unpickled(dumped: bytes) -> float | None:
    """Seconds until scikit-learn has answered a row; None where that raises.

    Args:
        dumped: a pickle of the estimator and a row for it.
    """
    with tempfile.NamedTemporaryFile(suffix=".pkl") as file:
        file.write(dumped)
        file.flush()
        return _started(PICKLED, [file.name])


def _give_back() -> None:
    """Return what this process has freed to the system: another is about to need as much.

    glibc keeps it: 100 MB after fits on a table of 8 MB.
    """
    gc.collect()
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _started(code: str, arguments: list[str]) -> float | None:
    root = os.fspath(Path(onnxlet.__file__).resolve().parent.parent)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    took = []
    _give_back()
    for _ in range(RUNS):
        start = time.perf_counter()
        try:
            done = subprocess.run(  # noqa: S603 - this very Python, and code from above
                [sys.executable, "-P", "-c", code, *arguments],
                env=environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=LONGEST,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None  # such as an estimator of a file that no module's name leads to
        took.append(time.perf_counter() - start)
    return median(took)
