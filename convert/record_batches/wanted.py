"""What is wanted of each answer."""

from __future__ import annotations

from dataclasses import dataclass

from onnxlet.function.errors import WrongUse


@dataclass(frozen=True)
class Wanted:
    """What a request's members and query say in HTTP.

    Attributes:
        coverage: of prediction intervals or sets, strictly between 0 and 1; None wants none.
        explain: the contribution of every column to every answer.
        k: how many nearest, from 1; None leaves it to the model.

    Raises:
        WrongUse: one of these is out of its range.
    """

    coverage: float | None = None
    explain: bool = False
    k: int | None = None

    def __post_init__(self) -> None:
        if self.coverage is not None and not 0 < self.coverage < 1:
            expected = "a number between 0 and 1, such as 0.9"
            raise WrongUse(f"coverage: expected {expected}, got {self.coverage}")
        if self.k is not None and self.k < 1:
            raise WrongUse(f"k: expected a whole number from 1, got {self.k}")
