"""Validate a request's rows and run them, with the options that it has."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from onnxlet.function.arrays import Array, Cells, LateArrays, LateOutputs, Noted
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs import nested
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.tensors import read_tensors
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.messages import Prediction, PredictRequest
from onnxlet.function.models.model import Model

if TYPE_CHECKING:
    from onnxlet.function.inputs.batches import LeftOut

BEGIN = ""  # where the first stage begins
Marks = dict[str, float]  # when each stage of a request ended, in order, by time.perf_counter


def durations(marks: Marks) -> dict[str, float]:
    """Milliseconds that each stage took, to microseconds."""
    found, since = dict[str, float](), marks[BEGIN]
    for stage, ended in marks.items():
        found[stage] = int((ended - since) * 1e6) / 1e3  # round is slow
        since = ended
    del found[BEGIN]
    return found


def predict(
    model: Model,
    request: PredictRequest,
    marks: Marks | None = None,
    request_id: str = "",
    noted: Noted | None = None,
) -> Prediction:
    """Validate a decoded request's rows and run them; golden rows are replayed through it, too.

    `noted` takes what is counted of texts and images. Raises InvalidRows with every problem,
    located; NotCalibrated and NoNeighbours where the model has not what is asked for, or does not
    answer the number of options.
    """
    marks = {} if marks is None else marks
    if request.unusual:
        from onnxlet.function.serving import unusual  # most requests ask for none

        comparison = unusual.comparison_of(model)
        plain = predict(model, request._replace(unusual=None), marks, request_id, noted)
        return unusual.marked(plain, comparison)
    if request.k is not None:
        from onnxlet.function.serving import options  # most requests ask for no number

        more = options.at_least(model, request.k)
        plain = predict(more, request._replace(k=None), marks, request_id, noted)
        return options.first(plain, model, request.k)
    if request.coverage is not None:
        from onnxlet.function.serving import options  # most requests ask for none

        score = options.scores_at(model, request.coverage)
        plain = predict(model, request._replace(coverage=None), marks, request_id, noted)
        outputs = options.beside(plain, score, request.wider)
        return plain._replace(outputs=outputs, coverage=request.coverage)
    left_out: LeftOut | None = None
    if request.nulls:
        from onnxlet.function.inputs.batches import LeftOut  # most requests lose no rows

        left_out = LeftOut()
    table = read(model, request, left_out)
    if request.refusing is not None:
        from onnxlet.function.serving import unusual

        table = unusual.refused(table, request.refusing, left_out)
    if left_out is not None:
        table, answered = run_the_good(model, table, left_out, noted)
        marks["run"] = time.perf_counter()
        return _with_nulls(
            Prediction(request_id, model, table, answered, len(request.rows), noted=noted or {}),
            left_out,
        )
    marks["validate"] = time.perf_counter()
    outputs = model.run(table, noted=noted)
    marks["run"] = time.perf_counter()
    return Prediction(request_id, model, table, outputs, table.rows, noted=noted or {})


def _with_nulls(prediction: Prediction, left_out: LeftOut) -> Prediction:
    """The answers of the good rows at their places, None and the reasons for the others."""
    problems, count = left_out.problems.first, left_out.problems.count
    if not problems:
        return prediction
    answered, rows = prediction.outputs, prediction.rows
    names = [output.name for output in prediction.model.signature.outputs]
    spread: Mapping[str, Array]
    if not answered:
        spread = LateOutputs(dict.fromkeys(names, Cells([None] * rows, (rows,), "object")))
    elif isinstance(answered, LateOutputs):
        kept = left_out.kept
        spread = LateOutputs({n: each.spread(kept, rows) for n, each in answered.cells.items()})
    else:
        spread = {name: nested.spread(answered[name], left_out.kept, rows) for name in names}
    problems.sort(key=lambda problem: problem.row or 0)
    return prediction._replace(
        outputs=spread, problems=problems, problem_count=count, answered=answered
    )


def run_the_good(
    model: Model, table: CheckedBatch, left_out: LeftOut, noted: Noted | None = None
) -> tuple[CheckedBatch, Mapping[str, Array]]:
    """Run a checked batch, without the rows that the model itself raises for.

    These go to `left_out`, with what is left out of the batch already. Returns the rows that were
    answered, and the outputs; no outputs where no row is left.
    """
    while table.rows:
        try:
            return table, model.run(table, noted=noted)
        except InvalidRows as error:
            good = left_out.leave(error.every)
            if noted is not None:
                noted.clear()
            if isinstance(table.arrays, LateArrays):
                table = CheckedBatch(len(good), table.arrays.chosen(good))
            else:
                table = CheckedBatch(len(good), [array[good] for array in table.arrays])
    return table, {}


def read(model: Model, request: PredictRequest, left_out: LeftOut | None = None) -> CheckedBatch:
    """A request's rows or tensors as the arrays of a model's signature.

    `left_out` takes the rows that are wrong, and why; None has them refused. Raises InvalidRows
    with every problem, located; UnsupportedMedia where there are images, and it takes none.
    """
    signature = model.signature
    if request.images:
        from onnxlet.function.protocols.shared import image_bodies  # decoding has imported it

        request = image_bodies.named(request, signature)
    if request.tensors is not None:
        return read_tensors(request.tensors, signature)
    if not request.text and request.names is None:
        return validate_rows(request.rows, signature, request.faults, left_out=left_out)
    if request.names is not None and not signature.names.issuperset(request.names):
        request = request._replace(names=signature.as_known(request.names))
    if request.text and request.names is not None:
        from onnxlet.function.csv import text as csv_text  # reading the CSV has imported it

        csv_text.check_header(request.names, signature)
    return validate_rows(
        request.rows, signature, request.faults, partial(_prepared, request, model), left_out
    )


def _prepared(
    request: PredictRequest, model: Model, rows: Sequence[Any], faults: Mapping[int, str]
) -> tuple[Sequence[Any], Mapping[int, str]]:
    """Some rows with their values typed and named as the signature has it."""
    if request.text:
        from onnxlet.function.csv import text as csv_text

        columns = model.signature.columns
        rows = csv_text.typed(rows, request.names, columns, request.numbers)
    if request.names is None:
        return rows, faults
    return _in_order(rows, list(request.names), model.signature, faults)


def _in_order(
    rows: Sequence[Any], names: list[str], signature: Signature, faults: Mapping[int, str]
) -> tuple[Sequence[Any], Mapping[int, str]]:
    """Lists whose values are named: as they are in signature order, else objects by name."""
    order = [column.name for column in signature.columns]
    if names in (order, [signature.whole]):
        return rows, faults
    width = len(names)
    expected = f"expected a list of {width} values, one for each named column"
    unlike = {
        n: expected for n, row in enumerate(rows) if type(row) is not list or len(row) != width
    }
    # Lists are checked faster than objects; of a single key, itemgetter makes no tuple.
    if not unlike and width > 1 and sorted(names) == sorted(order):
        index = {name: number for number, name in enumerate(names)}
        arrange = itemgetter(*map(index.__getitem__, order))
        return list(map(list, map(arrange, rows))), faults
    found = [
        row if n in unlike else dict(zip(names, row, strict=True)) for n, row in enumerate(rows)
    ]
    return found, {**unlike, **faults}
