"""Where the rows of a table stand in the file that they were read from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from onnxlet.function.arrays import Array

LINE, SHEET_ROW, ROW = "line", "row of the sheet", "row"
SHOWN = 3


class Places(NamedTuple):
    """Where rows stand: each begins in a line, or is a row of a sheet or of what has no lines."""

    numbers: Array  # int64 (rows,), counted from 1
    unit: str = ROW  # that they count: LINE, SHEET_ROW or ROW
    file: str = ""  # the file's name, "" for a frame

    @classmethod
    def of_rows(cls, positions: Array, file: str = "") -> Places:
        """Of rows by their positions from 0, where there are no lines."""
        return cls(np.asarray(positions, np.int64) + 1, ROW, file)

    def at(self, rows: Array) -> Places:
        """Those of some rows, by a mask or by positions."""
        return self._replace(numbers=self.numbers[rows])


def placed(places: Places, rows: Array) -> str:
    """Where rows stand, by positions, in words: the first of them."""
    numbers = [f"{number:,}" for number in places.numbers[rows[:SHOWN]]]
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    plural = places.unit.replace("line", "lines").replace("row", "rows")
    file = f"'{places.file}', " if places.file else ""
    return f"{file}{places.unit if len(rows) == 1 else plural} {', '.join(numbers)}{more}"
