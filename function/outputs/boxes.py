"""The back end for boxes: a detector's numbers become objects in the pixels of the picture sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.images import decoded_bytes, picture_size
from onnxlet.function.inputs.nested import packed
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import CheckedBatch

SIDES = ("x", "y", "width", "height")
DIGITS = 7  # that a float32 has


def boxes(
    signature: Signature, image: str, labels: Sequence[str]
) -> Callable[[Array, CheckedBatch], Array]:
    """The step that makes boxes of a graph's numbers, for the picture in the column `image`.

    The step takes float32 of shape (rows, boxes, 6): x1, y1, x2 and y2 as shares of the picture, a
    score, which is below 0 where there is no box, and the class. A class that has no label is its
    number, as text. The step returns an object array of shape (rows,), in each entry a list of
    objects, best first: `label`, `score`, and `x`, `y`, `width`, `height` in pixels of the picture
    as it is seen.
    """
    number, position = signature.positions[image]

    def step(found: Array, table: CheckedBatch) -> Array:
        most = max(feed.most for feed in signature.image_feeds)
        cells = table.arrays[number][:, position].tolist()
        sizes = (picture_size(decoded_bytes(cell), most) for cell in cells)  # the graph saw them
        pairs = zip(found, sizes, strict=True)
        return packed([_objects(numbers, *size, labels) for numbers, size in pairs])

    return step


def _objects(found: Array, width: int, height: int, labels: Sequence[str]) -> list[dict[str, Any]]:
    """One row's boxes; what lies outside the picture is cut off."""
    found = found[(found[:, 4] >= 0) & np.isfinite(found).all(axis=1)].astype(np.float64)
    corners = found[:, :4].clip(0, 1) * [width, height, width, height]
    sizes = corners[:, 2:] - corners[:, :2]
    sides = np.concatenate([corners[:, :2], sizes], axis=1).tolist()
    return [
        {"label": _label(kind, labels), "score": _short(score)}
        | {side: _short(value) for side, value in zip(SIDES, box, strict=True)}
        for box, size, (score, kind) in zip(sides, sizes, found[:, 4:].tolist(), strict=True)
        if (size > 0).all()
    ]


def _label(kind: float, labels: Sequence[str]) -> str:
    number = round(kind)
    return labels[number] if 0 <= number < len(labels) else str(number)


def _short(value: float) -> float:
    """Without the digits that nobody computed."""
    return float(f"{value:.{DIGITS}g}")


def as_texts(answered: Array) -> Array:
    """Each row's boxes as the JSON text of their list: what has no lists is answered so."""
    return packed([json_text.dumps(each).decode() for each in answered.tolist()])
