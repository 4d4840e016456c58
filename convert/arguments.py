"""Arguments of Python's functions, checked by the options of the commands that do the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import click

from onnxlet.convert.problems import Problem, close_to, refuse

# Python takes more than a text for these, and judges it where it is read.
OF_ANY_TYPE = ("data", "test", "positive")


def check_arguments(
    command: click.Command, given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> None:
    """Raise WrongUse with all that a command would refuse of its options' values.

    `defaults` has each argument that there is, by name; its default may be given, whatever it is.
    """
    options = {str(option.name): option for option in command.params}
    problems = []
    for name, value in given.items():
        if name not in defaults:
            hint = close_to(name, list(defaults))
            problems.append(Problem(f"{name}: there is no such argument", hint))
        elif name == "report":
            problems += [] if callable(value) else [_wrong(name, "a function of a line", value)]
        elif name == "columns":
            problems += [] if isinstance(value, Mapping) else [_wrong(name, "a dictionary", value)]
        elif name in options and name not in OF_ANY_TYPE and value is not defaults[name]:
            problems += _checked(name, options[name], value)
    refuse(problems, "arguments")


def _wrong(name: str, expected: str, value: Any) -> Problem:
    return Problem(f"{name}: expected {expected}, got {value!r:.60}")


def _checked(name: str, option: click.Parameter, value: Any) -> list[Problem]:
    if option.multiple:
        listed = isinstance(value, list | tuple | set | frozenset)
        right = all(isinstance(each, str) for each in (value if listed else [value]))
        return [] if right else [_wrong(name, "a list of texts", value)]
    for kind, check in CHECKS.items():
        if isinstance(option.type, kind):
            expected = check(option.type, value)
            return [_wrong(name, expected, value)] if expected else []
    flag = getattr(option, "is_flag", False)
    if isinstance(value, bool) if flag else isinstance(value, str):
        return []
    return [_wrong(name, "True or False" if flag else "a text", value)]


def several(value: str | Iterable[str]) -> tuple[str, ...]:
    """One text, or all of some."""
    return (value,) if isinstance(value, str) else tuple(value)


def _of_range(kind: Any, value: Any) -> str:
    """What a number should be; "" if it is."""
    whole = isinstance(kind, click.IntRange)
    right = isinstance(value, Real) and not isinstance(value, bool)
    if right and (not whole or value == int(value)):
        low, high = kind.min, kind.max
        if (low is None or value >= low) and (high is None or value <= high):
            return ""
    number = "a whole number" if whole else "a number"
    return (
        f"{number} of {kind.min:,} or more"
        if kind.max is None
        else (f"{number} from {kind.min:,} to {kind.max:,}")
    )


def _of_choice(kind: Any, value: Any) -> str:
    chosen = isinstance(value, str) and value in kind.choices
    return "" if chosen else f"one of {', '.join(map(repr, kind.choices))}"


def _of_path(_: Any, value: Any) -> str:
    return "" if isinstance(value, str | os.PathLike) else "a path"


CHECKS: Mapping[type, Callable[[Any, Any], str]] = {
    click.IntRange: _of_range, click.FloatRange: _of_range, click.Choice: _of_choice,
    click.Path: _of_path,
}  # fmt: skip
