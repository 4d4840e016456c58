"""A search that is under way: what was fitted so far, and fitting more of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnxlet.convert.train.budget import Budget
from onnxlet.convert.train.candidate import Candidate
from onnxlet.convert.train.fits import Fits
from onnxlet.convert.train.job import Job, TrainingData, part_of
from onnxlet.convert.train.live import Live
from onnxlet.convert.train.metrics import Array, Metric
from onnxlet.convert.train.scoring import Scorer, scorer
from onnxlet.convert.train.trials import Record, Rung

SMALL = 10_000  # rows of a fold: up to here the first rung has them all
PART = 4_000  # rows of the first rung, where there are more than that
FIRST = 0.15  # of all seconds, that a candidate's first fit may take
AT_LEAST = 3.0  # seconds that every fit may take
SLOWER = 3.0  # times what was predicted, that a fit may take


@dataclass
class Race:
    """A search that is under way.

    Attributes:
        table: the training rows, their folds, and how candidates are fitted.
        metric: that is optimised.
        budget: seconds.
        fits: where candidates are fitted.
        live: tells.
        records: of all candidates so far, by number.
        used: the folds that candidates are validated on.
    """

    table: TrainingData
    metric: Metric
    budget: Budget
    fits: Fits
    live: Live
    records: list[Record]
    used: list[int]

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

        Args:
            records: in order of worth: as time runs out the last are left out.
            folds: which.
            rows: of a fold's training rows; None for all.
            most: seconds after which no other record is begun.
            done: whether a record is done with these folds.
        """
        begun = self.budget.spent()
        jobs = self._jobs(records, folds, rows, begun + most)
        for job, outcome in self.fits.outcomes(jobs, self.budget.until, self.live.tick):
            record = self.records[job.number]
            record.take(job.fold, job.rows, outcome)
            if record.state != "waiting":
                self.live.ended(record, None, None)
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
                self.live.trying(record.candidate.name)
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
            self.live.ended(record, scorer.sign * scorer.worth(answers), scorer.error(answers))

    def stop(self, record: Record, why: str) -> None:
        """A record goes on no further."""
        record.end("stopped", why)
        self.live.ended(record, None, None)
