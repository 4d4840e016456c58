"""Which estimators inside a model are given sparse rows: XGBoost's read absent zeros as missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from scipy.sparse import issparse

from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference

ASKED = ("predict", "predict_proba")


def given_sparse(reference: Reference, rows: Sequence[Cells]) -> frozenset[int]:
    """The ids of XGBoost's estimators that are seen to be given a sparse matrix for these rows.

    What the steps before them answer depends on the fit (`sparse_threshold`), never on the rows.
    """
    found: set[int] = set()
    boosters = {id(p): p for p in parts_of(reference.estimator) if hasattr(p, "get_booster")}
    if boosters:
        with ExitStack() as watching, suppress(Exception):  # it raises for these rows
            for part in boosters.values():
                watching.enter_context(_watched(part, found))
            reference.answers(rows)
    return frozenset(found)


@contextmanager
def _watched(part: Any, found: set[int]) -> Iterator[None]:
    """Watch what an estimator is given: its methods are put before those of its class."""

    def watched(method: Any) -> Any:
        def asked(X: Any, *others: Any, **options: Any) -> Any:
            if issparse(X):
                found.add(id(part))
            return method(X, *others, **options)

        return asked

    methods = {name: getattr(part, name) for name in ASKED if hasattr(part, name)}
    vars(part).update({name: watched(method) for name, method in methods.items()})
    try:
        yield
    finally:
        for name in methods:
            del vars(part)[name]
