"""What each column may hold, found by asking scikit-learn: it answers, or it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from onnxlet.convert.reference.hush import hushed
from onnxlet.convert.reference.inputs import Cells, Inputs
from onnxlet.function.arrays import LARGEST_FLOAT32, Array
from onnxlet.function.inputs.signature import Column

Answers = Callable[[Any], Any]
Trial = tuple[int, Any]  # a place in a row, and the value that is tried there
Asked = Callable[[Sequence[Trial]], list[bool]]

BASES = 3  # held-out rows that each trial is made on
LARGEST = {
    "float64": float(np.finfo(np.float64).max),
    "float32": LARGEST_FLOAT32,
    "int64": 2**63 - 1,
}
UNSEEN_TEXT = "a value that no training row had"
UNSEEN_NUMBERS = (-987654321, 987654321, 1234567)  # one fits where a logarithm forbids another
# Sums and products of numbers like these overflow; where exactly is no matter.
WHERE_FLOATS_OVERFLOW = (1e305, 1e300, 1e250, 1e150, 1e100, 1e50, 1e40, 1e37, 1e34, 1e30)
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
        groups = [
            [[*row[:p], _varied(value, n), *row[p + 1 :]] for n, row in enumerate(bases)]
            for p, value in trials
        ]
        return which_are_answered(groups, lambda rows: is_answered(answer, inputs.data(rows)))

    places = range(len(inputs.columns))
    needed = [place for place in places if _is_needed(inputs, place, bases, answer)] or [0]
    probed = dict(zip(needed, _probe(inputs, needed, rows, bases, answers, known), strict=True))
    return [
        probed.get(place) or Column(column.name, column.type, True, required=False)
        for place, column in enumerate(inputs.columns)
    ]


def _varied(value: Any, number: int) -> Any:
    """Unseen texts from both ends of the alphabet: XGBoost raises for those behind its last."""
    return f"~{value}" if value == UNSEEN_TEXT and number % 2 else value


def _bases(rows: Sequence[Cells]) -> list[Cells]:
    """The rows with the fewest gaps, so that a trial fails for its own reason alone."""
    return sorted(rows[:1000], key=lambda row: sum(cell is None for cell in row))[:BASES]


def is_answered(answer: Answers, data: Any) -> bool:
    """Whether scikit-learn answers these rows, rather than raising."""
    try:
        with hushed():
            answer(data)
    except Exception:  # whatever it raises, it does not answer
        return False
    return True


def which_are_answered(
    groups: Sequence[list[Cells]], answers: Callable[[list[Cells]], bool]
) -> list[bool]:
    """Whether each group of rows is answered; all at once, and in halves where that raises."""
    if not groups:
        return []
    if answers([row for group in groups for row in group]):
        return [True] * len(groups)
    if len(groups) == 1:
        return [False]
    if len(groups) > 3 and not answers(groups[0]) and not answers(groups[-1]):  # perhaps all raise
        return [False, *map(answers, groups[1:-1]), False]
    middle = len(groups) // 2
    return [
        *which_are_answered(groups[:middle], answers),
        *which_are_answered(groups[middle:], answers),
    ]


def _is_needed(inputs: Inputs, place: int, bases: Sequence[Cells], answer: Answers) -> bool:
    """A column that the model drops can be left out of the DataFrame, and its answers stay.

    A function that sums all columns answers without any of them, but otherwise.
    """
    if not inputs.frame or len(inputs.columns) == 1:
        return True
    whole = inputs.data(bases)
    try:
        with hushed():
            without = answer(whole.drop(columns=[inputs.columns[place].label]))
    except Exception:  # whatever it raises, it needs the column
        return True
    return not _same(answer(whole), without)


def _same(one: Any, other: Any) -> bool:
    """Equal answers, by output name."""
    return all(_equal(np.asarray(one[name]), np.asarray(other[name])) for name in one)


def _equal(a: Array, b: Array) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype.kind == b.dtype.kind == "f":
        return bool(np.array_equal(a, b, equal_nan=True))
    return [str(cell) for cell in a.ravel()] == [str(cell) for cell in b.ravel()]


def _probe(
    inputs: Inputs,
    places: Sequence[int],
    rows: Sequence[Cells],
    bases: Sequence[Cells],
    answers: Asked,
    known: Sequence[Any],
) -> list[Column]:
    """The columns at these places, each kind of trial made in all of them at once."""
    types = {place: inputs.columns[place].type for place in places}

    def where_each(values: Mapping[int, Any]) -> set[int]:
        found = answers(list(values.items()))
        return {place for place, answered in zip(values, found, strict=True) if answered}

    def where(value: Any, among: Iterable[int]) -> set[int]:
        return where_each(dict.fromkeys(among, value))

    flags = {p for p in places if types[p] == "bool"}
    texts = {p for p in places if types[p] == "string"}
    numbers = set(places) - flags - texts
    floats = {p for p in numbers if types[p] != "int64"}
    nullable = where(None, places)
    opened = where(UNSEEN_TEXT, texts)
    for value in UNSEEN_NUMBERS:
        opened |= where(value, numbers - opened)
    opened |= where_each({p: _between(types[p], rows, p) for p in numbers - opened})
    free = {p: types[p] for p in numbers & opened}
    least, greatest = (_bounds(free, bases, where_each, sign) for sign in (-1, 1))
    endless = {p for p in floats if types[p] == "float32" or p not in {*least, *greatest}}
    infinite = where(-np.inf, where(np.inf, endless))
    closed = (set(places) - flags - opened) | {
        p for p in flags if not all(answers([(p, False), (p, True)]))
    }
    return [
        Column(
            inputs.columns[place].name,
            types[place],
            place in nullable,
            infinite=place in infinite,
            minimum=least.get(place),
            maximum=greatest.get(place),
            categories=_allowed(
                types[place], place, rows, answers, [*known, *_of_pandas(inputs, place)]
            )
            if place in closed
            else None,
        )
        for place in places
    ]


def _between(kind: str, rows: Sequence[Cells], place: int) -> float:
    """A number that no row has, between those that rows have."""
    seen: list[float] = sorted({row[place] for row in rows if row[place] is not None} or {0})
    gaps = [(low, high) for low, high in pairwise(seen) if kind != "int64" or high > low + 1]
    if kind == "int64":
        return gaps[0][0] + 1 if gaps else seen[-1] + 1
    return (gaps[0][0] + gaps[0][1]) / 2 if gaps else seen[-1] + 0.5


def _bounds(
    types: Mapping[int, str],
    bases: Sequence[Cells],
    where: Callable[[Mapping[int, Any]], set[int]],
    sign: int,
) -> dict[int, float]:
    """The last number that is answered in the direction of a sign; none where any is."""
    largest = {p: sign * LARGEST[kind] for p, kind in types.items()}
    bounds = {p: bound for p, bound in largest.items() if types[p] == "float32"}
    doubles = {p for p, kind in types.items() if kind == "float64"}
    single = doubles - where(dict.fromkeys(doubles, sign * 1.1 * LARGEST_FLOAT32))
    left = set(types) - where({p: largest[p] for p in set(types) - single})
    fitting = where(dict.fromkeys(single, sign * LARGEST_FLOAT32))
    bounds |= dict.fromkeys(fitting, sign * LARGEST_FLOAT32)
    for magnitude in WHERE_FLOATS_OVERFLOW:
        tried = {p: sign * magnitude for p in left - set(bounds) if types[p] == "float64"}
        found = where(tried)
        bounds |= {p: tried[p] for p in found}
        left -= found
    start = {p: _start(types[p], [row[p] for row in bases]) for p in left - set(bounds)}
    low = {p: _order(types[p], start[p]) for p in where(start)}
    high = {p: _order(types[p], largest[p]) for p in low}
    while apart := {p: (low[p] + high[p]) // 2 for p in low if abs(high[p] - low[p]) > 1}:
        fitting = where({p: _value(types[p], middle) for p, middle in apart.items()})
        for place, middle in apart.items():
            (low if place in fitting else high)[place] = middle
    return bounds | {p: _value(types[p], place) for p, place in low.items()}


def _start(kind: str, cells: Sequence[Any]) -> float:
    """A number that a row of the test set has in the column."""
    known = [cell for cell in cells if cell is not None]
    return known[0] if known else 1 if kind == "int64" else 1.0


def _order(kind: str, value: float) -> int:
    """A whole number that is one more for the next larger value of the type."""
    if kind == "int64":
        return int(value)
    bits = int(np.float64(value).view(np.int64))
    return bits if bits >= 0 else -(bits & 0x7FFFFFFFFFFFFFFF)


def _value(kind: str, order: int) -> float:
    if kind == "int64":
        return order
    magnitude = float(np.int64(abs(order)).view(np.float64))
    return magnitude if order >= 0 else -magnitude


def _of_pandas(inputs: Inputs, place: int) -> list[Any]:
    category = inputs.columns[place].category
    return [] if category is None else category.categories.tolist()


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
