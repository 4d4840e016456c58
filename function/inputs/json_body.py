"""A JSON body: a small one is parsed at once, the long lists of a large one are read in parts."""

from __future__ import annotations

from typing import Any

from onnxlet.function import json_text

LARGE_BODY = 2**20  # bytes, from which on long lists are read in parts
NONE: frozenset[tuple[str, ...]] = frozenset()


def read(
    body: bytes, lists: frozenset[tuple[str, ...]], members: frozenset[tuple[str, ...]] = NONE
) -> Any:
    """Read a JSON body; in a large one, long lists are parsed only when they are iterated.

    Of a large body, lists at some paths become `parts.Parts`, and objects at others
    `large_json.Members`.

    Raises:
        MalformedRequest: it is not JSON, or is nested too deeply.
        RequestTooLarge: it has so many lists and objects that they would take all memory.
    """
    if len(body) <= LARGE_BODY:
        return json_text.loads(body)
    from onnxlet.function.inputs import large_json  # most bodies are small

    return large_json.loads(body, lists, members)
