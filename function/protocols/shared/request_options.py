"""Options of a request beside its rows, in its query, its body or a header.

`on_error`; a `coverage` of intervals or sets; `k`, how many nearest a row is answered with; and
`unusual`, whether rows unlike the training rows are marked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onnxlet.function.errors import MalformedRequest, quoted
from onnxlet.function.inputs.cell_validation import Guesses
from onnxlet.function.messages import PredictRequest

# Compiled when they are first needed: most requests have no options.
NUMBER = r"(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE]-?\d{1,4})?"
WHOLE = r"\d{1,9}"
ATTRIBUTE = r"(?:^|[,;\s])(coverage|k|unusual)=([^,;\s]*)"


def wants_nulls(query: Mapping[str, str]) -> bool:
    """Whether the request asks for null where a row can't be answered."""
    option = query.get("on_error", "refuse")
    if option not in ("refuse", "null"):
        raise MalformedRequest(f"'on_error': expected null or refuse, got '{option!s:.40}'")
    return option == "null"


def _coverage(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 < value < 1:  # true is 1
        raise MalformedRequest(
            f"'coverage': expected a number between 0 and 1, such as 0.9, got {quoted(value)}"
        )
    return float(value)


def whole_number(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number, as which 3.0 counts, too; raises MalformedRequest for any other value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value < least or (most is not None and value > most):
        numbers = f"from {least}" if most is None else f"from {least} to {most}"
        raise MalformedRequest(f"'{name}': expected a whole number {numbers}, got {quoted(value)}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MalformedRequest(f"'unusual': expected true or false, got {quoted(value)}")
    return value


READ: Mapping[str, Callable[[Any], Any]] = {
    "coverage": _coverage,
    "k": lambda value: whole_number("k", value, 1),
    "unusual": _flag,
}
TEXTS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "coverage": (NUMBER, float),
    "k": (WHOLE, int),
    "unusual": ("true|false", "true".__eq__),
}
NAMES = tuple(READ)  # of options that may be members of a body, too
KNOWN = frozenset(NAMES)
QUERY: Sequence[str] = ("on_error", *NAMES)


def check_names(query: Mapping[str, str], known: Sequence[str]) -> None:
    """Raise MalformedRequest where a query has parameters that are not among the known ones."""
    unknown = [name for name in query if name not in known]
    if unknown:
        guesses = Guesses(known)
        named = (f"{quoted(name)}{name and guesses[name]}" for name in unknown[:8])
        message = f"unknown query parameter {', '.join(named)}"
        raise MalformedRequest(message, f"The query takes {', '.join(known)}.")


def in_members(members: Mapping[str, Any]) -> dict[str, Any]:
    """The options among the members of a JSON object; null asks for nothing.

    Raises MalformedRequest where a coverage is no number between 0 and 1, k no whole number from
    1, or unusual neither true nor false.
    """
    if KNOWN.isdisjoint(members):
        return {}
    return {n: READ[n](members[n]) for n in READ if members.get(n) is not None}


def with_texts(decoded: PredictRequest, given: Mapping[str, str]) -> PredictRequest:
    """The request with the options that its query or a header names, too, as texts.

    Raises MalformedRequest where one is not what it should be, or the body has another.
    """
    if not given or KNOWN.isdisjoint(given):
        return decoded
    for name in READ:
        if name in given:
            decoded = decoded._replace(**{name: _agreed(decoded, name, given[name])})
    return decoded


def _agreed(decoded: PredictRequest, name: str, text: str) -> Any:
    form, number = TEXTS[name]
    said = getattr(decoded, name)
    try:
        value = READ[name](number(text) if re.fullmatch(form, text, re.ASCII) else text)
        if said not in (None, value):
            raise MalformedRequest(f"'{name}': the request says {said} and {value}", "Say it once.")
    except MalformedRequest as error:
        error.model = decoded.model
        raise
    return value


def in_attributes(attributes: str) -> dict[str, str]:
    """The texts of `coverage=0.9` and the like in SageMaker's custom attributes, by name."""
    return dict(reversed(re.findall(ATTRIBUTE, attributes)))  # of two the first counts
