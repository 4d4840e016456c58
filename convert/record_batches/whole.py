"""A model fitted on a bare array, and a table with one column of lists: its rows' values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from onnxlet.convert.record_batches import numbers
from onnxlet.convert.record_batches.kinds import bare, kind_of, misfit
from onnxlet.convert.record_batches.plain import simple
from onnxlet.function.inputs.signature import Signature


def column_of(given: Any, signature: Signature) -> str | None:
    """The column of lists that has all of a signature's values; None where there is none.

    Args:
        given: a schema.
        signature: of the model.
    """
    name = signature.whole
    if name is None or not signature.names.isdisjoint(given.names):
        return None
    if list(given.names).count(name) != 1 or kind_of(given.field(name).type) != "list":
        return None
    leaf = bare(given.field(name).type).value_type
    return name if all(misfit(column, leaf) is None for column in signature.columns) else None


def spread(array: Any, signature: Signature) -> tuple[dict[str, Any], dict[int, str]]:
    """The signature's columns out of a column of lists, and the rows that are no such list.

    Args:
        array: of lists.
        signature: of a model fitted on a bare array.
    """
    array, width = simple(array), len(signature.columns)
    offsets = array.offsets.to_numpy().astype(np.int64)
    lengths = np.diff(offsets)
    gaps = numbers.missing(array)
    wrong = gaps | (lengths != width)
    faults = {
        row: f"expected an object by column name or a list of {width} values, got null"
        if gaps[row]
        else f"expected {width} values in signature order, got {lengths[row]}"
        for row in np.flatnonzero(wrong).tolist()
    }
    columns = {
        column.name: array.values.take(pa.array(offsets[:-1] + position, mask=wrong))
        for position, column in enumerate(signature.columns)
    }
    return columns, faults
