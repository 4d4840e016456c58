"""How alike texts are: Python's own difflib is the reference."""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import product
from time import perf_counter

import numpy as np

from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.front_end import composed
from onnxlet.function.inputs.text_steps import distinct_words

TEXTS = ("", "a", "aa", "abc", "cab", "Engineer", "engineering", "ß", "éé", "a b\n", "nan")


def test_it_is_the_quick_ratio_of_difflib() -> None:
    compare = composed([{"step": "letter_similarity", "texts": list(TEXTS)}])
    made = {(text, other): ratio for text in TEXTS
            for other, ratio in zip(TEXTS, compare(text), strict=True)}  # fmt: skip
    assert made == {
        (text, other): SequenceMatcher(None, text, other).quick_ratio()
        for text, other in product(TEXTS, TEXTS)
    }


def test_a_missing_text_is_like_none() -> None:
    assert np.isnan(
        composed([{"step": "letter_similarity", "texts": ["a", "b"]}])(MISSING_TEXT)
    ).all()


def test_a_long_text_is_compared_with_many_in_little_time() -> None:
    compare = composed([{"step": "letter_similarity", "texts": [f"job {n}" for n in range(500)]}])
    took = []
    for _ in range(5):
        start = perf_counter()
        compare("".join(map(chr, range(256, 50_256))) * 2)
        took.append(perf_counter() - start)
    assert min(took) < 1  # about 0.02 where nothing else runs


def test_words_are_told_apart_whatever_their_case() -> None:
    count = distinct_words()
    assert [count(text) for text in ("", " The  the\nend.", "a\u00a0A b")] == [0, 2, 2]
    assert np.isnan(count(MISSING_TEXT))
