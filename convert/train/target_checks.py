"""What is wrong with a target: nothing to learn from it, or not of the task that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.problems import Problem, counted
from onnxlet.function.arrays import Array

LEAST_ROWS = 30
# Rows: of two classes each has to be in every part; of many, a rare one is only learnt from.
LEAST_OF_A_CLASS = {"binary": 5, "multiclass": 2}
FEW_NUMBERS = 20  # whole numbers that may be classes
MOST_CLASSES = 200
SHARE_OF_A_CLASS = 5  # rows that a class should have on average
TAKE_ONE = "Name the column of the answer with --target."


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
        return [
            Problem(
                f"{place}: expected classes of some rows each, got {len(counts):,} different "
                f"{'numbers' if numbers else 'texts'} in {len(values):,} rows",
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
