"""A process of its own: old models are built, and compared with what they answered there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import joblib
import numpy as np
import pandas as pd

from onnxlet.convert.build import build
from onnxlet.convert.errors import Refusal, SourceFailed
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.convert.sources.source import load_source

TOLERANCE = 1e-5  # as in every build
MODULE = "tools.evaluation.old_models.judging"
TIMES = 15  # that one row is asked


def run(command: Sequence[Any]) -> str:
    """What a program of ours prints, which computes in one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(  # noqa: S603 - our own programs
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def judged_apart(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """What came of models, in a process of its own."""
    lines = run([sys.executable, "-W", "ignore", "-m", MODULE, *paths]).splitlines()
    return [json.loads(line) for line in lines]


def loads_today(path: Path) -> bool:
    """Whether the installed scikit-learn reads the file at all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            joblib.load(path)
    except Exception:  # whatever reading raises
        return False
    return True


def judged(path: Path) -> dict[str, Any]:
    """Whether a model is served, and as it answered where it was fitted; and why not."""
    result: dict[str, Any] = {"model": path.stem, "loads": loads_today(path)}
    notes: list[str] = []
    result["notes"] = notes
    try:
        with TemporaryDirectory() as folder:
            source = load_source(str(path), path.with_suffix(".csv"), report=notes.append)
            built = build(source, "m", Path(folder), lambda line: None)
            model = ProvenModel(built.directory, "m", built.version, built.manifest)
            differing = _differing(model, path)
            result["milliseconds"] = _one_row(model, path)
    except (Refusal, SourceFailed) as error:
        return {**result, "result": "refused", "why": str(error)[:600]}
    except Exception as error:
        return {**result, "result": "traceback", "why": f"{type(error).__name__}: {error}"[:300]}
    return {**result, "result": "differs" if differing else "served", "why": differing}


def _differing(model: Any, path: Path) -> str:
    """What of the served answers differs from those of the file's own scikit-learn."""
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
        expected = dict(file)
    got = model.answer(_rows(path))
    return str(compared(expected, got))


def _rows(path: Path) -> pd.DataFrame:
    """The rows that are asked; versions of pandas differ in the last digit that they read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 3.1 reads so by itself, and warns of the argument
        return pd.read_csv(path.with_suffix(".rows.csv"), float_precision="round_trip")


def _one_row(model: Any, path: Path) -> float:
    """Milliseconds that one row takes, from a request's objects to the answer as text and back."""
    taken = []
    for row in json.loads(_rows(path).head(TIMES).to_json(orient="records")):
        begun = perf_counter()
        model.answer([row])
        taken.append(1000 * (perf_counter() - begun))
    return median(taken)


def compared(expected: dict[str, Any], got: dict[str, Any]) -> str:
    """In words, how answers differ by more than the tolerance; '' where they do not."""
    tied = np.zeros(len(expected["prediction"]), dtype=bool)
    if (known := expected.get("probabilities")) is not None:
        off = np.abs(known - np.asarray(got["probabilities"]))
        if off.max() > TOLERANCE:
            return f"probabilities by {off.max():.2g} on {int((off > TOLERANCE).any(1).sum())} rows"
        highest = np.sort(known, axis=1)[:, -2:]
        tied = highest[:, 1] - highest[:, 0] <= TOLERANCE
    said, made = expected["prediction"], np.asarray(got["prediction"])
    if said.dtype.kind == "f":
        off = np.abs(said - made.reshape(said.shape)) / np.maximum(np.abs(said), 1)
        return f"prediction by {off.max():.2g}" if off.max() > TOLERANCE else ""
    wrong = int(((said.astype(str) != made.astype(str)) & ~tied).sum())
    return f"prediction on {wrong} rows" if wrong else ""


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(judged(Path(name))), flush=True)
