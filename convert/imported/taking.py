"""From a graph to a model that answers: how its rows are asked, together or one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from onnxlet.convert.imported.judging import floors, shares
from onnxlet.convert.imported.onnx_file import all_nodes, open_session
from onnxlet.convert.imported.outputs import Served, served_outputs, serving_part
from onnxlet.convert.imported.sample import (
    Rows,
    instances,
    made_rows,
    read_sample,
    with_missing,
)
from onnxlet.convert.imported.trial import check_it_ends
from onnxlet.convert.parity.comparison import CHUNK, Comparison, compare
from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function import deadline
from onnxlet.function.errors import InvalidRows, TookTooLong
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model

Images = Mapping[str, Mapping[str, Any]]
MIXED_HINT = "Export the model for inference: model.eval(), training=False, no random numbers."
PATIENCE = 120.0  # seconds for a sample's rows, all together
PATIENCE_A_ROW = 1.0
# Operators whose result for a row depends on the range of all rows: they scale by it.
SCALED_TOGETHER = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")


class Taken(NamedTuple):
    """A graph that is served.

    Attributes:
        content: of the ONNX file.
        model: with the members of its manifest that it answers by.
        tensors: its inputs.
        served: its outputs.
        absolute: outputs of the graph that are shares of one.
        rows: that it was tried with, in signature order.
        made: they are made-up ones.
        one_by_one: rows are run one by one.
    """

    content: bytes
    model: Model
    tensors: Sequence[InputTensor]
    served: Sequence[Served]
    absolute: frozenset[str]
    rows: list[Cells]
    made: bool
    one_by_one: bool

    def floors(self, answers: Answers) -> dict[str, float]:
        """The magnitude that each output's differences are counted against, at least."""
        return floors(answers, self.served, self.absolute)


def take(
    proto: onnx.ModelProto,
    longest: Mapping[str, int],
    sample: Path | None,
    report: Callable[[str], object],
    images: Images | None = None,
    one_by_one: bool = False,
) -> Taken:
    """Try a graph with several rows at once, and one by one where it can't do that.

    Args:
        proto: the graph; its inputs' sizes are those that were asked for.
        longest: how long each dimension may be that varies, by its name.
        sample: an .npz file of rows, or pictures; None has some made up.
        report: called with a line for each finding.
        images: the manifest's graph inputs of those that take pictures, by name.
        one_by_one: run rows one by one, whether or not it runs with several.

    Raises:
        Refusal: it can't be served.
    """
    if one_by_one:
        report("rows are run one by one: the graph answers one picture")
        return _take(proto, longest, sample, report, images)
    fixed = onnx.ModelProto()
    fixed.CopyFrom(proto)
    freed = free_batches(proto)
    scaled = sorted({n.op_type for n in all_nodes(proto) if n.op_type in SCALED_TOGETHER})
    if scaled:
        report(f"rows are run one by one: {', '.join(scaled)} would scale each by all of a request")
        return _take(fixed if freed else proto, longest, sample, report, images)
    lines: list[str] = []
    try:
        taken = _take(proto, longest, sample, lines.append, images, freed)
    except Refusal:
        if not _one_row(fixed, freed):
            raise
        report("rows are run one by one: the graph is for one at a time")
        return _take(fixed, longest, sample, report, images)
    for line in lines:
        report(line)
    return taken


def _one_row(proto: onnx.ModelProto, freed: Sequence[str]) -> bool:
    """Whether all inputs were fixed to one row."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [info for info in proto.graph.input if info.name not in constants]
    return bool(freed) and all(
        info.name in freed and info.type.tensor_type.shape.dim[0].dim_value == 1 for info in inputs
    )


def _take(
    proto: onnx.ModelProto,
    longest: Mapping[str, int],
    sample: Path | None,
    report: Callable[[str], object],
    images: Images | None = None,
    freed: Sequence[str] | None = None,
) -> Taken:
    """Try a graph; `freed` inputs had a fixed first dimension, None runs its rows one by one."""
    one_by_one = freed is None
    content = proto.SerializeToString(deterministic=True)
    longest = check_it_ends(content, None if images else sample, longest)
    session = open_session(content)
    tensors = input_tensors(session, longest, images)
    for name, most in longest.items():
        report(f"'{name}' may be 1 to {most} long: rows of one length are run together")
    rows = read_sample(sample, tensors) if sample else made_rows(tensors)
    served = served_outputs(session, tensors, rows, freed or (), one_by_one, report)
    model = model_of(content, tensors, served, rows, one_by_one)
    cells = instances(rows, tensors)
    taken = Taken(content, model, tensors, served, shares(proto), cells, rows.made, one_by_one)
    _check_rows_are_independent(taken)
    return taken


def model_of(
    content: bytes,
    tensors: Sequence[InputTensor],
    served: Sequence[Served],
    rows: Rows,
    one_by_one: bool,
    back_end: Mapping[str, Mapping[str, Any]] | None = None,
) -> Model:
    """A model of a graph, with the members of a manifest that it answers by."""
    public, private = signature_inputs(tensors, with_missing(rows.arrays, tensors))
    manifest = serving_part(served, public, private, one_by_one, back_end)
    return Model("imported", 1, manifest, content)


def answers(model: Model, rows: Sequence[Cells]) -> Answers:
    """The function's own answers, validation included.

    Raises:
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


def compared(taken: Taken, rows: Sequence[Cells], wanted: Answers) -> Comparison:
    """The function's answers to rows, beside those that are wanted."""
    task = Task("transformation", {name: name for name in wanted})
    with _in_time(len(rows)):
        return compare(taken.model, task, rows, wanted, taken.floors(wanted))


def _check_rows_are_independent(taken: Taken) -> None:
    """A row's answer may not depend on the rows that it is sent with, nor on chance."""
    few = list(taken.rows[:3])
    together = answers(taken.model, few)
    for output in taken.served:
        if output.type != "string" and together[output.name].dtype == object:
            raise Refusal(
                f"output '{output.output}' has another size for each row of one size: what it "
                "depends on are the values",
                "Export what comes before: a number of results that is the same for all rows.",
            )
    sizes = taken.floors(together)
    task = Task("transformation", {name: name for name in together})
    for position, row in enumerate(few):
        single = answers(taken.model, [row])
        one_row = {name: array[position : position + 1] for name, array in together.items()}
        if not compare(taken.model, task, [row], one_row, sizes).passed or any(
            single[name].shape != array.shape for name, array in one_row.items()
        ):
            raise Refusal(
                f"row {position} is answered differently by itself than together with "
                f"{len(few) - 1} others",
                MIXED_HINT,
            )
