"""Whether boxes are those that were expected: how golden rows of detectors are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnxlet.function.outputs.boxes import SIDES


def differing(
    got: Sequence[Any], expected: Sequence[Any], tolerance: float, sides: Sequence[float] | None
) -> list[int]:
    """The rows whose boxes differ: in their number, a label, a score or where they are.

    Boxes whose scores are equal within the tolerance may change their order.

    Args:
        got: each row's boxes, as JSON has them.
        expected: the same.
        tolerance: of scores, and of pixels as a share of the picture's longer side.
        sides: for each row, this side in pixels; None where they are not known.
    """
    rows = enumerate(zip(got, expected, sides or [1.0] * len(expected), strict=True))
    return [row for row, (a, b, side) in rows if not _alike(a, b, tolerance, side)]


def _alike(got: Any, expected: Any, tolerance: float, side: float) -> bool:
    if not isinstance(got, list) or len(got) != len(expected):
        return False
    left = list(got)
    for box in expected:
        same = next((each for each in left if _same(each, box, tolerance, side)), None)
        if same is None:
            return False
        left.remove(same)
    return True


def _same(got: Any, expected: dict[str, Any], tolerance: float, side: float) -> bool:
    if not isinstance(got, dict) or got.keys() != expected.keys():
        return False
    if got["label"] != expected["label"]:
        return False
    limits = {name: tolerance * (1.0 if name == "score" else side) for name in ("score", *SIDES)}
    numbers = [got[name] for name in limits]
    return all(type(each) in (int, float) for each in numbers) and all(
        abs(got[name] - expected[name]) <= limit for name, limit in limits.items()
    )
