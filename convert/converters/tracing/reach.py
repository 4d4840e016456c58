"""What a function may call and takes from around it: whether its answers can change with time."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import joblib
import numpy as np
import pandas as pd

from onnxlet.convert.converters.registration import FOREIGN
from onnxlet.convert.converters.text_functions.translation import every_code, without_partial
from onnxlet.convert.converters.tracing.base import NotTraceable
from onnxlet.convert.sources.users_code import is_theirs

# Names in a function's code that make its values depend on when it is called, or where.
CHANGING = {
    "now": "the time", "today": "the date", "utcnow": "the time", "random": "random numbers",
    "default_rng": "random numbers", "urandom": "random numbers", "RandomState": "random numbers",
    "check_random_state": "random numbers", "uuid4": "random numbers", "open": "a file",
    "read_csv": "a file", "read_parquet": "a file", "read_pickle": "a file", "read_text": "a file",
    "read_bytes": "a file", "urlopen": "an address", "environ": "the environment",
    "getenv": "the environment",
}  # fmt: skip
MODULES = {
    "time": "the time", "random": "random numbers", "secrets": "random numbers",
    "joblib": "a file", "pathlib": "a file", "pickle": "a file", "sqlite3": "a database",
    "requests": "an address", "socket": "an address", "subprocess": "another program",
}  # fmt: skip
NOW = ("now", "today")
OURS = "onnxlet"
OF_TIME = {"Timestamp", "to_datetime", "datetime64"}  # of the text "now" or "today"
# Values around a function that may be other ones at its next call.
STATE = (dict, list, set, deque, bytearray, np.ndarray, pd.Series, pd.DataFrame, int, float, str)
OF_FIT = ("fit", "partial_fit")  # methods begin so that only a fit calls, or what is refused
Reached = Mapping[CodeType, FunctionType]


def reached(
    function: Any, owner: Any = None, known: dict[CodeType, FunctionType] | None = None
) -> Reached:
    """The functions that one may call, itself first, by their code.

    Those around it, those of modules around it and, where it is a method, those of its object.
    """
    found: dict[CodeType, FunctionType] = {} if known is None else known
    function = without_partial(function)
    if isinstance(function, MethodType):
        owner = owner or function.__self__
    function = _inside(function)
    if not hasattr(function, "__code__"):
        function = vars(type(function)).get("__call__")
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType) and code not in found:
        found[code] = function
        for one in _beside(function, owner):
            reached(one, owner, found)
    return found


def _beside(function: FunctionType, owner: Any) -> Iterator[FunctionType]:
    """The functions that a function has a name of."""
    names, around = names_of(function), surroundings(function)
    package = function.__module__.partition(".")[0]
    modules = [one for one in around.values() if isinstance(one, ModuleType)]
    inside = [vars(module).get(name) for module in modules for name in names]
    candidates = [
        *_functions_in(around.values()),
        *(one for one in inside if isinstance(one, FunctionType) and is_theirs(one.__code__)),
        *(_functions_in(_attributes(function, owner)) if owner is not None else ()),
    ]
    for one in map(_inside, candidates):
        home = str(getattr(one, "__module__", "")).partition(".")[0]
        is_inside = home == package != OURS  # ours only hand on to what they were given
        if isinstance(one, FunctionType) and (is_inside or home not in FOREIGN):
            yield one


def _attributes(function: FunctionType, owner: Any) -> Iterator[Any]:
    """What a function may find in its object: by name, or by texts that it makes a name of."""
    names, held = names_of(function), getattr(owner, "__dict__", {})
    texts = [one for one in _constants(function) if isinstance(one, str) and one[1:].isidentifier()]
    for name in {*dir(type(owner)), *held}:
        is_made = any(name.startswith(text) or name.endswith(text) for text in texts)
        by_text = "getattr" in names and (is_made or not texts)
        if (name in names or by_text) and not name.startswith((*OF_FIT, "__")):
            yield held.get(name, inspect.getattr_static(type(owner), name, None))


def _constants(function: FunctionType) -> list[Any]:
    return [one for code in every_code(function.__code__) for one in code.co_consts]


def _functions_in(values: Iterable[Any]) -> Iterator[Any]:
    """The functions among values, and in collections among them."""
    for value in values:
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, list | tuple | set):
            yield from value
        else:
            yield value


def _inside(one: Any) -> Any:
    """The function in a property, a method, or what scikit-learn wraps these in."""
    if isinstance(one, property):
        return one.fget
    if isinstance(one, staticmethod | classmethod | MethodType):
        return one.__func__
    if isinstance(one, cached_property):
        return one.func
    return vars(one)["fn"] if type(one).__name__ == "_AvailableIfDescriptor" else one


def names_of(function: FunctionType) -> set[str]:
    """All names in the code of a function."""
    return {name for each in every_code(function.__code__) for name in each.co_names}


def surroundings(function: FunctionType) -> dict[str, Any]:
    """What the names in a function's code stand for, in its module and in functions around it."""
    around = function.__globals__
    found = {name: around[name] for name in names_of(function) if name in around}
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        with suppress(ValueError):  # it is empty
            found[name] = cell.cell_contents
    return found


def changing(functions: Reached) -> tuple[str, FunctionType] | None:
    """What some function asks for that is another at the next call; None where none does."""
    for function in functions.values():
        names = names_of(function)
        if asked := sorted(names & CHANGING.keys()):
            return CHANGING[asked[0]], function
        if names & OF_TIME and any(one in NOW for one in _constants(function)):
            return "the time", function
        for one in surroundings(function).values():
            kind = "__name__" if isinstance(one, ModuleType) else "__module__"
            module = getattr(one, kind, None)
            if isinstance(module, str) and module in MODULES:
                return MODULES[module], function
    return None


def state_of(functions: Reached, owner: Any = None) -> dict[str, Any]:
    """Fingerprints of what functions may change, by how it is called: of one, an object's too."""
    found: dict[str, Any] = {}
    for function in functions.values():
        around = surroundings(function).items()
        found |= {name: value for name, value in around if isinstance(value, STATE)}
    for kind in reversed(type(owner).__mro__) if owner is not None else ():
        if kind.__module__.partition(".")[0] not in FOREIGN:
            own = vars(kind).items()
            found |= {f"{kind.__name__}.{n}": v for n, v in own if isinstance(v, STATE)}
    if owner is not None:
        kept = {name for name in vars(owner) if not _is_cached(type(owner), name)}
        found |= {f"self.{name}": vars(owner)[name] for name in kept}
    return {name: _fingerprint(value) for name, value in found.items()}


def _is_cached(kind: type, name: str) -> bool:
    """Whether it is a property's value, which is the same at each call: it is made of the fit."""
    return isinstance(inspect.getattr_static(kind, name, None), cached_property)


def _fingerprint(value: Any) -> Any:
    try:
        return joblib.hash(value)
    except NotTraceable:
        return object()  # a column is in it, which no fit has left
    except Exception:  # of what can't be pickled, such as a lambda
        return id(value)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of what is another now."""
    return sorted(n for n in {*before, *after} if before.get(n) != after.get(n))


def namespaces(functions: Reached) -> list[dict[str, Any]]:
    """The modules' names that functions see, each module once."""
    return list({id(f.__globals__): f.__globals__ for f in functions.values()}.values())
