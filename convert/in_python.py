"""Errors as scripts and notebooks read them: of Python's arguments, and no command's options."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

from onnxlet.function.errors import OnnxletError
from onnxlet.not_set_up import explained

Given = ParamSpec("Given")
Done = TypeVar("Done")
VALUES = "binary|multiclass|regression|random|null|side|stop|point|comma"  # that hints give options


def _argument(option: re.Match[str]) -> str:
    name, value = option[1].replace("-", "_"), option[2]
    if value is None:
        return name
    return f"{name}={value}" if value.isdigit() else f"{name}='{value}'"


# What is said to users of the command line, and what of it is said in Python; in this order.
WORDS: Sequence[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (
            r"in the SOURCE file(?: \(@onnxlet\.converts\))?",
            "by @onnxlet.converts, before build(estimator, X_test, …)",
        ),
        (
            r"Return \(estimator, X_test, y_test\), or name the column of --data with --target",
            "Call build(estimator, X_test, y_test, …)",
        ),
        (r"--without .*, or (?=build\()", ""),
        (r"--without (\w+)", r"build(…, without=['\1'])"),
        ("; --debug shows the whole traceback", ""),
        (r"--images-from DIR \(images_from in Python\)", "images_from"),
        (r"--columns? '([^'=]+)=([^']*)'", r"columns={'\1': '\2'}"),
        (r"--columns FILE\.toml", "columns={…}"),
        (r"^DIR/N/V(?=:)", "directory"),
        (r"^MODEL(?=[: ])", "model"),
        (r"^IN(?=[: ])", "data"),
        (r"^OUT(?=[: ])", "out"),
        (r"(?<![\w'-])--report(?![\w-])", "with_report=True"),
        (r"(?<![\w'-])--breaking(?![\w-])", "breaking=True"),
        (r"(?<![\w'-])--no-refit(?![\w-])", "refit=False"),
        (rf"(?<![\w'-])--([a-z]+(?:-[a-z]+)*)(?: (\d+|{VALUES})\b)?", _argument),
    )
)


def in_python(function: Callable[Given, Done]) -> Callable[Given, Done]:
    """Have a function raise its errors in Python's words, and without what led there.

    Where a package is missing, the error has the command that installs it.
    """

    @wraps(function)
    def called(*args: Given.args, **kwargs: Given.kwargs) -> Done:
        try:
            return function(*args, **kwargs)
        except OnnxletError as error:
            error.message, error.hint = said(error.message), said(error.hint)
            raise error.with_traceback(None) from None
        except ModuleNotFoundError as error:
            raise explained(error) from None

    return called


def said(text: str) -> str:
    """A message or a hint for who calls a function."""
    for pattern, words in WORDS:
        text = pattern.sub(words, text)
    return text
