"""How often the truth was in the interval or set that was answered beside a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

REGIONS = {"interval", "set"}
DIGITS = 2  # of coverages that are told apart, whole percents; all others count together


def read(
    answers: Sequence[Mapping[str, Any]], truths: Sequence[Any]
) -> Iterator[tuple[float, float]]:
    """The coverage that was asked for, and what came of it; not of rows without one."""
    for answer, truth in zip(answers, truths, strict=True):
        asked = answer.get("coverage") if answer.keys() & REGIONS else None
        if asked is not None:
            yield asked, _covered(answer, truth)


def told_apart(asked: float) -> float | None:
    """A coverage that has a figure of its own; None for others, so that no client fills these."""
    return asked if asked == round(asked, DIGITS) else None


class CoverageSums:
    """Rows, hits and the coverage that was asked for, summed for each that `told_apart` names."""

    def __init__(self) -> None:
        self.sums: dict[float | None, tuple[int, float, float]] = {}

    def add(self, covered: Iterable[tuple[float, float]]) -> None:
        """Add rows, as `read` has them."""
        for asked, hit in covered:
            self._add(told_apart(asked), (1, hit, asked))

    def _add(self, key: float | None, more: tuple[int, float, float]) -> None:
        rows, hits, asked = self.sums.get(key, (0, 0.0, 0.0))
        self.sums[key] = rows + more[0], hits + more[1], asked + more[2]


def _covered(answer: Mapping[str, Any], truth: Any) -> float:
    """1 where the truth was covered, else 0; of several outputs the share that was."""
    if answer.get("set") is not None:
        return float(truth in answer["set"])
    bounds = np.array(answer["interval"], np.float64).reshape(-1, 2)
    values = np.array(truth, np.float64).reshape(-1)
    return float(((bounds[:, 0] <= values) & (values <= bounds[:, 1])).mean())


def figures(parts: Sequence[CoverageSums]) -> list[dict[str, Any]]:
    """What was asked for, what came of it, and of how many rows; the lowest coverage first.

    `others` marks the mean of all that are not told apart.
    """
    total = CoverageSums()
    for part in parts:
        for key, sums in part.sums.items():
            total._add(key, sums)
    found: list[dict[str, Any]] = [
        {"asked": round(asked / rows, 6), "realised": hits / rows, "rows": rows}
        | ({"others": True} if key is None else {})
        for key, (rows, hits, asked) in total.sums.items()
    ]
    return sorted(found, key=lambda each: float(each["asked"]))
