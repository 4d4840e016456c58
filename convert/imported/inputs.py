"""What goes into an imported model: its tensors, and their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import onnx

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.onnx_file import inputs_of
from onnxlet.function.arrays import LARGEST_FLOAT32

# By ONNX Runtime's name: the tensor's dtype, and the type that clients see.
TYPES = {
    "tensor(float)": ("float32", "float32"),
    "tensor(double)": ("float64", "float64"),
    "tensor(float16)": ("float16", "float32"),
    "tensor(bool)": ("bool", "bool"),
    "tensor(string)": ("string", "string"),
    **{
        f"tensor({kind})": (kind, "int64")
        for kind in ("int64", "int32", "int16", "int8", "uint32", "uint16", "uint8")
    },
}
MOST_COLUMNS = 4096  # values of a row that are columns; a wider tensor's rows are nested lists
# The largest float64 that rounds to a finite number of the dtype.
LARGEST_OF = {"float32": LARGEST_FLOAT32, "float16": float(np.nextafter(65520.0, 0))}
FREE_HINT = (
    "Export it with a free first dimension: dynamic_shapes=({0: 'batch'},) in torch.onnx.export "
    "(dynamic_axes={'%s': {0: 'batch'}} before PyTorch 2.5), no batch_size in Keras' Input."
)


@dataclass(frozen=True)
class InputTensor:
    """One input of the graph."""

    name: str  # as the framework called it
    dtype: str  # of the tensor
    type: str  # that clients see
    # Of one row, names for those that vary; () for a tensor of shape (rows,).
    dims: tuple[int | str, ...]
    # One for each number of a row, or the only one where it is a nested list.
    columns: tuple[str, ...]
    longest: int = 0  # entries of a dimension that varies
    # The manifest's graph input, where clients send a picture; None where numbers.
    image: Mapping[str, Any] | None = None

    @property
    def shape(self) -> list[int]:
        """The shape in a manifest, with -1 for the rows and what else varies."""
        return [-1, *(size if isinstance(size, int) else -1 for size in self.dims)]

    @property
    def nested(self) -> bool:
        """Whether clients send a nested list for each row, not a value for each column."""
        return self.image is None and is_nested(self.dims)

    def sizes(self, length: int) -> tuple[int, ...]:
        """Of one row, so long where it varies."""
        return tuple(
            size if isinstance(size, int) else min(length, self.longest) for size in self.dims
        )


def is_nested(dims: Sequence[int | str]) -> bool:
    """Whether rows of these sizes are nested lists: they vary, or have many values."""
    return any(isinstance(size, str) for size in dims) or prod(map(int, dims)) > MOST_COLUMNS


def free_batches(proto: onnx.ModelProto) -> list[str]:
    """Make a fixed first dimension of inputs a free one, and return which had one.

    Whether that works has to be tried.
    """
    freed = []
    for name, info in inputs_of(proto).items():
        dims = info.type.tensor_type.shape.dim
        if dims and dims[0].HasField("dim_value"):
            dims[0].dim_param = "batch"
            freed.append(name)
    if freed:
        del proto.graph.value_info[:]  # they hold the number, too
        for info in proto.graph.output:
            dims = info.type.tensor_type.shape.dim
            if dims and dims[0].HasField("dim_value"):
                dims[0].ClearField("dim_value")
    return freed


def input_tensors(
    session: Any,
    longest: Mapping[str, int] | None = None,
    images: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[InputTensor]:
    """The inputs of a session that a client has to give.

    `longest` has how long each dimension may be that varies, by its name; `images` the manifest's
    graph inputs of those that take pictures. Refusal: one is of a type or shape that has no
    columns.
    """
    inputs = session.get_inputs()
    if not inputs:
        raise Refusal("the model has no inputs", "There is nothing to be asked.")
    tensors = [_tensor(entry, len(inputs) == 1, longest or {}) for entry in inputs]
    tensors = [_with_image(tensor, (images or {}).get(tensor.name)) for tensor in tensors]
    counts = Counter(name for tensor in tensors for name in tensor.columns)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise Refusal(
            f"several inputs have a column '{twice[0]}'", "Export it with other input names."
        )
    return tensors


def _tensor(entry: Any, only_one: bool, longest: Mapping[str, int]) -> InputTensor:
    if entry.type not in TYPES:
        raise Refusal(
            f"input '{entry.name}' is a {entry.type}, which has no form in a request",
            "Export the model with plain tensors as inputs.",
        )
    shape = entry.shape
    if not shape:
        raise Refusal(
            f"input '{entry.name}' has no first dimension for the rows, or its shape is not given",
            "Export it with inputs of shape (rows, …), each row an instance.",
        )
    shown = ", ".join("?" if dim is None else str(dim) for dim in shape)
    if 0 in shape[1:]:
        raise Refusal(
            f"input '{entry.name}' has the shape ({shown}): a row has no values",
            "Export it with sizes from 1.",
        )
    dtype, kind = TYPES[entry.type]
    dims = tuple(shape[1:])
    nested = is_nested(dims)
    if nested and kind == "string":
        raise Refusal(
            f"input '{entry.name}' has the shape ({shown}): texts are columns, at most "
            f"{MOST_COLUMNS} of them",
            f"Name the sizes that are free: --shape '{entry.name}=1,{'8,' * len(dims)}'".rstrip(
                ",'"
            )
            + "'.",
        )
    columns = (entry.name,) if nested else _columns(entry.name, prod(dims), only_one)
    most = max((longest[size] for size in dims if isinstance(size, str)), default=0)
    return InputTensor(entry.name, dtype, kind, dims, columns, most)


def _with_image(tensor: InputTensor, image: Mapping[str, Any] | None) -> InputTensor:
    if image is None:
        return tensor
    return replace(tensor, type="image", columns=tuple(image["columns"]), image=image)


def _columns(name: str, width: int, only_one: bool) -> tuple[str, ...]:
    if width == 1:
        return (name,)
    return tuple(f"x{position}" if only_one else f"{name}[{position}]" for position in range(width))


def signature_inputs(
    tensors: Sequence[InputTensor], nullable: frozenset[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A manifest's `signature.inputs` and `graph.inputs`."""
    public, private = [], []
    for tensor in tensors:
        if tensor.image is not None:
            [column] = tensor.columns
            public.append({"name": column, "type": "image", "nullable": False, "shape": [-1, 1]})
            private.append(dict(tensor.image))
            continue
        entry: dict[str, Any] = {"name": tensor.name, "type": tensor.type}
        columns = [_column(tensor, name, nullable) for name in tensor.columns]
        if tensor.nested:
            cell = {"cell": list(tensor.dims)} | (
                {"longest": tensor.longest} if tensor.longest else {}
            )
            public.append({**entry, **columns[0], **cell, "shape": tensor.shape})
        elif len(columns) == 1:
            public.append({**entry, **columns[0], "shape": [-1, 1]})
        else:
            public.append({**entry, "shape": tensor.shape, "columns": columns})
        feed = {"name": tensor.name, "dtype": tensor.dtype, "columns": list(tensor.columns)}
        private.append(
            feed if len(tensor.dims) == 1 or tensor.nested else {**feed, "shape": tensor.shape}
        )
    return public, private


def _column(tensor: InputTensor, name: str, nullable: frozenset[str]) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "nullable": name in nullable}
    if tensor.dtype in LARGEST_OF:
        column |= {
            "minimum": -LARGEST_OF[tensor.dtype],
            "maximum": LARGEST_OF[tensor.dtype],
        }
    elif tensor.type == "int64" and tensor.dtype != "int64":
        limits = np.iinfo(tensor.dtype)
        column |= {"minimum": int(limits.min), "maximum": int(limits.max)}
    return column
