"""Arguments of Python's functions, checked by the options of the commands that do the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, cast

import click

from onnxlet.convert.problems import Problem, close_to, refuse

# Python takes more than a text for these, and judges it where it is read: `model` is an estimator.
OF_ANY_TYPE = ("data", "model", "positive", "test")


def check_arguments(
    command: click.Command, given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> None:
    """Raise WrongUse with all that a command would refuse of its options' values.

    `defaults` has each argument that there is, by name; its default may be given, whatever it is.
    """
    options = {str(option.name): option for option in command.params}
    problems = []
    for name, value in given.items():
        expected = ""
        if name not in defaults:
            hint = close_to(name, list(defaults))
            problems.append(Problem(f"{name}: there is no such argument", hint))
        elif name == "report":
            expected = "" if callable(value) else "a function of a line"
        elif name == "columns":
            expected = "" if isinstance(value, Mapping) else "a dictionary"
        elif name in options and name not in OF_ANY_TYPE and value is not defaults[name]:
            expected = _expected(options[name], value)
        if expected:
            problems.append(Problem(f"{name}: expected {expected}, got {value!r:.60}"))
    refuse(problems, "arguments")


def _expected(option: click.Parameter, value: Any) -> str:
    """What an option's value should be; "" if it is."""
    kind: Any = option.type
    if option.multiple:
        listed = value if isinstance(value, list | tuple | set | frozenset) else [value]
        right, expected = all(isinstance(each, str) for each in listed), "a list of texts"
    elif isinstance(kind, click.IntRange | click.FloatRange):
        right, expected = _is_in_range(kind, value), _range(kind)
    elif isinstance(kind, click.Choice):
        right = isinstance(value, str) and value in kind.choices
        expected = f"one of {', '.join(map(repr, kind.choices))}"
    elif isinstance(kind, click.Path):
        right, expected = isinstance(value, str | os.PathLike), "a path"
    elif getattr(option, "is_flag", False):
        right, expected = isinstance(value, bool), "True or False"
    else:
        right, expected = isinstance(value, str), "a text"
    return "" if right else expected


def several(value: str | Iterable[str]) -> tuple[str, ...]:
    """One text, or all of some."""
    return (value,) if isinstance(value, str) else tuple(value)


def _is_in_range(kind: Any, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    low, high, number = kind.min, kind.max, cast(Any, value)
    is_kind = not isinstance(kind, click.IntRange) or number % 1 == 0
    return is_kind and (low is None or number >= low) and (high is None or number <= high)


def _range(kind: Any) -> str:
    number = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    ends = f"of {kind.min:,} or more" if kind.max is None else f"from {kind.min:,} to {kind.max:,}"
    return f"{number} {ends}"
