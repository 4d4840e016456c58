"""Digests of texts, and texts cut into items, as category_encoders makes them."""

from __future__ import annotations

import hashlib
import math
import time

import numpy as np
import pytest

from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.category_steps import digest_remainder, multi_hot
from onnxlet.function.inputs.front_end import StepFeed


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
