"""Programs that stand in a manifest: what they may be, and that they reach nothing else."""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np
import pytest

from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.followed import (
    ATTRIBUTES,
    FUNCTIONS,
    NODES,
    followed_numbers,
    followed_text,
    function_of,
    tokeniser,
)

EXPRESSIONS = {
    "import": "__import__('os')",
    "the builtins": "__builtins__",
    "open": "open('a')",
    "exec": "exec('1')",
    "getattr": "getattr(text, 'lower')",
    "type": "type(text)",
    "a class": "text.__class__",
    "a class of a function": "len.__self__",
    "code": "(lambda: 1).__code__",
    "a generator's frame": "(a for a in text).gi_frame",
    "a format": "'{0.__class__}'.format(text)",
    "a format by names": "'{a}'.format_map(text)",
    "a format within a text": "f'{text:>999999999}'",
    "a formatted attribute": "f'{text.__class__!r}'",
    "a method that is none of the list": "text.encode('utf-8')",
    "a pattern's template": "[m.expand('a') for m in text]",
    "a power": "9 ** 9",
    "a shift": "1 << 9",
    "bytes": "b'a'",
    "a complex number": "1j",
    "an ellipsis": "...",
    "a dict": "{1: 2}",
    "a walrus": "(a := 1)",
    "a star": "[*text]",
    "a yield": "(yield)",
    "an await": "await text",
    "a lambda's default": "(lambda a=[]: a)()",
    "a lambda's own keyword's default": "(lambda *, a=[]: a)()",
    "a hidden name": "(lambda __a: __a)(text)",
    "letters that Python reads as others": "text.__\uff43lass__",
    "deep parentheses": "(" * 5000 + "1" + ")" * 5000,
    "deep signs": "-" * 100_000 + "1",
    "deep sums": "1+" * 100_000 + "1",
    "deep attributes": "text" + ".lower()" * 50_000,
    "deep lambdas": "lambda: " * 3000 + "1",
    "a long number": "9" * 5000,
    "no expression": "(",
    "a null character": "'\0'",
}


@pytest.mark.parametrize("what", EXPRESSIONS)
def test_expressions_that_are_refused(what: str) -> None:
    with pytest.raises(ValueError, match="a function of text: "):
        function_of(f"def main(text):\n    return {EXPRESSIONS[what]}")


PROGRAMS = {
    "an import": "import os\ndef main(text):\n    return text",
    "an import inside": "def main(text):\n    import os\n    return text",
    "a statement beside": "len('a')\ndef main(text):\n    return text",
    "a class": "class main:\n    pass",
    "a decorator": "@len\ndef main(text):\n    return text",
    "builtins": "def __builtins__(text):\n    return text\ndef main(text):\n    return text",
    "a name of the list": "def len(text):\n    return 1\ndef main(text):\n    return 1",
    "a function twice": "def main(text):\n    return 1\ndef main(text):\n    return 2",
    "a function inside": "def main(text):\n    def f(a):\n        return a\n    return f(text)",
    "one that is defined later": "def main(text):\n    return b(text)\ndef b(text):\n    return 1",
    "itself": "def main(text):\n    return main(text)",
    "an annotation": "def main(text: [a for a in range(9)]):\n    return text",
    "an annotation of what it returns": "def main(text) -> len:\n    return text",
    "an annotated variable": "def main(text):\n    a: len = 1\n    return a",
    "a global name": "def main(text):\n    global a\n    a = text\n    return a",
    "no end": "def main(text):\n    while True:\n        pass",
    "a try": "def main(text):\n    try:\n        return 1\n    except len:\n        pass",
    "a raise": "def main(text):\n    raise text",
    "an assertion": "def main(text):\n    assert text",
    "a with": "def main(text):\n    with text:\n        pass",
    "a match": "def main(text):\n    match text:\n        case len():\n            pass",
    "a deletion": "def main(text):\n    del text",
    "a coroutine": "async def main(text):\n    return text",
    "no main": "def other(text):\n    return text",
    "nothing": "",
    "a default that all calls share": "def main(text, a=[]):\n    a.append(text)\n    return a",
    "a set as a default": "def main(text, a={1}):\n    a.add(text)\n    return len(a)",
    "an iterator as a default": "def main(text, a=chain('abc')):\n    return list(a)",
    "a keyword's default": "def main(text, *, a=[1 for b in 'a']):\n    return a",
    "a default's default": "def main(text, f=lambda a, b=[]: b):\n    return f(text)",
    "an attribute of a function": (
        "def other(text):\n    return 1\n"
        "def main(text):\n    other.find = text\n    return other.find"
    ),
    "an attribute as a variable": (
        "def other(text):\n    return 1\n"
        "def main(text):\n    for other.find in text:\n        pass\n    return other.find"
    ),
    "an element": "def main(text):\n    a = [1]\n    a[0] = text\n    return a",
}  # fmt: skip


@pytest.mark.parametrize("what", PROGRAMS)
def test_programs_that_are_refused(what: str) -> None:
    with pytest.raises(ValueError, match="a function of text: "):
        function_of(PROGRAMS[what])


@pytest.mark.parametrize(
    "around",
    [
        {"values": {"len": ["tuple", [1]]}},
        {"patterns": {"len": ["a", 0]}},
        {"values": {"a": ["tuple", [1]]}, "patterns": {"a": ["a", 0]}},
        {"values": {"main": ["tuple", [1]]}},
        {"values": {"a": ["list", [1]]}},
        {"values": {"a": ["tuple", [[]]]}},  # that could be written to
        {"values": {"a": ["dict", [["b", []]]]}},
        {"patterns": {"a": ["a", int(re.DEBUG)]}},  # prints
        {"patterns": {"a": [1, 0]}},
    ],
)
def test_values_that_are_refused(around: Any) -> None:
    with pytest.raises(ValueError, match="a function of text: "):
        function_of("def main(text):\n    return 1", **around)


def test_no_value_becomes_the_builtins() -> None:
    values = {"__builtins__": ["dict", [["a", 1]]]}
    function = function_of("def main(text):\n    return text.lower()", values=values)
    assert function.__globals__["__builtins__"] == {}
    assert function("A") == "a"


def test_the_lists_are_closed() -> None:
    """What would open them: a name with underscores, formats, and what makes other code run."""
    risky = {
        "format", "format_map", "encode", "expand", "re", "string", "pop", "update", "send",
        "from_iterable", "mro", "fromhex", "from_bytes", "maketrans",
    }  # fmt: skip
    assert not {name for name in ATTRIBUTES if "_" in name} | (ATTRIBUTES & risky)
    callers = {
        "eval",
        "exec",
        "open",
        "getattr",
        "setattr",
        "vars",
        "type",
        "super",
        "iter",
        "next",
    }
    assert not set(FUNCTIONS) & callers
    statements = {each.__name__ for each in NODES if issubclass(each, ast.stmt)}
    assert statements == {
        "Assign", "AugAssign", "Break", "Continue", "Expr", "For", "FunctionDef", "If", "Pass",
        "Return",
    }  # fmt: skip


def test_what_is_run() -> None:
    code = (
        "def function_0(_a_, _b_=constant_0, _c_=-1, _d_=lambda text: len(text)):\n"
        "    _n_ = 0\n"
        "    for _w_ in pattern_0.findall(_a_):\n"
        "        if _w_.lower() in _b_:\n"
        "            _n_ += _d_(_w_)\n"
        "        else:\n"
        "            continue\n"
        "    return _n_ + _c_\n"
        "def main(text):\n"
        "    return [function_0(text), f'{len(text)!r}!', sorted(set(text), key=ord)[:2]]"
    )
    function = function_of(
        code, values={"constant_0": ["set", ["ab", "cd"]]}, patterns={"pattern_0": ["[a-z]+", 2]}
    )
    assert function("AB cd x") == [3, "7!", [" ", "A"]]
    assert function("AB cd x") == [3, "7!", [" ", "A"]]


ENDLESS = "def main(text):\n    return (lambda f: f(f))(lambda f: {})"


@pytest.mark.parametrize("way", ["f(f)", "sorted([f], key=f)", "list(map(f, [f]))", "f(f) + 1"])
def test_recursion_ends_as_a_failure(way: str) -> None:
    code = ENDLESS.format(way)
    assert followed_text(code=code)("a") == MISSING_TEXT
    assert np.array_equal(followed_numbers(2, code=code)("a"), (np.nan, np.nan, 1), equal_nan=True)


def test_forms_of_answers() -> None:
    assert followed_text(code="def main(text):\n    return text + 'b'")("a") == "ab"
    assert (
        followed_text(code="def main(text):\n    return text + 'b'")(MISSING_TEXT) == MISSING_TEXT
    )
    assert followed_text(code="def main(text):\n    return 1")("a") == MISSING_TEXT
    numbers = followed_numbers(2, code="def main(text):\n    return (len(text), None)")
    assert np.array_equal(numbers("abc"), (3.0, np.nan, 0.0), equal_nan=True)
    one = followed_numbers(1, code="def main(text):\n    return (1, 2)")
    assert np.array_equal(one("a"), (np.nan, 1.0), equal_nan=True)
    assert tokeniser({"code": "def main(text):\n    return text.split()"})("a b") == ["a", "b"]
    with pytest.raises(TypeError, match="expected tokens of text"):
        tokeniser({"code": "def main(text):\n    return [1]"})("a")
