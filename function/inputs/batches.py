"""Batches that are read in parts, or of which some rows are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from onnxlet.function import deadline
from onnxlet.function.arrays import Array, LateArrays
from onnxlet.function.errors import InvalidRows, Problem, Problems
from onnxlet.function.numpy_later import np

Faults = Mapping[int, str]
Read = Callable[[Sequence[Any], Faults], Sequence[Array]]  # the arrays of rows


class LeftOut:
    """Collects the rows that are left out of a table, since they can't be answered.

    `kept` are the indices of all others, `problems` say why some were left out.
    """

    def __init__(self, kept: Iterable[int] = ()) -> None:
        self.kept = list(kept)
        self.problems = Problems()

    def leave(self, found: Sequence[Problem]) -> list[int]:
        """Leave out further rows, by what is wrong with some of the kept ones.

        Their positions, and those of all others that are returned, are among the kept ones.
        """
        bad = {each.row for each in found}
        good = [position for position in range(len(self.kept)) if position not in bad]
        self.problems.first += [each._replace(row=self.kept[each.row or 0]) for each in found]
        self.problems.count += len(found)
        self.kept = [self.kept[position] for position in good]
        return good


def good_rows(
    rows: Sequence[Any], faults: Faults, read: Read
) -> tuple[Sequence[Array], list[int], list[Problem]]:
    """The arrays of the rows that are right, which these are, and what is wrong with the others."""
    left_out = LeftOut(range(len(rows)))
    arrays: Sequence[Array] = []
    while left_out.kept:
        try:
            arrays = read(rows, faults)
            break
        except InvalidRows as error:
            good = left_out.leave(error.every)
        # Again: lists whose sizes disagree are looked for where nothing else is wrong.
        rows, faults = [rows[n] for n in good], {}
    problems = sorted(left_out.problems.first, key=lambda problem: problem.row or 0)
    return arrays, left_out.kept, problems


def parts_of(
    rows: Sequence[Any], faults: Faults, at_once: int
) -> Iterator[tuple[Sequence[Any], Faults]]:
    """Neighbouring rows, so many at once, and the faults by their positions among these."""
    parts = rows.parts() if hasattr(rows, "parts") else [(rows, faults)]
    for whole, known in parts:
        for start in range(0, len(whole), at_once):
            part = whole[start : start + at_once]
            yield part, {n: known[n + start] for n in range(len(part)) if n + start in known}


class Gathered:
    """Builds a table from parts of a batch of so many rows.

    `left_out` takes the rows that are wrong; None has them refused.
    """

    def __init__(self, rows: int, left_out: LeftOut | None = None) -> None:
        self._rows = rows
        self._left_out = left_out
        self._problems = Problems() if left_out is None else left_out.problems
        self._arrays: list[Array] = []
        self._late: LateArrays | None = None  # instead, of one part only
        self._hints = set[str]()  # of every part; an empty one of parts that are right
        self._seen = self._filled = 0

    def read(self, rows: Sequence[Any], faults: Faults, read: Read) -> None:
        """Check the next rows, and add them or their problems."""
        if self._left_out is None:
            return self.take(len(rows), partial(read, rows, faults))
        deadline.check()
        arrays, kept, problems = good_rows(rows, faults, read)
        self._problems.add(problems, self._seen)
        if kept:
            self._add(arrays)
        self._left_out.kept += [self._seen + row for row in kept]
        self._seen += len(rows)

    def take(self, size: int, read: Callable[[], Sequence[Array]]) -> None:
        """Add the next rows as `read` returns them; none are left out."""
        deadline.check()
        try:
            arrays = read()
        except InvalidRows as error:
            self._problems.add(error.every, self._seen)
            self._hints.add(error.hint)
        else:
            self._hints.add("")
            if not self._problems.count:
                self._add(arrays)
        self._seen += size

    def _add(self, arrays: Sequence[Array]) -> None:
        if not self._filled and isinstance(arrays, LateArrays):  # few rows, which may be all
            self._late, self._filled = arrays, arrays.cells[0].shape[0]
            return
        if self._late is not None:
            late, self._late, self._filled = self._late, None, 0
            self._add([*late])
        if not self._arrays:
            self._arrays = [np.empty((self._rows, *each.shape[1:]), each.dtype) for each in arrays]
        end = self._filled + len(arrays[0])
        for whole, part in zip(self._arrays, arrays, strict=True):
            whole[self._filled : end] = part
        self._filled = end

    def table(self) -> tuple[int, Sequence[Array]]:
        """How many rows there are, and their arrays.

        Raises InvalidRows where something is wrong, and is not left out.
        """
        if self._left_out is None and self._problems.count:
            hint = self._hints.pop() if len(self._hints) == 1 else ""
            raise InvalidRows(self._problems.first, self._problems.count, hint=hint)
        if self._late is not None:
            return self._filled, self._late
        return self._filled, [array[: self._filled] for array in self._arrays]
