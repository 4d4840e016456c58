"""Summaries of articles in English and Chinese: the three sentences that say most.

Copy this file for your own texts: `build` returns a fitted Summary and its test set.
"""

from pathlib import Path

from onnxlet import Summary

DATA = Path(__file__).parent / "data" / "articles.txt"
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


def build() -> tuple[Summary, list[str], None, list[str]]:
    """Fit the model on every other article; return it with X_test, no y_test, and X_train."""
    texts = articles()
    X_train, summaries = map(list, zip(*texts[::2], strict=True))
    model = Summary(sentences=3).fit(X_train, summaries)
    return model, [text for text, _ in texts[1::2]], None, X_train
