"""`.str` of a Series: questions about text, and changes of it.

The graph answers whether a text contains, begins or ends with another one. All else is done by the
front end before the graph, so that it needs a column of text as it comes in. Source:
`pandas/core/strings/accessor.py` and `object_array.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from onnxlet.convert.converters.text_functions.translation import BOUNDED
from onnxlet.convert.converters.tracing.arithmetic import choose, missing
from onnxlet.convert.converters.tracing.base import methods, refuse
from onnxlet.convert.graph.converter import Table, Tensor, Unsupported
from onnxlet.convert.graph.inputs import steps_of
from onnxlet.convert.text_limits.regex_safety import growth, hopeless, runaway
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.text_steps import METHODS, PREDICATES

SPECIAL = set(r"\.^$*+?{}[]|()")
FIRST = (
    "Text is changed as it comes in: take the column itself, before another step has changed it, "
    "or change it before the pipeline."
)


class StrAccessor:
    """`.str` of a column."""

    def __init__(self, series: Any) -> None:
        self._series = series

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            return lambda *given, **options: self._method(name, *given, **options)
        if name in PREDICATES:
            return lambda: self._asked(None, "str_predicate", name=name)
        return refuse(f"text changed by .str.{name} has no conversion", FIRST)

    def _method(self, name: str, *given: Any, **options: Any) -> Any:
        arguments = [*given, *options.values()]  # each has but one or two, in pandas' order
        if not all(one is None or isinstance(one, str | int) for one in arguments):
            refuse(f".str.{name} of {arguments!r:.40} has no conversion")
        text = self._series._tensor
        if text.column in text.graph.of_arrow and name in ("lower", "upper"):
            return self._changed("simple_case", name=name)
        return self._changed("str_method", name=name, arguments=arguments)

    # changes

    def __getitem__(self, key: Any) -> Any:
        return self.slice(key.start, key.stop, key.step) if type(key) is slice else self.get(key)

    def slice(self, start: Any = None, stop: Any = None, step: Any = None) -> Any:
        """Some characters."""
        start, stop, step = (None if one is None else _whole(one) for one in (start, stop, step))
        return self._changed("slice_text", start=start, stop=stop, every=step)

    def split(
        self, pat: Any = None, *, n: Any = -1, expand: bool = False, regex: Any = None
    ) -> SplitText:
        """The parts of a text, of which `.str[0]` then takes one."""
        if expand:
            refuse("split(expand=True) makes as many columns as the rows need", "Take .str[0].")
        pattern = isinstance(pat, str) and (regex or (regex is None and len(pat) > 1))
        separator = self._safe(pat) if pattern else pat
        return SplitText(self, separator=separator, most=_whole(n) or -1, pattern=bool(pattern))

    def rsplit(self, pat: Any = None, *, n: Any = -1, expand: bool = False) -> SplitText:
        """The parts of a text, split from the right."""
        if expand:
            refuse("rsplit(expand=True) makes as many columns as the rows need", "Take .str[0].")
        return SplitText(self, separator=pat, most=_whole(n) or -1, from_right=True)

    def replace(
        self, pat: Any, repl: Any = None, n: Any = -1, case: Any = None, flags: int = 0,
        regex: bool = False,
    ) -> Any:  # fmt: skip
        """Matches of a text or a pattern by another text."""
        if not isinstance(pat, str) or not isinstance(repl, str):
            refuse(".str.replace with other than two texts has no conversion")
        flags = int(flags) | (re.IGNORECASE if case is False else 0)
        if not regex and not flags:
            return self._changed("replace_literal", old=pat, new=repl, most=_whole(n))
        pattern = self._safe(pat if regex else re.escape(pat), flags)
        most = max(_whole(n), 0)
        return self._changed(
            "replace_pattern", pattern=pattern, replacement=repl, most=most, flags=flags
        )

    def extract(self, pat: Any, flags: int = 0, expand: bool = True) -> Any:
        """The one group of the first match."""
        pattern = re.compile(self._safe(pat, flags), int(flags))
        if pattern.groups != 1:
            refuse(f".str.extract of {pattern.groups} groups has no conversion", "Take one group.")
        made = self._changed("pattern_group", pattern=pat, flags=int(flags))
        name = next(iter(pattern.groupindex), None)
        if expand:
            return made.to_frame(0 if name is None else name)
        return made if name is None else made.rename(name)

    # questions

    def contains(
        self, pat: Any, case: bool = True, flags: int = 0, na: Any = None, regex: bool = True
    ) -> Any:
        """Whether a text contains another one, or a pattern is found in it."""
        if not isinstance(pat, str):
            refuse("a search for what is no text has no conversion")
        parts = pat.split("|") if regex else [pat]
        if case and not flags and not (regex and set("".join(parts)) & SPECIAL):
            return self._matched([f".*{re.escape(part)}.*" for part in parts], na)
        if not regex:  # pandas compares both in upper case
            upper = self if case else self._method("upper").str
            pat = pat if case else pat.upper()
            return upper._search("search", re.escape(pat), True, 0, na)
        return self._search("search", pat, case, flags, na)

    def _matched(self, patterns: Sequence[str], na: Any) -> Any:
        """Whether a text matches; `na` if it is missing, and missing itself if `na` is no bool.

        As a condition it is then False: pandas has NaN or None there by what X_test has, and parity
        decides whether False is equal.
        """
        pattern = f"(?s)(?:{'|'.join(patterns)})"
        return self._series._mapped(_found(pattern, na))

    def _search(self, how: str, pat: Any, case: bool, flags: int, na: Any) -> Any:
        flags = int(flags) | (0 if case else re.IGNORECASE)
        pattern = self._safe(pat, flags)
        return self._asked(na, "pattern_matches", pattern=pattern, how=how, flags=flags)

    # the front end

    def _safe(self, pattern: Any, flags: int = 0) -> str:
        """A pattern, if it is a text that can be searched for in anybody's text."""
        if not isinstance(pattern, str):
            refuse("a search for what is no text has no conversion", "Give the pattern as text.")
        if int(flags) & ~int(re.I | re.M | re.S | re.U):
            refuse(f"a search with flags={int(flags)} has no conversion", "Use re.I, re.M or re.S.")
        limited = growth(steps_of(self._series._tensor)) is not None  # then by the text's length
        if reason := (hopeless if limited else runaway)(pattern):
            refuse(reason.replace("its token_pattern", "the pattern"), BOUNDED)
        return pattern

    def _changed(self, step: str, dtype: str = "string", **settings: Any) -> Any:
        made = stepped(self._series._tensor, {"step": step, **settings}, dtype)
        return self._series._like(Table((made,)))

    def _number(self, step: str, **settings: Any) -> Any:
        return self._changed(step, self._series._graph.precision, **settings)

    def _asked(self, na: Any, step: str, **settings: Any) -> Any:
        text, made = self._series._tensor, self._number(step, **settings)
        return made._mapped(lambda x: _flag(text, x.isnan(), x.equals(1.0), na))


def _searched(how: str) -> Callable[..., Any]:
    return lambda self, pat, case=True, flags=0, na=None: self._search(how, pat, case, flags, na)


methods(
    StrAccessor,
    {
        "get": lambda self, i: self._changed("character_at", index=_whole(i)),
        "len": lambda self: self._number("length"),
        "count": lambda self, pat, flags=0: self._number(
            "pattern_count", pattern=self._safe(pat, flags), flags=int(flags)
        ),
        "find": lambda self, sub, start=0, end=None: self._number(
            "find_text", text=sub, start=start, stop=end
        ),
        "rfind": lambda self, sub, start=0, end=None: self._number(
            "find_text", text=sub, start=start, stop=end, last=True
        ),
        "match": _searched("match"),
        "fullmatch": _searched("fullmatch"),
        "startswith": lambda self, pat, na=None: self._matched(
            [f"{re.escape(part)}.*" for part in _texts(pat)], na
        ),
        "endswith": lambda self, pat, na=None: self._matched(
            [f".*{re.escape(part)}" for part in _texts(pat)], na
        ),
    },
)


class SplitText:
    """What `.str.split` returns: `.str[0]` takes a part of it."""

    def __init__(self, accessor: StrAccessor, **settings: Any) -> None:
        self._accessor, self._settings = accessor, settings

    def __getattr__(self, name: str) -> Any:
        if name == "str":
            return self
        return refuse(f"lists of texts have no .{name} in a graph", "Take a part: .str[0].")

    def __getitem__(self, index: Any) -> Any:
        return self.get(index)

    def len(self) -> Any:
        """How many parts there are."""
        separator, most = self._settings["separator"], self._settings["most"]
        if most > 0 or self._settings.get("pattern"):
            refuse("the number of parts of a text has a conversion only where all splits are made")
        if separator is None:
            return self._accessor.count(r"\S+")
        return self._accessor.count(re.escape(separator)) + 1

    def get(self, i: Any) -> Any:
        """One of the parts."""
        return self._accessor._changed("split_part", **self._settings, index=_whole(i))


def stepped(x: Tensor, step: dict[str, Any], dtype: str = "string", width: int = 1) -> Tensor:
    """A column of text changed by a step of the front end."""
    if x.dtype != "string":
        refuse("it changes numbers as text")
    try:
        return x.graph.front_end(x, step, dtype, width)
    except Unsupported:
        refuse("it changes text that a step before has changed", FIRST)


def _flag(text: Tensor, gap: Tensor, found: Tensor, na: Any) -> Tensor:
    """Whether something was found; `na` where the text is missing."""
    made = choose(gap, na if isinstance(na, bool) else False, found)
    filled = any(one == MISSING_TEXT for one, _ in text.replaced)
    if not isinstance(na, bool) and not filled and text.types in (("string?",), ("string?None",)):
        made.graph.lacking[made.name] = gap
    return made


def _found(pattern: str, na: Any) -> Callable[[Tensor], Tensor]:
    def found(x: Tensor) -> Tensor:
        if x.dtype != "string":
            refuse("it searches in numbers as in text")
        made = x.graph.op("RegexFullMatch", x, dtype="bool", pattern=pattern)
        return _flag(x, missing(x), made, na)

    return found


def _whole(number: Any) -> int:
    if type(number) is not int:
        refuse(f"a part of a text at {number!r:.40} has no conversion", "Give a whole number.")
    return int(number)


def _texts(given: Any) -> tuple[str, ...]:
    texts = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(text, str) for text in texts):
        refuse("it searches for what is no text")
    return texts
