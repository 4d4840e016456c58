"""What the model leans on: how much worse it gets when a column's values are shuffled.

A. Fisher, C. Rudin, F. Dominici, "All models are wrong, but many are useful", Journal of Machine
Learning Research 20 (2019). The function itself is asked, with its own columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxlet.convert.report.evaluation.cost import microseconds
from onnxlet.convert.report.evaluation.evaluation import Subject
from onnxlet.convert.report.evaluation.intervals import DRAWS, generator, interval
from onnxlet.convert.report.evaluation.measures import Answered
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.validation import Table

REPEATS = 5
MOST_ROWS, FEWEST_ROWS = 5_000, 300
SECONDS = 5.0  # that the answers may take, by their cost


def importance(subject: Subject) -> dict[str, Any]:
    """Of each column, the most important first; those that the model ignores have zeros."""
    rows = _rows(subject)
    truth, answered = subject.truth.at(rows), subject.answered.at(rows)
    weights = np.concatenate(list(subject.resamples(rows)))
    base = subject.measure.value(truth, answered)
    independent = subject.units_of(rows)
    drawn = subject.measure.drawn(truth, answered, weights)
    table = part_of(subject.table, rows)
    found = []
    for name, shuffled in _columns(subject, table):
        lost, lost_drawn = [], np.full(DRAWS, np.nan)
        for repeat, other in enumerate(shuffled):
            mine = slice(repeat, None, REPEATS)  # each draw has one of the shuffles
            worse = _answers(subject, other, answered)
            lost.append(subject.measure.gain(base, subject.measure.value(truth, worse)))
            of_draws = subject.measure.drawn(truth, worse, weights[mine])
            lost_drawn[mine] = subject.measure.gain(drawn[mine], of_draws)
        found.append({"column": name, **interval(float(np.mean(lost)), lost_drawn, independent)})
    used = {each["column"] for each in found}
    ignored = [c.name for c in subject.model.signature.columns if c.name not in used]
    found += [{"column": name, "value": 0.0, "low": 0.0, "high": 0.0} for name in ignored]
    found.sort(key=lambda each: -each["value"] if np.isfinite(each["value"]) else np.inf)
    return {
        "metric": subject.measure.name,
        "title": subject.measure.title,
        "columns": found,
        "repeats": REPEATS,
        "rows": len(rows),
    }


def _rows(subject: Subject) -> Array:
    runs = REPEATS * max(1, len(subject.model.signature.columns))
    fitting = int(SECONDS * 1e6 / (runs * microseconds(subject.model)))
    return subject.sample(int(np.clip(fitting, FEWEST_ROWS, MOST_ROWS)), "importance")


def part_of(table: Table, rows: Array) -> Table:
    """Some rows of a batch."""
    return Table(len(rows), [array[rows] for array in table.arrays])


def replaced(table: Table, block: int, position: int, values: Array) -> Table:
    """The batch with other values in one column."""
    arrays = list(table.arrays)
    arrays[block] = arrays[block].copy()
    arrays[block][:, position] = values
    return Table(table.rows, arrays)


def _columns(subject: Subject, table: Table) -> Iterator[tuple[str, Iterator[Table]]]:
    """Each column of the graph, and the batches in which it is shuffled."""
    for block, own in enumerate(subject.model.signature.blocks):
        for position, column in enumerate(own.columns):
            random = generator(subject.measured.seed, f"importance {column.name}")
            yield column.name, _shuffled(table, block, position, random)


def _shuffled(
    table: Table, block: int, position: int, random: np.random.Generator
) -> Iterator[Table]:
    values = table.arrays[block][:, position]
    for _ in range(REPEATS):
        yield replaced(table, block, position, values[random.permutation(table.rows)])


def _answers(subject: Subject, table: Table, answered: Answered) -> Answered:
    """The answers to shuffled rows; a row that is refused keeps its own."""
    found, good = subject.ask(table)
    if good.all():
        return found
    parts = zip(found, answered, strict=True)
    kept = [None if f is None or a is None else _kept(f, a, good) for f, a in parts]
    return Answered(*kept)  # type: ignore[arg-type]


def _kept(found: Array, own: Array, good: Array) -> Array:
    return np.where(good.reshape(-1, *[1] * (own.ndim - 1)), found, own)
