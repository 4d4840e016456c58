"""The ways of typing a model's inputs that are tried, in a fixed order, and each one's graph."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx._supported_operators import _get_sklearn_operator_name
from skl2onnx.common._registration import get_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    StringTensorType,
)
from skl2onnx.sklapi import CastTransformer
from sklearn.pipeline import Pipeline

from convert.answers import Task
from convert.converters import Precision, converters
from function.signature import Column

Layout = Literal["matrix", "columns"]

# Opset 21 is what every ONNX Runtime since 1.20 reads; 3 is the last of the ML domain that
# skl2onnx writes trees for.
OPSETS = {"": 21, "ai.onnx.ml": 3}
GRAPH_NAME = "onnxlet"
OUTPUT_TYPES = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.INT64: "int64",
    TensorProto.STRING: "string",
}


@dataclass(frozen=True)
class Recipe:
    """One way of typing the inputs.

    Attributes:
        precision: of all numbers that go in.
        layout: one matrix, or a tensor for each column.
        cast: compute in float64 up to the last step, and that one in float32.
    """

    precision: Precision
    layout: Layout
    cast: bool = False

    def __str__(self) -> str:
        last = ", last step in float32" if self.cast else ""
        return f"{self.precision} {self.layout}{last}"


@dataclass(frozen=True)
class Graph:
    """A converted model.

    Attributes:
        onnx: the serialised ModelProto.
        inputs: for the manifest: each tensor's name, dtype and columns.
        outputs: names in the graph, in the order of the task's methods.
        types: the element type of each of these.
    """

    onnx: bytes
    inputs: list[dict[str, Any]]
    outputs: list[str]
    types: list[str]


def recipes(estimator: Any, columns: Sequence[Column], frame: bool) -> Iterator[Recipe]:
    """All recipes that can be tried for this estimator: float32 first, since it is smaller."""
    numbers = all(column.type != "string" for column in columns if column.required)
    layouts: list[Layout] = ["matrix"] if numbers or not frame else []
    layouts += ["columns"] if frame else []
    texts = all(column.type == "string" for column in columns if column.required)
    precisions: list[tuple[Precision, bool]] = [("float32", False), ("float64", False)]
    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        precisions.append(("float64", True))
    for precision, cast in precisions[: 1 if texts and not frame else None]:
        for layout in layouts:
            yield Recipe(precision, layout, cast)


def convert(estimator: Any, task: Task, columns: Sequence[Column], recipe: Recipe) -> Graph:
    """Convert by one recipe.

    Raises:
        Exception: whatever skl2onnx raises for what it can't convert.
    """
    used = [column for column in columns if column.required]
    types, inputs = _typed_inputs(used, recipe)
    model = _with_cast(estimator) if recipe.cast else estimator
    ours = converters(recipe.precision)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        proto = convert_sklearn(
            model,
            name=GRAPH_NAME,
            initial_types=types,
            options=_options(model, task),
            target_opset=OPSETS,
            custom_conversion_functions=ours.conversion_functions,
            custom_shape_calculators=ours.shape_calculators,
        )
    if len(proto.graph.input) != len(inputs):
        raise ValueError(f"expected {len(inputs)} graph inputs, got {len(proto.graph.input)}")
    for tensor, entry in zip(proto.graph.input, inputs, strict=True):
        entry["name"] = tensor.name
    _take_positive_score(proto, task)
    imported = sorted({(entry.domain, entry.version) for entry in proto.opset_import})
    del proto.opset_import[:]  # skl2onnx lists a set of them
    proto.opset_import.extend(helper.make_opsetid(*entry) for entry in imported)
    proto.producer_version = ""
    outputs = [output.name for output in proto.graph.output][: len(task.methods)]
    elements = [
        OUTPUT_TYPES[output.type.tensor_type.elem_type]
        for output in proto.graph.output[: len(outputs)]
    ]
    return Graph(proto.SerializeToString(deterministic=True), inputs, outputs, elements)


def _typed_inputs(
    used: Sequence[Column], recipe: Recipe
) -> tuple[list[tuple[str, Any]], list[dict[str, Any]]]:
    number = {"float32": FloatTensorType, "float64": DoubleTensorType}[recipe.precision]

    def entry(dtype: str, members: Sequence[Column]) -> dict[str, Any]:
        return {"dtype": dtype, "columns": [column.name for column in members]}

    if recipe.layout == "matrix":
        texts = used[0].type == "string"
        kind = StringTensorType if texts else number
        dtype = "string" if texts else recipe.precision
        return [("input", kind([None, len(used)]))], [entry(dtype, used)]
    types, inputs = [], []
    for column in used:
        texts = column.type == "string"
        types.append((column.name, (StringTensorType if texts else number)([None, 1])))
        inputs.append(entry("string" if texts else recipe.precision, [column]))
    return types, inputs


def _with_cast(pipeline: Pipeline) -> Pipeline:
    """The fitted pipeline with a cast to float32 before its last step."""
    *steps, last = pipeline.steps
    return Pipeline([*steps, ("cast to float32", CastTransformer(dtype=np.float32)), last])


def _options(model: Any, task: Task) -> dict[int, dict[str, Any]] | None:
    """No dictionaries for probabilities; raw scores where there are none; for the last step."""
    if task.name != "classification":
        return None
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    wanted = {"zipmap": False, "raw_scores": True} if "score" in task.methods else {"zipmap": False}
    known = _known_options(last)
    return {id(last): {name: value for name, value in wanted.items() if name in known}}


def _known_options(estimator: Any) -> Collection[str]:
    """The options that skl2onnx takes for an estimator; it raises for others."""
    try:
        known = get_converter(_get_sklearn_operator_name(type(estimator))).get_allowed_options()
    except (RuntimeError, ValueError, AttributeError):
        return ()  # no converter: what it says of that is clear enough
    return known if isinstance(known, Collection) else ()


def _take_positive_score(proto: onnx.ModelProto, task: Task) -> None:
    """A binary decision function is one number a row; some graphs give one for each class."""
    if "score" not in task.methods or task.classes is None or len(task.classes) != 2:
        return
    both = proto.graph.output[1]
    shape = both.type.tensor_type.shape.dim
    if len(shape) != 2:
        return
    proto.graph.initializer.append(
        helper.make_tensor("positive_class", TensorProto.INT64, [1], [-1])
    )
    proto.graph.node.append(
        helper.make_node("Gather", [both.name, "positive_class"], ["positive_score"], axis=1)
    )
    element = both.type.tensor_type.elem_type
    del proto.graph.output[1:]
    proto.graph.output.append(helper.make_tensor_value_info("positive_score", element, [None, 1]))
