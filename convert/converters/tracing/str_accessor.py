"""`.str` of a Series: comparisons of text. ONNX has no operators that change text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from onnxlet.convert.converters.tracing.arithmetic import choose, missing
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.graph.converter import Tensor

SPECIAL = set(r"\.^$*+?{}[]|()")
CHANGED = (
    "A vectoriser's own lowercase, strip_accents, token_pattern and stop_words do this for text; "
    "else clean the column before the pipeline. .str.contains, .str.startswith, .str.endswith, "
    "==, .isin, .map, .replace, .fillna and + work."
)


class StrAccessor:
    """`.str` of a column."""

    def __init__(self, series: Any) -> None:
        self._series = series

    def __getattr__(self, name: str) -> Any:
        return refuse(f"text changed by .str.{name} has no equal in ONNX", CHANGED)

    def __getitem__(self, _: Any) -> Any:
        return refuse("letters taken out of text have no equal in ONNX", CHANGED)

    def contains(
        self, pat: Any, case: bool = True, flags: int = 0, na: Any = None, regex: bool = True
    ) -> Any:
        """Whether a text contains another one, or one of several: `a|b`."""
        parts = pat.split("|") if regex and isinstance(pat, str) else [pat]
        if (
            not isinstance(pat, str)
            or flags
            or not case
            or (regex and set("".join(parts)) & SPECIAL)
        ):
            refuse("a search by a pattern, or in any case, has no conversion", CHANGED)
        return self._matched([f".*{re.escape(part)}.*" for part in parts], na)

    def startswith(self, pat: Any, na: Any = None) -> Any:
        """Whether a text starts with another one, or one of several."""
        return self._matched([f"{re.escape(part)}.*" for part in _texts(pat)], na)

    def endswith(self, pat: Any, na: Any = None) -> Any:
        """Whether a text ends with another one, or one of several."""
        return self._matched([f".*{re.escape(part)}" for part in _texts(pat)], na)

    def _matched(self, patterns: Sequence[str], na: Any) -> Any:
        """Whether a text matches; `na` if it is missing, False if `na` is no bool.

        pandas returns NaN or NA by its version: parity decides whether False is equal.
        """
        instead = na if isinstance(na, bool) else False
        pattern = f"(?s)(?:{'|'.join(patterns)})"
        return self._series._mapped(_found(pattern, instead))


def _found(pattern: str, instead: bool) -> Callable[[Tensor], Tensor]:
    def found(x: Tensor) -> Tensor:
        if x.dtype != "string":
            refuse("it searches in numbers as in text")
        made = x.graph.op("RegexFullMatch", x, dtype="bool", pattern=pattern)
        return choose(missing(x), instead, made)

    return found


def _texts(given: Any) -> tuple[str, ...]:
    texts = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(text, str) for text in texts):
        refuse("it searches for what is no text")
    return texts
