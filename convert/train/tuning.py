"""Optuna's search over the parameters of the best families."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from onnxlet.convert.train.race import Race, clearly_behind, ranked
from onnxlet.convert.train.trials import Candidate, Trial

TURNS = (0, 1, 0, 2)  # whose turn it is, of the families in order of worth: a batch
ATTEMPTS = 8  # to find parameters that were not tried
BEHIND = 1.0  # standard errors, on the first fold, after which a variant is given up
STARTUP = 6  # trials of a family that are drawn, before a model of them chooses


@dataclass
class FamilyStudy:
    """What is tried of one family."""

    candidate: Candidate  # its best from the portfolio
    study: Any  # Optuna's
    asked: dict[int, Any] = field(default_factory=dict)  # Optuna's trials, by our number
    known: list[Mapping[str, Any]] = field(default_factory=list)  # parameters that were tried


def tune(race: Race, trials: int | None) -> None:
    """Try other parameters of the best families until time, or the number of trials, is up."""
    families: dict[str, FamilyStudy] = {}
    while not race.budget.over() and (trials is None or len(race.trials) < trials):
        turns = _affordable(race) if trials is None else trials - len(race.trials)
        with _quiet():
            batch = _batch(race, families, turns)
        if not batch:
            return
        _run(race, batch)
        with _quiet():
            for trial in batch:
                _tell(race, families[trial.candidate.family], trial)


def _affordable(race: Race) -> int:
    """How many variants of the best families get done in the time left."""
    best = _families(race)[:2]
    each = max((trial.expected(race.share) or 0.0 for trial in best), default=0.0)
    needed = each * len(race.used) / race.fits.count
    return int(race.budget.left() / max(needed, 1e-3))


def _batch(race: Race, families: dict[str, FamilyStudy], turns: int) -> list[Trial]:
    """The next candidates, those of the best family first."""
    order = _families(race)
    batch: list[Trial] = []
    for turn in TURNS[: max(0, turns)]:
        if not order:
            break
        best = order[turn % len(order)]
        name = best.candidate.family
        if name not in families:
            families[name] = _family(race, best)
        family = families[name]
        asked, parameters = _asked(family)
        if asked is None:
            continue
        candidate = family.candidate.with_parameters(parameters)
        named = f"{family.candidate.name}, tuned {len(family.asked) + 1}"
        trial = race.enter([replace(candidate, name=named)])[0]
        family.asked[trial.number] = asked
        batch.append(trial)
    return batch


def _families(race: Race) -> list[Trial]:
    """The best trial of each family that has a space, the best first."""
    done = [r for r in race.trials if r.state == "done" and r.candidate.space is not None]
    scorer = race.scorer(race.used)
    worth = {r.number: scorer.worth(r.answers(race.used)) for r in done}
    found: dict[str, Trial] = {}
    for trial in sorted(done, key=lambda r: (-worth[r.number], r.number)):
        found.setdefault(trial.candidate.family, trial)
    return list(found.values())


def _family(race: Race, best: Trial) -> FamilyStudy:
    """A family's study, that knows what the portfolio's candidates of it came to."""
    import optuna

    sampler = optuna.samplers.TPESampler(
        seed=race.table.seed, multivariate=True, constant_liar=True, n_startup_trials=STARTUP
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    return FamilyStudy(best.candidate, study)


def _asked(family: FamilyStudy) -> tuple[Any, dict[str, Any]]:
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


def _run(race: Race, batch: Sequence[Trial]) -> None:
    """All on the first fold; on the others those not behind their family's best."""
    race.run(batch, race.used[:1])
    alive = [trial for trial in batch if trial.state == "waiting" and trial.outcomes]
    best = {trial.candidate.family: trial for trial in _families(race)}
    for trial in alive:
        rival = best[trial.candidate.family]
        if clearly_behind(race, trial, rival, "fold", BEHIND):
            race.stop(trial, f"behind {rival.candidate.name} after a first fold")
    worth = ranked(race, alive, "fold")
    alive.sort(key=lambda trial: -worth[trial.number])
    race.run([trial for trial in alive if trial.state == "waiting"], race.used, done=True)
    race.close(batch)


def _tell(race: Race, family: FamilyStudy, trial: Trial) -> None:
    """What a trial came to; of one that was stopped what its first fold had shown."""
    import optuna

    asked = family.asked[trial.number]
    if trial.state == "done":
        family.study.tell(asked, race.scorer(race.used).worth(trial.answers(race.used)))
    elif (first := trial.first("fold")) is not None:
        family.study.tell(asked, race.scorer([0]).worth(first))
    else:
        family.study.tell(asked, state=optuna.trial.TrialState.FAIL)


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
