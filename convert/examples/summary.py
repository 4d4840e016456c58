"""Summaries of articles in English and Chinese: the three sentences that say most.

Copy this file for your own texts: `build` returns a fitted Summary and its test set.
"""

import pandas as pd

from onnxlet import Summary
from onnxlet.convert.examples.parts import FOLDER, Answer, Scores

DATA = FOLDER / "articles.txt"
KEY = "* "


def articles() -> list[tuple[str, list[str]]]:
    """Each article, and its key sentences."""
    lines = [line for line in DATA.read_text("utf-8").split("\n") if not line.startswith("# ")]
    blocks = [block.split("\n") for block in "\n".join(lines).strip().split("\n\n")]
    return [
        (
            "\n".join(line.removeprefix(KEY) for line in block),
            [line.removeprefix(KEY) for line in block if line.startswith(KEY)],
        )
        for block in blocks
    ]


def build() -> tuple[Summary, pd.Series, None, pd.Series]:
    """Fit the model on every other article; return it with X_test, no y_test, and X_train."""
    texts = articles()
    X_train, summaries = map(list, zip(*texts[::2], strict=True))
    model = Summary(sentences=3).fit(X_train, summaries)
    X_test = pd.Series([text for text, _ in texts[1::2]], name="article")
    return model, X_test, None, pd.Series(X_train, name="article")


def scores(answer: Answer, X_test: pd.Series, y_test: None) -> Scores:
    """The share of the key sentences that are found, beside that of the first three."""
    keys = [set(own) for _, own in articles()[1::2]]
    found = answer(X_test)["prediction"]
    lead = [text.split("\n")[:3] for text in X_test]
    shares = [
        sum(len(own.intersection(those)) for own, those in zip(keys, picked, strict=True))
        / sum(map(len, keys))
        for picked in (found, lead)
    ]
    return {"key sentences found": (shares[0], shares[1])}
