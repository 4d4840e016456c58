"""Dataclasses from plain JSON, and as it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

DIGITS = 6  # significant ones, of every number


def read_as(kind: Any, value: Any) -> Any:
    """A value of JSON as its type has it: dataclasses by their fields, lists of them one by one.

    KeyError, TypeError or AttributeError where it is damaged.
    """
    if value is None:
        return None
    if isinstance(kind, UnionType):
        kinds = [each for each in get_args(kind) if each is not NoneType]
        kind = next((each for each in kinds if _fits(each, value)), kinds[0])
    if get_origin(kind) is list:
        [part] = get_args(kind)
        return [read_as(part, each) for each in value]
    if not is_dataclass(kind):
        return value
    types = get_type_hints(kind)
    members = {
        each.name: read_as(types[each.name], value[_member(each)])
        for each in fields(kind)
        if _is_required(each) or _member(each) in value
    }
    make: Any = kind
    return make(**members)


def _fits(kind: Any, value: Any) -> bool:
    """Whether a value has all that a dataclass needs."""
    return is_dataclass(kind) and all(_member(e) in value for e in fields(kind) if _is_required(e))


def _is_required(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _member(each: Field[Any]) -> str:
    """The name in JSON: those that Python reserves have an underscore behind them here."""
    return each.name.rstrip("_")


def as_json(value: Any) -> Any:
    """As JSON has it: no NumPy types, no NaN, numbers with few digits."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if is_dataclass(value):
        return {_member(each): as_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(member) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_json(member) for member in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value
