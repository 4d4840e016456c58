"""Which functions and estimators were followed without an operation that rounds as it pleases.

What is followed is mirrored operation by operation. Where each of these passes values on, compares
them, or is rounded as IEEE 754 prescribes, its values are scikit-learn's to the last bit; sums of
many numbers, products of matrices and functions such as exp depend on the library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from onnxlet.convert.graph.converter import Graph

EXACT = frozenset(
    {
        "Abs", "Add", "And", "ArgMax", "ArgMin", "ArrayFeatureExtractor", "Cast", "Ceil", "Clip",
        "Compress", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Flatten", "Floor",
        "Gather", "GatherElements", "Greater", "GreaterOrEqual", "Identity", "IsInf", "IsNaN",
        "LabelEncoder", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "NonZero", "Not",
        "Or", "ReduceMax", "ReduceMin", "Relu", "Reshape", "Round", "ScatterElements", "ScatterND",
        "Shape", "Sign", "Slice", "Sqrt", "Squeeze", "StringConcat", "RegexFullMatch", "Sub",
        "Tile", "TopK", "Transpose", "Unsqueeze", "Where", "Xor",
    }
)  # fmt: skip
# By an estimator that was followed, whether all that was written for it is exact.
_found: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


@contextmanager
def noted(graph: Graph, fitted: Any) -> Iterator[None]:
    """Note of an estimator whether what is written for it meanwhile is exact."""
    before = len(graph.nodes)
    yield
    exact = all(node.op_type in EXACT for node in graph.nodes[before:])
    with suppress(TypeError):  # of a class whose instances can't be keys: it may round
        _found[fitted] = exact and _found.get(fitted, True)


def is_exact(fitted: Any) -> bool:
    """Whether an estimator was followed by operations that are exact only."""
    try:
        return _found.get(fitted, False)
    except TypeError:
        return False
