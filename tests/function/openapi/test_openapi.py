"""The OpenAPI document: valid, of these very models, of all routes, and its examples work."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.http.document import PARTS
from onnxlet.function.http.routes import table
from onnxlet.function.models.repository import Catalogue
from onnxlet.function.settings import Settings
from tests.conftest import Client, app_of, quiet
from tests.convert.imported import onnx_files
from tests.function.http.test_report import write_page

METHODS = ("get", "post")
REFERENCE = re.compile(r'"\$ref": "#/components/([^/"]+)/([^"]+)"')
KEY = {"tester": bytes.fromhex("2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b")}


@pytest.fixture(scope="module")
def document(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    own = tmp_path_factory.mktemp("reported") / "models"
    shutil.copytree(models, own)
    write_page(own / "iris" / "1", b"<p>")  # only then it has that path
    app = app_of(own)
    form: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return form


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@pytest.mark.long
def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_over_every_transport(client: Client) -> None:
    answer = client.get("/openapi.json")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"] == "3.1.0"


@pytest.mark.long
def test_models_whose_names_differ_only_by_a_sign(models: Path, tmp_path: Path) -> None:
    for name in ("a-b", "a.b", "a_b"):
        shutil.copytree(models / "iris", tmp_path / name)
    app = app_of(tmp_path)

    validate(app.test_client().get("/openapi.json").get_json())


def test_it_is_valid_when_every_model_was_removed(models: Path) -> None:
    app = app_of(models)
    app.extensions[SERVICE].repository.catalogue = Catalogue({}, {})

    answer = app.test_client().get("/openapi.json")

    assert answer.status_code == 200
    validate(answer.get_json())


def test_every_route_of_the_app_is_documented_and_the_other_way_round(
    models: Path, document: dict[str, Any]
) -> None:
    app = app_of(models)
    matcher = app.url_map.bind("localhost")
    served = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    documented = {
        f"{method.upper()} {matcher.match(path, method.upper(), return_rule=True)[0].rule}"
        for path, method, _ in operations(document)
    }

    assert documented == served
    assert sorted(served) == sorted(route.key for route in table())
    assert {key for part in PARTS for key in part.operations} == served


def test_every_model_has_its_own_paths(document: dict[str, Any]) -> None:
    paths = [path for path in document["paths"] if path.endswith("/predict")]

    names = ("house-prices", "iris", "loan-default", "shop")
    assert paths == [
        *(f"/models/{name}/predict" for name in names),
        *(f"/models/{name}/versions/1/predict" for name in names),
        "/predict",
    ]


def test_columns_of_every_kind(document: dict[str, Any]) -> None:
    row = copy.deepcopy(document["components"]["schemas"]["shop.row"])

    price, count = row["properties"].pop("Preis (€)"), row["properties"].pop("count")
    example = row.pop("examples")[0]
    assert row == {
        "type": "object",
        "title": "shop: a row by column name",
        "properties": {
            "new": {"type": "boolean", "examples": [True, False]},
            "色": {"enum": ["红", "绿", "蓝"]},
            "note": {"description": "the model drops this column: any value, or none, will do"},
        },
        "required": ["Preis (€)", "count", "new", "色"],
        "additionalProperties": False,
    }
    assert price == {"type": "number", "format": "double", "examples": [example["Preis (€)"]]}
    assert (count["type"], count["maximum"]) == ("integer", 2**63 - 1)
    assert list(example) == row["required"]


def test_a_nullable_column_may_be_null(document: dict[str, Any]) -> None:
    columns = document["components"]["schemas"]["house-prices.row"]["properties"]

    assert columns["Lot_Frontage"]["type"] == ["number", "null"]
    assert columns["Neighborhood"]["type"] == ["string", "null"]


def test_a_matrix_is_a_list_of_numbers(document: dict[str, Any]) -> None:
    values = document["components"]["schemas"]["iris.values"]

    assert (values["minItems"], values["maxItems"], values["items"]) == (4, 4, False)
    assert [cell["type"] for cell in values["prefixItems"]] == ["number"] * 4


def test_answers_are_typed_by_task(document: dict[str, Any]) -> None:
    share = {"type": ["number", "null"], "minimum": 0}
    shares = {"type": ["array", "null"], "items": share, "minItems": 2, "maxItems": 2}
    classifier = document["components"]["schemas"]["loan-default.answer"]
    regressor = document["components"]["schemas"]["house-prices.answer"]

    assert classifier["properties"]["prediction"]["items"] == {"enum": ["bad", "good", None]}
    assert classifier["properties"]["probabilities"] == {"type": "array", "items": shares}
    assert classifier["properties"]["classes"] == {"const": ["bad", "good"]}
    assert classifier["required"] == ["model", "version", "prediction", "probabilities", "classes"]
    assert regressor["properties"]["prediction"]["items"] == {"type": ["number", "null"]}


def test_limits_are_the_settings(flask_client: Callable[..., Client]) -> None:
    document = flask_client(max_rows=7).get("/openapi.json").json()

    rows = document["components"]["schemas"]["iris.rows"]
    assert (rows["minItems"], rows["maxItems"]) == (1, 7)


def test_keys_are_asked_for_exactly_where_they_are_set(
    flask_client: Callable[..., Client], document: dict[str, Any]
) -> None:
    client = flask_client(api_keys=KEY)
    locked = client.get("/openapi.json", {"X-API-Key": "secret"}).json()

    assert "securitySchemes" not in document["components"]
    assert not any("security" in operation for _, _, operation in operations(document))
    assert sorted(locked["components"]["securitySchemes"]) == ["bearer", "key"]
    for path, method, operation in operations(locked):
        status = client.request(method.upper(), path).status
        assert ("security" in operation) is (status == 401), path
        assert ("401" in operation["responses"]) is ("security" in operation), path


def test_every_example_of_the_document_is_answered(
    client: Client, document: dict[str, Any]
) -> None:
    asked = 0
    for path, method, operation in operations(document):
        if method == "get":
            answer = client.get(path)
            if path == "/metrics" and answer.status == 404:
                continue  # kept only by a device's server
            if path.endswith("/report"):
                continue  # the clients' own models have none: tests/function/http/test_report.py
            if path.endswith("/drift"):
                assert answer.status == 403, "it is for readers"
                continue
            assert answer.status == 200, (path, answer.body)
            _check_answer(document, operation, answer)
            continue
        if "requestBody" not in operation:
            answer = client.post(path, b"")
            assert str(answer.status) == next(iter(operation["responses"])), (path, answer.body)
            continue
        for kind, content in operation["requestBody"]["content"].items():
            if kind == "application/octet-stream":
                continue  # tests/function/protocols have binary requests
            example = content["example"]
            sent = example.encode() if isinstance(example, str) else example
            answer = client.post(path, sent, _headers(operation), kind=kind)
            assert answer.status == 200, (path, answer.body)
            _check_answer(document, operation, answer)
            if kind == "application/json":
                _check(document, content["schema"], example)
            asked += 1
    assert asked > 15


def _headers(operation: dict[str, Any]) -> dict[str, str]:
    parameters = operation.get("parameters", ())
    return {p["name"]: p["example"] for p in parameters if p.get("required")}


def _check_answer(document: dict[str, Any], operation: dict[str, Any], answer: Any) -> None:
    kind = answer.headers["content-type"].split(";")[0]
    schema = operation["responses"]["200"]["content"][kind]["schema"]
    if kind == "application/json":
        _check(document, schema, json.loads(answer.body))


def _check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    OAS31Validator({**schema, "components": _referred_to(document, schema)}).validate(value)


def _referred_to(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The components a schema refers to: a validator looks through all it has at each reference."""
    found: dict[str, Any] = {}
    unread = [schema]
    while unread:
        for kind, name in REFERENCE.findall(json.dumps(unread.pop(), ensure_ascii=False)):
            if name not in found.setdefault(kind, {}):
                found[kind][name] = document["components"][kind][name]
                unread.append(found[kind][name])
    return found


def _check_example(client: Any, document: dict[str, Any], path: str) -> None:
    """The example of a POST in JSON is what its schema says, and so is the answer to it."""
    operation = document["paths"][path]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    answer = client.post(path, json=content["example"], headers=_headers(operation))
    assert answer.status_code == 200, (path, answer.text)
    _check(document, content["schema"], content["example"])
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    _check(document, schema, answer.get_json())


def test_a_default_model_needs_no_name(flask_client: Callable[..., Client]) -> None:
    document = flask_client(default_model="iris").get("/openapi.json").json()

    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert sorted(content) == ["application/json", "text/csv"]
    assert list(content["application/json"]["example"]) == ["instances"]


def test_without_one_the_body_names_it(document: dict[str, Any]) -> None:
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]

    assert list(content) == ["application/json"]
    assert content["application/json"]["example"]["model"] == "house-prices"


def test_examples_are_medians_and_frequent_categories(
    document: dict[str, Any], models: Path
) -> None:
    manifest = json.loads((models / "loan-default" / "1" / "manifest.json").read_bytes())
    known = manifest["statistics"]["columns"]
    example = document["components"]["schemas"]["loan-default.row"]["examples"][0]

    assert example == {
        name: about["median"] if "median" in about else about["frequent"][0][0]
        for name, about in known.items()
    }


@pytest.mark.long
def test_every_task(tasks: Path) -> None:
    client = app_of(tasks).test_client()
    document = client.get("/openapi.json").get_json()

    validate(document)
    asked = set()
    for path, _, operation in operations(document):
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            _check_example(client, document, path)
            asked.add(path)
    assert len(asked) > 8 * len(list(tasks.iterdir()))


def test_what_another_framework_exported(tmp_path: Path) -> None:
    kernel = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    proto = onnx_files.model(
        [onnx_files.node("Conv", "image kernel", "map"), onnx_files.node("Flatten", "map", "flat")],
        [onnx_files.value("image", dims=("batch", 1, 4, 4))],
        [
            onnx_files.value("flat", dims=("batch", 4)),
            onnx_files.value("map", dims=("batch", 1, 2, 2)),
        ],
        {"kernel": kernel},
    )
    import_onnx(onnx_files.save(tmp_path, proto), "net", tmp_path / "models", quiet)
    client = create_app(tmp_path / "models", settings=Settings(tmp_path)).test_client()
    document = client.get("/openapi.json").get_json()

    validate(document)
    for path in ("/predict", "/v2/models/net/infer", "/v1/models/net:predict", "/invocations"):
        _check_example(client, document, path)
    schema = document["paths"]["/models/net"]["get"]["responses"]["200"]["content"]
    _check(document, schema["application/json"]["schema"], client.get("/models/net").get_json())


RULES = [each.rule for each in table() if each.protocol]  # of predictions
PREDICTS = re.compile("|".join(re.sub(r"<\w+>", "[^/:]+", rule) for rule in RULES))


@pytest.mark.long
def test_a_coverage_is_described_where_a_model_has_the_table(calibrated: Path) -> None:
    client = app_of(calibrated).test_client()
    document = client.get("/openapi.json").get_json()

    validate(document)
    asked = 0
    for path, method, operation in operations(document):
        model = next((name for name in WITH_TABLE if f"/{name}/" in f"{path}/"), None)
        model = next((name for name in WITH_TABLE if f"/{name}:" in path), model)
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        named = [p for p in operation.get("parameters", ()) if p["name"] == "coverage"]
        predicts = method == "post" and PREDICTS.fullmatch(path) is not None
        shared = path in ("/predict", "/invocations")
        assert bool(named) is (predicts and (model is not None or shared)), path
        if not named:
            continue
        known = named[0]["schema"]
        assert {**known, "maximum": None} == {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": None,
        }
        for coverage in (1e-9, 0.9, known["maximum"]):
            example = content["example"]
            name = "line" if shared else model
            if path == "/predict":
                example = {**example, "model": name, "instances": [[1, 2, 3]]}
            headers = {"X-Amzn-SageMaker-Target-Model": name}
            url = f"{path}?coverage={coverage}"
            answer = client.post(url, json=example, headers=headers)
            assert answer.status_code == 200, (path, answer.text)
            assert re.search('"(interval|set)"', answer.text), path
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            _check(document, schema, answer.get_json())
            in_body = _with_coverage(path, example, coverage)
            _check(document, content["schema"], in_body)
            same = client.post(path, json=in_body, headers=headers)
            assert same.get_json() == answer.get_json()
            asked += 1
    assert asked == 3 * sum(len(WITH_TABLE) if "<name>" in rule else 1 for rule in RULES)


WITH_TABLE = ("line", "adaptive", "std", "two", "classes")


def _with_coverage(path: str, body: dict[str, Any], coverage: float) -> dict[str, Any]:
    member = {"coverage": coverage}
    if path == "/invocations":
        return {**body, "params": member}
    return {**body, "parameters": member} if path.endswith("infer") else {**body, **member}
