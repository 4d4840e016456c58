"""skl2onnx's converters, for one estimator at a time, where no family here has one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import onnx
from skl2onnx import convert_sklearn
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common._registration import get_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.base import is_classifier

from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import ELEMENTS, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.folders import documented

ANY = "Replace it by an estimator that has one" + documented(" (docs/reference/coverage.md)")
# By package, then by class: why nobody can write a converter.
IMPOSSIBLE: Mapping[str, Mapping[str, str]] = {
    "umap": {
        "AlignedUMAP": "it looks at all rows of a batch together",
        "ParametricUMAP": "it keeps its network in Keras",
        "UMAP": "it looks at all rows of a batch together: a row on its own is placed elsewhere",
    },
    "openTSNE": {
        "TSNEEmbedding": "it looks at all rows of a batch together: a row on its own is placed "
        "elsewhere"
    },
}


def why_not(kind: type) -> str:
    """Why a class has no converter, behind a comma; empty where one could be written."""
    found = IMPOSSIBLE.get(kind.__module__.partition(".")[0], {}).get(kind.__name__)
    return f", since {found}" if found else ""


OPSETS = {"": 21, "ai.onnx.ml": 3}
GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)  # names in them would clash
REPLACED = {
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
}  # these are not in our version of ai.onnx.ml
IN_SOURCE = "in the SOURCE file " + documented("(docs/how-to/converters.md)", "(@onnxlet.converts)")
NAMES = {element: name for name, element in ELEMENTS.items()}


def fallback(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The outputs of one estimator by skl2onnx's graph, which takes one matrix.

    Unsupported is raised where skl2onnx has no converter either, or its graph is not exact enough.
    """
    if not hasattr(fitted, "get_params"):
        raise Unsupported(
            f"{type(fitted).__name__} is no estimator: it has no get_params",
            f"Derive it from sklearn.base.BaseEstimator, and write its converter {IN_SOURCE}.",
        )
    if (
        type(fitted) not in sklearn_operator_name_map
    ):  # first: no converter is a better reason than text columns
        raise _no_converter(graph, type(fitted))
    precision = "float32" if graph.last_in_float32 else graph.precision
    matrix = graph.matrix(table, precision)
    kind = FloatTensorType if precision == "float32" else DoubleTensorType
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            proto = convert_sklearn(
                fitted,
                name="part",
                initial_types=[("X", kind([None, table.width]))],
                options=_options(fitted),
                target_opset=OPSETS,
            )
    except Exception as error:
        raise Unsupported(f"skl2onnx can't convert it: {shortened(error)}") from error
    if any(node.op_type in REPLACED for node in proto.graph.node):
        raise Unsupported("skl2onnx would write its trees in 32-bit floats")
    outputs = _spliced(graph, proto.graph, matrix)
    return _by_method(graph, fitted, outputs)


def _no_converter(graph: Graph, kind: type) -> Unsupported:
    """Why a class has none: of a subclass, the methods of its own that its parent's leaves out."""
    ancestors = kind.__mro__
    parent = next((one for one in ancestors[1:] if graph.knows(one)), None)
    before = ancestors[: ancestors.index(parent)] if parent else ()
    names = {name for one in before for name, value in vars(one).items() if callable(value)}
    own = sorted(n for n in names if not n.startswith("__") and hasattr(parent, n) and n != "fit")
    if not own or parent is None:
        return Unsupported(
            f"{kind.__name__} has no converter{why_not(kind)}",
            f"{ANY}, or write its converter {IN_SOURCE}.",
        )
    return Unsupported(
        f"{kind.__name__} has no converter: its own {', '.join(own)} may answer differently from "
        f"{parent.__name__}'s",
        f"Say the same with the settings of {parent.__name__}, or write its converter {IN_SOURCE}.",
    )


def _options(fitted: Any) -> dict[int, dict[str, Any]] | None:
    """Options for skl2onnx: probabilities without ZipMap, and raw scores where there are none."""
    if not is_classifier(fitted):
        return None
    known = get_converter(sklearn_operator_name_map[type(fitted)]).get_allowed_options() or ()
    wanted = {"zipmap": False, "raw_scores": not hasattr(fitted, "predict_proba")}
    return {id(fitted): {name: value for name, value in wanted.items() if name in known}}


def _spliced(graph: Graph, part: onnx.GraphProto, matrix: Tensor) -> list[Tensor]:
    """Splice the part's nodes into the graph under new names; returns its outputs."""
    names = {"": "", part.input[0].name: matrix.name}
    for name in [
        *(tensor.name for tensor in part.initializer),
        *(name for node in part.node for name in node.output if name),
    ]:
        names[name] = graph.unique("part")
    for tensor in part.initializer:
        tensor.name = names[tensor.name]
    for number, node in enumerate(part.node):
        if any(attribute.type in GRAPHS for attribute in node.attribute):
            raise Unsupported("skl2onnx writes it with a loop")
        node.name = f"{names[node.output[0]]}_{number}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    graph.splice(list(part.node), list(part.initializer))
    return [_tensor(graph, names[output.name], output) for output in part.output]


def _tensor(graph: Graph, name: str, output: onnx.ValueInfoProto) -> Tensor:
    shape = output.type.tensor_type.shape.dim
    width = shape[1].dim_value if len(shape) > 1 else 1
    made = Tensor(graph, name, NAMES[output.type.tensor_type.elem_type], width)
    return made if len(shape) > 1 else made.reshape([-1, 1], 1)


def _by_method(graph: Graph, fitted: Any, outputs: list[Tensor]) -> Outputs:
    first, *others = [
        tensor.cast(graph.precision) if tensor.dtype in ("float32", "float64") else tensor
        for tensor in outputs
    ]
    if is_classifier(fitted):
        classes = graph.constant(fitted.classes_, "string" if first.dtype == "string" else "int64")
        same = graph.op("Equal", first, classes.reshape([1, -1], classes.width), dtype="bool")
        indices = replace(same, width=len(fitted.classes_)).cast("int64").argmax()
        method = "predict_proba" if hasattr(fitted, "predict_proba") else "decision_function"
        score = others[0]
        if method == "decision_function" and len(fitted.classes_) == 2 and score.width != 1:
            score = replace(score, width=2).take([1])
        return {"class_index": indices, method: score}
    if hasattr(fitted, "predict"):
        made = {"predict": first}
        if others and hasattr(fitted, "decision_function"):
            made["decision_function"] = others[0]
        return made
    width = first.width or len(fitted.get_feature_names_out())  # which skl2onnx may leave open
    return {"transform": replace(first, width=width)}
