"""Whether an estimator reads the index of the DataFrame that it is given: no request has one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Data
from onnxlet.function.arrays import Array

FEW = 50  # rows that are asked for with another index
Asked = Answers | Exception


def asked(answer: Callable[[Data], Answers], data: Data) -> Asked:
    """The answers to some rows, or what the estimator raises."""
    try:
        return answer(data)
    except Exception as error:  # whatever it raises, it does not answer
        return error


def reads_index(
    answer: Callable[[Data], Answers], X_test: Data, plain: Data, expected: Asked, got: Asked
) -> bool:
    """Whether the answers to the same values depend on their index.

    Args:
        answer: gives the estimator's answers.
        X_test: with the index that it came with.
        plain: the same values, counted from 0.
        expected: the answers to X_test.
        got: the answers to the plain ones.
    """
    if not isinstance(X_test, pd.DataFrame | pd.Series):
        return False
    if not _alike(expected, got):
        if isinstance(expected, Exception):
            return not isinstance(asked(answer, X_test.reset_index(drop=True)), Exception)
        return _alike(expected, asked(answer, plain.set_axis(X_test.index)))
    few = plain.iloc[:FEW]
    # Odd and far from each other, of both signs: other than 0, 1, 2, … by whatever is read of them.
    other = few.set_axis(pd.Index([(-1) ** n * (1000 * n + 7) for n in range(len(few))]))
    first, moved = asked(answer, few), asked(answer, other)
    # One that raises may join by index what is counted from 0: that works wherever it is served.
    if isinstance(moved, Exception) or _alike(first, moved):
        return False
    return _alike(first, asked(answer, few))


def _alike(one: Asked, other: Asked) -> bool:
    if isinstance(one, Exception) or isinstance(other, Exception):
        return isinstance(one, Exception) and isinstance(other, Exception)
    return all(same(array, other[name]) for name, array in one.items())


def same(a: Array, b: Array) -> bool:
    """Equal answers, but for a last digit."""
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "f":
        return bool(np.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True))
    return bool((a == b).all())
