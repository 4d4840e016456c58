"""Whether an estimator reads the index of the DataFrame that it is given: no request has one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Data
from onnxlet.convert.reference.reference import Reference
from onnxlet.function.arrays import Array

REINDEXED = 50  # rows that are answered with another index
Outcome = Answers | Exception


def outcome(reference: Reference, data: Data) -> Outcome:
    """The answers to some data, or what the estimator raises for them."""
    try:
        return reference.answers_to(data)
    except Exception as error:  # whatever it raises, it does not answer
        return error


def reads_index(
    reference: Reference, X_test: Data, plain: Data, expected: Outcome, got: Outcome
) -> bool:
    """Whether the answers to the same values depend on their index.

    Args:
        reference: the estimator.
        X_test: with the index that it came with.
        plain: the same values, counted from 0.
        expected: the answers to X_test.
        got: the answers to the plain ones.
    """
    if not isinstance(X_test, pd.DataFrame | pd.Series):
        return False
    if not _alike(expected, got):
        if isinstance(expected, Exception):
            return not isinstance(outcome(reference, X_test.reset_index(drop=True)), Exception)
        return _alike(expected, outcome(reference, plain.set_axis(X_test.index)))
    few = plain.iloc[:REINDEXED]
    # Odd and far from each other, of both signs: other than 0, 1, 2, … by whatever is read of them.
    other = few.set_axis(pd.Index([(-1) ** n * (1000 * n + 7) for n in range(len(few))]))
    first, moved = outcome(reference, few), outcome(reference, other)
    # One that raises may join by index what is counted from 0: that works wherever it is served.
    if isinstance(moved, Exception) or _alike(first, moved):
        return False
    return _alike(first, outcome(reference, few))


def _alike(one: Outcome, other: Outcome) -> bool:
    if isinstance(one, Exception) or isinstance(other, Exception):
        return isinstance(one, Exception) and isinstance(other, Exception)
    return all(same(array, other[name]) for name, array in one.items())


def same(a: Array, b: Array) -> bool:
    """Equal answers, but for a last digit."""
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "f":
        return bool(np.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True))
    return bool(((a == b) | ((a != a) & (b != b))).all())  # two NaN among text are equal, too
