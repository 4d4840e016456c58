"""Steps of the front end: one cell at a time, bounded in time, and only those that are known."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.columns import LONGEST_TEXT
from onnxlet.function.inputs.front_end import MODULES, StepFeed, composed

STEPS: list[tuple[dict[str, Any], str, Any]] = [
    ({"step": "str_method", "name": "strip"}, " a ", "a"),
    ({"step": "str_method", "name": "strip", "arguments": ["-"]}, "-a ", "a "),
    ({"step": "str_predicate", "name": "isdigit"}, "12", 1),
    ({"step": "slice_text", "start": -2, "stop": None}, "abc", "bc"),
    ({"step": "character_at", "index": 3}, "abc", MISSING_TEXT),
    ({"step": "character_at", "index": -3}, "abc", "a"),
    ({"step": "length"}, "", 0),
    ({"step": "split_part", "separator": ",", "most": 1, "index": 1}, "a,b,c", "b,c"),
    (
        {"step": "split_part", "separator": ",", "most": 1, "index": 0, "from_right": True},
        "a,b,c",
        "a,b",
    ),
    (
        {"step": "split_part", "separator": "[,;]", "most": -1, "index": 2, "pattern": True},
        "a,b;c",
        "c",
    ),
    ({"step": "split_part", "separator": ",", "most": -1, "index": 1}, "a", MISSING_TEXT),
    ({"step": "replace_pattern", "pattern": "b+", "replacement": "-"}, "abbcb", "a-c-"),
    ({"step": "replace_literal", "old": "b", "new": "x", "most": 1}, "abb", "axb"),
    ({"step": "pattern_group", "pattern": "(b)|c"}, "ac", MISSING_TEXT),
    ({"step": "pattern_matches", "pattern": "B", "how": "search", "flags": 2}, "abc", 1),
    ({"step": "pattern_matches", "pattern": "b", "how": "match"}, "abc", 0),
    ({"step": "pattern_count", "pattern": "b"}, "abb", 2),
    ({"step": "find_text", "text": "b", "last": True}, "abb", 2),
    ({"step": "parse_float"}, " 1_0e2 ", (1000.0, 0.0)),
    ({"step": "parse_int"}, "9223372036854775808", (0, 1)),
    ({"step": "replace_texts", "pairs": [["a", "b"], ["b", None]]}, "a", MISSING_TEXT),
]


@pytest.mark.parametrize(("step", "cell", "expected"), STEPS)
def test_a_step(step: dict[str, Any], cell: str, expected: Any) -> None:
    assert composed([step])(cell) == expected


@pytest.mark.parametrize("step", [step for step, _, _ in STEPS if step["step"] != "replace_texts"])
def test_a_missing_text_stays_missing(step: dict[str, Any]) -> None:
    made = np.ravel(np.array(composed([step])(MISSING_TEXT), dtype=object))[0]
    assert made == MISSING_TEXT or made != made or step["step"] == "parse_int"


@pytest.mark.parametrize("step", [step for step, _, _ in STEPS])
def test_no_step_takes_long_on_the_longest_text(step: dict[str, Any]) -> None:
    change = composed([step])
    start = time.process_time()
    for text in ("b" * LONGEST_TEXT, "a," * (LONGEST_TEXT // 2), "9" * LONGEST_TEXT):
        change(text)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(("name", "module"), MODULES.items())
def test_each_step_is_a_function_of_its_module(name: str, module: str) -> None:
    assert getattr(import_module(module), name).__module__ == module


def test_steps_follow_each_other() -> None:
    steps: list[dict[str, Any]] = [
        {"step": "str_method", "name": "upper"},
        {"step": "slice_text", "start": 0, "stop": 2},
    ]
    assert composed(steps)("straße") == "ST"


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ({"step": "str_method", "name": "format"}, "a method of str that changes it, got 'format'"),
        ({"step": "str_predicate", "name": "encode"}, "a predicate of str, got 'encode'"),
    ],
)
def test_no_other_method_is_called(step: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        composed([step])


def test_a_feed_makes_a_tensor_of_its_dtype_and_width() -> None:
    block = np.array([["x", "1.5"], ["y", "none"], ["z", MISSING_TEXT]], dtype=object)
    entry = {"name": "input_1", "dtype": "float32", "width": 2, "steps": [{"step": "parse_float"}]}
    made = StepFeed(entry, (0, 1)).gather([block])
    assert (str(made.dtype), made.shape) == ("float32", (3, 2))
    np.testing.assert_array_equal(made, [[1.5, 0], [np.nan, 1], [np.nan, 0]])

    texts = StepFeed(
        {"name": "a", "dtype": "string", "steps": [{"step": "str_method", "name": "upper"}]}, (0, 0)
    )
    assert texts.gather([block]).tolist() == [["X"], ["Y"], ["Z"]]
