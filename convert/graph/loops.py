"""Control flow: repeated steps (Loop), row by row (Scan), and either of two branches (If)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from onnxlet.convert.graph.nodes import ELEMENTS
from onnxlet.convert.graph.tensor import Tensor, TensorGraph


def repeat(
    graph: TensorGraph,
    times: int,
    step: Callable[..., tuple[Sequence[Tensor], Tensor]],
    states: Sequence[Tensor],
) -> list[Tensor]:
    """The states after at most so many steps, each made of the states before.

    A step takes the states; it returns the next, of the same dtypes and widths, and a bool tensor:
    the loop ends when it is true for no row.
    """
    given = [
        Tensor(graph, graph.unique("state"), s.dtype, s.width, dimensions=s.dimensions)
        for s in states
    ]
    count, going, on = (graph.unique(stem) for stem in ("count", "going", "on"))
    with graph.body() as body:
        following, active = step(*given)
        following = [graph.op("Identity", tensor) for tensor in following]
        some = graph.op("ReduceSum", active.cast("int64"), keepdims=0) > 0
    value = helper.make_tensor_value_info
    inputs = [value(count, TensorProto.INT64, []), value(going, TensorProto.BOOL, [])]
    inputs += [_value(state, None) for state in given]
    outcome = [_value(some, []), *(_value(state, None) for state in following)]
    made = helper.make_graph(body, on, inputs, outcome)
    limit = graph.constant(np.array(times), "int64")
    start = graph.constant(np.array(True), "bool")
    outputs = [(state.dtype, state.width) for state in states]
    last = graph.ops("Loop", [limit, start, *states], outputs, body=made)
    return [replace(t, dimensions=s.dimensions) for t, s in zip(last, states, strict=True)]


def either(
    condition: Tensor, yes: Callable[[], Tensor], no: Callable[[], Tensor], like: Tensor
) -> Tensor:
    """One of two tensors, by a condition of one bool; the other is not written, or not computed.

    Both are of the dtype and shape of `like`.
    """
    (made,) = _branch(condition, lambda: [yes()], lambda: [no()])
    return replace(made, width=like.width, dimensions=like.dimensions)


def changed(
    like: Tensor, where: Tensor, given: Sequence[Tensor], make: Callable[..., Tensor]
) -> Tensor:
    """A tensor with some rows replaced; only these rows are computed.

    `where` has a bool for each row; `make` is given these rows of `given`, and returns the new
    ones, of the dtype and width of `like`.
    """
    graph = like.graph

    def write() -> Tensor:
        found = graph.op("NonZero", where, dtype="int64")
        rows = graph.op("Gather", found, graph.constant(np.array(0), "int64"), axis=0)
        some = [graph.op("Gather", t, rows, axis=0, dimensions=t.dimensions) for t in given]
        return graph.op("ScatterND", like, rows.reshape([-1, 1], 1), make(*some))

    any_row = graph.op("ReduceMax", where.cast("int64"), keepdims=0) > 0
    return either(any_row, write, lambda: like, like)


def _branch(
    condition: Tensor, yes: Callable[[], Sequence[Tensor]], no: Callable[[], Sequence[Tensor]]
) -> list[Tensor]:
    graph, branches = condition.graph, {}
    for name, write in (("then_branch", yes), ("else_branch", no)):
        with graph.body() as body:
            made = _body_outputs(graph, body, write())
        values = [_value(tensor, None) for tensor in made]
        branches[name] = helper.make_graph(body, graph.unique("branch"), [], values)
    outputs = [(tensor.dtype, tensor.width) for tensor in made]
    return graph.ops("If", [condition], outputs, **branches)


def _body_outputs(
    graph: TensorGraph, body: list[NodeProto], tensors: Sequence[Tensor]
) -> list[Tensor]:
    """The outputs of a body: ONNX wants them to be made in it, and each of them once."""
    written = {name for node in body for name in node.output}
    names = [tensor.name for tensor in tensors]
    return [
        tensor if name in written and names.count(name) == 1 else graph.op("Identity", tensor)
        for name, tensor in zip(names, tensors, strict=True)
    ]


def _value(tensor: Tensor, shape: Sequence[int] | None) -> ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, ELEMENTS[tensor.dtype], shape)


def by_row(make: Callable[[Tensor], Sequence[Tensor]], x: Tensor) -> list[Tensor]:
    """The outputs of `make`, row by row: for outputs that are much wider than the row.

    It takes one row and returns tensors, all of shape (1, width). A thousand rows against ten
    thousand points are 80 MB for each node, and slower than the overhead of a loop; here every node
    works on what fits the processor's cache.
    """
    graph = x.graph
    if graph.rowwise:
        return list(make(x))
    some = graph.op("Shape", x, dtype="int64", width=1, start=0, end=1) > 0
    widths: list[tuple[str, int]] = []

    def scan() -> list[Tensor]:
        row = Tensor(graph, graph.unique("row"), x.dtype, x.width, dimensions=2)
        with graph.body(rowwise=True) as body:
            made = _body_outputs(graph, body, make(row))
        widths.extend((tensor.dtype, tensor.width) for tensor in made)
        values = [_value(tensor, [1, tensor.width]) for tensor in made]
        step = helper.make_graph(body, graph.unique("rows"), [_value(row, [1, row.width])], values)
        rows = x.reshape([-1, 1, x.width], x.width)
        stacked = graph.ops("Scan", [rows], widths, body=step, num_scan_inputs=1)
        return [tensor.reshape([-1, tensor.width], tensor.width) for tensor in stacked]

    def empty() -> list[Tensor]:
        """Scan refuses to run without a row."""
        return [graph.constant(np.zeros((0, width)), dtype) for dtype, width in widths]

    return [replace(tensor, dimensions=2) for tensor in _branch(some, scan, empty)]
