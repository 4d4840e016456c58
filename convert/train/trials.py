"""What a search has tried, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onnxlet.convert.metrics.metrics import Array
from onnxlet.convert.train.job import Candidate, Outcome

State = Literal["waiting", "done", "stopped", "failed"]
Rung = Literal["part", "fold"]
GROWTH = 1.0  # seconds of a fit grow as the rows to this power: a little more, less overhead


@dataclass(eq=False)
class Trial:
    """A candidate that is tried."""

    number: int  # from 0, in the order in which they were thought of
    candidate: Candidate
    keep: bool = False  # it is never stopped, as others are compared with it
    # What a fit on a part of the first fold's rows came to, validated on a part of them.
    part: Outcome | None = None
    outcomes: dict[int, Outcome] = field(default_factory=dict)  # by fold
    seconds: float = 0.0  # that its fits took together
    state: State = "waiting"  # until it has ended
    why: str | None = None  # it was stopped or failed
    # The mean of the metric over the folds that it was validated on, once the search has ended.
    score: float | None = None
    error: float | None = None  # its standard error over folds; None where it was stopped early
    # Answers for the training rows (n,) or (n, classes) by pipelines that have not seen them, NaN
    # for rows that are in no fold; None where it was stopped early.
    out_of_fold: Array | None = None
    rounds: int | None = None  # of boosting, the mean over folds
    size: int | None = None  # bytes of the first fold's pickled pipeline

    def take(self, fold: int, rows: int | None, outcome: Outcome) -> None:
        """Record what a fit came to."""
        self.seconds += outcome.seconds
        if outcome.why is not None:
            if self.state == "waiting":
                self.end("stopped" if outcome.overran else "failed", outcome.why)
        elif rows is not None:
            self.part = outcome
        else:
            self.outcomes[fold] = outcome

    def end(self, state: State, why: str | None = None) -> None:
        """It goes on no further."""
        self.state, self.why = state, why

    def expected(self, share: float) -> float | None:
        """Seconds that a fit on a whole fold will take; None where nothing was fitted yet.

        The part has a share of a fold's rows.
        """
        if self.outcomes:
            return max(outcome.seconds for outcome in self.outcomes.values())
        return None if self.part is None else self.part.seconds / share**GROWTH

    def covers(self, folds: Sequence[int]) -> bool:
        """Whether it was fitted on all of these folds."""
        return all(fold in self.outcomes for fold in folds)

    def answers(self, folds: Sequence[int]) -> Array:
        """For the validation rows of folds that it was fitted on, one fold after the other."""
        # Each has some: what failed is not among the outcomes.
        return np.concatenate([np.asarray(self.outcomes[fold].answers) for fold in folds])

    def first(self, rung: Rung) -> Array | None:
        """For the first fold's validation rows, by what was fitted on its rows or on a part."""
        outcome = self.part if rung == "part" else self.outcomes.get(0)
        return None if outcome is None else outcome.answers

    def close(self) -> None:
        """Keep of its fits what is asked for when the search has ended."""
        rounds = [o.rounds for o in self.outcomes.values() if o.rounds is not None]
        self.rounds = max(1, round(float(np.mean(rounds)))) if rounds else None
        first = self.outcomes.get(0, self.part)
        self.size = None if first is None else first.size
        self.part, self.outcomes = None, {}


@dataclass(frozen=True)
class Searched:
    """What a search found."""

    trials: list[Trial]  # all, in order of their numbers
    weights: list[tuple[Trial, float]]  # those that were chosen; they sum to 1
    seconds: float  # that it took
    how_ended: str  # in a few words


def out_of_fold(answers: Array, positions: NDArray[np.intp], rows: int) -> NDArray[np.float64]:
    """Answers for each training row, the mean where it is in several folds, NaN where in none.

    They are given for the validation rows of folds, (m,) or (m, classes), by these rows' positions.
    """
    total, count = np.zeros((rows, *answers.shape[1:])), np.zeros(rows)
    np.add.at(total, positions, answers)
    np.add.at(count, positions, 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count.reshape(-1, *[1] * (answers.ndim - 1)), np.float64)
