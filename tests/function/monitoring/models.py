"""Models with a reference, and requests for them."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from onnxlet.convert.directory.reference_statistics import read
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array, Noted
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.monitoring import drift
from onnxlet.function.monitoring.gathered import Gathered
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import BinCounts, Figures
from tests.kept_builds import kept_builds

WORDS = ("good", "bad", "fine", "poor", "film", "plot", "cast", "end")


def built(source: Source, folder: Path, name: str = "m") -> Model:
    """The model of a source, built and loaded."""
    return load_model(kept_builds({name: source}, folder) / name / "1")


def reviews() -> Source:
    """Text, some of whose words the vocabulary has not."""
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(WORDS, random.integers(3, 12))) for _ in range(400)]
    texts = [f"{text} {random.choice(['zyx', 'good'])}" for text in texts]
    y = np.array(["good" in text for text in texts])
    model = make_pipeline(CountVectorizer(vocabulary=WORDS), LogisticRegression())
    return Source(model.fit(texts[:200], y[:200]), np.array(texts[200:]), y[200:], texts[:200])


def customers(rows: int = 4000, seed: int = 0) -> tuple[pd.DataFrame, Array]:
    """A table of numbers, whole numbers, booleans, categories, and gaps; and two labels."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": random.normal(45, 14, rows).clip(18, 90).round(),
            "income": np.where(
                random.random(rows) < 0.05, np.nan, random.lognormal(10, 0.6, rows).round(2)
            ),
            "visits": random.poisson(3, rows),
            "member": random.random(rows) < 0.4,
            "plan": random.choice(["basic", "plus", "pro"], rows, p=[0.6, 0.3, 0.1]),
            "region": random.choice([f"r{n}" for n in range(12)], rows),
        }
    )
    score = (X["age"] - 45) / 14 + X["member"] - 0.4 * (X["plan"] == "pro") * X["visits"]
    y = np.where(score + random.logistic(size=rows) > 0, "leaves", "stays")
    return X, y


def asked(model: Model, table: CheckedBatch, request_id: str = "r") -> Prediction:
    """What the service makes of a checked batch."""
    noted = Noted()
    outputs = model.run(table, noted=noted)
    return Prediction(request_id, model, table, outputs, table.rows, noted=noted)


def some(prediction: Prediction, rows: Any) -> Prediction:
    """Some rows of a batch, with their answers."""
    table = CheckedBatch(len(rows), [array[rows] for array in prediction.table.arrays])
    outputs = {name: array[rows] for name, array in prediction.outputs.items()}
    noted: Mapping[tuple[int, int], Any] = {
        at: np.array(shares)[rows].tolist() for at, shares in prediction.noted.items()
    }
    return prediction._replace(table=table, outputs=outputs, rows=len(rows), noted=noted)


def memory_of(make: Callable[[], object]) -> int:
    """Bytes that are held of what the function's counting made, whatever else has run meanwhile."""
    gc.collect()
    tracemalloc.start()
    try:
        made = make()
        gc.collect()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    assert made
    ours = (Path("function", "monitoring", name) for name in ("watch.py", "layout.py", "bins.py"))
    filters = [tracemalloc.Filter(True, f"*/{path}") for path in ours]
    return sum(each.size for each in snapshot.filter_traces(filters).statistics("filename"))


def in_parts(prediction: Prediction, sizes: Iterator[int]) -> Iterator[Prediction]:
    """A batch as several requests, one behind another."""
    start = 0
    while start < prediction.rows:
        end = min(start + next(sizes), prediction.rows)
        yield some(prediction, np.arange(start, end))
        start = end


def rows_of(X: pd.DataFrame) -> list[list[Any]]:
    """As a request has them."""
    cells = X.astype(object).where(X.notna(), None)
    return cells.to_numpy().tolist()


def answered(model: Model, X: pd.DataFrame) -> Prediction:
    """All rows of a table, asked as one batch."""
    return asked(model, read(model, rows_of(X)))


def report(model: Model, prediction: Prediction) -> dict[str, Any]:
    """What drift reports of one window of rows."""
    layout = Layout(model.manifest, model.signature)
    counts = layout.count(Gathered(prediction)).astype(np.uint32)
    seen = BinCounts(prediction.rows, counts)
    return drift.report(model, layout, Figures(0, seen, seen, {}))
