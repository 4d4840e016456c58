"""Reading estimators that were saved: .skops by its trusted types, .joblib and .pkl on trust."""

from __future__ import annotations

import bz2
import gzip
import importlib
import json
import lzma
import os
import pickle
import re
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from onnxlet.convert.errors import SourceFailed, shortened
from onnxlet.convert.older.elsewhere import Elsewhere, Link, of_path
from onnxlet.convert.older.environment import consent, interpreter_of
from onnxlet.convert.older.old_model import HowHere, read_elsewhere
from onnxlet.convert.progress import Report
from onnxlet.convert.sources.skops_allowlist import (
    OURS,
    PACKAGES,
    PLUGGED_IN,
    not_installed,
    package,
)
from onnxlet.convert.sources.skops_file import check_sizes, judged, schema_of, unpacked
from onnxlet.convert.sources.skops_sandbox import check_it_answers
from onnxlet.convert.sources.users_code import find_trusted, lies_in
from onnxlet.convert.sources.written_by import version_in_pickle, version_in_schema
from onnxlet.function.errors import WrongUse
from onnxlet.not_set_up import how_to_get

UNPACKED: tuple[Callable[[bytes], bytes], ...] = (
    zlib.decompress,
    gzip.decompress,
    bz2.decompress,
    lzma.decompress,
)
BY_ITS_CONTENT = " (by what it holds)"  # the class itself is harmless
WAY_OUT = "Build where it was trained: another version may answer differently, or not read it."
SKOPS_HINT = "skops.io.dump(estimator, 'FILE.skops') saves it so that reading it runs nothing."


def is_pickle(path: Path) -> bool:
    """Whether reading a file runs what is in it."""
    return path.suffix != ".skops"


def load_any(
    path: Path, trusted: Sequence[str], report: Report, rows: Any, kept_out: Sequence[Path]
) -> tuple[Any, Elsewhere | None]:
    """The estimator in a file, and what answers for it where another scikit-learn wrote the file.

    Of that the file is read in an environment of its own, and here the estimator is rebuilt of
    plain values. Where that fails, a file of another patch release is read as any other.
    Arguments and exceptions are those of `load_saved`; SourceFailed comes also where there is no
    such environment.
    """
    version = version_that_wrote(path)
    may_install = is_pickle(path) or consent(version or "") in trusted
    if not is_pickle(path):
        trusted = [name for name in trusted if "==" not in name]  # no types
    if version is None or version == sklearn.__version__:
        return load_saved(path, trusted, report, rows, kept_out), None
    make = _judged(path, trusted, report, kept_out)
    try:
        python = interpreter_of(version, report, may_install)
        if rows is not None and not is_pickle(path):
            check_it_answers(path, trusted, rows)
        link, how = make(python)
        there = read_elsewhere(path, version, python, link, how, report)
    except SourceFailed as error:
        if _minor(version) != _minor(sklearn.__version__):
            raise
        said = error.message.partition(":")[0]
        report(f"warning: {said}: the installed one reads the file. {error.hint}")
        return load_saved(path, trusted, report, rows, kept_out), None
    return there.here, there


def _minor(version: str) -> list[str]:
    """Of 1.9.2 and of 1.9rc1 the 1 and the 9."""
    return re.findall(r"\d+", version)[:2]


def _judged(
    path: Path, trusted: Sequence[str], report: Report, kept_out: Sequence[Path]
) -> Callable[[Path], tuple[Link, HowHere]]:
    """What reads a file that may be read, there by the Python that it is given, and here."""
    if is_pickle(path):
        _check_pickle(path, trusted, report, " there and what it names here")
        return lambda python: _of_pickle(path, python, kept_out)
    find_trusted(trusted, kept_out, report)
    plain, types = _judged_skops(path, trusted, kept_out)
    return lambda python: _of_skops(path, python, plain, sorted(types))


def _of_pickle(path: Path, python: Path, kept_out: Sequence[Path]) -> tuple[Link, HowHere]:
    folders = [os.fspath(f) for f in kept_out if os.fspath(f) in sys.path]
    return Link(python, path, [*folders, *of_path()]), HowHere(_pickled(path))


def _of_skops(path: Path, python: Path, plain: bytes, types: Sequence[str]) -> tuple[Link, HowHere]:
    from skops import io

    from onnxlet.convert.sources.skops_sandbox import check_part, settle

    load = partial(io.loads, plain, trusted=types)
    return Link(python, path, (), types, plain), HowHere(load, check_part, settle)


def load_saved(
    path: Path,
    trusted: Sequence[str],
    report: Report,
    rows: Any = None,
    kept_out: Sequence[Path] = (),
) -> Any:
    """The estimator in a .skops, .joblib or .pkl file that is there.

    Args:
        path: of the file.
        trusted: types of a .skops file that may be made, beside what is known to be harmless.
        report: called with what the reader should know of the file.
        rows: that a .skops file is tried with, where it has what may crash; None tries nothing.
        kept_out: folders where modules are found only of what is trusted.

    Raises:
        WrongUse: types are trusted for a pickle, which asks for none.
        SourceFailed: the file can't be read, or has types that nobody trusts, or crashes.
    """
    if path.stat().st_size == 0:
        raise SourceFailed(f"'{path.name}' can't be read: it is empty", "Save the estimator again.")
    if not is_pickle(path):
        find_trusted(trusted, kept_out, report)
        read = _skops(path, trusted, rows, kept_out)
    else:
        _check_pickle(path, trusted, report)
        read = _pickled(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator = read()
        except Exception as error:
            raise _unreadable(path, error) from error
    writers = {
        str(warning.message.original_sklearn_version)
        for warning in caught
        if isinstance(warning.message, InconsistentVersionWarning)
    }
    if writers:
        report(f"warning: '{path.name}' was {_written_by(sorted(writers))}. {WAY_OUT}")
    return estimator


def _check_pickle(path: Path, trusted: Sequence[str], report: Report, where: str = "") -> None:
    """Say that its code is run, and where; WrongUse where types are trusted."""
    if trusted:
        raise WrongUse(f"--trust goes with a .skops file: '{path.name}' is a pickle, all of it run")
    report(f"'{path.name}' is a pickle: reading it runs the code in it{where}. {SKOPS_HINT}")


def _pickled(path: Path) -> Callable[[], Any]:
    if path.suffix == ".joblib":
        return lambda: joblib.load(path)
    return lambda: pickle.loads(path.read_bytes())  # noqa: S301 - the user's own, who is warned


def _skops(
    path: Path, trusted: Sequence[str], rows: Any, kept_out: Sequence[Path]
) -> Callable[[], Any]:
    plain, allowed = _judged_skops(path, trusted, kept_out)
    if rows is not None:
        check_it_answers(path, trusted, rows)
    from skops import io

    from onnxlet.convert.sources.skops_sandbox import settle

    return lambda: settle(io.loads(plain, trusted=sorted(allowed)))


def _judged_skops(
    path: Path, trusted: Sequence[str], kept_out: Sequence[Path]
) -> tuple[bytes, set[str]]:
    """A file with nothing packed in it, and its types, once all of them may be made."""
    from skops import io  # brings all of scikit-learn's modules, which names are looked up in

    for name in OURS:
        importlib.import_module(name.rpartition(".")[0])
    try:
        content = path.read_bytes()
        plain = unpacked(content)
        schema = schema_of(plain)
        found = judged(json.loads(schema), trusted)
        check_sizes(plain, found, len(content))
        missed = set(io.get_untrusted_types(data=plain)) - found.allowed
    except Exception as error:
        raise _unreadable(path, error) from error
    refused = sorted(found.refused | missed)
    absent = sorted({package(name) for name in refused} & not_installed())
    if absent:
        raise SourceFailed(
            f"'{path.name}' needs {' and '.join(absent)}",
            f"pip install {' '.join(PLUGGED_IN[name] for name in absent)}",
        )
    version = version_in_schema(schema)
    if found.gone and version not in (None, sklearn.__version__):
        raise SourceFailed(
            f"'{path.name}' has types that are not there: {', '.join(sorted(found.gone))}; "
            f"it was {_written_by([version])}",
            f"Add --trust {' --trust '.join(sorted(found.gone))} if the file is yours: they are "
            f"made by scikit-learn {version} only, in its own environment.",
        )
    if refused:
        named = [f"{name}{BY_ITS_CONTENT if name in found.misused else ''}" for name in refused]
        run = sorted({f"'{folder}'" for n in refused if (folder := lies_in(n, kept_out))})
        runs = f" (which runs code in {' and '.join(run)})" if run else ""
        raise SourceFailed(
            f"'{path.name}' has types that are not known to be harmless: {', '.join(named)}",
            f"Add --trust {' --trust '.join(refused)} if the file is yours{runs}; or give SOURCE "
            "as FILE.py:FUNCTION, which returns the estimator.",
        )
    return plain, found.allowed


def _unreadable(path: Path, error: Exception) -> SourceFailed:
    """What is wrong with the file, and which scikit-learn wrote it where that is the cause."""
    message = f"'{path.name}' can't be read: {type(error).__name__}: {shortened(error)}"
    if isinstance(error, PermissionError):
        return SourceFailed(message, "Let the user that builds read it.")
    if hint := _hint_of_absent(error):
        return SourceFailed(message, hint)
    version = version_that_wrote(path)
    if version not in (None, sklearn.__version__):
        return SourceFailed(f"{message}; it was {_written_by([version])}", WAY_OUT)
    return SourceFailed(
        message, "Is it a fitted estimator, saved by the versions that are installed here?"
    )


def _hint_of_absent(error: Exception) -> str:
    """What to do where a module is absent, or lacks what the file names.

    '' where it is one that another version of a known package has.
    """
    name = getattr(error, "name", None) or ""
    if isinstance(error, ModuleNotFoundError) and package(name) in PACKAGES:
        return f"pip install {name}" if "." not in name and name != "_loss" else ""
    if isinstance(error, ModuleNotFoundError) and package(name) == "cloudpickle":
        return "It was saved by cloudpickle: pip install cloudpickle"
    if isinstance(error, ModuleNotFoundError):
        return how_to_get(
            name,
            f"If '{package(name)}' is your own, put its folder into PYTHONPATH, or give SOURCE as "
            "FILE.py:FUNCTION beside it; if it is a package, install it.",
        )
    if isinstance(error, ImportError | AttributeError) and "sklearn" not in str(error):
        return (
            "Give SOURCE as FILE.py:FUNCTION, where the modules that it needs can be imported; "
            "what a notebook or a script defined can't be, until it is in a file."
        )
    return ""


def _written_by(versions: Sequence[str | None]) -> str:
    named = " and ".join(str(version) for version in versions)
    return f"written by scikit-learn {named}, and {sklearn.__version__} is installed"


def version_that_wrote(path: Path) -> str | None:
    """The version of scikit-learn that an estimator in the file says it was pickled by."""
    try:
        content = path.read_bytes()
        if path.suffix == ".skops":
            return version_in_schema(schema_of(unpacked(content)))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return version_in_pickle(_unpacked(content))


def _unpacked(content: bytes) -> bytes:
    """The content without compression, which joblib applies where it is asked to."""
    for unpack in UNPACKED:
        try:
            return unpack(content)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
            continue
    return content
