"""Copies of training rows: shifted by a tenth at most, with little noise, with their row's rest."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.train import fitting
from onnxlet.convert.train.fitting import (
    COPIES,
    augmented,
    copies_of,
    farthest,
    fit,
    images_in,
    moved,
    shifted,
    with_noise,
)
from onnxlet.convert.train.kinds.image import CELLS, ImageForm
from onnxlet.convert.train.trials import Candidate
from tests.convert.images import digits


def rows(count: int = 30) -> pd.DataFrame:
    cells = np.empty(count, dtype=object)
    for at, image in enumerate(digits()[0][:count]):
        cells[at] = image
    others = {"n": np.arange(count) * 1.0, "c": ["x", "y"] * (count // 2)}
    return pd.DataFrame({**others, "photo": cells})


def test_a_shift_repeats_the_nearest_pixels() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    assert shifted(image, 0, 0).tolist() == image.tolist()
    assert shifted(image, 1, 0).tolist() == [[1, 2, 3], [1, 2, 3]]
    assert shifted(image, 0, -1).tolist() == [[2, 3, 3], [5, 6, 6]]
    assert shifted(image, -5, 1).tolist() == [[4, 4, 5], [4, 4, 5]]
    color = np.dstack([image, image + 10, image + 20])
    assert np.array_equal(shifted(color, 1, 1)[..., 1], shifted(image, 1, 1) + 10)


def test_images_are_shifted_by_a_tenth_of_a_side_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "NOISE", 0.0)
    image = np.arange(28 * 12, dtype=np.uint16).reshape(28, 12).astype(np.uint8)
    image[:] = np.random.default_rng(0).integers(0, 256, image.shape)
    within = {shifted(image, y, x).tobytes(): (y, x) for y, x in product(range(-3, 4), (-1, 0, 1))}
    made = moved([image] * 2000, np.random.default_rng(1))
    assert {within[each.tobytes()] for each in made} == set(within.values())
    assert farthest(ImageForm(28, 12, "L")) == (3, 1)
    assert farthest(ImageForm(1, 8, "L")) == (0, 1)


def test_noise_is_normal_and_stays_within_the_range() -> None:
    image = np.full((200, 200), 128, np.uint8)
    made = with_noise(image, np.random.default_rng(0))
    assert made.dtype == np.uint8
    assert abs(made.mean() - 128) < 0.2
    assert abs(made.std() - fitting.NOISE) < 0.2
    dark = with_noise(np.zeros((50, 50), np.uint8), np.random.default_rng(0))
    assert dark.min() == 0
    assert dark.max() < 30


def test_copies_follow_the_rows_with_all_else_as_it_is() -> None:
    X, y, weights = rows(), np.arange(30), np.arange(30) / 10.0
    before = [cell.copy() for cell in X["photo"]]

    X_more, y_more, weights_more = augmented(X, y, weights, seed=3)

    assert weights_more is not None
    assert len(X_more) == 30 * (1 + COPIES)
    for at in range(1 + COPIES):
        part = X_more.iloc[30 * at : 30 * (at + 1)]
        assert part[["n", "c"]].reset_index(drop=True).equals(X[["n", "c"]])
        assert y_more[30 * at : 30 * (at + 1)].tolist() == y.tolist()
        assert weights_more[30 * at : 30 * (at + 1)].tolist() == weights.tolist()
        same = [np.array_equal(a, b) for a, b in zip(part["photo"], X["photo"], strict=True)]
        assert all(same) if at == 0 else not any(same)
    assert all(np.array_equal(a, b) for a, b in zip(X["photo"], before, strict=True))
    assert augmented(X, y, None, seed=3)[2] is None
    again = augmented(X, y, weights, seed=3)[0]["photo"]
    assert all(np.array_equal(a, b) for a, b in zip(again, X_more["photo"], strict=True))
    other = augmented(X, y, weights, seed=4)[0]["photo"].iloc[30:]
    assert not all(np.array_equal(a, b) for a, b in zip(other, X_more["photo"][30:], strict=True))


def test_there_are_fewer_copies_of_many_rows() -> None:
    assert copies_of(1000, 784) == COPIES
    assert copies_of(CELLS // 3072 // 3, 3072) == 2
    assert copies_of(10**7, 3072) == 1


def test_images_are_known_by_their_cells() -> None:
    assert images_in(rows()) == ["photo"]
    assert images_in(rows()[["n", "c"]]) == []


class Recorded:
    """Steps that record what they are fitted on."""

    def __init__(self) -> None:
        self.fitted: list[tuple[int, int]] = []

    def __getitem__(self, at: int | slice) -> Any:
        return self if at == -1 else []

    def fit(self, X: pd.DataFrame, y: Any, sample_weight: Any = None) -> Recorded:
        self.fitted.append((len(X), len(y)))
        return self


@pytest.mark.parametrize("augment", [True, False])
def test_only_what_is_fitted_on_is_augmented(augment: bool) -> None:
    recorded = Recorded()
    candidate = Candidate("any", "any", {"augment": augment}, lambda parameters, seed: recorded)
    X = rows()
    fit(candidate, X, np.arange(30), "regression", seed=0, valid=(X[:5], np.arange(5)))
    rows_fitted = 30 * (1 + COPIES * augment)
    assert recorded.fitted == [(rows_fitted, rows_fitted)]
