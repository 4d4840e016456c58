"""What goes into an imported model: its tensors, their columns, and sizes that `--shape` gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
import onnx

from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.onnx_file import inputs_of
from onnxlet.convert.reference.column_types import array_entry, column_entry
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.errors import WrongUse
from onnxlet.function.inputs.columns import Column

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
    for position, tensor in enumerate(tensors):
        if (image := (images or {}).get(tensor.name)) is not None:
            columns = tuple(image["columns"])
            tensors[position] = replace(tensor, type="image", columns=columns, image=image)
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
        columns = [_column(tensor, name, name in nullable) for name in tensor.columns]
        if tensor.nested:
            longest = {"longest": tensor.longest} if tensor.longest else {}
            cell = {"cell": list(tensor.dims), **longest, "shape": tensor.shape}
            public.append({**column_entry(columns[0]), **cell})
        elif len(columns) == 1:
            public.append({**column_entry(columns[0]), "shape": [-1, 1]})
        else:
            public.append(array_entry(tensor.name, columns, tensor.shape))
        feed = {"name": tensor.name, "dtype": tensor.dtype, "columns": list(tensor.columns)}
        flat = len(tensor.dims) == 1 or tensor.nested
        private.append(dict(tensor.image or (feed if flat else {**feed, "shape": tensor.shape})))
    return public, private


def _column(tensor: InputTensor, name: str, nullable: bool) -> Column:
    if tensor.image is not None:
        return Column(name, "string", image=True)
    high = LARGEST_OF.get(tensor.dtype)
    low = None if high is None else -high
    if tensor.type == "int64" and tensor.dtype != "int64":
        low, high = int(np.iinfo(tensor.dtype).min), int(np.iinfo(tensor.dtype).max)
    kind: Any = tensor.type  # one of the column types
    return Column(name, kind, nullable, minimum=low, maximum=high)


LONGEST = 512  # entries of a dimension that varies, where --shape names no other limit
PLAIN = re.compile(r"[A-Za-z_][\w.]*")
SIZE = re.compile(r"(\.\.)?([1-9][0-9]{0,6})")
SIZES = (
    "INPUT=1,3,320,320 has a size for each dimension, the rows first; NAME=128 fixes a named one, "
    "and NAME=..128 lets it vary up to there."
)


class Size(NamedTuple):
    """One size that was asked for; `most` where it may vary up to there."""

    number: int
    most: bool


def parse_shapes(texts: Sequence[str]) -> dict[str, list[Size]]:
    """Sizes by the name of an input or of a dimension.

    WrongUse: one is of another form, or a name is there twice.
    """
    sizes: dict[str, list[Size]] = {}
    for text in texts:
        name, mark, listed = text.rpartition("=")
        found = [SIZE.fullmatch(part.strip()) for part in listed.split(",")]
        if not mark or not name or not all(found):
            raise WrongUse(f"--shape: expected NAME=SIZES, got '{text}'", SIZES)
        if name in sizes:
            raise WrongUse(f"--shape: '{name}' is there twice", SIZES)
        sizes[name] = [Size(int(m[2]), m[1] is not None) for m in found if m]
    return sizes


def apply_shapes(proto: onnx.ModelProto, sizes: dict[str, list[Size]]) -> dict[str, int]:
    """Give a graph's inputs these sizes, in place, and each dimension that is left free a name.

    How long each named dimension may be is returned. WrongUse: a name is neither an input nor a
    dimension, or an input has another size there.
    """
    inputs = inputs_of(proto)
    longest: dict[str, int] = {}
    fixed: dict[str, int] = {}
    known = {name for info in inputs.values() for _, name in _free(info)}
    for name, wanted in sizes.items():
        if name in inputs:
            _set_input(inputs[name], wanted, longest)
        elif name in known and len(wanted) == 1:
            (longest if wanted[0].most else fixed)[name] = wanted[0].number
        else:
            free = f", or of a dimension: {', '.join(sorted(known))}" if known else ""
            raise WrongUse(
                f"--shape: '{name}': expected the name of an input: {', '.join(inputs)}{free}",
                SIZES,
            )
    for info in inputs.values():
        for axis, name in list(_free(info)):
            dim = info.type.tensor_type.shape.dim[axis]
            if name in fixed:
                dim.dim_value = fixed[name]
            elif not PLAIN.fullmatch(name):
                dim.dim_param = name = f"{info.name}.{axis}"
            if not dim.HasField("dim_value"):
                longest.setdefault(name, LONGEST)
    if sizes:
        forget_sizes(proto)
    return longest


def _free(info: Any) -> Iterator[tuple[int, str]]:
    """The axes behind the rows whose size is free, and the names that these have."""
    for axis, dim in enumerate(info.type.tensor_type.shape.dim):
        if axis and not dim.HasField("dim_value"):
            yield axis, dim.dim_param


def _set_input(info: Any, wanted: Sequence[Size], longest: dict[str, int]) -> None:
    dims = info.type.tensor_type.shape.dim
    if len(wanted) != len(dims):
        raise WrongUse(
            f"--shape: '{info.name}' has {len(dims)} dimensions, got {len(wanted)} sizes",
            SIZES,
        )
    for axis, (dim, size) in enumerate(zip(dims, wanted, strict=True)):
        if not axis:
            continue  # rows are as many as a request has
        if dim.HasField("dim_value") and (dim.dim_value != size.number or size.most):
            raise WrongUse(
                f"--shape: '{info.name}': its dimension {axis} is {dim.dim_value}, "
                f"got {'..' * size.most}{size.number}",
                "Only what the graph leaves free can be given.",
            )
        if size.most:
            name = dim.dim_param if PLAIN.fullmatch(dim.dim_param) else f"{info.name}.{axis}"
            dim.dim_param, longest[name] = name, size.number
        elif not dim.HasField("dim_value"):
            dim.dim_value = size.number


def forget_sizes(proto: onnx.ModelProto) -> None:
    """Take away what the file says of sizes further on: ONNX Runtime infers them anew."""
    del proto.graph.value_info[:]
    for info in proto.graph.output:
        for dim in info.type.tensor_type.shape.dim:
            dim.Clear()
