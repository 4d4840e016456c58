"""Answers as lines of an object: each value's text is the one that it has in HTTP's answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function import json_text
from onnxlet.function.aws.object_batches import CSV, JSON_LINES
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.protocols.shared import forms

NULL = b"null"
NUMERIC = frozenset(b"0123456789-tf")  # how numbers and booleans begin
QUOTE = ord('"')
MARKS = (b",", b'"', b"\n", b"\r")  # for which a field of CSV stands in quotes


class NamedOutput(NamedTuple):
    """An output whose numbers have names: probabilities of classes, ends of intervals."""

    groups: Sequence[Sequence[str]]  # the names, of each of the model's outputs
    several: bool  # the model has several of these
    spread: bool = True  # each number is a column of CSV

    def columns(self, name: str) -> list[str]:
        """Names of the columns of CSV, of an output of this name."""
        every = [(str(at), label) for at, group in enumerate(self.groups) for label in group]
        return [".".join((name, *(each if self.several else each[1:]))) for each in every]

    def named(self, column: Sequence[bytes]) -> list[bytes]:
        """The JSON texts of values, each number under its name; of lists, however nested."""
        objects = [_form(group) for group in self.groups]
        form = b"[%b]" % b",".join(objects) if self.several else objects[0]
        return [
            row if row == NULL else form % tuple(row.translate(None, b"[]").split(b","))
            for row in column
        ]


class Columns(NamedTuple):
    """What a row is answered with."""

    keep: Sequence[str]  # names of the row's own columns that go along
    outputs: Sequence[str]  # names of the answers, as HTTP has them
    parts: Mapping[str, NamedOutput]  # of those outputs whose numbers have names


def columns_of(
    model: Model, keep: Sequence[str], with_coverage: bool, with_unusual: bool = False
) -> Columns:
    """The columns of a model's answers, where these of the row's own go along."""
    outputs = ["prediction"]
    outputs += [each.name for each in model.signature.outputs if each.name not in outputs]
    parts: dict[str, NamedOutput] = {}
    if "probabilities" in outputs and model.classes:
        several = isinstance(model.classes[0], list)
        groups = [
            [str(label).lower() if isinstance(label, bool) else str(label) for label in each]
            for each in (model.classes if several else [model.classes])
        ]
        if all(len(set(group)) == len(group) for group in groups):
            parts["probabilities"] = NamedOutput(groups, several)
    if with_coverage:
        outputs.append("interval" if model.classes is None else "set")
    if "interval" in outputs:
        shape = model.signature.outputs[0].shape
        several = len(shape) > 1
        ends = [["low", "high"]] * (shape[1] if several else 1)
        parts["interval"] = NamedOutput(ends, several, spread=not several)
    outputs += [forms.UNUSUAL] * with_unusual
    return Columns(keep, outputs, parts)


def _form(names: Sequence[str]) -> bytes:
    """An object of these members, each with `%b` for its value."""
    members = (json_text.dumps(name).replace(b"%", b"%%") + b":%b" for name in names)
    return b"{%b}" % b",".join(members)


def texts(values: Any) -> list[bytes]:
    """The JSON text of each row's value; an array or list, rows first."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub" and values.size:
        # Written at once, in the very form of HTTP's answer, and cut between the rows.
        whole = json_text.dumps(np.ascontiguousarray(values))
        if values.ndim == 1:
            return whole[1:-1].split(b",")
        if values.ndim == 2:
            return [b"[%b]" % row for row in whole[2:-2].split(b"],[")]
    return list(map(json_text.dumps, values))


def _columns(
    prediction: Prediction,
    columns: Columns,
    kept: Sequence[Sequence[Any]],
    own: Callable[[Any], bytes],
    answered: Callable[[NamedOutput | None, list[bytes]], list[bytes]],
) -> list[list[bytes]]:
    """Of each column the texts of all rows: of those of their own that go along, and of outputs."""
    answer = forms.answer(prediction)
    found = [list(map(own, values)) for values in zip(*kept, strict=True)]
    return found + [answered(columns.parts.get(n), texts(answer[n])) for n in columns.outputs]


def json_lines(prediction: Prediction, columns: Columns, kept: Sequence[Sequence[Any]]) -> bytes:
    """An object for each row, with the values of it that go along, where there are some."""
    cells = _columns(prediction, columns, kept, _kept, lambda p, c: c if p is None else p.named(c))
    line = _form((*columns.keep, *columns.outputs)) + b"\n"
    return b"".join(map(line.__mod__, zip(*cells, strict=True)))


def _kept(value: Any) -> bytes:
    try:
        return json_text.dumps(value)
    except TypeError:  # an integer of more than 64 bits, which only Python writes
        return json.dumps(value, ensure_ascii=False).encode()


def csv_head(columns: Columns) -> bytes:
    """The header."""
    names = list(columns.keep)
    for name in columns.outputs:
        part = columns.parts.get(name)
        names += part.columns(name) if part and part.spread else [name]
    return b",".join(map(_quoted, names)) + b"\n"


def csv_lines(prediction: Prediction, columns: Columns, kept: Sequence[Sequence[Any]]) -> bytes:
    """A line for each row, with the fields of it that go along, where there are some.

    Lists are the text that JSON has for them, nothing is an empty field.
    """
    cells = _columns(prediction, columns, kept, _quoted, _csv_fields)
    if len(cells) == 1:  # a blank line would be no row
        cells[0] = [field or b'""' for field in cells[0]]
    return b"".join(b",".join(row) + b"\n" for row in zip(*cells, strict=True))


def _csv_fields(part: NamedOutput | None, column: list[bytes]) -> list[bytes]:
    if part is None or not part.spread:
        return list(map(_field, column if part is None else part.named(column)))
    nothing = b"," * (sum(map(len, part.groups)) - 1)
    return [nothing if row == NULL else _fields(row) for row in column]


def _field(text: bytes) -> bytes:
    """A value's field: text as it is, else its JSON."""
    if text[0] in NUMERIC:
        return text
    return b"" if text == NULL else _quoted(json_text.loads(text) if text[0] == QUOTE else text)


def _fields(row: bytes) -> bytes:
    """The fields of a list's numbers, however it is nested."""
    numbers = row.translate(None, b"[]")
    if NULL not in numbers:
        return numbers
    return b",".join(b"" if each == NULL else each for each in numbers.split(b","))


def _quoted(text: str | bytes) -> bytes:
    """A field of CSV (RFC 4180), in quotes where it needs them."""
    field = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if any(mark in field for mark in MARKS):
        return b'"%b"' % field.replace(b'"', b'""')
    return field


Write = Callable[[Prediction, Columns, Sequence[Sequence[Any]]], bytes]
WRITE: Mapping[str, tuple[Callable[[Columns], bytes], Write]] = {
    CSV: (csv_head, csv_lines),
    JSON_LINES: (lambda columns: b"", json_lines),  # each line has the names itself
}
