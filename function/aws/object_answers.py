"""Answers as lines of an object: each value's text is the one that it has in HTTP's answer."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function import json_text
from onnxlet.function.aws.object_batches import CSV, JSON_LINES
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.protocols import native

NULL = b"null"


class Columns(NamedTuple):
    """What a row is answered with.

    Attributes:
        keep: names of the row's own columns that go along.
        outputs: names of the answers, as HTTP has them.
        parts: of some outputs, the names of the columns that they become in CSV.
    """

    keep: Sequence[str]
    outputs: Sequence[str]
    parts: Mapping[str, Sequence[str]]


def columns_of(model: Model, keep: Sequence[str], with_coverage: bool) -> Columns:
    """The columns of a model's answers.

    Args:
        model: that answers.
        keep: names of columns that go along.
        with_coverage: intervals or sets are asked for.
    """
    outputs = ["prediction"]
    outputs += [each.name for each in model.signature.outputs if each.name not in outputs]
    parts: dict[str, Sequence[str]] = {}
    classes = model.classes
    if "probabilities" in outputs and classes and not isinstance(classes[0], list):
        parts["probabilities"] = [f"probabilities.{_name(each)}" for each in classes]
    if with_coverage:
        outputs.append("interval" if classes is None else "set")
        if classes is None and len(model.signature.outputs[0].shape) == 1:
            parts["interval"] = ["interval.low", "interval.high"]
    return Columns(keep, outputs, parts)


def _name(label: Any) -> str:
    return label if isinstance(label, str) else json_text.dumps(label).decode()


def texts(values: Any) -> list[bytes]:
    """The JSON text of each row's value.

    Args:
        values: an array or list, rows first.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub" and values.size:
        # Written at once, in the very form of HTTP's answer, and cut between the rows.
        whole = json_text.dumps(np.ascontiguousarray(values))
        if values.ndim == 1:
            return whole[1:-1].split(b",")
        if values.ndim == 2:
            return [b"[%b]" % row for row in whole[2:-2].split(b"],[")]
    return list(map(json_text.dumps, values))


def _of_rows(prediction: Prediction, columns: Columns) -> list[list[bytes]]:
    answer = native.answer(prediction)
    return [texts(answer[name]) for name in columns.outputs]


def json_head(columns: Columns) -> bytes:
    """Nothing: each line of JSON Lines has the names itself."""
    return b""


def json_lines(prediction: Prediction, columns: Columns, kept: Sequence[Sequence[Any]]) -> bytes:
    """An object for each row.

    Args:
        prediction: of some rows.
        columns: of its model.
        kept: values of each row that go along; nothing where there are none.
    """
    names = [json_text.dumps(name) for name in (*columns.keep, *columns.outputs)]
    form = b"{" + b",".join(name.replace(b"%", b"%%") + b":%b" for name in names) + b"}\n"
    going = [list(map(_kept, values)) for values in zip(*kept, strict=True)]
    rows = zip(*going, *_of_rows(prediction, columns), strict=True)
    return b"".join(map(form.__mod__, rows))


def _kept(value: Any) -> bytes:
    try:
        return json_text.dumps(value)
    except TypeError:  # an integer of more than 64 bits, which only Python writes
        return json.dumps(value, ensure_ascii=False).encode()


def csv_head(columns: Columns) -> bytes:
    """The header."""
    names = [part for name in columns.outputs for part in columns.parts.get(name, [name])]
    return _written([[*columns.keep, *names]])


def csv_lines(prediction: Prediction, columns: Columns, kept: Sequence[Sequence[Any]]) -> bytes:
    """A line for each row. Lists are the text that JSON has for them, nothing is an empty field.

    Args:
        prediction: of some rows.
        columns: of its model.
        kept: fields of each row that go along; nothing where there are none.
    """
    fields: list[list[str]] = [list(each) for each in zip(*kept, strict=True)]
    for name, column in zip(columns.outputs, _of_rows(prediction, columns), strict=True):
        if name not in columns.parts:
            fields.append(list(map(_field, column)))
            continue
        width = len(columns.parts[name])
        cells = [[""] * width if row == NULL else _fields(row) for row in column]
        fields += map(list, zip(*cells, strict=True))
    return _written(zip(*fields, strict=True))


def _field(text: bytes) -> str:
    """A value's field: text as it is, else its JSON."""
    if text == NULL:
        return ""
    return str(json_text.loads(text)) if text.startswith(b'"') else text.decode()


def _fields(numbers: bytes) -> list[str]:
    """The fields of a flat list of numbers."""
    return ["" if number == "null" else number for number in numbers[1:-1].decode().split(",")]


def _written(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


Write = Callable[[Prediction, Columns, Sequence[Sequence[Any]]], bytes]
WRITE: Mapping[str, tuple[Callable[[Columns], bytes], Write]] = {
    CSV: (csv_head, csv_lines),
    JSON_LINES: (json_head, json_lines),
}
