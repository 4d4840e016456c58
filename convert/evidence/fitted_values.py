"""Rows made of the numbers that an estimator has kept: edges, borders, bins, training rows.

Where it interpolates between numbers, each of its intervals gets a row; where it measures
distances, rows lie on the points that it knows, and halfway between two of them. Borders and bins
are those that its registration knows: CatBoost's borders also count where they are part of a
combination with categories. In a sum of terms over bins (interpret's) a pair of features has a
score for each pair of bins, and most of these no held-out row falls into.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

import numpy as np

from onnxlet.convert.converters.registration import Term
from onnxlet.convert.converters.registry import converters
from onnxlet.convert.evidence.rows import FLOATS, changed
from onnxlet.convert.evidence.thresholds import around
from onnxlet.convert.reference.column_groups import breadth, fewer, is_wide
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced, spaced_indices
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column

EDGES = 3000  # at most so many rows on and between edges
POINTS = 100  # of each estimator that are tried
KNOWN_POINTS = (
    "_fit_X", "support_vectors_", "cluster_centers_", "subcluster_centers_", "centroids_",
    "X_train_", "X_fit_", "means_", "theta_",
)  # fmt: skip
FAR_PAIRS = 60  # of columns in which rows are far off
FEWEST, FEWEST_POINTS, FEWEST_PAIRS = 300, 8, 4  # rows, points and pairs, however wide rows are
FAR_OFF = (1e15, -1e15, 1e30, -1e30)
NUMBERS = (*FLOATS, "int64")
BORDERS = 400  # at most so many are tried, evenly spaced
MOST_BASES = 20  # rows that each is tried in, where there are fewer
CELLS = 4000  # rows, evenly spaced where terms have more cells


def at_fitted_values(
    columns: Sequence[Column],
    rows: Sequence[Cells],
    estimator: Any,
    tried: Collection[int],
) -> list[Cells]:
    """Rows made of what the parts have kept that are given the columns by name, or all of them.

    The other cells are those of held-out rows. Edges are tried of the columns at the `tried`
    positions.
    """
    width = breadth(len(columns), estimator)
    edges: list[tuple[int, Any]] = []
    made: list[Cells] = []
    for part in parts_of(estimator):
        positions = _positions(columns, part)
        if positions:
            edges += _edges(columns, positions, part, tried)
            made += _at_points(columns, positions, rows, part)
    if is_wide(width):
        made = evenly_spaced(made, fewer(EDGES, width, FEWEST))
    some = evenly_spaced(edges, fewer(EDGES, width, FEWEST))
    for number, (position, value) in enumerate(some):
        made.append(changed(rows[number % len(rows)], [position], [value]))
    return made


def _positions(columns: Sequence[Column], part: Any) -> list[int]:
    """Positions of the columns that a part is given, as far as its names or their number show."""
    names = getattr(part, "feature_names_in_", None)
    known = {column.name: position for position, column in enumerate(columns)}
    if names is not None:
        return [known[str(name)] for name in names] if set(map(str, names)) <= set(known) else []
    return list(range(len(columns))) if getattr(part, "n_features_in_", 0) == len(columns) else []


def _edges(
    columns: Sequence[Column],
    positions: Sequence[int],
    part: Any,
    tried: Collection[int],
) -> Iterator[tuple[int, Any]]:
    """Values on both sides of each edge, and between two edges."""
    for position, edges in zip(positions, _edges_by_column(part, len(positions)), strict=False):
        known = position in tried and not columns[position].categories
        if known and columns[position].type in NUMBERS:
            for value in _around(edges):
                yield position, int(value) if columns[position].type == "int64" else value


def _edges_by_column(part: Any, width: int) -> list[Array]:
    bins = getattr(part, "bin_edges_", None)
    if bins is not None:
        return [np.asarray(edges, dtype=np.float64) for edges in bins]
    quantiles = getattr(part, "quantiles_", None)
    if getattr(quantiles, "shape", (0, 0))[1:] == (width,):
        return list(np.asarray(quantiles).T)
    splines = getattr(part, "bsplines_", None)
    if splines is not None:
        return [np.asarray(spline.t) for spline in splines]
    steps = getattr(part, "X_thresholds_", None)
    return [np.asarray(steps)] if steps is not None else []


def _around(edges: Array) -> Iterator[float]:
    known = np.unique(edges[np.isfinite(edges)].astype(np.float64))
    for edge in known.tolist():
        yield from (edge, *(float(np.nextafter(edge, end)) for end in (np.inf, -np.inf)))
    yield from (known[:-1] / 2 + known[1:] / 2).tolist()


def _at_points(
    columns: Sequence[Column], positions: Sequence[int], rows: Sequence[Cells], part: Any
) -> Iterator[Cells]:
    """Rows on known points, halfway from each to the next and to a held-out row, and beyond."""
    for name in KNOWN_POINTS:
        found = vars(part).get(name)
        if not isinstance(found, np.ndarray) or found.shape[1:] != (len(positions),):
            continue
        if any(columns[position].type not in FLOATS for position in positions):
            continue
        points = np.asarray(found, dtype=np.float64)
        points = points[spaced_indices(len(points), fewer(POINTS, len(columns), FEWEST_POINTS))]
        centre = points.mean(axis=0)
        yield from _far_off(positions, rows)
        for number, point in enumerate(points):
            row = rows[number % len(rows)]
            yield _put(row, positions, point)
            yield _put(row, positions, point / 2 + points[number - 1] / 2)
            yield _put(row, positions[::2], point[::2])
            yield _put(row, positions, point + (point - centre) / 2)


def _far_off(positions: Sequence[int], rows: Sequence[Cells]) -> Iterator[Cells]:
    """Rows so far off in two columns that distances to all points are the same but for rounding."""
    pairs = ((a, b) for a in positions for b in positions if a != b)
    most = fewer(FAR_PAIRS, len(positions), FEWEST_PAIRS)
    for number, pair in enumerate(islice(pairs, most)):
        for first in FAR_OFF:
            for second in FAR_OFF:
                row = rows[number % len(rows)]
                yield _put(row, pair, np.array([first, second]))


def _put(row: Cells, positions: Sequence[int], values: Array) -> Cells:
    return changed(row, positions, [None if v != v else v for v in values.tolist()])


def at_borders(columns: Sequence[Column], rows: Sequence[Cells], estimator: Any) -> list[Cells]:
    """Rows on both sides of borders of columns that come in as they are seen.

    Their other cells are from several held-out rows.
    """
    random = np.random.default_rng(0)
    made: list[Cells] = []
    found = [
        (positions[index], border)
        for positions, borders in known_of_columns(_names(columns), estimator, "borders")
        for index, border in borders
    ]
    some = evenly_spaced(found, BORDERS)
    for position, border in some * min(MOST_BASES, BORDERS // max(1, len(some))):
        picks = random.integers(0, len(rows), len(columns)).tolist()
        mixed = [rows[pick][index] for index, pick in enumerate(picks)]
        for value in around(columns[position], border, np.float32):
            made.append(changed(mixed, [position], [value]))
    return made


def in_bins(columns: Sequence[Column], rows: Sequence[Cells], estimator: Any) -> list[Cells]:
    """A row for each cell of each term, the other columns as in a held-out row."""
    made = [
        changed(rows[number % len(rows)], where, values)
        for positions, terms in known_of_columns(_names(columns), estimator, "terms")
        if len(positions) == len(columns)
        for number, (where, values) in enumerate(_cells(columns, positions, terms))
    ]
    return list(evenly_spaced(made, CELLS))


def _names(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns]


def known_of_columns(
    names: Sequence[str], estimator: Any, name: str
) -> Iterator[tuple[list[int], Sequence[Any]]]:
    """What is registered by a name of each part that is given the columns as they come in.

    Each behind the positions of the part's own columns: by their names, or all in their order.
    """
    at = {name: position for position, name in enumerate(names)}
    for part in parts_of(estimator):
        if found := converters().inherited(type(part), name):
            own, known = found(part)
            if set(own) <= at.keys():
                yield [at[one] for one in own], known
            elif len(own) == len(names):
                yield list(range(len(own))), known


def _cells(
    columns: Sequence[Column], positions: Sequence[int], terms: Sequence[Term]
) -> Iterator[tuple[list[int], tuple[Any, ...]]]:
    for features, bins in terms:
        where = [positions[int(feature)] for feature in features]
        for chosen in product(*(_values(columns[p], b) for p, b in zip(where, bins, strict=True))):
            yield where, chosen


def _values(column: Column, bins: Any) -> list[Any]:
    """A value of each bin: its lower edge, and what comes just below the next one."""
    if isinstance(bins, Mapping):
        found = [_of_text(column, text) for text in bins]
        values = [value for value in found if value is not None]
    elif column.type == "bool":
        values = [False, True]
    elif column.type == "int64":
        edges = np.unique(np.ceil(bins)).astype(int).tolist()
        values = sorted({*edges, *(edge - 1 for edge in edges)})
    else:
        below = np.nextafter(bins, -np.inf)
        values = np.unique(np.concatenate([bins, below])).tolist()
    return [*values, None] if column.nullable else values


def _of_text(column: Column, text: str) -> Any:
    """The value that a category's text stands for; None where the column has none."""
    if column.image:
        return None
    if column.type == "string":
        return text
    if column.type == "bool":
        return {"0": False, "1": True}.get(text)
    try:
        return int(text) if column.type == "int64" else float(text)
    except ValueError:
        return None
