"""What a module registers of a class of estimators: its converter, and what else is known of it.

Like scikit-learn's tags (`sklearn/utils/_tags.py`), it stands with the class's own converter, and
in no list elsewhere. The gate and the evidence ask the registry for it (`registry.known`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxlet.convert.graph.converter import Converter, Graph, Tensor
from onnxlet.convert.graph.fallback import why_not
from onnxlet.convert.sources.users_code import is_users_own
from onnxlet.function.arrays import Array


@dataclass(frozen=True)
class Splits:
    """A tree that compares columns with thresholds: an entry for each node; the root is node 0.

    Attributes:
        feature: the index of the column that is compared.
        threshold: up to which a row goes left.
        left: the node taken then, negative or 0 at a leaf.
        right: the other.
        numeric: whether the node compares with its threshold; False at leaves, too.
        dtype: that is compared in.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    numeric: Array
    dtype: type[np.floating[Any]]


# The methods of an estimator that are followed, and libraries whose classes have none of these.
ANSWERS = ("transform", "predict", "predict_proba", "decision_function", "score_samples")
FOREIGN = frozenset({"numpy", "onnxlet", "pandas", "scipy", "sklearn"})
# The columns of a term; and of each of them the edges of its bins, or the bins of its categories.
Term = tuple[Sequence[int], Sequence[Array | Mapping[str, Any]]]


@dataclass(frozen=True)
class Registration:
    """What is known of the estimators of a class. Each function is given a fitted one.

    Attributes:
        convert: writes it; None for a class that is only ever a part of others.
        exact: its answers are values as they came, or arithmetic that the converter mirrors
            operation by operation: a tree behind only such steps is held to the last bit.
        splits: trees that compare its columns with thresholds: its own, not those of its parts.
        only_splits: its answers change at the thresholds of its trees, and are constant between.
        borders: the names of its columns; and numbers at which its answers may change, compared
            in float32, each behind the index of its column.
        terms: the names of its columns; and where its score is a sum of terms over bins, of each
            term the indices of its columns, and the bins of each.
        inverse: writes its `inverse_transform`, of a matrix.
    """

    convert: Converter | None = None
    exact: bool | Callable[[Any], bool] = False
    splits: Callable[[Any], Iterable[Splits]] | None = None
    only_splits: bool = False
    borders: Callable[[Any], tuple[Sequence[str], Iterable[tuple[int, float]]]] | None = None
    terms: Callable[[Any], tuple[Sequence[str], Iterable[Term]]] | None = None
    inverse: Callable[[Graph, Any, Tensor], Tensor] | None = None

    def is_exact(self, fitted: Any) -> bool:
        """Whether a fitted estimator is."""
        return self.exact(fitted) if callable(self.exact) else self.exact


# What a module lists as CONVERTERS; a converter by itself is a registration that knows no more.
Converters = Mapping[type, Converter | Registration]


def exact(convert: Converter | None = None, **known: Any) -> Registration:
    """The registration of an estimator whose arithmetic is mirrored operation by operation."""
    return Registration(convert, exact=True, **known)


def is_followed(kind: type) -> bool:
    """Whether the methods of a class that has no converter are followed, as functions are.

    Of the user's own classes all are; of a library's, those that transform only.
    """
    known = kind.__module__.partition(".")[0] in {*FOREIGN, "builtins"}
    if known or not hasattr(kind, "get_params") or why_not(kind):
        return False
    methods = [name for name in ANSWERS if callable(getattr(kind, name, None))]
    return bool(methods) and (is_users_own(kind) or methods == ["transform"])
