"""How to call the model: an example row that is nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.convert.report.form.facts import Call
from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.example import example_instance, typical_values

DIGITS = 2  # significant ones, of numbers
TRIED = 200  # other values of one or two columns


def call(case: Evaluation) -> Call:
    """The path, the columns, and a row of rounded medians and frequent categories.

    Where some row is just that, one or two of its values are others. (A table of a single
    yes-or-no column has no other rows: then the row is one that many have.)
    """
    columns = [column for column in case.model.signature.columns if column.required]
    example = example_instance(case.model)
    row = {column.name: _rounded(column, example[column.name]) for column in columns}
    known = set(map(_key, _rows(case, columns)))
    free = (each for each in _nearby(case, columns, row) if _key(each.values()) not in known)
    return Call(
        path=f"/models/{case.measured.name}/predict",
        row=next(free, row),
        columns=[column.name for column in columns],
    )


def _rows(case: Evaluation, columns: list[Column]) -> Iterator[list[Any]]:
    """The required values of test rows, and of training rows where these are known."""
    parts = [(case.columns, case.cells)]
    trained = case.measured.X_train
    if trained is not None:
        keys = {column.name: column.type for column in case.columns}
        images = any(column.image for column in columns)
        inputs, X = read_inputs(trained, "X_train", keys, images)
        parts.append((inputs.columns, inputs.rows(X)))
    for known, rows in parts:
        place = {column.name: number for number, column in enumerate(known)}
        at = [place[column.name] for column in columns]
        yield from ([row[position] for position in at] for row in rows)


def _key(values: Any) -> tuple[str, ...]:
    return tuple(str(float(v)) if isinstance(v, int | float) else str(v) for v in values)


def _nearby(
    case: Evaluation, columns: list[Column], row: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The row, and then with one or two values changed."""
    yield row
    others = [(c.name, v) for c in columns for v in _others(case, c, row[c.name])]
    for name, value in others[:TRIED]:
        yield {**row, name: value}
    for (first, one), (second, two) in list(combinations(others[:20], 2)):
        if first != second:
            yield {**row, first: one, second: two}


def _others(case: Evaluation, column: Column, value: Any) -> list[Any]:
    """Other values that the column takes."""
    known = typical_values(case.model).get(column.name, {})
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [each for each in known.get("frequent", ()) if each != value][:3]
    if column.categories is not None:
        return [each for each in column.categories if each != value][:3]
    steps = [value + step for step in (1, -1, 2)]
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    return [step for step in steps if low <= step <= high]


def _rounded(column: Column, value: Any) -> Any:
    """A number with few digits, where the column takes that; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float) or column.categories:
        return value
    short = float(f"{value:.{DIGITS}g}")
    if column.minimum is not None and short < column.minimum:
        return value
    if column.maximum is not None and short > column.maximum:
        return value
    return int(short) if column.type == "int64" else short
