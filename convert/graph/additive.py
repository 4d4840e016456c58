"""Models whose score is a sum of terms: each term's score explains the answer exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnxlet.convert.graph.tensor import Tensor


@dataclass(frozen=True)
class Additive:
    """What the score of a model is the sum of."""

    scores: Tensor  # of shape (rows, terms * numbers), each term's numbers side by side
    columns: Sequence[Sequence[str]]  # of each term, the names of the columns that it depends on
    base: Sequence[float]  # what is added to the terms: a number for each number of the score
    scale: str  # what the score is, in words
    method: str  # of the estimator, which answers the same scores

    def entry(self) -> dict[str, Any]:
        """What a manifest says of it, for `onnxlet.function.explanation.additive`."""
        return {
            "output": self.scores.name,
            "columns": [list(names) for names in self.columns],
            "base": list(self.base),
            "scale": self.scale,
        }
