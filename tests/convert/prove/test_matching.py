"""Which columns go into which tensor, and which output is which."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxlet.convert.prove.outputs import _form, shaped
from onnxlet.convert.prove.subject import Given, Unmatched
from onnxlet.convert.prove.tensors import Feed, Tensor, feeds_of
from onnxlet.convert.reference.answers import Task
from onnxlet.convert.reference.inputs import InputColumn, Inputs
from onnxlet.convert.reference.reference import Reference

NAMED = (
    InputColumn("age", "age", "float64"),
    InputColumn("home town", "home town", "string"),
    InputColumn("rooms", "rooms", "int64"),
    InputColumn("id", "id", "string"),
)
BARE = tuple(InputColumn(f"x{at}", at, "float64") for at in range(3))


def given(columns: tuple[InputColumn, ...], *unneeded: str) -> Given:
    form: Any = "frame" if isinstance(columns[0].label, str) else "array"
    reference = Reference(None, Task("regression", {}), Inputs(columns, form))
    names = {column.name for column in columns}
    return Given(reference, frozenset(names.difference(unneeded)))


def one(name: str, kind: str) -> Tensor:
    return Tensor(name, kind, (None, 1))


ID = one("id", "string")
AGE, TOWN, ROOMS = one("age", "float32"), one("home_town", "string"), one("rooms", "int64")


@pytest.mark.parametrize(
    ("tensors", "positions"),
    [
        ([ROOMS, ID, AGE, TOWN], [(2,), (3,), (0,), (1,)]),
        ([AGE, TOWN, ROOMS], [(0,), (1,), (2,)]),  # the model does without the id
        ([Tensor("n", "float64", (None, 2)), Tensor("t", "string", (None, 2))], [(0, 2), (1, 3)]),
        ([Tensor("t", "string", (None, 1)), Tensor("n", "double", (None, 2))], None),
        ([one("a", "float64"), one("b", "string"), one("c", "int64"), one("d", "string")], None),
        ([AGE, TOWN], None),
        ([Tensor("n", "float64", (None, 4))], None),
    ],
)
def test_columns_with_names(tensors: list[Tensor], positions: list[Any] | None) -> None:
    if positions is None:
        with pytest.raises(Unmatched, match="'home town'"):
            feeds_of(tensors, given(NAMED, "id"))
        return
    assert [feed.positions for feed in feeds_of(tensors, given(NAMED, "id"))] == positions


@pytest.mark.parametrize(
    ("tensors", "positions"),
    [
        ([Tensor("X", "float32", (None, 3))], [(0, 1, 2)]),
        ([Tensor("X", "float64", (None, None))], [(0, 1, 2)]),
        ([one("a", "float64"), one("b", "float64"), one("c", "float64")], [(0,), (1,), (2,)]),
        ([Tensor("X", "float64", (None, 2)), one("c", "float64")], [(0, 1), (2,)]),
        ([Tensor("X", "float64", (None, 4))], None),
        ([Tensor("X", "int64", (None, 3))], None),
    ],
)
def test_columns_of_an_array(tensors: list[Tensor], positions: list[Any] | None) -> None:
    if positions is None:
        with pytest.raises(Unmatched):
            feeds_of(tensors, given(BARE))
        return
    assert [feed.positions for feed in feeds_of(tensors, given(BARE))] == positions


def test_cells_that_a_tensor_does_not_hold() -> None:
    rows: list[Any] = [[1.5, "Ulm", 3, "a"], [None, None, None, None], [1e300, "Ulm", 2**40, "a"]]
    narrow = Feed(one("rooms", "int32"), (2,))

    assert [bool(Feed(AGE, (0,)).unasked(row, NAMED)) for row in rows] == [False, False, False]
    assert [bool(Feed(TOWN, (1,)).unasked(row, NAMED)) for row in rows] == [False, True, False]
    assert [bool(narrow.unasked(row, NAMED)) for row in rows] == [False, True, True]
    assert "a gap in 'rooms'" in narrow.unasked(rows[1], NAMED)
    made = Feed(AGE, (0,)).array(rows)
    assert made.dtype == np.float32
    assert made[0, 0] == 1.5
    assert np.isnan(made[1, 0])
    assert np.isinf(made[2, 0])


CLASSES = ["a", "b"]
TEXTS, PAIRS, NUMBERS = np.array(["a", "b"], object), np.eye(2), np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("value", "like", "wanted"),
    [
        ([{"a": 0.2, "b": 0.8}, {"b": 0.5, "a": 0.5}], PAIRS, [[0.2, 0.8], [0.5, 0.5]]),
        ([{"b": 0.8, "a": 0.2}, {"b": 0.5, "a": 0.5}], PAIRS, [[0.2, 0.8], [0.5, 0.5]]),
        (np.array([[1.0], [2.0]]), NUMBERS, [1.0, 2.0]),
        (np.array([0.8, 0.5]), PAIRS, None),
        (np.array([[-3.0, 3.0], [2.0, -2.0]]), NUMBERS, [3.0, -2.0]),
        (np.array([b"a", b"b"]), TEXTS, ["a", "b"]),
        (["a", "b"], TEXTS, ["a", "b"]),
        (["1.5", "2"], NUMBERS, [1.5, 2.0]),
        ([None, 2.0], NUMBERS, [np.nan, 2.0]),
        ([[PAIRS], [1]], NUMBERS, "no array"),
        (["x", "y"], NUMBERS, "no array"),
        ([PAIRS, 1 - PAIRS], np.ones((2, 4)), [[1, 0, 0, 1], [0, 1, 1, 0]]),
    ],
)
def test_forms_of_outputs(value: Any, like: Any, wanted: Any) -> None:
    found = shaped(value, like, CLASSES)

    if wanted == "no array":
        assert found.shape != like.shape
    elif wanted is None:  # the second class's share is that of one class only
        assert np.allclose(found, [[0.2, 0.8], [0.5, 0.5]])
    else:
        assert np.array_equal(found, wanted, equal_nan=like.dtype.kind == "f")


@pytest.mark.parametrize(
    "value",
    [
        [10**400, 1, 2],
        [[True, False]] * 3,
        [{"a": 1}, 5, {"a": 2}],
        [{"a": 1}, {"a": [2]}, {"a": "x"}],
        [5, {"a": 1}, 5],
        [b"1", 2, b"\xff"],
        [[1], [2, 3], 4],
        [[[1, 2], [3]], 1, 2],
        [np.ones((2, 3)), np.ones((2, 4))],
        [dict.fromkeys(range(5000), 1), {}, {}],
        5,
        None,
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize(
    "like", [np.ones(3), np.ones((3, 2)), np.array(["a", "b", "c"], dtype=object)], ids=str
)
def test_what_has_no_form_equals_nothing(value: Any, like: Any) -> None:
    found = shaped(value, like, CLASSES)
    assert found.shape != like.shape or not (found.astype(object) == like.astype(object)).all()
    _form(value)
