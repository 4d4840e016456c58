"""All test rows with what was true, what the function answers, and their error, as a CSV file.

It is somebody's data: it lies beside the model, no bundle has it and no server sends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pandas as pd

from onnxlet.convert.report.evaluation.errors import errors
from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.function.arrays import Array
from onnxlet.function.errors import NotCalibrated
from onnxlet.function.models.example import table_of
from onnxlet.function.serving.options import region, score_at

COVERAGE = 0.9
DIGITS = 6  # significant ones, of what the model says


def answered_rows(case: Evaluation) -> bytes | None:
    """The file's bytes, a line for each measured row in the order of the user's own table.

    With the row's place come its truth, answer, probability (the positive label's of two, else the
    answer's) or interval, error, and its cells but for images. It is written with semicolons, and
    with decimal commas, where the table has these. None where an answer has several outputs.
    """
    if case.outputs > 1:
        return None
    cells = pd.DataFrame(case.cells, columns=[column.name for column in case.columns])
    cells = cells.drop(columns=[column.name for column in case.columns if column.image])
    answers = pd.DataFrame({f"{n} (model)" if n in cells else n: v for n, v in _answers(case)})
    found = pd.concat([answers, cells], axis=1).sort_values(str(answers.columns[0]))
    if mark := case.measured.decimal:  # a spreadsheet would read another encoding, too
        text = found.to_csv(index=False, sep=";", decimal="," if mark == "comma" else ".")
        return text.encode("utf-8-sig", "replace")
    return found.to_csv(index=False).encode("utf-8", "replace")


def _answers(case: Evaluation) -> Iterator[tuple[str, Array]]:
    """What is known of each row beside its cells, by name."""
    places, truth, answered, model = case.measured.places, case.truth, case.answered, case.model
    if places is None:
        yield "row from 0", case.rows
    else:
        yield places.unit, places.at(case.rows).numbers
    for name, values in (("truth", truth.values), ("answer", answered.prediction)):
        labels = case.task != "regression"
        yield name, np.array(truth.labels, dtype=object)[values] if labels else values
    if answered.probabilities is not None:
        two = case.task == "binary"
        of = np.full(len(case.rows), truth.positive) if two else answered.prediction
        name = f"probability of {case.positive}" if two else "probability"
        yield name, _rounded(answered.probabilities[np.arange(len(of)), of])
    elif case.task == "regression" and table_of(model.manifest):
        with suppress(NotCalibrated, KeyError):  # of too few rows; or made of an output, std
            outputs = {"prediction": answered.prediction}
            _, ends = region(model, score_at(model, COVERAGE), outputs)
            yield from zip(("low", "high"), _rounded(ends).T, strict=True)
    yield "error", _rounded(errors(case)[0])


def _rounded(values: Array) -> Array:
    return np.array([float(f"{value:.{DIGITS}g}") for value in values.flat]).reshape(values.shape)
