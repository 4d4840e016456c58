"""The comparison of ONNX Runtime's answers with scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from onnxlet.convert.progress import advanced
from onnxlet.convert.reference.answers import Answers, Task, tied
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.nearest import MARGIN, equally_near
from onnxlet.convert.spacing import spaced_indices
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model
from onnxlet.function.serving.golden import differences, floor_of

TOLERANCE = 1e-5
ROOM = 0.1  # of the tolerance, that the first recipe to be taken may use
CHUNK = 1000
SINGLE_ROWS = 16  # that are sent one by one as well
# The answers to rows in signature order, by output name; InvalidRows where it refuses some.
Answering = Callable[[Sequence[Cells]], Mapping[str, Array]]


@dataclass
class Difference:
    """How far one output is off."""

    # Each row's largest difference, shape (rows,): of probabilities the absolute one counts, of
    # values the relative one.
    absolutes: Array
    relatives: Array
    wrong: list[int] = field(default_factory=list)  # positions of rows beyond the tolerance
    got: dict[int, Any] = field(default_factory=dict)  # what ONNX Runtime answered to these

    @property
    def absolute(self) -> float:
        """The largest absolute difference of all rows."""
        return float(self.absolutes.max(initial=0))

    @property
    def relative(self) -> float:
        """The largest relative difference of all rows."""
        return float(self.relatives.max(initial=0))

    def joined(self, other: Difference, count: int) -> Difference:
        """The differences of these rows, and of others that come after so many."""
        return Difference(
            np.concatenate([self.absolutes, other.absolutes]),
            np.concatenate([self.relatives, other.relatives]),
            self.wrong + [count + row for row in other.wrong],
            self.got | {count + row: answer for row, answer in other.got.items()},
        )

    def include(self, other: Difference) -> None:
        """Add what is off in other answers to the same rows."""
        self.absolutes = np.maximum(self.absolutes, other.absolutes)
        self.relatives = np.maximum(self.relatives, other.relatives)
        new = [row for row in other.wrong if row not in self.wrong]
        self.wrong = sorted([*self.wrong, *new])
        self.got |= {row: other.got[row] for row in new if row in other.got}

    def forgive(self, rows: Collection[int]) -> None:
        """Take rows out of the wrong ones and out of the largest differences."""
        self.wrong = [row for row in self.wrong if row not in rows]
        self.absolutes[list(rows)] = self.relatives[list(rows)] = 0.0


@dataclass
class Comparison:
    """What was measured between scikit-learn and ONNX Runtime; rows are their positions."""

    outputs: dict[str, Difference]  # by output name
    # Of each row, whether its two highest scores lie within the tolerance: either label is right.
    tied: Array
    refused: list[str] = field(default_factory=list)  # problems of rows that scikit-learn answers
    # Rows whose answer depends on rounding in scikit-learn itself.
    forgiven: frozenset[int] = frozenset()
    unstable: bool = False  # more rows than are forgiven are wrong, and rounding is why
    # Of outputs of numbers, the magnitude below which a difference counts against it.
    floors: Mapping[str, float | Array] = field(default_factory=dict)
    off: frozenset[str] = frozenset()  # the outputs that differed on some row, forgiven or not
    left_out: int = 0  # rows that were not compared: none could make up for those before

    def joined(self, other: Comparison) -> Comparison:
        """The comparison of these rows, and of others that come after them."""
        count = len(self.tied)
        return Comparison(
            {name: off.joined(other.outputs[name], count) for name, off in self.outputs.items()},
            np.concatenate([self.tied, other.tied]),
            self.refused + other.refused,
            self.forgiven | {count + row for row in other.forgiven},
            floors={
                name: np.maximum(floor, other.floors.get(name, 0.0))
                for name, floor in self.floors.items()
            },
            off=self.off | other.off,
        )

    def include(self, other: Comparison) -> None:
        """Add what was measured of other answers to the same rows."""
        for name, off in self.outputs.items():
            off.include(other.outputs[name])
        self.refused += other.refused
        self.forgiven |= other.forgiven
        self.unstable |= other.unstable
        self.off |= other.off

    @property
    def compared(self) -> int:
        """How many rows were compared."""
        return len(self.tied) - self.left_out

    @property
    def ties(self) -> int:
        """How many rows are tied."""
        return int(self.tied.sum())

    @property
    def doubtful(self) -> Array:
        """For each row, whether another answer would be as right."""
        doubtful = self.tied.copy()
        doubtful[list(self.forgiven)] = True
        return doubtful

    @property
    def wrong(self) -> list[int]:
        """Positions of the rows that are off in some output."""
        return sorted({row for off in self.outputs.values() for row in off.wrong})

    @property
    def misshapen(self) -> bool:
        """Whether some output has another shape than scikit-learn's, so that no row is compared."""
        return any(row not in off.got for off in self.outputs.values() for row in off.wrong)

    @property
    def passed(self) -> bool:
        """Whether every answer is equal within the tolerance."""
        return not self.refused and not any(d.wrong for d in self.outputs.values())

    @property
    def close(self) -> bool:
        """Whether the answers are so equal that other rows will hardly exceed the tolerance."""
        return self.passed and all(
            (d.absolute if name == "probabilities" else d.relative) <= ROOM * TOLERANCE
            for name, d in self.outputs.items()
        )


def answering(model: Model) -> Answering:
    """What a model answers to rows, validation included."""
    return lambda rows: model.run(validate_rows(rows, model.signature))


def compare(
    answer: Answering,
    task: Task,
    rows: Sequence[Cells],
    expected: Answers,
    floors: Mapping[str, float | Array] | None = None,
    *,
    spans: Sequence[range] = (),
    most_wrong: float = np.inf,
    singles: int = SINGLE_ROWS,
) -> Comparison:
    """Compare a function's answers with scikit-learn's to the same rows.

    Floors of outputs of numbers are as `floor_of` gives them if they are not given. Spans are the
    positions of all rows, in the order in which they are compared: where more than `most_wrong` of
    all but the last span are wrong, no others are compared. So many rows as `singles` are sent by
    themselves, too.
    """
    comparison = _none_compared(task, expected, len(rows))
    comparison.floors = floors = floors_by_scale(expected) if floors is None else floors
    for part, left_out in _batches(spans or [range(len(rows))], singles):
        advanced("comparing rows", part.start, len(rows))
        try:
            got = answer(rows[part])
        except InvalidRows as error:
            comparison.refused += [str(problem) for problem in error.problems]
            continue
        for name, difference in comparison.outputs.items():
            if name in got:  # others have fewer outputs
                floor = floors.get(name, 0.0)
                _add(difference, part.start, name, got[name], expected[name][part], floor)
        if left_out and len(comparison.wrong) > most_wrong:
            _forgive_ties(comparison, task, expected)
            if len(comparison.wrong) > most_wrong:
                comparison.left_out = left_out
                break
    _forgive_ties(comparison, task, expected)
    comparison.off = frozenset(name for name, off in comparison.outputs.items() if off.wrong)
    return comparison


def between(task: Task, expected: Answers, got: Answers) -> Comparison:
    """Compare answers of one and the same estimator to the same rows, in two precisions."""
    comparison = _none_compared(task, expected, len(expected["prediction"]))
    floors = floors_by_scale(expected)
    for name, difference in comparison.outputs.items():
        _add(difference, 0, name, got[name], expected[name], floors.get(name, 0.0))
    return comparison


def _none_compared(task: Task, expected: Answers, count: int) -> Comparison:
    return Comparison(
        {name: Difference(np.zeros(count), np.zeros(count)) for name in task.methods},
        tied(task, expected, TOLERANCE),
    )


def floors_by_scale(expected: Answers) -> dict[str, Array]:
    """The floors of each output of numbers, by its scale only."""
    return {name: floor_of(name, array) for name, array in expected.items() if _is_number(array)}


def _batches(spans: Sequence[range], singles: int) -> Iterator[tuple[slice, int]]:
    """All rows, and some again by themselves: the rows beside one must not change its answer.

    Behind each part is how many rows come after it, while it is not of the last span.
    """
    count = left = sum(map(len, spans))
    for number, span in enumerate(spans, start=1):
        for start in range(span.start, span.stop, CHUNK):
            part = slice(start, min(start + CHUNK, span.stop))
            left -= part.stop - part.start
            yield part, left if number < len(spans) else 0
    for row in spaced_indices(count, singles):
        yield slice(row, row + 1), 0


def _add(
    difference: Difference, start: int, name: str, got: Array, expected: Array, floor: float | Array
) -> None:
    if got.shape != expected.shape:
        positions = range(start, start + len(expected))
        difference.wrong += sorted(set(positions).difference(difference.wrong))
        difference.absolutes[:] = difference.relatives[:] = float("inf")
        return
    if not _is_number(expected):
        wrong = (got.astype(object) != expected.astype(object)).reshape(len(got), -1).any(axis=1)
    else:
        absolute, relative = differences(got, expected, floor)
        part = slice(start, start + len(expected))
        for kept, found in ((difference.absolutes, absolute), (difference.relatives, relative)):
            largest = found.reshape(len(found), -1).max(axis=1, initial=0)
            kept[part] = np.maximum(kept[part], largest)
        counted = absolute if name == "probabilities" else relative
        wrong = (~(counted <= TOLERANCE)).reshape(len(counted), -1).any(axis=1)
    for position in np.flatnonzero(wrong).tolist():
        if start + position not in difference.got:
            difference.wrong.append(start + position)
            difference.got[start + position] = got[position : position + 1].tolist()[0]


def _is_number(array: Array) -> bool:
    return array.dtype.kind == "f"


def _forgive_ties(comparison: Comparison, task: Task, expected: Answers) -> None:
    labels = comparison.outputs["prediction"]
    if MARGIN in expected:
        labels.wrong = [row for row in labels.wrong if not _is_other_order(labels, row, expected)]
    elif task.name in ("classification", "outlier"):
        labels.wrong = [row for row in labels.wrong if not comparison.tied[row]]


def _is_other_order(labels: Difference, row: int, expected: Answers) -> bool:
    """Whether a row's nearest are those expected, but for the order of equally near ones.

    Only of those that are as near as the next one, which is not among them, some may be others.
    Where numbers overflow, and all are infinitely far, scikit-learn repeats one.
    """
    if row not in labels.got:  # of another shape
        return False
    wanted, got = expected["prediction"][row].tolist(), labels.got[row]
    margin = expected[MARGIN][row : row + 1]
    same, near = equally_near(margin, TOLERANCE)[0].tolist(), (~np.isinf(margin[0])).tolist()
    start = 0
    for end in range(1, len(wanted) + 1):
        if end < len(wanted) and same[end - 1]:
            continue
        at_the_end = end == len(wanted) and end <= len(same) and same[end - 1]
        open_choice = at_the_end or not near[start]
        if not open_choice and sorted(got[start:end]) != sorted(wanted[start:end]):
            return False
        start = end
    return len(set(got)) >= len(set(wanted))
