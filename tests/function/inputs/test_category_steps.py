"""Digests and items as category_encoders makes them; how alike texts are, as difflib says."""

from __future__ import annotations

import hashlib
import math
import time
from difflib import SequenceMatcher
from itertools import product
from time import perf_counter

import numpy as np
import pytest

from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.category_steps import digest_remainder, multi_hot
from onnxlet.function.inputs.front_end import StepFeed, composed
from onnxlet.function.inputs.text_steps import distinct_words


@pytest.mark.parametrize("method", ["md5", "sha256"])
def test_a_digest_leaves_a_remainder(method: str) -> None:
    change = digest_remainder(method, 1000)
    for text in ("", "rent", "Ünïcödé 类别 🦙"):
        whole = int(hashlib.new(method, text.encode()).hexdigest(), 16)
        assert change(text) == whole % 1000
    assert change(MISSING_TEXT) == change("nan") != change("")
    assert 0 <= change("\ud800") < 1000  # half of a character has no bytes in UTF-8


def test_items_are_cut_and_stripped() -> None:
    change = multi_hot("|", {"a": 0, "b c": 2}, [0.0, 1.0, None])
    assert change("a") == [1.0, 0.0, 0.0]
    assert change(" b c ||a |z") == [1.0, 0.0, 1.0]
    assert change("") == change(" | ") == [0.0, 0.0, 0.0]
    missing = change(MISSING_TEXT)
    assert missing[:2] == [0.0, 1.0]
    assert math.isnan(missing[2])


def test_unknown_items_have_a_place_or_make_gaps() -> None:
    placed = multi_hot(", ", {"a": 0}, [0.0, 0.0], unknown=1)
    assert placed("a, q") == [1.0, 1.0]
    assert placed("a, a") == [1.0, 0.0]
    gaps = multi_hot("|", {"a": 0}, [0.0], unknown="nan")
    assert gaps("a") == [1.0]
    assert math.isnan(gaps("a|q")[0])


def test_they_feed_a_tensor_in_time() -> None:
    step = {
        "step": "multi_hot",
        "delimiter": "|",
        "positions": {"a": 0, "b": 1},
        "missing": [0.0, 0.0],
    }
    entry = {"name": "input", "dtype": "float64", "width": 2, "steps": [step]}
    cells = np.array([["a"], ["b|a"], ["|" * 100_000], [" a" * 50_000]], dtype=object)
    start = time.process_time()
    made = StepFeed(entry, (0, 0)).gather([cells])
    assert time.process_time() - start < 1.0
    assert made.tolist() == [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


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
