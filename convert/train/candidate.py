"""A pipeline that the search may try, and how it is fitted in rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

Parameters = Mapping[str, Any]


class Fitted(NamedTuple):
    """A pipeline that has been fitted."""

    pipeline: Any  # answers `predict`, and `predict_proba` of a classifier
    rounds: int | None  # boosting rounds that it has; None where it has none


@dataclass(frozen=True)
class Candidate:
    """A pipeline that may be fitted."""

    name: str  # as people read it, such as "LightGBM, extra trees"
    family: str  # candidates of one family differ in parameters only
    parameters: Parameters  # plain numbers, texts and booleans
    make: Callable[[Parameters, int], Any]  # gives the unfitted pipeline for parameters and a seed
    # The last step's parameter that counts boosting rounds, such as `n_estimators`; None
    # where there is none.
    rounds: str | None = None
    # For a trial of Optuna's other parameters; None where there are none to try.
    space: Callable[[Any], dict[str, Any]] | None = None

    def with_parameters(self, parameters: Parameters) -> Candidate:
        """The same pipeline with other parameters."""
        return replace(self, parameters={**self.parameters, **parameters})
