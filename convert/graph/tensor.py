"""Tensors of a graph, with arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from onnx import NodeProto

from onnxlet.convert.graph.nodes import ELEMENTS

Precision = Literal["float32", "float64"]

DATE = "date"  # the dtype of a column of dates, of which the graph is given parts
DROPPED = "dropped"  # the dtype of a column that the estimator does without, in no input


class TensorGraph(Protocol):
    """What is asked of the graph that a tensor belongs to; `GraphBuilder` says more of each."""

    precision: Precision
    rowwise: bool
    inputs: list[dict[str, Any]]
    lacking: dict[str, Tensor]
    of_arrow: frozenset[str]

    def op(self, *given: Any, **options: Any) -> Tensor:
        """Add a node with one output."""

    def ops(self, *given: Any, **options: Any) -> list[Tensor]:
        """Add a node with several outputs."""

    def constant(self, values: Any, dtype: str | None = None) -> Tensor:
        """An initializer."""

    def unique(self, stem: str) -> str:
        """A name that nothing in the graph has yet."""

    def body(self, rowwise: bool = False) -> AbstractContextManager[list[NodeProto]]:
        """Collect the nodes of a loop or branch."""

    def front_end(self, *given: Any, **options: Any) -> Tensor:
        """A column changed before it comes in."""

    def column_of(self, tensor: Tensor, indices: Sequence[int]) -> str | None:
        """The signature's column at some indices."""

    def select(self, *given: Any, **options: Any) -> Any:
        """Some columns of a table."""

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """Columns side by side."""

    def spread(self, indices: Tensor, values: Tensor, width: int) -> Tensor:
        """Columns at indices among zeros."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph, of shape (rows, width) unless a converter makes another one.

    Arithmetic with arrays and numbers turns them into constants of the tensor's dtype.
    """

    graph: TensorGraph
    name: str  # in the graph
    dtype: str  # a key of ELEMENTS, or DROPPED
    width: int = 1  # the number of columns
    # The signature's column that it is, changed only by `steps` and `replaced`: the function's
    # front end can go on with such a column.
    column: str | None = None
    labels: tuple[Any, ...] = ()  # the columns' names in a DataFrame; empty where they have none
    # The tensor that it was taken from, and its columns' indices there.
    origin: tuple[Tensor, tuple[int, ...]] | None = None
    # Pairs of a text of `column` and the text that an imputer puts in its place.
    replaced: tuple[tuple[str, str], ...] = ()
    # The signature's types of an input's columns, `category` for text that is pandas' categoricals,
    # followed by ? where they may be missing, of text by ?None where that is None and not NaN: the
    # graph has only numbers.
    types: tuple[str, ...] = ()
    # Indices of columns, int64 of shape (k,), and these columns, of shape (rows, k), if all other
    # columns are zero: a text has few words of a vocabulary.
    compact: tuple[Tensor, Tensor] | None = None
    dimensions: int | None = None  # how many it has; None if unknown
    # The matrices that it is the product of; adding to it then gives one Gemm.
    product: tuple[Tensor, Tensor] | None = None
    # Its second column, if that exists already as a tensor of its own.
    second: Tensor | None = None
    # That the front end takes, in their order; then come those of `replaced`.
    steps: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)

    __array_ufunc__ = None  # then an array on the left leaves the operation to the tensor

    def __add__(self, other: Any) -> Tensor:
        return self._shifted(other) or self._with("Add", other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Tensor:
        if self.product is None or isinstance(other, Tensor):
            return self._with("Sub", other)
        return self._shifted(-np.asarray(other, dtype=self.dtype)) or self._with("Sub", other)

    def __rsub__(self, other: Any) -> Tensor:
        return self._like(other)._with("Sub", self)

    def __mul__(self, other: Any) -> Tensor:
        return self._with("Mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Tensor:
        return self._with("Div", other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._like(other)._with("Div", self)

    def __pow__(self, other: Any) -> Tensor:
        return self._with("Pow", other)

    def __rpow__(self, other: Any) -> Tensor:
        return self._like(other)._with("Pow", self)

    def __matmul__(self, other: Any) -> Tensor:
        right = self._like(other)
        left = self
        if self.compact is not None:
            indices, left = self.compact
            right = self.graph.op("Gather", right, indices, axis=0, dimensions=right.dimensions)
        made = self.graph.op("MatMul", left, right, width=right.width)
        if left.dimensions == right.dimensions == 2:
            return replace(made, dimensions=2, product=(left, right))
        return made

    def __neg__(self) -> Tensor:
        return self.unary("Neg")

    def __lt__(self, other: Any) -> Tensor:
        return self._with("Less", other, "bool")

    def __le__(self, other: Any) -> Tensor:
        return self._with("LessOrEqual", other, "bool")

    def __gt__(self, other: Any) -> Tensor:
        return self._with("Greater", other, "bool")

    def __ge__(self, other: Any) -> Tensor:
        return self._with("GreaterOrEqual", other, "bool")

    def __and__(self, other: Any) -> Tensor:
        return self._with("And", other)

    def __or__(self, other: Any) -> Tensor:
        return self._with("Or", other)

    def __invert__(self) -> Tensor:
        return self.unary("Not")

    def equals(self, other: Any) -> Tensor:
        """Element by element; `==` stays Python's."""
        return self._with("Equal", other, "bool")

    def maximum(self, other: Any) -> Tensor:
        """The larger of the two, element by element."""
        return self._with("Max", other)

    def minimum(self, other: Any) -> Tensor:
        """The smaller of the two, element by element."""
        return self._with("Min", other)

    def unary(self, operator: str, **attributes: Any) -> Tensor:
        """An operator of one input that changes neither shape nor dtype: Exp, Log, Sqrt, …."""
        return self.graph.op(operator, self, dimensions=self.dimensions, **attributes)

    def isnan(self) -> Tensor:
        """Where it is NaN."""
        return self.graph.op("IsNaN", self, dtype="bool", dimensions=self.dimensions)

    def where(self, yes: Any, no: Any) -> Tensor:
        """`np.where(self, yes, no)`; self is bool, and yes or no is a tensor."""
        like = yes if isinstance(yes, Tensor) else no
        first, second = (like._like(value) for value in (yes, no))
        width = max(self.width, first.width, second.width)
        most = _most_dimensions(self, first, second)
        return self.graph.op(
            "Where", self, first, second, dtype=first.dtype, width=width, dimensions=most
        )

    def cast(self, dtype: str) -> Tensor:
        """The same in another dtype."""
        if dtype == self.dtype:
            return self
        made = self.graph.op(
            "Cast", self, dtype=dtype, dimensions=self.dimensions, to=ELEMENTS[dtype]
        )
        if self.compact is None:
            return made
        indices, values = self.compact
        return replace(made, compact=(indices, values.cast(dtype)))

    def take(self, indices: Sequence[int]) -> Tensor:
        """Some of the columns, by index."""
        chosen = [int(index) for index in indices]
        if chosen == list(range(self.width)):
            return self
        if chosen == [1] and self.second is not None and not self.labels:
            return self.second
        labels = tuple(self.labels[p] for p in chosen) if self.labels else ()
        types = tuple(self.types[p] for p in chosen) if self.types else ()
        base, indices = self.origin or (self, tuple(range(self.width)))
        wanted = tuple(indices[index] for index in chosen)
        if wanted == tuple(range(base.width)):
            return replace(base, labels=labels, types=types)
        columns = self.graph.constant(wanted, "int64")
        if base.dtype == "bool":
            made = self.graph.op("Gather", base, columns, width=len(chosen), axis=1)
        else:  # the same, several times faster
            made = self.graph.op("ArrayFeatureExtractor", base, columns, width=len(chosen))
        return replace(
            made,
            dimensions=base.dimensions,
            labels=labels,
            types=types,
            origin=(base, wanted),
            column=self.graph.column_of(base, wanted),
            compact=base._among(wanted),
        )

    def sum(self) -> Tensor:
        """The sum over the columns: one column."""
        return self._reduce("ReduceSum")

    def sum_of_squares(self) -> Tensor:
        """The sum of the columns' squares: one column."""
        return self._reduce("ReduceSumSquare")

    def max(self) -> Tensor:
        """The largest of the columns: one column."""
        return self._reduce("ReduceMax")

    def min(self) -> Tensor:
        """The smallest of the columns: one column."""
        return self._reduce("ReduceMin")

    def logsumexp(self) -> Tensor:
        """`log(sum(exp(x)))` over the columns. ReduceLogSumExp turns infinities into NaN."""
        peak = self.max()
        return (self - peak).unary("Exp").sum().unary("Log") + peak

    def argmax(self) -> Tensor:
        """The index of the largest column, the first of equals: int64, one column."""
        return self._arg("ArgMax")

    def argmin(self) -> Tensor:
        """The index of the smallest column, the first of equals: int64, one column."""
        return self._arg("ArgMin")

    def smallest(self, count: int, size: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The smallest columns in ascending order, and their indices; the first of equals first.

        A size is a setting that says how many, where a run may have another number than `count`.
        """
        kinds = [(self.dtype, count), ("int64", count)]
        taken = self.graph.constant([count], "int64") if size is None else size
        made = self.graph.ops("TopK", [self, taken], kinds, axis=1, largest=0)
        return made[0], made[1]

    def sigmoid(self) -> Tensor:
        """`1 / (1 + exp(-x))`: ONNX Runtime's Sigmoid loses the digits of small values."""
        return 1.0 / ((-self).unary("Exp") + 1.0)

    def softmax(self) -> Tensor:
        """`exp(x)` of each column, divided by its sum over the columns."""
        return self.unary("Softmax", axis=1)

    def clip(self, low: Any, high: Any) -> Tensor:
        """Between two numbers, or None for no bound."""
        bounded = self if low is None else self.maximum(low)
        return bounded if high is None else bounded.minimum(high)

    def look_up(self, values: Any, dtype: str | None = None) -> Tensor:
        """`values[self]`: self is int64, one column of indices; values has one dimension."""
        array = np.asarray(np.asarray(values).tolist())  # arrays of objects get the dtype of these
        constant = self.graph.constant(array, dtype)
        if constant.dtype == self.dtype and array.tolist() == list(range(len(array))):
            return self
        return self.graph.op("Gather", constant, self, width=1, axis=0, dimensions=self.dimensions)

    def reshape(self, shape: Sequence[int], width: int) -> Tensor:
        """ONNX's Reshape: 0 keeps a dimension, -1 is inferred."""
        constant = self.graph.constant(shape, "int64")
        return self.graph.op("Reshape", self, constant, width=width, dimensions=len(shape))

    def _among(self, wanted: Sequence[int]) -> tuple[Tensor, Tensor] | None:
        """`compact` of these columns; None where a column is taken twice."""
        if self.compact is None or len(set(wanted)) < len(wanted):
            return None
        graph, (indices, values) = self.graph, self.compact
        new_indices = np.full(self.width, -1)
        new_indices[list(wanted)] = range(len(wanted))
        found = graph.op("Gather", graph.constant(new_indices, "int64"), indices, axis=0)
        kept = found >= 0
        return graph.op("Compress", found, kept, axis=0), graph.op("Compress", values, kept, axis=1)

    def _reduce(self, operator: str) -> Tensor:
        axes = self.graph.constant([1], "int64")
        return self.graph.op(operator, self, axes, width=1, dimensions=self.dimensions, keepdims=1)

    def _arg(self, operator: str) -> Tensor:
        return self.graph.op(
            operator, self, dtype="int64", width=1, dimensions=self.dimensions, axis=1, keepdims=1
        )

    def _shifted(self, shift: Any) -> Tensor | None:
        """A matrix product plus a row of numbers, as one Gemm; None where that is impossible."""
        if self.product is None or isinstance(shift, Tensor) or not self.dtype.startswith("float"):
            return None
        if np.shape(shift)[-1:] not in ((), (1,), (self.width,)) or np.ndim(shift) > 2:
            return None
        row = self.graph.constant(np.reshape(shift, (1, -1)), self.dtype)
        return self.graph.op("Gemm", *self.product, row, width=self.width, dimensions=2)

    def _with(self, operator: str, other: Any, dtype: str | None = None) -> Tensor:
        right = self._like(other)
        width, most = max(self.width, right.width), _most_dimensions(self, right)
        return self.graph.op(operator, self, right, dtype=dtype, width=width, dimensions=most)

    def _like(self, other: Any) -> Tensor:
        """The operand as a tensor of the same dtype; TypeError where it is a tensor of another one.

        A number beside one column gets two dimensions: ONNX Runtime is then five times faster.
        """
        if not isinstance(other, Tensor):
            single = self.width == 1 and self.dimensions == 2 and np.size(other) == 1
            widen = single and np.ndim(other) < 2
            return self.graph.constant(np.reshape(other, (1, 1)) if widen else other, self.dtype)
        if other.dtype != self.dtype:
            types = f"{self.name} is of {self.dtype}, {other.name} of {other.dtype}"
            raise TypeError(f"{types}: .cast(…) one of them")
        return other


def _most_dimensions(*tensors: Tensor) -> int | None:
    """The number of dimensions that these are broadcast to; None if unknown."""
    known = [tensor.dimensions for tensor in tensors if tensor.dimensions is not None]
    return max(known) if len(known) == len(tensors) else None
