"""How often the truth was in the interval or set that was answered beside a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

REGIONS = {"interval", "set"}
MOST = 8  # different coverages that are told apart; further ones are not counted


def read(
    answers: Sequence[Mapping[str, Any]], truths: Sequence[Any]
) -> Iterator[tuple[float, float]]:
    """The coverage that was asked for, and what came of it; not of rows without one."""
    for answer, truth in zip(answers, truths, strict=True):
        asked = answer.get("coverage") if answer.keys() & REGIONS else None
        if asked is not None:
            yield asked, _covered(answer, truth)


class CoverageSums:
    """Rows and hits by the coverage that was asked for."""

    def __init__(self) -> None:
        self.sums: dict[float, tuple[int, float]] = {}

    def add(self, covered: Iterable[tuple[float, float]]) -> None:
        """Add rows, as `read` has them."""
        for asked, hit in covered:
            if asked in self.sums or len(self.sums) < MOST:
                rows, hits = self.sums.get(asked, (0, 0.0))
                self.sums[asked] = rows + 1, hits + hit


def _covered(answer: Mapping[str, Any], truth: Any) -> float:
    """1 where the truth was covered, else 0; of several outputs the share that was."""
    if answer.get("set") is not None:
        return float(truth in answer["set"])
    bounds = np.array(answer["interval"], np.float64).reshape(-1, 2)
    values = np.array(truth, np.float64).reshape(-1)
    return float(((bounds[:, 0] <= values) & (values <= bounds[:, 1])).mean())


def figures(parts: Sequence[CoverageSums]) -> list[dict[str, Any]]:
    """What was asked for, what came of it, and of how many rows; the lowest coverage first."""
    total: dict[float, tuple[int, float]] = {}
    for part in parts:
        for asked, (rows, hits) in part.sums.items():
            before = total.get(asked, (0, 0.0))
            total[asked] = before[0] + rows, before[1] + hits
    return [
        {"asked": asked, "realised": hits / rows, "rows": rows}
        for asked, (rows, hits) in sorted(total.items())
    ]
