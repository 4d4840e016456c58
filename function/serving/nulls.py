"""Answers where rows that can't be answered are null, and do not lose the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from onnxlet.function.arrays import Array, Noted
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.validation import LeftOut, Table
from onnxlet.function.messages import Prediction, PredictRequest
from onnxlet.function.models.model import Model
from onnxlet.function.serving.stages import StageTimer


def predict(
    model: Model,
    request: PredictRequest,
    timer: StageTimer,
    request_id: str,
    noted: Noted | None,
    read: Callable[[LeftOut], Table],
    run: Callable[[Table], dict[str, Array]],
) -> Prediction:
    """Leave out the rows that can't be answered, and say why.

    Args:
        model: that answers.
        request: decoded.
        timer: of its stages.
        request_id: of the answer.
        noted: takes what is counted of texts and images.
        read: gives the rows that can be answered, and leaves out the others.
        run: answers them.
    """
    rows, left_out = len(request.rows), LeftOut()
    table, outputs = read(left_out), dict[str, Array]()
    kept, problems, count = left_out.kept, left_out.problems.first, left_out.problems.count
    while table.rows:
        try:
            outputs = run(table)
            break
        except InvalidRows as error:  # raised for by the model itself
            bad = {each.row for each in error.every}
            problems += [each._replace(row=kept[each.row or 0]) for each in error.every]
            count += len(error.every)
            if noted is not None:
                noted.clear()
            good = [row for row in range(table.rows) if row not in bad]
            kept = [kept[row] for row in good]
            table = Table(len(good), [array[good] for array in table.arrays])
    timer.end("run")
    if not problems:
        return Prediction(request_id, model, table, outputs, rows, noted=noted or {})
    spread = {
        output.name: _spread(outputs.get(output.name), kept, rows)
        for output in model.signature.outputs
    }
    problems.sort(key=lambda problem: problem.row or 0)
    shares = noted or {}
    return Prediction(request_id, model, table, spread, rows, problems, count, outputs, shares)


def _spread(answered: Array | None, kept: Sequence[int], rows: int) -> Array:
    """Answers at their rows' indices, None elsewhere.

    They stay NumPy's own, so that a float32 is written with as few digits as it is otherwise.
    """
    whole = np.full(rows, None, dtype=object)  # JSON's null, which floats have no value for
    if answered is not None:
        for row, entry in zip(kept, answered, strict=True):
            whole[row] = entry
    return whole
