"""Nodes, constants and inputs of a graph, as converters add them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxlet.convert.graph.table import Table
from onnxlet.convert.graph.tensor import DROPPED, ELEMENTS, Tensor, Unsupported
from onnxlet.function.arrays import Array

Precision = Literal["float32", "float64"]

OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
GRAPH_NAME = "onnxlet"
ML_OPERATORS = frozenset({"ArrayFeatureExtractor", "LabelEncoder", "TreeEnsemble"})
ENCODE = (
    "Encode the text in a step before, such as OneHotEncoder; where it is numbers written as text, "
    "fit on numbers and give X_test so (astype(float))."
)
FLAT = frozenset({"Gemm", "TreeEnsemble"})  # what they answer has two dimensions


class Nodes:
    """Takes nodes, constants and inputs, and makes a model of those that are needed.

    Attributes:
        precision: that numbers are computed in.
        inputs: for the manifest: each tensor's name, dtype, columns, and what else it needs.
        of_skl2onnx: skl2onnx wrote some part of it.
        widest: columns of the widest tensor in the finished graph.
        rowwise: what is written now is the body of a loop over rows.
        inside: what is written now is the body of something.
    """

    def __init__(self, precision: Precision) -> None:
        self.precision: Precision = precision
        self.inputs: list[dict[str, Any]] = []
        self.of_skl2onnx = False
        self.widest = 1
        self.rowwise = False
        self.inside = False
        self._widths: dict[str, int] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], str] = {}
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._value_infos: list[onnx.ValueInfoProto] = []
        self._count = 0

    # inputs, constants and nodes

    def input(
        self, columns: Sequence[str], dtype: str, width: int | None = None, **described: Any
    ) -> Tensor:
        """A tensor that the function feeds.

        Args:
            columns: of the signature, that it is made of.
            dtype: of the tensor.
            width: its columns; as many as there are in the signature if not given.
            described: what else the manifest says of it.
        """
        name = self.unique("input")
        self.inputs.append({"name": name, "dtype": dtype, "columns": list(columns), **described})
        wide = len(columns) if width is None else width
        self._value_infos.append(helper.make_tensor_value_info(name, ELEMENTS[dtype], [None, wide]))
        return Tensor(self, name, dtype, wide, dimensions=2)

    def column_of(self, tensor: Tensor, places: Sequence[int]) -> str | None:
        """The signature's column that stands at these places of an input of text, if it is one."""
        for entry in self.inputs:
            if entry["name"] == tensor.name and tensor.dtype == "string" and len(places) == 1:
                return str(entry["columns"][places[0]])
        return None

    def count(self, column: str, dtype: str, tokens: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """What the function counts in a column of text.

        Args:
            column: of the signature.
            dtype: of the counts.
            tokens: for the manifest: what is counted.

        Returns:
            As `Tensor.compact` has them: places of the columns, and the counts.
        """
        for entry in self.inputs:
            asked = (entry["columns"], entry["dtype"], entry.get("tokens"))
            if asked == ([column], dtype, tokens):
                return self._counted(entry["places"], entry["name"], dtype)
        counts, places = self.unique("input"), self.unique("input")
        entry = {"name": counts, "dtype": dtype, "columns": [column], "places": places}
        self.inputs.append({**entry, "tokens": tokens})
        self._value_infos += [
            helper.make_tensor_value_info(counts, ELEMENTS[dtype], [None, None]),
            helper.make_tensor_value_info(places, ELEMENTS["int64"], [None]),
        ]
        return self._counted(places, counts, dtype)

    def _counted(self, places: str, counts: str, dtype: str) -> tuple[Tensor, Tensor]:
        return Tensor(self, places, "int64", dimensions=1), Tensor(
            self, counts, dtype, dimensions=2
        )

    def constant(self, values: Any, dtype: str | None = None) -> Tensor:
        """An initializer; `values` is an array or nested list, text as str."""
        array = np.asarray(values, dtype=object if dtype == "string" else None)
        kind = dtype or self.dtype_of(array)
        if kind == "string":
            flat = [str(text).encode() for text in array.ravel().tolist()]
            key = (kind, repr(flat).encode(), array.shape)
        else:
            array = np.ascontiguousarray(array, dtype=kind)
            key = (kind, array.tobytes(), np.shape(values))
        name = self._constants.get(key)
        if name is None:
            name = self._constants[key] = self.unique("constant")
            if kind == "string":
                made = helper.make_tensor(name, ELEMENTS[kind], array.shape, flat)
            else:
                made = numpy_helper.from_array(array.reshape(np.shape(values)), name)
            self._initializers[name] = made
        width, dimensions = int(array.shape[-1]) if np.ndim(values) else 1, np.ndim(values)
        return Tensor(self, name, kind, width, dimensions=dimensions)

    def dtype_of(self, array: Array) -> str:
        """How an array is held: text, whole numbers and booleans as int64, numbers in precision."""
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
        """A node with one output; its dtype and width are those of the first input if not given."""
        first = next(tensor for tensor in inputs if tensor is not None)
        if any(tensor is not None and tensor.dtype == DROPPED for tensor in inputs):
            raise Unsupported("it is given a column that scikit-learn answers without")
        made = self.ops(
            operator, inputs, [(dtype or first.dtype, first.width if width is None else width)],
            **attributes,
        )[0]  # fmt: skip
        return replace(made, dimensions=2 if operator in FLAT else dimensions)

    def ops(
        self,
        operator: str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[tuple[str, int]],
        **attributes: Any,
    ) -> list[Tensor]:
        """A node with several outputs, each of a dtype and width."""
        made = [
            Tensor(self, self.unique(operator.lower()), dtype, width) for dtype, width in outputs
        ]
        self._widths |= {tensor.name: tensor.width for tensor in made}
        self._nodes.append(
            helper.make_node(
                operator,
                ["" if tensor is None else tensor.name for tensor in inputs],
                [tensor.name for tensor in made],
                domain="ai.onnx.ml" if operator in ML_OPERATORS else "",
                **attributes,
            )
        )
        return made

    @contextmanager
    def body(self, rowwise: bool = False) -> Iterator[list[onnx.NodeProto]]:
        """The nodes that are written meanwhile, for a loop."""
        outer = self._nodes, self.rowwise, self.inside
        self._nodes, self.rowwise, self.inside = [], rowwise or self.rowwise, True
        try:
            yield self._nodes
        finally:
            self._nodes, self.rowwise, self.inside = outer

    def unique(self, stem: str) -> str:
        """A name that nothing in the graph has yet."""
        self._count += 1
        return f"{stem}_{self._count}"

    def splice(
        self, nodes: Sequence[onnx.NodeProto], initializers: Sequence[onnx.TensorProto]
    ) -> None:
        """Nodes and constants that skl2onnx made, under names from `unique`."""
        self.of_skl2onnx = True
        self._nodes += nodes
        self._initializers |= {tensor.name: tensor for tensor in initializers}

    # tables

    def matrix(self, table: Table | Tensor, dtype: str | None = None) -> Tensor:
        """All columns in one tensor of numbers, in the graph's precision unless told otherwise.

        Raises:
            Unsupported: a column holds text.
        """
        kind = dtype or self.precision
        if isinstance(table, Table):
            tensors = self.select(table, range(table.width)).tensors
        else:
            tensors = (table,)
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
        places = self.op("Concat", *(place for place, _ in parts), axis=0)
        return replace(
            made, compact=(places, self.op("Concat", *(values for _, values in parts), axis=1))
        )

    def spread(self, places: Tensor, values: Tensor, width: int) -> Tensor:
        """Columns at their places among zeros: `compact` made whole."""
        rows = self.op("Shape", values, dtype="int64", width=1, start=0, end=1)
        shape = self.op("Concat", rows, self.constant([width], "int64"), axis=0)
        zero = numpy_helper.from_array(np.zeros(1, values.dtype))
        zeros = self.op("ConstantOfShape", shape, dtype=values.dtype, width=width, value=zero)
        index = self.op("Expand", places, self.op("Shape", values, dtype="int64"))
        made = self.op("ScatterElements", zeros, index, values, width=width, dimensions=2, axis=1)
        return replace(made, compact=(places, values))

    def columns(self, table: Table) -> list[Tensor]:
        """The columns one by one, each of shape (rows, 1), in the dtype that they have."""
        return [
            tensor if tensor.width == 1 else tensor.take([place])
            for tensor in table.tensors
            for place in range(tensor.width)
        ]

    def select(self, table: Table, places: Sequence[int]) -> Table:
        """Some columns of a table, by position; neighbours in one tensor stay together."""
        owner = [(t, p) for t, tensor in enumerate(table.tensors) for p in range(tensor.width)]
        runs: list[tuple[str, list[tuple[int, int]]]] = []
        for number, place in (owner[int(place)] for place in places):
            tensor = table.tensors[number]
            base = tensor.origin[0].name if tensor.origin else tensor.name
            if runs and runs[-1][0] == base:
                runs[-1][1].append((number, place))
            else:
                runs.append((base, [(number, place)]))
        return Table(tuple(_together(table, members) for _, members in runs))

    # the end

    def finished(self, outputs: Sequence[Tensor]) -> onnx.ModelProto:
        """The model with these outputs, and without what they don't need.

        Tensors that nothing uses are dropped, inputs too: see `inputs` for what is left.
        """
        needed, kept = {tensor.name for tensor in outputs}, []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(_taken(node))
        self.inputs = [entry for entry in self.inputs if entry["name"] in needed]
        self.widest = max([1, *(self._widths.get(n, 1) for node in kept for n in node.output)])
        graph = helper.make_graph(
            kept[::-1],
            GRAPH_NAME,
            [info for info in self._value_infos if info.name in needed],
            [
                helper.make_tensor_value_info(t.name, ELEMENTS[t.dtype], [None, t.width])
                for t in outputs
            ],
            [tensor for name, tensor in self._initializers.items() if name in needed],
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model: onnx.ModelProto = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=GRAPH_NAME
        )
        return model


def _together(table: Table, members: Sequence[tuple[int, int]]) -> Tensor:
    """Columns of one tensor, or of several that were taken out of one, as one tensor."""
    numbers = {number for number, _ in members}
    if len(numbers) == 1:
        return table.tensors[numbers.pop()].take([place for _, place in members])
    base, _ = table.tensors[members[0][0]].origin or (table.tensors[members[0][0]], ())
    places, labels, types = [], [], []
    for number, place in members:
        tensor = table.tensors[number]
        places.append(tensor.origin[1][place] if tensor.origin else place)
        labels.append(tensor.labels[place] if tensor.labels else None)
        types.append(tensor.types[place] if tensor.types else "")
    named = () if None in labels else tuple(labels)
    return replace(base.take(places), labels=named, types=tuple(types))


def _taken(node: onnx.NodeProto) -> set[str]:
    """What a node reads, in its loop's body too."""
    within = [inner for attribute in node.attribute for inner in attribute.g.node]
    return set(node.input).union(*(_taken(inner) for inner in within))
