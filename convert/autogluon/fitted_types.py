"""The types of a predictor's columns in its fit, and held-out rows in these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from onnxlet.convert.problems import Problem, listed, refuse
from onnxlet.convert.progress import Report
from onnxlet.function.arrays import EXACT

TEXT, NUMBERS, BOOLEANS, DATES = "text", "numbers", "booleans", "dates"
NOTHING, OTHERS = "nothing", "values of several types"
# By what pandas finds in cells.
HELD = {
    "string": TEXT, "boolean": BOOLEANS, "empty": NOTHING,
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal"), NUMBERS),
    **dict.fromkeys(("datetime64", "datetime", "date"), DATES),
}  # fmt: skip
# By AutoGluon's names of dtypes, without bits. Objects and categories are what their values are.
FITTED = {
    "int": NUMBERS, "uint": NUMBERS, "float": NUMBERS, "bool": BOOLEANS, "boolean": BOOLEANS,
    "datetime": DATES,
}  # fmt: skip
HINT = (
    "Give it the type that it had in the fit. Parquet keeps types: "
    "frame.to_parquet('held_out.parquet')."
)


def as_fitted(
    frame: pd.DataFrame,
    predictor: Pipeline,
    with_texts: Callable[[tuple[str, ...]], pd.DataFrame],
    report: Report,
) -> pd.DataFrame:
    """Held-out rows whose columns, and labels, have the types that a predictor was fitted on.

    A CSV file has no types: 012 is text where the fit had text. A number is another category than
    its text, so that AutoGluon answers for it as for one that it has not seen.

    Args:
        frame: the rows as they were read.
        predictor: as `predictor_of` makes it.
        with_texts: reads them again, columns of these names as text where the file has no types.
        report: called with the names of those that were.

    Raises:
        WrongUse: a column has another type than in the fit, and no exact cast makes it that.
    """
    description = predictor[-1].description
    known = _types(description)
    types = {name: known[name] for name in frame.columns if name in known}
    texts = tuple(name for name, (kind, _) in types.items() if _lacks_text(kind, frame[name]))
    if texts:
        frame = with_texts(texts)
        if read := [name for name in texts if held_in(frame[name]) == TEXT]:
            report(f"note: read as text, which the fit had: {listed(read)}")
    made, problems = dict[str, Any](), list[Problem]()
    for name, (kind, raw) in types.items():
        made[name], held = _cast(frame[name], kind, raw), held_in(frame[name])
        if name != description["label"] and not _fits(held_in(made[name]), kind):
            expected = "text or dates" if kind == DATES else kind
            got = f"got {held} ({frame[name].dtype})"
            message = f"--data: column '{name}': expected {expected}, as in the fit, {got}"
            problems.append(Problem(message, HINT))
    refuse(problems, "--data")
    frame = frame.assign(**made)
    rows: pd.DataFrame = predictor[0].with_dates(frame)
    for name in rows.columns[rows.dtypes.to_numpy() != frame.dtypes.to_numpy()]:
        if (first := rows[name].first_valid_index()) is not None:
            said = f"AutoGluon read '{frame[name][first]}' as {rows[name][first].isoformat()}"
            report(f"note: requests bring dates in ISO 8601 in '{name}': {said}")
    return rows


def held_in(column: pd.Series[Any]) -> str:
    """What a column holds, its gaps aside."""
    if column.isna().all():
        return NOTHING
    is_coded = isinstance(column.dtype, pd.CategoricalDtype)
    cells = column.cat.categories if is_coded else column
    return HELD.get(pd.api.types.infer_dtype(cells, skipna=True), OTHERS)


def _types(description: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Of each column that is used, and of labels, what it held in the fit, and in which dtype."""
    known = dict[str, list[Any]]()
    for _, entry in description["features"]["features"]:
        if "column" in entry:
            values = entry.get("categories", [entry["true"]] if "true" in entry else [])
            gap = [""] if entry.get("filled") else []
            known.setdefault(entry["column"], []).extend(v for v in values if v not in gap)
            if entry["is"] == "date":
                known[entry["column"]] = [pd.Timestamp(0)]
    for counted in description["features"]["vectorizers"]:
        known |= {name: [""] for name in counted["columns"]}
    raw = description["features"]["types"]
    made = {name: (_fitted(raw[name], values), raw[name]) for name, values in known.items()}
    if "classes" in description:
        made[description["label"]] = (_fitted("object", list(description["classes"])), "object")
    return made


def _fitted(raw: str, values: list[Any]) -> str:
    plain = FITTED.get(raw.lower().rstrip("0123456789"))
    if plain or not values:
        return plain or TEXT  # what is measured
    return held_in(pd.Series(values, dtype=object))


def _fits(held: str, kind: str) -> bool:
    return held in (kind, NOTHING) or kind in (NOTHING, OTHERS) or (held, kind) == (TEXT, DATES)


def _lacks_text(kind: str, column: pd.Series[Any]) -> bool:
    return kind in (TEXT, DATES) and held_in(column) not in (TEXT, kind)


def _cast(column: pd.Series[Any], kind: str, raw: str) -> pd.Series[Any]:
    """A column in the type of the fit, where that changes no value; else as it is."""
    if isinstance(column.dtype, np.dtype) and held_in(column) == NUMBERS:
        if kind == BOOLEANS and column.dropna().isin([0, 1]).all():
            return column.map({0: False, 1: True})
        is_float = raw.lower().startswith("float") and column.dtype.kind in "iu"
        if is_float and column.between(-EXACT, EXACT).all():
            return column.astype(np.float64)
    return column
