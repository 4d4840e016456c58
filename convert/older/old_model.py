"""A file of another scikit-learn: who answers, and the estimator that is read of it here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sklearn

from onnxlet.convert.errors import SourceFailed, shortened
from onnxlet.convert.older.elsewhere import Elsewhere, Link, RaisedThere
from onnxlet.convert.older.environment import interpreter_of
from onnxlet.convert.older.rebuilt import Rebuilding
from onnxlet.convert.progress import Report


def read_elsewhere(
    path: Path, version: str, folders: Sequence[str], trusted: Sequence[str], report: Report
) -> Elsewhere:
    """The estimator of a file, as the scikit-learn of this version answers for it.

    Args:
        path: of a file that may be read.
        version: that wrote it.
        folders: where modules of the user's are found; none for a .skops file.
        trusted: all types of a .skops file that may be made.
        report: called with what the reader should know.

    Raises:
        SourceFailed: there is no such environment, or the file can't be read there or here.
    """
    python = interpreter_of(version, report)
    report(f"'{path.name}' was fitted by scikit-learn {version}, which answers for it; "
           f"{sklearn.__version__} is installed")  # fmt: skip
    link = Link(python, path, folders, trusted)
    rebuilding = Rebuilding(tuple(map(int, version.split("."))))
    try:
        here = link.asked("hand over", rebuilding.make)
    except Exception as error:
        raise _unreadable(path, version, python, error) from error
    for line in rebuilding.absent:
        report(f"note: not read of it here: {line}")
    return Elsewhere(here, version, link)


def _unreadable(path: Path, version: str, python: Path, error: Exception) -> SourceFailed:
    message = f"'{path.name}' can't be read by scikit-learn {version}: {shortened(error)}"
    if isinstance(error, RaisedThere) and error.kind == "ModuleNotFoundError":
        return SourceFailed(
            message,
            f"If '{error.module}' is your own, put its folder into PYTHONPATH; if it is a package, "
            f"'uv pip install --python {python} {error.module}' brings it there.",
        )
    return SourceFailed(message, "Save the estimator again, or build where it was trained.")
