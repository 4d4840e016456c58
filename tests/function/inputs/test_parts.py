"""Batches that are read in parts: the same answers, few at a time, and refused by their rows."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.sources.source import Source
from onnxlet.function import json_text, messages
from onnxlet.function.csv import lines as csv_lines
from onnxlet.function.errors import InvalidRows, RequestTooLarge
from onnxlet.function.inputs import batches, json_body, large_json, parts, tensors, validation
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.json_body import LARGE_BODY
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.messages import PredictRequest, Request, WireProtocol
from onnxlet.function.models import model
from onnxlet.function.models.model import Model
from onnxlet.function.protocols import invocations, native, v1, v2
from onnxlet.function.protocols.v2.tensors import HEADER
from onnxlet.function.serving.predict import read
from tests.conftest import Client
from tests.function.protocols.held_out import rows_of

SHOP = "/models/shop/predict"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is large begins at a few bytes, rows and cells."""
    monkeypatch.setattr(json_body, "LARGE_BODY", 20)
    monkeypatch.setattr(large_json, "SLICE", 24)
    monkeypatch.setattr(csv_lines, "LARGE_BODY", 0)
    for module in (validation, tensors):
        monkeypatch.setattr(module, "CELLS_AT_ONCE", 7)
    for module in (parts, csv_lines):
        monkeypatch.setattr(module, "FIELDS_AT_ONCE", 7)
    monkeypatch.setattr(messages, "FEW_ROWS", 0)
    monkeypatch.setattr(json_text, "VALUES", 4)
    monkeypatch.setattr(json_text, "FEW_MEMBERS", 2)


def requests(rows: list[dict[str, Any]]) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Each protocol's forms of these rows: path, body, headers."""
    names = list(rows[0])
    lists = [[row.get(name) for name in names] for row in rows]
    columns = {name: [row.get(name) for row in rows] for name in names}
    mlflow = {"X-Amzn-SageMaker-Target-Model": "shop"}
    told: list[tuple[str, Any, dict[str, str]]] = [
        (SHOP, {"instances": rows}, {}),
        (SHOP, lists, {}),
        (f"{SHOP}?on_error=null", {"instances": rows}, {}),
        ("/v1/models/shop:predict?outputs=all", {"instances": rows}, {}),
        ("/v1/models/shop:predict", {"inputs": columns}, {}),
        ("/v1/models/shop:predict?on_error=null&outputs=all", {"inputs": columns}, {}),
        (
            "/invocations?outputs=all",
            {"dataframe_split": {"columns": names, "data": lists}},
            mlflow,
        ),
        ("/invocations", {"dataframe_records": rows}, mlflow),
        ("/invocations?on_error=null", {"instances": lists}, mlflow),
        ("/invocations", {"inputs": columns}, mlflow),
        ("/invocations", {"inputs": lists}, mlflow),
        ("/invocations", {"instances": [{"features": row} for row in lists]}, mlflow),
    ]
    for path, form, headers in told:
        yield path, json.dumps(form).encode(), headers
    lines: list[list[Any]] = [names, *lists]
    text = "\n".join(",".join(map(str, line)) for line in lines).encode()
    yield SHOP, text, {"Content-Type": "text/csv"}
    yield f"{SHOP}?on_error=null", text, {"Content-Type": "text/csv"}
    yield "/invocations", text, {"Content-Type": "text/csv", "Accept": "text/csv", **mlflow}
    types = ["FP64", "INT64", "BOOL", "BYTES", "BYTES"]
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": kind, "data": columns[name]}
        for name, kind in zip(names, types, strict=True)
    ]
    yield "/v2/models/shop/infer", json.dumps({"inputs": inputs}).encode(), {}


def answers(client: Client, rows: list[dict[str, Any]]) -> list[tuple[int, bytes]]:
    found = []
    for path, body, headers in requests(rows):
        answer = client.post(path, body, {"Content-Type": "application/json", **headers})
        found.append((answer.status, answer.body))
    return found


def test_the_answers_are_those_of_a_batch_read_at_once(
    flask_client: Callable[..., Client],
    sources: Mapping[str, Source],
    request: pytest.FixtureRequest,
) -> None:
    client, rows = flask_client(), rows_of(sources["shop"])[:9]
    broken = [dict(row) for row in rows]
    broken[2]["Preis (€)"] = "dear"
    broken[3]["more"] = 1
    del broken[7]["count"]
    broken[8]["new"] = None
    expected = [answers(client, rows), answers(client, broken)]
    request.getfixturevalue("small_parts")

    assert all(status == 200 for status, _ in expected[0])
    assert [answers(client, rows), answers(client, broken)] == expected


def decoded(protocol: WireProtocol, body: bytes, **parts_of_it: Any) -> PredictRequest:
    told = {"media_type": "application/json", "most_rows": 10_000, **parts_of_it}
    return protocol.decode(Request(body, **told))


MANY = LARGE_BODY // 4 + 1  # rows, of four bytes at least where they are read in parts


@pytest.mark.parametrize(
    ("protocol", "body", "about"),
    [
        (native, b'{"instances": [%b]}' % (b"[x]," * MANY + b"1"), {}),
        (native, b"[%b]" % (b'{"a":x},' * MANY + b"1"), {}),
        (v1, b'{"instances": [%b]}' % (b"[x]," * MANY + b"1"), {}),
        (v1, b'{"inputs": {"a": [%b]}}' % (b"xxxx," * MANY + b"1"), {}),
        (invocations, b'{"dataframe_split": {"data": [%b]}}' % (b"[x]," * MANY + b"1"), {}),
        (invocations, b'{"dataframe_records": [%b]}' % (b'{"a":x},' * MANY + b"1"), {}),
        (invocations, b'{"instances": [%b]}' % (b"[x]," * MANY + b"1"), {}),
        (invocations, b'{"inputs": {"a": [%b]}}' % (b"xxxx," * MANY + b"1"), {}),
        (
            v2,
            b'{"inputs": [{"name": "a", "shape": [%d, 1], "datatype": "FP64", "data": [%b]}]}'
            % (MANY + 1, b"[x]," * MANY + b"[1]"),
            {},
        ),
        (native, b"a,b\n" + b"1,2\n" * MANY + b'"broken', {"media_type": "text/csv"}),
        (invocations, b"a,b\n" + b"1,2\n" * MANY + b'"broken', {"media_type": "text/csv"}),
        (native, b"a\n" + b"\n" * MANY + b'"broken', {"media_type": "text/csv"}),
    ],
)
def test_rows_are_counted_before_cells_are_read(
    protocol: WireProtocol, body: bytes, about: dict[str, Any]
) -> None:
    """No cell of these is any that is read: a body of too many rows is refused for its rows."""

    def count() -> None:
        call = decoded(protocol, body, **about)
        Request(most_rows=10_000).check_rows(len(call.rows))

    with pytest.raises(RequestTooLarge, match="at most 10000 rows"):
        count()


def test_strings_in_bytes_are_counted_before_they_are_read() -> None:
    count = 2**20
    told = f'"shape":[1,{count}],"datatype":"BYTES","parameters":{{"binary_data_size":{4 * count}}}'
    header = f'{{"inputs":[{{"name":"a",{told}}}]}}'.encode()
    length = {HEADER: str(len(header))}
    with pytest.raises(RequestTooLarge, match="at most 524288 strings, got 1048576"):
        decoded(v2, header + bytes(4 * count), header=lambda name: length.get(name, ""))


class OfSignature(Model):
    """A model that only reads."""

    def __init__(self, width: int) -> None:
        names = [f"x{place}" for place in range(width)]
        self.signature = Signature(
            [Column(name, "float64") for name in names],
            [],
            [{"name": "input", "dtype": "float64", "columns": names}],
        )


WIDE = 250
LISTS = b",".join([b"[" + b",".join([b"-6"] * WIDE) + b"]"] * 2000)
COLUMN = b"[" + b",".join([b"-6"] * 2000) + b"]"


@pytest.mark.long
@pytest.mark.parametrize(
    ("protocol", "body", "about", "good"),
    [
        (native, b'{"instances": [%b]}' % LISTS, {}, True),
        (native, b'{"instances": [%b,NaN]]}' % LISTS[:-1], {}, False),
        (native, b"[" + b"{}," * 500 + b" " * LARGE_BODY + b"{}]", {}, False),
        (native, b"[" + b'{"a":1,"b":2},' * 500 + b" " * LARGE_BODY + b"{}]", {}, False),
        (
            native,
            b"[{%b}]" % b",".join(b'"name %d":1' % number for number in range(60_000)),
            {},
            False,
        ),
        (v1, b'{"instances": [%b]}' % LISTS, {}, True),
        (
            v1,
            b'{"inputs": {%b}}' % b",".join(b'"x%d":%b' % (n, COLUMN) for n in range(WIDE)),
            {},
            True,
        ),
        (
            invocations,
            b'{"dataframe_split": {"columns": [%b], "data": [%b]}}'
            % (b",".join(b'"x%d"' % n for n in range(WIDE)), LISTS),
            {},
            True,
        ),
        (
            native,
            b",".join(b"x%d" % n for n in range(WIDE)) + b"\n" + (b"-6," * 249 + b"-6\n") * 2000,
            {"media_type": "text/csv"},
            True,
        ),
    ],
)
def test_memory(protocol: WireProtocol, body: bytes, about: dict[str, Any], good: bool) -> None:
    """Ten times the body at most, whatever it holds; each number was an object of 32 bytes."""
    least = 2 if good else 6  # megabytes that a body counts at least; problems take words
    reading = OfSignature(WIDE)
    tracemalloc.start()
    try:
        call = decoded(protocol, body, **about)
        if good:
            array = read(reading, call).arrays[0]
            assert (array == -6).all()
            assert array.shape == (2000, WIDE)
            del array
        else:
            with pytest.raises(InvalidRows):
                read(reading, call)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * max(len(body), least * 2**20)


def test_problems_by_the_million_are_counted_and_not_kept() -> None:
    with pytest.raises(InvalidRows) as caught:
        read(OfSignature(WIDE), PredictRequest([{}] * 400))

    assert caught.value.count == 400 * WIDE
    assert len(caught.value.every) < 2000
    assert [problem.column for problem in caught.value.problems] == [f"x{n}" for n in range(20)]


def test_rows_left_out_are_named_each() -> None:
    left_out = batches.LeftOut()
    rows: list[Any] = [{}, *[[1.0] * WIDE] * 2] * 100

    read_ = read(OfSignature(WIDE), PredictRequest(rows), left_out)

    assert left_out.kept == [place for place in range(300) if place % 3]
    assert {problem.row for problem in left_out.problems.first} == set(range(0, 300, 3))
    assert left_out.problems.count == 100 * WIDE
    assert read_.rows == 200
    assert np.array_equal(read_.arrays[0], np.ones((200, WIDE)))


def test_a_large_batch_goes_through_the_model_in_parts(
    flask_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = flask_client()
    rows = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3], [7.7, 3.0, 6.1, 2.3]] * 70
    whole = client.post("/models/iris/predict", {"instances": rows}).json()
    runs: list[int] = []
    answers = model.Model._answers

    def counted(own: Any, blocks: Sequence[Any], *more: Any, **most: Any) -> Any:
        runs.append(len(blocks[0]))
        return answers(own, blocks, *more, **most)

    monkeypatch.setattr(model, "CELLS_RUN_AT_ONCE", 100)
    monkeypatch.setattr(model.Model, "_answers", counted)
    in_parts = client.post("/models/iris/predict", {"instances": rows}).json()

    assert runs == [model.LEAST_ROWS] * 3 + [210 - 3 * model.LEAST_ROWS]
    assert in_parts["prediction"] == whole["prediction"]
    assert np.allclose(in_parts["probabilities"], whole["probabilities"], atol=1e-9)
