"""Choosing golden rows at build time, and verifying a model directory by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array
from onnxlet.function.errors import ModelError
from onnxlet.function.explanation.background import FILE as BACKGROUND
from onnxlet.function.explanation.background import background
from onnxlet.function.models.model import Model
from onnxlet.function.serving.golden import floor_of, load_proven

if TYPE_CHECKING:
    from onnxlet.convert.reference.answers import Answers
    from onnxlet.convert.reference.inputs import Cells

GOLDEN_ROWS = 24
MOST_CHARACTERS = 2_000_000  # of text in them


def choose_golden(
    rows: Sequence[Cells],
    expected: Answers,
    doubtful: Array,
    floors: Mapping[str, float | Array] | None = None,
) -> dict[str, Any]:
    """Evenly spaced rows whose label is beyond doubt, with scikit-learn's answers.

    Rows are doubtful, bool (rows,), whose answer could be another. The floors of each output of
    numbers are those that the conversion was compared with; by the size of these answers if not
    given.
    """
    from onnxlet.convert.parity.comparison import TOLERANCE  # to verify takes no scikit-learn

    sure = ~doubtful
    for array in expected.values():
        if array.dtype.kind == "f":
            sure &= np.isfinite(array).reshape(len(array), -1).all(axis=1)
    chosen = _fitting(rows, np.flatnonzero(sure).tolist())
    return {
        "tolerance": TOLERANCE,
        "instances": [rows[row] for row in chosen],
        "answers": {name: array[chosen].tolist() for name, array in expected.items()},
        "floors": {
            name: np.asarray((floors or {}).get(name, floor_of(name, array))).tolist()
            for name, array in expected.items()
            if array.dtype.kind == "f"
        },
    }


def _fitting(rows: Sequence[Cells], sure: Sequence[int]) -> list[int]:
    """Evenly spaced ones; where these hold much, as images do, the smallest ones that fit."""
    size = {row: sum(len(cell) for cell in rows[row] if isinstance(cell, str)) for row in sure}
    chosen = evenly_spaced(sure, GOLDEN_ROWS)
    if sum(size[row] for row in chosen) <= MOST_CHARACTERS:
        return chosen
    smallest = sorted(sure, key=size.__getitem__)[:GOLDEN_ROWS]
    ends = np.cumsum([size[row] for row in smallest])
    fitting = max(1, int(np.searchsorted(ends, MOST_CHARACTERS, side="right")))
    return sorted(smallest[:fitting])


def verify(directory: Path) -> tuple[Model, int]:
    """Check the hashes of a model directory, replay its golden rows, answer its background.

    Returns the model, and how many golden rows it answered. Raises ModelError where a file is
    altered or missing, or an answer is not scikit-learn's.
    """
    model, rows, faults = load_proven(directory)
    if faults:
        whose = "as they were" if model.manifest["task"] == "function" else "scikit-learn's"
        raise ModelError(
            f"model {model.name}/{model.version}: {len(faults)} answers are not {whose}: "
            f"{'; '.join(faults[:3])}",
            "This machine or its ONNX Runtime computes differently from the one that built it.",
        )
    if BACKGROUND in model.manifest["files"]:
        background(model)
    return model, rows
