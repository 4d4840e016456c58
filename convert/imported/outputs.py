"""What comes out of an imported model: the outputs that have an entry for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import onnx

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.inputs import FREE_HINT, InputTensor
from onnxlet.convert.imported.onnx_file import one_line
from onnxlet.convert.imported.sample import MADE_ROWS, Sample, resized, varied_sizes
from onnxlet.convert.manifest import serving_members
from onnxlet.convert.parity.comparison import TOLERANCE
from onnxlet.convert.progress import Report
from onnxlet.convert.reference.answers import Answers
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import IMPORTED
from onnxlet.function.serving.golden import usual_size

RESERVED = ("model", "version", "classes", "prediction")  # members of an answer
KINDS = {"f": "float64", "i": "int64", "u": "int64", "b": "bool", "O": "string", "U": "string"}


class Served(NamedTuple):
    """An output that is answered with."""

    name: str  # in answers
    output: str  # in the graph
    type: str  # that clients see
    # -1 for the rows, and the dimensions of one row's answer; -1 for what varies there.
    shape: tuple[int, ...]
    half: bool = False  # it is computed in 16 bits


class Runs(NamedTuple):
    """What runs a graph, and with which rows."""

    session: Any
    tensors: Sequence[InputTensor]
    rows: Sample
    freed: Sequence[str]  # inputs whose first dimension was fixed

    def answers(self, names: Sequence[str], count: int) -> list[Array]:
        """Outputs of these names for the first rows, from the beginning again where they are few.

        Refusal: the graph does not run.
        """
        feeds = {}
        for tensor in self.tensors:
            few = np.take(self.rows.arrays[tensor.name], range(count), axis=0, mode="wrap")
            feeds[tensor.name] = few.astype(object if tensor.dtype == "string" else tensor.dtype)
        try:
            return [np.asarray(array) for array in self.session.run(names, feeds)]
        except Exception as error:  # ONNX Runtime has a class for each of its codes
            raise self._refusal(f"{count} rows: {one_line(error)}", count) from error

    def _refusal(self, why: str, count: int) -> Refusal:
        if self.freed and count > 1:
            return Refusal(
                f"input '{self.freed[0]}' has a fixed first dimension, and the model does not run "
                f"with {why}",
                FREE_HINT % self.freed[0],
            )
        free = [size for tensor in self.tensors for size in tensor.dims if isinstance(size, str)]
        name_it = f"Fix the sizes that it leaves free: --shape {free[0]}=…. " if free else ""
        if not self.rows.made:
            return Refusal(f"the model does not run with {why}", f"{name_it}Are these its inputs?")
        return Refusal(
            f"the model does not run with made-up {why}",
            f"{name_it}Give rows that it takes: --sample IN.npz.",
        )


def served_outputs(runs: Runs, one_by_one: bool, report: Report) -> list[Served]:
    """The outputs that have an entry for each row, found by running one row and three.

    Where sizes vary, some of all that are promised are tried, the largest among them. A line is
    reported for each output that is left out. Refusal: the first output has no entry for each row,
    or the graph does not run.
    """
    outputs = runs.session.get_outputs()
    for output in outputs:
        if not output.type.startswith("tensor("):
            raise Refusal(
                f"output '{output.name}' is a {output.type}: expected a tensor",
                "Export probabilities as a tensor: options={'zipmap': False} in skl2onnx, "
                "zipmap=False in onnxmltools.",
            )
    names = [output.name for output in outputs]
    count = 1 if one_by_one else MADE_ROWS
    own = {n: runs.answers(names, n) for n in (1, count)}
    seen = {(n, ""): arrays for n, arrays in own.items()}  # by rows, and the sizes that vary
    for sizes in varied_sizes(runs.tensors):
        named = ", ".join(f"{name}={size}" for name, size in sizes.items())
        some = runs._replace(rows=resized(runs.rows, runs.tensors, sizes))
        with suppress(Refusal):  # sizes that do not fit: requests of them are refused, too
            seen |= {(n, named): some.answers(names, n) for n in own}
    first = "prediction" if "prediction" in names else names[0]
    served = []
    for number, name in enumerate(names):
        single, together = (own[n][number] for n in (1, count))
        shapes = {run: arrays[number].shape for run, arrays in seen.items()}
        by_row = single.size > 0 and single.shape[1:] == together.shape[1:]
        # Runs whose answer has not the rows first, or more dimensions than one row's, or fewer.
        odd = [r for r, s in shapes.items() if s[:1] != r[:1] or len(s) != single.ndim]
        if by_row and not odd:
            sizes_of = zip(*(shape[1:] for shape in shapes.values()), strict=True)
            dims = tuple(-1 if len(set(some)) > 1 else some[0] for some in sizes_of)
            served.append(_output(name, together, name == first, dims))
        elif name == first:
            got = f"{together.shape} for {count} rows, and {single.shape} for one"
            if by_row and odd[0][1]:
                got = f"{shapes[odd[0]]} for {odd[0][0]} of {odd[0][1]}"
            free_it = FREE_HINT % runs.freed[0] if runs.freed else ""
            raise Refusal(
                f"output '{name}' has the shape {got}: expected an entry for each row",
                free_it or "Export a model that answers row by row.",
            )
        else:
            report(f"output '{name}' is left out: it has no entry for each row")
    return sorted(served, key=lambda output: output.output != first)


def _output(name: str, array: Array, first: bool, dims: tuple[int, ...]) -> Served:
    if array.dtype.kind not in KINDS or array.dtype == np.uint64:
        raise Refusal(f"output '{name}' is of {array.dtype}, which has no form in an answer")
    if not first and name in RESERVED:
        raise Refusal(
            f"output '{name}' bears the name of another member of an answer",
            f"Export it with another name; these are taken: {', '.join(RESERVED)}.",
        )
    kind = KINDS[array.dtype.kind]
    if kind == "float64" and array.dtype != np.float64:
        kind = "float32"
    if kind == "string" and -1 in dims:
        raise Refusal(f"output '{name}' is text of a size that varies, which has no form here")
    shape = (-1,) if dims == (1,) else (-1, *dims)
    public = "prediction" if first else name
    return Served(public, name, kind, shape, array.dtype == np.float16)


def serving_part(
    served: Sequence[Served],
    public: list[dict[str, Any]],
    private: list[dict[str, Any]],
    one_by_one: bool,
    back_end: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The members of a manifest that `onnxlet.function.models.model.Model` reads.

    The inputs are public as clients see them, private as the graph has them; `back_end` has what
    becomes of outputs after the graph, by their names.
    """
    outputs = [{"name": o.name, "type": o.type, "shape": list(o.shape)} for o in served]
    graph = {
        "inputs": private,
        "outputs": [output.output for output in served],
        "rows_at_once": 1 if one_by_one else None,
        "back_end": dict(back_end) if back_end else None,
    }
    return serving_members(IMPORTED, public, outputs, graph)


SHARES = ("Softmax", "Sigmoid", "HardSigmoid")
PASSING = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Cast", "Slice")
SUM_OF_SHARES = 1e-3  # how far they may be from one, as 16 bits compute them
HALF = 2.0**-10  # a unit in the last place of a float16


def shares(proto: onnx.ModelProto) -> frozenset[str]:
    """The outputs that a softmax or a sigmoid makes: between 0 and 1, whatever a row is."""
    made_by = {name: node for node in proto.graph.node for name in node.output}
    found = []
    for output in proto.graph.output:
        node = made_by.get(output.name)
        while node is not None and node.op_type in PASSING:
            node = made_by.get(node.input[0])
        if node is not None and node.op_type in SHARES:
            found.append(output.name)
    return frozenset(found)


def floors(
    answers: Answers, served: Sequence[Served], absolute: frozenset[str]
) -> dict[str, float]:
    """The magnitude that each output's differences are counted against, at least.

    A framework computes in 32 bits, and sums in another order than ONNX Runtime: a number counts
    against its output's usual size. Shares of one count absolutely: their usual size is that of the
    classes that a row is not of, and says nothing. Of an output in 16 bits a unit in the last place
    of its usual size is allowed. Answers are by the names that clients see, `absolute` by those of
    the graph.
    """
    found: dict[str, float] = {}
    for output in served:
        array = answers.get(output.name)
        if array is None or array.dtype.kind != "f":
            continue
        size = 1.0 if output.output in absolute or _are_shares(array) else usual_size(array)
        found[output.name] = size * (HALF / TOLERANCE if output.half else 1.0)
    return found


def _are_shares(array: Array) -> bool:
    """Whether numbers are none below 0, and sum to one in each row."""
    if array.ndim < 2 or array.shape[-1] < 2 or not np.isfinite(array).all() or array.min() < 0:
        return False
    return bool((np.abs(array.sum(axis=-1, dtype=np.float64) - 1) <= SUM_OF_SHARES).all())
