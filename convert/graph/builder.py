"""Builds an ONNX graph: nodes, constants and inputs, and a model of those that are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxlet.convert.graph.inputs import GraphInputs
from onnxlet.convert.graph.nodes import ELEMENTS, Unsupported
from onnxlet.convert.graph.table import Table
from onnxlet.convert.graph.tensor import DATE, DROPPED, Precision, Tensor
from onnxlet.function.arrays import Array

OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
GRAPH_NAME = "onnxlet"
COUNT = "k"  # the input that says how many nearest are wanted
ML_OPERATORS = frozenset({"ArrayFeatureExtractor", "LabelEncoder", "TreeEnsemble"})
TAKE_PARTS = (
    "Take their parts: onnxlet.DateParts, or .dt in a FunctionTransformer, such as "
    "pd.to_datetime(X['when']).dt.month."
)
ENCODE = (
    "Encode the text in a step before, such as OneHotEncoder; where it is numbers written as text, "
    "fit on numbers and give X_test so (astype(float))."
)
TWO_DIMENSIONAL = frozenset({"Gemm", "TreeEnsemble"})  # whatever their inputs


class K(NamedTuple):
    """How many nearest a row is answered with: where a request says nothing, and at most."""

    default: int
    most: int


class GraphBuilder(GraphInputs):
    """Collects nodes, constants and inputs; `finished` makes a model of those that are needed.

    Attributes:
        precision: the dtype of numbers.
        of_skl2onnx: whether skl2onnx wrote some part of it.
        widest: columns of the widest tensor in the finished graph.
        rowwise: whether the nodes written now are the body of a loop over rows.
        inside: whether the nodes written now are the body of a loop or branch.
        of_arrow: columns of text that PyArrow holds, whose `.str` is not Python's.
        categoricals: columns, by the text of their names, that are given as categoricals of pandas.
        k: how many nearest it answers, where that is a request's to say; else None.
        lacking: by the name of a bool tensor that is False there, where a flag is missing.
    """

    def __init__(self, precision: Precision) -> None:
        super().__init__()
        self.precision: Precision = precision
        self.of_skl2onnx = False
        self.widest = 1
        self.rowwise = False
        self.inside = False
        self.of_arrow: frozenset[str] = frozenset()
        self.categoricals: frozenset[str] = frozenset()
        self.k: K | None = None
        self.lacking: dict[str, Tensor] = {}
        self._widths: dict[str, int] = {}
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], str] = {}

    def tensor(
        self, name: str, dtype: str, width: int = 1, dimensions: int | None = None
    ) -> Tensor:
        """The graph's tensor of a name."""
        return Tensor(self, name, dtype, width, dimensions=dimensions)

    # constants and nodes

    def constant(self, values: Any, dtype: str | None = None) -> Tensor:
        """An initializer; equal ones are stored once.

        Args:
            values: an array or nested list, text as str.
            dtype: `dtype_of` the values if not given.
        """
        array = np.asarray(values, dtype=object if dtype == "string" else None)
        kind = dtype or self.dtype_of(array)
        if kind == "string":
            array = np.array([str(text) for text in array.ravel()], object).reshape(array.shape)
            content = repr([text.encode() for text in array.ravel()]).encode()
        else:
            array = np.ascontiguousarray(array, dtype=kind).reshape(np.shape(values))
            content = array.tobytes()
        key = (kind, content, array.shape)
        if key not in self._constants:
            self._constants[key] = self.array(array)
        width, dimensions = int(array.shape[-1]) if np.ndim(values) else 1, np.ndim(values)
        return Tensor(self, self._constants[key], kind, width, dimensions=dimensions)

    def counted(self, default: int, most: int) -> Tensor:
        """How many nearest a row is answered with, int64 of shape (1,): a run may say another.

        An input with an initializer: ONNX Runtime takes its value where a run gives none.
        """
        self.k = K(default, most)
        self.initializers[COUNT] = numpy_helper.from_array(np.array([default], np.int64), COUNT)
        self._value_infos.append(helper.make_tensor_value_info(COUNT, onnx.TensorProto.INT64, [1]))
        return Tensor(self, COUNT, "int64", 1, dimensions=1)

    def dtype_of(self, array: Array) -> str:
        """The dtype of an array in the graph: int64 for booleans, too; floats in its precision."""
        if array.dtype.kind in "biu":
            return "int64"
        return self.precision if array.dtype.kind == "f" else "string"

    def op(
        self,
        operator: str,
        *inputs: Tensor | None,
        dtype: str | None = None,
        width: int | None = None,
        dimensions: int | None = None,
        **attributes: Any,
    ) -> Tensor:
        """Add a node with one output, which has the first input's dtype and width if not given.

        Raises:
            Unsupported: an input is a column that the model does without.
        """
        first = next(tensor for tensor in inputs if tensor is not None)
        dtypes = {tensor.dtype for tensor in inputs if tensor is not None}
        if DROPPED in dtypes:
            raise Unsupported("it is given a column that scikit-learn answers without")
        if DATE in dtypes:
            raise Unsupported("it is given dates where it computes with numbers", TAKE_PARTS)
        made = self.ops(
            operator, inputs, [(dtype or first.dtype, first.width if width is None else width)],
            **attributes,
        )[0]  # fmt: skip
        return replace(made, dimensions=2 if operator in TWO_DIMENSIONAL else dimensions)

    def ops(
        self,
        operator: str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[tuple[str, int]],
        **attributes: Any,
    ) -> list[Tensor]:
        """Add a node with several outputs, each of a dtype and width."""
        made = [
            Tensor(self, self.unique(operator.lower()), dtype, width) for dtype, width in outputs
        ]
        self._widths |= {tensor.name: tensor.width for tensor in made}
        self.write(
            operator,
            ["" if tensor is None else tensor.name for tensor in inputs],
            [tensor.name for tensor in made],
            domain="ai.onnx.ml" if operator in ML_OPERATORS else "",
            **attributes,
        )
        return made

    @contextmanager
    def body(self, rowwise: bool = False) -> Iterator[list[onnx.NodeProto]]:
        """Collect the nodes that are added meanwhile: the body of a loop or branch."""
        outer = self.nodes, self.rowwise, self.inside
        self.nodes, self.rowwise, self.inside = [], rowwise or self.rowwise, True
        try:
            yield self.nodes
        finally:
            self.nodes, self.rowwise, self.inside = outer

    def splice(
        self, nodes: Sequence[onnx.NodeProto], initializers: Sequence[onnx.TensorProto]
    ) -> None:
        """Add nodes and constants that skl2onnx made, under names from `unique`."""
        self.of_skl2onnx = True
        self.nodes += nodes
        self.initializers |= {tensor.name: tensor for tensor in initializers}

    def node_that_makes(self, name: str) -> onnx.NodeProto | None:
        """The node with an output of this name; None for inputs and constants."""
        return next((node for node in self.nodes if name in node.output), None)

    def constant_of(self, name: str) -> Array | None:
        """The array of a constant; None if the name is of something else."""
        made = self.initializers.get(name)
        return None if made is None else numpy_helper.to_array(made)

    # tables

    def matrix(self, table: Table | Tensor, dtype: str | None = None) -> Tensor:
        """All columns in one tensor, of the graph's precision if no dtype is given.

        Raises:
            Unsupported: text among numbers.
        """
        kind = dtype or self.precision
        if isinstance(table, Table):
            tensors = self.select(table, range(table.width)).tensors
        else:
            tensors = (table,)
        if any(tensor.dtype == DATE for tensor in tensors):
            raise Unsupported("it is given dates where it computes with numbers", TAKE_PARTS)
        if kind != "string" and any(tensor.dtype == "string" for tensor in tensors):
            texts = [label for t in tensors if t.dtype == "string" for label in t.labels]
            named = f": {', '.join(map(repr, texts[:5]))}" if texts else ""
            raise Unsupported(f"it is given text where it computes with numbers{named}", ENCODE)
        if kind == "string" and any(tensor.dtype != "string" for tensor in tensors):
            raise Unsupported("it is given text and numbers side by side")
        return self.concat([tensor.cast(kind) for tensor in tensors])

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """Columns side by side; tensors of one dtype."""
        if len(tensors) == 1:
            return tensors[0]
        known = {tensor.dimensions for tensor in tensors}
        made = self.op(
            "Concat",
            *tensors,
            width=sum(t.width for t in tensors),
            dimensions=known.pop() if len(known) == 1 else None,
            axis=1,
        )
        if all(tensor.compact is None for tensor in tensors):
            return made
        starts = np.cumsum([0, *(tensor.width for tensor in tensors)]).tolist()
        parts = [
            (self.constant(range(start, start + tensor.width), "int64"), tensor)
            if tensor.compact is None
            else (tensor.compact[0] + start, tensor.compact[1])
            for start, tensor in zip(starts, tensors, strict=False)
        ]
        indices = self.op("Concat", *(index for index, _ in parts), axis=0)
        return replace(
            made, compact=(indices, self.op("Concat", *(values for _, values in parts), axis=1))
        )

    def spread(self, indices: Tensor, values: Tensor, width: int) -> Tensor:
        """Columns at their indices among zeros, from `compact` to all columns."""
        each = self.op("Expand", indices, self.op("Shape", values, dtype="int64"))
        return replace(self.spread_each(each, values, width), compact=(indices, values))

    def spread_each(self, indices: Tensor, values: Tensor, width: int) -> Tensor:
        """Each row's values at its own indices among zeros: both of shape (rows, k)."""
        rows = self.op("Shape", values, dtype="int64", width=1, start=0, end=1)
        shape = self.op("Concat", rows, self.constant([width], "int64"), axis=0)
        zero = numpy_helper.from_array(np.zeros(1, values.dtype))
        zeros = self.op("ConstantOfShape", shape, dtype=values.dtype, width=width, value=zero)
        return self.op("ScatterElements", zeros, indices, values, width=width, dimensions=2, axis=1)

    def columns(self, table: Table) -> list[Tensor]:
        """The columns one by one, each of shape (rows, 1) and its own dtype."""
        return [
            tensor if tensor.width == 1 else tensor.take([index])
            for tensor in table.tensors
            for index in range(tensor.width)
        ]

    def select(self, table: Table, indices: Sequence[int]) -> Table:
        """Some columns of a table, by index; neighbours of one tensor stay in one tensor."""
        owner = [(t, p) for t, tensor in enumerate(table.tensors) for p in range(tensor.width)]
        runs: list[tuple[str, list[tuple[int, int]]]] = []
        for number, index in (owner[int(index)] for index in indices):
            tensor = table.tensors[number]
            base = (tensor.origin[0] if tensor.origin else tensor).name or f"dropped {number}"
            if runs and runs[-1][0] == base:
                runs[-1][1].append((number, index))
            else:
                runs.append((base, [(number, index)]))
        return Table(tuple(_in_one_tensor(table, members) for _, members in runs))

    # the model

    def finished(self, outputs: Sequence[Tensor]) -> onnx.ModelProto:
        """The model with these outputs, and without what they don't need.

        Unused inputs are dropped, too: `inputs` has only those that are left.
        """
        needed, kept = {tensor.name for tensor in outputs}, []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(_names_read(node))
        self.inputs = [entry for entry in self.inputs if entry["name"] in needed]
        self.widest = max([1, *(self._widths.get(n, 1) for node in kept for n in node.output)])
        graph = helper.make_graph(
            kept[::-1],
            GRAPH_NAME,
            [info for info in self._value_infos if info.name in needed],
            [
                helper.make_tensor_value_info(
                    t.name, ELEMENTS[t.dtype], [None, t.width if self.k is None else None]
                )
                for t in outputs
            ],
            [tensor for name, tensor in self.initializers.items() if name in needed],
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model: onnx.ModelProto = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=GRAPH_NAME
        )
        return model


def _in_one_tensor(table: Table, members: Sequence[tuple[int, int]]) -> Tensor:
    """Columns of one tensor, or of several that were taken from one, in one tensor."""
    numbers = {number for number, _ in members}
    if len(numbers) == 1:
        return table.tensors[numbers.pop()].take([index for _, index in members])
    base, _ = table.tensors[members[0][0]].origin or (table.tensors[members[0][0]], ())
    indices, labels, types = [], [], []
    for number, index in members:
        tensor = table.tensors[number]
        indices.append(tensor.origin[1][index] if tensor.origin else index)
        labels.append(tensor.labels[index] if tensor.labels else None)
        types.append(tensor.types[index] if tensor.types else "")
    named = () if None in labels else tuple(labels)
    return replace(base.take(indices), labels=named, types=tuple(types))


def _names_read(node: onnx.NodeProto) -> set[str]:
    """The names that a node reads, also in its bodies."""
    within = [inner for attribute in node.attribute for inner in attribute.g.node]
    return set(node.input).union(*(_names_read(inner) for inner in within))
