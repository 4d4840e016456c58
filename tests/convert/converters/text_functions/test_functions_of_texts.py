"""Functions of a column of texts as people write them: followed exactly, or refused."""

from __future__ import annotations

import itertools
import re
import string
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from onnxlet import DateParts
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.convert.sources.source import Source
from tests.convert.converters.extraction.test_text import ROWS
from tests.convert.exactness import answers, expected
from tests.convert.helpers import built, served

POSITIVE = {"good", "great", "好"}
VOWELS = "aeiou"
TEXTS = [text for text in ROWS if text.strip()]


def upper_share(text: str) -> float:
    return sum(character.isupper() for character in text) / max(len(text), 1)


def described(text: str) -> list[float]:
    words = text.split()
    lengths = [len(word) for word in words]
    return [len(words), sum(lengths) / len(words), max(lengths), len(set(words)) / len(words)]


def looped(X: Any) -> Any:
    """A loop that appends."""
    rows = []
    for text in X:
        digits = sum(c.isdigit() for c in text)
        rows.append([digits, digits / (len(text) + 1), text.count("\n")])
    return np.array(rows)


def kind(text: str) -> str:
    if "?" in text:
        return "question"
    return "shout" if text.isupper() or text.endswith("!") else "plain"


def with_a_name(X: Any) -> Any:
    texts = X["text"].fillna("")
    return np.array([[len(t), t.count("!")] for t in texts], dtype=float)


# A function, and whether it is given a Series or a DataFrame.
FOLLOWED: list[tuple[Any, bool]] = [
    (lambda X: [[len(t), t.count("!")] for t in X], True),
    (lambda X: np.array([len(t) for t in X]).reshape(-1, 1), True),
    (lambda X: np.asarray([len(t.split()) for t in X]).reshape(-1, 1), True),
    (lambda X: np.array([[upper_share(t)] for t in X]), True),
    (lambda X: [described(t) for t in X], True),
    (lambda X: [[sum(c in string.punctuation for c in t)] for t in X], True),
    (lambda X: [[sum(w in POSITIVE for w in t.lower().split())] for t in X], True),
    (lambda X: [[len(re.findall(r"\b[A-Z]{2,20}\b", t)), "http" in t] for t in X], True),
    (lambda X: [[t.startswith("a"), t[-1] == "!", t.isdigit()] for t in X], True),
    (lambda X: pd.DataFrame([[len(t), len(set(t))] for t in X]), True),
    (lambda X: [[sum(1 for c in t.lower() if c in VOWELS) / len(t)] for t in X], True),
    (lambda X: [[max((len(w) for w in t.split()), default=0)] for t in X], True),
    (looped, True),
    (with_a_name, False),
    (lambda X: [[len(t)] for t in X["text"]], False),
    (lambda X: np.array([[len(t)] for t in X.iloc[:, 0].tolist()]), False),
    (lambda X: X["text"].apply(lambda t: len(t.split())).to_frame(), False),
    (lambda X: X.assign(n=X["text"].apply(upper_share))[["n"]], False),
    (lambda X: X[["text"]].assign(n=X["text"].map(lambda t: t.count(" ") + 1))[["n"]], False),
    # A lambda of a condition has no place of its own in its code, so that its parts have to do.
    (lambda X: X["text"].apply(lambda t: 1 if len(t.split()) > 1 else 0).to_frame(), False),
    (lambda X: X["text"].map(lambda t: 2 if t else 3).map(lambda n: n + 1).to_frame(), False),
    (lambda X: X["text"].apply(lambda t: not t.split()[0].isupper()).to_frame(), False),
    (lambda X: X["text"].apply(lambda t: len((lambda u: u if u else "?")(t))).to_frame(), False),
    (lambda X: [[ord(t[0]), "\u4e00" <= t[0] <= "\u9fff"] for t in X], True),
]


@pytest.mark.parametrize(("function", "series"), FOLLOWED)
def test_a_function_of_texts_is_followed_exactly(function: Any, series: bool) -> None:
    X: Any = pd.Series(TEXTS, name="text") if series else pd.DataFrame({"text": TEXTS})
    transformer = FunctionTransformer(function).fit(X)

    got = answers(transformer, X, ["transform"])["transform"]

    wanted = np.asarray(expected(transformer, X, "transform"), dtype=np.float64)
    assert np.array_equal(got, wanted.reshape(len(X), -1))


REFUSED = [
    (lambda X: [[hash(t)] for t in X], "calls hash, which is not followed"),
    (lambda X: [[len(t.encode())] for t in X], ".encode is not followed"),
    (lambda X: [[len(t) - len(X)] for t in X], "X, which is not defined"),
    (lambda X: [{"n": len(t)} for t in X], "Dict is not followed"),
    (lambda X: [[len(t)] for t in X if t], "can't be traced"),
    (lambda X: [[len(t), len(u)] for t, u in itertools.pairwise(X)], "can't be traced"),
    (lambda X: [[np.log(len(t))] for t in X], "calls numpy.log, not followed"),
]


@pytest.mark.parametrize(("function", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_a_function_that_is_not_understood_is_refused(function: Any, reason: str) -> None:
    X = pd.Series(TEXTS, name="text")

    with pytest.raises(Unsupported) as caught:
        answers(FunctionTransformer(function).fit(X), X, ["transform"])

    assert reason in str(caught.value)
    assert caught.value.hint


def test_a_text_made_by_a_function_may_be_encoded_or_cut() -> None:
    X = pd.DataFrame({"text": TEXTS})
    encoded = make_pipeline(
        FunctionTransformer(lambda X: X["text"].apply(kind).to_frame()),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    ).fit(X)

    assert np.array_equal(
        answers(encoded, X, ["transform"])["transform"], expected(encoded, X, "transform")
    )


@pytest.mark.long
def test_features_by_hand_stand_beside_counts_and_dates(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "text": random.choice(TEXTS, 80),
            "sent": pd.Timestamp("2026-01-05") + pd.to_timedelta(random.integers(0, 90, 80), "D"),
        }
    )
    y = np.array([t.count("o") + d.weekday() for t, d in zip(X["text"], X["sent"], strict=True)])
    by_hand = FunctionTransformer(lambda X: [[len(t), t.count("!") / len(t)] for t in X])
    columns = ColumnTransformer(
        [
            ("text", make_union(TfidfVectorizer(), by_hand), "text"),
            ("dates", make_union(DateParts(["weekday"]), DateParts(["days"])), ["sent"]),
        ]
    )
    model = make_pipeline(columns, Ridge()).fit(X, y)

    built(Source(model, X, y, None), tmp_path)
    client = served(tmp_path)
    rows = [{"text": "a good film", "sent": "2026-02-03"}, {"text": "", "sent": "2026-02-03"}]
    one, none = (client.post("/predict", json={"instances": [row]}) for row in rows)

    frame = pd.DataFrame(rows[:1]).astype({"sent": "datetime64[ns]"})
    assert np.allclose(one.json["prediction"], model.predict(frame), rtol=1e-6)
    assert none.status_code == 422  # len(t) is 0, so scikit-learn raises, too


@pytest.mark.long
def test_sets_and_intervals_are_there_for_texts(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    texts = ["".join(random.choice(list("这部电影很好差看"), 6)) for _ in range(300)]
    score = np.array([text.count("好") - text.count("差") for text in texts], dtype=float)
    regressor = make_pipeline(TfidfVectorizer(analyzer="char"), Ridge()).fit(texts, score)
    classifier = make_pipeline(TfidfVectorizer(tokenizer=list, token_pattern=None),
                               LogisticRegression()).fit(texts, score > 0)  # fmt: skip

    built(Source(regressor, texts, score, None), tmp_path, "score")
    built(Source(classifier, texts, score > 0, None), tmp_path, "kind")
    client = served(tmp_path)
    body = {"instances": [["这部电影很好"]]}
    answer = client.post("/models/score/predict?coverage=0.9", json=body).json
    low, high = answer["interval"][0]
    labels = client.post("/models/kind/predict?coverage=0.9", json=body).json["set"][0]

    assert low < answer["prediction"][0] < high
    assert labels == [True]
