"""What each column may hold, found by asking scikit-learn: it answers, or it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from convert.inputs import Cells, Inputs
from function.signature import LARGEST_FLOAT32, Column

Answers = Callable[[Any], Any]
Trial = tuple[int, Any]  # a place in a row, and the value that is tried there
Asked = Callable[[Sequence[Trial]], list[bool]]

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

    def answers(trials: Sequence[Trial]) -> list[bool]:
        return _answered(trials, bases, lambda tried: is_answered(answer, inputs.data(tried)))

    needed = [p for p in range(len(inputs.columns)) if _is_needed(inputs, p, bases, answer)]
    probed = dict(zip(needed, _probe(inputs, needed, rows, answers, known), strict=True))
    return [
        probed.get(place) or Column(column.name, column.type, True, required=False)
        for place, column in enumerate(inputs.columns)
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


def _answered(
    trials: Sequence[Trial], bases: Sequence[Cells], answers: Callable[[list[Cells]], bool]
) -> list[bool]:
    """Whether each trial is answered; all are asked at once, and in halves where that raises."""
    if not trials:
        return []
    tried = [[*row[:place], value, *row[place + 1 :]] for place, value in trials for row in bases]
    if answers(tried):
        return [True] * len(trials)
    if len(trials) == 1:
        return [False]
    middle = len(trials) // 2
    return [
        *_answered(trials[:middle], bases, answers),
        *_answered(trials[middle:], bases, answers),
    ]


def _is_needed(inputs: Inputs, place: int, bases: Sequence[Cells], answer: Answers) -> bool:
    """A column that the model drops can be left out of the DataFrame."""
    if not inputs.frame or len(inputs.columns) == 1:
        return True
    return not is_answered(answer, inputs.data(bases).drop(columns=inputs.columns[place].label))


def _probe(
    inputs: Inputs,
    places: Sequence[int],
    rows: Sequence[Cells],
    answers: Asked,
    known: Sequence[Any],
) -> list[Column]:
    """The columns at these places, each kind of trial made in all of them at once."""
    types = {place: inputs.columns[place].type for place in places}

    def where(value: Any, among: Iterable[int]) -> set[int]:
        tried = list(among)
        found = answers([(place, value) for place in tried])
        return {place for place, answered in zip(tried, found, strict=True) if answered}

    flags = {p for p in places if types[p] == "bool"}
    texts = {p for p in places if types[p] == "string"}
    numbers = set(places) - flags - texts
    floats = {p for p in numbers if types[p] != "int64"}
    nullable = where(None, places)
    opened = where(UNSEEN_TEXT, texts)
    for value in UNSEEN_NUMBERS:
        opened |= where(value, numbers - opened)
    infinite = where(np.inf, floats) & where(-np.inf, floats)
    largest = _largest({p: types[p] for p in floats & opened}, answers, where)
    closed = (set(places) - flags - opened) | {
        p for p in flags if not all(answers([(p, False), (p, True)]))
    }
    return [
        Column(
            inputs.columns[place].name,
            types[place],
            place in nullable,
            infinite=place in infinite,
            largest=largest.get(place),
            categories=_allowed(types[place], place, rows, answers, known)
            if place in closed
            else None,
        )
        for place in places
    ]


def _largest(
    types: Mapping[int, str], answers: Asked, where: Callable[[Any, Iterable[int]], set[int]]
) -> dict[int, float]:
    """The largest magnitude that is answered, or a power of two just below it, where not any is."""
    limits = {place: LARGEST_FLOAT32 for place, kind in types.items() if kind == "float32"}
    doubles = set(types) - set(limits)
    signs = {1.0: where(1.0, doubles), -1.0: where(-1.0, doubles)}

    def fitting(magnitude: float, among: set[int]) -> set[int]:
        left = set(among)
        for sign, signed in signs.items():
            left -= (left & signed) - where(sign * magnitude, left & signed)
        return left

    limited = doubles & (signs[1.0] | signs[-1.0])
    limited -= fitting(LARGEST_FLOAT64, limited)
    single = fitting(LARGEST_FLOAT32, limited)
    single -= fitting(1.1 * LARGEST_FLOAT32, single)
    limits |= dict.fromkeys(single, LARGEST_FLOAT32)
    for place in limited - single:
        low, beyond = 0, 1024
        while beyond - low > 1:
            middle = (low + beyond) // 2
            fits = bool(fitting(2.0**middle, {place}))
            low, beyond = (middle, beyond) if fits else (low, middle)
        limits[place] = 2.0**low
    return limits


def _allowed(
    column_type: str, place: int, rows: Sequence[Cells], answers: Asked, known: Sequence[Any]
) -> tuple[Any, ...]:
    """The values that scikit-learn doesn't raise for, of all that it or the test set has seen."""
    if column_type == "bool":
        values: list[Any] = [False, True]
    else:
        kind = str if column_type == "string" else int if column_type == "int64" else float
        seen = {row[place] for row in rows} | {v for v in known if _is_a(v, kind)}
        values = sorted({kind(v) for v in seen if v is not None and _is_a(v, kind)})[:KNOWN_LIMIT]
    found = answers([(place, value) for value in values])
    return tuple(value for value, answered in zip(values, found, strict=True) if answered)


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
