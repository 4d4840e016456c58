"""What comes out of an imported model: the outputs that have an entry for each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.inputs import FREE_HINT, InputTensor
from onnxlet.convert.imported.onnx_file import one_line
from onnxlet.convert.imported.sample import MADE_ROWS, Rows, of_sizes, varied_sizes
from onnxlet.convert.progress import Report
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import IMPORTED, MANIFEST_FORMAT

RESERVED = ("model", "version", "classes", "prediction")  # members of an answer
KINDS = {"f": "float64", "i": "int64", "u": "int64", "b": "bool", "O": "string", "U": "string"}


class Served(NamedTuple):
    """An output that is answered with.

    Attributes:
        name: in answers.
        output: in the graph.
        type: that clients see.
        shape: -1 for the rows, and the dimensions of one row's answer; -1 for what varies there.
        half: it is computed in 16 bits.
    """

    name: str
    output: str
    type: str
    shape: tuple[int, ...]
    half: bool = False


def served_outputs(
    session: Any,
    tensors: Sequence[InputTensor],
    rows: Rows,
    freed: Sequence[str],
    one_by_one: bool,
    report: Report,
) -> list[Served]:
    """The outputs that have an entry for each row, found by running one row and three.

    Where sizes vary, some of all that are promised are tried, the largest among them.

    Args:
        session: of the graph.
        tensors: its inputs.
        rows: to try it with.
        freed: inputs whose first dimension was fixed.
        one_by_one: rows are run one by one.
        report: called with a line for each output that is left out.

    Raises:
        Refusal: the first output has no entry for each row, or the graph does not run.
    """
    outputs = session.get_outputs()
    for output in outputs:
        if not output.type.startswith("tensor("):
            raise Refusal(
                f"output '{output.name}' is a {output.type}: expected a tensor",
                "Export probabilities as a tensor: options={'zipmap': False} in skl2onnx, "
                "zipmap=False in onnxmltools.",
            )
    names = [output.name for output in outputs]
    count = 1 if one_by_one else MADE_ROWS
    own = {n: tried(session, names, tensors, rows, n, freed) for n in (1, count)}
    seen = {(n, ""): arrays for n, arrays in own.items()}  # by rows, and the sizes that vary
    for sizes in varied_sizes(tensors):
        named = ", ".join(f"{name}={size}" for name, size in sizes.items())
        some = of_sizes(rows, tensors, sizes)
        with suppress(Refusal):  # sizes that do not fit: requests of them are refused, too
            seen |= {(n, named): tried(session, names, tensors, some, n, freed) for n in own}
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
            raise Refusal(
                f"output '{name}' has the shape {got}: expected an entry for each row",
                FREE_HINT % freed[0] if freed else "Export a model that answers row by row.",
            )
        else:
            report(f"output '{name}' is left out: it has no entry for each row")
    return sorted(served, key=lambda output: output.output != first)


def tried(
    session: Any,
    names: Sequence[str],
    tensors: Sequence[InputTensor],
    rows: Rows,
    count: int,
    freed: Sequence[str],
) -> list[Array]:
    """What a session answers to the first rows.

    Args:
        session: of the graph.
        names: of the outputs.
        tensors: its inputs.
        rows: to try it with.
        count: how many of them.
        freed: inputs whose first dimension was fixed.

    Raises:
        Refusal: the graph does not run.
    """
    feeds = {}
    for tensor in tensors:
        few = np.take(rows.arrays[tensor.name], range(count), axis=0, mode="wrap")
        feeds[tensor.name] = few.astype(object if tensor.dtype == "string" else tensor.dtype)
    try:
        return [np.asarray(array) for array in session.run(names, feeds)]
    except Exception as error:  # ONNX Runtime has a class for each of its codes
        why = f"{count} rows: {one_line(error)}"
        if freed and count > 1:
            raise Refusal(
                f"input '{freed[0]}' has a fixed first dimension, and the model does not run with "
                f"{why}",
                FREE_HINT % freed[0],
            ) from error
        free = [size for tensor in tensors for size in tensor.dims if isinstance(size, str)]
        name_it = f"Fix the sizes that it leaves free: --shape {free[0]}=…. " if free else ""
        raise Refusal(
            f"the model does not run with {'made-up ' if rows.made else ''}{why}",
            name_it
            + (
                "Give rows that it takes: --sample IN.npz."
                if rows.made
                else "Are these its inputs?"
            ),
        ) from error


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

    Args:
        served: the outputs.
        public: the inputs, as clients see them.
        private: the inputs, as the graph has them.
        one_by_one: rows are run one by one.
        back_end: what becomes of outputs after the graph, by their names.
    """
    outputs = [{"name": o.name, "type": o.type, "shape": list(o.shape)} for o in served]
    return {
        "format": MANIFEST_FORMAT,
        "task": IMPORTED,
        "signature": {"inputs": public, "outputs": outputs},
        "graph": {"inputs": private, "outputs": [output.output for output in served]}
        | ({"rows_at_once": 1} if one_by_one else {})
        | ({"back_end": dict(back_end)} if back_end else {}),
    }
