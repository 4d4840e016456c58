"""Python functions that a build has followed: of one text, in a closed part of Python.

A manifest has their code as text. Nothing runs that is not listed here: no imports, no attributes
but methods of texts and lists, no loops without an end. What a function computes is what Python
computes, since Python runs it.
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from itertools import chain, pairwise
from typing import Any

import numpy as np

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
KINDS: Mapping[str, Callable[[Any], Any]] = {"set": frozenset, "tuple": tuple, "dict": dict}


def why_not(node: ast.AST) -> str:
    """Why a node is not in the closed part of Python; empty where it is."""
    if type(node) not in NODES:
        return f"{type(node).__name__} is not followed"
    if isinstance(node, ast.Attribute) and node.attr not in ATTRIBUTES:
        return f".{node.attr} is not followed"
    if isinstance(node, ast.Subscript) and type(node.ctx) is not ast.Load:
        return "writing into a list is not followed"
    if isinstance(node, ast.Constant) and type(node.value) not in CONSTANTS:
        return f"a constant of type {type(node.value).__name__} is not followed"
    if isinstance(node, ast.Name | ast.arg):
        name = node.id if isinstance(node, ast.Name) else node.arg
        return f"the name {name} is not followed" if name.startswith("__") else ""
    if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
        return "a format within a text is not followed"
    if isinstance(node, ast.FunctionDef) and node.decorator_list:
        return "a decorator is not followed"
    return ""


def function_of(
    code: str,
    values: Mapping[str, Sequence[Any]] | None = None,
    patterns: Mapping[str, Sequence[Any]] | None = None,
) -> Callable[[Any], Any]:
    """The function that the code defines.

    Args:
        code: definitions of functions; each calls none that is defined after it.
        values: by name, the kind of a constant collection and its members, pairs of a dict.
        patterns: by name, a regular expression and its flags.

    Raises:
        ValueError: it is not in the closed part of Python.
    """
    tree = ast.parse(code)
    known = set(FUNCTIONS) | set(values or ()) | set(patterns or ())
    for definition in tree.body:
        reasons = [reason for node in ast.walk(definition) if (reason := why_not(node))]
        if not isinstance(definition, ast.FunctionDef) or reasons:
            raise ValueError(f"a function of text: {'; '.join(reasons) or 'no definition'}")
        if unknown := _loaded(definition) - known:
            raise ValueError(f"a function of text: no {sorted(unknown)[0]} is known in it")
        known.add(definition.name)
    names: dict[str, Any] = {"__builtins__": {}, **FUNCTIONS}
    names |= {name: KINDS[kind](members) for name, (kind, members) in (values or {}).items()}
    names |= {name: re.compile(*pattern) for name, pattern in (patterns or {}).items()}
    # Every node was checked; the names that it can reach are those above.
    exec(compile(tree, "<followed>", "exec"), names)  # noqa: S102
    made: Callable[[Any], Any] = names[MAIN]
    return made


def _loaded(definition: ast.FunctionDef) -> set[str]:
    """The names that a function takes from around it."""
    nodes = list(ast.walk(definition))
    own = {node.id for node in nodes if isinstance(node, ast.Name) and type(node.ctx) is ast.Store}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node != definition}
    return {node.id for node in nodes if isinstance(node, ast.Name)} - own


def followed_text(**program: Any) -> Callable[[str], str]:
    """A text by another one; missing where the function raises for it, or makes no text."""
    function = function_of(**program)

    def change(text: str) -> str:
        try:
            made = function(None if text == MISSING_TEXT else text)
        except Exception:  # whatever scikit-learn would raise, too
            return MISSING_TEXT
        return made if isinstance(made, str) else MISSING_TEXT

    return change


def followed_numbers(width: int, **program: Any) -> Callable[[str], Sequence[float]]:
    """Numbers of a text, and 1 where the function raises for it or makes others, else 0.

    Args:
        width: how many.
        program: as `function_of` takes it.
    """
    function = function_of(**program)
    failed = (*[np.nan] * width, 1.0)

    def read(text: str) -> Sequence[float]:
        try:
            made = function(None if text == MISSING_TEXT else text)
            members = made if isinstance(made, list | tuple) else [made]
            numbers = [np.nan if each is None else float(each) for each in members]
        except Exception:  # whatever scikit-learn would raise, too
            return failed
        return (*numbers, 0.0) if len(numbers) == width else failed

    return read


def tokeniser(program: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """A function that cuts a text into tokens.

    Raises:
        TypeError: it makes no text of a token.
    """
    function = function_of(**program)

    def cut(text: str) -> list[str]:
        tokens = list(function(text))
        if not all(type(token) is str for token in tokens):
            raise TypeError("expected tokens of text")
        return tokens

    return cut
