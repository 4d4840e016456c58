"""The manifest of a model directory: what serving needs, and what people ask."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed_version
from typing import Any

import numpy as np

from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.convert.reference.column_types import array_entry, column_entry
from onnxlet.convert.reference.inputs import Inputs
from onnxlet.convert.to_onnx import Converted
from onnxlet.folders import VERSION
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.model import MANIFEST_FORMAT

TOOLS = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy", "pandas")
LABEL_TYPES = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}


def versions(images: bool = False) -> dict[str, str]:
    """The versions of Python and of every tool that had a hand in a build."""
    tools = (*TOOLS, "pillow") if images else TOOLS
    own = {"python": platform.python_version(), "onnxlet": VERSION}
    return own | {tool: installed_version(tool) for tool in tools}


def serving_part(
    task: Task, inputs: Inputs, columns: Sequence[Column], graph: Converted, expected: Answers
) -> dict[str, Any]:
    """The members that `onnxlet.function.models.model.Model` reads."""
    outputs = [
        {
            "name": name,
            "type": _output_type(name, task, expected[name], element),
            "shape": [-1, *expected[name].shape[1:]],
        }
        for name, element in zip(task.methods, graph.types, strict=True)
    ]
    about = {
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "rows_at_once": graph.rows_at_once,
        "raising": graph.raising,
        "terms": graph.terms and graph.terms.entry(),
        "k": graph.k and graph.k._asdict(),
    }
    return serving_members(task.name, _inputs(inputs, columns), outputs, about, task.classes)


def serving_members(
    task: str,
    inputs: Sequence[Mapping[str, Any]],
    outputs: Sequence[Mapping[str, Any]],
    graph: Mapping[str, Any],
    classes: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """The same, of inputs and outputs as clients see them; None stands for what a graph lacks."""
    return {
        "format": MANIFEST_FORMAT,
        "task": task,
        **({"classes": classes} if classes is not None else {}),
        "signature": {"inputs": inputs, "outputs": outputs},
        "graph": {name: member for name, member in graph.items() if member is not None},
    }


def _output_type(name: str, task: Task, expected: Array, element: str) -> str:
    """Labels keep scikit-learn's type, numbers have the graph's."""
    if name != "prediction" or task.name != "classification":
        return "int64" if element == "bool" else element
    kind = expected.dtype.kind
    if kind == "O":  # labels of one type, held as objects
        kind = np.asarray(expected.ravel().tolist()).dtype.kind
    return LABEL_TYPES.get(kind, "string")


def _inputs(inputs: Inputs, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """A tensor for each column of a frame; one with all columns for a bare array of one type."""
    if inputs.uniform:
        return [array_entry("input", columns, [-1, len(columns)])]
    return [{**column_entry(column), "shape": [-1, 1]} for column in columns]
