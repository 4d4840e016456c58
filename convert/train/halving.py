"""Fit many a little, and go on with those only that may still win."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from onnxlet.convert.train.race import Race
from onnxlet.convert.train.trials import Record, Rung

TO_TRY = 0.4  # of the time left, for first fits
SURE = 2.0  # standard errors by which a loser is behind
REACH = 0.1  # of the best one's lead over the constant: who is nearer may help an ensemble


def try_all(race: Race, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Fit each on the first fold, or on a part of it, and keep those that may still win.

    Args:
        race: the search.
        records: in order of expected worth.

    Returns:
        Those that go on, first what is kept in any case, then the best first; and those that there
        was no time for yet, as time is kept for what was found.
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
