"""A model's outputs as Arrow columns: their types, which its signature says, and their values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Output
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.compared import Found

BOX = pa.struct(
    [
        ("label", pa.string()),
        *((side, pa.float64()) for side in ("score", "x", "y", "width", "height")),
    ]
)
TYPES = {
    "float64": pa.float64(),
    "float32": pa.float32(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
}
UNUSUAL = pa.field("unusual", pa.string())  # JSON, null of ordinary rows
INTERVAL = pa.struct([("low", pa.float64()), ("high", pa.float64())])


def fields(model: Model, coverage: bool) -> list[Any]:
    """The columns of a model's answers: `prediction` first, and the interval or set last."""
    outputs = sorted(model.signature.outputs, key=lambda output: output.name != "prediction")
    made = [pa.field(each.name, _type(model, each)) for each in outputs]
    if not coverage:
        return made
    if model.classes is not None:
        return [*made, pa.field("set", pa.list_(pa.array(model.classes).type))]
    several = len(outputs[0].shape) > 1
    return [*made, pa.field("interval", pa.list_(INTERVAL) if several else INTERVAL)]


def names_of(classes: Sequence[Any] | None) -> Any:
    """The fields of numbers of classes: their names, or lists of them for several outputs.

    None where there are no classes, or two of one name.
    """
    if not classes:
        return None
    if isinstance(classes[0], list):
        each = [_names(some) for some in classes]
        return each if all(each) else None
    return _names(classes)


def by_class(names: Any, leaf: Any) -> Any:
    """The struct of a number for each name; of several outputs one such for each, by its index."""
    if isinstance(names[0], str):
        return pa.struct([(name, leaf) for name in names])
    return pa.struct([(str(number), by_class(own, leaf)) for number, own in enumerate(names)])


def of_classes(array: Array, kind: Any) -> Any:
    """Numbers of shape (rows, numbers) as an Arrow array of such a struct."""
    if not pa.types.is_struct(kind.field(0).type):
        return _struct(array, kind)
    ends = list(accumulate(own.type.num_fields for own in kind))
    members = [
        _struct(array[:, end - own.type.num_fields : end], own.type)
        for end, own in zip(ends, kind, strict=True)
    ]
    return pa.StructArray.from_arrays(members, fields=list(kind))


def column(array: Array, field: Any, model: Model) -> Any:
    """An output's array, rows first, as an Arrow array of its field's type."""
    if field.name == "probabilities" and pa.types.is_struct(field.type):
        return of_classes(array, field.type)
    return _array(array, field.type)


def with_nulls(array: Any, kept: Sequence[int], rows: int) -> Any:
    """The rows that were answered at their indices, null elsewhere."""
    if len(kept) == rows:
        return array
    at = np.zeros(rows, np.int64)
    at[kept] = np.arange(len(kept))
    unanswered = np.ones(rows, bool)
    unanswered[kept] = False
    return array.take(pa.array(at, mask=unanswered))


def withheld(array: Any, found: Sequence[Found | None], name: str) -> Any:
    """Intervals or sets with null for unusual rows, of which each says so."""
    for row in found:
        if row is not None:
            row["withheld"] = name
    unlike = np.array([row is not None for row in found])
    return array.take(pa.array(np.arange(len(found)), mask=unlike))


def unusual(found: Sequence[Found | None]) -> Any:
    """What is unusual of each row, as an Arrow array of texts."""
    texts = [None if row is None else json_text.dumps(row).decode() for row in found]
    return pa.array(texts, pa.string())


def _type(model: Model, output: Output) -> Any:
    names = names_of(model.classes) if output.name == "probabilities" else None
    if output.type == "boxes":
        return pa.list_(BOX)
    leaf = TYPES[model.output_types[output.name]]
    width = output.shape[1] if len(output.shape) == 2 else None
    if names is not None and width == sum(len(n) if isinstance(n, list) else 1 for n in names):
        return by_class(names, leaf)
    for _ in output.shape[1:]:
        leaf = pa.list_(leaf)
    return leaf


def _names(classes: Sequence[Any]) -> list[str] | None:
    names = [str(label).lower() if isinstance(label, bool) else str(label) for label in classes]
    return names if len(set(names)) == len(names) else None


def _struct(array: Array, kind: Any) -> Any:
    members = [pa.array(each) for each in np.ascontiguousarray(array.T)]
    return pa.StructArray.from_arrays(members, fields=list(kind))


def _array(array: Array, kind: Any) -> Any:
    if pa.types.is_struct(kind) and array.dtype != object:  # an interval
        return _struct(array, kind)
    if array.ndim == 1 and pa.types.is_list(kind):  # boxes, or rows of different sizes
        return pa.array([e.tolist() if isinstance(e, np.ndarray) else e for e in array], kind)
    if array.ndim == 1:
        return pa.array(array, kind, from_pandas=False)
    width = array.shape[1]
    offsets = pa.array(
        np.arange(0, (len(array) + 1) * width, width or 1, dtype=np.int32)[: len(array) + 1]
    )
    inner = _array(array.reshape(-1, *array.shape[2:]), kind.value_type)
    return pa.ListArray.from_arrays(offsets, inner)
