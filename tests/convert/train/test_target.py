"""The target: which rows have it, what kind of answer it is, and when nothing can learn it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.train.target import Target, read_target, wrong_for_target
from onnxlet.function.errors import WrongUse
from tests.convert.helpers import objects

ROWS = 120
random = np.random.default_rng(0)
X = random.normal(size=ROWS)


def read(y: Any, task: str | None = None, positive: Any = None) -> Target:
    return read_target(pd.DataFrame({"x": X[: len(y)], "y": y}), "y", task, positive)


def refused(y: Any, task: str | None = None) -> WrongUse:
    with pytest.raises(WrongUse) as caught:
        read(y, task)
    return caught.value


def cycle(values: Sequence[object]) -> Any:
    return objects([values[i % len(values)] for i in range(ROWS)])


@pytest.mark.parametrize(
    ("y", "task", "kind", "why"),
    [
        (cycle(["no", "yes"]), "binary", object, "two different values"),
        (cycle([True, False]), "binary", bool, "two different values"),
        (X > 0, "binary", bool, "two different values"),
        ((X > 0).astype(float), "binary", np.int64, "two different values"),
        (cycle([3, 7]), "binary", np.int64, "two different values"),
        (cycle(["a", "b", "c"]), "multiclass", object, "text of 3 different values"),
        (pd.Categorical(cycle(["a", "b", "c"])), "multiclass", object, "text of 3"),
        (np.arange(ROWS) % 5, "multiclass", np.int64, "5 different whole numbers"),
        (np.arange(ROWS) % 30, "regression", np.float64, "30 different numbers"),
        (np.where(X > 0, 1.5, 2.5), "regression", np.float64, "2 different numbers"),
        (X, "regression", np.float64, "120 different numbers"),
        (objects([f"${v:,.2f}" for v in X * 1e4]), "regression", np.float64, "120 different"),
    ],
)
def test_the_task_follows_from_the_values(y: Any, task: str, kind: Any, why: str) -> None:
    target = read(y)
    assert (target.task, target.y.dtype) == (task, np.dtype(kind))
    assert any(note.startswith(f"{task}: 'y' has") or why in note for note in target.notes)
    assert any(why in note for note in target.notes)
    assert list(target.frame) == ["x"]


def test_the_task_that_is_given_goes_first() -> None:
    target = read(np.arange(ROWS) % 5, "regression")
    assert target.y.dtype == np.float64
    assert "as --task says" in target.notes[0]


@pytest.mark.parametrize(
    ("y", "task", "message"),
    [
        (cycle(["a", "b"]), "regression", "expects numbers, got text"),
        (X > 0, "regression", "expects numbers, got booleans"),
        (X, "multiclass", "got numbers with fractions"),
        (X, "binary", "got numbers with fractions"),
        (np.arange(ROWS) % 3, "binary", "expects two values, got 3"),
        (cycle(["a", "b"]), "multiclass", "expects three values or more, got 2"),
        (np.arange(ROWS), "multiclass", "120 different numbers in 120 rows"),
        (objects([f"t{i}" for i in range(ROWS)]), None, "120 different texts in 120 rows"),
        (cycle(["same"]), None, "the same one in all 120 rows"),
        (np.full(ROWS, np.nan), None, "got 120 rows without one"),
        (X[:29], None, "expected 30 rows or more, got 29"),
        (np.where(np.arange(ROWS) < 20, X, np.nan), None, "got 20 that have it"),
        (np.where(np.arange(ROWS) == 7, np.inf, X), None, "1 infinity, the first in row 8"),
        (pd.date_range("2026-01-01", periods=ROWS), None, "got dates"),
        (pd.date_range("2026-01-01", periods=ROWS).strftime("%d.%m.%Y"), None, "got dates"),
        (objects([[1, 2]] * ROWS), None, "got a list in each row"),
        (objects(["a", "b"] * 59 + ["c", "a"]), None, "class 'c' has 1 row, expected 2 or more"),
        (objects(["a"] * 116 + ["b"] * 4), None, "class 'b' has 4 rows, expected 5 or more"),
        (X, "classification", "expected one of binary, multiclass, regression"),
    ],
)
def test_what_nothing_learns(y: Any, task: str | None, message: str) -> None:
    error = refused(y, task)
    assert message in error.message
    assert error.hint or task == "classification"


def test_all_that_is_wrong_is_said_at_once() -> None:
    error = refused(np.where(np.arange(ROWS) < 5, np.inf, np.nan))
    assert error.message.startswith("--target 'y': 3 things are wrong")
    assert [word in error.message for word in ("30 rows", "same one", "finite")] == [True] * 3


def test_rows_without_a_target_are_left_out_and_counted() -> None:
    y = [np.nan, " ", "", None, *["a", "b"] * 58]
    target = read(objects(y))
    assert target.notes[0] == "4 rows of 120 have no 'y': left out"
    np.testing.assert_array_equal(target.frame["x"], X[4:])
    assert target.y.tolist() == y[4:]
    assert target.frame.index.equals(pd.RangeIndex(116))


def test_values_of_a_target_that_do_not_parse_are_counted() -> None:
    target = read(objects(["abc", *[f"{v:.3f}" for v in X[1:]]]))
    assert "1 value of 'y' is no number: taken as missing" in target.notes
    np.testing.assert_allclose(target.y, X[1:].round(3))


@pytest.mark.parametrize(
    ("values", "label", "why"),
    [
        (("rare", "usual"), "usual", "the last in order"),
        ((3, 7), 7, "the last in order"),
        (("a", "a", "b"), "b", "the rarer one"),
        (("a", "b", "b"), "a", "the rarer one"),
        ((1, 2, 2), 1, "the rarer one"),
        ((0, 1, 1), 1, "which says yes"),
        ((True, False, True), True, "which says yes"),
        (("ja", "ja", "nein"), "ja", "which says yes"),
        (("YES ", "YES ", "no"), "YES ", "which says yes"),
        (("yes", "ja", "ja"), "yes", "the rarer one"),
    ],
)
def test_the_label_that_rates_are_of_is_named(values: Any, label: Any, why: str) -> None:
    target = read(cycle(values))
    assert (target.positive, type(target.positive)) == (label, type(label))
    assert np.unique(target.y)[target.positive_index] == label
    assert f"F1, recall and the like are of '{label}', {why}" in target.notes


def test_the_label_that_rates_are_of_is_the_one_that_a_user_names() -> None:
    values = cycle(("stays", "stays", "Leaves"))
    for said in ("stays", "STAYS", " stays "):
        assert read(values, positive=said).positive == "stays"
    target = read(cycle((0, 0, 1)), positive="0")
    assert (target.positive, target.positive_index) == (0, 0)
    assert "F1, recall and the like are of '0', as --positive says" in target.notes


@pytest.mark.parametrize(
    ("values", "positive", "message"),
    [
        (("a", "b"), "c", "--positive: 'y' has no label 'c'. Its labels are 'a', 'b'."),
        (("a", "b", "c"), "a", "--positive: expected a target of two labels, got 'y' with 3"),
        (list(np.arange(40) / 7), "1", "--positive: expected a target of two labels, got 'y' with"),
    ],
)
def test_a_label_that_is_not_there_is_refused(values: Any, positive: str, message: str) -> None:
    [problem] = wrong_for_target(pd.Series(cycle(values)), "y", None, None, positive)
    assert f"{problem.message}. {problem.hint}".startswith(message)


def test_equal_rows_share_a_number() -> None:
    frame = pd.DataFrame({"x": [1, 1, 1, *range(10, 47)], "t": ["a", "a", "b", *["c"] * 37]})
    frame["y"] = [True, True, True, *[True, False] * 18, True]
    frame.loc[3:4] = frame.loc[5:6].to_numpy()
    frame.loc[7, ["x", "t"]] = frame.loc[8, ["x", "t"]].to_numpy()  # of another class
    target = read_target(frame, "y")
    assert target.duplicates is not None

    rows = list(map(tuple, frame.to_numpy()))
    repeated = sum(count - 1 for count in Counter(rows).values())
    assert any(note.startswith(f"{repeated} rows of 40 are the same") for note in target.notes)
    same = [[a == b for b in rows] for a in rows]
    np.testing.assert_array_equal(target.duplicates[:, None] == target.duplicates, same)


def test_where_most_rows_are_repeated_they_may_be_apart() -> None:
    frame = pd.DataFrame({"x": np.arange(ROWS) % 4, "y": np.arange(ROWS) % 2 == 0})
    target = read_target(frame, "y")
    assert target.duplicates is None
    assert any("116 rows of 120" in note for note in target.notes)
    assert read(X).duplicates is None


def test_a_name_that_is_not_there() -> None:
    frame = pd.DataFrame({"Sale_Price": X, "x": X})
    for name, hint in (("sale price", "Is it 'Sale_Price'?"), ("zzzz", "There are 'Sale_Price'")):
        with pytest.raises(WrongUse, match=f"--target: there is no column '{name}'") as caught:
            read_target(frame, name)
        assert hint in caught.value.hint
    with pytest.raises(WrongUse) as caught:
        read_target(frame.set_axis(["0.5", "17"], axis=1), "label")
    assert "no header" in caught.value.hint
    with pytest.raises(WrongUse, match="the only column"):
        read_target(frame[["x"]], "x")


def test_a_positive_label_of_what_is_not_two_labels_is_refused() -> None:
    with pytest.raises(WrongUse, match="expected a target of two labels, got 'y' with 3 labels"):
        read(cycle(["a", "b", "c"]), positive="a")
    with pytest.raises(WrongUse, match="got 'y' with numbers"):
        read(X, positive="1")


def test_a_target_of_one_unit_is_numbers_of_that_unit() -> None:
    numbers = np.round(np.abs(X) * 1000 + 1, 2)
    texts = [f"{n:,.2f} EUR".translate(str.maketrans(",.", ".,")) for n in numbers]
    found = read(objects(texts))
    np.testing.assert_allclose(found.y, numbers)
    assert (found.task, found.unit) == ("regression", "EUR")
    assert "text that holds numbers with 'EUR' and decimal commas" in found.notes[0]
    odd = read(objects(["5 kg", *texts[1:]]))
    assert len(odd.y) == ROWS - 1
    assert "'y': numbers with 'kg', and not 'EUR', are not joined" in odd.notes


def test_a_target_of_several_units_is_refused_with_the_reason() -> None:
    texts = [f"{n + 1} {'kg' if n % 2 else 'km'}" for n in range(ROWS)]
    assert "numbers with 'km' and 'kg', which are not joined" in refused(objects(texts)).message
