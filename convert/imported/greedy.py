"""An encoder and a decoder as one graph, whose Loop writes the likeliest unit at each step.

Inputs and outputs: `ids` int64 (rows, length) to `written` int64 (rows, steps) and `score` float32
(rows,), the sum of the natural logarithms of what the decoder gave to each unit that it wrote, the
end among them. Of equal ones the lowest id is written. A row that has ended goes on with the id of
the end, and its score stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxlet.convert.errors import Refusal
from onnxlet.convert.graph.nodes import NodeWriter
from onnxlet.convert.imported.onnx_file import inputs_of, nodes_within, opsets
from onnxlet.convert.imported.roles import Roles, dims_of
from onnxlet.convert.imported.text_options import Vocabulary

IDS, WRITTEN, SCORE, WIDTH = "ids", "written", "score", "width"
LENGTH = "length"  # the name of the dimension that varies
ENCODER, DECODER = "encoder/", "decoder/"  # before the names that their tensors had
LEAST_OPSET = 13
NO_ID = -1
SAME_OPSET = "Export both with one opset_version, of 13 or later."


def check_together(encoder: onnx.ModelProto, decoder: onnx.ModelProto) -> None:
    """Refuse graphs that can't be one: their operators are of different versions, or too old."""
    versions = [opsets(encoder), opsets(decoder)]
    for domain in sorted(set(versions[0]) & set(versions[1])):
        if versions[0][domain] != versions[1][domain]:
            raise Refusal(
                f"the encoder is of opset {versions[0][domain]} of {domain}, the decoder of "
                f"{versions[1][domain]}",
                SAME_OPSET,
            )
    oldest = min(each.get("ai.onnx", LEAST_OPSET) for each in versions)
    if oldest < LEAST_OPSET:
        raise Refusal(f"both are of opset {oldest}: a Loop around them needs 13", SAME_OPSET)


def merged(
    encoder: onnx.ModelProto,
    decoder: onnx.ModelProto,
    roles: Roles,
    vocabulary: Vocabulary,
    shares: bool,
    tried: bool = False,
) -> onnx.ModelProto:
    """One graph of both; `roles` are those of their tensors before they have prefixes.

    The vocabulary has the start, the end and the most units. Where the decoder answers shares of
    one, not logits, `shares` is true. One that is `tried` never ends before the most units, and has
    the output `width`, of shape (steps,): how many units the decoder chooses from.
    """
    encoder, decoder = prefixed(encoder, ENCODER), prefixed(decoder, DECODER)
    graph = Writer()
    start = graph.node("Shape", IDS)
    rows = graph.node("Gather", start, graph.constant([0]))
    graph.node("Cast", IDS, output=ENCODER + roles.ids, to=_element(encoder, roles.ids))
    if roles.mask is not None:
        one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
        ones = graph.node("ConstantOfShape", start, value=one)
        graph.node("Cast", ones, output=ENCODER + roles.mask, to=_element(encoder, roles.mask))
    graph.nodes += encoder.graph.node
    carried = {
        "last": graph.node("Expand", graph.constant([vocabulary.start]), rows),
        "total": graph.node("Expand", graph.constant(np.zeros(1, np.float32)), rows),
        "ended": graph.node("Expand", graph.constant([False]), rows),
    }
    if not roles.stepwise:
        carried["before"] = graph.node("Reshape", carried["last"], graph.constant([-1, 1]))
    for name, state in roles.states.items():
        first = None if state.first is None else ENCODER + state.first
        carried[DECODER + name] = first or _zeros(graph, decoder, name, roles.written, rows)
    end = NO_ID if tried else vocabulary.end
    body = _body(graph, decoder, roles, end, shares, list(carried))
    most = graph.constant(np.array(vocabulary.longest_output))
    results = [f"{name}/behind" for name in carried] + ["steps", "widths"]
    begin = graph.constant(np.array(True))
    graph.write("Loop", [most, begin, *carried.values()], results, body=body)
    graph.node("Transpose", "steps", output=WRITTEN, perm=[1, 0])
    graph.node("Identity", "total/behind", output=SCORE)
    value = helper.make_tensor_value_info
    outputs = [
        value(WRITTEN, TensorProto.INT64, ["rows", "steps"]),
        value(SCORE, TensorProto.FLOAT, ["rows"]),
    ]
    if tried:
        graph.node("Reshape", "widths", graph.constant([-1]), output=WIDTH)
        outputs.append(value(WIDTH, TensorProto.INT64, ["steps"]))
    whole = helper.make_graph(
        graph.nodes,
        "translator",
        [value(IDS, TensorProto.INT64, ["rows", LENGTH])],
        outputs,
        [*graph.initializers.values(), *encoder.graph.initializer, *decoder.graph.initializer],
        sparse_initializer=[*encoder.graph.sparse_initializer, *decoder.graph.sparse_initializer],
    )
    imports = {
        entry.domain: entry.version for each in (encoder, decoder) for entry in each.opset_import
    }
    return helper.make_model(
        whole,
        functions=[*encoder.functions, *decoder.functions],
        opset_imports=[helper.make_opsetid(*each) for each in imports.items()],
        ir_version=max(encoder.ir_version, decoder.ir_version),
        producer_name=encoder.producer_name,
        producer_version=encoder.producer_version,
    )


def _body(
    outer: Writer,
    decoder: onnx.ModelProto,
    roles: Roles,
    end: int,
    shares: bool,
    carried: Sequence[str],
) -> onnx.GraphProto:
    """One step: the decoder runs, and the likeliest unit is written."""
    graph = Writer("step/", outer)
    column = outer.constant([-1, 1])
    written = "last" if roles.stepwise else "before"
    if roles.stepwise and len(dims_of(_input(decoder, roles.written))) == 2:
        written = graph.node("Reshape", "last", column)
    graph.node("Cast", written, output=DECODER + roles.written, to=_element(decoder, roles.written))
    for name, tensor in roles.fed.items():
        graph.node("Identity", ENCODER + tensor, output=DECODER + name)
    graph.nodes += decoder.graph.node
    width = graph.node("Gather", graph.node("Shape", DECODER + roles.logits), outer.constant([-1]))
    # All positions of all rows, one after another: of each row the last one counts.
    rows = graph.node("Shape", "last")
    by_row = graph.node("Concat", rows, outer.constant([-1]), width, axis=0)
    given = graph.node("Cast", DECODER + roles.logits, to=TensorProto.FLOAT)
    last = graph.node(
        "Gather", graph.node("Reshape", given, by_row), outer.constant(np.array(-1)), axis=1
    )
    logs = graph.node("Log", last) if shares else graph.node("LogSoftmax", last, axis=-1)
    best = graph.node("ArgMax", last, axis=-1, keepdims=0)
    log = graph.node("GatherElements", logs, graph.node("Reshape", best, column), axis=1)
    more = graph.node("Add", "total", graph.node("Reshape", log, outer.constant([-1])))
    chosen = graph.node("Where", "ended", outer.constant(np.array(end)), best)
    ended = graph.node("Or", "ended", graph.node("Equal", chosen, outer.constant(np.array(end))))
    going = graph.node("Cast", graph.node("Not", ended), to=TensorProto.INT32)
    some = graph.node("Cast", graph.node("ReduceMax", going, keepdims=0), to=TensorProto.BOOL)
    behind = {
        "last": graph.node("Identity", chosen),
        "total": graph.node("Where", "ended", "total", more),
        "ended": ended,
    }
    if not roles.stepwise:
        whole = graph.node("Reshape", chosen, column)
        behind["before"] = graph.node("Concat", "before", whole, axis=1)
    for name, state in roles.states.items():
        behind[DECODER + name] = graph.node("Identity", DECODER + state.following)
    elements = {name: _element(decoder, name) for name in roles.states}
    kinds = {"total": TensorProto.FLOAT, "ended": TensorProto.BOOL}
    kinds |= {DECODER + name: element for name, element in elements.items()}
    value = helper.make_tensor_value_info
    return helper.make_graph(
        graph.nodes,
        "step",
        [
            value("turn", TensorProto.INT64, []),
            value("going", TensorProto.BOOL, []),
            *(value(name, kinds.get(name, TensorProto.INT64), None) for name in carried),
        ],
        [
            value(some, TensorProto.BOOL, None),
            *(value(behind[n], kinds.get(n, TensorProto.INT64), None) for n in carried),
            value(chosen, TensorProto.INT64, None),
            value(width, TensorProto.INT64, None),
        ],
    )


def _zeros(graph: Writer, decoder: onnx.ModelProto, name: str, written: str, rows: str) -> str:
    """A state of zeros: as many rows as the ids where the size is free and so named, else none.

    A first dimension that is free without a name is that of the rows, too.
    """
    named = dims_of(_input(decoder, written))[0]
    sizes = []
    for axis, size in enumerate(dims_of(_input(decoder, name))):
        if isinstance(size, int):
            sizes.append(graph.constant([size]))
        elif size == named if size else axis == 0:
            sizes.append(rows)
        else:
            sizes.append(graph.constant([0]))
    zero = helper.make_tensor("zero", _element(decoder, name), [1], [0])
    return graph.node("ConstantOfShape", graph.node("Concat", *sizes, axis=0), value=zero)


def _input(proto: onnx.ModelProto, name: str) -> Any:
    """An input by the name that it had; it may have its prefix already."""
    inputs = inputs_of(proto)
    return next(inputs[each] for each in (name, DECODER + name, ENCODER + name) if each in inputs)


def _element(proto: onnx.ModelProto, name: str) -> int:
    return int(_input(proto, name).type.tensor_type.elem_type)


class Writer(NodeWriter):
    """Writes the nodes of the whole, or of a step in it, whose constants are the whole's."""

    def __init__(self, prefix: str = "", outer: Writer | None = None) -> None:
        super().__init__()
        self._prefix = prefix
        if outer is not None:
            self.initializers = outer.initializers

    def unique(self, stem: str) -> str:
        """Nodes and constants are numbered each by themselves."""
        if stem == "constant":
            return f"constant/{len(self.initializers)}"
        return f"{self._prefix}made/{len(self.nodes)}"

    def constant(self, values: Any) -> str:
        """An initializer's name."""
        return self.array(np.asarray(values))


def prefixed(proto: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """A copy in which every tensor and every function of its own bears a prefix.

    onnx.compose.add_prefix leaves the constants out that a graph within a node refers to.
    """
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    own = {(function.domain, function.name) for function in made.functions}
    for node in _rename(made.graph, prefix):
        if (node.domain, node.op_type) in own:
            node.op_type = prefix + node.op_type
    for function in made.functions:
        for node in nodes_within(function.node):
            if (node.domain, node.op_type) in own:
                node.op_type = prefix + node.op_type
        function.name = prefix + function.name
    return made


def _rename(graph: Any, prefix: str) -> Iterator[Any]:
    """Rename all tensors of a graph and of those within its nodes; all nodes."""
    del graph.value_info[:]  # ONNX Runtime infers sizes anew
    for each in (*graph.input, *graph.output, *graph.initializer):
        each.name = prefix + each.name
    for sparse in graph.sparse_initializer:
        sparse.values.name = prefix + sparse.values.name
    for node in graph.node:
        node.name = prefix + node.name if node.name else ""
        for names in (node.input, node.output):
            names[:] = [prefix + name if name else "" for name in names]
        yield node
        for attribute in node.attribute:
            for within in (attribute.g, *attribute.graphs):
                if within.node or within.output:
                    yield from _rename(within, prefix)
