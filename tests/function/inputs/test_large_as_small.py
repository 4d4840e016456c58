"""Large bodies mean what small ones do: every protocol's forms, right and wrong, read both ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onnxlet.function.csv import lines as csv_lines
from onnxlet.function.errors import RequestError
from onnxlet.function.inputs import json_body, large_json, parts, tensors, validation
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.messages import Request, WireProtocol
from onnxlet.function.models.model import Model
from onnxlet.function.protocols import invocations, native, v1, v2
from onnxlet.function.serving.predict import read
from tests.conftest import Client

NAMES = ["a", "b", "c"]
# Commas in texts are no values, brackets in them no lists.
TEXT = st.text(max_size=3) | st.sampled_from(["a," * 60, 'q"\\', "[{,", "é\\\\"])
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, "x", 1.5, 7, [1], [], {}, [[2]], ["y"], 2**70, -0.0, "1"]
)
WHOLE = st.integers(0, 9)
NUMBER = WHOLE | st.sampled_from([0.1, -2.5e30, 16777217])


class Reader(Model):
    """A model that only reads: numbers by one array, or a column each of several kinds."""

    def __init__(self, kinds: list[Any]) -> None:
        columns = [Column(name, kind) for name, kind in zip(NAMES, kinds, strict=False)]
        blocks = [
            {"name": column.name, "dtype": column.type, "columns": [column.name]}
            for column in columns
        ]
        alike = len(columns) > 1 and len(set(kinds)) == 1
        if alike:
            every = [column.name for column in columns]
            blocks = [{"name": "input", "dtype": kinds[0], "columns": every}]
        self.signature = Signature(columns, [], blocks, None, "input" if alike else None)


MODELS: Mapping[str, tuple[Reader, list[st.SearchStrategy[Any]]]] = {
    "numbers": (Reader(["float64"] * 3), [NUMBER] * 3),
    "mixed": (Reader(["float64", "int64", "string"]), [NUMBER, WHOLE, TEXT]),
    "one whole number": (Reader(["int64"]), [WHOLE]),
    "one text": (Reader(["string"]), [TEXT]),
}


def forms(lists: list[Any], names: list[str]) -> list[tuple[WireProtocol, Any]]:
    """What every protocol makes of rows: its reading, and the body."""
    rows = [dict(zip(names, row, strict=False)) if isinstance(row, list) else row for row in lists]
    columns = {
        name: [row[place] if isinstance(row, list) and place < len(row) else None for row in lists]
        for place, name in enumerate(names)
    }
    shape = [len(lists), len(names)]
    flat = [cell for row in lists for cell in (row if isinstance(row, list) else [row])]
    one: dict[str, Any] = {"name": "input", "shape": shape, "datatype": "FP64"}
    kinds = ["FP64", "INT64", "BYTES"] if len(names) > 1 else ["INT64"]
    each = [
        {"name": name, "shape": [len(lists)], "datatype": kind, "data": columns[name]}
        for name, kind in zip(names, kinds, strict=True)
    ]
    bare = [row[0] if isinstance(row, list) and row else row for row in lists]
    return [
        *((native, body) for body in (lists, rows, {"instances": lists}, {"instances": rows})),
        *((v1, {"instances": some}) for some in (lists, rows, bare)),
        *((v1, {"inputs": some}) for some in (lists, rows, columns, {"a": lists}, {"a": bare})),
        *((invocations, {"inputs": some}) for some in (lists, rows, columns, bare)),
        (invocations, {"dataframe_split": {"columns": names, "data": lists}}),
        (invocations, {"dataframe_records": rows}),
        *((v2, {"inputs": [{**one, "data": data}]}) for data in (lists, flat)),
        (v2, {"inputs": each}),
    ]


FORMS = len(forms([[1]], ["a"]))


def outcome(model: Model, protocol: WireProtocol, body: bytes) -> Any:
    """The arrays, or every problem that is reported instead."""
    request = Request(body, media_type="application/json", most_rows=200)
    try:
        read_ = read(model, protocol.decode(request))
    except RequestError as error:
        problems = [str(problem) for problem in getattr(error, "problems", [])]
        return type(error), str(error), problems
    return read_.rows, [(array.dtype, array.tolist()) for array in read_.arrays]


def in_parts(model: Model, protocol: WireProtocol, body: bytes, size: int) -> Any:
    """The same where large bodies begin at a few bytes, with its limits in proportion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_body, "LARGE_BODY", 2 * size)
        patch.setattr(large_json, "SLICE", size)
        patch.setattr(large_json, "MOST_VALUES", size)
        for module in (validation, tensors):
            patch.setattr(module, "CELLS_AT_ONCE", 7)
        for module in (parts, csv_lines):
            patch.setattr(module, "FIELDS_AT_ONCE", 7)
        return outcome(model, protocol, body)


@st.composite
def batches(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A model and rows for it, of which few are odd, or have an odd cell."""
    which = draw(st.sampled_from(sorted(MODELS)))
    cells = MODELS[which][1]
    rows: list[Any] = draw(st.lists(st.tuples(*cells).map(list), min_size=1, max_size=40))
    for row in draw(st.lists(st.integers(0, len(rows) - 1), max_size=2)):
        rows[row] = draw(st.just(rows[row]) | ODD | st.lists(NUMBER, max_size=40))
        if isinstance(rows[row], list) and rows[row]:
            rows[row] = [*rows[row]]
            rows[row][draw(st.integers(0, len(rows[row]) - 1))] = draw(ODD)
    return which, rows


@settings(max_examples=40, deadline=None)
@given(
    batch=batches(),
    form=st.integers(0, FORMS - 1),
    indent=st.sampled_from([None, 0, 9]),
    blanks=st.sampled_from([0, 400]),
    size=st.sampled_from([48, 100, 300]),
)
@example(("one text", [["a," * 60]] * 9), 0, None, 0, 48)
@example(("numbers", [[1, 2, 3], [1] * 40, [1, 2, 3]]), 7, None, 0, 48)
@example(("numbers", [[1] * 40]), 12, None, 0, 48)
@example(("numbers", [[1, 2, 3]] * 9 + [[1, [2], 3]] + [[1, 2, 3]] * 9), 19, None, 0, 48)
@example(("mixed", [[[[2]], 0, ""]] + [[0, 0, ""]] * 5), 9, None, 0, 48)
@example(("one text", [None] * 9), 16, None, 400, 48)
@example(("numbers", [[1, 2, 3]] * 30), 18, None, 400, 48)
def test_a_large_body_is_read_as_a_small_one(
    batch: tuple[str, list[Any]], form: int, indent: int | None, blanks: int, size: int
) -> None:
    which, rows = batch
    model = MODELS[which][0]
    protocol, value = forms(rows, NAMES[: len(MODELS[which][1])])[form]
    body = json.dumps(value, indent=indent).encode() + b" " * blanks

    assert in_parts(model, protocol, body, size) == outcome(model, protocol, body)


@pytest.mark.parametrize("levels", [990, 1020])
@pytest.mark.parametrize("rows", [1, 9])
def test_what_is_deep_is_no_failure_of_ours(
    flask_client: Callable[..., Client], levels: int, rows: int
) -> None:
    """Deep members beside the rows are wrong for what they are, in a large body as in a small."""
    deep = b"[" * levels + b"]" * levels
    lists = b",".join([b"[5.1,3.5,1.4,0.2]"] * rows)
    tensor = b'{"name":"input","shape":[%d,4],"datatype":"FP64","data":[%b]}' % (rows, lists)
    client = flask_client()
    headers = {"Content-Type": "application/json", "X-Amzn-SageMaker-Target-Model": "iris"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_body, "LARGE_BODY", 3000)
        patch.setattr(large_json, "SLICE", 60)
        for path, body in (
            ("/models/iris/predict", b'{"instances":[%b],"model":%b}' % (lists, deep)),
            ("/models/iris/explain", b'{"instances":[%b],"seconds":%b}' % (lists, deep)),
            ("/v1/models/iris:predict", b'{"instances":[%b],"signature_name":%b}' % (lists, deep)),
            ("/v2/models/iris/infer", b'{"inputs":[%b],"parameters":%b}' % (tensor, deep)),
            ("/v2/models/iris/infer", b'{"inputs":[{"name":"a","shape":%b}]}' % deep),
            ("/invocations", b'{"instances":[%b],"params":%b}' % (lists, deep)),
        ):
            for blanks in (b"", b" " * 3000):
                answer = client.post(path, body + blanks, headers)
                assert (path, answer.status) == (path, 400), answer.body


@pytest.mark.parametrize("nested_at", range(60))
def test_whether_data_are_nested_is_judged_once(nested_at: int) -> None:
    """A part of flat data may begin with the one value that is a list."""
    data: list[Any] = [float(number) for number in range(60)]
    data[nested_at] = [3.0]
    entry = {"name": "input", "shape": [20, 3], "datatype": "FP64", "data": data}
    body = json.dumps({"inputs": [entry]}).encode()
    model = MODELS["numbers"][0]

    assert in_parts(model, v2, body, 48) == outcome(model, v2, body)


@pytest.mark.parametrize("rows", range(20, 60))
@pytest.mark.parametrize("protocol", [v1, invocations])
def test_a_column_is_a_column_whatever_it_is_held_in(protocol: WireProtocol, rows: int) -> None:
    """Of columns that are read at once only those of several are kept in arrays."""
    body = json.dumps({"inputs": {"a": [row % 9 for row in range(rows)]}}, indent=0).encode()
    model = MODELS["one whole number"][0]

    read_ = in_parts(model, protocol, body + b" " * 200, 100)
    assert read_ == outcome(model, protocol, body)
