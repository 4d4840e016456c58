"""Where a function is written: its part of a source file, if that is still what runs."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType

from onnxlet.convert.graph.converter import Unsupported

SAVED = "Define it in a file that is there at the build, and fit again."


def written(function: FunctionType) -> ast.FunctionDef | ast.Lambda:
    """The syntax tree of a function; Unsupported: its file is not there, or has changed since."""
    name, code = function.__name__, function.__code__
    try:
        source = "".join(inspect.findsource(code)[0])
        every, tree = _compiled(source)
    except (OSError, SyntaxError, TypeError, IndentationError):
        raise Unsupported(f"the source of its function {name} can't be read", SAVED) from None
    if code not in every:
        raise Unsupported(f"the file of its function {name} has changed since", SAVED)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Lambda) and _is_of(node, code):
            return node
    raise Unsupported(f"its {name} is no function of def or lambda")


@cache
def _compiled(source: str) -> tuple[frozenset[CodeType], ast.Module]:
    whole = compile(source, "<source>", "exec", dont_inherit=True)
    return frozenset(_every(whole)), ast.parse(source)


def _every(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _every(constant)


def _is_of(node: ast.FunctionDef | ast.Lambda, code: CodeType) -> bool:
    """Whether a node is where a code object comes from: a line may have several lambdas."""
    if isinstance(node, ast.FunctionDef):
        first = node.decorator_list[0] if node.decorator_list else node
        return (node.name, first.lineno) == (code.co_name, code.co_firstlineno)
    body = node.body
    place = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
    ends = (place[0], place[1]), (place[2], place[3])
    return code.co_name == "<lambda>" and any(
        ((line, end), (column, last)) == ends for line, end, column, last in code.co_positions()
    )
