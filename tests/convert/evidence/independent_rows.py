"""Rows within a signature, made without the rows that builds are judged on.

They say whether a mutation changes an answer at all: thousands of rows, with cells that are
seen, moved, missing, at every constant of the graph and beside it, known categories and others.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxlet.convert.dates import written
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column
from tests.convert.images import encoded, noise

Random = np.random.Generator
Run = Callable[[Sequence[Cells]], Array]

ROWS = 3000
MAGNITUDES = (0.0, 1.0, -1.0, 1e3, -1e3, 1e7, -1e7, 1e15, -1e15, 1e30, -1e30)
OTHER_TEXTS = ("", "nan", "None", "another", "ÄÖÜ", " spaced ")
HALVINGS = 60
FIRST_DAY, HOURS = datetime(1990, 1, 1), 50 * 365 * 24
CUTS = 300  # pairs of rows between which an answer's jump is looked for
ON_THRESHOLD = 40  # rows that each threshold of a tree is tried in


def independent_rows(
    columns: Sequence[Column], rows: Sequence[Cells], proto: onnx.ModelProto, run: Run
) -> list[Cells]:
    """ROWS and more.

    Args:
        columns: of the signature.
        rows: held-out ones.
        proto: its constants are tried as values.
        run: the conversion's answers, of shape (rows, …).
    """
    random = np.random.default_rng(7)
    constants = _constants(proto)
    makers = [_cell_maker(column, place, rows, constants) for place, column in enumerate(columns)]
    made = [list(rows[place]) for place in random.integers(0, len(rows), ROWS)]
    for number, row in enumerate(made):
        changed = len(row) if number % 3 == 0 else 1 + number % 3
        for place in random.permutation(len(row))[:changed].tolist():
            row[place] = makers[place](random)
    made += _on_splits(columns, rows, proto, random)
    made += _beside_jumps(columns, rows, run, random)
    return [row for row in made if all(map(allows, columns, row))]


def allows(column: Column, cell: Any) -> bool:
    """Whether the signature has room for a cell."""
    if not column.required:
        return True
    if cell is None:
        return column.nullable
    if column.categories is not None:
        return cell in column.categories
    if isinstance(cell, str | bool):
        return not column.date or column.takes(str(cell))
    if not math.isfinite(cell):
        return column.infinite and not math.isnan(cell)
    low = column.minimum is None or cell >= column.minimum
    return low and (column.maximum is None or cell <= column.maximum)


def _constants(proto: onnx.ModelProto) -> list[float]:
    """Numbers that the graph holds, up to some thousands."""
    arrays = [
        numpy_helper.to_array(tensor)
        for tensor in proto.graph.initializer
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    ]
    arrays += [splits for _, splits in _splits(proto)]
    flat = np.concatenate([array.ravel().astype(np.float64) for array in arrays] or [np.zeros(1)])
    found = np.unique(flat[np.isfinite(flat)])
    return found[:: max(1, len(found) // 3000)].tolist() or [0.0]


def _splits(proto: onnx.ModelProto) -> Iterator[tuple[Array, Array]]:
    """Features and thresholds of every ensemble of trees."""
    for node in proto.graph.node:
        if node.op_type == "TreeEnsemble":
            values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            splits = numpy_helper.to_array(values["nodes_splits"])
            yield np.asarray(values["nodes_featureids"]), splits


def _cell_maker(
    column: Column, place: int, rows: Sequence[Cells], constants: Sequence[float]
) -> Callable[[Random], Any]:
    seen = [row[place] for row in rows]
    known = [cell for cell in seen if cell is not None]

    def make(random: Random) -> Any:
        if column.nullable and random.random() < 0.2:
            return None
        if column.categories is not None:
            return column.categories[int(random.integers(len(column.categories)))]
        if column.date:
            return written(column, FIRST_DAY + timedelta(hours=int(random.integers(HOURS))))
        if column.image:
            side = int(random.integers(1, 40))
            return b64encode(encoded(noise(int(random.integers(2**31)), side, side))).decode()
        if column.type == "string":
            return _text(random, known)
        if column.type == "bool":
            return bool(random.random() < 0.5)
        number = _number(random, known, constants)
        if column.type == "int64":
            return int(max(-(2.0**62), min(2.0**62, number)))
        return float(np.float32(number)) if column.type == "float32" else number

    return make


def _text(random: Random, known: Sequence[str]) -> str:
    one, other = (known[int(place)] for place in random.integers(0, len(known), 2))
    way = random.integers(4)
    if way == 0:
        return one
    if way == 1:
        return OTHER_TEXTS[int(random.integers(len(OTHER_TEXTS)))]
    words = f"{one} {other}".split() or [one]
    if way == 2:
        return " ".join(random.choice(words, int(random.integers(1, 12))).tolist())
    return " ".join([*words[:3], *words[:2]])


def _number(random: Random, known: Sequence[float], constants: Sequence[float]) -> float:
    way = random.integers(6)
    one = float(known[int(random.integers(len(known)))])
    if way == 0:
        return one
    if way == 1:
        return one * (1 + 0.1 * random.normal())
    if way == 2:
        low, high = min(known), max(known)
        return float(random.uniform(low - (high - low) / 2, high + (high - low) / 2))
    if way == 3:
        return float(MAGNITUDES[int(random.integers(len(MAGNITUDES)))])
    near = one if way == 4 else constants[int(random.integers(len(constants)))]
    return _neighbours(near)[int(random.integers(6))]


def _neighbours(number: float) -> list[float]:
    with np.errstate(over="ignore"):
        single = np.float32(number)
        ends = (np.float32(np.inf), np.float32(-np.inf))
        return [
            number,
            *(float(np.nextafter(number, float(end))) for end in ends),
            float(single),
            *(float(np.nextafter(single, end)) for end in ends),
        ]


def _on_splits(
    columns: Sequence[Column], rows: Sequence[Cells], proto: onnx.ModelProto, random: Random
) -> list[Cells]:
    """Each threshold of trees that see the columns themselves, in many rows."""
    made = []
    for features, splits in _splits(proto):
        both = np.unique(np.stack([features.astype(np.float64), splits], axis=1), axis=0)
        for feature, split in both[random.permutation(len(both))[:400]].tolist():
            if feature < len(columns) and columns[int(feature)].type in ("float64", "float32"):
                for place in random.integers(0, len(rows), ON_THRESHOLD).tolist():
                    row = list(rows[place])
                    row[int(feature)] = _neighbours(split)[int(random.integers(6))]
                    made.append(row)
    return made


def _beside_jumps(
    columns: Sequence[Column], rows: Sequence[Cells], run: Run, random: Random
) -> list[Cells]:
    """Both sides of where the conversion's answer jumps between two rows, one column moved."""
    wide = [place for place, c in enumerate(columns) if c.type in ("float64", "float32")]
    wide = [place for place in wide if columns[place].required and not columns[place].categories]
    if not wide:
        return []
    starts = []
    for _ in range(CUTS):
        place = int(random.choice(wide))
        a, b = (rows[int(pick)] for pick in random.integers(0, len(rows), 2))
        if a[place] is not None and b[place] is not None:
            starts.append((a, place, float(a[place]), float(b[place])))
    ends = np.array([start[2:] for start in starts])

    def at(values: Array) -> Array:
        moved = [
            [*row[:place], value, *row[place + 1 :]]
            for (row, place, _, _), value in zip(starts, values.tolist(), strict=True)
        ]
        return run(moved).reshape(len(moved), -1)

    low, high = ends[:, 0].copy(), ends[:, 1].copy()
    first = at(low)
    for _ in range(HALVINGS):
        middle = low / 2 + high / 2
        same = (at(middle) == first).all(axis=1)
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return [
        [*row[:place], value, *row[place + 1 :]]
        for (row, place, _, _), pair in zip(starts, zip(low, high, strict=True), strict=True)
        for near in pair
        for value in _neighbours(float(near))[:3]
    ]
