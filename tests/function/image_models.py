"""Models of images, made by hand: the mean of the pixels, for a second way to compute it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from PIL import Image

from onnxlet.function.arrays import Array

SIZE: Mapping[str, Any] = {"height": 4, "width": 6, "mode": "L", "resize": "bilinear"}


def picture(seed: int = 0, kind: str = "PNG", size: tuple[int, int] = (12, 8)) -> bytes:
    """A file with a smooth picture."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    colors = np.stack([x * 11 + seed, y * 17, (x + y) * 5 + seed], 2) % 256
    file = io.BytesIO()
    Image.fromarray(colors.astype(np.uint8)).save(file, kind)
    return file.getvalue()


def text(content: bytes) -> str:
    """Base64, as JSON has it."""
    return base64.b64encode(content).decode()


def grey_pixels(cell: str) -> Array:
    """What the model's graph gets of a text, by Pillow itself."""
    with Image.open(io.BytesIO(base64.b64decode(cell))) as image:
        return np.asarray(image.convert("L").resize((6, 4), Image.Resampling.BILINEAR))


def mean(content: bytes) -> float:
    """What the model answers, computed by Pillow and NumPy."""
    return float(grey_pixels(text(content)).astype(np.float64).mean())


def add_model(
    folder: Path,
    name: str,
    numbers: Sequence[str] = (),
    reference: Mapping[str, Any] | None = None,
    image: Mapping[str, Any] = SIZE,
) -> None:
    """Write version 1 of a model of the column `photo`.

    Args:
        folder: of models.
        name: of the model, which answers the mean of the pixels, plus its numbers.
        numbers: further columns.
        reference: of the manifest.
        image: of the graph's input.
    """
    graph = _graph(numbers, 24)
    directory = folder / name / "1"
    directory.mkdir(parents=True)
    (directory / "model.onnx").write_bytes(graph)
    columns: list[dict[str, Any]] = [
        {"name": each, "type": "float64", "shape": [-1, 1]} for each in numbers
    ]
    fed = [{"name": each, "dtype": "float64", "columns": [each]} for each in numbers]
    manifest = {
        "format": 1,
        "task": "regression",
        "signature": {
            "inputs": [{"name": "photo", "type": "image", "shape": [-1, 1]}, *columns],
            "outputs": [{"name": "prediction", "type": "float64", "shape": [-1]}],
        },
        "graph": {
            "inputs": [
                {"name": "pixels", "dtype": "uint8", "columns": ["photo"], "image": {**image}},
                *fed,
            ],
            "outputs": ["mean"],
        },
        "files": {"model.onnx": hashlib.sha256(graph).hexdigest()},
        "parity": None,
        "reference": reference,
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))


def _graph(numbers: Sequence[str], width: int) -> bytes:
    nodes = [
        helper.make_node("Cast", ["pixels"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("ReduceMean", ["wide"], ["sum0"], axes=[1], keepdims=1),
    ]
    for number, name in enumerate(numbers):
        nodes.append(helper.make_node("Add", [f"sum{number}", name], [f"sum{number + 1}"]))
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [-1])
    nodes.append(helper.make_node("Reshape", [f"sum{len(numbers)}", "shape"], ["mean"]))
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [None, width])]
    inputs += [helper.make_tensor_value_info(n, TensorProto.DOUBLE, [None, 1]) for n in numbers]
    output = helper.make_tensor_value_info("mean", TensorProto.DOUBLE, [None])
    graph = helper.make_graph(nodes, "mean", inputs, [output], [shape])
    opset = helper.make_opsetid("", 13)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return bytes(model.SerializeToString())
