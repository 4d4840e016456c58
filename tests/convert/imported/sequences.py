"""Graphs whose rows vary in length, or that are for one row, as exporters write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from onnxlet.function.arrays import Array
from tests.convert.imported.onnx_files import FLOAT, INT64, Dims, model, node, value

TABLE = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
MIX = np.random.default_rng(2).normal(size=(4, 4)).astype(np.float32)
KERNEL = np.random.default_rng(3).normal(size=(2, 3, 3, 3)).astype(np.float32)
FLAT = np.random.default_rng(4).normal(size=(3 * 40 * 40, 2)).astype(np.float32)


def encoder(length: str | int | None = "sequence", positions: int = 0) -> onnx.ModelProto:
    """Tokens that attend to all others, and their mean where the mask says so.

    Args:
        length: the dimension's name, its size, or None for no name.
        positions: rows of a table of positions, which ends the length; 0 for none.
    """
    ids = "ids_at" if positions else "rows"
    nodes = [
        node("Gather", "table ids", "rows"),
        *([node("Shape", "ids", "end", start=1)] if positions else []),
        *([node("Slice", "places zero end", "some")] if positions else []),
        *([node("Add", "rows some", "ids_at")] if positions else []),
        node("MatMul", f"{ids} mix", "query"),
        node("Transpose", ids, "key", perm=[0, 2, 1]),
        node("MatMul", "query key", "scores"),
        node("Cast", "mask", "kept", to=FLOAT),
        node("Unsqueeze", "kept one", "kept_keys"),
        node("Sub", "unit kept_keys", "left_out"),
        node("Mul", "left_out far", "minus"),
        node("Sub", "scores minus", "masked"),
        node("Softmax", "masked", "shares", axis=-1),
        node("MatMul", f"shares {ids}", "tokens"),
        node("Unsqueeze", "kept two", "kept_rows"),
        node("Mul", "tokens kept_rows", "counted"),
        node("ReduceSum", "counted one", "total", keepdims=0),
        node("ReduceSum", "kept one", "count", keepdims=1),
        node("Div", "total count", "mean"),
    ]
    constants: dict[str, Array] = {
        "table": TABLE,
        "mix": MIX,
        "one": np.array([1]),
        "two": np.array([2]),
        "unit": np.array(1, np.float32),
        "far": np.array(1e9, np.float32),
        "zero": np.array([0]),
        "places": np.tile(TABLE, (-(-max(positions, 1) // 50), 1))[: max(positions, 1)],
    }
    dims: Dims = ("batch", length)
    return model(
        nodes,
        [value("ids", INT64, dims), value("mask", INT64, dims)],
        [value("mean", dims=("batch", 4)), value("tokens", dims=("batch", length, 4))],
        constants,
    )


def encoded(ids: Any, mask: Any) -> tuple[Array, Array]:
    """The encoder's answers to one row, by itself, in float64: mean (4,), tokens (length, 4)."""
    rows = TABLE.astype(np.float64)[np.array(ids)]
    kept = np.array(mask, dtype=np.float64)
    scores = rows @ MIX @ rows.T - (1 - kept) * 1e9
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    tokens = shares / shares.sum(axis=1, keepdims=True) @ rows
    return (tokens * kept[:, None]).sum(axis=0) / kept.sum(), tokens


def detector(batch: Any = 1, side: Any = 40) -> onnx.ModelProto:
    """An image to two lists of boxes and their scores, for one row: its shapes hold the 1."""
    return model(
        [
            node("Conv", "image kernel", "map", pads=[1, 1, 1, 1]),
            node("Reshape", "map as_boxes", "boxes"),
            node("MaxPool", "map", "small", kernel_shape=[2, 2], strides=[2, 2]),
            node("Reshape", "small as_few", "few"),
            node("Sigmoid", "few", "scores"),
        ],
        [value("image", dims=(batch, 3, side, side))],
        [value("boxes", dims=(1, 800, 4)), value("scores", dims=(1, 800, 1))],
        {
            "kernel": KERNEL,
            "as_boxes": np.array([1, 800, 4]),
            "as_few": np.array([1, 800, 1]),
        },
    )


def recogniser() -> onnx.ModelProto:
    """An image of any height and width, which have no names, to shares of two classes."""
    return model(
        [
            node("Conv", "x kernel", "map"),
            node("Relu", "map", "positive"),
            node("GlobalAveragePool", "positive", "mean"),
            node("Flatten", "mean", "logits"),
            node("Softmax", "logits", "shares", axis=1),
        ],
        [value("x", dims=("batch", 3, "?", "?"))],
        [value("shares", dims=("batch", 2))],
        {"kernel": KERNEL},
    )
