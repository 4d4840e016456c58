"""What a client's test is given: where the server is, rows, and the native answers to them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

GIVEN: dict[str, Any] = json.loads(Path(os.environ["ONNXLET_GIVEN"]).read_text())
ADDRESS: str = GIVEN["address"]  # host:port
DEFAULT: str = GIVEN["default"]  # the model that is meant where a request names none
ROWS: dict[str, list[Any]] = GIVEN["rows"]  # by model
ANSWERS: dict[str, dict[str, Any]] = GIVEN["answers"]  # by model, of the native protocol
OUTPUTS = ("prediction", "probabilities")  # those of them that are tensors in version 2
MODELS = sorted(ROWS)


def tensors(model: str) -> dict[str, np.ndarray[Any, Any]]:
    """A model's rows as version 2's inputs: one array, or one for each column.

    Numbers with some missing are floats and NaN; text that is missing is None.
    """
    rows = ROWS[model]
    if isinstance(rows[0], list):
        return {"input": np.array(rows)}
    return {name: _column([row[name] for row in rows]) for name in rows[0]}


def _column(cells: list[Any]) -> np.ndarray[Any, Any]:
    if any(isinstance(cell, str) for cell in cells):
        return np.array(cells, dtype=object)
    return np.array([np.nan if cell is None else cell for cell in cells])


def outputs(model: str) -> dict[str, Any]:
    """The native answer's parts that version 2 has as outputs."""
    return {name: ANSWERS[model][name] for name in OUTPUTS if name in ANSWERS[model]}
