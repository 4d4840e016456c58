"""MLflow's and SageMaker's routes: their codec, and the whole over every transport."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.csv import text as csv_text
from onnxlet.function.errors import NotAcceptable, Problem
from onnxlet.function.messages import Failure, PredictRequest, Request
from onnxlet.function.models.repository import NAMING
from onnxlet.function.protocols import invocations
from onnxlet.function.protocols.invocations import ATTRIBUTES, TARGET, AnswerOptions
from tests.conftest import Client, client_of
from tests.function.protocols.held_out import columns_of, rows_of
from tests.function.serving.test_predict import HOUSE, SHOP
from tests.kept_builds import kept_builds

MODELS = ("house-prices", "iris", "loan-default", "shop")
IRIS = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]]
PATH = "/invocations"


def told(code: str, message: str) -> dict[str, str]:
    """The body of a refusal."""
    return {"error_code": code, "message": message}


def decoded(body: Any, **headers: str) -> PredictRequest:
    return invocations.decode(Request(json.dumps(body).encode(), header=_among(headers)))


def _among(headers: Mapping[str, str]) -> Any:
    return lambda name: headers.get(name.rpartition("-")[2], "")


def decoded_csv(text: str, **parameters: str) -> PredictRequest:
    return invocations.decode(Request(text.encode(), "text/csv", parameters))


PLAIN = AnswerOptions()


def call_of(rows: list[Any], names: Any = None, **more: Any) -> PredictRequest:
    """What is decoded, with plain options where no others are named."""
    return PredictRequest(rows, names, **{"options": PLAIN, **more})


@pytest.mark.parametrize(
    ("body", "call"),
    [
        (
            {"dataframe_split": {"columns": ["a", "b"], "index": [7], "data": [[1, None]]}},
            call_of([[1, None]], ["a", "b"], faults={}),
        ),
        (
            {"dataframe_split": {"columns": [0, 1], "data": [[1, 2]]}, "params": None},
            call_of([[1, 2]], faults={}),
        ),
        ({"dataframe_split": {"data": [[1, 2]]}}, call_of([[1, 2]], faults={})),
        (
            {"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2], {"a": 1}, []]}},
            call_of(
                [[1], [1, 2], {"a": 1}, []],
                ["a"],
                faults={
                    1: "expected 1 values, one for each column, got 2",
                    2: "expected a list of values, got an object",
                    3: "expected 1 values, one for each column, got 0",
                },
            ),
        ),
        ({"dataframe_records": [{"a": 1}], "params": {}}, call_of([{"a": 1}])),
        ({"instances": [[1, 2], {"a": 1}]}, call_of([[1, 2], {"a": 1}])),
        ({"instances": ["x", 2]}, call_of([["x"], [2]])),
        (
            {
                "instances": [
                    {"features": [1, 2]},
                    {"data": {"features": {"values": [3, 4]}}},
                    {"features": 5},
                    {"features": [6], "a": 1},
                    {"data": {"features": {"values": [7], "shape": [1]}}},
                ]
            },
            call_of(
                [
                    [1, 2],
                    [3, 4],
                    {"features": 5},
                    {"features": [6], "a": 1},
                    {"data": {"features": {"values": [7], "shape": [1]}}},
                ]
            ),
        ),
        ({"inputs": [[1, 2]]}, call_of([[1, 2]])),
        ({"inputs": {"a": [1, 2], "b": [[3], [4]]}}, call_of([[1, 3], [2, 4]], ["a", "b"])),
        (
            {"inputs": [1], "params": {"outputs": ["score"], "on_error": "null"}},
            call_of([[1]], nulls=True, options=AnswerOptions(("score",))),
        ),
        (
            {"inputs": [1], "params": {"outputs": None, "on_error": None}},
            call_of([[1]], nulls=True),
        ),
    ],
)
def test_json(body: Any, call: PredictRequest) -> None:
    assert decoded(body) == call


@pytest.mark.parametrize(
    ("text", "parameters", "call"),
    [
        (
            "a,b\n1,x\n2\n",
            {},
            PredictRequest([["1", "x"], ["2"]], ["a", "b"], faults={1: "expected 2 fields, got 1"}),
        ),
        (
            "1,2\n3,\n\n",
            {},
            PredictRequest([["1", "2"], ["3", ""]], options=AnswerOptions(first=["1", "2"])),
        ),
        ("1,\n", {}, PredictRequest([["1", ""]], options=AnswerOptions(first=["1", ""]))),
        ("x,y\n", {"header": "absent"}, PredictRequest([["x", "y"]])),
        ("0,1\n", {"header": "absent"}, PredictRequest([["0", "1"]])),
        ("0,1\n2,3\n", {"header": "Present"}, PredictRequest([["2", "3"]], ["0", "1"], faults={})),
        ("nan\n", {}, PredictRequest([["nan"]], options=AnswerOptions(first=["nan"]))),
        ("1\n\n2\n", {}, PredictRequest([["1"], [""], ["2"]], options=AnswerOptions(first=["1"]))),
    ],
)
def test_csv(text: str, parameters: Mapping[str, str], call: PredictRequest) -> None:
    expected = call._replace(text=True, options=call.options or PLAIN)

    assert decoded_csv(text, **parameters) == expected


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV; charset=utf-8", "text/csv"),
        ("application/json;q=0.2, text/csv;q=0.7", "text/csv"),
        ("text/csv;q=0.2, application/*;q=0.7", "application/json"),
        ("text/html, text/*;q=0.1", "text/csv"),
        ("text/csv;q=x, application/json", "application/json"),
    ],
)
def test_what_is_accepted(accept: str, media_type: str) -> None:
    assert decoded({"inputs": [1]}, Accept=accept).options.media_type == media_type


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", ",;q", "image/*"])
def test_what_is_not_written(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        decoded({"inputs": [1]}, Accept=accept)


def test_headers_of_sagemaker() -> None:
    kept = decoded({"inputs": [1]}, Attributes="trace=1; a", Model="iris")
    dropped = decoded({"inputs": [1]}, Attributes="a\r\nSet-Cookie: b")
    long = decoded({"inputs": [1]}, Attributes="a" * 1025)

    assert (kept.model, kept.options.headers) == ("iris", {ATTRIBUTES: "trace=1; a"})
    assert (dropped.model, dropped.options.headers, long.options.headers) == (None, {}, {})


def test_an_answer_in_csv() -> None:
    labels = np.array(['a,"b', None], dtype=object)[:1]
    shares = np.array([[0.1, np.nan, np.inf]], dtype=np.float32)

    assert csv_text.written([labels]) == b'"a,""b"\n'
    assert csv_text.written([np.array([1, -1])]) == b"1\n-1\n"
    assert csv_text.written([np.array([True, False]), [shares[0], [shares[0, :1]]]]) == (
        b"true,0.1,,\nfalse,0.1\n"
    )
    assert csv_text.written([np.array([np.nan])]) == b'""\n'


def test_an_error_lists_every_problem() -> None:
    problems = [Problem(0, "a", "bad"), Problem(None, "b", "worse")]

    reply = invocations.refuse(Failure(422, "InvalidRows", "", "", problems, 2))

    expected = told("BAD_REQUEST", "row 0, column 'a': bad; column 'b': worse")
    assert (reply.status, json.loads(reply.body)) == (400, expected)


@pytest.mark.parametrize("name", MODELS)
def test_the_answers_are_the_native_ones(
    client: Client, sources: Mapping[str, Source], name: str
) -> None:
    rows = rows_of(sources[name])
    lists = [list(row.values()) for row in rows]
    shuffled = dict(reversed(columns_of(rows).items()))
    split = {"columns": list(rows[0]), "index": list(range(len(rows))), "data": lists}
    turned = {"columns": list(rows[0])[::-1], "data": [row[::-1] for row in lists]}
    expected = {"predictions": client.post(f"/models/{name}/predict", rows).json()["prediction"]}

    for body in (
        {"dataframe_split": split},
        {"dataframe_split": turned},
        {"dataframe_records": rows},
        {"instances": rows},
        {"instances": lists},
        {"instances": [{"features": row} for row in lists]},
        {"inputs": lists},
        {"inputs": columns_of(rows)},
        {"inputs": shuffled},
        {"dataframe_split": split, "params": {"on_error": "null"}},
    ):
        answer = client.post(PATH, body, {TARGET: name})
        assert answer.status == 200, answer.body
        assert answer.json() == expected


@pytest.mark.parametrize("name", MODELS)
def test_csv_answers_are_the_native_ones(
    client: Client, sources: Mapping[str, Source], name: str
) -> None:
    rows = rows_of(sources[name])
    frame = pd.DataFrame(rows)
    expected = {"predictions": client.post(f"/models/{name}/predict", rows).json()["prediction"]}

    def ask(kind: str, header: bool) -> Any:
        text = frame.to_csv(index=False, header=header).encode()
        answer = client.post(PATH, text, {TARGET: name}, kind)
        assert answer.status == 200, answer.body
        return answer.json()

    assert ask("text/csv", header=True) == expected
    assert ask("text/csv; header=present; charset=utf-8", header=True) == expected
    assert ask("text/csv; header=absent", header=False) == expected


def test_a_frame_without_names(client: Client) -> None:
    frame = pd.DataFrame(IRIS)
    split = client.post(PATH, {"dataframe_split": frame.to_dict("split")}, {TARGET: "iris"})
    csv = client.post(
        PATH, frame.to_csv(index=False, header=False).encode(), {TARGET: "iris"}, "csv"
    )
    mistaken = client.post(PATH, frame.to_csv(index=False).encode(), {TARGET: "iris"}, "csv")

    assert split.status == csv.status == 200, csv.body
    assert split.json() == csv.json() == {"predictions": [0, 1]}
    assert mistaken.status == 400
    assert mistaken.json() == told(
        "BAD_REQUEST",
        "the first line may be a row or a header "
        "(Say by Content-Type: text/csv; header=present, or header=absent.)",
    )


def test_missing_values_as_pandas_writes_them(client: Client) -> None:
    frame = pd.DataFrame([HOUSE, HOUSE]).astype({"Lot_Frontage": float})
    target = {TARGET: "house-prices"}
    bare = json.dumps({"dataframe_split": frame.to_dict("split")}).encode()

    by_nan = client.post(PATH, bare, target)
    by_null = client.post(
        PATH, f'{{"dataframe_split": {frame.to_json(orient="split")}}}'.encode(), target
    )

    assert b"NaN" in bare
    expected = client.post("/models/house-prices/predict", [HOUSE, HOUSE]).json()["prediction"]
    assert by_nan.json() == by_null.json() == {"predictions": expected}


def test_all_outputs(client: Client) -> None:
    native = client.post("/models/shop/predict", [SHOP]).json()
    [label], [shares] = native["prediction"], native["probabilities"]
    body = {"instances": [SHOP]}
    target = {TARGET: "shop"}

    by_query = client.post(PATH + "?outputs=all", body, target).json()
    by_params = client.post(PATH, {**body, "params": {"outputs": "all"}}, target).json()
    alone = client.post(PATH + "?outputs=probabilities", body, target).json()
    csv = client.post(PATH + "?outputs=all", body, {**target, "Accept": "text/csv"})

    classes = {"classes": [False, True]}
    whole = {"predictions": [{"prediction": label, "probabilities": shares}], **classes}
    assert by_query == by_params == whole
    assert alone == {"predictions": [shares], **classes}
    assert (csv.status, csv.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert csv.body == b"true,%s,%s\n" % tuple(repr(share).encode() for share in shares)


def test_bad_rows_as_null(client: Client) -> None:
    beside = {
        "errors": [
            {"row": 1, "column": None, "detail": "expected 4 values in signature order, got 1"}
        ],
        "error_count": 1,
    }
    path = PATH + "?on_error=null"
    target = {TARGET: "iris"}

    as_json = client.post(path, {"inputs": [IRIS[0], [1], IRIS[1]]}, target)
    as_csv = client.post(path, b"5.1,3.5,1.4,0.2\n1\n6.2,2.9,4.3,1.3\n", target, "csv")
    answered_in_csv = client.post(path, {"inputs": IRIS}, {**target, "Accept": "text/csv"})

    assert as_json.json() == as_csv.json() == {"predictions": [0, None, 1], **beside}
    assert answered_in_csv.status == 400
    assert answered_in_csv.json() == told(
        "BAD_REQUEST",
        "'on_error': CSV has no field for the problems of the rows (Accept application/json.)",
    )


def test_a_request_as_sagemaker_documents_it(client: Client) -> None:
    headers = {TARGET: "iris", ATTRIBUTES: "trace-7", "Accept": "text/csv"}

    answer = client.post(PATH, b"5.1,3.5,1.4,0.2", headers, "text/csv")

    assert (answer.status, answer.body) == (200, b"0\n")
    assert answer.headers[ATTRIBUTES.lower()] == "trace-7"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


HINT = "(Send an object with one of dataframe_split, dataframe_records, instances, inputs.)"
MEMBERS = (
    "(The members of a request are dataframe_split, dataframe_records, instances, inputs, params.)"
)
ONE_OF = "expected exactly one of dataframe_split, dataframe_records, instances, inputs, got"
SPLIT = '(Send {"columns": [names], "data": [rows]}.)'
ROWS = "(Send a list of rows, each an object by column name or a list of values.)"
TYPES = "(Send Content-Type: application/json, or text/csv with header=present or header=absent.)"
WHICH = "(Say by Content-Type: text/csv; header=present, or header=absent.)"
REFUSED: list[tuple[bytes | dict[str, Any] | list[Any], str]] = [
    (b"", f"the body is empty {HINT}"),
    (IRIS, f"expected an object, got a list {HINT}"),
    ({"data": 1}, f"{ONE_OF} an object with ['data'] {HINT}"),
    ({"inputs": [], "instances": []}, f"{ONE_OF} instances, inputs {HINT}"),
    ({"inputs": [], "x": 1}, f"unknown members ['x'] beside 'inputs' {MEMBERS}"),
    (
        {"inputs": IRIS, "params": {"temperature": 1}},
        "'params': expected none but outputs, on_error, coverage, k, unusual, got ['temperature'] "
        "(A model takes no parameters here.)",
    ),
    (
        {"inputs": IRIS, "params": [1]},
        "'params': expected none but outputs, on_error, coverage, k, unusual, got a list "
        "(A model takes no parameters here.)",
    ),
    (
        {"inputs": IRIS, "params": {"on_error": {"a": 1}}},
        "'on_error': expected null or refuse, got '{'a': 1}'",
    ),
    ({"inputs": IRIS, "params": {"outputs": 1}}, "'outputs': expected all, or names of outputs"),
    (
        {"dataframe_split": [[1]]},
        f"'dataframe_split': expected an object with a list 'data' {SPLIT}",
    ),
    (
        {"dataframe_split": {"data": [], "rows": 1}},
        f"'dataframe_split': unknown members ['rows'] {SPLIT}",
    ),
    (
        {"dataframe_split": {"data": [[1, 2]], "columns": ["x0", 1]}},
        f"'dataframe_split': expected 'columns' to be names {SPLIT}",
    ),
    (
        {"dataframe_split": {"data": [[1, 2]], "columns": [False, True]}},
        f"'dataframe_split': expected 'columns' to be names {SPLIT}",
    ),
    (
        {"dataframe_split": {"data": [[1]], "columns": "x0"}},
        f"'dataframe_split': expected 'columns' to be a list {SPLIT}",
    ),
    (
        {"dataframe_split": {"data": [[1, 2]], "columns": ["x0", "x0"]}},
        "column 'x0': stands twice in 'columns'",
    ),
    (
        {"dataframe_split": {"columns": ["x0", "x1", "x2", "x3"], "data": [IRIS[0], [1]]}},
        "row 1: expected 4 values, one for each column, got 1",
    ),
    (
        {"dataframe_split": {"columns": ["x3", "x1"], "data": [[1, 2], IRIS[0]]}},
        "row 0, column 'x0': missing column; row 0, column 'x2': missing column; "
        "row 1: expected 2 values, one for each column, got 4",
    ),
    (
        {"dataframe_records": [[1, 2, 3, 4]]},
        "'dataframe_records': expected a list of objects (Send a list of objects by column name.)",
    ),
    ({"inputs": 1}, f"'inputs': expected a list of rows, got a number {ROWS}"),
    ({"inputs": {"x0": [1], "x1": []}}, "column 'x1': expected 1 values as in column 'x0', got 0"),
    ({"instances": []}, "no instances: expected at least one row"),
    ({"instances": [{"features": [1]}]}, "row 0: expected 4 values in signature order, got 1"),
    (
        {"columns": ["x0"], "index": [0], "data": [[1]]},
        "expected exactly one of dataframe_split, dataframe_records, instances, inputs, got an "
        "object with ['columns', 'data', 'index'] "
        '(Send it as {"dataframe_split": {"columns": [names], "data": [rows]}}.)',
    ),
]
REFUSED_AS: list[tuple[str, bytes | dict[str, Any], int, str]] = [  # by media type and status
    (
        "application/json; format=pandas-split",
        {"inputs": IRIS},
        415,
        f"media type 'application/json; format=pandas-split' is not read here {TYPES}",
    ),
    (
        "application/x-recordio-protobuf",
        b"x",
        415,
        f"media type 'application/x-recordio-protobuf' is not read here {TYPES}",
    ),
    (
        "text/csv; charset=latin-1",
        b"1,2,3,4",
        415,
        "charset 'latin-1' is not read here (Send UTF-8.)",
    ),
    (
        "text/csv; header=maybe",
        b"1,2,3,4",
        415,
        f"header=maybe: expected present or absent {WHICH}",
    ),
    ("csv", b"0,1,2,3\n5,6,7,8", 400, f"the first line may be a row or a header {WHICH}"),
    ("csv", b"5.1,3.5,1.4,x", 400, csv_text.NO_ROWS),
    (
        "csv",
        b"5.1,3.5,1.4,x\n1,2,3,4",
        400,
        "the header names no column of the model: expected such as 'x0', 'x1', 'x2', "
        "with commas between, got '5.1', '3.5', '1.4'",
    ),
    ("csv", b"5.1,3.5,1.4", 400, "row 0: expected 4 values in signature order, got 3"),
    (
        "text/csv; header=absent",
        b"5.1,3.5,1.4,x\n1,2,3,4",
        400,
        "row 0, column 'x3': expected a number, got 'x'",
    ),
    ("csv", b",,,\n1,2,3,4", 400, "column '': stands twice in the header"),
    ("csv", b"", 400, "the CSV has no header (Its first line names the columns.)"),
]


def test_refusals(client: Client) -> None:
    for kind, body, status, message in [*(("json", b, 400, m) for b, m in REFUSED), *REFUSED_AS]:
        answer = client.post(PATH, body, {TARGET: "iris"}, kind)

        assert (answer.status, answer.json()) == (status, told("BAD_REQUEST", message))
        assert answer.headers["content-type"] == "application/json"


def test_a_header_of_numbers_is_never_taken_for_a_row(tmp_path: Any) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["2019", "2020"])
    kept_builds({"years": Source(LinearRegression().fit(X, X["2019"]), X)}, tmp_path)
    client = client_of(create_app(tmp_path))
    text = b"2019,2020\n1,2\n"

    unsaid = client.post(PATH, text, kind="csv")
    said = client.post(PATH, text, kind="text/csv; header=present")

    message = f"the first line may be a row or a header {WHICH}"
    assert (unsaid.status, unsaid.json()["message"]) == (400, message)
    assert said.json() == {"predictions": [pytest.approx(1)]}


def test_which_model(flask_client: Any) -> None:
    several = flask_client().post(PATH, {"inputs": IRIS})
    unknown = flask_client().post(PATH, {"inputs": IRIS}, {TARGET: "nope"})
    default = flask_client(default_model="iris").post(PATH, {"inputs": IRIS})

    listed = "There are house-prices, iris, loan-default, shop."
    unnamed = f"the request names no model, and there are several ({listed} {NAMING})"
    for answer, message in ((several, unnamed), (unknown, f"no model 'nope' ({listed})")):
        expected = told("RESOURCE_DOES_NOT_EXIST", message)
        assert (answer.status, answer.json()) == (404, expected)
    assert (default.status, default.json()) == (200, {"predictions": [0, 1]})


def test_other_codes(client: Client) -> None:
    accept = client.post(PATH, {"inputs": IRIS}, {TARGET: "iris", "Accept": "image/png"})
    method = client.get(PATH)

    message = "'Accept': there is no answer in 'image/png' (Accept application/json or text/csv.)"
    assert (accept.status, accept.json()) == (406, told("BAD_REQUEST", message))
    assert (method.status, method.json()["error_code"]) == (405, "BAD_REQUEST")


def test_ping_and_the_other_routes(client: Client) -> None:
    for path in ("/ping", "/health"):
        assert (client.get(path).status, client.get(path).json()) == (200, {"ready": True})
    version = client.get("/version")
    assert (version.status, version.body) == (200, b"3.18.0")
    assert client.get("/execution-parameters").json() == {
        "MaxConcurrentTransforms": 4,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_limits_and_keys(flask_client: Any) -> None:
    wide = flask_client(max_body_bytes=60 * 2**20).get("/execution-parameters").json()
    small = flask_client(max_body_bytes=9, default_model="iris")
    locked = flask_client(api_keys={"k": bytes(32)})

    assert (wide["MaxConcurrentTransforms"], wide["MaxPayloadInMB"]) == (1, 60)
    assert small.get("/execution-parameters").json()["MaxPayloadInMB"] == 1
    large = small.post(PATH, {"inputs": IRIS})
    assert (large.status, large.json()["error_code"]) == (413, "BAD_REQUEST")
    assert locked.get("/ping").status == 200
    for answer in (locked.post(PATH, {"inputs": IRIS}), locked.get("/version")):
        assert (answer.status, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")


NAMES = st.sampled_from(
    ["x0", "x1", "x2", "x3", "columns", "data", "features", "values", "色", *SHOP]
)
CELLS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    CELLS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
SPLITS = st.fixed_dictionaries(
    {"data": st.lists(VALUES, max_size=4)}, optional={"columns": st.lists(NAMES) | VALUES}
)
PARAMS = VALUES | st.fixed_dictionaries({}, optional={"outputs": VALUES, "on_error": VALUES})
JSON_BODIES = VALUES | st.fixed_dictionaries(
    {},
    optional={
        "dataframe_split": SPLITS,
        "dataframe_records": VALUES,
        "instances": VALUES,
        "inputs": VALUES,
        "params": PARAMS,
    },
)
KINDS = ["text/csv", "text/csv; header=absent", "text/csv; header=present"]


@pytest.mark.long
@settings(max_examples=200, deadline=None)
@given(st.sampled_from(MODELS), JSON_BODIES, st.sampled_from(["", "text/csv", "*/*;q=0.1"]))
def test_no_json_makes_the_server_fail(local: Client, name: str, body: Any, accept: str) -> None:
    answer = local.post(PATH, body, {TARGET: name, "Accept": accept})

    assert answer.status in (200, 400), answer.body


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(MODELS),
    st.lists(st.lists(CELLS.map(str), max_size=5).map(",".join), max_size=5).map("\n".join),
    st.sampled_from(KINDS),
)
def test_no_csv_makes_the_server_fail(local: Client, name: str, text: str, kind: str) -> None:
    body = text.encode("utf-8", "replace")

    answer = local.post(PATH + "?outputs=all", body, {TARGET: name}, kind)

    assert answer.status in (200, 400), answer.body
