"""How often drift alarms for nothing, and how often it does not where it should, on real tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.report import Figure, figures, table
from bench.watch_regions import regions_section
from bench.watch_slices import slices_section
from bench.watch_tables import ROLES, Watched, watched
from onnxlet.convert.directory.reference_statistics import reference_statistics
from onnxlet.function.models.model import Model
from tests.function.monitoring.faults import FAULTS, break_column
from tests.function.monitoring.models import answered, report, rows_of, some

WINDOWS = 1000  # of each size and table
SIZES = (2_000, 10_000)  # rows
REFERENCE, HELD_OUT = 3_000, 1_000  # rows
SEEDS = (1, 2, 3, 4, 5)
FAULTY = 2_000  # rows
ABOUT = f"""**Alarms.** Boosted trees of all columns of a real table. The rows of a reference
({REFERENCE:,}, and {HELD_OUT:,} held out) and those of a window are drawn anew from the whole table
each time, so that nothing has changed but chance.
"""
OF_FAULTS = f"""**Faults.** {len(FAULTS)} of them, each in one column of {FAULTY:,} rows that are
drawn from the whole table, by the seeds {SEEDS[0]} to {SEEDS[-1]}: how often any column alarmed,
and how often the faulty one, which the table names, was the first in the list of alarms.
"""


def section(folder: Path) -> str:
    """Measure, and return this part of the section as Markdown."""
    tried = {name: watched(name, folder) for name in ROLES}
    parts = [ABOUT, figures(each for name, of in tried.items() for each in _calm(name, of))]
    parts += [OF_FAULTS, *_faults(tried)]
    return "\n".join([*parts, slices_section(folder), regions_section(folder)])


def _calm(name: str, of: Watched) -> Iterator[Figure]:
    alarmed = dict.fromkeys(SIZES, 0)
    rows = rows_of(of.X)
    for seed in range(WINDOWS):
        random = np.random.default_rng(seed)
        model = drawn(of, rows, random)
        for size in SIZES:
            window = some(of.answers, random.integers(0, len(rows), size))
            alarmed[size] += bool(report(model, window)["alarms"])
    columns = of.X.shape[1]
    for size, count in alarmed.items():
        what = f"{name}, {columns} columns: windows of {size:,} rows with an alarm, of {WINDOWS:,}"
        yield Figure(what, count, WINDOWS / 1000)


def drawn(of: Watched, rows: list[list[Any]], random: np.random.Generator) -> Model:
    """The model with a reference of rows that are drawn anew."""
    chosen, held_out = (random.integers(0, len(rows), n) for n in (REFERENCE, HELD_OUT))
    made = reference_statistics(
        of.model,
        [rows[row] for row in chosen],
        "X_train",
        [rows[row] for row in held_out],
        {name: array[held_out] for name, array in of.answers.outputs.items()},
    )
    return of.model.with_manifest({**of.model.manifest, "reference": made})


def _faults(tried: dict[str, Watched]) -> Iterator[str]:
    found = {
        (fault, name): [_named(name, of, fault, seed) for seed in SEEDS]
        for name, of in tried.items()
        for fault in FAULTS
    }
    tries = len(FAULTS) * len(SEEDS)
    lines = []
    for name in tried:
        of = [names for (_, table), each in found.items() if table == name for names in each]
        columns = [getattr(ROLES[name], FAULTS[fault][0]) for fault in FAULTS for _ in SEEDS]
        any_alarm = sum(bool(names) for names in of)
        first = sum(names[:1] == [column] for names, column in zip(of, columns, strict=True))
        lines += [
            Figure(f"{name}: faults with an alarm, of {tries}", any_alarm, tries, at_least=True),
            Figure(f"{name}: faults whose column is the first, of {tries}", first),
        ]
    yield figures(lines)
    rows = []
    for fault, (role, _) in FAULTS.items():
        cells = [_cell(getattr(ROLES[name], role), found[fault, name]) for name in tried]
        rows.append(f"| {' | '.join([fault, *cells])} |")
    yield table(["fault", *tried], rows)


def _cell(column: str, named: list[list[str]]) -> str:
    """The column, and what alarms first instead of it."""
    others = [names[0] if names else "none" for names in named if names[:1] != [column]]
    return column + (f", but first: {', '.join(others)}" if others else "")


def _named(name: str, of: Watched, fault: str, seed: int) -> list[str]:
    """The columns that alarm in a window with a fault, the clearest first."""
    random = np.random.default_rng(seed)
    model = drawn(of, rows_of(of.X), random)
    X = of.X.iloc[random.integers(0, len(of.X), FAULTY)].reset_index(drop=True)
    break_column(X, fault, ROLES[name], random)
    alarms = report(model, answered(model, X))["alarms"]
    return list(dict.fromkeys(a["column"] for a in alarms if a["column"] in X))
