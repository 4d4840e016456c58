"""Models whose score is a sum of terms: each term's score explains the answer exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnxlet.convert.graph.tensor import Tensor


@dataclass(frozen=True)
class Additive:
    """What the score of a model is the sum of.

    Attributes:
        scores: of shape (rows, terms * numbers), each term's numbers side by side.
        columns: of each term, the names of the columns that it depends on.
        base: what is added to the terms: a number for each number of the score.
        scale: what the score is, in words.
        method: of the estimator, which answers the same scores.
    """

    scores: Tensor
    columns: Sequence[Sequence[str]]
    base: Sequence[float]
    scale: str
    method: str

    def entry(self) -> dict[str, Any]:
        """What a manifest says of it, for `onnxlet.function.explanation.additive`."""
        return {
            "output": self.scores.name,
            "columns": [list(names) for names in self.columns],
            "base": list(self.base),
            "scale": self.scale,
        }
