"""Outputs in the types and shapes that the signature declares."""

from __future__ import annotations

import numpy as np

from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs import nested
from onnxlet.function.inputs.columns import Output

NUMPY_TYPES = {"string": np.dtype("O"), **{each: np.dtype(each) for each in ("int64", "float64")}}


def as_declared(array: Array, output: Output) -> Array:
    """Whole-number tensors hold bool and float labels; a column of one value per row is flat.

    A missing text is None.
    """
    if array.dtype.char == "O" and output.type != "string":  # rows of different sizes
        flat = Output(output.name, output.type, (-1,))
        return nested.packed([as_declared(row.ravel(), flat).reshape(row.shape) for row in array])
    shaped = array.reshape(output.shape) if output.shape.count(-1) == 1 else array
    if output.type == "string" and (gaps := shaped == MISSING_TEXT).any():
        shaped = shaped.astype(object)
        shaped[gaps] = None
    if output.type == "float64" and shaped.dtype.char == "f":  # float32
        return shaped  # a float64 would be written with digits that nobody computed
    declared = NUMPY_TYPES.get(output.type) or np.dtype(output.type)
    return shaped if shaped.dtype is declared else shaped.astype(declared, copy=False)
