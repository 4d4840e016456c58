"""Held-out rows as clients would send them, once scikit-learn answers them as it does X_test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal, shortened
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.column_groups import pixels_read
from onnxlet.convert.reference.diagnosis import unanswered
from onnxlet.convert.reference.images import image_pixels
from onnxlet.convert.reference.inputs import Cells, Data
from onnxlet.convert.reference.reference import Outcome, Reference
from onnxlet.convert.sources.source import Source
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array

HELD_OUT_ROWS = 20_000  # at most so many are compared, evenly spaced
HELD_OUT_CELLS, FEWEST_HELD_OUT = 8_000_000, 200  # of wide rows fewer
HELD_OUT_PIXELS, SIZED = 200_000_000, 50  # of files; images whose size is looked at
REINDEXED = 50  # rows that are answered with another index
MOST_ANSWERED = 2**16  # numbers of one row's answer


def held_out_rows(
    source: Source, given: Source, reference: Reference, X: Data
) -> tuple[list[Cells], Answers]:
    """The test set as clients would send it, once scikit-learn agrees that it is the same.

    `source` is as the estimator was made for, `given` the same with X_test in pandas where it is a
    frame, and X is X_test as it is given to scikit-learn in comparisons. The result is at most
    HELD_OUT_ROWS rows, and scikit-learn's answers to all of X_test.

    Raises Refusal where scikit-learn does not answer X_test, or not the same once a request carries
    it.
    """
    if len(X) == 0:
        raise Refusal("X_test has no rows", "Parity is proven on held-out rows: give some.")
    _refuse_what_has_no_form(given, reference)
    inputs = reference.inputs
    rows = inputs.rows(X)
    _refuse_wide_answers(reference, inputs.data(rows[:1]))
    plain = inputs.data(rows)
    X_test, expected, got = (
        source.X_test,
        reference.outcome(source.X_test),
        reference.outcome(plain),
    )
    if isinstance(expected, Exception) and given.X_test is not X_test:
        answered = reference.outcome(given.X_test)
        if not isinstance(answered, Exception):  # it was fitted on pandas, and takes nothing else
            X_test, expected = given.X_test, answered
    if inputs.labelled and _reads_index(reference, X_test, plain, expected, got):
        raise Refusal(
            "a step reads the DataFrame's index: the same values are answered differently, or not "
            "at all, once their index is another, and a request has none",
            "Make it a column, X.reset_index(), that the step reads; or, where a step puts "
            "columns side by side, have it do so by position: .to_numpy() has no index.",
        )
    if isinstance(expected, Exception):
        raise unanswered(given, reference, expected) from expected
    if isinstance(got, Exception) and given.X_test is not X_test:
        raise Refusal(
            f"the estimator takes no frame of pandas, in which requests come: {_in_words(got)}",
            "Fit it on a frame of pandas: X.to_pandas().",
        ) from got
    if isinstance(got, Exception):
        raise Refusal(
            f"the estimator answers X_test, and not once that holds plain values: {_in_words(got)}",
            "A request carries numbers, booleans and text, which reach the estimator in NumPy's "
            f"arrays{' or DataFrames of pandas' * inputs.labelled}: let each step take these.",
        ) from got
    if 0 in expected["prediction"].shape[1:]:  # a selector may have kept nothing
        raise Refusal(
            "the estimator answers no column at all: every one was dropped",
            "Set a weaker threshold, or leave the selection out.",
        )
    for output, array in expected.items():
        if not _same(array, got[output]):
            if not _same(array, reference.answers_to(X_test)[output]):
                raise Refusal(
                    f"{output}: scikit-learn answers X_test differently each time that it is asked",
                    "Some step draws random numbers: let it draw none after fit.",
                )
            if hasattr(X_test, "toarray"):
                raise Refusal(
                    f"{output}: scikit-learn answers sparse rows differently from the same ones in "
                    "full, as requests have them: it sums, and breaks ties, in another order",
                    "Fit it on X_train.toarray(), or put the step that makes the sparse rows, "
                    "such as a vectoriser, before it in a pipeline.",
                )
            some = [c for c in inputs.columns if inputs.frame and _has_both(given.X_test[c.label])]
            both = "".join(f": column '{c.name}' has both None and NaN" for c in some[:1])
            raise Refusal(
                f"{output}: scikit-learn answers differently once X_test holds plain values{both}",
                "A request carries only numbers, booleans, text and one kind of gap: turn other "
                "types into these before the pipeline, or fit it on plain columns.",
            )
    return evenly_spaced(rows, _most(reference, rows)), expected


def _most(reference: Reference, rows: Sequence[Cells]) -> int:
    """So many rows are compared: of wide ones fewer, and of images that take long to read."""
    columns = reference.inputs.columns
    wide = len(columns) + pixels_read(reference.estimator)
    most = min(HELD_OUT_ROWS, HELD_OUT_CELLS // wide)
    for position, column in enumerate(columns):
        if column.image:
            sizes = [image_pixels(row[position]) for row in evenly_spaced(rows, SIZED)]
            most = min(most, HELD_OUT_PIXELS * len(sizes) // max(sum(sizes), 1))
    return max(FEWEST_HELD_OUT, most)


def _refuse_wide_answers(reference: Reference, row: Data) -> None:
    """An answer of a million numbers a row fits no response, nor many of them a build's memory."""
    answers = reference.outcome(row)
    if isinstance(answers, Exception):  # other rows show why
        return
    for name, array in answers.items():
        if array.size > MOST_ANSWERED:
            raise Refusal(
                f"{name}: expected at most {MOST_ANSWERED:,} numbers for each row, "
                f"got {array.size:,}",
                "Set n_features or max_features to fewer, or convert it together with the model "
                "that takes them: a pipeline answers what its last step does.",
            )


def _refuse_what_has_no_form(given: Source, reference: Reference) -> None:
    """Columns that no request can carry may stand in X_test where the model drops them."""
    for column in reference.inputs.columns:
        if column.unserved:
            without = given.X_test.drop(columns=[column.label])
            if not reference.takes(without):
                raise Refusal(
                    column.unserved, "Turn the column into numbers or text before the pipeline."
                )


def _has_both(column: pd.Series[Any]) -> bool:
    """Whether a column has two kinds of gaps; steps may take None for a category."""
    return len({value is None for value in column[column.isna()]}) > 1


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {shortened(error)}"


def _reads_index(
    reference: Reference, X_test: Data, plain: Data, expected: Outcome, got: Outcome
) -> bool:
    """Whether the answers to the same values depend on their index: no request has one.

    X_test has the index that it came with, plain values are counted from 0; expected and got are
    the answers to them.
    """
    if not isinstance(X_test, pd.DataFrame | pd.Series):
        return False
    if not _equal(expected, got):
        if isinstance(expected, Exception):
            return not isinstance(reference.outcome(X_test.reset_index(drop=True)), Exception)
        return _equal(expected, reference.outcome(plain.set_axis(X_test.index)))
    few = plain.iloc[:REINDEXED]
    # Odd and far from each other, of both signs: other than 0, 1, 2, … by whatever is read of them.
    other = few.set_axis(pd.Index([(-1) ** n * (1000 * n + 7) for n in range(len(few))]))
    first, moved = reference.outcome(few), reference.outcome(other)
    # One that raises may join by index what is counted from 0: that works wherever it is served.
    if isinstance(moved, Exception) or _equal(first, moved):
        return False
    return _equal(first, reference.outcome(few))


def _equal(one: Outcome, other: Outcome) -> bool:
    if isinstance(one, Exception) or isinstance(other, Exception):
        return isinstance(one, Exception) and isinstance(other, Exception)
    return all(_same(array, other[name]) for name, array in one.items())


def _same(a: Array, b: Array) -> bool:
    """Equal answers, but for a last digit."""
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "f":
        return bool(np.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True))
    return bool(((a == b) | ((a != a) & (b != b))).all())  # two NaN among text are equal, too
