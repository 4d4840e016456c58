"""The column that is to be predicted: its rows, what kind of answer it is, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.dates import forms
from onnxlet.convert.metrics.metrics import metric_named
from onnxlet.convert.metrics.positive import named, positive_of
from onnxlet.convert.problems import Problem, close_to, counted, found_by, refuse
from onnxlet.convert.tables.csv_rows import HEADER_BELOW, NO_HEADER, no_header
from onnxlet.convert.tables.units import several_units
from onnxlet.convert.train.kinds.written import PARSED, as_floats, numbers_in
from onnxlet.convert.train.splits import duplicates_in
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse

TASKS = ("binary", "multiclass", "regression")
LEAST_ROWS = 30
# Rows: of two classes each has to be in every part; of many, a rare one is only learnt from.
LEAST_OF_A_CLASS = {"binary": 5, "multiclass": 2}
FEW_NUMBERS = 20  # whole numbers that may be classes
MOST_CLASSES = 200
SHARE_OF_A_CLASS = 5  # rows that a class should have on average
TAKE_ONE = "Name the column of the answer with --target."


class Target(NamedTuple):
    """What is to be predicted, and what from."""

    frame: pd.DataFrame  # rows that have a target, without its column; their index is from 0
    y: Array  # labels as scikit-learn should see them (text in objects, int64, bool), or float64
    task: str  # binary, multiclass or regression
    notes: list[str]  # rows that were left out, duplicates, and why the task is what it is
    # int64 for each row, the same for rows that are equal in every column and in the target, which
    # must not be apart in training and test rows; None where no rows are, or so many that the table
    # is one of few different rows.
    duplicates: Array | None = None
    kept: Array | None = None  # positions that the rows had in the table, int64; None for all
    positive: Any = None  # the label that rates are of; None where there are not two
    unit: str = ""  # that stands in its cells

    @property
    def positive_index(self) -> int:
        """Its index among the labels in order; 1 where there are not two."""
        return 1 if self.positive is None else np.unique(self.y).tolist().index(self.positive)


def read_target(
    frame: pd.DataFrame, target: str, task: str | None = None, positive: Any = None
) -> Target:
    """Take the target out of a table; a task and a positive label that are None are inferred.

    WrongUse where it can't be predicted; with all that is wrong with it.
    """
    refuse(wrong_target([str(name) for name in frame.columns], target, task), "DATA")
    column, notes = frame[target], list[str]()
    values, said, unit = _values(column, target)
    notes += said
    known = values.notna().to_numpy()
    if (without := int((~known).sum())) and known.any():
        have = "has" if without == 1 else "have"
        notes.append(f"{counted(without, 'row')} of {len(frame):,} {have} no '{target}': left out")
    values = values[known]
    refuse(unfit(values, target, len(frame)), f"--target '{target}'")
    found, why, given = _task(values, target, task)
    refuse(contradictions(values, target, found, given), f"--target '{target}'")
    notes.append(f"{found}: {why}")
    rows = frame.drop(columns=target)
    rows = rows if known.all() else rows[known].reset_index(drop=True)
    y = _labels(values, found)
    labels = np.unique(y).tolist() if found != "regression" else []
    chosen, why = None, "as --positive says"
    if positive is not None:
        chosen = named(positive, labels, f"'{target}'")
    elif found == "binary":
        chosen, why = positive_of(labels, [int((y == label).sum()) for label in labels])
    if chosen is not None:
        notes.append(f"F1, recall and the like are of '{chosen}', {why}")
    duplicates, said = duplicates_in(rows, y)
    kept = None if known.all() else np.flatnonzero(known)
    return Target(rows, y, found, notes + said, duplicates, kept, chosen, unit)


def wrong_for_target(
    column: pd.Series[Any], target: str, task: str | None, metric: str | None, positive: Any
) -> list[Problem]:
    """What is wrong with a metric and a positive label for a target, before anything is learnt."""
    try:
        values = _values(column, target)[0].dropna()
    except WrongUse as error:
        return [Problem(error.message, error.hint)]
    if values.empty:
        return []  # which is said of the target
    found = _task(values, target, task)[0]
    problems = found_by(metric_named, metric, found)
    if positive is not None:
        labels = [] if found == "regression" else np.unique(_labels(values, found)).tolist()
        problems += found_by(named, positive, labels, f"'{target}'")
    return problems


def wrong_target(names: Sequence[str], target: str, task: str | None) -> list[Problem]:
    """What is wrong with the name of the target, and of the task."""
    problems = list[Problem]()
    if task is not None and task not in TASKS:
        problems.append(Problem(f"--task: expected one of {', '.join(TASKS)}, got '{task}'"))
    if target not in names:
        hint = close_to(target, names)
        if no_header(names):
            hint = f"{hint} {NO_HEADER}"
        if any(name.startswith("Unnamed: ") for name in names):
            hint = f"{hint} {HEADER_BELOW}"
        problems.append(Problem(f"--target: there is no column '{target}'", hint.strip()))
    elif len(names) == 1:
        problems.append(
            Problem(
                f"--target: '{target}' is the only column, and nothing is left to predict it from",
                "Is the separator one that was not found? Commas, semicolons and tabs are.",
            )
        )
    return problems


def _values(column: pd.Series[Any], target: str) -> tuple[pd.Series[Any], list[str], str]:
    """The target in a type of its own: numbers, booleans, or text; NaN where it is missing.

    Beside it what to say of it, and its unit.
    """
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if isinstance(column.dtype, pd.CategoricalDtype):
        kinds = column.cat.categories.dtype
        return _values(column.astype(kinds if column.notna().all() else object), target)
    if kind.startswith(("datetime", "date", "timedelta", "time", "period", "interval")):
        raise _dates(target)
    if kind in ("boolean", "integer", "floating", "mixed-integer-float", "decimal", "empty"):
        if kind == "boolean":
            return column.astype(object).where(column.notna(), np.nan), [], ""
        return _as_numbers(column), [], ""
    texts = column.astype(object).where(column.notna(), np.nan)
    odd = [v for v in texts.dropna().head(1000) if isinstance(v, list | dict | set | np.ndarray)]
    if odd:
        raise WrongUse(
            f"--target '{target}': expected numbers, text or booleans, got a "
            f"{type(odd[0]).__name__} in each row",
            "A model of several outputs is made in Python, and built by `onnxlet build`.",
        )
    texts = texts.map(str, na_action="ignore").astype(object)
    texts = texts.where(texts.map(lambda text: text == text and text.strip() != ""), np.nan)
    return _text_or_numbers(texts, target)


def _text_or_numbers(texts: pd.Series[Any], target: str) -> tuple[pd.Series[Any], list[str], str]:
    """Text, or the numbers that it is."""
    known = texts.dropna()
    if len(known) and known.nunique() > 2:
        read = numbers_in(known)
        if read is not None and read.share >= PARSED:
            how = f" {read.said}" if read.said else ""
            said = [f"'{target}' is text that holds numbers{how}: the answers are numbers"]
            if others := read.units.others_said:
                said.append(f"'{target}': {others}")
            if read.unread:
                verb = "is" if read.unread == 1 else "are"
                said.append(
                    f"{counted(read.unread, 'value')} of '{target}' {verb} no number: "
                    "taken as missing"
                )
            return read.values.reindex(texts.index), said, read.units.written
        some = [str(text) for text in known.drop_duplicates().head(50)]
        if forms(some):
            raise _dates(target)
    several = several_units(known.unique().tolist())
    return texts, [f"'{target}': {several}"] if several else [], ""


def _as_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """In int64 where all are whole numbers and none is missing, else in float64."""
    if column.dtype.kind in "iu" and not column.isna().any():
        return column.astype(np.int64)
    return pd.Series(as_floats(column), index=column.index)


def _dates(target: str) -> WrongUse:
    return WrongUse(
        f"--target '{target}': expected numbers or classes, got dates",
        "Predict a number of days: write the days between two dates into a column of its own.",
    )


def _task(values: pd.Series[Any], target: str, task: str | None) -> tuple[str, str, bool]:
    """The task, why, and whether it was given."""
    distinct = values.nunique()
    numbers, fits = values.dtype.kind in "iuf", whole(values)
    if task is not None:
        return task, f"as --task says ('{target}' has {distinct:,} different values)", True
    kind = "numbers" if numbers else "values"
    if distinct == 2 and (fits or not numbers):
        return "binary", f"'{target}' has two different values", False
    if not numbers:
        return "multiclass", f"'{target}' is text of {distinct:,} different values", False
    if fits and distinct <= FEW_NUMBERS and len(values) >= SHARE_OF_A_CLASS * distinct:
        why = (
            f"'{target}' has {distinct} different whole numbers; if they measure, --task regression"
        )
        return "multiclass", why, False
    return "regression", f"'{target}' has {distinct:,} different {kind}", False


def _labels(values: pd.Series[Any], task: str) -> Array:
    """As scikit-learn should see them."""
    if task == "regression":
        return values.to_numpy(dtype=np.float64)
    if values.dtype.kind in "iuf":
        return values.to_numpy().astype(np.int64)
    if kind_of(values) == "booleans":
        return values.to_numpy().astype(bool)
    labels = np.empty(len(values), dtype=object)
    labels[:] = values.tolist()
    return labels


def unfit(values: pd.Series[Any], target: str, rows: int) -> list[Problem]:
    """Why nothing can learn to predict these values."""
    place = f"--target '{target}'"
    if values.empty:
        return [Problem(f"{place}: expected values, got {rows:,} rows without one", TAKE_ONE)]
    problems = list[Problem]()
    if len(values) < LEAST_ROWS:
        have = "" if len(values) == rows else " that have it"
        problems.append(
            Problem(
                f"{place}: expected {LEAST_ROWS} rows or more, got {len(values)}{have}",
                "So few say little about the rows to come: collect more.",
            )
        )
    if values.nunique() == 1:
        problems.append(
            Problem(
                f"{place}: expected two values or more, got the same one in all "
                f"{len(values):,} rows",
                TAKE_ONE,
            )
        )
    infinite = _infinite(values)
    if infinite.any():
        got = counted(int(infinite.sum()), "infinity", "infinities")
        problems.append(
            Problem(
                f"{place}: expected finite numbers, got {got}, "
                f"the first in row {values.index[infinite][0] + 1:,} (counted from 1)",
                "Leave these rows out, or write what was meant.",
            )
        )
    return problems


def _infinite(values: pd.Series[Any]) -> Array:
    if values.dtype.kind != "f":
        return np.zeros(len(values), dtype=bool)
    return np.asarray(np.isinf(values.to_numpy()))


def whole(values: pd.Series[Any]) -> bool:
    """Whether all are whole numbers that float64 holds."""
    if values.dtype.kind in "iu":
        return True
    if values.dtype.kind != "f":
        return False
    numbers = values.to_numpy()
    return bool((np.isfinite(numbers) & (numbers == np.floor(numbers))).all()) and bool(
        (np.abs(numbers) < 2**53).all()
    )


def contradictions(values: pd.Series[Any], target: str, task: str, given: bool) -> list[Problem]:
    """Where the values are not of the task, or too few of a class."""
    place, counts = f"--target '{target}'", values.value_counts()
    numbers = values.dtype.kind in "iuf"
    if task == "regression":
        if numbers:
            return []
        return [
            Problem(
                f"{place}: --task regression expects numbers, got {kind_of(values)}",
                "Leave --task out: its values are classes.",
            )
        ]
    if numbers and not whole(values):
        return [
            Problem(
                f"{place}: --task {task} expects classes, got numbers with fractions",
                "Leave --task out, or write the classes as text or whole numbers.",
            )
        ]
    if task == "binary" and len(counts) != 2:
        hint = "Leave --task out: multiclass takes more than two."
        return [Problem(f"{place}: --task binary expects two values, got {len(counts):,}", hint)]
    if task == "multiclass" and len(counts) == 2:
        hint = "Leave --task out, or say --task binary."
        return [Problem(f"{place}: --task multiclass expects three values or more, got 2", hint)]
    many = len(counts) > MOST_CLASSES or len(values) < SHARE_OF_A_CLASS * len(counts)
    if many and len(counts) > FEW_NUMBERS:
        several = "" if numbers else several_units(values.unique().tolist())
        return [
            Problem(
                f"{place}: expected classes of some rows each, got {len(counts):,} different "
                f"{'numbers' if numbers else 'texts'} in {len(values):,} rows"
                + f"; {several}"
                * bool(several),
                "Name another column, or put its values into groups first"
                + ("; or leave --task out: it is a number." if numbers and given else "."),
            )
        ]
    least = LEAST_OF_A_CLASS[task]
    rare = counts[counts < least]
    return [
        Problem(
            f"{place}: class '{label}' has {counted(count, 'row')}, expected {least} or more",
            "Leave rows of so rare a class out, or give it the name of a larger one"
            + ("; or --task regression, if these numbers measure something." if numbers else "."),
        )
        for label, count in rare.items()
    ]


def kind_of(values: pd.Series[Any]) -> str:
    """What values that are no numbers are, for a message."""
    booleans = all(isinstance(value, bool | np.bool_) for value in values)
    return "booleans" if booleans else "text"
