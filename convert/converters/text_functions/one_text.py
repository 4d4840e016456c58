"""What a function of a column makes of one text: `len(t)` of `[len(t) for t in X]`."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

Constant = Callable[[ast.AST], Any]  # what an expression stands for, whatever the texts are
TABLES = (np.array, np.asarray, pd.DataFrame)


@dataclass
class OfOneText:
    """What a function of a column makes of each text.

    Attributes:
        function: of one text.
        column: an expression for the column that is gone through.
        flat: it makes a list of one value for each text, unless that is a list.
    """

    function: ast.Lambda | ast.FunctionDef
    column: ast.expr
    flat: bool


def of_one_text(node: ast.FunctionDef | ast.Lambda, constant: Constant) -> OfOneText | None:
    """Take a function apart; None where it does anything else than going through one column.

    Args:
        node: the function; it is changed.
        constant: looks names up.
    """
    if isinstance(node, ast.Lambda):
        return _of_expression(node.body, constant)
    body = [each for each in node.body if not _is_text(each)]
    *before, last = body
    if not isinstance(last, ast.Return) or last.value is None:
        return None
    if before and isinstance(before[-1], ast.For):
        return _of_loop(before, last.value, constant)
    names: dict[str, ast.expr] = {}
    for each in before:
        if not isinstance(each, ast.Assign) or not isinstance(each.targets[0], ast.Name):
            return None
        names[each.targets[0].id] = _Substituted(names).visit(each.value)
    return _of_expression(_Substituted(names).visit(last.value), constant)


def _of_loop(
    before: Sequence[ast.stmt], returned: ast.expr, constant: Constant
) -> OfOneText | None:
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
    return OfOneText(ast.copy_location(function, loop), loop.iter, flat)


def _of_expression(expression: ast.expr, constant: Constant) -> OfOneText | None:
    inner, flat = _unwrapped(expression, constant)
    match inner:
        case ast.ListComp(made, [ast.comprehension(ast.Name(name), column, [])]):
            function = ast.copy_location(ast.Lambda(_parameter(name), made), inner)
            return OfOneText(function, column, flat)
        case ast.Call(ast.Name("list"), [ast.Call(ast.Name("map"), [called, column], [])], []):
            made = ast.Call(called, [ast.Name("text", ast.Load())], [])
            function = ast.copy_location(ast.Lambda(_parameter("text"), made), inner)
            return OfOneText(ast.fix_missing_locations(function), column, flat)
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


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


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
