"""Where a fitted estimator and its test set come from."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.convert.autogluon.fitted_types import as_fitted
from onnxlet.convert.autogluon.folder import is_predictor
from onnxlet.convert.autogluon.loading import read_predictor
from onnxlet.convert.describe import Descriptions
from onnxlet.convert.older.elsewhere import Elsewhere
from onnxlet.convert.progress import Report
from onnxlet.convert.sources.mlflow_folder import (
    ROWS_HINT,
    example_rows,
    is_mlflow,
    read_mlflow,
)
from onnxlet.convert.sources.origin import (
    Entry,
    Origin,
    entries,
    folder_entry,
)
from onnxlet.convert.sources.saved import is_pickle, load_any
from onnxlet.convert.sources.users_code import find_in, keep_out
from onnxlet.convert.sources.users_function import RETURNED, called, no_file
from onnxlet.convert.tables.held_out import read_table_file
from onnxlet.convert.tables.rows_file import BY_ITSELF, HowRead
from onnxlet.folders import typed
from onnxlet.function.errors import WrongUse

FILES = (".joblib", ".pkl", ".pickle", ".cloudpickle", ".skops")
NO_ANSWERS = "note: the held-out rows have no answers: the manifest has no scores."
FEW = "Add --data FILE with more of them: they show that the answers stay the same."
FORMS = "(estimator, X_test), (estimator, X_test, y_test) or (estimator, X_test, y_test, X_train)"


@dataclass(frozen=True)
class Source:
    """A fitted estimator and its data."""

    estimator: Any  # fitted
    X_test: Any  # held-out rows
    y_test: Any = None  # what they should have been answered with, or None
    X_train: Any = None  # the training rows, or None
    data: Path | None = None  # the file that X_test was read from, or None
    target: str | None = None  # the column of it that y_test is, or None
    without: tuple[str, ...] = ()  # outputs that are not served, such as `std`
    left_out: tuple[str, ...] = ()  # columns of the table that the estimator is not given
    decimal: str = ""  # "point" or "comma" in its file, where that could not go without saying
    units: Mapping[str, str] = field(default_factory=dict)  # that stand in its cells, by column
    by_time: bool = False  # X_test is in the order of time, and later than what was learned from
    # The manifest of the same model before it was fitted on X_test, too, with what was measured on
    # these rows while it had not seen them. None where the estimator has not seen them.
    before: Mapping[str, Any] | None = None
    positive: Any = None  # the label of two that rates are of; None is the one that says yes
    descriptions: Descriptions | None = None  # what is said of the target and of columns
    answered_by: Elsewhere | None = None  # the same estimator in the scikit-learn that fitted it
    # The files that it comes from, as far as known: of `code`, `tables`, `estimator`, `held_out`.
    origin: Origin = field(default_factory=dict)

    @property
    def targets(self) -> list[str]:
        """The names of what is predicted, one for each output; none where it has no names."""
        several = None if self.target else getattr(self.y_test, "columns", None)
        named = [self.target or getattr(self.y_test, "name", None)] if several is None else several
        return [name for name in named if isinstance(name, str)]


def load_source(
    text: str,
    data: Path | None = None,
    target: str | None = None,
    trusted: Sequence[str] = (),
    report: Report = lambda line: None,
    how: HowRead = BY_ITSELF,
    model: str | None = None,
) -> Source:
    """Run `file.py:function` or `package.module:function`, or read a file or a folder.

    Args:
        text: the SOURCE.
        data: held-out rows for a file.
        target: the column of these that holds the answers.
        trusted: types in a .skops file, beside those of known packages.
        report: called with what the reader should know of a file, and of MLflow's folder.
        how: what is said of how the rows are read.
        model: of an AutoGluon predictor the one that answers; None is its best.

    Raises:
        WrongUse: there is no such file, function, model or column, or it returns something else.
        SourceFailed: the user's own code raised, or the file can't be read.
    """
    given = _Given(data, target, trusted, report, how)
    if is_predictor(Path(text)):
        return _load_autogluon(Path(text), given, model)
    if model is not None:
        raise WrongUse("--model goes with the folder of an AutoGluon predictor")
    if is_mlflow(Path(text)):
        return _load_mlflow(Path(text), given)
    if Path(text).suffix in FILES:
        return _load_file(Path(text), given)
    origin, _, function = text.rpartition(":")
    if not origin or not function.isidentifier():
        raise WrongUse(
            f"SOURCE: expected FILE.py:FUNCTION, MODULE:FUNCTION, a {', '.join(FILES)} file, a "
            f"folder with MLmodel in it or one of AutoGluon's, got '{text}'",
            _form_hint(text),
        )
    if data is not None or target is not None:
        raise WrongUse("--data and --target go with a file; a function returns its own test set")
    if trusted:
        raise WrongUse("--trust goes with a .skops file; a function imports what it needs")
    made, known = called(text)
    if not isinstance(made, tuple) or not 2 <= len(made) <= 4:
        got = f"a tuple of {len(made)}" if isinstance(made, tuple) else type(made).__name__
        raise WrongUse(
            f"SOURCE: expected {text} to return {FORMS}, got {got}",
            f"End the function with '{RETURNED}'.",
        )
    if hasattr(made[1], "get_params") and not hasattr(made[0], "get_params"):
        raise WrongUse(
            f"SOURCE: expected {text} to return the estimator first: {FORMS}",
            f"End the function with '{RETURNED}'.",
        )
    return replace(Source(*made), origin=known)


class _Given(NamedTuple):
    """What is given beside SOURCE, as `load_source` has it."""

    data: Path | None
    target: str | None
    trusted: Sequence[str]
    report: Report
    how: HowRead


def _load_file(path: Path, given: _Given) -> Source:
    """The estimator in a file, on rows of `--data`."""
    kept_out = (Path.cwd(), path.parent, path.resolve().parent)
    if is_pickle(path):
        find_in(Path.cwd())
    else:
        keep_out(kept_out)
    if not path.is_file():
        raise no_file(path)
    rows, y_test = _held_out(path, given)
    estimator, there = load_any(path, given.trusted, given.report, rows, kept_out)
    return _saved(estimator, there, (rows, y_test), given, entries([path]))


def _load_mlflow(path: Path, given: _Given) -> Source:
    """The model of a folder of MLflow's, on rows of `--data` or on the folder's own example."""
    folder, before = path if path.is_dir() else path.parent, list(sys.path)
    keep_out([Path.cwd()], within=folder)
    model = read_mlflow(path, given.report)
    if given.data is not None:
        rows, y_test = _held_out(model.file, given)
    elif given.target is not None:
        raise WrongUse("--target names a column of --data", "Add --data FILE.")
    else:
        rows, y_test = example_rows(model, folder), None
        given.report(f"held-out rows: the {len(rows)} of the folder's input example. {FEW}")
        given.report(NO_ANSWERS)
    kept_out = (*([model.code] if model.code else []), Path.cwd(), folder)
    if is_pickle(model.file):
        sys.path[:] = before
        for own in kept_out[:-1]:
            find_in(own)
    estimator, there = load_any(model.file, given.trusted, given.report, rows, kept_out)
    return _saved(estimator, there, (rows, y_test), given, entries([model.file]))


def _load_autogluon(path: Path, given: _Given, model: str | None) -> Source:
    """A predictor of AutoGluon's, on rows of `--data`, where its label is the target."""
    if given.trusted:
        raise WrongUse(f"--trust goes with a .skops file: '{path.name}' has pickles, all of it run")
    frame = _read_rows(path, given)
    estimator, there = read_predictor(path, model, given.report)

    def with_texts(names: tuple[str, ...]) -> Any:
        how = given.how._replace(texts=names)
        return _read_rows(path, given._replace(report=lambda line: None, how=how))

    frame = as_fitted(frame, estimator, with_texts, given.report)
    label = estimator[-1].description["label"]
    if given.target is None and label in frame.columns:
        given = given._replace(target=label)
    rows, y_test = _split(frame, given)
    files = folder_entry(path, path.rglob("*.pkl"))
    return _saved(estimator, there, (rows, y_test), given, files)


def _saved(
    estimator: Any, there: Elsewhere | None, rows: tuple[Any, Any], given: _Given,
    files: Sequence[Entry],
) -> Source:  # fmt: skip
    """An estimator that was saved in files, on held-out rows and their answers."""
    held_out = {"held_out": entries([given.data])} if given.data else {}
    return Source(
        estimator, *rows, data=given.data, target=given.target, answered_by=there,
        origin={"estimator": files, **held_out},
    )  # fmt: skip


def _form_hint(text: str) -> str:
    if text.endswith(".onnx"):
        return f"{typed('convert', f'import {text} --name N')} takes what is ONNX already."
    if text.endswith(".py"):
        return f"Name the function in it, such as {text}:{_callable_in(Path(text))}."
    return "For example my_model.py:build."


def _callable_in(path: Path) -> str:
    """A file's function, for a hint: `build` where it has that, or nothing that is called so."""
    functions: list[ast.FunctionDef] = []
    with suppress(OSError, SyntaxError, ValueError):
        parsed = ast.parse(path.read_bytes()).body
        functions = [each for each in parsed if isinstance(each, ast.FunctionDef)]
    called = [f.name for f in functions if len(f.args.args) == len(f.args.defaults)]
    return called[0] if called and all(f.name != "build" for f in functions) else "build"


def _held_out(path: Path, given: _Given) -> tuple[Any, Any]:
    return _split(_read_rows(path, given), given)


def _read_rows(path: Path, given: _Given) -> Any:
    """The table of `--data`, for what a path holds."""
    if given.data is None:
        raise WrongUse(
            f"SOURCE: '{path.name}' holds an estimator and no rows to prove it on",
            ROWS_HINT,
        )
    frame = read_table_file(given.data, given.report, given.how)
    if len(frame) == 0:
        raise WrongUse(
            f"--data: '{given.data}' has no rows", "Parity is proven on held-out rows: give some."
        )
    return frame


def _split(frame: Any, given: _Given) -> tuple[Any, Any]:
    """The columns that are given, and the one that is the answer."""
    target = given.target
    if target is None:
        given.report(f"{NO_ANSWERS} --target COL names them.")
        return frame, None
    if target not in list(frame.columns):
        raise WrongUse(
            f"--target: no column '{target}' in '{given.data}'",
            f"There are {', '.join(map(str, frame.columns[:20]))}.",
        )
    return frame.drop(columns=target), frame[target]
