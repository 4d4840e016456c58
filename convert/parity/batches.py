"""What a row's answer owes to the rows beside it: its bits, in batches of several sizes.

ONNX Runtime gives no guarantee that they are the same (onnxruntime#9704, #12086).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.validation import CheckedBatch, validate_rows
from onnxlet.function.models.model import Model
from onnxlet.function.serving.predict import run_the_good

SAME = "same bits"
SIZES = (1, 7, 300, 4096)  # of batches
ROWS = 300  # that are asked, at most; a larger batch has them again
SLOW_SIZES = (1, 7)  # of models whose rows are so large that few are run together
FEW_TOGETHER = 300


def batches(model: Model, rows: Sequence[Cells]) -> str | dict[str, float]:
    """Whether rows have the same answers, bit for bit, in batches of each of the sizes.

    Returns SAME; else, of each output that differs, the largest difference (absolute): 1 of what is
    no number.
    """
    signature = model.signature
    slow = (signature.rows_at_once or FEW_TOGETHER) < FEW_TOGETHER or signature.nested
    sizes = SLOW_SIZES if slow else SIZES
    left_out = LeftOut()
    few = rows[: max(sizes) if slow else ROWS]
    table = validate_rows(list(few), signature, left_out=left_out)
    table, _ = run_the_good(model, table, left_out)
    if not table.rows:
        return SAME
    found: dict[str, float] = {}
    first = None
    for size in sizes:
        answers = _in_batches(model, table, size)
        first = first or answers
        for name, array in answers.items():
            if (off := _largest(first[name], array)) is not None:
                found[name] = max(found.get(name, 0.0), off)
    return found or SAME


def _in_batches(model: Model, table: CheckedBatch, size: int) -> Mapping[str, Array]:
    """The answers to the rows, so many at a time: from the beginning again where these are more."""
    index = np.resize(np.arange(table.rows), -(-table.rows // size) * size)
    parts = [
        model.run(CheckedBatch(size, [array[some] for array in table.arrays]))
        for some in index.reshape(-1, size)
    ]
    return {name: np.concatenate([p[name] for p in parts])[: table.rows] for name in parts[0]}


def _largest(one: Array, other: Array) -> float | None:
    """The largest difference between two outputs; None where they have the same bits."""
    if one.dtype.kind == "O" or one.dtype.kind not in "fiub":
        return None if str(one.tolist()) == str(other.tolist()) else 1.0
    if one.tobytes() == other.tobytes():
        return None
    off = np.abs(one.astype(np.float64) - other.astype(np.float64))
    return float(np.nan_to_num(off, nan=1.0).max())
