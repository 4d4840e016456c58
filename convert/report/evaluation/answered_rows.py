"""All test rows with what was true, what the function answers, and their error, as a CSV file.

It is somebody's data: it lies beside the model, no bundle has it and no server sends it.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxlet.convert.report.evaluation.errors import errors
from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.function.arrays import Array
from onnxlet.function.errors import NotCalibrated
from onnxlet.function.models.coverage import table_of
from onnxlet.function.serving.options import region, score_at

COVERAGE = 0.9
DIGITS = 6  # significant ones, of what the model says


def answered_rows(case: Evaluation) -> bytes | None:
    """The file's bytes, a line for each measured row in the order of the user's own table.

    With the row's place come its truth, answer, probability (the positive label's of two, else the
    answer's) or interval, error, and its cells but for images. It is written with semicolons and
    decimal commas where the table has these. None where an answer has several outputs.
    """
    if case.outputs > 1:
        return None
    comma = case.measured.decimal == "comma"
    columns = {**_answers(case), **_cells(case)}
    written = io.StringIO()
    writer = csv.writer(written, delimiter=";" if comma else ",", lineterminator="\n")
    writer.writerow(columns)
    places = next(iter(columns.values()))
    for row in np.argsort(places, kind="stable").tolist():
        writer.writerow([_text(values[row], comma) for values in columns.values()])
    # A spreadsheet that takes decimal commas would read another encoding.
    return codecs.BOM_UTF8 * comma + written.getvalue().encode("utf-8", "backslashreplace")


def _answers(case: Evaluation) -> dict[str, Any]:
    """What is known of each row beside its cells, by names that none of its columns has."""
    places, truth, answered = case.measured.places, case.truth, case.answered
    labels = case.task != "regression"

    def said(values: Array) -> Any:
        return [truth.labels[value] for value in values.tolist()] if labels else values

    columns: dict[str, Any] = {
        "row from 0" if places is None else places.unit: (
            case.rows if places is None else places.at(case.rows).numbers
        ),
        "truth": said(truth.values),
        "answer": said(answered.prediction) if labels else _rounded(answered.prediction),
        **{name: _rounded(values) for name, values in _sure(case)},
        "error": _rounded(errors(case)[0]),
    }
    taken = {column.name for column in case.columns}
    return {f"{name} (model)" if name in taken else name: v for name, v in columns.items()}


def _sure(case: Evaluation) -> Iterator[tuple[str, Array]]:
    """How sure each answer is: a probability, or the ends of an interval."""
    answered, model = case.answered, case.model
    if case.task == "binary" and answered.probabilities is not None:
        yield f"probability of {case.positive}", answered.probabilities[:, case.truth.positive]
    elif answered.probabilities is not None:
        rows = np.arange(len(answered.prediction))
        yield "probability", answered.probabilities[rows, answered.prediction]
    elif case.task == "regression" and table_of(model.manifest):
        try:
            outputs = {"prediction": answered.prediction}
            _, ends = region(model, score_at(model, COVERAGE), outputs)
        except (NotCalibrated, KeyError):  # of too few rows; or made of an output, std
            return
        yield "low", ends[:, 0]
        yield "high", ends[:, 1]


def _cells(case: Evaluation) -> dict[str, list[Any]]:
    """The rows as clients send them, by column, without images."""
    return {
        column.name: [row[at] for row in case.cells]
        for at, column in enumerate(case.columns)
        if not column.image
    }


def _rounded(values: Array) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]


def _text(value: Any, comma: bool) -> Any:
    """A cell of the file; "" for what is missing."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        text = (
            str(int(value)) if value.is_integer() and abs(value) < 1e15 else float.__repr__(value)
        )
        return text.replace(".", ",") if comma else text
    return ("true" if value else "false") if isinstance(value, bool) else value
