"""Why an estimator raises for its test set: its columns, a text among numbers, or single rows.

What is off between the columns of a test set and those of the fit is behind most of what an
estimator raises for it. It may answer with columns that it perhaps should not have, too: a target,
an index, an id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError

from onnxlet.convert.errors import Refusal, shortened
from onnxlet.convert.reference.answers import SEVERAL_ROWS
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference, which_are_answered
from onnxlet.convert.reference.row_forms import described, no_table, takes_dictionaries
from onnxlet.convert.sources.source import Source
from onnxlet.convert.sources.users_code import where
from onnxlet.function.inputs.columns import Column

SHOWN_NAMES = 8  # names
LOOKED_AT = 1000  # rows
# What scikit-learn says of single rows, and what to do about it.
HINTS_OF_ROWS = (
    (re.compile("images can't be read"), "Mend these images"),
    (re.compile(r"contains NaN|missing value", re.I), "Fill gaps in the pipeline (SimpleImputer)"),
    (re.compile(r"unknown categor", re.I), "Have the encoder take them (handle_unknown='ignore')"),
    (re.compile(r"infinity", re.I), "Bound such numbers in the pipeline (np.clip)"),
    (re.compile("removes the others"), "Fill or cap in the pipeline what it removes"),
    (re.compile(""), "Have the pipeline take them"),
)
NUMBERS_HINT = (
    "Write numbers with a dot and without other signs (1234.5), and leave the field empty where "
    "one is missing."
)
TEXT_HINT = "Was the estimator fitted on it? Encode text in the pipeline, or leave the column out."
NO_NUMBER = re.compile(r"could not convert string to float: (['\"])(.*)\1", re.S)
NO_TEXT = re.compile("has no attribute 'lower'|expected string or bytes-like object")
TEXTS_HINT = (
    "A vectoriser takes texts, not a table of them: give it the column, X_test['NAME'] or "
    "X_test[:, 0], or name the column in a ColumnTransformer."
)
# What skrub says; requests come in frames of pandas, whatever X_test is in.
OTHER_FRAMES = re.compile(r"fitted to a (?!pandas)(\w+) dataframe but is being applied to a pandas")
# What an estimator says of itself, and what to do about it.
OF_ITSELF = (
    (
        re.compile(SEVERAL_ROWS),
        "A request's row has one answer: have the next step put what it makes of a row into one, "
        "such as FunctionTransformer(lambda P: P.reshape(-1, 25 * 16)) of 25 patches.",
    ),
    (
        re.compile("Incorrect method order: call conformalize"),
        "Call its conformalize(X, y) on rows that it was not fitted on.",
    ),
    (
        re.compile("has no attribute '__sklearn_tags__'"),
        "A Pipeline's last step has to be an estimator of scikit-learn's kind: put the pipeline "
        "into this one instead, SplitConformalRegressor(make_pipeline(…)).",
    ),
)
# Of what was fitted, which compiled code sees first, and what came.
OTHER_PRECISION = re.compile(r"Buffer dtype mismatch, expected '(?:const )?(double|float)' but got")


def unanswered(source: Source, reference: Reference, error: Exception) -> Refusal:
    """Why an estimator raises for its test set, and what to do: the columns, a text, or neither.

    A test set that is a frame is pandas' own here; the reference is the estimator as it is asked.
    """
    said = f"{type(error).__name__}: {shortened(error)}{where(error)}"
    if isinstance(error, NotFittedError):
        return Refusal(f"the estimator is not fitted: {said}", "Fit it on training rows first.")
    if reference.inputs.form == "dictionaries" and not takes_dictionaries(source.estimator):
        return no_table(source.X_test, "X_test")
    if one := _one_dimension(source):
        return Refusal(*one)
    if off := _columns_off(source, reference):
        return Refusal(f"{off[0]}; the estimator does not answer X_test: {said}", off[1])
    if text := _no_number(source, error):
        return Refusal(*text)
    if NO_TEXT.search(str(error)) or _counts_names(source, error):
        return Refusal(f"{_rows(source)}: {said}", TEXTS_HINT)
    if other := OTHER_PRECISION.search(str(error)):
        fitted = "float32" if other[1] == "double" else "float64"
        return Refusal(
            f"{_rows(source)}: its numbers are of another precision than the {fitted} that the "
            f"estimator was fitted on and takes: {said}",
            f"Give it X_test.astype('{fitted}').",
        )
    if fitted_on := OTHER_FRAMES.search(str(error)):
        return Refusal(
            f"the estimator was fitted on a frame of {fitted_on[1]}, and takes none of pandas, in "
            f"which requests come: {said}",
            "Fit it on a frame of pandas: X.to_pandas().",
        )
    for pattern, way_out in OF_ITSELF:
        if pattern.search(str(error)):
            return Refusal(f"the estimator does not answer X_test: {said}", way_out)
    rows, hint = _unanswered_rows(source.X_test, reference, error)
    if rows:
        return Refusal(f"{_rows(source)}, {rows}: {said}", hint)
    return Refusal(
        f"the estimator does not answer X_test: {said}",
        "Has X_test the columns that it was fitted on, in the same order and of the same types?",
    )


def _unanswered_rows(X: Any, reference: Reference, error: Exception) -> tuple[str, str]:
    """The first row that an estimator raises for, how many there are, and what to do.

    Two empty texts where it is not for single rows that it raises.
    """
    table = X.iloc if isinstance(X, pd.DataFrame) else X
    if not isinstance(X, pd.DataFrame | np.ndarray) or len(X) < 2:
        return "", ""
    groups = [[[position]] for position in range(min(len(X), LOOKED_AT))]
    found = which_are_answered(
        groups, lambda rows: reference.takes(table[[position for [position] in rows]])
    )
    if all(found) or not any(found):
        return "", ""
    wrong = [position for position, answered in enumerate(found) if not answered]
    more = f", as {len(wrong) - 1} more of {len(found)}" if len(wrong) > 1 else ""
    gaps = _gaps_of_row(X, wrong[0])
    missing = f", where {gaps} is missing" if gaps else ""
    hint = next(hint for pattern, hint in HINTS_OF_ROWS if pattern.search(str(error)))
    return (
        f"row {wrong[0]} (counted from 0){missing}, is not answered{more}",
        f"{hint}, or leave such rows out of X_test.",
    )


def _gaps_of_row(X: Any, row: int) -> str:
    """The columns that the row lacks."""
    if not isinstance(X, pd.DataFrame):
        return ""
    missing = X.iloc[row].isna()
    return ", ".join(f"'{name}'" for name in X.columns[missing.to_numpy()][:5])


def _columns_off(source: Source, reference: Reference) -> tuple[str, str] | None:
    """Why the names or the number of columns are not those of the fit, and a hint."""
    fitted, given = fitted_names(source.estimator), given_names(source.X_test)
    if fitted is None or given is None:
        return _width_off(source, given)
    lacking = [name for name in fitted if name not in given]
    more = [name for name in given if name not in fitted]
    if not lacking and not more and fitted != given and _answers_only(source, reference, fitted):
        return (
            f"{_rows(source)}: its columns are those that the estimator was fitted on, in another "
            f"order: expected {listed(fitted)}",
            "X_test[list(estimator.feature_names_in_)] puts them in order.",
        )
    if not lacking and not (more and _answers_only(source, reference, fitted)):
        return None
    off = [f"{_named(lacking)} missing"] if lacking else []
    off += [f"{_named(more)} too many"] if more else []
    message = f"{_rows(source)}: expected the columns that the estimator was fitted on, "
    return message + " and ".join(off), _columns_hint(source, lacking, more)


def _answers_only(source: Source, reference: Reference, names: Sequence[str]) -> bool:
    """Whether these columns, in this order, are answered: many estimators ignore the others."""
    by_name = {str(label): label for label in source.X_test.columns}
    return reference.takes(source.X_test[[by_name[name] for name in names]])


def _columns_hint(source: Source, lacking: Sequence[str], more: Sequence[str]) -> str:
    if source.target in lacking:
        others = f" Is it {listed(more)}?" if more else ""
        return f"--target names the answer, and '{source.target}' is one that it is given.{others}"
    for name in lacking:
        folded = {other.casefold().strip(): other for other in more}
        if close := get_close_matches(name.casefold().strip(), folded, 1, 0.8):
            return f"Is '{folded[close[0]]}' the column '{name}'? Give it the name of the fit."
    if lacking:
        return "Give X_test every column that the estimator was fitted on."
    return too_many_hint(source, more)


def too_many_hint(source: Source, more: Sequence[str]) -> str:
    """What to do about columns that the fit did not have."""
    if source.data is not None and source.target is None:
        name = more[0] if len(more) == 1 else "COL"
        return f"Was --target forgotten? --target {name}, if it is the answer."
    return "Leave out what is not asked of the model, such as the answer or an index."


def _counts_names(source: Source, error: Exception) -> bool:
    """Whether a vectoriser has answered a table's names, of which there are fewer than rows."""
    fewer = isinstance(source.X_test, pd.DataFrame) and "some step removes the others" in str(error)
    return fewer and any(hasattr(part, "build_analyzer") for part in parts_of(source.estimator))


def _one_dimension(source: Source) -> tuple[str, str] | None:
    """A single row, or a column, where the estimator was fitted on several columns."""
    fitted = _attribute(source.estimator, "n_features_in_")
    if not isinstance(fitted, int | np.integer) or fitted == 1 or np.ndim(source.X_test) != 1:
        return None
    got, hint = described(source.X_test, np.asarray(source.X_test), "X_test")
    expected = f"expected a table of {fitted} columns, as the estimator was fitted on"
    return f"{_rows(source)}: {expected}, got {got}", hint


def _width_off(source: Source, given: Sequence[str] | None) -> tuple[str, str] | None:
    """The number of columns is not that of the fit, where these have no names."""
    fitted = _attribute(source.estimator, "n_features_in_")
    width = np.shape(source.X_test)[1] if np.ndim(source.X_test) == 2 else None
    if not isinstance(fitted, int | np.integer) or width is None or fitted in (0, width):
        return None  # 0: CatBoost's, of a model read from a file
    names = f": {listed(given)}" if given else ""
    hint = "Give it the columns of the fit, in their order."
    return (
        f"{_rows(source)}: expected {fitted} columns, as the estimator was fitted on, got "
        f"{width}{names}",
        too_many_hint(source, given) if given and width > fitted else hint,
    )


def _no_number(source: Source, error: Exception) -> tuple[str, str] | None:
    """The cell with the text that is no number, in words, and a hint."""
    found = NO_NUMBER.search(str(error))
    if found is None or not isinstance(source.X_test, pd.DataFrame):
        return None
    holding = []
    for label, column in source.X_test.items():
        hits = np.flatnonzero((column.astype(object) == found[2]).to_numpy())
        if len(hits):
            numbers = int(pd.to_numeric(column, errors="coerce").notna().sum())
            holding.append((numbers, str(label), int(hits[0])))
    if not holding:
        return None
    numbers, name, row = max(holding)  # where most are numbers, one was expected
    cell = f"{_rows(source)}, row {row} (counted from 0), column '{name}'"
    some = f"; {numbers} of its {len(source.X_test)} cells are numbers" if numbers else ""
    return (
        f"{cell}: expected a number, got '{found[2][:80]}'{some}",
        NUMBERS_HINT if numbers else TEXT_HINT,
    )


def fitted_names(estimator: Any) -> list[str] | None:
    """The names of the columns of the fit; None where they had none."""
    names = _attribute(estimator, "feature_names_in_")
    return None if names is None else [str(name) for name in names]


def _attribute(estimator: Any, name: str) -> Any:
    try:
        return getattr(estimator, name, None)
    except Exception:  # a property that asks a step of the user's
        return None


def given_names(X: Any) -> list[str] | None:
    """The names of a frame's columns; None where it is none."""
    return [str(label) for label in X.columns] if isinstance(X, pd.DataFrame) else None


def _rows(source: Source) -> str:
    return "X_test" if source.data is None else f"--data '{source.data}'"


def listed(names: Sequence[str]) -> str:
    """The first names, and how many others there are."""
    shown = ", ".join(f"'{name}'" for name in names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown} and {len(names) - SHOWN_NAMES} more"


def _named(names: Sequence[str]) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"


LEAST_ROWS = 20  # that speak for an id
UNNAMED = re.compile(r"Unnamed: \d+")
ID_NAME = re.compile(
    r"(?i:(^|[\W_])(id|ids|uuid|guid|rowid|row_?(no|num|number)|index)$)|[a-z](Id|ID|UUID|GUID)$"
)
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{24,}")


def notes(source: Source, columns: Sequence[Column], rows: Sequence[Cells]) -> Iterator[str]:
    """What joins the signature and perhaps should not: one line each.

    A test set that is a frame is pandas' own here; held-out rows are in the columns' order.
    """
    fitted = fitted_names(source.estimator)
    named = fitted is not None and given_names(source.X_test) is not None
    more = [c.name for c in columns if named and c.name not in (fitted or ())]
    for position, column in enumerate(columns):
        if why := _looks_like_an_id(column, [row[position] for row in rows[:LOOKED_AT]]):
            more = [name for name in more if name != column.name]
            use = "the model uses it" if column.required else "the model does without it"
            yield f"note: column '{column.name}' {why}; it joins the signature, and {use}"
    if fitted is not None and not named:
        yield (
            f"note: the estimator was fitted on columns with names ({listed(fitted)}), and X_test "
            "has none: clients will have to call them x0, x1, … unless X_test is a DataFrame, too"
        )
    if more:
        yield (
            f"note: the estimator was not fitted on {listed(more)}, which the signature has as "
            f"optional. {too_many_hint(source, more)}"
        )


def _looks_like_an_id(column: Column, cells: Sequence[Any]) -> str:
    """Why a column looks like an identifier; '' where it does not."""
    if UNNAMED.fullmatch(column.name):
        return "is an index that pandas wrote (to_csv(index=False) leaves it out)"
    if column.image or len(cells) < LEAST_ROWS or None in cells or len(set(cells)) < len(cells):
        return ""
    if column.type == "int64" and all(after - before == 1 for before, after in pairwise(cells)):
        return "counts the rows, as an index or an id does"
    if column.type in ("int64", "string") and ID_NAME.search(column.name):
        return "looks like an id: another value in each row"
    if column.type == "string" and all(map(UUID.fullmatch, cells)):
        return "looks like an id: another UUID or digest in each row"
    return ""
