"""Marks, or refuses, rows that are unlike those that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, ModelError, NotCalibrated, Problem
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.nested import packed, spread
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.messages import Prediction, PredictRequest
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.compared import Found
from onnxlet.function.monitoring.unusual import MISSING, UNSEEN, Comparison

MEMBER = "unusual"  # of a manifest, and of answers
REGIONS = ("interval", "set")  # outputs that hold for rows like the training rows
AGAIN = "Build it again, with at least 20 held-out rows."
COMPARISONS: WeakKeyDictionary[Model, Comparison] = WeakKeyDictionary()  # made once


def comparison_of(model: Model) -> Comparison:
    """What a model's rows are compared with; made once.

    Raises NotCalibrated where its build has nothing, ModelError where the manifest was edited.
    """
    if model not in COMPARISONS:
        if not model.manifest.get(MEMBER):
            lacking = "was built without what rows are compared with"
            raise NotCalibrated(f"'unusual': model '{model.name}' {lacking}", AGAIN)
        try:
            COMPARISONS[model] = Comparison(model.manifest, model.signature)
        except (LookupError, TypeError, ValueError, AttributeError) as error:  # it was edited
            message = f"model {model.name}/{model.version}: manifest.json: 'unusual' can't be read"
            raise ModelError(message, AGAIN) from error
    return COMPARISONS[model]


def as_set(request: PredictRequest, model: Model, refusing: bool) -> PredictRequest:
    """The request as ONNXLET_UNUSUAL has it; as it is to a model that has no comparison."""
    if not model.manifest.get(MEMBER):
        return request
    if refusing:
        return request._replace(refusing=comparison_of(model), unusual=request.unusual or False)
    return request if request.unusual is not None else request._replace(unusual=True)


def marked(prediction: Prediction, comparison: Comparison) -> Prediction:
    """A prediction with what is unusual of each row beside its outputs.

    An unusual row has neither interval nor set, and `withheld` says which: they hold for rows like
    those that the model has seen.
    """
    found = comparison.of(prediction.table)
    unanswered = {problem.row for problem in prediction.problems}
    kept = [row for row in range(prediction.rows) if row not in unanswered]
    outputs = dict(prediction.outputs)
    every = spread(found, kept, prediction.rows)
    for name in REGIONS:
        if name in outputs and prediction.coverage is not None:
            outputs[name] = withheld(outputs[name], every, name)
    return prediction._replace(outputs=outputs | {MEMBER: every}, unusual=found)


def withheld(region: Array, found: Array, name: str) -> Array:
    """Intervals or sets, rows first, with None for unusual rows, of which each says so.

    `found` has these, or None, in an object array of shape (rows,).
    """
    if all(row is None for row in found):
        return region
    for row in found:
        if row is not None:
            row["withheld"] = name
    return packed([r if row is None else None for r, row in zip(region, found, strict=True)])


def refused(table: CheckedBatch, comparison: Comparison, left_out: LeftOut | None) -> CheckedBatch:
    """The rows of a batch that are not unusual.

    `left_out` takes the others; None has the batch refused: InvalidRows with each row and column.
    """
    if not table.rows:
        return table
    problems = [
        problem
        for row, about in enumerate(comparison.of(table))
        if about is not None
        for problem in _problems(row, about)
    ]
    if not problems:
        return table
    if left_out is None:
        raise InvalidRows(problems)
    good = left_out.leave(problems)
    return CheckedBatch(len(good), [array[good] for array in table.arrays])


def _problems(row: int, about: Found) -> Iterator[Problem]:
    for name, column in about["columns"].items():
        yield Problem(row, name, described(column))
    if not about["columns"]:
        score, share = about["score"], about["share"]
        detail = f"its score is {score}, which at most {share:.1%} of training rows exceed"
        yield Problem(row, None, f"unlike the training rows as a whole: {detail}")


def described(column: Mapping[str, Any]) -> str:
    """What is outside in a column, and what is usual there, in words without the value itself."""
    why, usual = column["outside"], column["usual"]
    if why == MISSING:
        return "missing, as in no training row"
    known = ", ".join(map(str, usual))
    if why == UNSEEN:
        return "a category of no training row" + f": frequent are {known}" * bool(usual)
    ranged = f": nine of ten have {' to '.join(map(str, usual))}" if usual else ""
    return f"{why} all training rows{ranged}"
