"""Where a fitted estimator and its test set come from."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import pandas as pd

from convert.errors import WrongUse
from function.errors import OnnxletError

FILES = (".joblib", ".pkl", ".pickle", ".skops")
FORMS = "(estimator, X_test), (estimator, X_test, y_test) or (estimator, X_test, y_test, X_train)"


class SourceFailed(OnnxletError):
    """The SOURCE is there, and running or reading it raised."""


@dataclass(frozen=True)
class Source:
    """A fitted estimator and its data.

    Attributes:
        estimator: fitted.
        X_test: held-out rows.
        y_test: what they should have been answered with, or None.
        X_train: the training rows, or None.
    """

    estimator: Any
    X_test: Any
    y_test: Any = None
    X_train: Any = None


def load_source(text: str, data: Path | None = None, target: str | None = None) -> Source:
    """Run `file.py:function` or `package.module:function`, or read a file with `--data`.

    Raises:
        WrongUse: there is no such file, function or column, or it returns something else.
        SourceFailed: the user's own code raised, or the file can't be read.
    """
    if Path(text).suffix in FILES:
        return _from_file(Path(text), data, target)
    place, _, function = text.rpartition(":")
    if not place or not function.isidentifier():
        raise WrongUse(
            f"SOURCE: expected FILE.py:FUNCTION, MODULE:FUNCTION or a {', '.join(FILES)} file, "
            f"got '{text}'",
            "For example convert/examples/house_prices.py:build",
        )
    if data is not None or target is not None:
        raise WrongUse("--data and --target go with a file; a function returns its own test set")
    make = getattr(_module(place), function, None)
    if not callable(make):
        raise WrongUse(f"SOURCE: '{place}' has no function '{function}'")
    try:
        made = make()
    except (Exception, SystemExit) as error:
        raise SourceFailed(f"{text} raised {type(error).__name__}: {error}") from error
    if not isinstance(made, tuple) or not 2 <= len(made) <= 4:
        got = f"a tuple of {len(made)}" if isinstance(made, tuple) else type(made).__name__
        raise WrongUse(f"SOURCE: expected {text} to return {FORMS}, got {got}")
    return Source(*made)


def _module(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place)
        if not path.is_file():
            raise WrongUse(f"SOURCE: there is no file '{place}'")
        sys.path.insert(0, str(path.resolve().parent))
        name = _free_name(path)
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise WrongUse(f"SOURCE: '{place}' is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except OnnxletError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise WrongUse(f"SOURCE: there is no module '{place}'") from error
        raise SourceFailed(f"{place} needs module '{error.name}'", "Install it.") from error
    except (Exception, SystemExit) as error:
        raise SourceFailed(f"{place} raised {type(error).__name__}: {error}") from error
    return module


def _free_name(path: Path) -> str:
    """A module's name for a file, beside a module that has its stem for a name already."""
    there = getattr(sys.modules.get(path.stem), "__file__", None)
    free = path.stem not in sys.modules or there == str(path.resolve())
    return path.stem if free else f"{path.stem}_source"


def _from_file(path: Path, data: Path | None, target: str | None) -> Source:
    if not path.is_file():
        raise WrongUse(f"SOURCE: there is no file '{path}'")
    if data is None:
        raise WrongUse(
            f"SOURCE: '{path.name}' holds an estimator and no rows to prove it on",
            "Add --data FILE, held-out rows as CSV or Parquet; --target COL names their answer.",
        )
    frame = read_table_file(data)
    y_test = None
    if target is not None:
        if target not in frame:
            raise WrongUse(
                f"--target: no column '{target}' in '{data}'",
                f"There are {', '.join(map(str, frame.columns[:20]))}.",
            )
        y_test = frame.pop(target)
    return Source(_estimator(path), frame, y_test)


def _estimator(path: Path) -> Any:
    try:
        if path.suffix == ".skops":
            from skops import io

            return io.load(path, trusted=io.get_untrusted_types(file=path))
        if path.suffix == ".joblib":
            return joblib.load(path)
        return pickle.loads(path.read_bytes())  # noqa: S301 - the user's own model, on their word
    except Exception as error:
        raise SourceFailed(
            f"'{path}' can't be read: {type(error).__name__}: {error}",
            "Is it a fitted estimator, saved by the scikit-learn version that is installed here?",
        ) from error


def read_table_file(path: Path) -> pd.DataFrame:
    """Read CSV (also .gz) or Parquet.

    Raises:
        WrongUse: there is no such file, or it is neither.
    """
    if not path.is_file():
        raise WrongUse(f"--data: there is no file '{path}'")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if ".csv" in path.suffixes:
            return pd.read_csv(path)
    except ImportError as error:
        raise WrongUse(f"--data: '{path}' needs a Parquet reader", "pip install pyarrow") from error
    except Exception as error:
        raise WrongUse(f"--data: '{path}' can't be read: {error}") from error
    raise WrongUse(f"--data: expected a .csv, .csv.gz or .parquet file, got '{path}'")
