"""Recognises what clients send instead of a native request, and says what to send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onnxlet.function.protocols.registry import OTHERS

RECORDS = (
    'This looks like a table by column, as pandas writes it: send df.to_json(orient="records"), '
    'or {"instances": df.to_dict(orient="records")}.'
)
ONE_ROW = 'One row is a list of one: {"instances": [{...}]}.'
TWICE = (
    "It is JSON inside a JSON string, encoded twice: send the text itself as the body (requests: "
    "data=..., not json=...)."
)


def _is_split(body: dict[str, Any]) -> bool:
    return body.keys() >= {"columns", "data"} or body.keys() >= {"schema", "data"}


def _is_by_column(body: dict[str, Any]) -> bool:
    cells = list(body.values())
    lists = len(cells) > 1 and all(isinstance(value, list) for value in cells)
    return bool(body) and (lists or all(isinstance(value, dict) for value in cells))


def _is_row(body: dict[str, Any]) -> bool:
    return bool(body) and not any(isinstance(value, dict | list) for value in body.values())


FORMS: tuple[tuple[Callable[[dict[str, Any]], bool], str], ...] = (
    (_is_split, RECORDS),
    (_is_by_column, RECORDS),
    (_is_row, ONE_ROW),
)


def instead(body: Any, otherwise: str) -> str:
    """The hint for a body of decoded JSON, or for the value of its `instances`."""
    if isinstance(body, str) and body.lstrip()[:1] in ("{", "["):
        return TWICE
    if isinstance(body, dict):
        for protocol in reversed(OTHERS):
            if route := protocol.meant(body):
                return f"Send that form to {route}. {otherwise}"
        return next((hint for fits, hint in FORMS if fits(body)), otherwise)
    return otherwise
