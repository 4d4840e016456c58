"""Functions of a column of texts that go through it in Python: `[[len(t)] for t in X]`.

What is made of one text is followed as one program, if it is all that the function does: a list
comprehension, or a loop that appends to one list, over one column.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.converters.text_functions.rewriter import NOTHING
from onnxlet.convert.converters.text_functions.translation import (
    Program,
    Translation,
    around,
    defaults_of,
    translated,
    written,
)
from onnxlet.convert.graph.converter import Graph, Table, Tensor, Unsupported
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.restricted_python import function_of

Constant = Callable[[ast.AST], Any]  # what an expression stands for, whatever the texts are
TABLES = (np.array, np.asarray, pd.DataFrame)


@dataclass
class TextFunction:
    """What a function of a column makes of each text."""

    function: ast.Lambda | ast.FunctionDef  # of one text
    column: ast.expr  # an expression for the column that is gone through
    flat: bool  # it makes a list of one value for each text, unless that is a list


def text_function_in(node: ast.FunctionDef | ast.Lambda, constant: Constant) -> TextFunction | None:
    """Take a function apart; None where it does more than going through one column."""
    if isinstance(node, ast.Lambda):
        return _in_expression(node.body, constant)
    texts = [n for n in node.body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    *before, last = [each for each in node.body if each not in texts]
    if not isinstance(last, ast.Return) or last.value is None:
        return None
    if before and isinstance(before[-1], ast.For):
        return _in_loop(before, last.value, constant)
    names: dict[str, ast.expr] = {}
    for each in before:
        if not isinstance(each, ast.Assign) or not isinstance(each.targets[0], ast.Name):
            return None
        names[each.targets[0].id] = _Substituted(names).visit(each.value)
    return _in_expression(_Substituted(names).visit(last.value), constant)


def _in_loop(
    before: Sequence[ast.stmt], returned: ast.expr, constant: Constant
) -> TextFunction | None:
    """`rows = []`, `for text in X: … rows.append(…)`, `return rows`."""
    loop = before[-1]
    whole, flat = _unwrapped(returned, constant)
    if not isinstance(loop, ast.For) or loop.orelse or not isinstance(whole, ast.Name):
        return None
    *steps, last = loop.body
    match last:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "append"), [made], [])):
            pass
        case _:
            return None
    used = [n for each in steps for n in ast.walk(each) if isinstance(n, ast.Name) and n.id == name]
    left = [ast.Continue, ast.Break, ast.Return]
    jumps = [n for each in steps for n in ast.walk(each) if type(n) in left]
    begun = [each for each in before[:-1] if _is_empty_list(each, name)]
    if name != whole.id or used or jumps or len(begun) != len(before) - 1 != 1:
        return None
    if len(begun) != 1 or not isinstance(loop.target, ast.Name):
        return None
    arguments = _parameter(loop.target.id)
    function = ast.FunctionDef("one", arguments, [*steps, ast.Return(made)], [], None)
    return TextFunction(ast.copy_location(function, loop), loop.iter, flat)


def _in_expression(expression: ast.expr, constant: Constant) -> TextFunction | None:
    inner, flat = _unwrapped(expression, constant)
    match inner:
        case ast.ListComp(made, [ast.comprehension(ast.Name(name), column, [])]):
            function = ast.copy_location(ast.Lambda(_parameter(name), made), inner)
            return TextFunction(function, column, flat)
        case ast.Call(ast.Name("list"), [ast.Call(ast.Name("map"), [called, column], [])], []):
            made = ast.Call(called, [ast.Name("text", ast.Load())], [])
            function = ast.copy_location(ast.Lambda(_parameter("text"), made), inner)
            return TextFunction(ast.fix_missing_locations(function), column, flat)
    return None


def _unwrapped(expression: ast.expr, constant: Constant) -> tuple[ast.expr, bool]:
    """A list within `np.array(…)`, `.reshape(-1, 1)`; and whether nothing makes a table of it."""
    flat = True
    while isinstance(expression, ast.Call):
        function = expression.func
        if isinstance(function, ast.Attribute) and function.attr == "reshape":
            if ast.unparse(ast.Tuple(expression.args, ast.Load())) not in COLUMN:
                return expression, flat
            expression, flat = function.value, False
        elif expression.args and _is_one_of(constant(function), TABLES):
            if not _plain(expression.keywords, constant):
                return expression, flat
            flat = flat and constant(function) is not pd.DataFrame
            expression = expression.args[0]
        else:
            break
    return expression, flat


COLUMN = ("(-1, 1)", "((-1, 1),)")


def _plain(keywords: Sequence[ast.keyword], constant: Constant) -> bool:
    """Whether all that is said of an array is that it is of float64."""
    known = [(each.arg, constant(each.value)) for each in keywords]
    return all(name == "dtype" and _is_one_of(kind, FLOATS) for name, kind in known)


FLOATS = (float, np.float64, "float", "float64")


def _is_one_of(value: Any, known: Sequence[Any]) -> bool:
    return any(value is each or (type(each) is str and value == each) for each in known)


def _parameter(name: str) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[], args=[ast.arg(name)], kwonlyargs=[], kw_defaults=[], defaults=[]
    )


def _is_empty_list(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.Assign([ast.Name(own)], ast.List([])) if own == name:
            return True
    return False


class _Substituted(ast.NodeTransformer):
    """Variables by what was assigned to them."""

    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> Any:
        """A variable that is read."""
        if node.id in self._names and type(node.ctx) is ast.Load:
            return copy.deepcopy(self._names[node.id])
        return node


WHAT = "function"
PROBED = ("Ab c. 12!", "一 二\u3002", "a@b.cd\n\nE-f_g", "")
SAME = frozenset({"tolist", "to_list", "to_numpy", "ravel", "flatten", "squeeze", "values"})
FIRST = "Text is changed as it comes in: put this step first."


def translated_rows(
    graph: Graph, function: Any, options: Mapping[str, Any], table: Table, form: str
) -> Table | None:
    """The columns that a function makes of a column of texts; None where it is no such function.

    Options are its keyword arguments; the form is frame, array, series or vector, as scikit-learn
    would pass the table. Unsupported: it is one, but something in it is not translated.
    """
    if not isinstance(function, FunctionType | MethodType):
        return None
    try:
        node = copy.deepcopy(written(function))
    except Unsupported:
        return None
    if not node.args.args:
        return None
    look_up = around(function, {**defaults_of(function), **options})
    found = text_function_in(node, lambda each: _constant(each, look_up))
    if found is None:
        return None
    parameter = node.args.args[0].arg
    of = _Column(graph, table, form, parameter).of(found.column)
    if of is None:
        return None
    column, filled = of
    translation = Translation(WHAT)
    name = translation.define(found.function, look_up)
    text = "text" if filled is None else f"({filled!r} if text is None else text)"
    return text_columns(graph, column, translation.program(f"{name}({text})"), found.flat)


def text_columns(graph: Graph, column: Tensor, program: Program, flat: bool) -> Table:
    """The columns that a program makes of a column of text.

    Unsupported: it makes neither numbers nor a text, or the text was changed before.
    """
    if column.dtype != "string":
        raise Unsupported("its function goes through numbers as through texts")
    width = _width(program)
    if width is None:
        made = graph.front_end(column, {"step": "followed_text", **program})
        graph.refuse_rows(made.equals(MISSING_TEXT))
        return Table((made,), flat=flat)
    step = {"step": "followed_numbers", "width": width or 1, **program}
    made = graph.front_end(column, step, graph.precision, (width or 1) + 1)
    graph.refuse_rows(made.take([width or 1]).equals(1))
    return Table((made.take(range(width or 1)),), flat=flat and width == 0)


def text_values(graph: Graph, function: Any, column: Tensor) -> Tensor:
    """The value that a function makes of each text of a column.

    Unsupported: it is not translated, or makes several.
    """
    made = text_columns(graph, column, translated(function, WHAT), True)
    if not made.flat:
        raise Unsupported("its function makes a list of each text")
    return made.tensors[0]


def _width(program: Program) -> int | None:
    """How many numbers a program makes, 0 where it is no list but one; None where it is a text."""
    function = function_of(**program)
    for text in PROBED:
        made = None
        with suppress(Exception):  # as it may raise for this one
            made = function(text)
        if made is None:
            continue
        if isinstance(made, str):
            return None
        members = made if isinstance(made, list | tuple) else [made]
        if all(isinstance(each, bool | int | float) for each in members) and members != []:
            return 0 if made is not members else len(members)
        raise Unsupported("its function makes neither numbers nor a text of a text")
    raise Unsupported("its function raises for every text that was tried")


def _constant(node: ast.AST, look_up: Any) -> Any:
    """What a name stands for, or an attribute of a module; NOTHING where that is unknown."""
    if isinstance(node, ast.Constant):
        return node.value
    try:
        if isinstance(node, ast.Name):
            return look_up(node.id)
        if isinstance(node, ast.Attribute):
            return getattr(_constant(node.value, look_up), node.attr, NOTHING)
    except (KeyError, ValueError):
        pass
    return NOTHING


class _Column:
    """Finds the column that an expression stands for."""

    def __init__(self, graph: Graph, table: Table, form: str, parameter: str) -> None:
        self._columns = graph.columns(table)
        self._form, self._parameter = form, parameter

    def of(self, node: ast.expr) -> tuple[Tensor, str | None] | None:
        """The column, and the text that fills its gaps, if any; None for another expression."""
        match node:
            case ast.Call(ast.Attribute(inner, "fillna"), [ast.Constant(str(text))], []):
                found = self.of(inner)
                return None if found is None else (found[0], found[1] or text)
            case ast.Call(ast.Attribute(inner, name), [], []) if name in SAME:
                return self.of(inner) or self._whole(inner)
            case ast.Attribute(inner, "values"):
                return self.of(inner)
            case ast.Name(name) if name == self._parameter and self._form in ("series", "vector"):
                return self._columns[0], None
        column = self._selected(node)
        return None if column is None else (column, None)

    def _whole(self, node: ast.expr) -> tuple[Tensor, str | None] | None:
        """A table of one column, which is made flat."""
        match node:
            case ast.Name(name) | ast.Attribute(ast.Name(name), "values"):
                if name == self._parameter and len(self._columns) == 1:
                    return self._columns[0], None
        return None

    def _selected(self, node: ast.expr) -> Tensor | None:
        match node:
            case ast.Subscript(ast.Name(name), ast.Constant(str(label))):
                return self._labelled(name, label)
            case ast.Attribute(ast.Name(name), label):
                return self._labelled(name, label)
            case ast.Subscript(
                ast.Attribute(ast.Name(name), "iloc" | "values"),
                ast.Tuple([ast.Slice(None, None, None), ast.Constant(int(position))]),
            ) | ast.Subscript(
                ast.Name(name),
                ast.Tuple([ast.Slice(None, None, None), ast.Constant(int(position))]),
            ):
                inside = name == self._parameter and position < len(self._columns)
                return self._columns[position] if inside else None
        return None

    def _labelled(self, name: str, label: str) -> Tensor | None:
        if name != self._parameter or self._form != "frame":
            return None
        found = [each for each in self._columns if each.labels == (label,)]
        return found[0] if len(found) == 1 else None
