"""Rows made hard on purpose, for the comparison with scikit-learn.

Held-out rows are mild: they seldom hold a gap, an unseen category, a huge number, or a value
that lies exactly where a model changes its mind. These do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.evidence.discontinuities import Predict, at_jumps, between_answers
from onnxlet.convert.evidence.pipeline_thresholds import Makes, rows_at_hidden_nodes
from onnxlet.convert.evidence.reference_rows import rows_of_references
from onnxlet.convert.evidence.tree_thresholds import rows_at_nodes
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.probing import fitted_categories, is_number
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.inputs.signature import Column

BASES = 4  # held-out rows that each odd value is tried in
MOST_ODD = 12_000  # rows with one odd value; a frame of hundreds of columns would have more
SEVERAL = 600  # rows with several odd values
OTHERS = 500  # hard rows that other ones are made of

FLOATS = (
    0.0, 1.0, -1.0, 1e-30, 1e6, -1e6, 1e12, 1e15, -1e15, 1e25, -1e25, 1e30, 3e38,
    LARGEST_FLOAT32, 1e100, -1e300,
)  # fmt: skip
KNOWN = 12  # values of a column, and categories of an encoder, whose neighbours are tried
INTEGERS = (0, 1, -1, 2**24 + 1, 2**31, -(2**31), 10**9 + 7, 2**53 + 1, 2**63 - 1, -(2**63))
TEXTS = (
    "", " ", "nan", "None", "a value that no training row had", "Ünïcödé 类别 🦙", "0",
    "İSTANBUL'da IŞIK ıslak", "ΣΊΣΥΦΟΣ ΟΔΥΣΣΕΎΣ", "ﬁne ß ẞ Straße", "e\u0301tude\u00a0a\u2003b",
    "中文文本，没有空格。", "a_b 12 3.5 x-ray don't", "  two  spaces\tand\nlines ",
)  # fmt: skip

TREES = frozenset(
    {
        "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier",
        "ExtraTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
        "RandomForestClassifier", "RandomForestRegressor",
    }
)  # fmt: skip


def hard_rows(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    estimator: Any,
    predict: Predict,
    makes: Makes | None = None,
) -> list[Cells]:
    """Rows that the signature allows and that conversions get wrong.

    Args:
        columns: what each place of a row may hold.
        rows: held-out rows.
        estimator: its trees' thresholds are used where they are there.
        predict: scikit-learn's answer to rows, one number or label each, or several, shape
            (rows,) or (rows, outputs).
        makes: what scikit-learn is given for rows; trees behind other steps are looked at with it.
    """
    bases = [rows[place] for place in _spread(len(rows), BASES)]
    categories = sorted({v for v in fitted_categories(estimator) if is_number(v)})
    odd = [
        (row, place, value)
        for place, column in enumerate(columns)
        if column.required
        for value in _odd_values(column, [row[place] for row in rows], categories)
        if type(value) not in (int, float) or fits(column, value)
        for row in bases
    ]
    allowed = [_changed(*trial) for trial in _thinned(odd, MOST_ODD)]
    allowed += _several(odd)
    allowed += [
        [None if c.nullable else cell for c, cell in zip(columns, row, strict=True)]
        for row in bases
    ]
    made = [[_zero(c, cell) for c, cell in zip(columns, row, strict=True)] for row in bases]
    at_nodes = rows_at_nodes(columns, rows, estimator)
    made += at_nodes
    if not (at_nodes and type(estimator).__name__ in TREES):  # these are all the jumps it has
        made += at_jumps(columns, rows, predict)
    made += between_answers(columns, rows, predict)
    made += rows_of_references(columns, rows, estimator)
    made = allowed + [row for row in made if _is_allowed(columns, row)]
    if makes is not None:
        others = _thinned(made, OTHERS)
        at_nodes = rows_at_hidden_nodes(columns, rows, others, estimator, makes)
        made += [row for row in at_nodes if _is_allowed(columns, row)]
    return made


def _zero(column: Column, cell: Any) -> Any:
    """A row of zeros has no direction, and is as far from every point."""
    return 0 if column.type not in ("string", "bool") and column.categories is None else cell


def _several(odd: Sequence[tuple[Cells, int, Any]]) -> list[Cells]:
    """Rows with two to four odd values."""
    random = np.random.default_rng(0)
    made = []
    for number in range(SEVERAL if odd else 0):
        trials = [odd[place] for place in random.integers(0, len(odd), 2 + number % 3).tolist()]
        row = trials[0][0]
        for _, place, value in trials:
            row = _changed(row, place, value)
        made.append(row)
    return made


def _is_allowed(columns: Sequence[Column], row: Cells) -> bool:
    """No number of the row is one that the function refuses."""
    return all(
        type(cell) not in (int, float) or fits(column, cell)
        for column, cell in zip(columns, row, strict=True)
    )


def fits(column: Column, number: float) -> bool:
    """The column has no bound that the number is beyond."""
    if abs(number) == np.inf:
        return column.infinite
    return (column.minimum is None or number >= column.minimum) and (
        column.maximum is None or number <= column.maximum
    )


def _spread(count: int, wanted: int) -> list[int]:
    """Evenly spaced places among `count`, each once."""
    places = np.linspace(0, count - 1, min(wanted, count)).astype(int)
    return sorted(set(places.tolist()))


def _thinned(things: Sequence[Any], most: int) -> Sequence[Any]:
    """So many of them at most, evenly spaced."""
    return [things[place] for place in _spread(len(things), most)] if things else []


def _changed(row: Cells, place: int, value: Any) -> Cells:
    return [*row[:place], value, *row[place + 1 :]]


def hardened_column(columns: Sequence[Column], rows: Sequence[Cells], row: Cells) -> str | None:
    """The one column that a hard row was made hard in; None where it were several, or none."""
    for base in (rows[place] for place in _spread(len(rows), BASES)):
        changed = [c.name for c, a, b in zip(columns, base, row, strict=True) if a is not b != a]
        if len(changed) == 1:
            return changed[0]
    return None


def _odd_values(column: Column, seen: Sequence[Any], categories: Sequence[float]) -> Iterator[Any]:
    """Values that this column may hold, and that conversions stumble over."""
    if column.nullable:
        yield None
    yield from (bound for bound in (column.minimum, column.maximum) if bound is not None)
    if column.categories is not None:
        yield from column.categories[:50]
    elif column.type == "bool":
        yield from (True, False)
    elif column.type == "string":
        known = sorted({text for text in seen if text is not None}, key=str)[:20]
        yield from known
        yield from TEXTS
        yield from (known[0].swapcase(), f" {known[0]} ", known[0] + "\x00") if known else ()
        yield from _recut(known)
    elif column.type == "int64":
        yield from INTEGERS
        for value in _known(seen, categories):
            yield from (v for v in range(int(value) - 2, int(value) + 3) if abs(v) < 2**63)
    else:
        yield from FLOATS
        yield from _outside(seen)
        for value in _known(seen, categories):
            yield value
            if abs(value) <= LARGEST_FLOAT32:
                yield float(np.float32(value))
            yield from (float(np.nextafter(value, end)) for end in (np.inf, -np.inf))
        if column.infinite:
            yield from (np.inf, -np.inf)


def _outside(seen: Sequence[Any]) -> Iterator[float]:
    """Below and above all numbers of a column, by its whole range and by three."""
    known = [float(cell) for cell in seen if cell is not None and np.isfinite(cell)]
    if known:
        low, high = min(known), max(known)
        for times in (1, 3):
            yield low - times * (high - low)
            yield high + times * (high - low)


def _recut(texts: Sequence[str]) -> Iterator[str]:
    """Other orders and joins of the words of texts, where they have several."""
    words = " ".join(text for text in texts if " " in text).split()[:400]
    if words:
        random = np.random.default_rng(0)
        for length in (1, 2, 3, 8, 30):
            yield " ".join(random.choice(words, length).tolist())
        yield " ".join(words).upper()
        yield "".join(words[:50])


def _known(seen: Sequence[Any], categories: Sequence[float]) -> list[float]:
    """Some of a column's own numbers, and some that an encoder somewhere knows."""
    own = sorted({float(cell) for cell in seen if cell is not None and np.isfinite(cell)})
    return [
        float(values[place])
        for values in (own, categories)
        if values
        for place in _spread(len(values), KNOWN)
    ]
