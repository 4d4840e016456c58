"""Held-out rows as clients would send them, once scikit-learn answers them as it does X_test."""

from __future__ import annotations

from onnxlet.convert.errors import Refusal, shortened
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.columns_given import unanswered
from onnxlet.convert.reference.index import outcome, reads_index, same
from onnxlet.convert.reference.inputs import Cells, Data
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array

HELD_OUT_ROWS = 20_000  # at most so many are compared, evenly spaced


def held_out_rows(
    source: Source, given: Source, reference: Reference, X: Data
) -> tuple[list[Cells], Answers]:
    """The test set as clients would send it, once scikit-learn agrees that it is the same.

    Args:
        source: as the estimator was made for.
        given: the same with X_test in pandas, where it is a frame.
        reference: scikit-learn.
        X: X_test as it is given to scikit-learn in comparisons.

    Returns:
        At most HELD_OUT_ROWS rows, and scikit-learn's answers to all of X_test.

    Raises:
        Refusal: scikit-learn does not answer X_test, or not the same once a request carries it.
    """
    if len(X) == 0:
        raise Refusal("X_test has no rows", "Parity is proven on held-out rows: give some.")
    _refuse_what_has_no_form(given, reference)
    inputs = reference.inputs
    rows = inputs.rows(X)
    plain = inputs.data(rows)
    expected, got = outcome(reference, source.X_test), outcome(reference, plain)
    if inputs.labelled and reads_index(reference, source.X_test, plain, expected, got):
        raise Refusal(
            "a step reads the DataFrame's index: the same values are answered otherwise, or not "
            "at all, once their index is another, and a request has none",
            "Make it a column, X.reset_index(), that the step reads; or, where a step puts "
            "columns side by side, have it do so by position: .to_numpy() has no index.",
        )
    if isinstance(expected, Exception):
        raise unanswered(given, reference, expected) from expected
    if isinstance(got, Exception):
        raise Refusal(
            f"the estimator answers X_test, and not once that holds plain values: {_in_words(got)}",
            "A request carries numbers, booleans and text, which reach the estimator in NumPy's "
            f"arrays{' or DataFrames of pandas' * inputs.labelled}: let each step take these.",
        ) from got
    _refuse_other_rows(expected["prediction"], len(X))
    for output, array in expected.items():
        if not same(array, got[output]):
            if not same(array, reference.answers_to(source.X_test)[output]):
                raise Refusal(
                    f"{output}: scikit-learn answers X_test otherwise each time that it is asked",
                    "Some step draws random numbers: let it draw none after fit.",
                )
            raise Refusal(
                f"{output}: scikit-learn answers otherwise once X_test holds plain values",
                "A request carries only numbers, booleans and text: turn other types into these "
                "before the pipeline, or fit it on plain columns.",
            )
    return evenly_spaced(rows, HELD_OUT_ROWS), expected


def _refuse_other_rows(answers: Array, count: int) -> None:
    """A vectoriser answers a DataFrame's names; a selector may have kept nothing."""
    if len(answers) != count:
        raise Refusal(
            f"the estimator has {len(answers)} answers to the {count} rows of X_test",
            "Each row needs an answer of its own. A vectoriser takes texts, not a table: give it "
            "the column X_test['NAME'], or name the column in a ColumnTransformer.",
        )
    if answers.ndim > 1 and 0 in answers.shape[1:]:
        raise Refusal(
            "the estimator answers no column at all: every one was dropped",
            "Set a weaker threshold, or leave the selection out.",
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


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {shortened(error)}"
