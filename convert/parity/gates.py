"""The gates at the two ends of a search: what no converter knows, and X_test's own rows.

A pipeline with a step that has no converter is refused before its estimator is asked anything.
Asking is what takes long: for UMAP's rows it is minutes.

In the end X_test as its user holds it is compared with the model as it will be served. Evidence is
asked in frames made of requests' cells: what these lose of a test set, both sides would lose. Here
the answers are those to the user's own frame, and its cells have gone through JSON.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from skl2onnx._supported_operators import sklearn_operator_name_map
from sklearn.pipeline import Pipeline

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.graph.converter import Graph, Table, Unsupported
from onnxlet.convert.graph.fallback import fallback
from onnxlet.convert.parity.attempts import SearchState
from onnxlet.convert.parity.refusals import FailedRecipe, differences_in_words, no_conversion
from onnxlet.convert.parity.rounding import too_many_forgiven
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import spaced_indices
from onnxlet.function import json_text
from onnxlet.function.arrays import EXACT, Array
from onnxlet.function.models.model import Model


def refuse_what_has_no_converter(estimator: Any) -> None:
    """Raise NoConversion for an estimator, or a step of a pipeline, whose class no one knows."""
    graph = Graph("float64", converters(), fallback)
    for path, step in _steps(estimator, ()):
        try:
            known = graph.knows(type(step)) or type(step) in sklearn_operator_name_map
            if known or _is_users_own(type(step)):
                continue
            fallback(graph, step, Table(()))
        except Unsupported as error:
            names = " > ".join((*path, type(step).__name__))
            failed = FailedRecipe("", f"step {names}: {error}", error.hint, error)
            raise no_conversion(type(estimator).__name__, [failed]) from error


def _is_users_own(kind: type) -> bool:
    """Whether it is of no installed package: asking such a class may show a better reason."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and "site-packages" not in file


def _steps(estimator: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All steps that are no pipelines, each with the pipelines that lead to it."""
    if type(estimator) is not Pipeline:
        yield path, estimator
        return
    for _, step in estimator.steps:
        if step is not None and not isinstance(step, str):
            yield from _steps(step, (*path, type(estimator).__name__))


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
