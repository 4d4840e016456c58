"""tritonclient[http], its blocking and its asynchronous client."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.clients.given import ADDRESS, MODELS, ROWS, outputs, tensors

http = tritonclient.http
COMPRESSION = (None, "gzip", "deflate")
NUMBERS = (
    *("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
    *("FP16", "FP32", "FP64"),
)


@pytest.fixture(scope="module")
def client() -> Any:
    with http.InferenceServerClient(ADDRESS) as client:
        yield client


def given(model: str, binary: bool = True) -> list[Any]:
    """A model's rows as the client's inputs."""
    return [_input(name, array, binary) for name, array in tensors(model).items()]


def _text(array: Any) -> bool:
    return bool(array.dtype == object)


def _input(name: str, array: Any, binary: bool = True) -> Any:
    made = http.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def equal(result: Any, model: str) -> None:
    for name, expected in outputs(model).items():
        got = result.as_numpy(name)
        texts = [cell.decode() for cell in got] if _text(got) and type(got[0]) is bytes else got
        if isinstance(expected[0], str):
            assert list(texts) == expected
        else:
            np.testing.assert_allclose(np.asarray(got, float), expected, rtol=1e-12)


# The client has no way to say that text is missing.
WHOLE = [m for m in MODELS if not any(None in a.ravel().tolist() for a in tensors(m).values())]


def test_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("iris")
    assert client.is_model_ready("iris", "1")
    assert not client.is_model_ready("nope")
    assert not client.is_model_ready("iris", "9")

    assert client.get_server_metadata()["name"] == "onnxlet"
    assert client.get_model_metadata("iris", "1") == {
        "name": "iris",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}],
        "outputs": [
            {"name": "prediction", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, 3]},
        ],
        "parameters": {"classes": [0, 1, 2]},
    }


def test_repository(client: Any) -> None:
    index = client.get_model_repository_index()
    assert index == [
        {"name": name, "version": "1", "state": "READY", "reason": ""} for name in MODELS
    ]
    for change in (client.load_model, client.unload_model):
        with pytest.raises(InferenceServerException, match="not loaded and unloaded by request"):
            change("iris")


@pytest.mark.parametrize("model", WHOLE)
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("wanted", [None, True, False])
def test_the_native_answers(client: Any, model: str, binary: bool, wanted: bool | None) -> None:
    names = None
    if wanted is not None:
        names = [http.InferRequestedOutput(n, binary_data=wanted) for n in outputs(model)]

    result = client.infer(model, given(model, binary), outputs=names, request_id="so-and-so")

    equal(result, model)
    about = result.get_response()
    assert (about["id"], about["model_name"], about["model_version"]) == ("so-and-so", model, "1")


@pytest.mark.parametrize("request_by", COMPRESSION)
@pytest.mark.parametrize("response_by", COMPRESSION)
@pytest.mark.parametrize("binary", [True, False])
def test_compression(
    client: Any, request_by: str | None, response_by: str | None, binary: bool
) -> None:
    outputs = [http.InferRequestedOutput("probabilities", binary_data=binary)]
    many = np.tile(np.array(ROWS["iris"]), (40, 1))

    result = client.infer(
        "iris",
        [_input("input", many, binary)],
        outputs=outputs,
        request_compression_algorithm=request_by,
        response_compression_algorithm=response_by,
    )

    plain = client.infer("iris", [_input("input", many)])
    np.testing.assert_array_equal(result.as_numpy("probabilities"), plain.as_numpy("probabilities"))


@pytest.mark.parametrize("datatype", NUMBERS)
@pytest.mark.parametrize("binary", [True, False])
def test_every_datatype_of_numbers(client: Any, datatype: str, binary: bool) -> None:
    whole = np.array([[5, 3, 1, 0], [6, 3, 5, 2]])
    array = whole.astype(tritonclient.utils.triton_to_np_dtype(datatype))

    result = client.infer("iris", [_input("input", array, binary)])

    expected = client.infer("iris", [_input("input", whole.astype(float))])
    for name in ("prediction", "probabilities"):
        np.testing.assert_array_equal(result.as_numpy(name), expected.as_numpy(name))


def test_bfloat16(client: Any) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([[5, 3, 1, 0.5]], dtype=ml_dtypes.bfloat16)

    result = client.infer("iris", [_input("input", array)])

    expected = client.infer("iris", [_input("input", array.astype(float))])
    np.testing.assert_array_equal(
        result.as_numpy("probabilities"), expected.as_numpy("probabilities")
    )


@pytest.mark.parametrize("binary", [True, False])
def test_columns_of_one_value_a_row(client: Any, binary: bool) -> None:
    columns = {name: array.reshape(-1, 1) for name, array in tensors("shop").items()}

    result = client.infer("shop", [_input(n, a, binary) for n, a in columns.items()])

    equal(result, "shop")


def test_nan_is_missing(client: Any) -> None:
    for binary in (True, False):
        with pytest.raises(InferenceServerException, match="row 0, column 'x1': missing value"):
            client.infer("iris", [_input("input", np.array([[5.1, np.nan, 1, 2]]), binary)])


@pytest.mark.parametrize(
    ("model", "arrays", "part"),
    [
        ("nope", {"input": np.ones((1, 4))}, "no model 'nope'"),
        ("iris", {"input": np.ones((1, 3))}, "expected shape [n, 4], got [1, 3]"),
        ("iris", {"other": np.ones((1, 4))}, "missing input; column 'other': unknown input"),
        ("iris", {"input": np.ones((1, 4), bool)}, "expected a number, got true"),
        ("iris", {"input": np.full((1, 4), "5", object)}, "expected a number, got '5'"),
        ("iris", {"input": np.zeros((0, 4))}, "expected at least one row"),
        ("shop", {"count": np.array([1.5])}, "column 'new': missing input"),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_errors(client: Any, model: str, arrays: Any, part: str, binary: bool) -> None:
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, [_input(name, array, binary) for name, array in arrays.items()])

    assert part in caught.value.message()
    assert caught.value.status() == ("404" if model == "nope" else "400")


def test_what_is_not_done_here_is_refused(client: Any) -> None:
    one = [_input("input", np.ones((1, 4)))]
    shared = http.InferInput("input", [1, 4], "FP32")
    shared.set_shared_memory("region", 16)
    for inputs, wanted, part in (
        (one, http.InferRequestedOutput("nope"), "unknown outputs"),
        (one, http.InferRequestedOutput("prediction", class_count=2), "value for each class"),
        ([shared], http.InferRequestedOutput("prediction"), "shared memory"),
    ):
        with pytest.raises(InferenceServerException, match=part):
            client.infer("iris", inputs, outputs=[wanted])


@pytest.mark.parametrize("binary", [True, False])
def test_classification(client: Any, binary: bool) -> None:
    wanted = http.InferRequestedOutput("probabilities", binary_data=binary, class_count=1)

    result = client.infer("iris", given("iris"), outputs=[wanted])

    reported = result.as_numpy("probabilities").ravel().tolist()
    labels = [(cell.decode() if binary else cell).split(":")[2] for cell in reported]
    assert [int(label) for label in labels] == outputs("iris")["prediction"]


def test_statistics(client: Any) -> None:
    def counted() -> Any:
        [about] = client.get_inference_statistics("iris", "1")["model_stats"]
        return about

    before = counted()
    client.infer("iris", given("iris"))
    after = counted()

    rows = len(ROWS["iris"])
    assert after["inference_count"] - before["inference_count"] == rows
    assert after["execution_count"] - before["execution_count"] == 1
    for part in ("success", "compute_input", "compute_infer", "compute_output"):
        passed = after["inference_stats"][part]["ns"] - before["inference_stats"][part]["ns"]
        assert passed > 0
    everything = client.get_inference_statistics()["model_stats"]
    assert [about["name"] for about in everything] == MODELS


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("algorithm", COMPRESSION)
def test_the_asynchronous_client(binary: bool, algorithm: str | None) -> None:
    async def ask() -> None:
        async with tritonclient.http.aio.InferenceServerClient(ADDRESS) as client:
            assert await client.is_server_ready()
            assert (await client.get_model_metadata("shop"))["name"] == "shop"
            results = await asyncio.gather(
                *[
                    client.infer(
                        model,
                        given(model, binary),
                        request_compression_algorithm=algorithm,
                        response_compression_algorithm=algorithm,
                    )
                    for model in WHOLE * 3
                ]
            )
            for model, result in zip(WHOLE * 3, results, strict=True):
                equal(result, model)
            with pytest.raises(InferenceServerException, match="no model 'nope'"):
                await client.infer("nope", given("iris"))

    asyncio.run(ask())
