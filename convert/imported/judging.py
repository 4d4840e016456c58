"""How an imported model's numbers are compared: by what they are, and by how it computes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from onnxlet.convert.imported.outputs import Served
from onnxlet.convert.parity.comparison import TOLERANCE
from onnxlet.convert.reference.answers import Answers
from onnxlet.function.arrays import Array
from onnxlet.function.serving.golden import usual_size

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
    against its output's usual size. Shares of one count absolutely: their usual size is that of
    the classes that a row is not of, and says nothing. Of an output in 16 bits a unit in the last
    place of its usual size is allowed.

    Args:
        answers: by the names that clients see.
        served: the outputs.
        absolute: those of the graph that are shares of one.
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
