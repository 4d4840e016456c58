"""Steps of the front end that search text for a regular expression: which are slow, and how slow.

A pattern that takes the square of a text's length is quick on a short one, so that its column gets
a limit of length. The text that it is given must then be no longer than the one that comes in, or
by a known factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from onnxlet.convert.text_limits.hostile_texts import Hostile, hostile
from onnxlet.convert.text_limits.regex_safety import runaway
from onnxlet.function.inputs.front_end import composed

Step = Mapping[str, Any]
# What is timed, and a text for it of about so many characters.
Costly = tuple[Callable[[str], Any], Callable[[int], str]]

# By how much each step may lengthen a text; of upper case, "\u0390" has three characters.
GROWTH = {
    "character_at": 1, "pattern_group": 1, "replace_texts": 1, "slice_text": 1, "split_part": 1,
}  # fmt: skip
GROWTH_OF_METHODS = {
    "capitalize": 3, "casefold": 3, "lower": 3, "lstrip": 1, "removeprefix": 1, "removesuffix": 1,
    "rstrip": 1, "strip": 1, "swapcase": 3, "title": 3, "upper": 3,
}  # fmt: skip


def growth(steps: Sequence[Step]) -> int | None:
    """How many times as long as the text that comes in another one may be; None for any number."""
    factors = [
        GROWTH_OF_METHODS.get(step["name"])
        if step["step"] == "str_method"
        else GROWTH.get(step["step"])
        for step in steps
    ]
    return None if None in factors else math.prod(one for one in factors if one is not None)


def slow_steps(steps: Sequence[Step]) -> list[tuple[Step, int]]:
    """The steps whose pattern runs away on long texts, each with the growth before it."""
    return [
        (step, growth(steps[:position]) or 1)
        for position, step in enumerate(steps)
        if (pattern := _pattern(step)) is not None and runaway(pattern)
    ]


def costly_searches(slow: Sequence[tuple[Step, int]]) -> Iterator[Costly]:
    """Searches of texts that are costly for the steps, by the length of the text that comes in."""
    for step, times in slow:
        search = composed([step])
        for text in hostile(_pattern(step) or ""):
            yield search, partial(_grown, text, times)


def _grown(text: Hostile, times: int, length: int) -> str:
    return text.of(length * times)


def _pattern(step: Step) -> str | None:
    if step["step"] == "split_part":
        return step["separator"] if step.get("pattern") else None
    return step.get("pattern")
