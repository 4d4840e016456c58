"""A file of another scikit-learn: who answers, and the estimator that is read of it here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from onnxlet.convert.errors import SourceFailed, shortened
from onnxlet.convert.older.elsewhere import Elsewhere, Link, RaisedThere
from onnxlet.convert.older.rebuilt import Rebuilding
from onnxlet.convert.older.values import NotPlain
from onnxlet.convert.progress import Report


class HowHere(NamedTuple):
    """How an estimator is made here of a file that another scikit-learn wrote."""

    # Reads the file here, for what has no plain values, such as a function of a notebook.
    load: Callable[[], Any]
    check: Callable[[Any], None] | None = None  # of each object, before another asks it
    settle: Callable[[Any], Any] = lambda made: made  # of the whole


def read_elsewhere(
    path: Path, version: str, python: Path, link: Link, how: HowHere, report: Report
) -> Elsewhere:
    """The estimator of a file, as the scikit-learn of this version answers for it.

    Args:
        path: of a file that may be read.
        version: that wrote it.
        python: of its environment.
        link: to a process there.
        how: the estimator is made here.
        report: called with what the reader should know.

    Raises:
        SourceFailed: the file can't be read there or here.
    """
    report(
        f"'{path.name}' was fitted by scikit-learn {version}, which answers for it; "
        f"{sklearn.__version__} is installed"
    )
    rebuilding = Rebuilding(tuple(map(int, version.split("."))), how.check)
    try:
        here = how.settle(_handed_over(link, rebuilding, how.load))
    except Exception as error:
        raise unreadable(path, f"scikit-learn {version}", python, error) from error
    for line in rebuilding.absent:
        report(f"note: not read of it here: {line}")
    return Elsewhere(here, version, link)


def _handed_over(link: Link, rebuilding: Rebuilding, load: Callable[[], Any]) -> Any:
    """The estimator rebuilt of plain values; where it has others, as today's classes load it."""
    try:
        return link.asked("hand over", rebuilding.make)
    except RaisedThere as error:
        if error.kind != NotPlain.__name__:
            raise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return load()


def unreadable(path: Path, library: str, python: Path, error: Exception) -> SourceFailed:
    """Why a file can't be read, by the library that wrote it or here, and what to do."""
    where = f"by {library}" if isinstance(error, RaisedThere) else "here"
    said = str(error) if isinstance(error, RaisedThere) else f"{type(error).__name__}: {error}"
    message = f"'{path.name}' can't be read {where}: {shortened(ValueError(said))}"
    if isinstance(error, RaisedThere) and error.kind == "ModuleNotFoundError":
        return SourceFailed(
            message,
            f"If '{error.module}' is your own, put its folder into PYTHONPATH; if it is a package, "
            f"'uv pip install --python {python} {error.module}' brings it there.",
        )
    if isinstance(error, RaisedThere) and not error.kind:
        return SourceFailed(message, f"Remove '{python.parents[1]}': the next build makes it anew.")
    if isinstance(error, ModuleNotFoundError):
        return SourceFailed(message, f"Install '{error.name}', or put its folder into PYTHONPATH.")
    return SourceFailed(message, "Save the estimator again, or build where it was trained.")
