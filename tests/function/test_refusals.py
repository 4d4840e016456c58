"""Bad requests: the status, and every problem with its place."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from onnxlet.function.csv.text import NO_ROWS
from tests.conftest import Client
from tests.function.serving.test_predict import HOUSE, LOAN, SHOP

PATH = "/models/shop/predict"
ROW = list(SHOP.values())


def refused(client: Client, status: int, body: Any, path: str = PATH, **more: Any) -> Any:
    answer = client.post(path, body, **more)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    form = answer.json()
    assert (form["status"], form["type"]) == (status, "about:blank")
    return form


def errors(form: Any) -> list[tuple[Any, Any, str]]:
    return [(e["row"], e["column"], e["detail"]) for e in form["errors"]]


def test_all_problems_are_listed_at_once(client: Client) -> None:
    rows = [
        {**SHOP, "Preis (€)": "big", "colour": 1},
        SHOP,
        {"count": 3.5, "new": 1, "色": "紫"},
        [1, 2],
        7,
        {**SHOP, "Preis (€)": None, "count": True},
    ]

    form = refused(client, 422, {"instances": rows})

    assert errors(form) == [
        (0, "colour", "unknown column"),
        (0, "Preis (€)", "expected a number, got 'big'"),
        (2, "Preis (€)", "missing column"),
        (2, "count", "expected a whole number, got 3.5"),
        (2, "new", "expected true or false, got 1"),
        (2, "色", "'紫' is not one of the known categories: '红', '绿', '蓝'"),
        (3, None, "expected 5 values in signature order, got 2"),
        (4, None, "expected an object by column name or a list of 5 values, got 7"),
        (5, "Preis (€)", "missing value, and the model does not take one here"),
        (5, "count", "expected a whole number, got true"),
    ]
    assert form["error_count"] == 10


def test_twenty_problems_and_the_count(client: Client) -> None:
    form = refused(client, 422, {"instances": [{**SHOP, "count": "x"}] * 33})

    assert len(form["errors"]) == 20
    assert form["error_count"] == 33


def test_what_was_meant_is_guessed_for_only_the_first_unknown_names(flask_client: Any) -> None:
    names = [f"coun{number}" for number in range(25)]

    form = refused(flask_client(), 422, [dict.fromkeys(names, 1), {**SHOP, "coun0": 1, "neu": 1}])

    unknown = [each["detail"] for each in form["errors"] if each["column"] in names]
    assert unknown == ["unknown column; did you mean 'count'?"] * 20
    answer = flask_client().post(PATH + "?on_error=null", [dict.fromkeys([*names, "neu"], 1)])
    told = {each["column"]: each["detail"] for each in answer.json()["errors"]}
    assert told["coun19"] == "unknown column; did you mean 'count'?"
    assert told["coun20"] == told["neu"] == "unknown column"


VALUES = [
    ("Preis (€)", True, "expected a number, got true"),
    ("Preis (€)", [1], "expected a number, got a list"),
    ("Preis (€)", {"a": 1}, "expected a number, got an object"),
    ("Preis (€)", float("inf"), "infinity, and the model does not take one here"),
    ("Preis (€)", 10**400, "does not fit a 64-bit float"),
    ("count", 2**63, "does not fit a 64-bit integer"),
    ("count", -(2**63) - 1, "does not fit a 64-bit integer"),
    ("count", "3", "expected a whole number, got '3'"),
    ("count", None, "missing value, and the model does not take one here"),
    ("count", float("nan"), "missing value, and the model does not take one here"),
    ("new", 0, "expected true or false, got 0"),
    ("new", "true", "expected true or false, got 'true'"),
    ("色", 3, "expected a string, got 3"),
    ("色", None, "missing value, and the model does not take one here"),
]


@pytest.mark.parametrize(("column", "cell", "detail"), VALUES)
def test_values_that_do_not_fit(client: Client, column: str, cell: Any, detail: str) -> None:
    form = refused(client, 422, json.dumps({"instances": [{**SHOP, column: cell}]}).encode())

    [(row, where, text)] = errors(form)
    assert (row, where) == (0, column)
    assert detail in text


def test_whole_floats_fit_an_integer(client: Client) -> None:
    whole = client.post(PATH, {"instances": [{**SHOP, "count": 4.0}]})

    assert whole.status == 200, whole.body
    assert whole.json() == client.post(PATH, {"instances": [SHOP]}).json()


@pytest.mark.parametrize("text", [b'"\\ud800"', b'"\\uffff\\ufffe"'])
def test_text_that_onnx_cannot_hold(client: Client, text: bytes) -> None:
    body = json.dumps({"instances": [{**LOAN, "Home": "HOME"}]}).encode()

    form = refused(client, 422, body.replace(b'"HOME"', text), "/models/loan-default/predict")

    assert [place[:2] for place in errors(form)] == [(0, "Home")]


def test_the_last_of_doubled_members_wins(client: Client) -> None:
    once = json.dumps({"instances": [HOUSE]}).encode()
    twice = once.replace(b'"Lot_Area"', b'"Lot_Area": "x", "Lot_Area"')

    answer = client.post("/models/house-prices/predict", twice)

    assert answer.json() == client.post("/models/house-prices/predict", once).json()


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b'{"instances": [1,]}', "not JSON"),
        (b"[" * 100_000, "nested too deeply: at most 1024 levels"),
        (b"[" * 1025 + b"]" * 1025, "nested too deeply: at most 1024 levels"),
        (b"[" * 1025 + b"NaN" + b"]" * 1025, "nested too deeply: at most 1024 levels"),
        (b'"text"', "expected an object with 'instances', got a string"),
        (b"null", "got null"),
        (b'{"rows": []}', "'rows'"),
        (b'{"instances": {}}', "expected a list of rows, got an object"),
        (b'{"instances": [], "model": 3}', "expected a name, got a number"),
        (b'{"instances": [], "modle": "x"}', "modle"),
        (b'{"instances": ["\xff"]}', "not UTF-8"),
        (b"1" * 5000, "a number of too many digits"),
    ],
)
def test_malformed(flask_client: Any, body: bytes, part: str) -> None:
    form = refused(flask_client(), 400, body)

    assert part in form["detail"]


FRAME = pd.DataFrame([SHOP, SHOP])
BY_RECORDS = 'df.to_json(orient="records", date_format="iso")'


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (FRAME.to_json(), BY_RECORDS),
        (FRAME.to_json(orient="index"), BY_RECORDS),
        (FRAME.to_json(orient="split"), BY_RECORDS),
        (FRAME.to_json(orient="table"), BY_RECORDS),
        (json.dumps(FRAME.to_dict(orient="list")), BY_RECORDS),
        (json.dumps({"instances": FRAME.to_dict()}), BY_RECORDS),
        (json.dumps(SHOP), 'One row is a list of one: {"instances": [{...}]}.'),
        (json.dumps({"instances": SHOP}), "One row is a list of one"),
        (json.dumps(FRAME.to_json(orient="records")), "not json=..."),
        (json.dumps({"dataframe_split": {"columns": [], "data": []}}), "to /invocations. Send {"),
        (json.dumps({"inputs": [{"name": "input"}]}), "to /v2/models/NAME/infer. Send {"),
        ('{"rows": []}', 'Send {"instances": [...]}, each one an object by column name'),
        ("{'instances': []}", "double quotes"),
    ],
)
def test_another_form_of_json_is_refused_with_a_way_out(
    flask_client: Any, body: str, hint: str
) -> None:
    assert hint in refused(flask_client(), 400, body.encode())["hint"]


def test_one_row_that_is_not_in_a_list(flask_client: Any) -> None:
    form = refused(flask_client(), 422, {"instances": ROW})
    assert form["hint"] == 'One row is a list of one: {"instances": [[...]]}.'
    assert form["error_count"] == len(ROW)
    assert "hint" not in refused(flask_client(), 422, {"instances": [ROW, 3]})


def test_what_the_hints_say_is_answered(client: Client) -> None:
    for body in (FRAME.to_json(orient="records"), {"instances": FRAME.to_dict(orient="records")}):
        content = body.encode() if isinstance(body, str) else body
        assert len(client.post(PATH, content).json()["prediction"]) == 2


@pytest.mark.parametrize(
    ("separator", "name"), [(";", "';'"), ("\t", "tabs"), ("|", "'|'"), (",", "")]
)
def test_the_separator_of_csv_is_named(flask_client: Any, separator: str, name: str) -> None:
    content = FRAME.rename(columns=lambda name: f"{name}!").to_csv(sep=separator, index=False)
    hint = refused(flask_client(), 422, content.encode(), kind="text/csv").get("hint", "")
    told = f"The header is parted by {name}: write commas between the fields."
    assert hint == (told if name else "")


def test_csv_in_another_encoding_is_refused_with_its_line(flask_client: Any) -> None:
    content = "count,a\n1,a\n2,\u00e9\n".encode("latin-1")
    form = refused(flask_client(), 400, content, kind="text/csv")
    assert form["detail"] == "byte 14 of the CSV, in line 3, is not UTF-8"
    assert form["hint"] == "Send it encoded as UTF-8: df.to_csv(index=False).encode()."


def test_an_empty_batch(client: Client) -> None:
    form = refused(client, 422, {"instances": []})

    assert errors(form) == [(None, None, "no instances: expected at least one row")]


CSVS = [
    (
        "count,count,new\n1,2,true",
        [(None, "count", "stands twice in the header")],
    ),
    (
        "Preis (€),count,new,色\n1,2,true,红,9\nbig,,yes,红\n1,2\n",
        [
            (0, None, "expected 4 fields, got 5"),
            (1, "Preis (€)", "expected a number, got 'big'"),
            (1, "count", "missing value, and the model does not take one here"),
            (1, "new", "expected true or false, got 'yes'"),
            (2, None, "expected 4 fields, got 2"),
        ],
    ),
    (
        "Preis (€),count,new,farbe\n1,2,true,红\n",
        [(0, "farbe", "unknown column"), (0, "色", "missing column")],
    ),
    (
        ",Preis (€),count,new,色\n0,1,2,true,红\n",
        [(0, "", "unknown column; pandas leaves its row numbers out with index=False")],
    ),
    (
        "Preis (€);count;new;色\n1;2;true;红\n1;2;true;红\n",
        [
            (
                None,
                None,
                "the header names no column of the model: expected such as 'Preis (€)', "
                "'count', 'new', with commas between, got 'Preis (€);count;new;色'",
            )
        ],
    ),
    ("Preis (€),count,new,色1,2,true,红", [(None, None, NO_ROWS)]),
]


@pytest.mark.parametrize(("csv", "expected"), CSVS)
def test_csv_problems(client: Client, csv: str, expected: Any) -> None:
    form = refused(client, 422, csv.encode(), kind="text/csv")

    assert errors(form) == expected


IN_ANOTHER_ORDER = '﻿色,new,count,Preis (€)\r\n"红",TRUE,4.0, 1.25e1 \r\n\r\n'.encode()


def test_csv_cells_by_their_columns_type(client: Client) -> None:
    answer = client.post(PATH, IN_ANOTHER_ORDER, kind="text/csv; charset=utf-8")

    assert answer.status == 200, answer.body
    assert answer.json() == client.post(PATH, {"instances": [SHOP]}).json()


NO_CSVS = [b"", b"\n", b'a,b\n"x', b"a\n\xff\n"]


@pytest.mark.parametrize("csv", NO_CSVS)
def test_csv_that_is_none(client: Client, csv: bytes) -> None:
    refused(client, 400, csv, kind="text/csv")


@pytest.mark.parametrize(
    "cell", ["1" * 130_000 + "x", "1." * 60_000, "." * 130_000, "1" * 60_000 + " " * 60_000 + "x"]
)
def test_a_long_cell_of_csv_that_is_nearly_a_number(flask_client: Any, cell: str) -> None:
    """No pattern may try it in many ways: that would take hours."""
    form = refused(flask_client(), 422, f"count\n{cell}\n".encode(), kind="text/csv")

    assert "expected a whole number" in json.dumps(form)


def test_more_lines_of_csv_than_any_batch_has(flask_client: Any) -> None:
    """An empty list each, they would take seventy times the body's memory."""
    form = refused(flask_client(), 413, b"count\n" + b"\n" * 2**20, kind="text/csv")

    assert form["detail"] == "expected at most 10000 rows"


KINDS = [
    "application/x-www-form-urlencoded",
    "text/plain",
    "application/octet-stream",
    "application/json; charset=utf-16",
]


@pytest.mark.parametrize("kind", KINDS)
def test_media_types_that_are_not_read(client: Client, kind: str) -> None:
    refused(client, 415, {"instances": [SHOP]}, kind=kind)


def test_an_encoding_that_is_not_read(client: Client) -> None:
    refused(client, 415, b"x", headers={"Content-Encoding": "br"})


def test_unknown_routes_and_models(client: Client) -> None:
    assert refused(client, 404, [ROW], "/models/nope/predict")["hint"].endswith("shop.")
    for version in ("2", "0", "x", "9" * 3000):
        refused(client, 404, [ROW], f"/models/shop/versions/{version}/predict")
    assert "several" in refused(client, 404, [ROW], "/predict")["detail"]
    detail = client.get("/nope").json()["detail"]
    assert detail == "no route '/nope'; GET /openapi.json lists them all"
    assert client.get("/models/nope").json()["status"] == 404


def test_a_wrong_method(client: Client) -> None:
    answer = client.get(PATH)

    assert answer.status == 405
    assert answer.json()["title"] == "Method Not Allowed"
    assert answer.json()["detail"] == "expected POST, got GET"
    assert "POST" in answer.headers["allow"]


def test_the_body_names_the_model(client: Client) -> None:
    answer = client.post("/predict", {"instances": [SHOP], "model": "shop"})

    assert answer.json()["model"] == "shop"


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_the_path_goes_before_the_body(client: Client, verb: str) -> None:
    answer = client.post(f"/models/shop/{verb}", {"instances": [SHOP], "model": "iris"})

    assert answer.json()["model"] == "shop"


def test_too_many_rows(flask_client: Any) -> None:
    form = refused(flask_client(max_rows=2), 413, {"instances": [SHOP] * 3})

    assert form["detail"] == "expected at most 2 rows, got 3"
    assert flask_client(max_rows=3).post(PATH, {"instances": [SHOP] * 3}).status == 200


def test_too_large_a_body(flask_client: Any) -> None:
    body = json.dumps({"instances": [SHOP]}).encode()

    form = refused(flask_client(max_body_bytes=len(body) - 1), 413, body)

    assert form["detail"] == f"the body has more than {len(body) - 1} bytes"
    assert flask_client(max_body_bytes=len(body)).post(PATH, body).status == 200


def test_a_default_model_and_an_only_one(flask_client: Any) -> None:
    answer = flask_client(default_model="shop").post("/predict", {"instances": [SHOP]})

    assert answer.json()["model"] == "shop"


SURROGATES = [
    (PATH, b'{"instances": [{"\\ud800": 1, "count": NaN}]}', 422),
    ("/predict", b'{"instances": [[1]], "model": "\\ud800"}', 404),
    (PATH, b'{"instances": [], "\\ud800": 1}', 400),
]


@pytest.mark.parametrize(("path", "body", "status"), SURROGATES)
def test_a_lone_surrogate_in_a_name_is_named(
    client: Client, path: str, body: bytes, status: int
) -> None:
    assert "ud800" in json.dumps(refused(client, status, body, path))


def test_a_byte_order_mark_before_json(client: Client) -> None:
    body = json.dumps({"instances": [SHOP]}).encode()

    assert client.post(PATH, b"\xef\xbb\xbf" + body).status == 200


def test_a_long_name_is_cut(client: Client) -> None:
    form = refused(client, 422, {"instances": [{**SHOP, "a" * 100_000: 1}]})

    assert len(json.dumps(form)) < 2000


@pytest.mark.parametrize("path", ["/models//shop/predict", "//models/shop/predict/"])
def test_paths_with_empty_parts_are_unknown(client: Client, path: str) -> None:
    answer = client.post(path, {"instances": [SHOP]}, {"Host": "elsewhere.example"})

    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "location" not in answer.headers
