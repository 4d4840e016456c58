"""Cells that are nested lists, as rows and as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.batches import LeftOut
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.tensors import read_tensors
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.messages import Tensor


def signature(*columns: tuple[str, str, list[Any], dict[str, Any]]) -> Signature:
    """Of inputs whose rows are nested lists: name, type, sizes, and further members."""
    inputs = [
        {
            "name": name,
            "type": kind,
            "shape": [-1, *(size if isinstance(size, int) else -1 for size in cell)],
            "cell": cell,
            "longest": 4,
            **more,
        }
        for name, kind, cell, more in columns
    ]
    graph = [
        {"name": name, "dtype": "float32" if kind == "float32" else kind, "columns": [name]}
        for name, kind, _, _ in columns
    ]
    return Signature.from_manifest(
        {
            "signature": {"inputs": inputs, "outputs": []},
            "graph": {"inputs": graph, "outputs": []},
        }
    )


IMAGE = signature(("x", "float32", [2, 3], {"minimum": -9.0, "maximum": 9.0}))
PAIR = signature(("ids", "int64", ["n"], {}), ("kept", "bool", ["n"], {}))
GAPS = signature(("x", "float64", ["n"], {"nullable": True}))


def cells(rows: Any, of: Signature, block: int = 0) -> list[Any]:
    return [cell.tolist() for cell in validate_rows(rows, of).arrays[block][:, 0]]


def problems(rows: Any, of: Signature) -> list[str]:
    with pytest.raises(InvalidRows) as refused:
        validate_rows(rows, of)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(
    "row",
    [
        {"x": [[1, 2, 3], [4, 5, 6.0]]},
        [[[1, 2, 3], [4, 5, 6]]],
        [[1, 2, 3], [4, 5, 6]],
        {"x": [1, 2, 3, 4, 5, 6]},
    ],
)
def test_a_nested_list_by_name_in_a_list_bare_and_flat(row: Any) -> None:
    assert cells([row], IMAGE) == [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([[1, 2, 3]], "expected lists of 2 by 3, got 1 by 3"),
        ([[1, 2, 3], [4, 5]], "got lists of 2 and of 3 side by side"),
        ([[1, 2, 3], 4], "got other values among them"),
        ([1, 2, 3], "expected lists of 2 by 3"),
        ([], "expected lists of 2 by 3"),
        (7, "expected lists of 2 by 3"),
        ("abcdef", "expected lists of 2 by 3"),
        ([[1, 2, 3], [4, 5, "6"]], "expected a number, got '6'"),
        ([[1, 2, 3], [4, 5, True]], "expected a number, got true"),
        ([[1, 2, 3], [4, 5, None]], "a value is missing"),
        ([[1, 2, 3], [4, 5, float("nan")]], "a value is missing"),
        ([[1, 2, 3], [4, 5, float("inf")]], "an infinity"),
        ([[1, 2, 3], [4, 5, 10]], "the maximum is 9.0"),
        ([[1, 2, 3], [4, 5, -10]], "the minimum is -9.0"),
        ([[1, 2, 3], [4, 5, 10**400]], "does not fit"),
    ],
)
def test_what_is_no_such_list_is_refused(cell: Any, message: str) -> None:
    good = {"x": [[0] * 3] * 2}
    [problem] = problems([good, {"x": cell}], IMAGE)
    assert problem.startswith("row 1, column 'x': ")
    assert message in problem


def test_sizes_of_one_name_are_equal_in_a_row() -> None:
    rows = [{"ids": [1, 2], "kept": [True, False]}, {"ids": [1], "kept": [True]}]
    assert cells(rows, PAIR) == [[1, 2], [1]]
    assert cells(rows, PAIR, 1) == [[True, False], [True]]
    assert problems([{"ids": [1, 2], "kept": [True]}], PAIR) == [
        "row 0, column 'kept': expected 2 entries as 'ids' has (n), got 1"
    ]
    assert "got 5" in problems([{"ids": [1] * 5, "kept": [True] * 5}], PAIR)[0]
    assert "expected true or false, got 1" in problems([{"ids": [1], "kept": [1]}], PAIR)[0]


def test_gaps_are_taken_where_the_column_has_some() -> None:
    [[first, second]] = cells([{"x": [None, 2]}], GAPS)
    assert (np.isnan(first), second) == (True, 2.0)


def test_a_list_of_one_may_come_bare_from_a_list_of_values() -> None:
    assert cells([{"x": 3}], GAPS) == [[3.0]]


def tensors(**arrays: Any) -> dict[str, Tensor]:
    kinds = {"i": "INT64", "f": "FP64", "b": "BOOL", "u": "UINT64"}
    return {name: Tensor(array, kinds[array.dtype.kind]) for name, array in arrays.items()}


def test_a_tensor_has_the_length_of_its_request() -> None:
    for length in (1, 4):
        ids = np.arange(2 * length).reshape(2, length)
        table = read_tensors(tensors(ids=ids, kept=ids > 1), PAIR)
        assert [cell.tolist() for cell in table.arrays[0][:, 0]] == ids.tolist()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"ids": np.ones((2, 3), int), "kept": np.ones((2, 2), bool)}, "expected 3 entries"),
        ({"ids": np.ones((2, 5), int), "kept": np.ones((2, 5), bool)}, "expected lists of 1 to 4"),
        ({"ids": np.ones((2, 0), int), "kept": np.ones((2, 0), bool)}, "expected lists of 1 to 4"),
        ({"ids": np.ones(2, int), "kept": np.ones((2, 1), bool)}, "expected shape [n, any]"),
        (
            {"ids": np.ones((2, 1, 1), int), "kept": np.ones((2, 1), bool)},
            "expected shape [n, any]",
        ),
        ({"ids": np.full((1, 1), 0.5), "kept": np.ones((1, 1), bool)}, "whole number, got 0.5"),
        (
            {"ids": np.full((1, 1), 2**63, np.uint64), "kept": np.ones((1, 1), bool)},
            "a number does not fit 64 bits",
        ),
    ],
)
def test_a_tensor_of_other_sizes_is_refused(arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRows) as refused:
        read_tensors(tensors(**arrays), PAIR)
    assert message in str(refused.value.problems[0])


def test_rows_whose_sizes_disagree_are_left_out_with_those_that_are_wrong_otherwise() -> None:
    rows = [[[1], [True]], [["a"], [True]], [[1, 2], [True]], [[3], [False]]]
    left_out = LeftOut()

    table = validate_rows(rows, PAIR, left_out=left_out)

    assert (table.rows, left_out.kept) == (2, [0, 3])
    assert left_out.problems.first == [
        Problem(1, "ids", "expected a whole number, got 'a'"),
        Problem(2, "kept", "expected 2 entries as 'ids' has (n), got 1"),
    ]


def test_a_plain_value_is_the_cell_of_the_only_column() -> None:
    """A list stays what it was: a bare cell where it has the column's depth, else a list of one."""
    assert cells([5, [5], [[5]], {"x": 5}], GAPS) == [[5.0]] * 4
    assert cells([[5, 6], [[5, 6]]], GAPS) == [[5.0, 6.0]] * 2
    [text, number, missing] = problems(["a", 5, None], IMAGE)
    assert text == "row 0, column 'x': expected lists of 2 by 3, got text or another value"
    assert number == "row 1, column 'x': expected lists of 2 by 3, got text or another value"
    assert missing == "row 2, column 'x': missing value: expected lists of 2 by 3"
    assert problems([5], PAIR) == [
        "row 0: expected an object by column name or a list of 2 values, got 5"
    ]
