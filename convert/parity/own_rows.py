"""The last gate: X_test as its user holds it, against the model as it will be served.

Evidence is asked in frames that are made of requests' cells. What these lose of a test set (digits,
a dtype that steps look at) both sides of a comparison would lose, and be equal. Here the expected
answers are those to the user's own frame, and the cells have gone through JSON.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.attempts import SearchState
from onnxlet.convert.parity.refusals import differences_in_words
from onnxlet.convert.parity.rounding import too_many_forgiven
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import spaced_indices
from onnxlet.function import json_text
from onnxlet.function.models.model import Model


def refuse_other_answers(
    model: Model, state: SearchState, X_test: Any, rows: Sequence[Cells], answers: Answers
) -> None:
    """Compare what the model answers to X_test's rows with what scikit-learn answers to X_test.

    Args:
        model: as it will be served.
        state: whose reference and columns it was found with.
        X_test: as the estimator takes it.
        rows: some of its rows, evenly spaced, in signature order.
        answers: the estimator's to all of X_test.

    Raises:
        Refusal: they differ, though all evidence was equal.
    """
    if state.reference.wide:
        answers = state.reference.answers_to(_in_float64(X_test))
    some = spaced_indices(len(answers["prediction"]), len(rows))
    own = {name: array[some] for name, array in answers.items()}
    evidence = Evidence([_through_json(row) for row in rows], own, len(rows))
    comparison, _ = state.compared(model, evidence)
    forgiven = too_many_forgiven(comparison, evidence, 1)
    if comparison.passed and not forgiven:
        return
    shown = f"{forgiven} would have to be forgiven"
    if not comparison.passed:
        shown = differences_in_words(comparison, evidence, state.columns)
    raise Refusal(
        f"X_test's own rows are answered differently once a request carries them: {shown}",
        "A request has 64-bit numbers, booleans and text, one row at a time: give X_test such "
        "columns, of int64, float64, bool or object, and fit the estimator on the same.",
    )


def _through_json(row: Cells) -> Cells:
    """The row as a server reads it; infinities, for which JSON has no form, as they are."""
    if any(type(cell) is float and math.isinf(cell) for cell in row):
        return row
    read: Cells = json_text.loads(json_text.dumps(row))
    return read


def _in_float64(X: Any) -> Any:
    """The same rows with what is in float32 in float64."""
    if isinstance(X, pd.DataFrame):
        return X.astype({c: np.float64 for c, kind in X.dtypes.items() if kind == np.float32})
    return np.asarray(X).astype(np.float64) if getattr(X, "dtype", None) == np.float32 else X
