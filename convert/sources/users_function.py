"""A function of the user's own: found, called, and the files that it is made of."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from onnxlet.convert.errors import SourceFailed
from onnxlet.convert.sources.origin import Origin, origin_of_code, rows_read
from onnxlet.convert.sources.users_code import find_in, functions_of, where
from onnxlet.convert.tables.rows_file import searched_in
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.not_set_up import how_to_get

RETURNED = "return estimator, X_test"


def called(text: str) -> tuple[Any, Origin]:
    """What a function FILE.py:FUNCTION or MODULE:FUNCTION returns, and the files that made it.

    Raises as `load_function` does, and SourceFailed where it raised itself.
    """
    with rows_read() as read:
        module, make = _function(text, "SOURCE")
        try:
            made = make()
        except (Exception, SystemExit) as error:
            arguments = isinstance(error, TypeError) and not where(error)
            hint = "It is called without arguments." if arguments else _ending(error)
            raise SourceFailed(_raised(text, error), hint) from error
    return made, origin_of_code(module, read)


def load_function(text: str, what: str = "SOURCE") -> Callable[..., Any]:
    """A function that the user's own file or module has, FILE.py:FUNCTION or MODULE:FUNCTION.

    Messages call it `what`. Raises WrongUse where there is none, and SourceFailed where the code
    around it raised.
    """
    return _function(text, what)[1]


def _function(text: str, what: str) -> tuple[ModuleType, Callable[..., Any]]:
    find_in(Path.cwd())
    origin, _, function = text.rpartition(":")
    module = _module(origin, what)
    found: Callable[..., Any] | None = getattr(module, function, None)
    if not callable(found):
        raise WrongUse(
            f"{what}: '{origin}' has no function '{function}'",
            functions_of(module, origin, function),
        )
    return module, found


class _AsItIs(SourceFileLoader):
    """Reads the file itself: compiled code beside it may be of what it was a second ago."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _module(origin: str, what: str) -> ModuleType:
    try:
        if not origin.endswith(".py"):
            return importlib.import_module(origin)
        path = Path(origin)
        if not path.is_file():
            raise no_file(path, what)
        sys.path.insert(0, str(path.resolve().parent))
        name = _free_name(path)
        loader = _AsItIs(name, os.fspath(path))
        spec = ModuleSpec(name, loader, origin=loader.path)
        spec.has_location = True
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        loader.exec_module(module)
    except OnnxletError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (origin == error.name or origin.startswith(f"{error.name}.")):
            raise WrongUse(f"{what}: there is no module '{origin}'") from error
        hint = how_to_get(error.name or "", "Install it.")
        raise SourceFailed(f"{origin} needs module '{error.name}'", hint) from error
    except (Exception, SystemExit) as error:
        raise SourceFailed(_raised(origin, error), _ending(error)) from error
    return module


def no_file(path: Path, what: str = "SOURCE") -> WrongUse:
    """What to say where there is no such file."""
    if path.is_dir():
        return WrongUse(f"{what}: '{path}' is a folder", "Name the file in it.")
    return WrongUse(f"{what}: there is no file '{path}'", searched_in(path))


def _ending(error: BaseException) -> str:
    """What to do where a file of the user's own does not run to its end."""
    if isinstance(error, SyntaxError):
        return "Mend that line: Python can't read the file."
    if isinstance(error, SystemExit):
        return f"Take out what ends Python (exit, sys.exit): '{RETURNED}' has to be reached."
    return ""


def _raised(what: str, error: BaseException) -> str:
    return f"{what} raised {type(error).__name__}: {error}{where(error)}"


def _free_name(path: Path) -> str:
    """A module's name for a file, beside a module that has its stem for a name already."""
    there = getattr(sys.modules.get(path.stem), "__file__", None)
    free = path.stem not in sys.modules or there == str(path.resolve())
    return path.stem if free else f"{path.stem}_source"
