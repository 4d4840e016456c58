"""One caught estimator: is it served, and equal to scikit-learn?

Its own rows are asked in the frame that the example has them in, and made rows that no build has
seen.
"""

from __future__ import annotations

import json
import re
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from onnxlet.convert.build import Built, build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.comparison import answering, compare
from onnxlet.convert.parity.rounding import forgive_rounding
from onnxlet.convert.reference.answers import Answers, task_of
from onnxlet.convert.reference.estimators import one_threaded
from onnxlet.convert.reference.inputs import Cells, read_inputs
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.reference.row_forms import as_pandas
from onnxlet.convert.sources.source import Source
from onnxlet.convert.spacing import spaced_indices
from onnxlet.function import json_text
from onnxlet.function.errors import InvalidRows, OnnxletError
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model, load_model
from tools.evaluation.harvest.catching import Caught
from tools.evaluation.harvest.made_rows import made_rows

HELD_OUT = 200  # rows
Result = Literal[
    "example", "served", "refused", "transductive", "not built in time", "differs", "traceback"
]
NOTHING_TO_SERVE = re.compile("has neither predict nor transform|for new rows")


@dataclass(frozen=True)
class Judged:
    """What came of a model."""

    example: str  # the script that fitted it
    shown: str  # its classes
    result: Result
    detail: str  # the reason of a refusal, the first difference, or the end of a traceback
    seconds: float = 0.0  # that its build took

    def json(self) -> str:
        """As a line of a file."""
        return json.dumps(asdict(self))


def judged(caught: Caught, example: str) -> Judged:
    """Build a model, and compare the built one with scikit-learn."""
    warnings.simplefilter("ignore")
    caught = replace(caught, X=as_pandas(caught.X))
    start = time.process_time()
    with TemporaryDirectory() as folder:
        try:
            some = _held_out(caught.X)
            built = build(Source(caught.estimator, some), "m", Path(folder), lambda line: None)
            seconds = time.process_time() - start
            found = _differing(caught, some, built, own=True)
            found = found or _differing(caught, made_rows(caught.X), built)
        except OnnxletError as error:
            seconds = time.process_time() - start
            nothing = isinstance(error, Refusal) and NOTHING_TO_SERVE.search(error.message)
            result: Result = "transductive" if nothing else "refused"
            return Judged(example, caught.shown, result, f"{error.message} | {error.hint}", seconds)
        except Exception:  # of ours: that is what is looked for
            said = " < ".join(traceback.format_exc(limit=-4).splitlines()[::-1])
            return Judged(example, caught.shown, "traceback", said)
    return Judged(example, caught.shown, "differs" if found else "served", found, seconds)


def _held_out(X: Any) -> Any:
    indices = spaced_indices(X.shape[0] if hasattr(X, "shape") else len(X), HELD_OUT)
    X = X.tocsr() if hasattr(X, "tocsr") else X
    if hasattr(X, "iloc"):
        return X.iloc[indices]
    return [X[i] for i in indices] if isinstance(X, list | tuple) else X[indices]


def _differing(caught: Caught, data: Any, built: Built, own: bool = False) -> str:
    """The first difference on rows that both answer; empty where there is none.

    Of the example's own rows scikit-learn is asked as they are.
    """
    model, reference = load_model(built.directory), _reference(caught, built)
    inputs, X = read_inputs(data)
    narrow = Reference(reference.estimator, reference.task, inputs)
    reference = narrow.in_float64() if reference.wide else narrow
    rows = inputs.rows(X) if own else _answered(model, inputs.rows(X))
    if own and not reference.wide:
        expected = reference.answers_to(data)
    else:
        found, expected = reference.answers_where_answered(rows)
        rows = [row for row, is_one in zip(rows, found, strict=True) if is_one]
    if not rows:
        return ""
    golden = json_text.loads((built.directory / "golden.json").read_bytes())
    floors = {name: np.asarray(floor) for name, floor in golden["floors"].items()}
    comparison = compare(
        answering(model), reference.task, rows, expected, floors
    )  # as the build was judged
    in_float64 = reference.in_float64() if reference.precision == "float32" else None
    evidence = Evidence(rows, expected, 0, drawn=len(rows))
    forgive_rounding(comparison, answering(model), evidence, reference, in_float64)
    if comparison.passed:
        return ""
    if in_float64 is not None and _is_as_exact(model, rows, expected, in_float64):
        return ""
    name, off = max(comparison.outputs.items(), key=lambda item: len(item[1].wrong))
    row = off.wrong[0]
    largest, least = float(np.nanmax(off.absolutes)), float(np.nanmax(off.relatives))
    return (
        f"{name} differs on {len(off.wrong)} of {len(rows)} rows by up to {largest:.3g} (relative "
        f"{least:.3g}); row {row}: expected "
        f"{np.asarray(expected[name][row]).tolist()}, got {off.got.get(row)} at {rows[row]}"
    )[:1500]


def _is_as_exact(
    model: Model, rows: Sequence[Cells], expected: Answers, in_float64: Reference
) -> bool:
    """Whether what is served in float32 lies as near to the answers in float64 as scikit-learn's.

    Sums of thousands of float32 lose digits in both, in an order of their own: row by row, the
    answers may be twice as far off as scikit-learn's own are, over all columns.
    """
    exact, got = in_float64.answers(rows), model.run(validate_rows(rows, model.signature))
    for name, theirs in expected.items():
        if theirs.dtype.kind != "f":
            if (got[name] != theirs).any():
                return False
            continue
        ours_off, theirs_off = (
            np.abs(answers.reshape(len(rows), -1) - exact[name].reshape(len(rows), -1)).max(axis=1)
            for answers in (got[name], theirs)
        )
        unit = np.finfo(np.float32).eps * np.abs(exact[name]).max()
        if not (ours_off <= 2 * np.maximum(theirs_off, unit)).all():
            return False
    return True


def _reference(caught: Caught, built: Built) -> Reference:
    estimator = one_threaded(caught.estimator)
    inputs, _ = read_inputs(_held_out(caught.X))
    made = Reference(estimator, task_of(estimator), inputs)
    return made.in_float64() if built.manifest["parity"]["reference"] != made.precision else made


def _answered(model: Model, rows: Sequence[Cells]) -> list[Cells]:
    """The rows that the model does not refuse."""
    answered = []
    for row in rows:
        try:
            model.run(validate_rows([row], model.signature))
        except InvalidRows:
            continue
        answered.append(row)
    return answered
