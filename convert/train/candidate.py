"""A pipeline that the search may try, and how it is fitted in rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

Parameters = Mapping[str, Any]


class Fitted(NamedTuple):
    """A pipeline that has been fitted.

    Attributes:
        pipeline: answers `predict`, and `predict_proba` of a classifier.
        rounds: boosting rounds that it has; None where it has none.
    """

    pipeline: Any
    rounds: int | None


@dataclass(frozen=True)
class Candidate:
    """A pipeline that may be fitted.

    Attributes:
        name: as people read it, such as "LightGBM, extra trees".
        family: candidates of one family differ in parameters only.
        parameters: plain numbers, texts and booleans.
        make: gives the unfitted pipeline for parameters and a seed.
        rounds: the last step's parameter that counts boosting rounds, such as `n_estimators`;
            None where there is none.
        space: for a trial of Optuna's other parameters; None where there are none to try.
    """

    name: str
    family: str
    parameters: Parameters
    make: Callable[[Parameters, int], Any]
    rounds: str | None = None
    space: Callable[[Any], dict[str, Any]] | None = None

    def with_parameters(self, parameters: Parameters) -> Candidate:
        """The same pipeline with other parameters."""
        return replace(self, parameters={**self.parameters, **parameters})
