"""The user's own code: where its modules come from, and which line an exception came out of.

While a file that may not be trusted is read, and asked for answers, each import is a way in: of a
plug-in that the file names, of what a library imports only when it is used (`import polars`), of an
entry point in a `dist-info`. A module of a stranger's that lies where the user happens to stand, or
beside the file, would be found. So neither is looked in.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.machinery import PathFinder
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from onnxlet.convert.progress import Report
from onnxlet.folders import PACKAGE

OURS = tuple((PACKAGE / folder).resolve() for folder in ("convert", "function", "edge"))
EXAMPLES = OURS[0] / "examples"
NOT_THEIRS = (
    *OURS,
    *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")),
)
PACKAGES = {"site-packages", "dist-packages"}
SHOWN_FUNCTIONS = 8


def where(error: BaseException) -> str:
    """The last line of the user's own that an exception came through, in brackets.

    Such as ' (my_model.py, line 12, in build)'; '' where none is theirs, or where the message
    names it already.
    """
    frames = traceback.walk_tb(error.__traceback__)
    theirs = [(frame.f_code, line) for frame, line in frames if is_theirs(frame.f_code)]
    if not theirs or isinstance(error, SyntaxError):
        return ""
    code, line = theirs[-1]
    within = "" if code.co_name == "<module>" else f", in {code.co_name}"
    return f" ({_shown(code.co_filename)}, line {line}{within})"


def lines_of(function: Callable[..., Any]) -> str:
    """Where a function of the user's own begins, in brackets; '' where it is none."""
    code = getattr(function, "__code__", None)
    if code is None or not is_theirs(code):
        return ""
    return f" ({_shown(code.co_filename)}, line {code.co_firstlineno}, in {code.co_name})"


def is_users_own(kind: type) -> bool:
    """Whether a class is of no installed package; one of a notebook has no file."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return kind.__module__ == "__main__" or (
        file is not None and PACKAGES.isdisjoint(Path(file).parts)
    )


def is_theirs(code: Any) -> bool:
    """Whether code is of the user's own files: of no installed package, nor Python's or ours."""
    name = code.co_filename
    if name.startswith("<"):  # made up as the program runs, or a cell of a notebook
        return str(name).startswith("<ipython-input")
    return is_users_file(Path(name))


def is_users_file(file: Path) -> bool:
    """Whether a file is the user's own: of no installed package, nor Python's or ours."""
    path = file.resolve()
    if PACKAGES.intersection(path.parts):
        return False
    return path.is_relative_to(EXAMPLES) or not any(map(path.is_relative_to, NOT_THEIRS))


def _shown(name: str) -> str:
    if name.startswith("<ipython-input") or "ipykernel_" in name:  # a file that nobody has written
        return "a cell of the notebook"
    path, here = Path(name).resolve(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def find_in(folder: Path) -> None:
    """Have modules of the user's own found below a folder, after what is installed.

    Python started as a program of an environment, as `onnxlet` is, looks nowhere else.
    """
    if os.fspath(folder) not in sys.path:
        sys.path.append(os.fspath(folder))


def keep_out(folders: Sequence[Path], within: Path | None = None) -> None:
    """Import nothing from these folders any more, nor from anywhere within one.

    It lasts as long as the process: an estimator imports whenever it is asked.
    """
    there = {folder.resolve() for folder in folders}
    installed = {Path(path).resolve() for path in sysconfig.get_paths().values()}

    def stays(entry: str) -> bool:
        found = Path(entry).resolve()  # '' is the current directory
        is_within = within is not None and found.is_relative_to(within.resolve())
        return found in installed or not (found in there or is_within)

    sys.path[:] = filter(stays, sys.path)


def lies_in(name: str, folders: Sequence[Path]) -> Path | None:
    """The folder among these from which a dotted name would be imported; None where from none."""
    top = name.partition(".")[0]
    if not top or top in sys.modules or PathFinder.find_spec(top) is not None:
        return None
    return next((f for f in folders if PathFinder.find_spec(top, [os.fspath(f)])), None)


def find_trusted(names: Sequence[str], folders: Sequence[Path], report: Report) -> None:
    """Have what the user trusts found in a folder that was kept out, after what is installed.

    A line reports each name of a type whose code is run.
    """
    for name in names:
        if folder := lies_in(name, folders):
            report(f"--trust {name} runs code in '{folder}'")
            find_in(folder)


def functions_of(module: ModuleType, origin: str, wanted: str) -> str:
    """The functions that a file defines, as a hint: those first that are written alike."""
    own = [n for n, f in vars(module).items() if getattr(f, "__module__", 0) == module.__name__]
    names = [name for name in own if isinstance(vars(module)[name], FunctionType)]
    close = get_close_matches(wanted, names)
    shown = [*close, *(name for name in names if name not in close)]
    if not shown:
        return "It defines no function."
    more = ", …" if len(shown) > SHOWN_FUNCTIONS else "."
    meant = f" Did you mean {origin}:{close[0]}?" if close else ""
    return f"It has {', '.join(shown[:SHOWN_FUNCTIONS])}{more}{meant}"
