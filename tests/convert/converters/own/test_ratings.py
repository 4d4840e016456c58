"""Ratings: recommended in the graph as in NumPy, and better than what is popular."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge

import onnxlet
from onnxlet.convert.build import build
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.estimators.ratings import Ratings
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.protocols import native
from onnxlet.function.protocols.shared import forms
from onnxlet.function.serving.predict import predict
from tests.conftest import quiet
from tests.convert.exactness import answers
from tests.function.near import rated

TRAINED, GIVEN = rated(120, 0, 30), rated(60, 1, 30)


def tastes(users: int, seed: int) -> tuple[Array, Array]:
    """What users would rate 60 films, in half points, and which they have rated: popular ones."""
    taste = np.random.default_rng(7)
    films, bias = taste.normal(size=(60, 4)), taste.normal(0.0, 0.4, 60)
    random = np.random.default_rng(seed)
    full = 3.2 + bias + 0.5 * random.normal(size=(users, 4)) @ films.T
    full += random.normal(0.0, 0.4, (users, 1)) + random.normal(0.0, 0.3, full.shape)
    seen = random.random(full.shape) < 0.3 * np.exp(bias)
    return np.clip(np.rint(2 * full) / 2, 0.5, 5.0), seen


def test_better_than_what_is_popular() -> None:
    full, seen = tastes(400, 0)
    model = Ratings().fit(np.where(seen, full, np.nan))
    truth, known = tastes(200, 1)
    hidden = known & (np.random.default_rng(2).random(known.shape) < 0.5)
    given = np.where(known & ~hidden, truth, np.nan)
    popular = np.nanmean(np.where(seen, full, np.nan), axis=0)
    by_popularity = np.where(np.isnan(given), popular, -np.inf)

    def error(predicted: Array) -> float:
        return float(np.sqrt(np.mean((predicted - truth)[hidden] ** 2)))

    def precision(items: Array) -> float:
        return float(np.mean(np.take_along_axis(truth >= 4.0, items, axis=1)))

    assert error(np.broadcast_to(popular, truth.shape)) > 0.95
    assert error(model.predict_ratings(given)) < 0.7
    assert precision(np.argsort(-by_popularity, axis=1)[:, :10]) < 0.5
    assert precision(model.recommend(given)[0]) > 0.65


def test_a_user_is_known_by_a_ridge_regression() -> None:
    """Without an intercept, on 1 and the factors of what they rated."""
    model = Ratings(n_factors=5, regularisation=2.0).fit(TRAINED)
    known = np.column_stack([np.ones(30), model.factors_])
    base = model.mean_ + model.biases_
    predicted = model.predict_ratings(GIVEN)
    for ratings, got in zip(GIVEN.to_numpy(), predicted, strict=True):
        there = ~np.isnan(ratings)
        fitted = Ridge(2.0, fit_intercept=False).fit(known[there], (ratings - base)[there])
        wanted = (base + known @ fitted.coef_).clip(0.5, 5.0)
        np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_the_best_that_are_not_rated() -> None:
    model = Ratings(n_factors=5, n_items=6).fit(TRAINED)
    items, scores = model.recommend(GIVEN)
    ranked, beyond = model.rank(GIVEN, 30)
    assert items.tolist() == ranked[:, :6].tolist()
    predicted = model.predict_ratings(GIVEN)
    for ratings, row, found, every in zip(GIVEN.to_numpy(), items, scores, predicted, strict=True):
        others = [item for item in range(30) if np.isnan(ratings[item])]
        wanted = sorted(others, key=lambda item: -every[item])[:6]
        assert every[row].tolist() == every[wanted].tolist() == found.tolist()
        assert not set(row) - set(others)
    assert (np.diff(beyond)[~np.isnan(np.diff(beyond))] <= 0).all()


def test_no_rating_is_beyond_those_of_the_fit_and_the_order_goes_by_what_is(
    tmp_path: Path,
) -> None:
    keen = pd.DataFrame({f"Film {k}": [5.0 if k < 3 else np.nan] for k in range(30)})
    model = Ratings(n_factors=4, regularisation=0.1, n_items=8).fit(TRAINED)
    rows = pd.concat([keen, 5.5 - keen, GIVEN])
    items, beyond = model.rank(rows)
    assert np.nanmax(beyond) > 5.5
    assert np.nanmin(model.rank(rows, 30)[1]) < 0
    for found in (model.recommend(rows, 30)[1], model.predict_ratings(rows)):
        assert (np.nanmin(found), np.nanmax(found)) == (0.5, 5.0)
    built = build(Source(model, rows), "films", tmp_path, quiet)
    loaded, _ = verify(built.directory)
    asked = {"instances": keen.iloc[:, :3].to_dict("records")}
    answer = forms.answer(predict(loaded, native.from_object(asked)))
    assert np.asarray(answer["prediction"]).tolist() == [[f"Film {at}" for at in items[0]]]
    assert np.max(answer["score"]) == 5.0
    assert np.asarray(answer["score"]).tolist() == [
        pytest.approx(model.recommend(keen)[1][0].tolist())
    ]


def test_nothing_rated_is_answered_by_what_all_rate_highest() -> None:
    model = Ratings(n_factors=4, n_items=30).fit(TRAINED)
    items, scores = model.recommend(GIVEN.iloc[:1] * np.nan)
    assert items[0].tolist() == np.argsort(-model.biases_, kind="stable").tolist()
    np.testing.assert_allclose(scores[0], np.sort(model.mean_ + model.biases_)[::-1])


def test_everything_rated_leaves_nothing() -> None:
    every = GIVEN.iloc[:1].fillna(3.0)
    items, scores = Ratings(n_factors=2, n_items=3).fit(TRAINED).recommend(every)
    assert items.tolist() == [[-1, -1, -1]]
    assert np.isnan(scores).all()


def test_the_fit_is_the_same_each_time_and_another_by_its_seed() -> None:
    one, same = (Ratings(n_factors=3).fit(TRAINED) for _ in range(2))
    other = clone(one).set_params(random_state=1).fit(TRAINED)
    assert one.factors_.tolist() == same.factors_.tolist()
    assert one.factors_.tolist() != other.factors_.tolist()
    assert onnxlet.Ratings is Ratings


@pytest.mark.parametrize(
    ("parameters", "X", "message"),
    [
        ({}, np.full((3, 4), np.nan), "X: expected some ratings, got none"),
        ({"n_factors": 0}, TRAINED, "n_factors: expected at least 1, got 0"),
        ({"n_items": 0}, TRAINED, "n_items: expected at least 1, got 0"),
        ({"n_rounds": 0}, TRAINED, "n_rounds: expected at least 1, got 0"),
        ({"regularisation": 0}, TRAINED, "regularisation: expected above 0, got 0"),
        ({}, np.array([[1.0, np.inf]]), "infinity"),
    ],
)
def test_what_can_not_be_fitted(parameters: dict[str, Any], X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ratings(**parameters).fit(X)


@pytest.mark.parametrize("rating", [0.0, 5.5, -1e9])
def test_a_rating_off_the_scale(rating: float) -> None:
    model = Ratings(n_factors=2).fit(TRAINED)
    rows = GIVEN.iloc[:2].fillna(3.0)
    rows.iloc[1, 2] = rating
    with pytest.raises(ValueError, match="X: expected") as error:
        model.recommend(rows)
    assert str(error.value) == (
        f"X: expected ratings from 0.5 to 5, as in the fit, got {rating:g} in row 1, column "
        f"{GIVEN.columns[2]!r}, and 0 more"
    )


def test_triples_are_no_table_of_users() -> None:
    triples = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "rating": [1.0, 2.0]})
    with pytest.raises(ValueError, match="got text in 'user', 'item'; of triples, pivot"):
        Ratings().fit(triples)


@pytest.mark.parametrize("factors", [1, 16, 64])
def test_the_graph_is_exact(factors: int) -> None:
    model = Ratings(n_factors=factors, regularisation=0.1, n_items=8).fit(TRAINED)
    rows = pd.concat([GIVEN, GIVEN.iloc[:1] * np.nan, GIVEN.iloc[:1].fillna(3.0)])
    got = answers(model, rows, ["recommend", "scores"])
    items, scores = model.recommend(rows)
    np.testing.assert_array_equal(got["recommend"], items)
    np.testing.assert_allclose(got["scores"], scores, rtol=1e-9)
    none = answers(model, rows.iloc[:0], ["recommend", "scores"])
    assert (none["recommend"].shape, none["scores"].shape) == ((0, 8), (0, 8))


@pytest.mark.long
def test_every_item_may_be_left_out_of_a_request(tmp_path: Path) -> None:
    triples = TRAINED.rename_axis("user").reset_index().melt("user", var_name="item").dropna()
    pivoted = triples.pivot(index="user", columns="item", values="value")[TRAINED.columns]
    model = Ratings(n_factors=4, n_items=5).fit(pivoted)
    built = build(Source(model, GIVEN), "films", tmp_path, quiet)
    entry = built.manifest["signature"]["inputs"][3]
    assert entry == {
        "name": "Film 3", "type": "float64", "nullable": True, "absent": True, "minimum": 0.5,
        "maximum": 5.0, "shape": [-1, 1],
    }  # fmt: skip
    loaded, _ = verify(built.directory)
    rows = [{"Film 3": 5, "Film 9": 1.5}, {}]
    given = forms.answer(predict(loaded, native.from_object({"instances": rows, "k": 7})))
    items, scores = model.recommend(pd.DataFrame(rows, columns=TRAINED.columns), 7)
    assert given["prediction"].tolist() == [[f"Film {at}" for at in row] for row in items.tolist()]
    np.testing.assert_allclose(given["score"], scores, rtol=1e-5)
    assert built.manifest["parity"]["k"] == [5, 1, 30]
