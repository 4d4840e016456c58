"""TensorFlow Serving's and KServe's V1: its codec, and the whole over every transport."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.errors import Problem
from onnxlet.function.inputs.columns import Encoded
from onnxlet.function.messages import Failure, PredictRequest, Request
from onnxlet.function.protocols import v1
from onnxlet.function.protocols.v1 import AnswerOptions
from tests.conftest import Client, client_of
from tests.function.protocols.held_out import columns_of, rows_of
from tests.function.serving.test_predict import HOUSE, SHOP
from tests.kept_builds import kept_builds

MODELS = ("house-prices", "iris", "loan-default", "shop")
IRIS = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]]
PATH = "/v1/models/iris:predict"


def decoded(body: Any, **query: str) -> PredictRequest:
    return v1.decode(Request(json.dumps(body).encode(), query=query))


def b64(text: str) -> dict[str, str]:
    return {"b64": base64.b64encode(text.encode()).decode()}


PLAIN, COLUMNAR = AnswerOptions(), AnswerOptions(columnar=True)


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({"instances": [[1, 2], {"a": 3}]}, PredictRequest([[1, 2], {"a": 3}], options=PLAIN)),
        ({"instances": ["x", None]}, PredictRequest([["x"], [None]], options=PLAIN)),
        ({"instances": []}, PredictRequest([], options=PLAIN)),
        (
            {"signature_name": "serving_default", "inputs": [[1, 2]]},
            PredictRequest([[1, 2]], options=COLUMNAR),
        ),
        (
            {"inputs": {"a": [1, 2], "b": ["x", None]}, "signature_name": None},
            PredictRequest([[1, "x"], [2, None]], ["a", "b"], options=COLUMNAR),
        ),
        (
            {"inputs": {"a": [[1], [2]], "b": [["x"], None]}},
            PredictRequest([[1, "x"], [2, None]], ["a", "b"], options=COLUMNAR),
        ),
        (
            {"inputs": {"input": [[1, 2], [3, 4]]}},
            PredictRequest([[1, 2], [3, 4]], ["input"], options=COLUMNAR),
        ),
        (
            {"instances": [{"a": b64("红")}, ["x", b64("y")], b64("z")]},
            PredictRequest(
                [{"a": "红"}, ["x", "y"], ["z"]], faults={}, options=AnswerOptions(base64=True)
            ),
        ),
        (
            {"inputs": {"a": [b64("x"), "y"]}},
            PredictRequest(
                [["x"], ["y"]], ["a"], faults={}, options=AnswerOptions(columnar=True, base64=True)
            ),
        ),
    ],
)
def test_requests(body: Any, call: PredictRequest) -> None:
    assert decoded(body) == call


def test_base64_that_is_none() -> None:
    call = decoded({"instances": [{"a": {"b64": "?"}}, {"a": {"b64": "/w=="}}, {"a": {"b64": 1}}]})

    assert call.rows == [{"a": {"b64": "?"}}, {"a": Encoded("/w==")}, {"a": {"b64": 1}}]
    assert call.faults == {
        0: "'b64': expected base64 of UTF-8 text, got '?'",
    }
    assert isinstance(call.rows[1]["a"], Encoded)  # an image, perhaps


def test_wishes() -> None:
    call = decoded({"instances": [1]}, outputs="score, prediction", on_error="null")

    assert call == PredictRequest(
        [[1]], nulls=True, options=AnswerOptions(outputs=("score", "prediction"))
    )


def test_an_error_lists_every_problem() -> None:
    problems = [Problem(0, "a", "bad"), Problem(3, None, "\ud800")]

    reply = v1.refuse(Failure(422, "InvalidRows", "", "Mend them.", problems, 5))

    told = "row 0, column 'a': bad; row 3: \\ud800; and 3 more (Mend them.)"
    assert (reply.status, json.loads(reply.body)) == (400, {"error": told})


@pytest.mark.parametrize("name", MODELS)
def test_the_answers_are_the_native_ones(
    client: Client, sources: Mapping[str, Source], name: str
) -> None:
    rows = rows_of(sources[name])
    lists = [list(row.values()) for row in rows]
    shuffled = dict(reversed(columns_of(rows).items()))
    native = client.post(f"/models/{name}/predict", rows).json()
    path = f"/v1/models/{name}:predict"
    predictions = {"predictions": native["prediction"]}
    outputs = {"outputs": native["prediction"]}

    assert client.post(path, {"instances": rows}).json() == predictions
    assert client.post(path, {"instances": lists}).json() == predictions
    assert client.post(path, {"inputs": lists}).json() == outputs
    assert client.post(path, {"inputs": columns_of(rows)}).json() == outputs
    assert client.post(path, {"inputs": shuffled}).json() == outputs


def test_all_outputs_by_row_and_by_column(client: Client, sources: Mapping[str, Source]) -> None:
    rows = rows_of(sources["shop"])
    native = client.post("/models/shop/predict", rows).json()
    by_name = {name: native[name] for name in ("prediction", "probabilities")}
    path = "/v1/models/shop:predict?outputs="

    by_row = client.post(path + "all", {"instances": rows}).json()
    by_column = client.post(path + "all", {"inputs": columns_of(rows)}).json()
    alone = client.post(path + "probabilities", {"instances": rows}).json()

    classes = {"classes": [False, True]}
    pairs = zip(*by_name.values(), strict=True)
    assert by_row == {"predictions": [dict(zip(by_name, p, strict=True)) for p in pairs], **classes}
    assert by_column == {"outputs": by_name, **classes}
    assert alone == {"predictions": native["probabilities"], **classes}


def test_texts_in_base64(client: Client) -> None:
    path = "/v1/models/shop:predict"
    plain = client.post(path, {"instances": [SHOP, SHOP]}).json()
    hidden = {**SHOP, "色": b64("红")}

    assert client.post(path, {"instances": [hidden, SHOP]}).json() == plain
    assert client.post(path, {"instances": [[*hidden.values(), "a"], SHOP]}).json() == plain


@pytest.mark.parametrize(
    "path", ["/v1/models/iris/versions/1:predict", "/v1/models/iris%3Apredict"]
)
def test_paths(client: Client, path: str) -> None:
    expected = client.post(PATH, {"instances": IRIS})

    answer = client.post(path, {"instances": IRIS})

    assert answer.status == 200, answer.body
    assert answer.json() == expected.json()


@pytest.mark.parametrize("kind", ["", "application/x-www-form-urlencoded", "text/plain"])
def test_json_under_any_media_type(client: Client, kind: str) -> None:
    answer = client.post(PATH, {"instances": IRIS}, kind=kind)

    assert answer.status == 200, answer.body
    assert answer.json() == client.post(PATH, {"instances": IRIS}).json()


def test_bad_rows_as_null(client: Client) -> None:
    rows = [IRIS[0], [1], IRIS[1]]
    first, last = client.post(PATH, {"instances": IRIS}).json()["predictions"]
    pairs = client.post(PATH + "?outputs=all", {"instances": IRIS}).json()
    beside = {
        "errors": [
            {"row": 1, "column": None, "detail": "expected 4 values in signature order, got 1"}
        ],
        "error_count": 1,
    }

    plain = client.post(PATH + "?on_error=null", {"instances": rows})
    by_row = client.post(PATH + "?on_error=null&outputs=all", {"instances": rows})
    by_column = client.post(PATH + "?on_error=null&outputs=all", {"inputs": rows})

    assert plain.json() == {"predictions": [first, None, last], **beside}
    pairs["predictions"].insert(1, None)
    assert by_row.json() == pairs | beside
    assert by_column.json()["outputs"]["prediction"] == [first, None, last]
    assert by_column.json()["outputs"]["probabilities"][1] is None


HINT = 'Send {"instances": [...]}, a row each, or {"inputs": {...}}, a list for each column.'
MEMBERS = "The members of a request are instances, inputs, signature_name, coverage, k, unusual."
REFUSED: list[tuple[bytes | dict[str, Any], str]] = [
    (b"", f"the body is empty ({HINT})"),
    (b"[[1]]", f"expected an object, got a list ({HINT})"),
    (b"{", "the body is not JSON: Expecting property name enclosed in double quotes"),
    ({}, f"expected exactly one of instances, inputs, got an object with [] ({HINT})"),
    (
        {"instances": [], "inputs": []},
        f"expected exactly one of instances, inputs, got instances, inputs ({HINT})",
    ),
    (
        {"instances": [], "examples": 1},
        f"unknown members ['examples'] beside 'instances' ({MEMBERS})",
    ),
    (
        {"instances": [], "signature_name": "classify"},
        "'signature_name': expected serving_default, got 'classify' "
        "(A model has one signature here; ask for other outputs by ?outputs=all.)",
    ),
    ({"instances": {"a": 1}}, f"'instances': expected a list of rows, got an object ({HINT})"),
    ({"inputs": 3}, f"'inputs': expected a list of rows, got a number ({HINT})"),
    ({"inputs": {}}, "no columns: expected at least one"),
    ({"instances": []}, "no instances: expected at least one row"),
    ({"inputs": {"x0": []}}, "no instances: expected at least one row"),
    (
        {"inputs": {"x0": 1, "x1": [1], "x2": None}},
        "column 'x0': expected a list with a value for each row, got a number; "
        "column 'x2': expected a list with a value for each row, got null",
    ),
    (
        {"inputs": {"x0": [1, 2], "x1": [1], "x2": [1, 2], "x3": []}},
        "column 'x1': expected 2 values as in column 'x0', got 1; "
        "column 'x3': expected 2 values as in column 'x0', got 0",
    ),
    (
        {"inputs": {"x0": [1], "x1": [1], "x2": [[1, 2]], "y": [0]}},
        "row 0, column 'y': unknown column; row 0, column 'x2': expected a number, got a list; "
        "row 0, column 'x3': missing column",
    ),
    (
        {"inputs": {"x0": [[1, 2, 3, 4]]}},
        "row 0: expected a list of 1 values, one for each named column",
    ),
    (
        {"inputs": {"input": [[1, 2, 3], {"x0": 1}]}},
        "row 0: expected 4 values in signature order, got 3; "
        "row 1: expected 4 values in signature order, got 1",
    ),
    ({"instances": [1]}, "row 0: expected 4 values in signature order, got 1"),
    (
        {"instances": [[1, "2", None, True]]},
        "row 0, column 'x1': expected a number, got '2'; row 0, column 'x2': missing value, and "
        "the model does not take one here; row 0, column 'x3': expected a number, got true",
    ),
]
REFUSED_AT: list[tuple[str, int, str]] = [  # by model and query
    (
        "iris?outputs=score",
        400,
        "'outputs': model 'iris' has no 'score' (Ask for all, or for some of prediction, "
        "probabilities.)",
    ),
    ("iris?on_error=no", 400, "'on_error': expected null or refuse, got 'no'"),
    ("nope", 404, "no model 'nope' (There are house-prices, iris, loan-default, shop.)"),
]


def test_refusals(client: Client) -> None:
    cases: list[tuple[str, Any, int, str]] = [("iris", b, 400, error) for b, error in REFUSED]
    cases += [(at, {"instances": IRIS}, status, error) for at, status, error in REFUSED_AT]
    for name, body, status, error in cases:
        model, mark, query = name.partition("?")

        answer = client.post(f"/v1/models/{model}:predict{mark}{query}", body)

        told = answer.json()
        if "not JSON" in error:  # the rest is the standard library's
            told = {"error": told["error"][: len(error)]}
        assert (answer.status, told) == (status, {"error": error})
        assert answer.headers["content-type"] == "application/json"


def test_other_verbs_and_methods(client: Client) -> None:
    classify = client.post("/v1/models/iris/versions/1:classify", {"examples": []})
    nowhere = client.get("/v1/iris")
    charset = client.post(PATH, {"instances": IRIS}, kind="application/json; charset=utf-16")

    hint = "(Predict by POST to /v1/models/N:predict.)"
    told = {"error": f"expected GET, got POST {hint}"}
    assert (classify.status, classify.json()) == (405, told)
    assert "GET" in classify.headers["allow"]
    assert nowhere.status == 404
    assert nowhere.json()["error"].endswith(hint)
    told = {"error": "charset 'utf-16' is not read here (Send UTF-8.)"}
    assert (charset.status, charset.json()) == (415, told)


def test_limits_and_keys(flask_client: Any) -> None:
    many = flask_client(max_rows=1).post(PATH, {"inputs": {"x0": [1, 2]}})
    large = flask_client(max_body_bytes=9).post(PATH, {"instances": IRIS})
    keyless = flask_client(api_keys={"k": bytes(32)}).get("/v1/models")

    told = {"error": "expected at most 1 rows, got 2 (Send them in several requests.)"}
    assert (many.status, many.json()) == (413, told)
    assert (large.status, list(large.json())) == (413, ["error"])
    assert (keyless.status, list(keyless.json())) == (401, ["error"])


AVAILABLE = {
    "version": "1",
    "state": "AVAILABLE",
    "status": {"error_code": "OK", "error_message": ""},
}


@pytest.mark.parametrize("path", ["/v1/models/shop", "/v1/models/shop/versions/1"])
def test_status(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer.json() == {"model_version_status": [AVAILABLE], "name": "shop", "ready": True}


def test_models_that_are_and_are_not_there(client: Client) -> None:
    missing = client.get("/v1/models/shop/versions/7")

    assert client.get("/v1/models").json() == {"models": list(MODELS)}
    told = {"error": "no version 7 of model 'shop' (There is version 1.)"}
    assert (missing.status, missing.json()) == (404, told)
    assert client.get("/v1/models/nope").status == client.get("/v1/nope").status == 404


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_metadata(client: Client, version: str) -> None:
    def tensor(name: str, dtype: str, *sizes: str) -> dict[str, Any]:
        shape = {"dim": [{"size": size, "name": ""} for size in sizes], "unknown_rank": False}
        return {"name": name, "dtype": dtype, "tensor_shape": shape}

    answer = client.get(f"/v1/models/iris{version}/metadata").json()

    assert answer["model_spec"] == {"name": "iris", "signature_name": "", "version": "1"}
    assert answer["metadata"]["signature_def"]["signature_def"] == {
        "serving_default": {
            "inputs": {"input": tensor("input", "DT_DOUBLE", "-1", "4")},
            "outputs": {
                "prediction": tensor("prediction", "DT_INT64", "-1"),
                "probabilities": tensor("probabilities", "DT_DOUBLE", "-1", "3"),
            },
            "method_name": "tensorflow/serving/predict",
        }
    }


def test_a_column_named_as_base64_is(tmp_path: Path) -> None:
    X = pd.DataFrame({"b64": ["a", "b", "YQ==", "c"] * 15, "n": range(60)})
    columns = make_column_transformer((OrdinalEncoder(), ["b64"]), ("passthrough", ["n"]))
    for y in (X["n"], -X["n"]):
        kept_builds(
            {"b": Source(make_pipeline(columns, LinearRegression()).fit(X, y), X)}, tmp_path
        )
    client = client_of(create_app(tmp_path))

    plain = client.post("/v1/models/b:predict", {"instances": [["YQ==", 3]]})
    named = client.post("/v1/models/b:predict", {"instances": [{"b64": "YQ==", "n": 3}]})
    status = client.get("/v1/models/b").json()["model_version_status"]
    first = client.get("/v1/models/b/versions/1").json()["model_version_status"]

    assert plain.json() == {"predictions": [pytest.approx(-3)]}
    told = {
        "error": "'b64' is a column of this model, and means base64 here "
        "(Send the rows to /models/N/predict.)"
    }
    assert (named.status, named.json()) == (400, told)
    assert status == [{**AVAILABLE, "version": "2"}, AVAILABLE]
    assert first == [AVAILABLE]


NAMES = st.sampled_from(["x0", "x1", "x2", "x3", "input", "b64", "色", *SHOP, *HOUSE])
CELLS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    CELLS | st.sampled_from([b64("红"), {"b64": "?"}]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
BODIES = VALUES | st.fixed_dictionaries(
    {}, optional={"instances": VALUES, "inputs": VALUES, "signature_name": CELLS}
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(MODELS), BODIES, st.sampled_from(["", "?on_error=null&outputs=all"]))
def test_no_body_makes_the_server_fail(local: Client, name: str, body: Any, query: str) -> None:
    answer = local.post(f"/v1/models/{name}:predict{query}", body)

    assert answer.status in (200, 400)
    assert answer.json().keys() & {"predictions", "outputs", "error"}
