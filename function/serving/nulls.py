"""Answers where rows that can't be answered are null, and do not lose the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxlet.function.arrays import Array, Noted
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.validation import LeftOut, Table
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.serving.stages import StageTimer


def predict(
    model: Model,
    table: Table,
    left_out: LeftOut,
    rows: int,
    timer: StageTimer,
    request_id: str,
    noted: Noted | None,
) -> Prediction:
    """Answer the good rows of a request, with None and the reasons for the others.

    Args:
        model: that answers.
        table: the rows that are right so far.
        left_out: the others.
        rows: how many there are in all.
        timer: of the stages.
        request_id: of the answer.
        noted: takes what is counted of texts and images.
    """
    table, outputs = run_the_good(model, table, left_out, noted)
    kept, problems, count = left_out.kept, left_out.problems.first, left_out.problems.count
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


def run_the_good(
    model: Model, table: Table, left_out: LeftOut, noted: Noted | None = None
) -> tuple[Table, dict[str, Array]]:
    """Run a checked batch, without the rows that the model itself raises for.

    Args:
        model: that answers.
        table: the batch.
        left_out: what is left out of it already; takes those rows, and why.
        noted: takes what is counted of texts and images.

    Returns:
        The rows that were answered, and the outputs; no outputs where no row is left.
    """
    while table.rows:
        try:
            return table, model.run(table) if noted is None else model.run(table, noted=noted)
        except InvalidRows as error:
            good = left_out.leave(error.every)
            if noted is not None:
                noted.clear()
            table = Table(len(good), [array[good] for array in table.arrays])
    return table, {}


def _spread(answered: Array | None, kept: Sequence[int], rows: int) -> Array:
    """Answers at their rows' indices, None elsewhere.

    They stay NumPy's own, so that a float32 is written with as few digits as it is otherwise.
    """
    whole = np.full(rows, None, dtype=object)  # JSON's null, which floats have no value for
    if answered is not None:
        for row, entry in zip(kept, answered, strict=True):
            whole[row] = entry
    return whole
