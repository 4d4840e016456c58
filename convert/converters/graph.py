"""An ONNX graph while converters write it: tensors with arithmetic, and tables of them.

A converter is a plain function `convert(graph, fitted, table)`. It takes what it needs out of
the table (`graph.matrix(table)`), computes with tensors as it would with NumPy arrays, and
returns the answers of the estimator's methods, by name. Whatever nobody asks for is dropped from
the finished graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.pipeline import Pipeline
from sklearn.utils._set_output import _get_output_config

from function.signature import Array

Precision = Literal["float32", "float64"]

OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
GRAPH_NAME = "onnxlet"
ELEMENTS = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
}
DROPPED = "dropped"  # instead of a dtype: a column that the estimator does without
ML_OPERATORS = frozenset({"ArrayFeatureExtractor", "LabelEncoder", "TreeEnsemble"})


class Unsupported(Exception):
    """An estimator, or a setting of it, that has no conversion; the message says which and why.

    `hint` says what to do instead.
    """

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph, of shape (rows, width) unless its maker says otherwise.

    Arithmetic with arrays and numbers makes constants of them, in the tensor's own dtype.

    Attributes:
        graph: that it belongs to.
        name: in the graph.
        dtype: a key of ELEMENTS.
        width: its columns.
        column: the input column that it is, untouched; text is cut into tokens from that alone.
        labels: what a DataFrame calls its columns; empty where nobody selects by name.
        origin: the tensor that it was taken out of, and its places there.
        replaced: texts of `column`, each with the one that stands for it; so imputers fill it.
        compact: places of columns, int64 of shape (k,), and these columns, of shape (rows, k), if
            all others are zero: a text has few words of a vocabulary.
    """

    graph: Graph
    name: str
    dtype: str
    width: int = 1
    column: str | None = None
    labels: tuple[Any, ...] = ()
    origin: tuple[Tensor, tuple[int, ...]] | None = None
    replaced: tuple[tuple[str, str], ...] = ()
    compact: tuple[Tensor, Tensor] | None = None

    __array_ufunc__ = None  # an array on the left leaves the operation to the tensor

    def __add__(self, other: Any) -> Tensor:
        return self._with("Add", other)

    def __radd__(self, other: Any) -> Tensor:
        return self._with("Add", other)

    def __sub__(self, other: Any) -> Tensor:
        return self._with("Sub", other)

    def __rsub__(self, other: Any) -> Tensor:
        return self._like(other)._with("Sub", self)

    def __mul__(self, other: Any) -> Tensor:
        return self._with("Mul", other)

    def __rmul__(self, other: Any) -> Tensor:
        return self._with("Mul", other)

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
        if self.compact is None:
            return self.graph.op("MatMul", self, right, width=right.width)
        places, values = self.compact
        there = self.graph.op("Gather", right, places, axis=0)
        return self.graph.op("MatMul", values, there, width=right.width)

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
        return self.graph.op(operator, self, **attributes)

    def isnan(self) -> Tensor:
        """Where it is NaN."""
        return self.graph.op("IsNaN", self, dtype="bool")

    def where(self, yes: Any, no: Any) -> Tensor:
        """With self as the bool condition; one of the two at least is a tensor."""
        model = yes if isinstance(yes, Tensor) else no
        first, second = (model._like(value) for value in (yes, no))
        width = max(self.width, first.width, second.width)
        return self.graph.op("Where", self, first, second, dtype=first.dtype, width=width)

    def cast(self, dtype: str) -> Tensor:
        """The same in another dtype."""
        if dtype == self.dtype:
            return self
        made = self.graph.op("Cast", self, dtype=dtype, to=ELEMENTS[dtype])
        if self.compact is None:
            return made
        places, values = self.compact
        return replace(made, compact=(places, values.cast(dtype)))

    def take(self, places: Sequence[int]) -> Tensor:
        """Some of the columns, by position."""
        chosen = [int(place) for place in places]
        if chosen == list(range(self.width)):
            return self
        labels = tuple(self.labels[p] for p in chosen) if self.labels else ()
        base, places = self.origin or (self, tuple(range(self.width)))
        wanted = tuple(places[place] for place in chosen)
        if wanted == tuple(range(base.width)):
            return replace(base, labels=labels)
        index = self.graph.constant(wanted, "int64")
        if base.dtype == "bool":
            made = self.graph.op("Gather", base, index, width=len(chosen), axis=1)
        else:  # the same, several times faster
            made = self.graph.op("ArrayFeatureExtractor", base, index, width=len(chosen))
        return replace(
            made,
            labels=labels,
            origin=(base, wanted),
            column=self.graph.column_of(base, wanted),
            compact=base._among(wanted),
        )

    def sum(self) -> Tensor:
        """Over the columns; one is left."""
        return self._reduce("ReduceSum")

    def max(self) -> Tensor:
        """Over the columns; one is left."""
        return self._reduce("ReduceMax")

    def min(self) -> Tensor:
        """Over the columns; one is left."""
        return self._reduce("ReduceMin")

    def logsumexp(self) -> Tensor:
        """Over the columns; one is left."""
        return self._reduce("ReduceLogSumExp")

    def argmax(self) -> Tensor:
        """The place of the largest column, the first of equals: int64, one column."""
        return self.graph.op("ArgMax", self, dtype="int64", width=1, axis=1, keepdims=1)

    def argmin(self) -> Tensor:
        """The place of the smallest column, the first of equals: int64, one column."""
        return self.graph.op("ArgMin", self, dtype="int64", width=1, axis=1, keepdims=1)

    def sigmoid(self) -> Tensor:
        """`1 / (1 + exp(-x))`: ONNX Runtime's Sigmoid loses the digits of small values."""
        return 1.0 / ((-self).unary("Exp") + 1.0)

    def softmax(self) -> Tensor:
        """Over the columns."""
        return self.unary("Softmax", axis=1)

    def clip(self, low: Any, high: Any) -> Tensor:
        """Between two numbers, or None for no bound."""
        bounded = self if low is None else self.maximum(low)
        return bounded if high is None else bounded.minimum(high)

    def look_up(self, values: Any, dtype: str | None = None) -> Tensor:
        """Values at places: self holds int64 places, one column; values is of one dimension."""
        array = np.asarray(np.asarray(values).tolist())  # objects become what they are
        constant = self.graph.constant(array, dtype or self.graph.dtype_of(array))
        return self.graph.op("Gather", constant, self, dtype=constant.dtype, width=1, axis=0)

    def reshape(self, shape: Sequence[int], width: int) -> Tensor:
        """ONNX's Reshape: 0 keeps a dimension, -1 is what remains."""
        return self.graph.op("Reshape", self, self.graph.constant(shape, "int64"), width=width)

    def _among(self, wanted: Sequence[int]) -> tuple[Tensor, Tensor] | None:
        """What is compact of these columns."""
        if self.compact is None or len(set(wanted)) < len(wanted):
            return None
        graph, (places, values) = self.graph, self.compact
        new_places = np.full(self.width, -1)
        new_places[list(wanted)] = range(len(wanted))
        found = graph.op("Gather", graph.constant(new_places, "int64"), places, axis=0)
        kept = found >= 0
        return graph.op("Compress", found, kept, axis=0), graph.op("Compress", values, kept, axis=1)

    def _reduce(self, operator: str) -> Tensor:
        axes = self.graph.constant([1], "int64")
        return self.graph.op(operator, self, axes, width=1, keepdims=1)

    def _with(self, operator: str, other: Any, dtype: str | None = None) -> Tensor:
        right = self._like(other)
        width = max(self.width, right.width)
        return self.graph.op(operator, self, right, dtype=dtype, width=width)

    def _like(self, other: Any) -> Tensor:
        if not isinstance(other, Tensor):
            return self.graph.constant(other, self.dtype)
        if other.dtype != self.dtype:
            raise TypeError(f"{self.name} is of {self.dtype}, {other.name} of {other.dtype}")
        return other


@dataclass(frozen=True)
class Table:
    """The columns that an estimator is given: tensors side by side."""

    tensors: tuple[Tensor, ...]

    @property
    def width(self) -> int:
        """How many columns there are."""
        return sum(tensor.width for tensor in self.tensors)

    @property
    def labels(self) -> tuple[Any, ...]:
        """The columns' names, or () where they have none."""
        labels = tuple(label for tensor in self.tensors for label in tensor.labels)
        return labels if len(labels) == self.width else ()


Answers = Mapping[str, Tensor | Table]
Converter = Callable[["Graph", Any, Table], Answers]


class Graph:
    """Takes nodes, constants and inputs; asks converters for the answers of estimators.

    Attributes:
        precision: that numbers are computed in.
        last_in_float32: skl2onnx's own operators are given float32, whatever the precision.
        inputs: for the manifest: each tensor's name, dtype, columns, and what else it needs.
        of_skl2onnx: skl2onnx wrote some part of it.
        widest: columns of the widest tensor in the finished graph.
    """

    def __init__(
        self,
        precision: Precision,
        converters: Mapping[type, Converter],
        fallback: Converter | None = None,
        last_in_float32: bool = False,
    ) -> None:
        self.precision: Precision = precision
        self.last_in_float32 = last_in_float32
        self.inputs: list[dict[str, Any]] = []
        self.of_skl2onnx = False
        self.widest = 1
        self._widths: dict[str, int] = {}
        self._converters = converters
        self._fallback = fallback
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, bytes, tuple[int, ...]], str] = {}
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._value_infos: list[onnx.ValueInfoProto] = []
        self._count = 0
        self._asked: dict[tuple[int, tuple[str, ...]], tuple[Any, Answers]] = {}
        self._path: list[str] = []
        self._rowwise = False

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
        return Tensor(self, name, dtype, wide)

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
                return Tensor(self, entry["places"], "int64"), Tensor(self, entry["name"], dtype)
        counts, places = self.unique("input"), self.unique("input")
        entry = {"name": counts, "dtype": dtype, "columns": [column], "places": places}
        self.inputs.append({**entry, "tokens": tokens})
        self._value_infos += [
            helper.make_tensor_value_info(counts, ELEMENTS[dtype], [None, None]),
            helper.make_tensor_value_info(places, ELEMENTS["int64"], [None]),
        ]
        return Tensor(self, places, "int64"), Tensor(self, counts, dtype)

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
        return Tensor(self, name, kind, int(array.shape[-1]) if np.ndim(values) else 1)

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
        **attributes: Any,
    ) -> Tensor:
        """A node with one output; its dtype and width are those of the first input if not given."""
        first = next(tensor for tensor in inputs if tensor is not None)
        if any(tensor is not None and tensor.dtype == DROPPED for tensor in inputs):
            raise Unsupported("it is given a column that scikit-learn answers without")
        return self.ops(
            operator, inputs, [(dtype or first.dtype, first.width if width is None else width)],
            **attributes,
        )[0]  # fmt: skip

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

    def repeat(
        self,
        times: int,
        step: Callable[..., tuple[Sequence[Tensor], Tensor]],
        states: Sequence[Tensor],
        begin: Tensor | None = None,
    ) -> list[Tensor]:
        """The states after so many steps, each made of the ones before.

        Args:
            times: at most.
            step: is given the states; returns the next, of the same dtypes and widths, and a bool
                tensor: where it holds for no row, no more steps are made.
            states: to begin with.
            begin: a bool tensor; where it holds for no row, not even the first step is made.
        """
        given = [Tensor(self, self.unique("state"), s.dtype, s.width) for s in states]
        count, going, on = (self.unique(stem) for stem in ("count", "going", "on"))
        with self._body() as body:
            following, active = step(*given)
            following = [self.op("Identity", tensor) for tensor in following]
            some = self._any(active)
        value = helper.make_tensor_value_info
        made = helper.make_graph(
            body,
            on,
            [
                value(count, TensorProto.INT64, []),
                value(going, TensorProto.BOOL, []),
                *(value(s.name, ELEMENTS[s.dtype], None) for s in given),
            ],
            [
                value(some.name, TensorProto.BOOL, []),
                *(value(s.name, ELEMENTS[s.dtype], None) for s in following),
            ],
        )
        limit = self.constant(np.array(times), "int64")
        start = self.constant(np.array(True), "bool") if begin is None else self._any(begin)
        outputs = [(state.dtype, state.width) for state in states]
        return self.ops("Loop", [limit, start, *states], outputs, body=made)

    @contextmanager
    def _body(self, rowwise: bool = False) -> Iterator[list[onnx.NodeProto]]:
        """The nodes that are written meanwhile, for a loop."""
        outer = self._nodes, self._rowwise
        self._nodes, self._rowwise = [], rowwise or self._rowwise
        try:
            yield self._nodes
        finally:
            self._nodes, self._rowwise = outer

    def _any(self, condition: Tensor) -> Tensor:
        return self.op("ReduceSum", condition.cast("int64"), keepdims=0) > 0

    def by_row(self, make: Callable[[Tensor], Sequence[Tensor]], x: Tensor) -> list[Tensor]:
        """What `make` makes of the rows, one at a time: for what is much wider than the row.

        A thousand rows against ten thousand points are 80 MB for each node, and slower than the
        overhead of a loop; here every node works on what fits the processor's cache.

        Args:
            make: is given one row, of shape (1, width); returns tensors of shape (1, width).
            x: the rows.
        """
        if self._rowwise:
            return list(make(x))
        count, going = self.unique("count"), self.unique("going")
        with self._body(rowwise=True) as body:
            place = Tensor(self, count, "int64").reshape([1], 1)
            made = make(self.op("Gather", x, place, axis=0))
            on = self.op("Identity", Tensor(self, going, "bool"))
            flat = [tensor.reshape([-1], tensor.width) for tensor in made]
        value = helper.make_tensor_value_info
        looped = helper.make_graph(
            body,
            self.unique("rows"),
            [value(count, TensorProto.INT64, []), value(going, TensorProto.BOOL, [])],
            [
                value(on.name, TensorProto.BOOL, []),
                *(value(tensor.name, ELEMENTS[tensor.dtype], [tensor.width]) for tensor in flat),
            ],
        )
        rows = self.op("Shape", x, dtype="int64", start=0, end=1)
        outputs = [(tensor.dtype, tensor.width) for tensor in flat]
        return self.ops("Loop", [rows, None], outputs, body=looped)

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
            raise Unsupported("it is given text where it computes with numbers")
        if kind == "string" and any(tensor.dtype != "string" for tensor in tensors):
            raise Unsupported("it is given text and numbers side by side")
        return self.concat([tensor.cast(kind) for tensor in tensors])

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """Columns side by side; tensors of one dtype."""
        if len(tensors) == 1:
            return tensors[0]
        made = self.op("Concat", *tensors, width=sum(t.width for t in tensors), axis=1)
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
        made = self.op("ScatterElements", zeros, index, values, width=width, axis=1)
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

    # estimators

    def answers(self, fitted: Any, table: Table) -> Answers:
        """All that a fitted estimator answers, by method; the same question is asked once.

        Raises:
            Unsupported: it has no conversion; the message names it.
        """
        key = (id(fitted), tuple(tensor.name for tensor in table.tensors))
        if key not in self._asked:
            self._path.append(type(fitted).__name__)
            try:
                convert = self._converters.get(type(fitted), self._fallback)
                if convert is None:
                    raise Unsupported("it has no converter")
                self._asked[key] = (fitted, convert(self, fitted, table))
            except Unsupported as error:
                if error.args[0].startswith("step "):
                    raise
                raise Unsupported(f"step {' > '.join(self._path)}: {error}", error.hint) from error
            finally:
                self._path.pop()
        return self._asked[key][1]

    def ask(self, fitted: Any, table: Table, method: str) -> Tensor:
        """One method's answer in one tensor of shape (rows, width).

        `places` are int64 places in `classes_`; `predict` is made of them for classifiers.

        Raises:
            Unsupported: it has no conversion.
        """
        answers = self.answers(fitted, table)
        if method in answers:
            answer = answers[method]
            if isinstance(answer, Tensor):
                return answer
            alike = len({tensor.dtype for tensor in answer.tensors}) == 1
            return self.concat(answer.tensors) if alike else self.matrix(answer)
        if method == "predict" and "places" in answers:
            return self.labels(self.ask(fitted, table, "places"), fitted.classes_)
        raise Unsupported(f"step {type(fitted).__name__}: its {method} has no conversion")

    def labels(self, places: Tensor, classes: Any) -> Tensor:
        """The classes at places; with a list of each output's classes, a column for each."""
        if not isinstance(classes, list) or not any(np.ndim(known) for known in classes):
            return places.look_up(classes)
        columns = [places.take([output]).look_up(known) for output, known in enumerate(classes)]
        if len({column.dtype for column in columns}) > 1:
            raise Unsupported("the labels of its outputs are of different types")
        return self.concat(columns)

    def transform(self, fitted: Any, table: Table) -> Table:
        """A transformer's columns."""
        answer = self.answers(fitted, table).get("transform")
        if answer is None:
            raise Unsupported(f"step {type(fitted).__name__}: its transform has no conversion")
        made = answer if isinstance(answer, Table) else Table((answer,))
        if isinstance(fitted, Pipeline):
            return made
        if _get_output_config("transform", fitted)["dense"] == "default":
            return Table(tuple(replace(tensor, labels=()) for tensor in made.tensors))
        if not hasattr(fitted, "get_feature_names_out"):  # a function of a frame keeps its names
            return _labelled(made, table.labels if made.width == table.width else ())
        return _labelled(made, fitted.get_feature_names_out().tolist())

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
    places, labels = [], []
    for number, place in members:
        tensor = table.tensors[number]
        places.append(tensor.origin[1][place] if tensor.origin else place)
        labels.append(tensor.labels[place] if tensor.labels else None)
    return replace(base.take(places), labels=() if None in labels else tuple(labels))


def _taken(node: onnx.NodeProto) -> set[str]:
    """What a node reads, in its loop's body too."""
    within = [inner for attribute in node.attribute for inner in attribute.g.node]
    return set(node.input).union(*(_taken(inner) for inner in within))


def _labelled(table: Table, names: Sequence[Any]) -> Table:
    """With the names that a DataFrame's columns get, for steps that select by name."""
    tensors, start = [], 0
    for tensor in table.tensors:
        tensors.append(replace(tensor, labels=tuple(names[start : start + tensor.width])))
        start += tensor.width
    return Table(tuple(tensors))
