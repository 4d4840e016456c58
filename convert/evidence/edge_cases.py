"""Edge cases: rows made to break conversions, for the comparison with scikit-learn.

Held-out rows are mild: they seldom hold a gap, an unseen category, a huge number, or a value
that lies exactly where a model changes its mind. These do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.dates import ODD, written
from onnxlet.convert.evidence.discontinuities import (
    at_discontinuities,
    beside_decisions,
    between_labels,
)
from onnxlet.convert.evidence.fitted_values import at_borders, at_fitted_values, in_bins
from onnxlet.convert.evidence.images import odd_images
from onnxlet.convert.evidence.rows import changed, fits
from onnxlet.convert.evidence.thresholds import at_pipeline_thresholds, at_tree_thresholds
from onnxlet.convert.reference.column_groups import breadth, fewer, representative_columns
from onnxlet.convert.reference.estimators import fitted_categories, is_finite_number
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.inputs.columns import LONGEST_TEXT, Column
from onnxlet.function.inputs.sentences import split_sentences

BASES = 4  # held-out rows that each odd value is tried in
MOST_ODD = 12_000  # rows with one odd value; a frame of hundreds of columns would have more
SEVERAL = 600  # rows with several odd values
FEWEST_ODD, FEWEST_SEVERAL = 400, 100  # of each, however wide the rows are
OTHERS = 500  # edge cases that other ones are made of
DOCUMENTS = 6  # held-out documents that others are made of
MANY = 5_000  # sentences

ODD_FLOATS = (
    0.0, 1.0, -1.0, 1e-30, 1e6, -1e6, 1e12, 1e15, -1e15, 1e25, -1e25, 1e30, 3e38,
    LARGEST_FLOAT32, 1e100, -1e300,
)  # fmt: skip
DIGITS, BEYOND_FLOATS = re.compile("[0-9]+"), 310  # digits of a number that float64 can't hold
KNOWN = 12  # values of a column, and categories of an encoder, whose neighbours are tried
ODD_INTEGERS = (0, 1, -1, 2**24 + 1, 2**31, -(2**31), 10**9 + 7, 2**53 + 1, 2**63 - 1, -(2**63))
ODD_TEXTS = (
    "", " ", "nan", "None", "a value that no training row had", "Ünïcödé 类别 🦙", "0",
    "İSTANBUL'da IŞIK ıslak", "ΣΊΣΥΦΟΣ ΟΔΥΣΣΕΎΣ", "ﬁne ß ẞ Straße", "e\u0301tude\u00a0a\u2003b",
    "中文文本，没有空格。", "a_b 12 3.5 x-ray don't", "  two  spaces\tand\nlines ", "-inf", "1e999",
)  # fmt: skip


def edge_cases(
    columns: Sequence[Column], rows: Sequence[Cells], reference: Reference
) -> list[Cells]:
    """Rows that the signature allows and that conversions get wrong, made of held-out ones."""
    estimator = reference.estimator
    bases, width = evenly_spaced(rows, BASES), breadth(len(columns), estimator)
    tried = frozenset(representative_columns(reference.inputs, estimator))
    categories = sorted({v for v in fitted_categories(estimator) if is_finite_number(v)})
    odd = [
        (row, position, value)
        for position, column in enumerate(columns)
        if column.required and position in tried
        for value in (
            *_odd_values(column, [row[position] for row in rows], categories),
            *reference.inputs.columns[position].ends,
        )
        if type(value) not in (int, float) or fits(column, value)
        for row in bases
    ]
    odd += [
        (row, position, image)
        for position, column in enumerate(columns)
        if column.required and column.image
        for row in bases
        for image in odd_images(row[position])
    ]
    some = evenly_spaced(odd, fewer(MOST_ODD, width, FEWEST_ODD))
    allowed = [changed(row, [position], [value]) for row, position, value in some]
    allowed += _several(odd, fewer(SEVERAL, width, FEWEST_SEVERAL))
    allowed += [
        [None if c.nullable else cell for c, cell in zip(columns, row, strict=True)]
        for row in bases
    ]
    made = [[_zero(c, cell) for c, cell in zip(columns, row, strict=True)] for row in bases]
    at_thresholds = at_tree_thresholds(columns, rows, estimator)
    made += at_thresholds
    if not (at_thresholds and converters().known(type(estimator)).only_splits):
        made += at_discontinuities(columns, rows, reference, tried)
    made += in_bins(columns, rows, estimator)
    made += at_borders(columns, rows, estimator)
    made += between_labels(columns, rows, reference)
    made += beside_decisions(rows, reference)
    made += at_fitted_values(columns, rows, estimator, tried)
    made += _odd_documents(rows, reference)
    made = allowed + [row for row in made if _is_allowed(columns, row)]
    others = evenly_spaced(made, OTHERS)
    at_thresholds = at_pipeline_thresholds(columns, rows, others, reference, tried)
    return made + [row for row in at_thresholds if _is_allowed(columns, row)]


def _zero(column: Column, cell: Any) -> Any:
    """A row of zeros has no direction, and is as far from every point."""
    return 0 if column.type not in ("string", "bool") and column.categories is None else cell


def _several(odd: Sequence[tuple[Cells, int, Any]], most: int) -> list[Cells]:
    """Rows with two to four odd values."""
    random = np.random.default_rng(0)
    made = []
    for number in range(most if odd else 0):
        trials = [
            odd[position] for position in random.integers(0, len(odd), 2 + number % 3).tolist()
        ]
        values = {position: value for _, position, value in trials}
        made.append(changed(trials[0][0], list(values), values.values()))
    return made


def _is_allowed(columns: Sequence[Column], row: Cells) -> bool:
    """No number of the row is one that the function refuses."""
    return all(
        type(cell) not in (int, float) or fits(column, cell)
        for column, cell in zip(columns, row, strict=True)
    )


def odd_column(columns: Sequence[Column], rows: Sequence[Cells], edge_case: Cells) -> str | None:
    """The one column in which an edge case of these rows is odd; None of several, or none."""
    for base in evenly_spaced(rows, BASES):
        cells = zip(columns, base, edge_case, strict=True)
        odd = [c.name for c, a, b in cells if a is not b != a]
        if len(odd) == 1:
            return odd[0]
    return None


def _odd_values(column: Column, seen: Sequence[Any], categories: Sequence[float]) -> Iterator[Any]:
    """Values that this column may hold, and that conversions stumble over."""
    if column.nullable:
        yield None
    yield from (bound for bound in (column.minimum, column.maximum) if bound is not None)
    if column.image:
        return
    if column.categories is not None:
        yield from column.categories[:50]
    elif column.date:
        yield from (written(column, moment) for moment in ODD)
    elif column.type == "bool":
        yield from (True, False)
    elif column.type == "string":
        known = sorted({text for text in seen if text is not None}, key=str)[:20]
        yield from known
        yield from ODD_TEXTS
        yield from (known[0].swapcase(), f" {known[0]} ", known[0] + "\x00") if known else ()
        yield from dict.fromkeys(_with_large_numbers(text) for text in known if len(text) < 60)
        yield from _recut(known)
    elif column.type == "int64":
        yield from ODD_INTEGERS
        for value in _known(seen, categories):
            yield from (v for v in range(int(value) - 2, int(value) + 3) if abs(v) < 2**63)
    else:
        yield from ODD_FLOATS
        yield from _outside(seen)
        for value in map(float, _known(seen, categories)):
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


def _with_large_numbers(text: str) -> str:
    """With numbers in it that are infinite once they are read: "8.5 kg"."""
    return DIGITS.sub(lambda found: "9" * BEYOND_FLOATS, text)


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
    own = sorted({cell for cell in seen if cell is not None and np.isfinite(cell)})
    return [v for values in (own, categories) for v in evenly_spaced(values, KNOWN)]


def _odd_documents(rows: Sequence[Cells], reference: Reference) -> list[Cells]:
    """For a summary, documents of hardly any sentences, of very many, and of equal ones."""
    if reference.task.name != "summary":
        return []
    cut = [split_sentences(str(row[0])) for row in evenly_spaced(rows, DOCUMENTS)]
    made = []
    for sentences in cut:
        made += [sentences[:count] for count in range(4)]
        made += [sentences[::-1], sentences * 2, [s for s in sentences for _ in range(2)]]
    every = [sentence for sentences in cut for sentence in sentences] or ["a"]
    made += [every, ["\u597d\u3002"] * 50, [f"{at}!" for at in range(MANY)]]
    made.append((every * (MANY // len(every) + 1))[:MANY])
    return [["\n".join(sentences)[:LONGEST_TEXT]] for sentences in made]
