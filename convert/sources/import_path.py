"""Where modules come from while a file that may not be trusted is read, and asked for answers.

Each import is a way in: of a plug-in that the file names, of what a library imports only when it is
used (`import polars`), of an entry point in a `dist-info`. A module of a stranger's that lies where
the user happens to stand, or beside the file, would be found. So neither is looked in.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from onnxlet.convert.progress import Report


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
