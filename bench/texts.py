"""One text through the handler against the scikit-learn pipeline's own `predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from bench.in_process import taking_turns
from onnxlet.convert.examples.sentiment_english import DATA
from onnxlet.function import json_text
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict


def texts() -> tuple[Any, Any, Any]:
    """Tf-idf of words and pairs of words of film reviews, and a logistic regression."""
    frame = pd.read_csv(DATA)
    good = np.where(frame["score"] > 0, "good", "bad")
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = make_pipeline(vectoriser, LogisticRegression(max_iter=300))
    return model.fit(frame["text"][:9000], good[:9000]), frame["text"][9000:], good[9000:]


def measure(directory: Path, estimator: Any, X_test: Any) -> dict[str, float]:
    """Medians in milliseconds: JSON to JSON here, a list to an array there."""
    model, text = load_model(directory), str(X_test.iloc[0])
    body = orjson.dumps({"instances": [[text]]})

    def ours() -> bytes:
        call = native.from_object(json_text.loads(body))
        return native.encode(predict(model, call), call).body

    assert orjson.loads(ours())["prediction"] == estimator.predict([text]).tolist()
    return taking_turns({"ours": ours, "scikit-learn": lambda: estimator.predict([text])}, 20)
