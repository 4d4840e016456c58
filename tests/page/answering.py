"""Models for the browser whose answers are neither a number nor one of a few labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestNeighbors

from onnxlet import Ratings, Summary
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.imported.text_options import TextOptions
from onnxlet.convert.sources.source import Source
from tests.conftest import quiet
from tests.convert.imported import translators
from tests.function import near
from tests.kept_builds import kept_builds

MARKED = "<b>coffee</b>"
FILMS = 30
DOCUMENTS = [
    "It rained. The river rose by two metres. Nobody slept. It rained. The town was saved.",
    "The river is long.\nIts banks are green. Fish live in it, and otters. The town drinks of it.",
    "A town burned. Its river was dry. Rain came too late. The town was built again, in stone.",
]


def products() -> Source:
    """150 points and their names, the last of which is no markup."""
    labels = [*near.LABELS[:-1], MARKED]
    points = near.frame(near.POINTS).set_axis(labels)
    fitted = NearestNeighbors(n_neighbors=near.K).fit(points)
    return Source(fitted, near.frame(near.ROWS), None, points)


def films() -> Source:
    """Ratings of 30 films by 80 users."""
    fitted = Ratings(n_factors=3, n_items=5).fit(near.rated(80, 0, FILMS))
    return Source(fitted, near.rated(40, 1, FILMS))


def kinds() -> Source:
    """One number, thirty classes along it."""
    X = pd.DataFrame({"size": np.arange(600.0)})
    y = np.array([f"kind {k // 20}" for k in range(600)])
    return Source(GaussianNB().fit(X, y), X[::7] + 0.5, y[::7], X)


def two_prices() -> Source:
    """Two numbers, with an interval each."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(400, 2)), columns=["a", "b"])
    y = X.to_numpy() @ [[1, 2], [3, -1]] + random.normal(size=(400, 2)) * [1, 5]
    return Source(LinearRegression().fit(X[:200], y[:200]), X[200:], y[200:], X[:200])


def build_answering(folder: Path) -> None:
    """Each as a model of its name; `summary` and `shouted`, which writes text, beside them."""
    made = (products, films, kinds, two_prices)
    sources = {make.__name__.replace("_", "-"): make() for make in made}
    texts = pd.Series(DOCUMENTS, name="text")
    sources["summary"] = Source(Summary(sentences=2).fit(DOCUMENTS), texts)
    kept_builds(sources, folder)
    files = translators.save_all(
        folder.parent / "texts", translators.encoder(), translators.whole()
    )
    options = TextOptions(files["decoder"], files["vocabulary"])
    import_onnx(files["encoder"], "shouted", folder, quiet, texts=options)
