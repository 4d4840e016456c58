"""Functions of a column of texts that go through it in Python: `[[len(t)] for t in X]`.

What is made of one text is followed as one program, if it is all that the function does: a list
comprehension, or a loop that appends to one list, over one column.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from contextlib import suppress
from types import FunctionType
from typing import Any

from onnxlet.convert.converters.following.follow import (
    Following,
    Program,
    around,
    defaults_of,
    followed,
)
from onnxlet.convert.converters.following.names import NOTHING
from onnxlet.convert.converters.following.one_text import of_one_text
from onnxlet.convert.converters.following.written import written
from onnxlet.convert.graph.converter import Graph, Table, Tensor, Unsupported
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.restricted_python import function_of

WHAT = "function"
PROBED = ("Ab c. 12!", "一 二\u3002", "a@b.cd\n\nE-f_g", "")
SAME = frozenset({"tolist", "to_list", "to_numpy", "ravel", "flatten", "squeeze", "values"})
FIRST = "Text is changed as it comes in: put this step first."


def followed_rows(
    graph: Graph, function: Any, options: Mapping[str, Any], table: Table, form: str
) -> Table | None:
    """The columns that a function makes of a column of texts; None where it is no such function.

    Args:
        graph: to write to.
        function: goes through its texts.
        options: its keyword arguments.
        table: the columns that it is given.
        form: frame, array, series or vector, as scikit-learn would pass them.

    Raises:
        Unsupported: it is one, but something in it is not followed.
    """
    if not isinstance(function, FunctionType) or not function.__code__.co_argcount:
        return None
    try:
        node = copy.deepcopy(written(function))
    except Unsupported:
        return None
    look_up = _around(function, options)
    found = of_one_text(node, lambda each: _constant(each, look_up))
    if found is None:
        return None
    parameter = node.args.args[0].arg
    of = _Column(graph, table, form, parameter).of(found.column)
    if of is None:
        return None
    column, filled = of
    following = Following(WHAT)
    name = following.define(found.function, look_up)
    text = "text" if filled is None else f"({filled!r} if text is None else text)"
    return of_texts(graph, column, following.program(f"{name}({text})"), found.flat)


def of_texts(graph: Graph, column: Tensor, program: Program, flat: bool) -> Table:
    """The columns that a program makes of a column of text.

    Raises:
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


def element(graph: Graph, function: Any, column: Tensor) -> Tensor:
    """The value that a function makes of each text of a column.

    Raises:
        Unsupported: it is not followed, or makes several.
    """
    made = of_texts(graph, column, followed(function, WHAT), True)
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


def _around(function: FunctionType, options: Mapping[str, Any]) -> Any:
    """Looks names up, parameters that are given among them."""
    outer, given = around(function), {**defaults_of(function), **options}

    def look_up(name: str) -> Any:
        return given[name] if name in given else outer(name)

    return look_up


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
