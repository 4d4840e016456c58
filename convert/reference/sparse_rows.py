"""Which estimators inside a model are given sparse rows: XGBoost's read absent zeros as missing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial, update_wrapper
from typing import Any

from scipy.sparse import issparse

from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference


def given_sparse(reference: Reference, rows: Sequence[Cells]) -> frozenset[int]:
    """The ids of XGBoost's estimators that are seen to be given a sparse matrix for these rows.

    What the steps before them make depends on their fit (`sparse_threshold`), never on the rows.
    """
    every = parts_of(reference.estimator)  # FrozenEstimator hands on what its own one has
    boosters = [part for part in every if hasattr(type(part), "get_booster")]
    if not boosters:
        return frozenset()
    names = ("predict", "predict_proba")
    methods = [(part, name) for part in boosters for name in names if hasattr(part, name)]
    found: set[int] = set()
    for part, name in methods:
        asked = partial(_asked, part, name, found)
        vars(part)[name] = update_wrapper(asked, getattr(type(part), name))
    with suppress(Exception):  # it raises for these rows
        reference.answers(rows)
    for part, name in methods:
        vars(part).pop(name, None)
    return frozenset(found)


def _asked(part: Any, name: str, found: set[int], X: Any, *others: Any, **options: Any) -> Any:
    """What an estimator answers; it is noted where it is given a sparse matrix."""
    found.update([id(part)] if issparse(X) else [])
    return getattr(type(part), name)(part, X, *others, **options)
