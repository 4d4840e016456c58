"""CSV bodies: a header, then rows, whose cells stay text until a column's type is known."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from onnxlet.function import json_text
from onnxlet.function.csv.lines import CheckRows, Lines, first_of, lines
from onnxlet.function.csv.numbers import written_number
from onnxlet.function.errors import InvalidRows, MalformedRequest, Problem, UnsupportedMedia
from onnxlet.function.inputs.columns import NUMERIC, Column
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.messages import PredictRequest, Request

NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)  # one way to match
WHOLE = re.compile(r"\s*[-+]?\d{1,300}\s*", re.ASCII)
LONGEST_PLAIN = 300  # characters
SHOWN_NAMES = 3
COMMON_SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}  # that other programs write
NO_ROWS = (
    "no instances: expected at least one row below the header; "
    "curl keeps line breaks with --data-binary"
)
PLAIN_FLOATS = (re.compile(r"[-+.eE\d,]*", re.ASCII), float)
PLAIN: Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    "float64": PLAIN_FLOATS,
    "float32": PLAIN_FLOATS,
    "int64": (re.compile(r"[-+\d,]*", re.ASCII), int),
}
NAMED_NUMBERS = {"nan": "nan", "inf": "inf", "+inf": "inf", "-inf": "-inf", "infinity": "inf"}


def read(body: bytes, check_rows: CheckRows) -> PredictRequest:
    """Rows below a header, of a body in UTF-8.

    `check_rows` refuses a batch by the number of its rows. What `lines` raises is raised, and
    InvalidRows where the header names a column twice.
    """
    return below_header(lines(body, check_rows))


def below_header(lines: Sequence[list[str]]) -> PredictRequest:
    """As `read`, from the fields of every line; rows with too many or too few have faults.

    Raises InvalidRows where the header names a column twice, or has no row below it.
    """
    header = first_of(lines)
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise InvalidRows([Problem(None, name, "stands twice in the header") for name in twice])
    if len(lines) == 1:
        raise InvalidRows([Problem(None, None, NO_ROWS)])
    width = len(header)
    if isinstance(lines, Lines):
        parts = lines.rows().then(lambda rows: (rows, _unlike(rows, width)))
        return PredictRequest(parts, header, text=True, faults={})
    rows = lines[1:]
    return PredictRequest(rows, header, text=True, faults=_unlike(rows, width))


def _unlike(rows: Sequence[list[str]], width: int) -> dict[int, str]:
    return {
        number: f"expected {width} field{'s' * (width != 1)}, got {len(row)}"
        for number, row in enumerate(rows)
        if len(row) != width
    }


def check_header(names: Sequence[str], signature: Signature) -> None:
    """Refuse a first line that names no column: it is a row, or is not separated by commas.

    Raises InvalidRows once, instead of for every column's absence in every row.
    """
    if signature.names.isdisjoint(names) and list(names) != [signature.whole]:
        expected = ", ".join(repr(column.name) for column in signature.columns[:SHOWN_NAMES])
        got = ", ".join(map(repr, names[:SHOWN_NAMES]))
        detail = f"the header names no column of the model: expected such as {expected:.200}, "
        problems = [Problem(None, None, f"{detail}with commas between, got {got:.200}")]
        raise InvalidRows(problems, hint=_separator_hint(names))


def _separator_hint(names: Sequence[str]) -> str:
    """The hint where a header's only name is several, separated by something else."""
    for mark, name in COMMON_SEPARATORS.items() if len(names) == 1 else ():
        if mark in names[0]:
            return f"The header is parted by {name}: write commas between the fields."
    return ""


def numbers_of(request: Request) -> dict[str, str]:
    """How numbers of CSV are written, as `PredictRequest.numbers` has it, by the media type.

    Raises UnsupportedMedia for a parameter `decimal` that is neither point nor comma.
    """
    decimal = request.parameters.get("decimal", "point").lower() if request.parameters else "point"
    if decimal not in ("point", "comma"):
        hint = "With text/csv; decimal=comma a number is 1.335,97; else as in JSON, 1335.97."
        raise UnsupportedMedia(f"decimal={decimal[:40]}: expected point or comma", hint)
    return {"": ","} if decimal == "comma" else {}


def typed(
    rows: Sequence[Sequence[str]],
    names: Sequence[str] | None,
    columns: Sequence[Column],
    decimals: Mapping[str, str] = {},
) -> list[list[Any]]:
    """Cells by their column's type; what can't be read as that stays text, to be refused.

    Names say which of a signature's columns the fields belong to; None is signature order.
    `decimals` is as `PredictRequest.numbers`.
    """
    types: dict[str, str] = {c.name: "list" if c.cell else c.type for c in columns}
    given = list(types if names is None else names)
    kinds = [types.get(name, "string") for name in given]
    if decimals:
        kinds = [
            decimals.get(name, decimals.get("", kind)) if kind in NUMERIC else kind
            for name, kind in zip(given, kinds, strict=True)
        ]
    if not set(map(len, rows)) <= {len(kinds)}:
        readers = [READ[kind] for kind in kinds]
        return [list(map(_cell, r, readers) if len(r) == len(kinds) else r) for r in rows]
    cells = map(_typed_column, zip(*rows, strict=True), kinds)
    return list(map(list, zip(*cells, strict=True)))


def _typed_column(texts: Sequence[str], kind: str) -> list[Any]:
    """A column's cells; plain numbers are all matched by one expression, which is faster."""
    pattern, reader = PLAIN.get(kind, (None, str))
    if pattern and pattern.fullmatch(",".join(texts)) and max(map(len, texts)) <= LONGEST_PLAIN:
        with suppress(ValueError):
            return [reader(text) if text else None for text in texts]
    return [_cell(text, READ[kind]) for text in texts]


def _cell(text: str, reader: Callable[[str], Any]) -> Any:
    return None if text == "" else reader(text)


def is_number(text: str) -> bool:
    """Whether a field can be read as a number, missing ones by name among them."""
    return not isinstance(_number(text), str)


def _number(text: str) -> Any:
    if WHOLE.fullmatch(text):
        return int(text) or (-0.0 if "-" in text else 0)
    if NUMBER.fullmatch(text):
        return float(text)
    named = NAMED_NUMBERS.get(text.strip().lower())
    return text if named is None else float(named)


def _written(text: str, comma: bool) -> Any:
    """A number as plain CSV has it, or as a person writes it."""
    if not (comma and "." in text) and not isinstance(plain := _number(text), str):
        return plain
    return written_number(text, comma)


def _list(text: str) -> Any:
    try:
        return json_text.loads(text.encode("utf-8", "surrogatepass"))
    except MalformedRequest:
        return text


READ: Mapping[str, Callable[[str], Any]] = {
    "float64": _number,
    "float32": _number,
    "int64": lambda text: _number(text) or 0,  # no whole number is -0.0
    "bool": lambda text: {"true": True, "false": False}.get(text.strip().lower(), text),
    "string": str,
    "list": _list,
    ".": partial(_written, comma=False),  # numbers as people write them
    ",": partial(_written, comma=True),
}


def written(outputs: Iterable[Iterable[Any]]) -> bytes:
    """Write a line for each row, without a header; lists become several fields.

    An output has an entry for each row: a label, a number, or numbers.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = zip(*outputs, strict=True)
    writer.writerows([field for entry in row for field in _fields(entry)] for row in rows)
    return text.getvalue().encode()


def _fields(entry: Any) -> list[str]:
    if entry is None or isinstance(entry, str):
        return [entry or ""]
    if hasattr(entry, "__len__"):
        return [field for part in entry for field in _fields(part)]
    text = str(entry)  # of NumPy's own number, which knows how many digits it needs
    return ["" if text in ("nan", "inf", "-inf") else text.lower()]
