"""From a graph to a model that answers: how its rows are asked, together or one by one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.inputs import (
    InputTensor,
    free_batches,
    input_tensors,
    signature_inputs,
)
from onnxlet.convert.imported.onnx_file import all_nodes, inputs_of, open_session, small_numbers
from onnxlet.convert.imported.outputs import (
    Runs,
    Served,
    floors,
    served_outputs,
    serving_part,
    shares,
)
from onnxlet.convert.imported.sample import (
    MADE_ROWS,
    Sample,
    instances,
    made_rows,
    read_sample,
    resized,
    varied_sizes,
    with_missing,
)
from onnxlet.convert.imported.trial import check_it_ends
from onnxlet.convert.parity.comparison import CHUNK, Comparison, answering, compare
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function import deadline
from onnxlet.function.errors import InvalidRows, TookTooLong
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model

MIXED_HINT = "Export the model for inference: model.eval(), training=False, no random numbers."
PATIENCE = 120.0  # seconds for a sample's rows, all together
PATIENCE_A_ROW = 1.0
FIRST, DRAWS = 8, (1, 2, 4, 6)  # rows, and draws of other numbers, that are tried
LOOPS = {"Loop", "Scan"}
SIZING = {"ConstantOfShape", "Expand", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample"}
VALUES_TOGETHER = 2**12  # of rows that are sent together, again and again the same few
ROUNDING = 0.1  # relative: quantised graphs make as much of a last digit
# Operators whose result for a row depends on the range of all rows: they scale by it.
SCALED_TOGETHER = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")


class LastDigits(Refusal):
    """Rows that are answered together differ from rows by themselves, by no more than rounding."""


class Trial(NamedTuple):
    """What a graph is tried with; its inputs' sizes are those that were asked for."""

    longest: Mapping[str, int]  # how long each dimension may be that varies, by its name
    sample: Path | None  # an .npz file of rows, or pictures; None has some made up
    report: Report  # called with a line for each finding
    # The manifest's graph inputs of those that take pictures, by name.
    images: Mapping[str, Mapping[str, Any]] = {}


class ServedGraph(NamedTuple):
    """A graph that is served."""

    content: bytes  # of the ONNX file
    model: Model  # with the members of its manifest that it answers by
    tensors: Sequence[InputTensor]  # its inputs
    served: Sequence[Served]  # its outputs
    absolute: frozenset[str]  # outputs of the graph that are shares of one
    rows: list[Cells]  # that it was tried with, in signature order
    made: bool  # they are made-up ones
    one_by_one: bool  # rows are run one by one

    def floors(self, answers: Answers) -> dict[str, float]:
        """The magnitude that each output's differences are counted against, at least."""
        return floors(answers, self.served, self.absolute)


def served_graph(proto: onnx.ModelProto, trial: Trial, one_by_one: bool = False) -> ServedGraph:
    """Try a graph with several rows at once, and one by one where it can't do that, or is not to.

    Refusal: it can't be served.
    """
    if one_by_one:
        trial.report("rows are run one by one: the graph answers one picture")
        return _tried(proto, trial)
    fixed = onnx.ModelProto()
    fixed.CopyFrom(proto)
    freed = free_batches(proto)
    if scales_together(all_nodes(proto), trial.report):
        return _tried(fixed if freed else proto, trial)
    lines: list[str] = []
    try:
        graph = _tried(proto, trial._replace(report=lines.append), freed)
    except Refusal as error:
        of_one = _one_row(fixed, freed)
        if not (of_one or isinstance(error, LastDigits)):
            raise
        why = "the graph is for one at a time" if of_one else "others change their last digits"
        trial.report(f"rows are run one by one: {why}")
        return _tried(fixed if of_one else proto, trial)
    for line in lines:
        trial.report(line)
    return graph


def scales_together(nodes: Iterable[Any], report: Report) -> bool:
    """Whether some would scale each row by all of a request, which is reported."""
    scaled = sorted({node.op_type for node in nodes if node.op_type in SCALED_TOGETHER})
    if scaled:
        report(f"rows are run one by one: {', '.join(scaled)} would scale each by all of a request")
    return bool(scaled)


def _one_row(proto: onnx.ModelProto, freed: Sequence[str]) -> bool:
    """Whether all inputs were fixed to one row."""
    return bool(freed) and all(
        name in freed and info.type.tensor_type.shape.dim[0].dim_value == 1
        for name, info in inputs_of(proto).items()
    )


def _tried(proto: onnx.ModelProto, trial: Trial, freed: Sequence[str] | None = None) -> ServedGraph:
    """Try a graph; `freed` inputs had a fixed first dimension, None runs its rows one by one."""
    one_by_one = freed is None
    content = proto.SerializeToString(deterministic=True)
    longest = check_it_ends(content, None if trial.images else trial.sample, trial.longest)
    session = open_session(content)
    tensors = input_tensors(session, longest, trial.images)
    for name, most in longest.items():
        trial.report(f"'{name}' may be 1 to {most} long: rows of one length are run together")
    rows = read_sample(trial.sample, tensors) if trial.sample else made_rows(tensors)
    served = served_outputs(Runs(session, tensors, rows, freed or ()), one_by_one, trial.report)
    model = model_of(content, tensors, served, rows, one_by_one)
    cells = instances(rows, tensors)
    graph = ServedGraph(
        content, model, tensors, served, shares(proto), cells, rows.made, one_by_one
    )
    _check_rows_are_independent(graph, proto, rows)
    return graph


def model_of(
    content: bytes,
    tensors: Sequence[InputTensor],
    served: Sequence[Served],
    rows: Sample,
    one_by_one: bool,
) -> Model:
    """A model of a graph, with the members of a manifest that it answers by."""
    public, private = signature_inputs(tensors, with_missing(rows.arrays, tensors))
    return Model("imported", 1, serving_part(served, public, private, one_by_one), content)


def answers(model: Model, rows: Sequence[Cells]) -> Answers:
    """The function's own answers, validation included.

    Refusal: a row is refused, or all take too long.
    """
    parts = []
    with _in_time(len(rows)):
        for start in range(0, len(rows), CHUNK):
            try:
                table = validate_rows(rows[start : start + CHUNK], model.signature)
                parts.append(model.run(table))
            except InvalidRows as error:
                raise Refusal(
                    f"the sample is refused: {error.problems[0]}",
                    "A row is counted from 0. Leave it out, or send what the type of the input "
                    "holds.",
                ) from error
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@contextmanager
def _in_time(rows: int) -> Iterator[None]:
    """Have a sample's rows answered in time: one of them may have a Loop go on for ever."""
    seconds = PATIENCE + PATIENCE_A_ROW * rows
    with deadline.watched(seconds):
        deadline.begin(time.perf_counter(), seconds)
        try:
            yield
        except TookTooLong as error:
            raise Refusal(
                f"the sample's {rows} rows are not answered within {seconds:g} seconds",
                "Give fewer, or rows for which the model ends.",
            ) from error
        finally:
            deadline.end()


def compared(graph: ServedGraph, rows: Sequence[Cells], wanted: Answers) -> Comparison:
    """The function's answers to rows, beside those that are wanted."""
    task = Task("transformation", {name: name for name in wanted})
    with _in_time(len(rows)):
        return compare(answering(graph.model), task, rows, wanted, graph.floors(wanted))


def _check_rows_are_independent(graph: ServedGraph, proto: onnx.ModelProto, rows: Sample) -> None:
    """A row's answer may not depend on the rows that it is sent with, nor on chance.

    Other numbers and sizes than those of the first rows are tried, too, where the graph takes them.
    """
    first = graph.rows[:FIRST]
    answers(graph.model, first)  # a row that is refused is named by its index
    _check_together(graph, first)
    others = [resized(rows, graph.tensors, sizes) for sizes in varied_sizes(graph.tensors)[::3]]
    operators = {node.op_type for node in all_nodes(proto)}
    sizing = bool(operators & SIZING)  # by large numbers it may make larger tensors than there are
    if not operators & LOOPS and not any(tensor.image for tensor in graph.tensors):
        numbers = small_numbers(proto, 100 if sizing else 1e9)
        draws = DRAWS[:1] if sizing else DRAWS
        others += [made_rows(graph.tensors, draw, numbers) for draw in draws]
    for made in others:
        some = instances(made, graph.tensors)[:MADE_ROWS]
        _check_together(graph, [row for row in some if _is_answered(graph.model, row)])


def _is_answered(model: Model, row: Cells) -> bool:
    try:
        return bool(answers(model, [row]))
    except Exception:  # whatever a graph does with sizes and numbers that it was not made for
        return False


def _check_together(graph: ServedGraph, rows: Sequence[Cells]) -> None:
    """Refuse rows that are not answered by themselves as in any order, and among many.

    LastDigits: they are, but for rounding.
    """
    if not rows:
        return
    apart = [answers(graph.model, [row]) for row in rows]
    for output in graph.served:
        if len({one[output.name].shape for one in apart}) > 1:
            raise Refusal(
                f"output '{output.output}' has another size for each row of one size: what it "
                "depends on are the values",
                "Export what comes before: a number of results that is the same for all rows.",
            )
    wanted = {name: np.concatenate([one[name] for one in apart]) for name in apart[0]}
    count = len(rows)
    pixels = [prod(t.sizes(t.longest)) for t in graph.tensors if t.image is not None]
    values = sum(np.size(np.array(cell, dtype=object)) for cell in rows[0]) + sum(pixels)
    many = max(count, min(CHUNK, VALUES_TOGETHER // values))
    every = list(range(count))
    for order in (every, every[::-1], [row % count for row in range(many)]):
        some = {name: array[order] for name, array in wanted.items()}
        comparison = compared(graph, [rows[row] for row in order], some)
        if comparison.passed:
            continue
        found = (
            f"row {order[comparison.wrong[0]]} is answered differently by itself than together "
            f"with {len(order) - 1} others"
        )
        off = max(differs.relative for differs in comparison.outputs.values())
        raise (LastDigits if off < ROUNDING else Refusal)(found, MIXED_HINT)
