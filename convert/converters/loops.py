"""Loops: steps that are repeated while some row needs it, and rows that are taken one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper

from convert.converters.nodes import Nodes
from convert.converters.tensor import ELEMENTS, Tensor


def repeat(
    graph: Nodes,
    times: int,
    step: Callable[..., tuple[Sequence[Tensor], Tensor]],
    states: Sequence[Tensor],
    begin: Tensor | None = None,
) -> list[Tensor]:
    """The states after so many steps, each made of the ones before.

    Args:
        graph: to write to.
        times: at most.
        step: is given the states; returns the next, of the same dtypes and widths, and a bool
            tensor: where it holds for no row, no more steps are made.
        states: to begin with.
        begin: a bool tensor; where it holds for no row, not even the first step is made.
    """
    given = [Tensor(graph, graph.unique("state"), s.dtype, s.width) for s in states]
    count, going, on = (graph.unique(stem) for stem in ("count", "going", "on"))
    with graph.body() as body:
        following, active = step(*given)
        following = [graph.op("Identity", tensor) for tensor in following]
        some = _any(graph, active)
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
    limit = graph.constant(np.array(times), "int64")
    start = graph.constant(np.array(True), "bool") if begin is None else _any(graph, begin)
    outputs = [(state.dtype, state.width) for state in states]
    return graph.ops("Loop", [limit, start, *states], outputs, body=made)


def _any(graph: Nodes, condition: Tensor) -> Tensor:
    return graph.op("ReduceSum", condition.cast("int64"), keepdims=0) > 0


def either(
    condition: Tensor, yes: Callable[[], Tensor], no: Callable[[], Tensor], like: Tensor
) -> Tensor:
    """One of two tensors, and only that is computed.

    Args:
        condition: a bool of no dimensions.
        yes: writes what is computed where it holds.
        no: where it does not.
        like: a tensor of their dtype and shape.
    """
    graph, branches = condition.graph, {}
    for name, write in (("then_branch", yes), ("else_branch", no)):
        with graph.body() as body:
            made = graph.op("Identity", write())
        value = helper.make_tensor_value_info(made.name, ELEMENTS[made.dtype], None)
        branches[name] = helper.make_graph(body, graph.unique("branch"), [], [value])
    (made,) = graph.ops("If", [condition], [(like.dtype, like.width)], **branches)
    return replace(made, dimensions=like.dimensions)


def by_row(make: Callable[[Tensor], Sequence[Tensor]], x: Tensor) -> list[Tensor]:
    """What `make` makes of the rows, one at a time: for what is much wider than the row.

    A thousand rows against ten thousand points are 80 MB for each node, and slower than the
    overhead of a loop; here every node works on what fits the processor's cache.

    Args:
        make: is given one row, of shape (1, width); returns tensors of shape (1, width).
        x: the rows.
    """
    graph = x.graph
    if graph.rowwise:
        return list(make(x))
    count, going = graph.unique("count"), graph.unique("going")
    with graph.body(rowwise=True) as body:
        place = Tensor(graph, count, "int64").reshape([1], 1)
        made = make(graph.op("Gather", x, place, axis=0, dimensions=x.dimensions))
        on = graph.op("Identity", Tensor(graph, going, "bool"))
        flat = [tensor.reshape([-1], tensor.width) for tensor in made]
    value = helper.make_tensor_value_info
    looped = helper.make_graph(
        body,
        graph.unique("rows"),
        [value(count, TensorProto.INT64, []), value(going, TensorProto.BOOL, [])],
        [
            value(on.name, TensorProto.BOOL, []),
            *(value(tensor.name, ELEMENTS[tensor.dtype], [tensor.width]) for tensor in flat),
        ],
    )
    rows = graph.op("Shape", x, dtype="int64", start=0, end=1)
    outputs = [(tensor.dtype, tensor.width) for tensor in flat]
    return graph.ops("Loop", [rows, None], outputs, body=looped)
