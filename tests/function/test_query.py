"""Parameters of a query: those that a route takes, and what is said of any other."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Client

ROWS = [[5.1, 3.5, 1.4, 0.2]]
V2 = {"inputs": [{"name": "input", "datatype": "FP64", "shape": [1, 4], "data": ROWS[0]}]}
PREDICTIONS = {
    "/models/iris/predict": {"instances": ROWS},
    "/models/iris/versions/1/predict": {"instances": ROWS},
    "/models/iris/explain": {"instances": ROWS},
    "/v1/models/iris:predict": {"instances": ROWS},
    "/v1/models/iris/versions/1:predict": {"instances": ROWS},
    "/v2/models/iris/infer": V2,
    "/v2/models/iris/versions/1/infer": V2,
}
READ = ["/models/iris", "/models/iris/drift", "/models/iris/report"]


@pytest.mark.parametrize("path", PREDICTIONS)
def test_a_prediction_refuses_what_it_does_not_take(local: Client, path: str) -> None:
    for name, meant in (("coverge", "coverage"), ("onerror", "on_error"), ("K", "k"), ("zz", "")):
        refused = local.post(f"{path}?{name}=0.9", PREDICTIONS[path])

        assert refused.status == 400, name
        said = json.dumps(refused.json())
        assert f"unknown query parameter '{name}'" in said
        assert (f"did you mean '{meant}'?" in said) is bool(meant) or name == "K"
        assert "The query takes on_error, coverage, k, unusual" in said
    assert local.post(path, PREDICTIONS[path]).status == 200


@pytest.mark.parametrize("query", ["on_error=null", "outputs=all", "unusual=false"])
def test_what_a_protocol_takes_is_not_refused_for_its_name(local: Client, query: str) -> None:
    for path, body in PREDICTIONS.items():
        said = local.post(f"{path}?{query}", body).body
        takes = not query.startswith("outputs") or path.startswith("/v1/")
        assert (b"unknown query parameter" not in said) is takes, path


def test_mlflow_s_route_takes_outputs_too(local: Client) -> None:
    asked = {"inputs": ROWS, "params": {}}
    said = local.post("/invocations?output=all", asked, {"X-Amzn-SageMaker-Target-Model": "iris"})
    assert said.status == 400
    assert "did you mean 'outputs'?" in json.dumps(said.json())


@pytest.mark.parametrize("path", READ)
def test_a_version_that_is_misspelt_is_no_other_version(local: Client, path: str) -> None:
    refused = local.get(f"{path}?verison=1")
    if refused.status != 403:  # drift is for readers
        assert refused.status == 400
        assert "unknown query parameter 'verison'; did you mean 'version'?" in refused.body.decode()
        assert refused.json()["hint"] == "The query takes version."


@pytest.mark.parametrize("path", ["/v2/health/ready", "/ping", "/models", "/openapi.json", "/"])
def test_what_takes_none_ignores_any(local: Client, path: str) -> None:
    """As monitors send them, so that no cache answers."""
    assert local.get(f"{path}?_=17").status == 200


def test_hundreds_of_names_and_long_ones_make_a_short_refusal(local: Client) -> None:
    names = "&".join(f"{'x' * 3000}{n}=1" for n in range(3))
    refused = local.post(f"/models/iris/predict?{names}", {"instances": ROWS})
    assert refused.status == 400
    assert len(refused.body) < 1000
