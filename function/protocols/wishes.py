"""What a request asks for beside its rows, in its query, its body or a header.

A `coverage` of intervals or sets; and `k`, how many nearest a row is answered with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from onnxlet.function.errors import MalformedRequest, quoted
from onnxlet.function.messages import PredictRequest

NUMBER = re.compile(r"(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE]-?\d{1,4})?", re.ASCII)
WHOLE = re.compile(r"\d{1,9}", re.ASCII)
ATTRIBUTE = re.compile(r"(?:^|[,;\s])(coverage|k)=([^,;\s]*)")


def _coverage(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 < value < 1:  # true is 1
        raise MalformedRequest(
            f"'coverage': expected a number between 0 and 1, such as 0.9, got {quoted(value)}"
        )
    return float(value)


def _k(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 3.0 is a whole number here, too
    if type(value) is not int or value < 1:
        raise MalformedRequest(f"'k': expected a whole number from 1, got {quoted(value)}")
    return value


READ: Mapping[str, Callable[[Any], Any]] = {"coverage": _coverage, "k": _k}
TEXTS = {"coverage": (NUMBER, float), "k": (WHOLE, int)}


def in_members(members: Mapping[str, Any]) -> dict[str, Any]:
    """The wishes among the members of a JSON object; null asks for nothing.

    Raises:
        MalformedRequest: a coverage is no number between 0 and 1, or k no whole number from 1.
    """
    return {n: READ[n](members[n]) for n in READ if members.get(n) is not None}


def agreed(decoded: PredictRequest, given: Mapping[str, str]) -> PredictRequest:
    """The request with the wishes that its query or a header names, too.

    Args:
        decoded: with the wishes of its body.
        given: the texts of the query or the header, by name.

    Raises:
        MalformedRequest: a coverage is no number between 0 and 1, k no whole number from 1, or the
            body has another.
    """
    for name, read in READ.items():
        if name in given:
            decoded = decoded._replace(**{name: _one(decoded, name, read, given[name])})
    return decoded


def _one(decoded: PredictRequest, name: str, read: Callable[[Any], Any], text: str) -> Any:
    form, number = TEXTS[name]
    said = getattr(decoded, name)
    try:
        value = read(number(text) if form.fullmatch(text) else text)
        if said not in (None, value):
            raise MalformedRequest(f"'{name}': the request says {said} and {value}", "Say it once.")
    except MalformedRequest as error:
        error.model = decoded.model
        raise
    return value


def in_attributes(attributes: str) -> dict[str, str]:
    """The texts of `coverage=0.9` and `k=3` in SageMaker's custom attributes, by name."""
    return dict(reversed(ATTRIBUTE.findall(attributes)))  # of two the first counts
