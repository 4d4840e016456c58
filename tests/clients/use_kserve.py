"""KServe's InferenceRESTClient, in both of its protocols."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from tests.clients.given import ADDRESS, ANSWERS, MODELS, ROWS, outputs, tensors

URL = f"http://{ADDRESS}"


def asked(protocol: str, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        async with InferenceRESTClient(RESTConfig(protocol=protocol)) as client:
            return await ask(client)

    return asyncio.run(whole())


def datatype(array: Any) -> str:
    known = {"f": "FP64", "i": "INT64", "b": "BOOL", "O": "BYTES"}
    return known[array.dtype.kind]


def test_health() -> None:
    async def ask(client: Any) -> None:
        assert await client.is_server_live(URL)
        assert await client.is_server_ready(URL)
        assert await client.is_model_ready(URL, "iris")
        assert not await client.is_model_ready(URL, "nope")

    asked("v2", ask)


def infer(model: str, request: Any) -> Any:
    return asked("v2", lambda client: client.infer(URL, request, model_name=model))


def equal(response: Any, model: str) -> None:
    assert response.model_name == model
    for output in response.outputs:
        expected = outputs(model)[output.name]
        if isinstance(expected[0], str):
            assert [s.decode() if isinstance(s, bytes) else s for s in output.data] == expected
        else:
            np.testing.assert_allclose(output.as_numpy(), expected, rtol=1e-12)
    assert {output.name for output in response.outputs} == set(outputs(model))


@pytest.mark.parametrize("model", MODELS)
def test_data_in_json(model: str) -> None:
    request = {
        "id": "17",
        "inputs": [
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": datatype(array),
                "data": [None if cell != cell else cell for cell in array.ravel().tolist()],
            }
            for name, array in tensors(model).items()
        ],
    }

    response = infer(model, request)

    assert response.id == "17"
    equal(response, model)


@pytest.mark.parametrize("model", [m for m in MODELS if m in ("iris", "shop")])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("wanted", [None, True, False])
def test_its_own_requests(model: str, binary: bool, wanted: bool | None) -> None:
    inputs = []
    for name, array in tensors(model).items():
        made = InferInput(name, list(array.shape), datatype(array))
        made.set_data_from_numpy(array, binary_data=binary)
        inputs.append(made)
    chosen = None
    if wanted is not None:
        chosen = [RequestedOutput(n, {"binary_data": wanted}) for n in outputs(model)]
    request = InferRequest(
        model_name=model,
        infer_inputs=inputs,
        request_outputs=chosen,
        parameters={"binary_data_output": binary},
    )

    equal(infer(model, request), model)


def test_errors() -> None:
    one = {"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, "x", 4]}
    for model, status, part in (
        ("nope", 404, "no model 'nope'"),
        ("iris", 400, "row 0, column 'x2': expected a number, got 'x'"),
    ):
        with pytest.raises(httpx.HTTPStatusError) as caught:
            infer(model, {"inputs": [one]})
        assert caught.value.response.status_code == status
        assert part in str(caught.value)


@pytest.mark.parametrize("model", MODELS)
def test_the_first_protocol(model: str) -> None:
    async def ask(client: Any) -> Any:
        assert await client.is_server_live(URL)
        assert await client.is_model_ready(URL, model)
        return await client.infer(URL, {"instances": ROWS[model]}, model_name=model)

    assert asked("v1", ask) == {"predictions": ANSWERS[model]["prediction"]}


def test_errors_of_the_first_protocol() -> None:
    async def ask(client: Any) -> None:
        for model, status, part in (
            ("nope", 404, "no model 'nope'"),
            ("iris", 400, "row 0, column 'x2': expected a number, got 'x'"),
        ):
            with pytest.raises(httpx.HTTPStatusError, match=re.escape(part)) as caught:
                await client.infer(URL, {"instances": [[1, 2, "x", 4]]}, model_name=model)
            assert caught.value.response.status_code == status

    asked("v1", ask)
