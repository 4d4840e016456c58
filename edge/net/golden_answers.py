"""Answers to golden rows that came by a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxlet.function import json_text
from onnxlet.function.errors import OnnxletError
from onnxlet.function.serving.golden import compare


def compare_body(body: bytes, golden: Mapping[str, Any]) -> list[str]:
    """Compare an answer's body with golden rows; a body that is no native answer is a fault, too.

    It may come from a release that has yet to prove itself.
    """
    try:
        given = json_text.loads(body)
    except OnnxletError as error:
        return [f"no native answer: {error.message}"]
    if not isinstance(given, dict):
        return [f"no native answer: expected an object, got a {type(given).__name__}"]
    return compare(given, golden)
