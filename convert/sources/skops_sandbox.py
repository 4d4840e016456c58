"""Trying a .skops file where it can do no harm: what libraries do with it in C may end a process.

Its text of a booster may make C++ give up, its numbers may lead nowhere (`native_state`).
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any

import pandas as pd

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.native_state import everything
from onnxlet.convert.workers.program import MOST_MEMORY, OUT_OF_MEMORY, PATIENCE, run_apart
from onnxlet.folders import ROOT

FEW = 20  # rows
ASKED = (
    "predict", "predict_proba", "decision_function", "transform", "score_samples", "kneighbors",
)  # fmt: skip
PICTURE = (  # one pixel, PNG
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
)
PROGRAM = f"""
sys.path.insert(0, {os.fspath(ROOT)!r})
import onnxlet.environment
del sys.path[0]
from onnxlet.convert.sources.saved import load_saved
from onnxlet.convert.sources.skops_sandbox import ask
ask(load_saved)
"""
HINT = "Save it again, from the estimator that was fitted."


def check_it_answers(path: Path, trusted: Sequence[str], rows: Any) -> None:
    """Read a judged .skops file and ask what is in it, in a process that may end.

    Raises:
        SourceFailed: it crashes that process, does not answer, or needs more memory than there is.
    """
    given = pickle.dumps((path, list(trusted), rows[:FEW]))
    done = run_apart(PROGRAM, given, seconds=PATIENCE, memory=MOST_MEMORY)
    asked = f"'{path.name}', read and asked for {FEW} rows in a process of its own,"
    if done.late:
        raise SourceFailed(f"{asked} does not answer {done.late}", HINT)
    if done.large:
        raise SourceFailed(f"{asked} needs {done.large}", HINT)
    if done.code:
        raise SourceFailed(f"{asked} ends it by {done.end}", HINT)


def ask(load_saved: Callable[..., Any]) -> None:
    """Ask for every answer; what Python raises is reported where the file is read in earnest."""
    path, trusted, rows = pickle.load(sys.stdin.buffer)  # noqa: S301 - of our own process
    made = _ended_well(load_saved, path, trusted, lambda line: None)
    if any(hasattr(type(part), "reads_images") for part in everything(made)):
        rows = _without_files(rows)
    for name in ASKED:
        _ended_well(methodcaller(name, rows), made)
    os._exit(0)


def _without_files(rows: Any) -> Any:
    """Rows whose texts name no file: which of these may be opened is found out later."""
    frame = pd.DataFrame(rows).map(
        lambda cell: (
            PICTURE
            if isinstance(cell, str) and os.path.isfile(cell)  # noqa: PTH113 - any text, however long
            else cell
        )
    )
    return frame if isinstance(rows, pd.DataFrame) else frame.to_numpy()


def _ended_well(call: Callable[..., Any], *given: Any) -> Any:
    try:
        return call(*given)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception:
        return None
