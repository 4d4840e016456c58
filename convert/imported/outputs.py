"""What comes out of an imported model: the outputs that have an entry for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.inputs import FREE_HINT, InputTensor
from onnxlet.convert.imported.onnx_file import one_line
from onnxlet.convert.imported.sample import Rows
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import MANIFEST_FORMAT

TASK = "function"
RESERVED = ("model", "version", "classes", "prediction")  # members of an answer
KINDS = {"f": "float64", "i": "int64", "u": "int64", "b": "bool", "O": "string", "U": "string"}


class Served(NamedTuple):
    """An output that is answered with.

    Attributes:
        name: in answers.
        output: in the graph.
        type: that clients see.
        shape: -1 for the rows, and the dimensions of one row's answer.
    """

    name: str
    output: str
    type: str
    shape: tuple[int, ...]


def served_outputs(
    session: Any,
    tensors: Sequence[InputTensor],
    rows: Rows,
    freed: Sequence[str],
    report: Callable[[str], object],
) -> list[Served]:
    """The outputs that have an entry for each row, found by running one row and three."""
    outputs = session.get_outputs()
    for output in outputs:
        if not output.type.startswith("tensor("):
            raise Refusal(
                f"output '{output.name}' is a {output.type}: expected a tensor",
                "Export probabilities as a tensor: options={'zipmap': False} in skl2onnx, "
                "zipmap=False in onnxmltools.",
            )
    names = [output.name for output in outputs]
    one, three = (_tried(session, names, tensors, rows, count, freed) for count in (1, 3))
    first = "prediction" if "prediction" in names else names[0]
    served = []
    for name, single, together in zip(names, one, three, strict=True):
        if (
            _is_by_row(single, 1)
            and _is_by_row(together, 3)
            and single.shape[1:] == together.shape[1:]
        ):
            served.append(_output(name, together, name == first))
        elif name == first:
            raise Refusal(
                f"output '{name}' has the shape {together.shape} for 3 rows, and {single.shape} "
                "for one: expected an entry for each row",
                FREE_HINT % freed[0] if freed else "Export a model that answers row by row.",
            )
        else:
            report(f"output '{name}' is left out: it has no entry for each row")
    return sorted(served, key=lambda output: output.output != first)


def _tried(
    session: Any,
    names: Sequence[str],
    tensors: Sequence[InputTensor],
    rows: Rows,
    count: int,
    freed: Sequence[str],
) -> list[Array]:
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
        raise Refusal(
            f"the model does not run with {'made-up ' if rows.made else ''}{why}",
            "Give rows that it takes: --sample IN.npz." if rows.made else "Are these its inputs?",
        ) from error


def _is_by_row(array: Array, rows: int) -> bool:
    return array.ndim > 0 and len(array) == rows and array.size > 0


def _output(name: str, array: Array, first: bool) -> Served:
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
    dims = array.shape[1:]
    shape = (-1,) if dims == (1,) else (-1, *dims)
    return Served("prediction" if first else name, name, kind, shape)


def serving_part(
    served: Sequence[Served], public: list[dict[str, Any]], private: list[dict[str, Any]]
) -> dict[str, Any]:
    """The members of a manifest that `onnxlet.function.models.model.Model` reads."""
    outputs = [{"name": o.name, "type": o.type, "shape": list(o.shape)} for o in served]
    return {
        "format": MANIFEST_FORMAT,
        "task": TASK,
        "signature": {"inputs": public, "outputs": outputs},
        "graph": {"inputs": private, "outputs": [output.output for output in served]},
    }
