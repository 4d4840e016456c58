"""Models beside those of every test: texts, and further forms of answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.sources.source import Source
from tests.estimators import every_task

PRAISE = ["good", "LOVELY", "crème brûlée!", "真的 很好", "ΣΊΣΥΦΟΣ", "don't stop"]
BLAME = ["bad", "Awful,", "naïve", "½", "不好", "İstanbul'da", "never again"]
MORE = ("deviation", "outliers", "several-outputs")


def reviews() -> Source:
    """A text in any script, beside a number."""
    random = np.random.default_rng(5)
    liked = random.random(120) < 0.5
    texts = [" ".join(random.choice(PRAISE if like else BLAME, 5)) for like in liked]
    X = pd.DataFrame({"text": texts, "stars": random.normal(3 + liked, 1).round(1)})
    words = TfidfVectorizer(ngram_range=(1, 2), strip_accents="unicode")
    columns = make_column_transformer((words, "text"), (StandardScaler(), ["stars"]))
    y = np.where(liked, "praise", "blame")
    return Source(make_pipeline(columns, LogisticRegression()).fit(X[:80], y[:80]), X[80:], y[80:])


def further() -> dict[str, Source]:
    """By name."""
    tasks = every_task()
    return {"reviews": reviews(), **{name: tasks[name] for name in MORE}}
