"""What each column may hold, found by asking scikit-learn: it answers, or it raises."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from onnxlet.convert.dates import forms, unseen
from onnxlet.convert.errors import Refusal
from onnxlet.convert.progress import advanced
from onnxlet.convert.reference.column_groups import (
    WHERE_FLOATS_OVERFLOW,
    is_wide,
    kinds_of_columns,
    probed_by_kind,
    required_columns,
)
from onnxlet.convert.reference.column_types import TYPES, UNSEEN_NUMBERS, UNSEEN_TEXT
from onnxlet.convert.reference.estimators import fitted_categories
from onnxlet.convert.reference.inputs import Cells, Inputs
from onnxlet.convert.reference.reference import Reference, which_are_answered
from onnxlet.function.arrays import EXACT, LARGEST_FLOAT32
from onnxlet.function.inputs.columns import LONGEST_IMAGE, LONGEST_TEXT, Column

Trial = tuple[int, Any]  # a position in a row, and the value that is tried there
Answered = Callable[[Sequence[Trial]], list[bool]]

BASES = 3  # held-out rows that each trial is made on
OTHER_DIGITS = str.maketrans("0123456789", "1234567891")
# Other digits ("8.2 kg"), and what a step may take for the same text: " YES", "Yes, sir".
FORMS: Sequence[Callable[[str], str]] = (
    lambda text: text.translate(OTHER_DIGITS),
    str.swapcase,
    lambda text: f" {text} ",
    lambda text: f"{text}~",
)
SEEN_DATES = 1000  # rows whose text is tried as dates
KNOWN_LIMIT = 5000  # categories of one column that are tried one by one


def probe_columns(reference: Reference, rows: Sequence[Cells]) -> list[Column]:
    """The signature's columns: for each what it may hold, tried in some held-out rows.

    The reference is asked about each trial; its fitted encoders are searched for categories.
    """
    if reference.task.name == "recommendation":
        # Items, each rated within the scale of the fit or not at all: nothing needs to be tried.
        low, high = reference.estimator.lowest_, reference.estimator.highest_
        rated = Column("", "float64", nullable=True, absent=True, minimum=low, maximum=high)
        return [rated._replace(name=c.name, type=c.type) for c in reference.inputs.columns]
    inputs = reference.inputs
    # The rows with the fewest gaps, so that a trial fails only for its own reason.
    bases = sorted(rows[:1000], key=lambda row: sum(cell is None for cell in row))[:BASES]
    known = list(fitted_categories(reference.estimator))

    def answered(trials: Sequence[Trial]) -> list[bool]:
        advanced("trying what each column may hold", 0, 1)  # how many trials follow shows later
        groups = [
            [[*row[:p], _varied(value, n), *row[p + 1 :]] for n, row in enumerate(bases)]
            for p, value in trials
        ]
        return which_are_answered(groups, reference.takes_rows)

    def probe(some: Sequence[int]) -> dict[int, Column]:
        return dict(zip(some, _probe(inputs, some, rows, bases, answered, known), strict=True))

    def takes(some: Sequence[int], value: Any) -> bool:
        trial = [list(row) for row in bases]
        for number, row in enumerate(trial):
            for position in some:
                row[position] = _varied(value, number)
        return reference.takes_rows(trial)

    kinds = kinds_of_columns(inputs, reference.estimator)
    needed = set(required_columns(reference, bases, kinds, rows)) or {0}
    if is_wide(len(inputs.columns)):
        some = [[position for position in kind if position in needed] for kind in kinds]
        names = [column.name for column in inputs.columns]
        probed = probed_by_kind([kind for kind in some if kind], names, probe, takes)
    else:
        probed = probe(sorted(needed))
    columns = [
        probed.get(position) or Column(column.name, column.type, True, required=False)
        for position, column in enumerate(inputs.columns)
    ]
    if closed := [column.name for column in columns if column.categories == ()]:
        raised = reference.outcome(inputs.data(bases))  # a step needs the gaps of other rows
        why = f": {raised!r:.200}" if isinstance(raised, Exception) else ""
        raise Refusal(
            f"column '{closed[0]}': its values in X_test are answered, and not by themselves{why}",
            "A request may bring one row, without the gaps that others have: let the first steps "
            "take it, or fit them on such rows.",
        )
    if inputs.form == "dictionaries":
        return [column._replace(absent=column.nullable) for column in columns]
    return columns


def _varied(value: Any, number: int) -> Any:
    """Unseen texts from both ends of the alphabet: XGBoost raises for those behind its last."""
    return f"~{value}" if value == UNSEEN_TEXT and number % 2 else value


def _probe(
    inputs: Inputs,
    positions: Sequence[int],
    rows: Sequence[Cells],
    bases: Sequence[Cells],
    answered: Answered,
    known: Sequence[Any],
) -> list[Column]:
    """The columns at these positions, each kind of trial made in all of them at once."""
    types = {position: inputs.columns[position].type for position in positions}

    def where_each(values: Mapping[int, Any]) -> set[int]:
        found = answered(list(values.items()))
        return {position for position, is_one in zip(values, found, strict=True) if is_one}

    def where(value: Any, among: Iterable[int]) -> set[int]:
        return where_each(dict.fromkeys(among, value))

    of = {name: {p for p in positions if inputs.columns[p].kind == name} for name in TYPES}
    flags, dates, images, texts = (of[name] for name in ("bool", "date", "image", "string"))
    floats = of["float64"] | of["float32"]
    numbers = floats | of["int64"]
    nullable = where(None, positions)
    nullable -= _beyond_floats(inputs, nullable, rows)
    opened = where(UNSEEN_TEXT, texts) | dates | images
    dated = _dated(rows, texts - opened, where_each)
    opened |= set(dated)
    categories = frozenset(known)
    # Of categoricals XGBoost takes some text that it does not know for the next one in order.
    own = {p for p in texts if inputs.columns[p].category is not None}
    for number, form in enumerate(FORMS):
        new = {
            p: _unseen_text(rows, p, form, categories)
            for p in texts - opened - (own if number else set())
        }
        opened |= where_each({p: text for p, text in new.items() if text})
    for value in UNSEEN_NUMBERS:
        opened |= where(value, numbers - opened)
    opened |= where_each({p: _between(types[p], rows, p) for p in numbers - opened})
    free = {p: types[p] for p in numbers & opened}
    least, greatest = (_bounds(free, bases, where_each, sign) for sign in (-1, 1))
    endless = {p for p in floats if types[p] == "float32" or p not in {*least, *greatest}}
    infinite = where(-np.inf, where(np.inf, endless))
    closed = (set(positions) - flags - opened) | {
        p for p in flags if not all(answered([(p, False), (p, True)]))
    }
    return [
        Column(
            inputs.columns[position].name,
            types[position],
            position in nullable,
            infinite=position in infinite,
            minimum=least.get(position),
            maximum=greatest.get(position),
            categories=_allowed(
                types[position],
                position,
                rows,
                answered,
                [*known, *_pandas_categories(inputs, position)],
            )
            if position in closed
            else None,
            date=position in dates or position in dated,
            format=dated.get(position),
            zone=inputs.columns[position].zone,
            image=position in images,
            longest=LONGEST_IMAGE if position in images else LONGEST_TEXT,
        )
        for position in positions
    ]


def _beyond_floats(inputs: Inputs, nullable: set[int], rows: Sequence[Cells]) -> set[int]:
    """Columns in which a gap would make floats of whole numbers that float64 has not one by one."""
    whole = [position for position in nullable if inputs.columns[position].type == "int64"]
    wide = {p for p in whole if any(abs(row[p] or 0) > EXACT for row in rows)}
    return nullable if wide and inputs.uniform else wide  # an array has one dtype


def _dated(
    rows: Sequence[Cells], positions: Iterable[int], where: Callable[[Mapping[int, Any]], set[int]]
) -> dict[int, str]:
    """The form of dates of each column whose text has to be one: another date is answered."""
    texts = {p: [row[p] for row in rows[:SEEN_DATES] if row[p] is not None] for p in positions}
    left = {p: forms(cells) for p, cells in texts.items()}
    found: dict[int, str] = {}
    while left := {p: known for p, known in left.items() if known and p not in found}:
        tried = {p: known.pop(0) for p, known in left.items()}
        answered = where({p: unseen(form, texts[p]) for p, form in tried.items()})
        found |= {p: tried[p] for p in answered}
    return found


def _unseen_text(
    rows: Sequence[Cells], position: int, form: Callable[[str], str], known: Collection[Any]
) -> str:
    """A text that no row and no encoder has, of the form of one that a row has; empty for none."""
    seen = {row[position] for row in rows if row[position] is not None}
    made = (form(str(text)) for text in sorted(seen, key=str))
    return next((text for text in made if text not in seen and text not in known), "")


def _between(kind: str, rows: Sequence[Cells], position: int) -> float:
    """A number that no row has, between those that rows have."""
    seen: list[float] = sorted({row[position] for row in rows if row[position] is not None} or {0})
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
    largest = {p: sign * TYPES[kind].largest for p, kind in types.items()}
    doubles = {p for p, kind in types.items() if kind == "float64"}
    single = doubles - where(dict.fromkeys(doubles, sign * 1.1 * LARGEST_FLOAT32))
    left = set(types) - where({p: largest[p] for p in set(types) - single})
    fitting = where(dict.fromkeys(single, sign * LARGEST_FLOAT32))
    fitting |= {p for p, kind in types.items() if kind == "float32" and p not in left}
    bounds = dict.fromkeys(fitting, sign * LARGEST_FLOAT32)
    for magnitude in WHERE_FLOATS_OVERFLOW:
        tried = {p: sign * magnitude for p in left - set(bounds) if types[p] != "int64"}
        found = where(tried)
        bounds |= {p: tried[p] for p in found}
        left -= found
    start = {p: _start(types[p], [row[p] for row in bases]) for p in left - set(bounds)}
    low = {p: _order(types[p], start[p]) for p in where(start)}
    high = {p: _order(types[p], largest[p]) for p in low}
    while apart := {p: (low[p] + high[p]) // 2 for p in low if abs(high[p] - low[p]) > 1}:
        fitting = where({p: _value(types[p], middle) for p, middle in apart.items()})
        for position, middle in apart.items():
            (low if position in fitting else high)[position] = middle
    return bounds | {p: _value(types[p], position) for p, position in low.items()}


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


def _pandas_categories(inputs: Inputs, position: int) -> list[Any]:
    category = inputs.columns[position].category
    return [] if category is None else category.categories.tolist()


def _allowed(
    column_type: str, position: int, rows: Sequence[Cells], answered: Answered, known: Sequence[Any]
) -> tuple[Any, ...]:
    """The values that scikit-learn doesn't raise for, of all that it or the test set has seen."""
    if column_type == "bool":
        values: list[Any] = [False, True]
    else:
        make = TYPES[column_type].make
        seen = {row[position] for row in rows} | {v for v in known if _is_a(v, column_type)}
        fitting = {make(v) for v in seen if v is not None and _is_a(v, column_type)}
        values = sorted(fitting)[:KNOWN_LIMIT]
    found = answered([(position, value) for value in values])
    return tuple(value for value, answered in zip(values, found, strict=True) if answered)


def _is_a(value: Any, column_type: str) -> bool:
    if column_type == "string" or isinstance(value, str):
        return column_type == "string" and isinstance(value, str)
    if isinstance(value, bool) or not np.isfinite(value):
        return False
    return column_type != "int64" or float(value).is_integer()
