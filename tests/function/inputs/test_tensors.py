"""Tensors as arrays: the two readings held together, and what each refuses."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onnxlet.function.arrays import LARGEST_FLOAT32, MISSING_TEXT, Array
from onnxlet.function.errors import InvalidRows, MalformedRequest, Problem
from onnxlet.function.inputs.cell_validation import _checked, declared, validate_cells
from onnxlet.function.inputs.columns import LONGEST_TEXT, Column, Input, Refused
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.tensors import (
    RAW,
    _as_rows,
    _read_few,
    _read_quickly,
    count_rows,
    read_tensors,
)
from onnxlet.function.messages import Tensor
from onnxlet.function.protocols.v2.tensors import few_of
from tests.function.inputs.test_validation import COLUMNS, GOOD, SIGNATURE

MATRIX = Signature(
    [
        Column("x0", "float64", minimum=-1e30, maximum=1e30),
        Column("x1", "float64", True, minimum=-LARGEST_FLOAT32, maximum=LARGEST_FLOAT32),
    ],
    [],
    [{"name": "in", "dtype": "float32", "columns": ["x0", "x1"]}],
    inputs=[Input("input", "float64", (-1, 2), ("x0", "x1"))],
)
IMAGES = Signature(
    [Column(f"x{n}", "float32") for n in range(6)],
    [],
    [{"name": "in", "dtype": "float32", "columns": [f"x{n}" for n in range(6)]}],
    inputs=[Input("image", "float32", (-1, 1, 2, 3), tuple(f"x{n}" for n in range(6)))],
)
DTYPES = {
    **{f"INT{bits}": f"i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{"FP16": "f2", "FP32": "f4", "FP64": "f8", "BOOL": "?"},
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(["a", "b", "", MISSING_TEXT, "\ud800", "1", b"\xff"]),
    st.sampled_from(["x" * LONGEST_TEXT, "x" * (LONGEST_TEXT + 1)]),
    st.sampled_from([300, -1, 1e39, 70000.0, 10**400, 2.0**63, 3.0]),
)


def arrays(rows: int) -> st.SearchStrategy[Tensor]:
    """A tensor of any datatype, its values usual or at the edges of their type."""

    def of(datatype: str) -> st.SearchStrategy[Tensor]:
        dtype = np.dtype(DTYPES[datatype])
        if dtype.kind == "f":
            numbers = st.sampled_from([0, -0.0, 1, 2.5, 3, math.nan, math.inf, 2.0**62, 2.0**63])
            cells: st.SearchStrategy[Any] = numbers | st.floats(width=dtype.itemsize * 8)  # type: ignore[arg-type] # 16, 32 or 64
        elif dtype.kind == "b":
            cells = st.booleans()
        else:
            info = np.iinfo(dtype)
            cells = st.integers(0, 3) | st.integers(int(info.min), int(info.max))
        lists = st.lists(cells, min_size=rows, max_size=rows)
        with np.errstate(over="ignore"):
            return lists.map(lambda cells: Tensor(_made(cells, dtype), datatype))

    objects = st.lists(ODD, min_size=rows, max_size=rows)
    declared = st.sampled_from([*DTYPES, "BYTES"])
    odd = st.builds(lambda c, d: Tensor(np.fromiter(c, object, rows), d), objects, declared)
    texts = st.lists(st.sampled_from(["a", "b"]), min_size=rows, max_size=rows)
    plain = texts.map(lambda cells: Tensor(np.array(cells, object), "BYTES"))
    return st.sampled_from(list(DTYPES)).flatmap(of) | odd | plain


def _made(cells: list[Any], dtype: Any) -> Array:
    with np.errstate(over="ignore"):
        return np.array(cells).astype(dtype) if dtype.kind == "f" else np.array(cells, dtype)


USUAL = {
    "float64": "FP64",
    "int64": "INT64",
    "bool": "BOOL",
    "string": "BYTES",
}


def good(rows: int) -> dict[str, Tensor]:
    made = {}
    for column in COLUMNS:
        if column.required:
            dtype = object if column.type == "string" else column.type
            cells = np.array([GOOD[column.name]] * rows, dtype=dtype)
            made[column.name] = Tensor(cells, USUAL[column.type])
    return made


BATCHES = st.integers(1, 3).flatmap(
    lambda rows: st.dictionaries(st.sampled_from(list(good(1))), arrays(rows), max_size=4).map(
        lambda changed: {**good(rows), **changed}
    )
)


def hold_few_together(tensors: Mapping[str, Tensor], signature: Signature, rows: int) -> None:
    """The same values as JSON has them, read into lists."""
    cells = {}
    for name, tensor in tensors.items():
        array = tensor.as_array()
        few = few_of(array.ravel().tolist(), array.shape, tensor.datatype)
        if few is None:
            return
        assert array.dtype == object or repr(few.array().tolist()) == repr(array.tolist())
        cells[name] = Tensor(few, tensor.datatype)
    found = _read_few(cells, signature, rows)
    if found is not None:
        careful = validate_cells(_as_rows(cells, signature, rows), signature, {})
        assert repr([a.tolist() for a in found]) == repr([a.tolist() for a in careful])


def hold_together(tensors: Mapping[str, Tensor], signature: Signature) -> None:
    rows = count_rows(tensors, signature)
    hold_few_together(tensors, signature, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick = _read_quickly(tensors, signature, rows)
        if quick is None:
            return
        careful = validate_cells(_as_rows(tensors, signature, rows), signature, {})
    assert repr([a.astype(b.dtype).tolist() for a, b in zip(quick, careful, strict=True)]) == repr(
        [a.tolist() for a in careful]
    )
    for feed in signature.feeds:
        assert repr(feed.gather(quick)) == repr(feed.gather(careful))


@pytest.mark.long
@settings(max_examples=600, deadline=None)
@given(tensors=BATCHES)
@example(tensors={**good(1), "rooms": Tensor(np.array([-0.0]), "FP64")})
@example(tensors={**good(2), "rooms": Tensor(np.array([3.0, np.nan], "f4"), "FP32")})
@example(tensors={**good(1), "id": Tensor(np.array([2**63], "u8"), "UINT64")})
@example(tensors={**good(1), "id": Tensor(np.array([2.0**63]), "FP64")})
@example(tensors={**good(1), "rooms": Tensor(np.array([300, None], object)[:1], "INT8")})
def test_whole_blocks_are_accepted_only_where_each_cell_is(
    tensors: dict[str, Tensor],
) -> None:
    hold_together(tensors, SIGNATURE)


@settings(max_examples=300, deadline=None)
@given(tensor=st.sampled_from([2, 4]).flatmap(arrays))
@example(tensor=Tensor(np.array([1e30, 1], "f4"), "FP32"))
@example(tensor=Tensor(np.array([2**63, 2**64 - 1], "u8"), "UINT64"))
def test_the_same_for_one_matrix(tensor: Tensor) -> None:
    matrix = tensor._replace(array=tensor.as_array().reshape(-1, 2))
    hold_together({"input": matrix}, MATRIX)


def test_usual_tensors_take_the_quick_reading() -> None:
    assert _read_quickly(good(5), SIGNATURE, 5) is not None
    for dtype in ("f2", "f4", "f8", "i1", "u8", "i8"):
        cells = {"input": Tensor(np.ones((5, 2), dtype), "FP64")}
        assert _read_quickly(cells, MATRIX, 5) is not None
    some = np.array([1, None, 3], object)
    for name, array, datatype in (
        ("rooms", some, "INT64"),
        ("rooms", np.array([1, np.nan, 3]), "FP64"),
        ("id", np.array([1, 2, 3.0]), "FP64"),
        ("place", np.array(["a", None, "b"], object), "BYTES"),
        ("price", np.array([1, np.nan, 2], "f4"), "FP32"),
    ):
        tensors = {**good(3), name: Tensor(array, datatype)}
        assert _read_quickly(tensors, SIGNATURE, 3) is not None, name


def test_floats_of_32_bits_are_not_widened_on_the_way() -> None:
    table = read_tensors({"input": Tensor(np.ones((3, 2), "f4"), "FP32")}, MATRIX)

    assert [array.dtype for array in table.arrays] == [np.float32]


def test_an_image_comes_in_its_shape_or_flat() -> None:
    cells = np.arange(12, dtype="f4")
    for shape in ((2, 1, 2, 3), (2, 6)):
        table = read_tensors({"image": Tensor(cells.reshape(shape), "FP32")}, IMAGES)
        assert table.rows == 2
        assert table.arrays[0].tolist() == cells.reshape(2, 6).tolist()


@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 2, 3), (2, 1, 3, 2), (12,), (2, 6, 1)])
def test_an_image_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRows) as caught:
        read_tensors({"image": Tensor(np.zeros(shape, "f4"), "FP32")}, IMAGES)

    [problem] = caught.value.problems
    expected = f"expected shape [n, 1, 2, 3] or [n, 6], got {list(shape)}"
    assert problem == (None, "image", expected)


def test_columns_between_that_are_dropped() -> None:
    names = [f"x{n}" for n in range(4)]
    columns = [Column(name, "float64", required=name != "x1") for name in names]
    signature = Signature(
        columns,
        [],
        [{"name": "in", "dtype": "float64", "columns": ["x3", "x0", "x2"]}],
        inputs=[Input("input", "float64", (-1, 4), tuple(names))],
    )
    cells = np.array([[1, 2, 3, 4], [5, 6, 7, 8.0]])

    for array in (cells, cells.astype(object)):
        table = read_tensors({"input": Tensor(array, "FP64")}, signature)
        assert table.arrays[0].tolist() == [[1, 3, 4], [5, 7, 8]]
        assert signature.feeds[0].gather(table.arrays).tolist() == [[4, 1, 3], [8, 5, 7]]


def test_dropped_columns_are_ignored() -> None:
    for tensor in (
        Tensor(np.zeros((7, 3)), "FP64"),
        Tensor(np.array(["x"], object), "INT8"),
    ):
        table = read_tensors({**good(1), "dropped": tensor}, SIGNATURE)
        assert table.rows == 1


def problems(tensors: Mapping[str, Tensor], signature: Signature) -> list[str]:
    with pytest.raises(InvalidRows) as caught:
        read_tensors(tensors, signature)
    return list(map(str, caught.value.every))


def test_all_that_is_wrong_with_the_form_is_listed_at_once() -> None:
    tensors = good(2)
    del tensors["new"]
    tensors["neww"] = tensors["id"]
    tensors["price"] = Tensor(np.zeros((2, 2)), "FP64")
    tensors["size"] = Tensor(np.zeros(3), "FP64")
    tensors["kind"] = Tensor(np.array("a", object), "BYTES")

    assert problems(tensors, SIGNATURE) == [
        "column 'new': missing input",
        "column 'neww': unknown input; did you mean 'new'?",
        "column 'price': expected shape [n] or [n, 1], got [2, 2]",
        "column 'ratio': expected as many rows as 'size' has, 3, got 2",
        "column 'rooms': expected as many rows as 'size' has, 3, got 2",
        "column 'id': expected as many rows as 'size' has, 3, got 2",
        "column 'place': expected as many rows as 'size' has, 3, got 2",
        "column 'kind': expected shape [n] or [n, 1], got []",
        "column 'grade': expected as many rows as 'size' has, 3, got 2",
        "column 'floor': expected as many rows as 'size' has, 3, got 2",
    ]


def test_all_wrong_values_are_listed_at_once_by_row_and_column() -> None:
    def odd(cells: list[Any], datatype: str) -> Tensor:
        return Tensor(np.fromiter(cells, object, len(cells)), datatype)

    tensors = {
        **good(3),
        "price": odd([1, 1e39, "x"], "FP32"),
        "size": Tensor(np.array([1, np.inf, np.nan], "f4"), "FP32"),
        "rooms": odd([300, 3.0, None], "INT8"),
        "id": Tensor(np.array([1.5, 2, 3]), "FP64"),
        "new": odd([True, 1, "a"], "BOOL"),
        "kind": odd(["c", b"\xff", 3], "BYTES"),
        "place": odd([MISSING_TEXT, "\ud800", "x"], "BYTES"),
        "grade": Tensor(np.array([1, 2, 3]), "INT64"),
    }

    assert problems(tensors, SIGNATURE) == [
        "row 0, column 'rooms': 300 does not fit INT8",
        "row 0, column 'id': expected a whole number, got 1.5",
        "row 0, column 'place': the string is the one that stands for a missing value here; "
        "send null",
        "row 0, column 'kind': 'c' is not one of the known categories: 'a', 'b'",
        "row 1, column 'price': 1e+39 does not fit FP32",
        "row 1, column 'size': infinity, and the model does not take one here",
        "row 1, column 'new': expected true or false, got 1",
        "row 1, column 'place': the string has a lone surrogate, which is not Unicode text",
        "row 1, column 'kind': expected a string, got b'\\xff'",
        "row 2, column 'price': expected a number, got 'x'",
        "row 2, column 'size': missing value, and the model does not take one here",
        "row 2, column 'new': expected true or false, got 'a'",
        "row 2, column 'kind': expected a string, got 3",
        "row 2, column 'grade': 3 is not one of the known categories: 1, 2",
    ]


@pytest.mark.parametrize(
    ("tensor", "part"),
    [
        (Tensor(np.ones((1, 2), bool), "BOOL"), "x0': expected a number, got true"),
        (Tensor(np.array([["1", "2"]], object), "BYTES"), "x0': expected a number, got '1'"),
        (Tensor(np.full((1, 2), 1e31), "FP64"), "1e+31 does not fit: the maximum is 1e+30"),
        (Tensor(np.zeros((0, 2)), "FP64"), "no instances: expected at least one row"),
        (Tensor(np.full((1, 2), 2**64, object), "UINT64"), "does not fit UINT64"),
    ],
)
def test_what_no_number_is(tensor: Tensor, part: str) -> None:
    assert part in problems({"input": tensor}, MATRIX)[0]


def raw(content: bytes) -> dict[str, Tensor]:
    return {"": Tensor(np.frombuffer(content, np.uint8), RAW)}


def test_raw_bytes_are_the_only_input() -> None:
    content = np.array([[1, np.nan], [3, 4]])

    table = read_tensors(raw(content.tobytes()), MATRIX)

    assert table.rows == count_rows(raw(content.tobytes()), MATRIX) == 2
    assert repr(table.arrays[0]) == repr(content)


def test_raw_bytes_of_text_are_one_text() -> None:
    column = Column("text", "string")
    graph = [{"name": "in", "dtype": "string", "columns": ["text"]}]
    signature = Signature([column], [], graph)

    assert read_tensors(raw("é".encode()), signature).arrays[0].tolist() == [["é"]]
    assert "lone surrogate" in problems(raw(b"\xff"), signature)[0]


@pytest.mark.parametrize(
    ("content", "signature", "part"),
    [
        (b"1" * 17, MATRIX, "expected rows of 16 bytes (2 of float64), got 17 bytes"),
        (b"1" * 16, SIGNATURE, "bytes without a header are one input, and the model has 11"),
        (
            b"\x02",
            Signature(
                [Column("b", "bool")], [], [{"name": "i", "dtype": "bool", "columns": ["b"]}]
            ),
            "expected bytes 0 and 1, got 2",
        ),
    ],
)
def test_raw_bytes_that_are_no_rows(content: bytes, signature: Signature, part: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        read_tensors(raw(content), signature)

    assert part in caught.value.message


def test_a_refused_cell_keeps_no_frames() -> None:
    """They would take a kilobyte for each of a million cells, and the collector's time."""
    refused = declared({}, "FP64")
    assert isinstance(refused, Refused)
    problems: list[Problem] = []
    _checked(Column("a", "float64"), 0, refused, problems)

    assert problems == [Problem(0, "a", "expected a number, got an object")]
    assert refused.__traceback__ is None
