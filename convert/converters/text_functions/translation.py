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
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, NoReturn, cast

from onnxlet.convert.converters.text_functions.rewriter import Rewritten, marked
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.convert.text_limits.regex_safety import runaway
from onnxlet.folders import documented
from onnxlet.function.inputs.restricted_python import CONSTANTS, FUNCTIONS, MAIN, function_of

Function = FunctionType | MethodType
FOLLOWED = "__followed__"  # of a proxy's class: the estimator that it stands for
SAVED = "Define it in a file that is there at the build, and fit again."


def without_partial(function: Any) -> Any:
    """A function, without functools.partial around it."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def written(function: Function) -> ast.FunctionDef | ast.Lambda:
    """The syntax tree of a function, of a method without its object.

    Unsupported: its file is not there, or has changed since.
    """
    name, code = function.__name__, function.__code__
    try:
        every, tree = _compiled("".join(inspect.findsource(code)[0]))
    except (OSError, SyntaxError, TypeError, IndentationError):
        raise Unsupported(f"the source of its function {name} can't be read", SAVED) from None
    if code not in every:
        raise Unsupported(f"the file of its function {name} has changed since", SAVED)
    defined = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.Lambda))
    of_code = [node for node in defined if _is_of(node, code)]
    if not of_code:
        raise Unsupported(f"its {name} is no function of def or lambda")
    node = of_code[-1]  # of lambdas within each other the innermost, which the walk meets last
    return _unbound(node) if isinstance(function, MethodType) else node


def _unbound(node: ast.FunctionDef | ast.Lambda) -> ast.FunctionDef | ast.Lambda:
    """A method without its first parameter, which stands for its object as a constant does."""
    made = copy.deepcopy(node)
    (made.args.posonlyargs or made.args.args).pop(0)
    return made


@cache
def _compiled(source: str) -> tuple[frozenset[CodeType], ast.Module]:
    whole = compile(source, "<source>", "exec", dont_inherit=True)
    return frozenset(every_code(whole)), ast.parse(source)


def every_code(code: CodeType) -> Iterator[CodeType]:
    """Code, and all that is defined within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from every_code(constant)


def _is_of(node: ast.FunctionDef | ast.Lambda, code: CodeType) -> bool:
    """Whether a node is where a code object comes from: a line may have several lambdas."""
    if isinstance(node, ast.FunctionDef):
        first = node.decorator_list[0] if node.decorator_list else node
        return (node.name, first.lineno) == (code.co_name, code.co_firstlineno)
    if code.co_name != "<lambda>":
        return False
    body = node.body
    start, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
    # What is at no place of the source has None, or an empty range where the lambda begins.
    places = [
        ((first, column), (last, end_column))
        for first, last, column, end_column in code.co_positions()
        if None not in (first, column) and (first, column) != (last, end_column)
    ]
    return bool(places) and all(start <= first and last <= end for first, last in places)


def around(function: Function, given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Looks up what a name in a function is given, or stands for outside; raises KeyError."""
    if isinstance(function, MethodType):
        given = {function.__code__.co_varnames[0]: function.__self__, **given}
    function = cast("FunctionType", getattr(function, "__func__", function))
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))

    def look_up(name: str) -> Any:
        if name in given:
            found = given[name]
        elif name in cells:
            found = cells[name].cell_contents
        else:
            beside = function.__globals__
            found = beside[name] if name in beside else vars(builtins)[name]
        return vars(type(found)).get(FOLLOWED, found)

    return look_up


def defaults_of(function: Function) -> dict[str, Any]:
    """The default of each parameter that has one."""
    function = cast("FunctionType", getattr(function, "__func__", function))
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    pairs = dict(zip(names[len(names) - len(given) :], given, strict=True))
    return pairs | (function.__kwdefaults__ or {})


Program = dict[str, Any]  # `code`, `values` and `patterns`, as `function_of` takes them
WORDS = "analyzer='char_wb' or ngrams of characters serve Chinese; token_pattern serves words."
PLAIN = (
    "Plain Python is followed: methods of str, re with a literal pattern, comprehensions, "
    "and constants around it, such as a dictionary" + documented(" (docs/how-to/texts.md).", ".")
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


def translated(function: Any, what: str) -> Program:
    """The program of a function of one text; `what` it is, for messages, such as tokenizer.

    Unsupported: a part of it is not translated.
    """
    translation = Translation(what)
    return translation.program(f"{translation.named(function)}(text)")


class Translation:
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
        """Stop, by Unsupported."""
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
        if not isinstance(function, FunctionType | MethodType):
            self.refuse(f"is no function but an object, of {type(function).__name__}")
        return self._defined(function)

    def check_library(self, value: Any) -> None:
        """Refuse what a library of tokenisers makes, by its name."""
        owner = getattr(value, "__self__", value)
        for each in (value, owner, type(owner)):
            name = "__name__" if isinstance(each, ModuleType) else "__module__"
            module = str(getattr(each, name, None) or "")
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

    def _defined(self, function: Function) -> str:
        key = id(getattr(function, "__func__", function))  # a method is another object each time
        if key in self._open:
            self.refuse(f"calls itself, {function.__name__}")
        if key in self._known:
            return self._known[key]
        self._open.add(key)
        given = defaults_of(function).items()
        defaults = {n: self.value(each, shared=True) for n, each in given}
        name = self.define(written(function), around(function, {}), defaults)
        self._known[key] = name
        self._kept.append(function)
        self._open.remove(key)
        return name

    def define(
        self,
        node: ast.FunctionDef | ast.Lambda,
        look_up: Callable[[str], Any],
        defaults: Mapping[str, str] | None = None,
    ) -> str:
        """Write a function to the program, and return its name there.

        `look_up` returns what a name around it stands for, or raises KeyError; a default is an
        expression.
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

        Where all calls share it, as a default, a list has to be a tuple.
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
        """The name of a regular expression; one that runs away on hostile text is Unsupported."""
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
