"""Rows of JSON: an object on each line, a list of objects, or a request's `instances`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from onnxlet.convert.tables.limits import LIMITS, Limits
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.columns import normalized

JSON: tuple[str, ...] = (".json", ".jsonl", ".ndjson")  # what names of such files end with
BEGINS = re.compile(rb'(?:\xef\xbb\xbf)?\s*(\{\s*"|\[\s*\{)')
EXPECTED = 'Expected an object on each line, {"a": 1, "b": "x"}, or a list of them.'
MEMBER = "instances"
SHOWN = 60  # characters of a value
KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}


def is_json(start: bytes) -> bool:
    """Whether a file that begins so is one of rows in JSON."""
    return BEGINS.match(start) is not None


@lru_cache(maxsize=1)  # it is opened a few times in a row
def table_of(content: bytes, place: str, limits: Limits = LIMITS) -> Any:
    """An Arrow table of a file's rows; what a row does not have is null.

    Messages begin with a place, such as "DATA: 'rows.json'".

    Raises:
        WrongUse: it is not JSON in UTF-8, not of rows, or a column has values of several kinds.
    """
    rows = _rows(content, place)
    named: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            got = json.dumps(row, ensure_ascii=False)[:SHOWN]
            raise WrongUse(f"{place}, row {number}: expected an object, got {got}", EXPECTED)
        named.append({normalized(name): value for name, value in row.items()})
    names = list(dict.fromkeys(name for row in named for name in row))
    limits.check_columns(len(names), f"{place}: ")
    limits.check_gaps(len(names) * len(named) - sum(map(len, named)), f"{place}: ")
    if not names:
        raise WrongUse(f"{place} has no rows", EXPECTED)
    import pyarrow as pa  # which only such tables need

    columns = {name: _column([row.get(name) for row in named], name, place) for name in names}
    return pa.table(columns)


def _rows(content: bytes, place: str) -> list[Any]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongUse(f"{place}: byte {error.start} is not UTF-8", "Save it in UTF-8.") from error
    try:
        whole = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return [_line(line, n, place) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    if isinstance(whole, dict) and isinstance(whole.get(MEMBER), list):
        return list(whole[MEMBER])
    return whole if isinstance(whole, list) else [whole]


def _line(line: str, number: int, place: str) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise WrongUse(f"{place}, line {number}: it is not JSON: {error}", EXPECTED) from error


def _column(values: Sequence[Any], name: str, place: str) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError) as error:
        kinds: dict[str, int] = {}
        for number, value in enumerate(values):
            if value is not None:
                kinds.setdefault(KINDS.get(type(value), "an object"), number)
        some = ", ".join(f"{kind} in row {number}" for kind, number in kinds.items())
        raise WrongUse(
            f"{place}: column '{name}' has values of several kinds: {some}",
            "A column holds numbers, or text, or true and false: write all of it in one way.",
        ) from error
