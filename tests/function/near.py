"""Models that answer neighbours and recommendations, and what they should answer, in NumPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NearestNeighbors

from onnxlet.convert.estimators.ratings import Ratings
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array

K = 4
COLUMNS = ["price", "weight", "age"]
POINTS = np.round(np.random.default_rng(0).normal(size=(150, 3)), 2)
POINTS[140:] = POINTS[:10]  # the same products again: ties
LABELS = [f"product {number}" for number in range(150)]
ROWS = np.random.default_rng(1).normal(size=(30, 3))
FILMS = [f"Film {number}" for number in range(12)]


def nearest(rows: Array, k: int, points: Array = POINTS) -> tuple[Array, Array]:
    """Positions of the nearest points, the first of equals first, and their distances."""
    distances = np.sqrt(((rows[:, np.newaxis] - points) ** 2).sum(axis=2))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, axis=1)


def frame(values: Array) -> pd.DataFrame:
    """Rows with the columns' names."""
    return pd.DataFrame(values, columns=COLUMNS)


def rated(users: int, seed: int, films: int = len(FILMS)) -> pd.DataFrame:
    """Ratings in half points from 0.5 to 5, about half of them there."""
    random = np.random.default_rng(seed)
    taste = np.random.default_rng(99).normal(size=(films, 2))
    full = 3.2 + 0.8 * random.normal(size=(users, 2)) @ taste.T
    stars = np.clip(np.rint(2 * full) / 2, 0.5, 5.0)
    names = [f"Film {number}" for number in range(films)]
    return pd.DataFrame(np.where(random.random(full.shape) < 0.5, stars, np.nan), columns=names)


def sources() -> dict[str, Source]:
    """Fitted estimators and their held-out rows, by name."""
    products = frame(POINTS).set_axis(LABELS)
    numbered = products.set_axis([1000 + number for number in range(150)])
    fitted = NearestNeighbors(n_neighbors=K).fit(products)
    line = LinearRegression().fit(products, POINTS[:, 0])
    return {
        "products": Source(fitted, frame(ROWS), None, products),
        "numbered": Source(fitted, frame(ROWS), None, numbered),
        "plain": Source(NearestNeighbors(n_neighbors=K).fit(POINTS), ROWS),
        "films": Source(Ratings(n_factors=3, n_items=5).fit(rated(80, 0)), rated(40, 1)),
        "line": Source(line, frame(ROWS), ROWS[:, 0]),
    }
