"""Programs that stand in a manifest: what they may be, and that they reach nothing else."""

from __future__ import annotations

import ast
import gc
import re
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType
from typing import Any

import numpy as np
import pytest

from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.restricted_python import (
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
    "a dict made once": "def main(text, a=dict_0 | dict_0):\n    a |= [(text, 1)]\n    return a",
    "an attribute that is not there": "def main(text, a=len.count):\n    return text",
    "a default that is not there yet": "def main(text, main=main):\n    return text",
    "a default without a negative": "def main(text, a=-dict_0):\n    return text",
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
        function_of(PROGRAMS[what], values={"dict_0": ["dict", [["a", "b"]]]})


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


AROUND: Any = {
    "values": {
        "dict_0": ["dict", [["a", "b"]]],
        "dict_1": ["dict", [["c", "d"]]],
        "list_0": ["tuple", ["x", "y"]],
        "set_0": ["set", ["q"]],
    },
    "patterns": {"pattern_0": ["[a-z]+", 2]},
}
ADDS = "    t |= [(text, 1)]\n    return sorted(t)"
KEEPERS = {
    "a dict": f"def main(text):\n    t = dict_0\n{ADDS}",
    "a dict as a default": f"def main(text, t=dict_0):\n{ADDS}",
    "a dict that a default returns": f"def main(text, f=lambda: dict_0):\n    t = f()\n{ADDS}",
    "a dict in a list": f"def main(text):\n    t = [dict_0][0]\n{ADDS}",
    "a dict that is unpacked": f"def main(text):\n    a, t = [1, dict_0]\n{ADDS}",
    "a dict of a loop": f"def main(text):\n    for t in [dict_0]:\n        pass\n{ADDS}",
    "one of two dicts": f"def main(text):\n    t = dict_0 if text else dict_1\n{ADDS}",
    "a dict or another": f"def main(text):\n    t = dict_0 or dict_1\n{ADDS}",
    "the largest dict": f"def main(text):\n    t = max([dict_0], key=len)\n{ADDS}",
    "a dict as get's default": f"def main(text):\n    t = dict_1.get(text, dict_0)\n{ADDS}",
    "a dict that is passed": (
        f"def f(t, text):\n{ADDS}\ndef main(text):\n    return f(dict_0, text)"
    ),
    "a dict that is passed by name": (
        f"def f(text, t):\n{ADDS}\ndef main(text):\n    return f(text, t=dict_0)"
    ),
    "a dict that is returned": (
        f"def f():\n    return dict_0\ndef main(text):\n    t = f()\n{ADDS}"
    ),
    "a dict that is mapped": (
        f"def f(t, text):\n{ADDS}\ndef main(text):\n    return list(map(f, [dict_0], [text]))"
    ),
    "a dict under a third name": (f"def main(text):\n    a = dict_0\n    b = a\n    t = b\n{ADDS}"),
    "a list": "def main(text):\n    t = list_0\n    t.append(text)\n    return list(t)",
    "a list by its class": (
        "def main(text):\n    list.append(list_0, text)\n    return list(list_0)"
    ),
    "a list that is added to": "def main(text):\n    t = list_0\n    t += [text]\n    return t",
    "a set": "def main(text):\n    t = set_0\n    t |= {text}\n    return sorted(t)",
    "a set by its class": "def main(text):\n    set.add(set_0, text)\n    return sorted(set_0)",
}
RAISE = {
    "a dict that a default returns", "a dict in a list", "the largest dict",
    "a dict as get's default", "a dict that is returned", "a dict that is mapped",
    "a dict that is passed", "a dict that is passed by name",
    "a list by its class", "a set by its class",
}  # fmt: skip


@pytest.mark.parametrize("what", KEEPERS)
def test_no_text_is_kept_for_the_next(what: str) -> None:
    """Where the program's text does not show that it changes a constant, it raises."""
    code = KEEPERS[what]
    if what not in RAISE:
        with pytest.raises(ValueError, match="a constant that it changes is not followed"):
            function_of(code, **AROUND)
        return
    function = function_of(code, **AROUND)
    for text in ("one's own", "another's"):
        with pytest.raises((AttributeError, TypeError)):
            function(text)


# Functions may be reached, and refer to their module's names: no program of the closed part of
# Python reads or writes those as a dict, nor an attribute of a function.
MACHINERY = (type(test_no_text_is_kept_for_the_next), type(ast), type)
READ_ONLY = (
    str, int, float, bool, bytes, type(None), re.Pattern, type(len), type(str.lower), CodeType,
)  # fmt: skip


def reached(function: Any) -> list[Any]:
    """All objects that a program may come to."""
    found: list[Any] = []
    left = [function]
    while left:
        each = left.pop()
        if any(each is known for known in found):
            continue
        found.append(each)
        if isinstance(each, FunctionType):
            if each.__globals__["__builtins__"] == {}:  # of the program itself: what it can name
                left += [v for k, v in each.__globals__.items() if k != "__builtins__"]
            left += [*(each.__defaults__ or ()), *(each.__kwdefaults__ or {}).values()]
            left += [cell.cell_contents for cell in each.__closure__ or ()]
            left += [each.__code__]
        elif isinstance(each, tuple | frozenset):
            left += each
        elif isinstance(each, CodeType):
            left += each.co_consts
        elif isinstance(each, MappingProxyType):
            left += [*each.items()]
        elif isinstance(each, BuiltinFunctionType):
            left += [each.__self__]
    return found


def test_nothing_that_a_program_reaches_can_be_changed() -> None:
    code = (
        "def other(text, a=list_0, b=dict_0, c=set_0, d=lambda e: dict_0.get(e), f=dict_0.get):\n"
        "    return pattern_0.findall(text)\n"
        "def main(text, g=pattern_0.sub, h=-1, i='a', j=other, k=str.lower):\n"
        "    return [k(word) for word in j(text)]"
    )
    function = function_of(code, **AROUND)
    assert function("a Bc") == ["a", "bc"]
    found = reached(function)
    assert len(found) > len(FUNCTIONS) + len(AROUND["values"])
    allowed = (*READ_ONLY, *MACHINERY, tuple, frozenset, MappingProxyType)
    assert [each for each in found if not isinstance(each, allowed)] == []
    # Nobody has another name for what is behind a read-only dict.
    for each in found:
        if isinstance(each, MappingProxyType):
            (inner,) = gc.get_referents(each)
            assert not any(known is inner for known in found)


def test_a_constant_dict_is_one() -> None:
    code = (
        "def main(text):\n"
        "    both = dict_0 | dict_1\n"
        "    return [dict_0['a'], dict_0.get(text), text in dict_0, sorted(both), len(both),\n"
        "            dict_0 == dict_0, dict_0 == dict_1, [k for k in dict_0], '%(a)s' % dict_0,\n"
        "            f'{dict_0}', dict_0 | both == both]"
    )
    assert function_of(code, **AROUND)("a") == [
        "b", "b", True, ["a", "c"], 2, True, False, ["a"], "b", "{'a': 'b'}", True,
    ]  # fmt: skip


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
