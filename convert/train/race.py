"""A search that is under way: many are fitted a little, and those only that may still win go on.

With it are the seconds that it may take, and what it reports: one line on a terminal, a line a
candidate elsewhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnxlet.convert.metrics.metrics import Array, Metric
from onnxlet.convert.progress import Report, advanced, heard
from onnxlet.convert.train.fits import Fits
from onnxlet.convert.train.scoring import SURE, Scorer, scorer
from onnxlet.convert.train.trials import Candidate, Job, Rung, TrainingData, Trial, part_of
from onnxlet.function.errors import WrongUse

LEAST = 5  # seconds that a search may be given: processes have to start, and to fit something
TO_CHOOSE = 0.04  # of the seconds are kept for choosing among what was found
SMALL = 10_000  # rows of a fold: up to here the first rung has them all
PART = 4_000  # rows of the first rung, where there are more than that
FIRST = 0.15  # of all seconds, that a candidate's first fit may take
AT_LEAST = 3.0  # seconds that every fit may take
SLOWER = 3.0  # times what was predicted, that a fit may take
TO_TRY = 0.4  # of the time left, for first fits
REACH = 0.1  # of the best one's lead over the constant: who is nearer may help an ensemble


class Budget:
    """A clock that runs from now; without seconds the number of trials is the limit.

    Raises WrongUse for seconds that are too few for anything.
    """

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None and not seconds >= LEAST:
            raise WrongUse(
                f"--seconds: expected {LEAST} or more, got {seconds:g}",
                "Give the search a minute or more, --seconds 60.",
            )
        self._started = time.monotonic()
        self.seconds = seconds
        share = None if seconds is None else seconds * (1 - TO_CHOOSE)
        self.until = None if share is None else self._started + share

    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def left(self) -> float:
        """Seconds in which candidates may still be fitted; infinite where nothing limits them."""
        return math.inf if self.until is None else self.until - time.monotonic()

    def over(self) -> bool:
        """Whether nothing more may be fitted."""
        return self.left() <= 0

    def ended(self) -> bool:
        """Whether the search has to come back with what it has."""
        return self.seconds is not None and self.spent() >= self.seconds


class SearchProgress:
    """What is tried, the best so far, and the time left; without `trials` time decides."""

    def __init__(self, report: Report, metric: Metric, budget: Budget, trials: int | None) -> None:
        self._report, self._metric, self._budget, self._trials = report, metric, budget, trials
        self._tried, self._best, self._ended = "", "", 0
        self._best_worth = float("-inf")

    def trying(self, name: str) -> None:
        """A candidate's next fit begins."""
        self._tried = name
        self.tick()

    def tick(self) -> None:
        """Have a terminal show what is so now."""
        seconds = self._budget.seconds
        left = "" if seconds is None else f", {max(0.0, self._budget.left()):.0f} s left"
        what = f"{self._tried or 'starting'}{self._best}{left}"
        if seconds is not None:
            advanced(what, int(self._budget.spent() * 10), int(seconds * 10))
        else:
            advanced(what, self._ended, self._trials or 1)

    def ended(self, trial: Trial, score: float | None, error: float | None) -> None:
        """A candidate is done, was stopped, or failed."""
        self._ended += 1
        if trial.state == "done" and score is not None:
            worth = score if self._metric.greater_is_better else -score
            if worth > self._best_worth:
                self._best_worth = worth
                self._best = f"; best so far {self._metric.title} {score:.5g}"
        if not heard():  # on a terminal the line of `tick` says it
            self._report(f"{trial.candidate.name}: {self._came_to(trial, score, error)}")
        self.tick()

    def _came_to(self, trial: Trial, score: float | None, error: float | None) -> str:
        if trial.state != "done" or score is None:
            return f"{trial.state}: {trial.why}"
        sure = "" if error is None else f" ± {error:.2g}"
        return f"{self._metric.title} {score:.5g}{sure} ({trial.seconds:.1f} s)"


@dataclass
class Race:
    """A search that is under way."""

    table: TrainingData  # the training rows, their folds, and how candidates are fitted
    metric: Metric  # that is optimised
    budget: Budget
    fits: Fits  # where candidates are fitted
    progress: SearchProgress
    trials: list[Trial]  # of all candidates so far, by number
    used: list[int]  # the folds that candidates are validated on

    def enter(self, candidates: Sequence[Candidate], keep: int = 0) -> list[Trial]:
        """Number candidates; the first of them may be kept whatever they score."""
        first = len(self.trials)
        new = [Trial(first + i, c, keep=i < keep) for i, c in enumerate(candidates)]
        self.trials.extend(new)
        return new

    def scorer(self, folds: Sequence[int]) -> Scorer:
        """Of the answers for these folds' validation rows."""
        return self._scorer([self.table.folds[fold] for fold in folds])

    def _scorer(self, folds: list[tuple[Array, Array]]) -> Scorer:
        return scorer(self.metric, self.table.y, self.table.classes, folds)

    def rung(self, rung: Rung) -> Scorer:
        """Of the answers for the first fold's validation rows, or for a part of them."""
        return self.scorer([0]) if rung == "fold" else self._scorer([self.part_of_fold()])

    def part_of_fold(self) -> tuple[Array, Array]:
        """What the first rung fits on, and validates on."""
        rows = self.part or len(self.table.y)
        train, valid = (part_of(rows_of, rows, self.table) for rows_of in self.table.folds[0])
        return train, valid

    def run(
        self,
        trials: Sequence[Trial],
        folds: Sequence[int],
        rows: int | None = None,
        most: float = math.inf,
        done: bool = False,
    ) -> None:
        """Fit trials on folds where they were not yet; what they came to is recorded in them.

        Records are in order of worth: as time runs out the last are left out, and after `most`
        seconds no other is begun. `rows` are of a fold's training rows, None for all. With `done` a
        trial is done with these folds.
        """
        begun = self.budget.spent()
        jobs = self._jobs(trials, folds, rows, begun + most)
        for job, outcome in self.fits.outcomes(jobs, self.budget.until, self.progress.tick):
            trial = self.trials[job.number]
            trial.take(job.fold, job.rows, outcome)
            if trial.state != "waiting":
                self.progress.ended(trial, None, None)
            elif done and trial.covers(folds):
                self.close([trial])

    def _jobs(
        self, trials: Sequence[Trial], folds: Sequence[int], rows: int | None, before: float
    ) -> Iterator[Job]:
        for trial in trials:
            if self.budget.spent() > before and not trial.keep:
                return
            waiting = [fold for fold in folds if fold not in trial.outcomes]
            if trial.state != "waiting" or not waiting:
                continue
            # The constant takes no time: what is predicted for it is what a process costs.
            seconds = trial.expected(self.share) or 0.0
            needed = seconds * math.ceil(len(waiting) / self.fits.count)
            if trial.number and not needed <= self.budget.left():
                self.stop(trial, "it would not have ended in time")
                continue
            for fold in waiting:
                if trial.state != "waiting" or self.budget.over():
                    break
                self.progress.trying(trial.candidate.name)
                yield Job(trial.number, trial.candidate, fold, rows, self._limit(trial))

    def _limit(self, trial: Trial) -> float | None:
        if self.budget.seconds is None:
            return None
        predicted = trial.expected(self.share)
        allowed = FIRST * self.budget.seconds if predicted is None else SLOWER * predicted
        return max(AT_LEAST, allowed)

    @property
    def part(self) -> int | None:
        """Rows of the first rung; None where it has all of them."""
        return PART if len(self.table.folds[0][0]) > SMALL else None

    @property
    def share(self) -> float:
        """Of a fold's rows, those of the first rung."""
        return 1.0 if self.part is None else self.part / len(self.table.folds[0][0])

    def close(self, trials: Sequence[Trial]) -> None:
        """Records that were fitted on all folds are done; others, for which time ran out, stop."""
        scorer = self.scorer(self.used)
        for trial in trials:
            if trial.state != "waiting":
                continue
            if not trial.covers(self.used):
                self.stop(trial, "the time was up")
                continue
            trial.end("done")
            answers = trial.answers(self.used)
            self.progress.ended(trial, scorer.sign * scorer.worth(answers), scorer.error(answers))

    def stop(self, trial: Trial, why: str) -> None:
        """A trial goes on no further."""
        trial.end("stopped", why)
        self.progress.ended(trial, None, None)


def try_all(race: Race, trials: Sequence[Trial]) -> tuple[list[Trial], list[Trial]]:
    """Fit each on the first fold, or on a part of it, in order of expected worth.

    Those go on that may still win, first what is kept in any case, then the best first. The others
    that are returned had no time yet, as time is kept for what was found.
    """
    limited = race.budget.seconds is not None
    rung: Rung = "fold" if race.part is None else "part"
    race.run(trials, [0], race.part, TO_TRY * race.budget.left() if limited else math.inf)
    untried = [r for r in trials if r.state == "waiting" and r.first(rung) is None]
    return in_reach(race, [trial for trial in trials if trial not in untried], rung), untried


def in_reach(race: Race, trials: Sequence[Trial], rung: Rung) -> list[Trial]:
    """Those that are not clearly behind the best of all on the first fold; the others stop."""
    worth = ranked(race, [r for r in race.trials if r.state in ("waiting", "done")], rung)
    alive = [r for r in trials if r.state == "waiting" and r.number in worth]
    if not alive:
        return []
    best = race.trials[max(worth, key=lambda number: (worth[number], -number))]
    lead = worth[best.number] - min(worth.values())
    for trial in alive:
        behind = worth[best.number] - worth[trial.number]
        if not trial.keep and behind > REACH * lead and clearly_behind(race, trial, best, rung):
            race.stop(trial, f"behind {best.candidate.name} after a first fit")
    left = [trial for trial in alive if trial.state == "waiting"]
    order = {r.number: (0, r.number) if r.keep else (1, -worth[r.number]) for r in left}
    return sorted(left, key=lambda trial: order[trial.number])


def clearly_behind(race: Race, trial: Trial, best: Trial, rung: Rung, sure: float = SURE) -> bool:
    """Whether a trial loses on the first fold by more than noise."""
    one, other = best.first(rung), trial.first(rung)
    if one is None or other is None or trial is best:
        return False
    difference = race.rung(rung).difference(one, other)
    return difference.mean > sure * difference.error


def ranked(race: Race, trials: Sequence[Trial], rung: Rung) -> dict[int, float]:
    """The worth on the first fold, by number, of those that were fitted on it."""
    scores = race.rung(rung)
    found = {trial.number: trial.first(rung) for trial in trials}
    return {
        number: float(np.nan_to_num(scores.worth(answers), nan=-math.inf))
        for number, answers in found.items()
        if answers is not None
    }


def affordable_folds(race: Race, trials: Sequence[Trial]) -> list[int]:
    """As many folds as the six most promising get done in half of the time left."""
    every = len(race.table.folds)
    each = round(every / race.scorer(range(every)).repeats)
    needed = sum(trial.expected(race.share) or 0.0 for trial in trials[:6]) / race.fits.count
    for count in (every, each, 3, 2):
        if count <= every and needed * count <= race.budget.left() / 2:
            return list(range(count))
    return [0]
