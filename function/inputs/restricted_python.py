"""Python functions that a build has followed: of one text, in a closed part of Python.

A manifest has their code as text. Nothing runs that is not listed here: no imports, no attributes
but methods of texts and lists, and nothing that a call could leave for the next one: constants are
read-only, defaults are constants, and a function that changes either is refused. What a function
computes is what Python computes, since Python runs it; so it may take any time and memory,
as a graph may. What clients' texts can cost is measured at build (convert's `text_limits`).
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from html import unescape
from itertools import chain, pairwise
from math import nan
from types import MappingProxyType
from typing import Any

from onnxlet.function import deadline
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.text_steps import METHODS, PREDICATES

MAIN = "main"  # the function that is called with the text
FUNCTIONS: Mapping[str, Any] = {
    each.__name__: each
    for each in (
        abs, all, any, bool, chr, enumerate, filter, float, frozenset, int, isinstance, len, list,
        map, max, min, ord, range, reversed, round, set, sorted, str, sum, tuple, zip,
    )
} | {
    "category": unicodedata.category, "chain": chain, "log": math.log, "log1p": math.log1p,
    "normalize": unicodedata.normalize, "pairwise": pairwise, "sqrt": math.sqrt,
    "unescape": unescape,
}  # fmt: skip
SEARCHES = frozenset({"findall", "fullmatch", "match", "search", "split", "sub"})
ATTRIBUTES = (
    METHODS
    | PREDICATES
    | SEARCHES
    | {
        "add", "append", "count", "endswith", "extend", "find", "get", "group", "join",
        "partition", "replace", "rfind", "rpartition", "rsplit", "splitlines", "startswith",
        "translate",
    }
)  # fmt: skip
NODES = frozenset(
    {
        ast.Add, ast.And, ast.Assign, ast.Attribute, ast.AugAssign, ast.BinOp, ast.BitAnd,
        ast.BitOr, ast.BoolOp, ast.Break, ast.Call, ast.Compare, ast.Constant, ast.Continue,
        ast.Div, ast.Eq, ast.Expr, ast.FloorDiv, ast.For, ast.FormattedValue, ast.FunctionDef,
        ast.GeneratorExp, ast.Gt, ast.GtE, ast.If, ast.IfExp, ast.In, ast.Is, ast.IsNot,
        ast.JoinedStr, ast.Lambda, ast.List, ast.ListComp, ast.Load, ast.Lt, ast.LtE, ast.Mod,
        ast.Mult, ast.Name, ast.Not, ast.NotEq, ast.NotIn, ast.Or, ast.Pass, ast.Return, ast.Set,
        ast.SetComp, ast.Slice, ast.Store, ast.Sub, ast.Subscript, ast.Tuple, ast.UAdd,
        ast.USub, ast.UnaryOp, ast.arg, ast.arguments, ast.comprehension, ast.keyword,
    }
)  # fmt: skip
CONSTANTS = (str, int, float, bool, type(None))
KINDS: Mapping[str, Callable[[Any], Any]] = {
    "set": frozenset, "tuple": tuple, "dict": lambda pairs: MappingProxyType(dict(pairs)),
}  # fmt: skip
FLAGS = re.I | re.M | re.S | re.X | re.A
CHANGING = frozenset({"add", "append", "extend"})
HOLDS = (ast.List, ast.Set, ast.Tuple)
# All that a default may be made of: all calls share it, and one could leave something in another.
IN_DEFAULTS = (
    ast.Attribute, ast.Constant, ast.Lambda, ast.Load, ast.Name, ast.UAdd, ast.USub, ast.UnaryOp,
)  # fmt: skip


# What is refused of nodes of these kinds, in words, or an empty text.
REFUSED: Sequence[tuple[type[ast.AST], Callable[[Any], str]]] = (
    (ast.Attribute, lambda n: f"writing to .{n.attr}" * (type(n.ctx) is not ast.Load)),
    (ast.Attribute, lambda n: f".{n.attr}" * (n.attr not in ATTRIBUTES)),
    (ast.Subscript, lambda n: "writing into a list" * (type(n.ctx) is not ast.Load)),
    (
        ast.Constant,
        lambda n: f"a constant of type {type(n.value).__name__}" * (type(n.value) not in CONSTANTS),
    ),
    (ast.FormattedValue, lambda n: "a format within a text" * (n.format_spec is not None)),
    (ast.Lambda, lambda n: "a default of a lambda" * any((n.args.defaults, *n.args.kw_defaults))),
    (ast.FunctionDef, lambda n: "a decorator" * bool(n.decorator_list)),
    (ast.Name, lambda n: _reserved(n.id)),
    (ast.arg, lambda n: _reserved(n.arg)),
    (ast.FunctionDef, lambda n: _reserved(n.name)),
)


def _reserved(name: str) -> str:
    return f"the name {name}" if name.startswith("__") else ""


def why_not(node: ast.AST) -> str:
    """Why a node is not in the closed part of Python; empty where it is."""
    if type(node) not in NODES:
        return f"{type(node).__name__} is not followed"
    refused = (what for kind, what in REFUSED if isinstance(node, kind))
    reason = next(filter(None, (what(node) for what in refused)), "")
    return f"{reason} is not followed" if reason else ""


def function_of(
    code: str,
    values: Mapping[str, Sequence[Any]] | None = None,
    patterns: Mapping[str, Sequence[Any]] | None = None,
) -> Callable[[Any], Any]:
    """The function that the code defines; ValueError where it is not in the closed part of Python.

    The code has definitions of functions, each of which calls none that is defined after it;
    `values` are the kind and the members of constant collections by name, pairs of a dict;
    `patterns` regular expressions with their flags.
    """
    values, patterns = values or {}, patterns or {}
    made: dict[str, Any] = {name: _collection(*entry) for name, entry in values.items()}
    made |= {name: _pattern(*entry) for name, entry in patterns.items()}
    known = {*FUNCTIONS, *made}
    if len(known) < len(FUNCTIONS) + len(values) + len(patterns):
        raise ValueError("a function of text: a name stands for two things")
    try:
        tree = ast.parse(code)
        for definition in tree.body:
            known.add(_checked(definition, known, values))
        if MAIN not in known.difference(made):
            raise ValueError(f"a function of text: no {MAIN} is defined")
        # Every node was checked; the names that it can reach are those above.
        names = {**FUNCTIONS, **made, "__builtins__": {}}
        exec(compile(tree, "<followed>", "exec"), names)  # noqa: S102
    except (SyntaxError, RecursionError, MemoryError) as error:  # as deep nesting
        raise ValueError(f"a function of text: Python can't read it: {error}") from error
    except (AttributeError, NameError, TypeError) as error:
        raise ValueError(f"a function of text: a default can't be made: {error}") from error
    main: Callable[[Any], Any] = names[MAIN]
    return main


def _checked(definition: ast.stmt, known: Collection[str], values: Collection[str]) -> str:
    """The name of a definition; ValueError where it is not in the closed part of Python."""
    reasons = [reason for node in ast.walk(definition) if (reason := why_not(node))]
    if not isinstance(definition, ast.FunctionDef) or reasons:
        raise ValueError(f"a function of text: {'; '.join(reasons) or 'no definition'}")
    arguments = definition.args
    around = [each for each in (*arguments.defaults, *arguments.kw_defaults) if each is not None]
    if not all(isinstance(node, IN_DEFAULTS) for each in around for node in _of_no_lambda(each)):
        raise ValueError("a function of text: a default that calls could share is not followed")
    inside = [*ast.walk(definition)][1:]
    annotated = [node for node in inside if isinstance(node, ast.arg) and node.annotation]
    if annotated or definition.returns or any(isinstance(n, ast.FunctionDef) for n in inside):
        raise ValueError("a function of text: annotations, and functions inside, are not followed")
    if definition.name in known:
        raise ValueError(f"a function of text: {definition.name} is defined twice")
    if unknown := _loaded(definition) - {*known}:
        raise ValueError(f"a function of text: no {sorted(unknown)[0]} is known in it")
    if changes(inside, values):
        raise ValueError("a function of text: a constant that it changes is not followed")
    return definition.name


def _of_no_lambda(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run where an expression stands, not when a lambda in it is called."""
    yield node
    if not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _of_no_lambda(child)


def changes(nodes: Sequence[ast.AST], shared: Collection[str]) -> bool:
    """Whether code changes what all calls share, by whatever name it has for these constants.

    A program in which that is not seen, such as by a function that it calls, raises when it runs.
    """
    bound = [pair for node in nodes for pair in _bound(node)]
    names = found = {*shared}
    while found:
        found = {name for name, value in bound if name not in names and names & _may_be(value)}
        names = names | found
    changed: list[ast.AST] = [n.target for n in nodes if isinstance(n, ast.AugAssign)]
    changed += [n.value for n in nodes if isinstance(n, ast.Attribute) and n.attr in CHANGING]
    return any(names & _may_be(each) for each in changed)


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Each name that a node binds, and what to; of a list that is gone through, its members."""
    if isinstance(node, ast.arguments):
        last = (node.posonlyargs + node.args)[::-1]
        defaults = node.defaults[::-1] + [None] * (len(last) - len(node.defaults))
        pairs = zip(last + node.kwonlyargs, defaults + node.kw_defaults, strict=True)
        yield from ((each.arg, default) for each, default in pairs if default is not None)
        return
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, HOLDS):
        targets, value = [node.target], node.iter
    else:
        return
    for each in targets:
        yield from ((n.id, value) for n in ast.walk(each) if isinstance(n, ast.Name))


def _may_be(value: ast.AST) -> set[str]:
    """The names of what an expression may be the very object of, or hold."""
    if isinstance(value, ast.Name):
        return {value.id}
    inner = (
        ast.iter_child_nodes(value) if isinstance(value, (*HOLDS, ast.IfExp, ast.BoolOp)) else ()
    )
    return set().union(*map(_may_be, inner))


def _collection(kind: str, members: Sequence[Any]) -> Any:
    flat = [each for pair in members for each in pair] if kind == "dict" else members
    if kind not in KINDS or not all(type(each) in CONSTANTS for each in flat):
        raise ValueError("a function of text: expected a set, a tuple or a dict of constants")
    return KINDS[kind](members)


def _pattern(pattern: str, flags: int) -> re.Pattern[str]:
    if type(pattern) is not str or flags & ~FLAGS:
        raise ValueError(f"a function of text: expected a pattern of text, got flags={flags}")
    return re.compile(pattern, flags)


def _loaded(definition: ast.FunctionDef) -> set[str]:
    """The names that a function takes from around it."""
    nodes = list(ast.walk(definition))
    own = {node.id for node in nodes if isinstance(node, ast.Name) and type(node.ctx) is ast.Store}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return {node.id for node in nodes if isinstance(node, ast.Name)} - own


def followed_text(**program: Any) -> Callable[[str], str]:
    """A text by another one; missing where the function raises for it, or makes no text."""
    function = function_of(**program)

    def change(text: str) -> str:
        deadline.check()  # it may take a second by itself
        try:
            made = function(None if text == MISSING_TEXT else text)
        except Exception:  # whatever scikit-learn would raise, too
            return MISSING_TEXT
        return made if isinstance(made, str) else MISSING_TEXT

    return change


def followed_numbers(width: int, **program: Any) -> Callable[[str], Sequence[float]]:
    """So many numbers of a text, and 1 where the function raises for it or makes others, else 0."""
    function = function_of(**program)
    failed = (*[nan] * width, 1.0)

    def read(text: str) -> Sequence[float]:
        deadline.check()
        try:
            made = function(None if text == MISSING_TEXT else text)
            members = made if isinstance(made, list | tuple) else [made]
            numbers = [nan if each is None else float(each) for each in members]
        except Exception:  # whatever scikit-learn would raise, too
            return failed
        return (*numbers, 0.0) if len(numbers) == width else failed

    return read


def tokeniser(program: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """A function that cuts a text into tokens; TypeError where it makes no text of one."""
    function = function_of(**program)

    def cut(text: str) -> list[str]:
        tokens = list(function(text))
        if not all(type(token) is str for token in tokens):
            raise TypeError("expected tokens of text")
        return tokens

    return cut
