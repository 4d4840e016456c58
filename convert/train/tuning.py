"""Optuna's search over the parameters of the best families."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from onnxlet.convert.train.candidate import Candidate
from onnxlet.convert.train.race import Race, clearly_behind, ranked
from onnxlet.convert.train.trials import Record

TURNS = (0, 1, 0, 2)  # whose turn it is, of the families in order of worth: a batch
ATTEMPTS = 8  # to find parameters that were not tried
BEHIND = 1.0  # standard errors, on the first fold, after which a variant is given up
STARTUP = 6  # trials of a family that are drawn, before a model of them chooses


@dataclass
class Family:
    """The candidates of one family."""

    candidate: Candidate  # its best from the portfolio
    study: Any  # Optuna's
    asked: dict[int, Any] = field(default_factory=dict)  # Optuna's trials, by the record's number
    known: list[Mapping[str, Any]] = field(default_factory=list)  # parameters that were tried


def tune(race: Race, trials: int | None) -> None:
    """Try other parameters of the best families until time, or the number of trials, is up."""
    families: dict[str, Family] = {}
    while not race.budget.over() and (trials is None or len(race.records) < trials):
        turns = _affordable(race) if trials is None else trials - len(race.records)
        with _quiet():
            batch = _batch(race, families, turns)
        if not batch:
            return
        _run(race, batch)
        with _quiet():
            for record in batch:
                _tell(race, families[record.candidate.family], record)


def _affordable(race: Race) -> int:
    """How many variants of the best families get done in the time left."""
    best = _families(race)[:2]
    each = max((record.seconds(race.share) or 0.0 for record in best), default=0.0)
    needed = each * len(race.used) / race.fits.count
    return int(race.budget.left() / max(needed, 1e-3))


def _batch(race: Race, families: dict[str, Family], turns: int) -> list[Record]:
    """The next candidates, those of the best family first."""
    order = _families(race)
    batch: list[Record] = []
    for turn in TURNS[: max(0, turns)]:
        if not order:
            break
        best = order[turn % len(order)]
        name = best.candidate.family
        if name not in families:
            families[name] = _family(race, best)
        family = families[name]
        trial, parameters = _asked(family)
        if trial is None:
            continue
        candidate = family.candidate.with_parameters(parameters)
        named = f"{family.candidate.name}, tuned {len(family.asked) + 1}"
        record = race.enter([replace(candidate, name=named)])[0]
        family.asked[record.number] = trial
        batch.append(record)
    return batch


def _families(race: Race) -> list[Record]:
    """The best record of each family that has a space, the best first."""
    done = [r for r in race.records if r.state == "done" and r.candidate.space is not None]
    scorer = race.scorer(race.used)
    worth = {r.number: scorer.worth(r.answers(race.used)) for r in done}
    found: dict[str, Record] = {}
    for record in sorted(done, key=lambda r: (-worth[r.number], r.number)):
        found.setdefault(record.candidate.family, record)
    return list(found.values())


def _family(race: Race, best: Record) -> Family:
    """A family's study, that knows what the portfolio's candidates of it came to."""
    import optuna

    sampler = optuna.samplers.TPESampler(
        seed=race.table.seed, multivariate=True, constant_liar=True, n_startup_trials=STARTUP
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    return Family(best.candidate, study)


def _asked(family: Family) -> tuple[Any, dict[str, Any]]:
    """A trial of Optuna's with parameters that were not tried; None where none is found."""
    import optuna

    space = family.candidate.space
    for _ in range(ATTEMPTS if space else 0):
        trial = family.study.ask()
        parameters = space(trial) if space else {}
        if parameters not in family.known:
            family.known.append(parameters)
            return trial, parameters
        family.study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None, {}


def _run(race: Race, batch: Sequence[Record]) -> None:
    """All on the first fold; on the others those not behind their family's best."""
    race.run(batch, race.used[:1])
    alive = [record for record in batch if record.state == "waiting" and record.outcomes]
    best = {record.candidate.family: record for record in _families(race)}
    for record in alive:
        rival = best[record.candidate.family]
        if clearly_behind(race, record, rival, "fold", BEHIND):
            race.stop(record, f"behind {rival.candidate.name} after a first fold")
    worth = ranked(race, alive, "fold")
    alive.sort(key=lambda record: -worth[record.number])
    race.run([record for record in alive if record.state == "waiting"], race.used, done=True)
    race.close(batch)


def _tell(race: Race, family: Family, record: Record) -> None:
    """What a record came to; of one that was stopped what its first fold had shown."""
    import optuna

    trial = family.asked[record.number]
    if record.state == "done":
        family.study.tell(trial, race.scorer(race.used).worth(record.answers(race.used)))
    elif (first := record.first("fold")) is not None:
        family.study.tell(trial, race.scorer([0]).worth(first))
    else:
        family.study.tell(trial, state=optuna.trial.TrialState.FAIL)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Optuna logs, or warns of: parts of it are marked as experimental."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
