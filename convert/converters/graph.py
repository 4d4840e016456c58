"""Small helpers for writing ONNX nodes through skl2onnx's container."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

TENSOR_TYPES = {
    "float32": (FloatTensorType, TensorProto.FLOAT, np.float32),
    "float64": (DoubleTensorType, TensorProto.DOUBLE, np.float64),
    "int64": (Int64TensorType, TensorProto.INT64, np.int64),
    "string": (StringTensorType, TensorProto.STRING, None),
}


# Operators of the ML domain, by the version that they were last changed in.
ML_VERSIONS = {"ArrayFeatureExtractor": 1, "LabelEncoder": 2, "TreeEnsembleRegressor": 3}


class Nodes:
    """Adds nodes and constants with names that are unique in the graph."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def constant(self, values: Any, dtype: str) -> str:
        """An initializer; `values` is an array or nested list, strings as str."""
        array = np.asarray(values, dtype=object if dtype == "string" else TENSOR_TYPES[dtype][2])
        flat = array.ravel().tolist()
        if dtype == "string":
            flat = [text.encode() for text in flat]
        name = str(self._scope.get_unique_variable_name("constant"))
        self._container.add_initializer(name, TENSOR_TYPES[dtype][1], array.shape, flat)
        return name

    def add(
        self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any
    ) -> str:
        """A node of the default or the ML domain; its output's name."""
        made = output or str(self._scope.get_unique_variable_name(op.lower()))
        self._container.add_node(
            op,
            list(inputs),
            made,
            op_domain="ai.onnx.ml" if op in ML_VERSIONS else "",
            op_version=ML_VERSIONS.get(op, 21),
            name=self._scope.get_unique_operator_name(op),
            **attributes,
        )
        return made

    def cast(self, name: str, dtype: str, output: str | None = None) -> str:
        """A Cast node."""
        return self.add("Cast", [name], output, to=TENSOR_TYPES[dtype][1])

    def label(self, place: str, classes: Any, output: str) -> str:
        """The class at each place, of shape (rows,); text as it is, numbers and bools as int64.

        Raises:
            NotImplementedError: classes that are fractions.
        """
        known = np.asarray(classes)
        dtype = "string" if known.dtype.kind in "UO" else "int64"
        if dtype == "int64" and (known != known.astype(np.int64)).any():
            raise NotImplementedError("classes that are fractions")
        return self.add("Gather", [self.constant(known, dtype), place], output, axis=0)

    def column(self, name: str, place: int) -> str:
        """One column of a matrix, of shape (rows, 1)."""
        return self.add("Gather", [name, self.constant([place], "int64")], axis=1)


def tensor_type(precision: str, columns: int) -> Any:
    """The type of a matrix of numbers with this many columns."""
    return TENSOR_TYPES[precision][0]([None, columns])


def held_type(variable: Any) -> str:
    """The element type of an operator's input, by our names."""
    for name, (kind, _, _) in TENSOR_TYPES.items():
        if isinstance(variable.type, kind):
            return name
    raise NotImplementedError(f"an input of type {type(variable.type).__name__}")


def as_one_matrix(nodes: Nodes, operator: Any, precision: str) -> tuple[str, str]:
    """The operator's inputs side by side: the matrix's name, and its element type.

    Raises:
        NotImplementedError: text and numbers come together.
    """
    types = {held_type(variable) for variable in operator.inputs}
    if "string" in types and len(types) > 1:
        raise NotImplementedError("text and numbers together in one encoder")
    names = [variable.full_name for variable in operator.inputs]
    if types == {"string"}:
        joined = names[0] if len(names) == 1 else nodes.add("Concat", names, axis=1)
        return joined, "string"
    names = [
        name if held_type(variable) == precision else nodes.cast(name, precision)
        for name, variable in zip(names, operator.inputs, strict=True)
    ]
    return (names[0] if len(names) == 1 else nodes.add("Concat", names, axis=1)), precision


def single_columns(nodes: Nodes, operator: Any, precision: str) -> list[tuple[str, str]]:
    """The operator's columns one by one, each of shape (rows, 1): its name and element type."""
    columns = []
    for variable in operator.inputs:
        name, dtype = variable.full_name, held_type(variable)
        if dtype not in ("string", precision):
            name, dtype = nodes.cast(name, precision), precision
        width = variable.type.shape[1]
        columns += [
            (name if width == 1 else nodes.column(name, place), dtype) for place in range(width)
        ]
    return columns
