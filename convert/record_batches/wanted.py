"""What is wanted of each answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """What a request's members and query say in HTTP.

    Attributes:
        coverage: of prediction intervals or sets, strictly between 0 and 1; None wants none.
        explain: the contribution of every column to every answer.
        k: how many nearest, from 1; None leaves it to the model.
    """

    coverage: float | None = None
    explain: bool = False
    k: int | None = None
