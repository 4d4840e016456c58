"""Follows a function of one text: its code, and that of functions which it calls, as one program.

A function is followed if every part of it is in the closed part of Python that the front end runs
(`onnxlet.function.inputs.restricted_python`), and what it takes from around it is constant. All
else is refused by name. Python itself then computes, so that nothing has to be translated; parity
judges.
"""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import re
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, ModuleType
from typing import Any, NoReturn

from onnxlet.convert.converters.following.names import SEARCHED, Rewritten, marked
from onnxlet.convert.converters.following.written import written
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.convert.text_limits.regex_safety import runaway
from onnxlet.folders import documented
from onnxlet.function.inputs.restricted_python import (
    CONSTANTS,
    FUNCTIONS,
    MAIN,
    SEARCHES,
    function_of,
)

Program = dict[str, Any]  # `code`, `values` and `patterns`, as `function_of` takes them
WORDS = "analyzer='char_wb' or ngrams of characters serve Chinese; token_pattern serves words."
PLAIN = (
    "Plain Python is followed: methods of str, re with a literal pattern, comprehensions, "
    "and constants around it" + documented(" (docs/how-to/texts.md).", ".")
)
BOUNDED = "Bound what the pattern repeats, such as {1,50}, and let repeats share no letters."
LIBRARIES = {
    "jieba": "jieba", "spacy": "spaCy", "nltk": "NLTK", "pkuseg": "pkuseg", "thulac": "THULAC",
    "MeCab": "MeCab", "janome": "Janome", "fugashi": "fugashi", "transformers": "transformers",
    "tokenizers": "tokenizers", "sacremoses": "sacremoses", "gensim": "gensim", "hanlp": "HanLP",
    "textblob": "TextBlob", "sudachipy": "SudachiPy", "konlpy": "KoNLPy", "pymorphy2": "pymorphy2",
}  # fmt: skip
# A list that nobody may add to: what a function remembers from text to text is refused.
HOLDS: dict[Any, str] = {set: "set", frozenset: "set", list: "tuple", tuple: "tuple", dict: "dict"}
CALLED = {
    id(function): name for name, function in FUNCTIONS.items()
}  # by identity: a name may stand for another function


def followed(function: Any, what: str) -> Program:
    """The program of a function of one text.

    Args:
        function: as an estimator has it.
        what: it is, for messages, such as tokenizer.

    Raises:
        Unsupported: a part of it is not followed.
    """
    following = Following(what)
    return following.program(f"{following.named(function)}(text)")


class Following:
    """Collects a program.

    Attributes:
        what: is followed, for messages.
        code: definitions, each after those that it calls.
        values: constant collections by name, each its kind and members.
        patterns: regular expressions by name, each with its flags.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.code: list[str] = []
        self.values: dict[str, list[Any]] = {}
        self.patterns: dict[str, list[Any]] = {}
        self._known: dict[int, str] = {}
        self._open: set[int] = set()
        self._kept: list[Any] = []  # what is known by its id has to live

    def refuse(self, reason: str, hint: str = PLAIN) -> NoReturn:
        """Stop.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(f"its {self.what} is a Python function that {reason}", hint)

    def named(self, function: Any) -> str:
        """An expression for a function: its name in the program."""
        if id(function) in CALLED:
            return CALLED[id(function)]
        self.check_library(function)
        if isinstance(function, MethodDescriptorType) and function.__objclass__ is str:
            return f"str.{function.__name__}"
        if isinstance(function, BuiltinFunctionType):
            owner = function.__self__
            if isinstance(owner, re.Pattern):
                return f"{self.pattern(owner.pattern, owner.flags)}.{function.__name__}"
            self.refuse(f"calls {function.__qualname__}, which is not followed")
        if isinstance(function, functools.partial):
            return self._partial(function)
        if isinstance(function, type):
            self.refuse(f"calls {function.__name__}, which is not followed")
        if not isinstance(function, FunctionType):
            self.refuse(f"is no function but an object, of {type(function).__name__}")
        return self._defined(function)

    def check_library(self, value: Any) -> None:
        """Refuse what a library of tokenisers makes.

        Raises:
            Unsupported: by its name.
        """
        owner = getattr(value, "__self__", value)
        for each in (value, owner, type(owner)):
            module = each.__name__ if isinstance(each, ModuleType) else _module(each)
            library = LIBRARIES.get(module.partition(".")[0])
            if library:
                raise Unsupported(f"its {self.what} calls {library}, which is not served", WORDS)

    def _partial(self, function: functools.partial[Any]) -> str:
        inner = self.named(function.func)
        given = [self.value(each) for each in function.args]
        own = inner.startswith("function_")  # its parameters are marked
        options = [(marked(key) if own else key, each) for key, each in function.keywords.items()]
        given += ["text", *(f"{key}={self.value(each)}" for key, each in options)]
        return f"(lambda text: {inner}({', '.join(given)}))"

    def _defined(self, function: FunctionType) -> str:
        if id(function) in self._open:
            self.refuse(f"calls itself, {function.__name__}")
        if id(function) in self._known:
            return self._known[id(function)]
        self._open.add(id(function))
        given = defaults_of(function).items()
        defaults = {n: self.value(each, shared=True) for n, each in given}
        name = self.define(written(function), around(function), defaults)
        self._known[id(function)] = name
        self._kept.append(function)
        self._open.remove(id(function))
        return name

    def define(
        self,
        node: ast.FunctionDef | ast.Lambda,
        look_up: Callable[[str], Any],
        defaults: Mapping[str, str] | None = None,
    ) -> str:
        """Write a function to the program, and return its name there.

        Args:
            node: the function.
            look_up: what a name around it stands for; raises KeyError.
            defaults: an expression for each parameter that has one.
        """
        own = copy.deepcopy(node)  # it is rewritten, and others may need it
        rewritten = Rewritten(self, look_up).function(own, defaults or {})
        name = rewritten.name = f"function_{len(self.code)}"
        self.code.append(ast.unparse(ast.fix_missing_locations(rewritten)))
        return name

    def program(self, main: str) -> Program:
        """The program, whose main function returns an expression of `text`."""
        code = "\n".join([*self.code, f"def {MAIN}(text):\n    return {main}"])
        program: Program = {"code": code}
        if self.values:
            program["values"] = self.values
        if self.patterns:
            program["patterns"] = self.patterns
        try:
            function_of(**program)  # its own check of what was followed
        except ValueError as error:
            self.refuse(f"is not plain enough: {str(error).partition(': ')[2]}")
        return program

    def value(self, value: Any, shared: bool = False) -> str:
        """An expression for a constant that the function takes from around it.

        Args:
            value: the constant.
            shared: by all calls, as a default is, so that a list has to be a tuple.
        """
        if type(value) in CONSTANTS:
            return repr(value)
        if isinstance(value, re.Pattern):
            return self.pattern(value.pattern, value.flags)
        if type(value) in HOLDS:
            return self._collection(value, shared)
        if callable(value):
            return self.named(value)
        self.check_library(value)
        self.refuse(f"takes a {type(value).__name__} from around it")

    def _collection(self, value: Any, shared: bool) -> str:
        members = list(value.items()) if isinstance(value, dict) else list(value)
        flat = [each for pair in members for each in pair] if isinstance(value, dict) else members
        if not all(type(each) in CONSTANTS for each in flat):
            self.refuse(f"takes a {type(value).__name__} of other than texts and numbers")
        if isinstance(value, list) and not shared:  # made anew, since it may be compared with one
            return repr(value)
        if HOLDS[type(value)] == "set":
            members = sorted(members, key=repr)
        entry = [HOLDS[type(value)], [list(m) if isinstance(m, tuple) else m for m in members]]
        stem = "list" if isinstance(value, list) else "constant"
        return self._named_as(stem, self.values, entry)

    def pattern(self, pattern: Any, flags: int) -> str:
        """The name of a regular expression.

        Raises:
            Unsupported: it runs away on hostile text.
        """
        if not isinstance(pattern, str):
            self.refuse("searches for what is no text")
        flags = int(flags) & ~int(re.UNICODE | re.DEBUG)
        if flags & ~int(re.I | re.M | re.S | re.X | re.A):
            self.refuse(f"searches with flags={flags}")
        if reason := runaway(pattern):
            raise Unsupported(reason.replace("its token_pattern", "the pattern"), BOUNDED)
        return self._named_as("pattern", self.patterns, [pattern, flags])

    def _named_as(self, stem: str, entries: dict[str, list[Any]], entry: list[Any]) -> str:
        for name, known in entries.items():
            if name.startswith(stem) and repr(known) == repr(entry):
                return name
        name = f"{stem}_{len(entries)}"
        entries[name] = entry
        return name

    def searched(self, function: Any, given: list[Any], options: Mapping[str, Any]) -> str | None:
        """`pattern.findall` for `re.findall` of a literal pattern; None for other functions."""
        how = SEARCHED.get(function)
        if how is None:
            return None
        if not given or how not in SEARCHES:
            self.refuse(f"calls re.{function.__name__}, which is not followed")
        pattern = given[0]
        if isinstance(pattern, re.Pattern):
            return f"{self.pattern(pattern.pattern, pattern.flags)}.{how}"
        return f"{self.pattern(pattern, int(options.get('flags', 0)))}.{how}"


def _module(value: Any) -> str:
    return str(getattr(value, "__module__", None) or "")


def around(function: FunctionType) -> Callable[[str], Any]:
    """Looks up what a name outside the function stands for; raises KeyError."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))

    def look_up(name: str) -> Any:
        if name in cells:
            return cells[name].cell_contents
        return function.__globals__[name] if name in function.__globals__ else vars(builtins)[name]

    return look_up


def defaults_of(function: FunctionType) -> dict[str, Any]:
    """The default of each parameter that has one."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    pairs = dict(zip(names[len(names) - len(given) :], given, strict=True))
    return pairs | (function.__kwdefaults__ or {})
