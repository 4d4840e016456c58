"""Columns that give the target away are found, and honest strong ones are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import roc_auc_score

from onnxlet.convert.train.columns import recognise_columns
from onnxlet.convert.train.kinds import leaks
from tests.convert.helpers import objects

ROWS = 400
random = np.random.default_rng(0)
NOISE = random.normal(size=ROWS)
Y = random.random(ROWS) < 0.3
LABELS = np.where(Y, "yes", "no")
PRICES = np.exp(random.normal(size=ROWS))


def kinds(y: Any, task: str, columns: Mapping[str, Any]) -> dict[str, str]:
    frame = pd.DataFrame({"other": random.normal(size=ROWS), **columns})
    return {one.name: one.kind for one in recognise_columns(frame, y, task)}


@pytest.mark.parametrize(
    "column",
    [
        LABELS,
        Y,
        np.where(Y, 7, 3),
        Y + NOISE * 0.1,
        np.where(Y, np.nan, NOISE),
        objects([f"{'AB'[int(y)]}{i % 5}" for i, y in enumerate(Y)]),
        objects([f"${y * 5000 + i:,}" for i, y in enumerate(Y)]),
        (pd.Timestamp("2026-01-01") + pd.to_timedelta(Y * 500 + np.arange(ROWS), "D")).strftime(
            "%d.%m.%Y"
        ),
        objects(["moved" if y and i % 2 else np.nan for i, y in enumerate(Y)]),
    ],
)
def test_what_gives_a_class_away(column: Any) -> None:
    assert kinds(LABELS, "binary", {"x": column})["x"] == "leak"


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (np.log(PRICES), "leak"),
        (PRICES * 1.19 + 3, "leak"),
        (-(PRICES**3), "leak"),
        (PRICES * (1 + NOISE * 0.02), "leak"),
        (pd.qcut(PRICES, 50).astype(str), "leak"),
        (PRICES * (1 + NOISE * 0.2), "number"),
        (NOISE, "number"),
    ],
)
def test_what_gives_a_number_away(column: Any, kind: str) -> None:
    assert kinds(PRICES, "regression", {"x": column})["x"] == kind


def test_one_class_of_three_is_not_the_target() -> None:
    y = np.arange(ROWS) % 3
    found = kinds(y, "multiclass", {"one": y == 1, "all": (y + 1) % 3 * 5})
    assert found == {"other": "number", "one": "boolean", "all": "leak"}


def test_strong_columns_are_kept_and_asked_about() -> None:
    frame = pd.DataFrame({"other": NOISE, "strong": Y + NOISE[::-1] * 0.28})
    strong = recognise_columns(frame, LABELS, "binary")[1]
    assert strong.used
    assert "is it known before the answer is?" in strong.why
    auc = roc_auc_score(Y, frame["strong"])
    assert leaks.STRONG < auc < leaks.GIVES_AWAY
    assert f"AUC {auc:.3f}" in strong.why


@pytest.mark.parametrize(
    ("y", "task", "said"),
    [
        (np.arange(ROWS) + 100 * NOISE, "regression", "R² 0."),
        (np.where(np.arange(ROWS) + 100 * NOISE > 200, "yes", "no"), "binary", "AUC 0."),
        (NOISE, "regression", ""),
        (LABELS, "binary", ""),
    ],
)
def test_an_identifier_that_goes_with_the_target_says_so(y: Any, task: str, said: str) -> None:
    frame = pd.DataFrame({"id": np.arange(ROWS) * 3 + 7, "other": NOISE[::-1]})
    identifier = recognise_columns(frame, y, task)[0]
    assert (identifier.kind, identifier.used) == ("identifier", False)
    assert identifier.why.startswith("goes with the target") is bool(said)
    assert said in identifier.why
    if task == "binary" and said:
        auc = roc_auc_score(y == "yes", frame["id"])
        assert float(identifier.why.partition(said[:-2])[2][:4]) == pytest.approx(auc, abs=0.03)


@pytest.mark.parametrize("data", [load_iris, load_breast_cancer])
def test_what_is_honest_stays(data: Any) -> None:
    frame = data(as_frame=True).frame
    y = frame.pop("target").to_numpy()
    task = "binary" if len(set(y)) == 2 else "multiclass"
    assert {one.kind for one in recognise_columns(frame, y, task)} <= {"number", "copy"}


@pytest.mark.parametrize("rows", [30, 60, 200])
def test_chance_gives_nothing_away(rows: int) -> None:
    frame = pd.DataFrame(
        {
            f"c{i}": random.normal(size=rows) if i % 2 else random.choice(list("abcdefgh"), rows)
            for i in range(120)
        }
    )
    targets = {"binary": random.integers(0, 2, rows), "regression": random.normal(size=rows)}
    for task, y in targets.items():
        assert all(one.used for one in recognise_columns(frame, y, task))


def test_the_auc_is_that_of_scikit_learn() -> None:
    scores, y = random.integers(0, 9, ROWS) / 10, random.integers(0, 2, ROWS)
    values, codes = np.unique(scores, return_inverse=True)
    positive, negative = (np.bincount(codes[y == label], minlength=len(values)) for label in (1, 0))
    assert leaks._auc(values, positive, negative) == pytest.approx(roc_auc_score(y, scores))
    assert leaks._auc(values, positive, 0 * negative) == 0.5


def test_in_a_history_steps_are_compared_and_not_what_all_trends_share() -> None:
    trend = np.arange(ROWS) / 20
    y = trend + NOISE / 4
    days = pd.date_range("2024-01-01", periods=ROWS).strftime("%Y-%m-%d")
    columns = {"rises, too": trend * 3 + random.normal(size=ROWS) / 9, "gross": y * 1.19 + 3}

    assert kinds(y, "regression", columns) == {
        "other": "number", "rises, too": "leak", "gross": "leak"
    }  # fmt: skip
    history = kinds(y, "regression", {"day": days, **columns})
    assert history == {"other": "number", "day": "date", "rises, too": "number", "gross": "leak"}
    shuffled = random.permutation(ROWS)
    mixed = {name: np.asarray(column)[shuffled] for name, column in columns.items()}
    given = {"day": days[shuffled], **mixed}
    assert kinds(y[shuffled], "regression", given)["day"] == "leak"
