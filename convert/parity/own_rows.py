"""The last gate: X_test as its user holds it, against the model as it will be served.

Evidence is asked in frames made of requests' cells: what these lose of a test set, both sides would
lose. Here the answers are those to the user's own frame, and its cells have gone through JSON.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.attempts import SearchState
from onnxlet.convert.parity.refusals import differences_in_words
from onnxlet.convert.parity.rounding import too_many_forgiven
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import spaced_indices
from onnxlet.function import json_text
from onnxlet.function.arrays import EXACT, Array
from onnxlet.function.models.model import Model


def refuse_other_answers(
    model: Model, state: SearchState, rows: Sequence[Cells], answers: Answers
) -> None:
    """Raise Refusal where a model answers X_test's rows otherwise than scikit-learn does X_test.

    The rows are some of X_test, evenly spaced; the answers are the estimator's to all of X_test, as
    its user has it.
    """
    some = spaced_indices(len(answers["prediction"]), len(rows))
    known = state.evidence.expected
    own = {name: _as_compared(array[some], known[name]) for name, array in answers.items()}
    if state.reference.wide:  # which the user's own answers are only near to
        own = state.reference.answers(rows)
    evidence = Evidence([_through_json(row) for row in rows], own, len(rows))
    comparison, _ = state.compared(model, evidence)
    forgiven = too_many_forgiven(comparison, evidence, 1)
    shown = forgiven and f"{forgiven} would have to be forgiven"
    if not comparison.passed:
        shown = differences_in_words(comparison, evidence, state.columns)
    if not shown:
        return
    raise Refusal(
        f"X_test's own rows are answered differently once a request carries them: {shown}",
        "A request has 64-bit numbers, booleans and text, one row at a time: give X_test such "
        "columns, and fit the estimator on the same.",
    )


def _as_compared(own: Array, known: Array) -> Array:
    """Whole numbers as floats where a gap makes these of them, unless they lose digits by that."""
    if known.dtype.kind != "f" or own.dtype.kind not in "biuO":
        return own
    floats = own.astype(np.float64)
    return own if np.abs(floats).max(initial=0, where=np.isfinite(floats)) > EXACT else floats


def _through_json(row: Cells) -> Cells:
    """The row as a server reads it; infinities, for which JSON has no form, as they are."""
    if any(type(cell) is float and math.isinf(cell) for cell in row):
        return row
    read: Cells = json_text.loads(json_text.dumps(row))
    return read
