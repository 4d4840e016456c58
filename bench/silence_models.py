"""The models that costly bodies are sent to: one for each front end, and one of many classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.costly import MODELS


def build(folder: Path) -> Path:
    """A model for each front end, of columns `x0`, `x1`, … or of one array."""
    from onnxlet.convert.build import build as built
    from onnxlet.convert.sources.source import Source

    for name, source in sources().items():
        built(Source(*source), name, folder, lambda line: None)
    return folder


def sources() -> dict[str, tuple[Any, Any, Any]]:
    """Estimators, and rows and answers to prove them by."""
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(300, 784))
    labels = np.arange(300) % 100
    frame = pd.DataFrame(numbers[:, :30], columns=[f"x{index}" for index in range(30)])
    mixed = frame.iloc[:, :8].copy()
    mixed["x2"] = labels  # whole numbers
    mixed["x3"] = np.where(labels % 2, "a", "b")
    mixed["x4"] = labels > 3
    steps = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["x3"]), remainder="passthrough"
    )
    words = pd.Series([f"a good movie, n{n % 7} café" for n in range(300)], name="x0")
    fitted: dict[str, tuple[Any, Any, Any]] = {
        "numbers": (make_pipeline(StandardScaler(), LogisticRegression()), frame, labels),
        "array": (LogisticRegression(), numbers[:, :30], labels % 2),
        "wide": (Ridge(), numbers, labels.astype(float)),
        "mixed": (make_pipeline(steps, LogisticRegression(max_iter=2000)), mixed, labels % 2),
    }
    cuts: dict[str, Any] = {
        "words": CountVectorizer(ngram_range=(1, 3)),
        "accents": CountVectorizer(strip_accents="unicode"),
        "characters": CountVectorizer(analyzer="char", ngram_range=(1, 5), strip_accents="ascii"),
        "hashed": HashingVectorizer(ngram_range=(1, 2)),
    }
    made = {
        name: (estimator.fit(X[:200], y[:200]), X[200:], y[200:])
        for name, (estimator, X, y) in fitted.items()
    }
    for name, vectoriser in cuts.items():
        text = make_pipeline(vectoriser, LogisticRegression())
        made[name] = (text.fit(words[:200], labels[:200] % 2), words[200:], labels[200:] % 2)
    assert made.keys() == MODELS.keys()
    return made
