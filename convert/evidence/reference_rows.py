"""Rows made of the numbers that an estimator has kept: edges of bins, quantiles, training rows.

Where it interpolates between numbers, each of its intervals gets a row; where it measures
distances, rows lie on the points that it knows, and halfway between two of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.probing import parts_of
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.signature import Column

EDGES = 3000  # at most so many rows on and between edges
POINTS = 100  # of each estimator that are tried
KNOWN_POINTS = (
    "_fit_X", "support_vectors_", "cluster_centers_", "subcluster_centers_", "centroids_",
    "X_train_", "X_fit_", "means_", "theta_",
)  # fmt: skip
PAIRS = 60  # of columns in which rows are far off
FAR = (1e15, -1e15, 1e30, -1e30)
NUMBERS = ("float64", "float32", "int64")


def rows_of_references(
    columns: Sequence[Column], rows: Sequence[Cells], estimator: Any
) -> list[Cells]:
    """Made of what the parts have kept that are given the columns by name, or all of them."""
    edges: list[tuple[int, Any]] = []
    made: list[Cells] = []
    for part in parts_of(estimator):
        places = _places(columns, part)
        if places:
            edges += _edges(columns, places, part)
            made += _at_points(columns, places, rows, part)
    picks = np.unique(np.linspace(0, len(edges) - 1, min(EDGES, len(edges))).astype(int))
    for number, (place, value) in enumerate(edges[pick] for pick in picks.tolist()):
        row = rows[number % len(rows)]
        made.append([*row[:place], value, *row[place + 1 :]])
    return made


def _places(columns: Sequence[Column], part: Any) -> list[int]:
    """Of the columns that a part is given, as far as can be told."""
    names = getattr(part, "feature_names_in_", None)
    known = {column.name: place for place, column in enumerate(columns)}
    if names is not None:
        return [known[str(name)] for name in names] if set(map(str, names)) <= set(known) else []
    return list(range(len(columns))) if getattr(part, "n_features_in_", 0) == len(columns) else []


def _edges(
    columns: Sequence[Column], places: Sequence[int], part: Any
) -> Iterator[tuple[int, Any]]:
    """Values on both sides of each edge, and between two edges."""
    for place, edges in zip(places, _edges_by_column(part, len(places)), strict=False):
        if columns[place].type in NUMBERS and not columns[place].categories:
            for value in _around(edges):
                yield place, int(value) if columns[place].type == "int64" else value


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
    columns: Sequence[Column], places: Sequence[int], rows: Sequence[Cells], part: Any
) -> Iterator[Cells]:
    """Rows on known points, halfway from each to the next and to a held-out row, and beyond."""
    for name in KNOWN_POINTS:
        found = vars(part).get(name)
        if not isinstance(found, np.ndarray) or found.shape[1:] != (len(places),):
            continue
        if any(columns[place].type not in NUMBERS[:2] for place in places):
            continue
        points = np.asarray(found, dtype=np.float64)
        points = points[np.unique(np.linspace(0, len(points) - 1, POINTS).astype(int))]
        centre = points.mean(axis=0)
        yield from _far_off(places, rows)
        for number, point in enumerate(points):
            row = rows[number % len(rows)]
            yield _put(row, places, point)
            yield _put(row, places, point / 2 + points[number - 1] / 2)
            yield _put(row, places[::2], point[::2])
            yield _put(row, places, point + (point - centre) / 2)


def _far_off(places: Sequence[int], rows: Sequence[Cells]) -> Iterator[Cells]:
    """Rows so far off in two columns that distances to all points are the same but for rounding."""
    pairs = [(a, b) for a in places for b in places if a != b][:PAIRS]
    for number, pair in enumerate(pairs):
        for first in FAR:
            for second in FAR:
                row = rows[number % len(rows)]
                yield _put(row, pair, np.array([first, second]))


def _put(row: Cells, places: Sequence[int], values: Array) -> Cells:
    made = list(row)
    for place, value in zip(places, values.tolist(), strict=True):
        made[place] = None if np.isnan(value) else value
    return made
