"""A frame answered by a frame of its kind, in memory, in the batches in which a file would be."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from onnxlet.convert.errors import shortened
from onnxlet.convert.progress import Report
from onnxlet.convert.record_batches.scorer import Scorer
from onnxlet.convert.score.numbers import with_numbers
from onnxlet.convert.score.tasks import Options, answer_options, faults_of, kept_schema
from onnxlet.convert.score.writing import flat_structs
from onnxlet.function.errors import InvalidRows, WrongUse
from onnxlet.function.models.model import Model

EXPECTED = "Expected a frame of pandas or polars, a table of PyArrow, or the path of a table."


def score_frame(model: Model, frame: Any, options: Options, report: Report) -> Any:
    """Answers to a frame's rows, in a frame of its kind: columns that are kept, and answers.

    The frame is one of pandas or polars, or whatever else gives Arrow's streams, such as its
    tables. A pandas frame is answered with the same index, and a column for each member of a
    struct, such as `probabilities.yes`. Of the options, `on_error` is `null` or `stop`. `report` is
    called with what is to be noted of its units.

    Raises:
        WrongUse: it is no frame, or does not fit the model.
        InvalidRows: rows can't be answered, and they were to stop all.
    """
    if options.on_error == "side":
        raise WrongUse("on_error: expected 'null' or 'stop' for a frame, got 'side'")
    table, odd, notes = with_numbers(_table(frame), model)
    for note in notes:
        report(f"note: {note}")
    if faults := faults_of(table.schema, model, options):
        raise WrongUse("; ".join(faults))
    scorer = Scorer(model, table.schema, answer_options(options))
    kept = kept_schema(table.schema, options.keep)
    schema, batches = pa.schema([*kept, *scorer.schema]), list[Any]()
    for start in range(0, table.num_rows, options.batch_rows):
        [rows] = table.slice(start, options.batch_rows).combine_chunks().to_batches()
        answered = scorer.answer(
            rows, {n - start: odd[n] for n in odd if start <= n < start + rows.num_rows}
        )
        if answered.problem_count and options.on_error == "stop":
            every = [each._replace(row=start + (each.row or 0)) for each in answered.problems]
            raise InvalidRows(every, answered.problem_count)
        columns = [*rows.select(kept.names).columns, *answered.columns.columns]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    return _like(frame, pa.Table.from_batches(batches, schema))


def _table(frame: Any) -> Any:
    try:
        if isinstance(frame, list):
            raise TypeError("it is no frame, and pd.DataFrame(rows) makes one")
        if isinstance(frame, pd.DataFrame):
            return pa.Table.from_pandas(frame, preserve_index=False)
        if isinstance(frame, pa.RecordBatch):
            return pa.Table.from_batches([frame])
        return frame if isinstance(frame, pa.Table) else pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        got = type(frame).__name__
        raise WrongUse(f"a {got} can't be scored: {shortened(error)}", EXPECTED) from error


def _like(frame: Any, answers: Any) -> Any:
    """Answers in a frame of the kind that was given."""
    if isinstance(frame, pd.DataFrame):
        # NaN beside whole numbers would make floats of them, which have them up to 2**53 only.
        gaps = any(column.null_count for column in answers.columns)
        whole = {pa.int64(): pd.Int64Dtype()}.get if gaps else None
        return flat_structs(answers).to_pandas(types_mapper=whole).set_index(frame.index)
    if type(frame).__module__.partition(".")[0] == "polars":
        import polars

        return polars.from_arrow(answers)
    return answers
