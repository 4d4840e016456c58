"""Non-maximum suppression in plain Python, box by box: a second way of computing it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxlet.function.arrays import Array

Box = tuple[float, ...]  # x1, y1, x2, y2


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return both / (sum(areas) - both)


def best(
    corners: Array, scores: Array, score: float, most: int, limit: float
) -> list[tuple[Box, float, int]]:
    """The best boxes of one row, with their scores and classes.

    Args:
        corners: of shape (n, 4).
        scores: of shape (n, classes).
        score: a box needs more.
        most: so many of them.
        limit: of the overlap of two boxes of one class.
    """
    found: list[tuple[Box, float, int]] = []
    for kind in range(scores.shape[1]):
        order = np.argsort(-scores[:, kind], kind="stable").tolist()
        kept: list[Box] = []
        for n in order:
            box = tuple(corners[n].tolist())
            if scores[n, kind] > score and all(overlap(box, each) <= limit for each in kept):
                kept.append(box)
                found.append((box, float(scores[n, kind]), kind))
    return sorted(found, key=lambda each: -each[1])[:most]


def written(corners: Array, form: str) -> Array:
    """Boxes of x1, y1, x2, y2 in another form."""
    x1, y1, x2, y2 = np.moveaxis(corners, -1, 0)
    forms: dict[str, Sequence[Array]] = {
        "xyxy": (x1, y1, x2, y2),
        "yxyx": (y1, x1, y2, x2),
        "xywh": (x1, y1, x2 - x1, y2 - y1),
        "cxcywh": ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
    }
    return np.stack(forms[form], axis=-1)
