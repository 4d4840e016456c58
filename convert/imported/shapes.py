"""`--shape`: sizes for the dimensions that a graph leaves free, and how long others may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import onnx

from onnxlet.convert.imported.onnx_file import inputs_of
from onnxlet.function.errors import WrongUse

LONGEST = 512  # entries of a dimension that varies, where --shape names no other limit
PLAIN = re.compile(r"[A-Za-z_][\w.]*")
SIZE = re.compile(r"(\.\.)?([1-9][0-9]{0,6})")
HINT = (
    "INPUT=1,3,320,320 has a size for each dimension, the rows first; NAME=128 fixes a named one, "
    "and NAME=..128 lets it vary up to there."
)


class Size(NamedTuple):
    """One size that was asked for; `most` where it may vary up to there."""

    number: int
    most: bool


def parse(texts: Sequence[str]) -> dict[str, list[Size]]:
    """Sizes by the name of an input or of a dimension.

    WrongUse: one is of another form, or a name is there twice.
    """
    sizes: dict[str, list[Size]] = {}
    for text in texts:
        name, mark, listed = text.rpartition("=")
        found = [SIZE.fullmatch(part.strip()) for part in listed.split(",")]
        if not mark or not name or not all(found):
            raise WrongUse(f"--shape: expected NAME=SIZES, got '{text}'", HINT)
        if name in sizes:
            raise WrongUse(f"--shape: '{name}' is there twice", HINT)
        sizes[name] = [Size(int(m[2]), m[1] is not None) for m in found if m]
    return sizes


def apply(proto: onnx.ModelProto, sizes: dict[str, list[Size]]) -> dict[str, int]:
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
                f"--shape: '{name}': expected the name of an input: {', '.join(inputs)}{free}", HINT
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
            f"--shape: '{info.name}' has {len(dims)} dimensions, got {len(wanted)} sizes", HINT
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
