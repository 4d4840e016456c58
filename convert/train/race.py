"""A search that is under way: many are fitted a little, and those only that may still win go on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnxlet.convert.train.budget import Budget
from onnxlet.convert.train.candidate import Candidate
from onnxlet.convert.train.fits import Fits
from onnxlet.convert.train.job import Job, TrainingData, part_of
from onnxlet.convert.train.metrics import Array, Metric
from onnxlet.convert.train.progress import SearchProgress
from onnxlet.convert.train.scoring import Scorer, scorer
from onnxlet.convert.train.trials import Record, Rung

SMALL = 10_000  # rows of a fold: up to here the first rung has them all
PART = 4_000  # rows of the first rung, where there are more than that
FIRST = 0.15  # of all seconds, that a candidate's first fit may take
AT_LEAST = 3.0  # seconds that every fit may take
SLOWER = 3.0  # times what was predicted, that a fit may take
TO_TRY = 0.4  # of the time left, for first fits
SURE = 2.0  # standard errors by which a loser is behind
REACH = 0.1  # of the best one's lead over the constant: who is nearer may help an ensemble


@dataclass
class Race:
    """A search that is under way."""

    table: TrainingData  # the training rows, their folds, and how candidates are fitted
    metric: Metric  # that is optimised
    budget: Budget
    fits: Fits  # where candidates are fitted
    progress: SearchProgress
    records: list[Record]  # of all candidates so far, by number
    used: list[int]  # the folds that candidates are validated on

    def enter(self, candidates: Sequence[Candidate], keep: int = 0) -> list[Record]:
        """Number candidates; the first of them may be kept whatever they score."""
        first = len(self.records)
        new = [Record(first + i, c, keep=i < keep) for i, c in enumerate(candidates)]
        self.records.extend(new)
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
        records: Sequence[Record],
        folds: Sequence[int],
        rows: int | None = None,
        most: float = math.inf,
        done: bool = False,
    ) -> None:
        """Fit records on folds where they were not yet; what they came to is recorded in them.

        Records are in order of worth: as time runs out the last are left out, and after `most`
        seconds no other is begun. `rows` are of a fold's training rows, None for all. With `done` a
        record is done with these folds.
        """
        begun = self.budget.spent()
        jobs = self._jobs(records, folds, rows, begun + most)
        for job, outcome in self.fits.outcomes(jobs, self.budget.until, self.progress.tick):
            record = self.records[job.number]
            record.take(job.fold, job.rows, outcome)
            if record.state != "waiting":
                self.progress.ended(record, None, None)
            elif done and record.covers(folds):
                self.close([record])

    def _jobs(
        self, records: Sequence[Record], folds: Sequence[int], rows: int | None, before: float
    ) -> Iterator[Job]:
        for record in records:
            if self.budget.spent() > before and not record.keep:
                return
            waiting = [fold for fold in folds if fold not in record.outcomes]
            if record.state != "waiting" or not waiting:
                continue
            # The constant takes no time: what is predicted for it is what a process costs.
            if record.number and not self._affords(record, len(waiting)):
                self.stop(record, "it would not have ended in time")
                continue
            for fold in waiting:
                if record.state != "waiting" or self.budget.over():
                    break
                self.progress.trying(record.candidate.name)
                yield Job(record.number, record.candidate, fold, rows, self._limit(record))

    def _affords(self, record: Record, fits: int) -> bool:
        seconds = record.seconds(self.share) or 0.0
        return seconds * math.ceil(fits / self.fits.count) <= self.budget.left()

    def _limit(self, record: Record) -> float | None:
        if self.budget.seconds is None:
            return None
        predicted = record.seconds(self.share)
        allowed = self.budget.share(FIRST) if predicted is None else SLOWER * predicted
        return max(AT_LEAST, allowed)

    @property
    def part(self) -> int | None:
        """Rows of the first rung; None where it has all of them."""
        return PART if len(self.table.folds[0][0]) > SMALL else None

    @property
    def share(self) -> float:
        """Of a fold's rows, those of the first rung."""
        return 1.0 if self.part is None else self.part / len(self.table.folds[0][0])

    def close(self, records: Sequence[Record]) -> None:
        """Records that were fitted on all folds are done; others, for which time ran out, stop."""
        scorer = self.scorer(self.used)
        for record in records:
            if record.state != "waiting":
                continue
            if not record.covers(self.used):
                self.stop(record, "the time was up")
                continue
            record.end("done")
            answers = record.answers(self.used)
            self.progress.ended(record, scorer.sign * scorer.worth(answers), scorer.error(answers))

    def stop(self, record: Record, why: str) -> None:
        """A record goes on no further."""
        record.end("stopped", why)
        self.progress.ended(record, None, None)


def try_all(race: Race, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Fit each on the first fold, or on a part of it, in order of expected worth.

    Returns:
        Those that may still win, first what is kept in any case, then the best first; and those
        that there was no time for yet, as time is kept for what was found.
    """
    limited = race.budget.seconds is not None
    rung: Rung = "fold" if race.part is None else "part"
    race.run(records, [0], race.part, TO_TRY * race.budget.left() if limited else math.inf)
    untried = [r for r in records if r.state == "waiting" and r.first(rung) is None]
    return in_reach(race, [record for record in records if record not in untried], rung), untried


def in_reach(race: Race, records: Sequence[Record], rung: Rung) -> list[Record]:
    """Those that are not clearly behind the best of all on the first fold; the others stop."""
    worth = ranked(race, [r for r in race.records if r.state in ("waiting", "done")], rung)
    alive = [r for r in records if r.state == "waiting" and r.number in worth]
    if not alive:
        return []
    best = race.records[max(worth, key=lambda number: (worth[number], -number))]
    lead = worth[best.number] - min(worth.values())
    for record in alive:
        behind = worth[best.number] - worth[record.number]
        if not record.keep and behind > REACH * lead and clearly_behind(race, record, best, rung):
            race.stop(record, f"behind {best.candidate.name} after a first fit")
    left = [record for record in alive if record.state == "waiting"]
    order = {r.number: (0, r.number) if r.keep else (1, -worth[r.number]) for r in left}
    return sorted(left, key=lambda record: order[record.number])


def clearly_behind(
    race: Race, record: Record, best: Record, rung: Rung, sure: float = SURE
) -> bool:
    """Whether a record loses on the first fold by more than noise."""
    one, other = best.first(rung), record.first(rung)
    if one is None or other is None or record is best:
        return False
    difference = race.rung(rung).difference(one, other)
    return difference.mean > sure * difference.error


def ranked(race: Race, records: Sequence[Record], rung: Rung) -> dict[int, float]:
    """The worth on the first fold, by number, of those that were fitted on it."""
    scores = race.rung(rung)
    found = {record.number: record.first(rung) for record in records}
    return {
        number: float(np.nan_to_num(scores.worth(answers), nan=-math.inf))
        for number, answers in found.items()
        if answers is not None
    }


def affordable_folds(race: Race, records: Sequence[Record]) -> list[int]:
    """As many folds as the six most promising get done in half of the time left."""
    every = len(race.table.folds)
    each = round(every / race.scorer(range(every)).repeats)
    needed = sum(record.seconds(race.share) or 0.0 for record in records[:6]) / race.fits.count
    for count in (every, each, 3, 2):
        if count <= every and needed * count <= race.budget.left() / 2:
            return list(range(count))
    return [0]
