"""What each column may hold, found by asking scikit-learn: it answers, or it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from convert.inputs import Cells, InputColumn, Inputs
from function.signature import LARGEST_FLOAT32, Column

Answers = Callable[[Any], Any]

BASES = 3  # held-out rows that each trial is made on
LARGEST_FLOAT64 = float(np.finfo(np.float64).max)
UNSEEN_TEXT = "a value that no training row had"
UNSEEN_NUMBERS = (-987654321, 987654321, 1234567)  # one fits where a logarithm forbids another
KNOWN_LIMIT = 5000  # categories of one column that are tried one by one


def probe_columns(
    inputs: Inputs, rows: Sequence[Cells], answer: Answers, estimator: Any
) -> list[Column]:
    """The signature's columns.

    Args:
        inputs: the test set's columns.
        rows: held-out rows.
        answer: asks scikit-learn about data, and raises as it raises.
        estimator: its fitted encoders are looked into for categories.
    """
    bases = _bases(rows)
    known = list(fitted_categories(estimator))

    def answers(place: int, value: Any) -> bool:
        tried = [[*row[:place], value, *row[place + 1 :]] for row in bases]
        return is_answered(answer, inputs.data(tried))

    return [
        _probe(inputs, place, rows, partial(answers, place), known)
        if _is_needed(inputs, place, bases, answer)
        else Column(inputs.columns[place].name, inputs.columns[place].type, True, required=False)
        for place in range(len(inputs.columns))
    ]


def _bases(rows: Sequence[Cells]) -> list[Cells]:
    """The rows with the fewest gaps, so that a trial fails for its own reason alone."""
    return sorted(rows[:1000], key=lambda row: sum(cell is None for cell in row))[:BASES]


def is_answered(answer: Answers, data: Any) -> bool:
    """Whether scikit-learn answers these rows, rather than raising."""
    try:
        answer(data)
    except Exception:  # whatever it raises, it does not answer
        return False
    return True


def _is_needed(inputs: Inputs, place: int, bases: Sequence[Cells], answer: Answers) -> bool:
    """A column that the model drops can be left out of the DataFrame."""
    if not inputs.frame or len(inputs.columns) == 1:
        return True
    return not is_answered(answer, inputs.data(bases).drop(columns=inputs.columns[place].label))


def _probe(
    inputs: Inputs,
    place: int,
    rows: Sequence[Cells],
    answers: Callable[[Any], bool],
    known: Sequence[Any],
) -> Column:
    column = inputs.columns[place]
    nullable = answers(None)
    if column.type == "bool":
        known_flags = tuple(flag for flag in (False, True) if answers(flag))
        closed_flags = known_flags if len(known_flags) < 2 else None
        return Column(column.name, column.type, nullable, categories=closed_flags)
    numeric = column.type != "string"
    closed = not any(map(answers, UNSEEN_NUMBERS if numeric else (UNSEEN_TEXT,)))
    categories = _allowed(column, place, rows, answers, known) if closed else None
    return Column(
        column.name,
        column.type,
        nullable,
        infinite=column.type in ("float64", "float32") and answers(np.inf) and answers(-np.inf),
        largest=_largest(column, answers) if numeric and not closed else None,
        categories=categories,
    )


def _largest(column: InputColumn, answers: Callable[[Any], bool]) -> float | None:
    """The largest magnitude that is answered, or a power of two just below it."""
    if column.type != "float64":
        return LARGEST_FLOAT32 if column.type == "float32" else None
    signs = [sign for sign in (1.0, -1.0) if answers(sign)]

    def fits(magnitude: float) -> bool:
        return all(answers(sign * magnitude) for sign in signs)

    if not signs or fits(LARGEST_FLOAT64):
        return None
    if fits(LARGEST_FLOAT32) and not fits(1.1 * LARGEST_FLOAT32):
        return LARGEST_FLOAT32
    fitting, beyond = 0, 1024
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        fitting, beyond = (middle, beyond) if fits(2.0**middle) else (fitting, middle)
    return 2.0**fitting


def _allowed(
    column: InputColumn,
    place: int,
    rows: Sequence[Cells],
    answers: Callable[[Any], bool],
    known: Sequence[Any],
) -> tuple[Any, ...]:
    """The values that scikit-learn doesn't raise for, of all that it or the test set has seen."""
    kind = str if column.type == "string" else int if column.type == "int64" else float
    seen = {row[place] for row in rows} | {v for v in known if _is_a(v, kind)}
    values = sorted({kind(v) for v in seen if v is not None and _is_a(v, kind)})[:KNOWN_LIMIT]
    return tuple(value for value in values if answers(value))


def _is_a(value: Any, kind: type) -> bool:
    if kind is str or isinstance(value, str):
        return kind is str and isinstance(value, str)
    if isinstance(value, bool) or not np.isfinite(value):
        return False
    return kind is float or float(value).is_integer()


def fitted_categories(fitted: Any, depth: int = 12) -> Iterator[Any]:
    """Every category that an encoder anywhere inside the estimator has seen."""
    for part in parts_of(fitted, depth):
        for categories in getattr(part, "categories_", None) or []:
            for value in np.asarray(categories, dtype=object).tolist():
                if isinstance(value, str | int | float | np.number):
                    yield value


def is_number(value: Any) -> bool:
    """A finite number, as an encoder's category."""
    return not isinstance(value, str | bool) and bool(np.isfinite(value))


def parts_of(fitted: Any, depth: int = 12) -> Iterator[Any]:
    """A fitted estimator and all the estimators inside it."""
    if depth == 0 or isinstance(fitted, str | bytes | int | float | np.generic):
        return
    if isinstance(fitted, dict):
        fitted = list(fitted.values())
    if isinstance(fitted, np.ndarray):
        fitted = fitted.ravel().tolist() if fitted.dtype == object else []
    if isinstance(fitted, list | tuple):
        for part in fitted:
            yield from parts_of(part, depth - 1)
    elif hasattr(fitted, "get_params") and not isinstance(fitted, type):
        yield fitted
        for value in vars(fitted).values():
            yield from parts_of(value, depth - 1)
