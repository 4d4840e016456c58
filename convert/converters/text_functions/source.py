"""What is known of a Python function: its source, the names in it, what stands around it."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType
from typing import Any

from onnxlet.convert.graph.converter import Unsupported

SAVED = "Define it in a file that is there at the build, and fit again."


def without_partial(function: Any) -> Any:
    """A function, without functools.partial around it."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def names_in(function: Any, seen: set[Any] | None = None) -> set[str]:
    """All names in the code of a function, and of functions of its module that it calls."""
    known: set[Any] = set() if seen is None else seen
    function = without_partial(function)
    if not hasattr(function, "__code__"):
        function = vars(type(function)).get("__call__")
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType) or code in known:
        return set()
    known.add(code)
    names = {name for each in _every(code) for name in each.co_names}
    beside = getattr(function, "__globals__", {})
    called = [beside[name] for name in names if isinstance(beside.get(name), FunctionType)]
    return names.union(*(names_in(one, known) for one in called))


def written(function: FunctionType) -> ast.FunctionDef | ast.Lambda:
    """The syntax tree of a function; Unsupported: its file is not there, or has changed since."""
    name, code = function.__name__, function.__code__
    try:
        every, tree = _compiled("".join(inspect.findsource(code)[0]))
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
    """Code, and all that is defined within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _every(constant)


def _is_of(node: ast.FunctionDef | ast.Lambda, code: CodeType) -> bool:
    """Whether a node is where a code object comes from: a line may have several lambdas."""
    if isinstance(node, ast.FunctionDef):
        first = node.decorator_list[0] if node.decorator_list else node
        return (node.name, first.lineno) == (code.co_name, code.co_firstlineno)
    body = node.body
    wanted = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
    return code.co_name == "<lambda>" and wanted in code.co_positions()


def around(function: FunctionType, given: Mapping[str, Any]) -> Callable[[str], Any]:
    """Looks up what a name in a function is given, or stands for outside; raises KeyError."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))

    def look_up(name: str) -> Any:
        if name in given:
            return given[name]
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
