"""Which line of the user's own code an exception came out of."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onnxlet.folders import PACKAGE

OURS = tuple((PACKAGE / folder).resolve() for folder in ("convert", "function", "edge"))
EXAMPLES = OURS[0] / "examples"
NOT_THEIRS = (
    *OURS,
    *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")),
)
PACKAGES = {"site-packages", "dist-packages"}


def where(error: BaseException) -> str:
    """The last line of the user's own that an exception came through, in brackets.

    Such as ' (my_model.py, line 12, in build)'; '' where none is theirs, or where the message
    names it already.
    """
    frames = traceback.walk_tb(error.__traceback__)
    theirs = [(frame.f_code, line) for frame, line in frames if _is_theirs(frame.f_code)]
    if not theirs or isinstance(error, SyntaxError):
        return ""
    code, line = theirs[-1]
    within = "" if code.co_name == "<module>" else f", in {code.co_name}"
    return f" ({_shown(code.co_filename)}, line {line}{within})"


def lines_of(function: Callable[..., Any]) -> str:
    """Where a function of the user's own begins, in brackets; '' where it is none."""
    code = getattr(function, "__code__", None)
    if code is None or not _is_theirs(code):
        return ""
    return f" ({_shown(code.co_filename)}, line {code.co_firstlineno}, {code.co_name})"


def _is_theirs(code: Any) -> bool:
    name = code.co_filename
    if name.startswith("<"):  # made up as the program runs
        return False
    path = Path(name).resolve()
    if PACKAGES.intersection(path.parts):
        return False
    return path.is_relative_to(EXAMPLES) or not any(map(path.is_relative_to, NOT_THEIRS))


def _shown(name: str) -> str:
    path, here = Path(name).resolve(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
