"""The forms in which MLflow and SageMaker send instances in JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onnxlet.function.errors import InvalidRows, MalformedRequest, Problem
from onnxlet.function.messages import PredictRequest
from onnxlet.function.protocols.shared import forms

SPLIT = 'Send {"columns": [names], "data": [rows]}.'
OBJECTS = "'dataframe_records': expected a list of objects"
RECORDS = "Send a list of objects by column name."
ROWS = "Send a list of rows, each an object by column name or a list of values."


def split(value: Any) -> PredictRequest:
    """What pandas writes by `to_dict(orient="split")`; its index is no column.

    Raises MalformedRequest where it is not of that form, InvalidRows where a column is named twice.
    """
    if not isinstance(value, dict) or not forms.is_list(value.get("data")):
        raise MalformedRequest("'dataframe_split': expected an object with a list 'data'", SPLIT)
    if unknown := sorted(value.keys() - {"columns", "data", "index"}):
        raise MalformedRequest(f"'dataframe_split': unknown members {unknown[:8]}", SPLIT)
    columns = value.get("columns")
    if not isinstance(columns, list | None):
        raise MalformedRequest("'dataframe_split': expected 'columns' to be a list", SPLIT)
    width = None if columns is None else len(columns)
    request = PredictRequest(value["data"], _names(columns or []), faults={})
    return forms.changed(request, lambda some: (some, _unlike(some, width)))


def _names(columns: list[Any]) -> list[str] | None:
    """Of columns; None where they are 0, 1, 2 …, as pandas names those of a bare array."""
    if columns == list(range(len(columns))) and set(map(type, columns)) <= {int}:
        return None
    if not all(isinstance(name, str) for name in columns):
        raise MalformedRequest("'dataframe_split': expected 'columns' to be names", SPLIT)
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise InvalidRows([Problem(None, name, "stands twice in 'columns'") for name in twice])
    return columns


def _unlike(rows: Sequence[Any], width: int | None) -> Mapping[int, str]:
    """The rows that are no lists, or not of that many values."""
    if set(map(type, rows)) <= {list} and (width is None or set(map(len, rows)) <= {width}):
        return {}
    return {
        number: f"expected a list of values, got {forms.kind(row)}"
        if not isinstance(row, list)
        else f"expected {width} values, one for each column, got {len(row)}"
        for number, row in enumerate(rows)
        if not isinstance(row, list) or width not in (None, len(row))
    }


def records(value: Any) -> PredictRequest:
    """What pandas writes by `to_dict(orient="records")`; raises MalformedRequest for others."""

    def objects(rows: Sequence[Any]) -> tuple[Sequence[Any], Mapping[int, str]]:
        if not all(isinstance(row, dict) for row in rows):
            raise MalformedRequest(OBJECTS, RECORDS)
        return rows, {}

    if not forms.is_list(value):
        raise MalformedRequest(OBJECTS, RECORDS)
    return forms.changed(PredictRequest(value), objects)


def instances(value: Any) -> PredictRequest:
    """Rows, also as SageMaker's built-in algorithms take them; else raises MalformedRequest."""
    decoded = forms.by_row(value, "instances", ROWS)
    first = decoded.rows[0] if len(decoded.rows) else None
    if isinstance(first, dict) and first.keys() <= {"features", "data"}:
        return forms.changed(decoded, lambda rows: ([_features(row) for row in rows], {}))
    return decoded


def _features(row: Any) -> Any:
    """`{"features": [...]}` or `{"data": {"features": {"values": [...]}}}` as the list in it.

    No column's value is a list, so that a column of that name is never mistaken for it.
    """
    match row:
        case {"features": list(values), **rest} if not rest:
            return values
        case {"data": {"features": {"values": list(values)} as inner} as outer, **rest} if (
            len(inner) == len(outer) == 1 and not rest
        ):
            return values
    return row


def inputs(value: Any, check_rows: Callable[[int], None] = lambda rows: None) -> PredictRequest:
    """Columns by name, or rows.

    Raises MalformedRequest or InvalidRows for neither, RequestTooLarge for too many rows.
    """
    if isinstance(value, dict) or hasattr(value, "objects"):
        return forms.by_column(value, check_rows)
    return forms.by_row(value, "inputs", ROWS)


READ: Mapping[str, Callable[[Any], PredictRequest]] = {
    "dataframe_split": split,
    "dataframe_records": records,
    "instances": instances,
    "inputs": inputs,
}
