"""The two readings of a batch, held together on rows that nobody thought of."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onnxlet.function import json_text
from onnxlet.function.arrays import LARGEST_FLOAT32
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.cell_validation import validate_cells
from onnxlet.function.inputs.columns import LONGEST_TEXT, Column
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import _read_quickly, validate_rows

COLUMNS = [
    Column("price", "float64", nullable=True),
    Column("size", "float64", minimum=-LARGEST_FLOAT32, maximum=LARGEST_FLOAT32),
    Column("ratio", "float64", infinite=True),
    Column("rooms", "int64", nullable=True),
    Column("id", "int64"),
    Column("new", "bool"),
    Column("place", "string", nullable=True),
    Column("kind", "string", categories=("a", "b")),
    Column("grade", "int64", categories=(1, 2)),
    Column("floor", "int64", minimum=-1, maximum=2),
    Column("dropped", "string", required=False),
]
TENSORS = [
    {
        "name": "a",
        "dtype": "float64",
        "columns": ["rooms", "price", "ratio", "grade"],
    },
    {"name": "b", "dtype": "float32", "columns": ["size"]},
    {"name": "c", "dtype": "int64", "columns": ["id"]},
    {"name": "d", "dtype": "bool", "columns": ["new"]},
    {"name": "e", "dtype": "string", "columns": ["kind", "place"]},
    {"name": "f", "dtype": "int64", "columns": ["floor"]},
]
SIGNATURE = Signature(COLUMNS, [], TENSORS)
NUMBERS = Signature(
    [Column("x0", "float64"), Column("x1", "float64", nullable=True)],
    [],
    [{"name": "input", "dtype": "float64", "columns": ["x0", "x1"]}],
)
GOOD: dict[str, Any] = {
    "price": 1.5, "size": 2, "ratio": 0.5, "rooms": 3, "id": 2**62 + 1, "new": True,
    "place": "x", "kind": "a", "grade": 1, "floor": -1,
}  # fmt: skip
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0.0, 1.0, 2.0, 3.0, 1e39, -1e39, 1e300, 3.4e38, 10**400, 2.0**63]),
    st.sampled_from(["a", "b", "", "\uffff\ufffe", "\ud800", "1", "é"]),
    st.sampled_from(["x" * LONGEST_TEXT, "x" * (LONGEST_TEXT + 1)]),
    st.lists(st.none(), max_size=1),
)


def rows_of(names: list[str]) -> st.SearchStrategy[list[Any]]:
    changed = st.dictionaries(st.sampled_from(names), CELLS, max_size=3)
    objects = changed.map(lambda cells: {name: GOOD.get(name, 1.0) for name in names} | cells)
    lists = objects.map(lambda row: list(row.values()))
    batch = st.one_of(st.lists(objects, min_size=1, max_size=4), st.lists(lists, min_size=1))
    return batch


def outcome(read: Any) -> Any:
    try:
        return [array.tolist() for array in read()]
    except InvalidRows as error:
        return ("refused", error.count)


def same(a: Any, b: Any) -> bool:
    return repr(a) == repr(b)


def assert_as_careful(rows: list[Any], signature: Signature) -> None:
    """What a quick reading takes, cell validation takes, and makes the same of it."""
    few, quick = (_read_quickly(rows, signature, few) for few in (True, False))
    for found in (few, quick):
        if found is not None:
            careful = validate_cells(rows, signature, {})
            assert same([a.tolist() for a in found], [a.tolist() for a in careful])
            assert [a.dtype for a in found] == [a.dtype for a in careful]
    assert few is not None or quick is None


@settings(max_examples=600, deadline=None)
@given(rows=rows_of([c.name for c in COLUMNS if c.required]))
@example(rows=[GOOD, {**GOOD, "id": 2**63}])
@example(rows=[GOOD, {**GOOD, "floor": 3}])
@example(rows=[{**GOOD, "floor": -2}])
def test_whole_blocks_are_accepted_only_where_each_cell_is(rows: list[Any]) -> None:
    if isinstance(rows[0], list):
        rows = [[*row, None] for row in rows]
    assert_as_careful(rows, SIGNATURE)


WHOLE = Signature(
    [
        Column("part", "int64", nullable=True, categories=(7, 2**53)),
        Column("weight", "int64", nullable=True, maximum=10**17),
    ],
    [],
    [{"name": "input", "dtype": "float64", "columns": ["part", "weight"]}],
)
WHOLE_CELLS = st.sampled_from([None, 7, 7.0, 2**53, 2**53 + 1, 2.0**53, 10**17, 10**17 + 1, 2**62])


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(st.tuples(WHOLE_CELLS, WHOLE_CELLS).map(list), min_size=1, max_size=4))
@example(rows=[[2**53 + 1, None]])
@example(rows=[[7, 10**17 + 1], [None, None]])
def test_an_integer_is_judged_by_all_of_its_digits_whatever_is_beside_it(rows: list[Any]) -> None:
    fitting = [[p in (None, 7, 2**53), w is None or w <= 10**17] for p, w in rows]
    wrong = sum(not fits for row in fitting for fits in row)
    held = outcome(lambda: validate_rows(rows, WHOLE).arrays)
    if wrong:
        assert held == ("refused", wrong)
    else:
        assert same(held, [np.array(rows, dtype=np.float64).tolist()])


@settings(max_examples=300, deadline=None)
@given(rows=rows_of(["x0", "x1"]))
def test_the_same_where_every_column_is_a_number(rows: list[Any]) -> None:
    assert_as_careful(rows, NUMBERS)


@pytest.mark.parametrize("cells", [["x" * 6, "x" * 6], ["x" * 6, "x"], [None, "x" * 6]])
def test_a_column_of_text_has_a_limit_of_its_own(cells: list[Any]) -> None:
    tensors = [{"name": name, "dtype": "string", "columns": [name]} for name in ("short", "long")]
    short = Column("short", "string", nullable=True, longest=5)
    signature = Signature([short, Column("long", "string")], [], tensors)

    good = [["x" * 5, "x" * 5], [None, "x" * 99]]
    assert validate_rows(good, signature).arrays[0].shape == (2, 2)
    if cells[0] is None:
        assert validate_rows([cells], signature).rows == 1
        return
    with pytest.raises(InvalidRows) as refused:
        validate_rows([*good, cells], signature)
    assert refused.value.problems == [
        Problem(2, "short", "the string has 6 characters, and 5 is the most")
    ]


@pytest.mark.parametrize("count", [1, 5, 1000])
def test_usual_rows_take_the_quick_reading(count: int) -> None:
    for few in (True, False):
        assert _read_quickly([GOOD] * count, SIGNATURE, few) is not None
        assert _read_quickly([[1, 0.0]] * count, NUMBERS, few) is not None
        assert _read_quickly([[1, None]] * count, NUMBERS, few) is not None
    missing = {**GOOD, "price": None, "place": None}
    assert _read_quickly([missing] * count, SIGNATURE, few=False) is not None


@pytest.mark.parametrize("count", [1, 100, 2000])
@pytest.mark.parametrize("place", [0, -1])
def test_one_boolean_among_many_numbers_is_found(count: int, place: int) -> None:
    for value in (True, False):
        rows: list[Any] = [[0.5, 2.5] for _ in range(count)]
        rows[place] = [1.5, value]

        with pytest.raises(InvalidRows) as caught:
            validate_rows(rows, NUMBERS)

        [problem] = caught.value.problems
        assert (problem.row, problem.column) == (place % count, "x1")


def test_columns_reach_their_tensor_in_its_order() -> None:
    table = validate_rows([{**GOOD, "rooms": None}], SIGNATURE)

    fed = {feed.name: feed.gather(table.arrays) for feed in SIGNATURE.feeds}

    assert np.isnan(fed["a"][0, 0])
    assert fed["a"][0, 1:].tolist() == [1.5, 0.5, 1.0]
    assert fed["b"].dtype == np.float32
    assert fed["b"].tolist() == [[2.0]]
    assert fed["c"].tolist() == [[2**62 + 1]]
    assert fed["d"].tolist() == [[True]]
    assert fed["e"].tolist() == [["a", "x"]]


def test_the_largest_float32_is_where_float32_ends() -> None:
    assert math.isfinite(np.float32(LARGEST_FLOAT32))
    with np.errstate(over="ignore"):
        assert math.isinf(np.float32(np.nextafter(LARGEST_FLOAT32, np.inf)))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_json_goes_out_without_nan_and_comes_back(value: Any) -> None:
    try:
        text = json_text.dumps(value)
    except TypeError:
        return  # lone surrogates have no UTF-8

    def strict(constant: str) -> Any:
        raise AssertionError(constant)

    json.loads(text, parse_constant=strict)
