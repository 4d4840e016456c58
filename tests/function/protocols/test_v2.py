"""The Open Inference Protocol, version 2, over every transport."""

from __future__ import annotations

import gzip
import json
import re
import struct
import tomllib
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

import onnxlet
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model
from onnxlet.function.protocols.v2.tensors import HEADER
from tests.conftest import ROOT, Answer, Client, app_of, client_of
from tests.function.protocols.held_out import columns_of, rows_of
from tests.function.serving.test_predict import SHOP
from tests.kept_builds import kept_builds

IRIS = "/v2/models/iris/infer"
MODELS = ("house-prices", "iris", "loan-default", "shop")
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.0, 3.0, 5.0, 2.0]]
DATATYPES = {float: "FP64", int: "INT64", bool: "BOOL", str: "BYTES"}


def tensor(data: Any, datatype: str = "FP64", shape: Any = (2, 4), **more: Any) -> dict[str, Any]:
    return {"name": "input", "shape": shape, "datatype": datatype, "data": data, **more}


def with_bytes(
    form: Mapping[str, Any], *pieces: bytes, length: Any = None
) -> tuple[bytes, dict[str, str]]:
    """A request's body and headers: JSON, and bytes behind it."""
    header = json.dumps(form).encode()
    told = str(len(header) if length is None else length)
    return b"".join([header, *pieces]), {HEADER: told}


def in_bytes(array: Any, datatype: str, size: int | None = None) -> dict[str, Any]:
    return {
        "name": "input",
        "shape": list(array.shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": array.nbytes if size is None else size},
    }


def outputs_of(answer: Answer) -> dict[str, Any]:
    """Each output's values in its shape, from JSON or from the bytes behind it."""
    assert answer.status == 200, answer.body
    length = int(answer.headers.get(HEADER.lower(), len(answer.body)))
    form, rest = json.loads(answer.body[:length]), answer.body[length:]
    found = {}
    for output in form["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            flat = output["data"]
        else:
            flat, rest = from_bytes(output["datatype"], rest[:size]), rest[size:]
        assert len(flat) == np.prod(output["shape"])
        found[output["name"]] = np.array(flat, object).reshape(output["shape"]).tolist()
    assert rest == b""
    return found


def from_bytes(datatype: str, content: bytes) -> list[Any]:
    if datatype == "BYTES":
        texts = []
        while content:
            [length] = struct.unpack_from("<I", content)
            texts.append(content[4 : 4 + length].decode())
            content = content[4 + length :]
        return texts
    dtypes = {"FP64": "<f8", "FP32": "<f4", "INT64": "<i8", "BOOL": "?"}
    return list(np.frombuffer(content, dtypes[datatype]).tolist())


def as_columns(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The inputs of rows by column name: every other one of shape [n, 1]."""
    inputs = []
    for place, (name, cells) in enumerate(columns_of(rows).items()):
        kinds = {type(cell) for cell in cells if cell is not None} or {float}
        datatype = "FP64" if float in kinds else DATATYPES[kinds.pop()]
        shape = [len(cells)] if place % 2 else [len(cells), 1]
        inputs.append({"name": name, "shape": shape, "datatype": datatype, "data": cells})
    return inputs


def inputs_of(source: Source, name: str) -> list[dict[str, Any]]:
    rows = rows_of(source)
    if name != "iris":
        return as_columns(rows)
    return [tensor([list(row.values()) for row in rows], shape=[len(rows), 4])]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_the_answers_are_the_native_ones(
    client: Client, sources: Mapping[str, Source], name: str, binary: bool
) -> None:
    native = client.post(f"/models/{name}/predict", {"instances": rows_of(sources[name])}).json()
    body = {
        "inputs": inputs_of(sources[name], name),
        "parameters": {"binary_data_output": binary},
    }

    answer = client.post(f"/v2/models/{name}/infer", body)

    kept = ("prediction", "probabilities")
    assert outputs_of(answer) == {key: native[key] for key in kept if key in native}


def test_the_whole_answer(client: Client) -> None:
    answer = client.post(
        "/v2/models/iris/versions/1/infer",
        {"id": "mine", "inputs": [tensor(ROWS)], "outputs": [{"name": "prediction"}]},
    )

    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "model_name": "iris",
        "model_version": "1",
        "id": "mine",
        "outputs": [{"name": "prediction", "datatype": "INT64", "shape": [2], "data": [0, 2]}],
    }


def test_bytes_in_and_out(client: Client) -> None:
    array = np.array(ROWS, "<f4")
    form = {
        "inputs": [in_bytes(array, "FP32")],
        "outputs": [
            *wanted("probabilities", binary_data=True),
            *wanted("prediction", binary_data=False),
        ],
    }
    body, headers = with_bytes(form, array.tobytes())

    # Clients say of such a body that it is JSON, or bytes, or nothing.
    for kind in ("application/octet-stream", "json", "application/x-www-form-urlencoded"):
        answer = client.post(IRIS, body, headers, kind=kind)

        assert answer.headers["content-type"] == "application/octet-stream"
        as_json = client.post(IRIS, {"inputs": [tensor(ROWS, "FP32")]})
        assert outputs_of(answer) == outputs_of(as_json)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_the_header_counts_bytes_that_are_not_compressed(client: Client, encoding: str) -> None:
    array = np.array(ROWS)
    body, headers = with_bytes({"inputs": [in_bytes(array, "FP64")]}, array.tobytes())
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)

    answer = client.post(IRIS, packed, {**headers, "Content-Encoding": encoding})

    assert outputs_of(answer) == outputs_of(client.post(IRIS, {"inputs": [tensor(ROWS)]}))


def test_bytes_without_a_header_are_the_only_input(client: Client) -> None:
    answer = client.post(IRIS, np.array(ROWS).tobytes(), {HEADER: "0"}, kind="text/plain")

    assert answer.headers["content-type"] == "application/octet-stream"
    assert outputs_of(answer) == outputs_of(client.post(IRIS, {"inputs": [tensor(ROWS)]}))


def test_text_in_bytes_and_dropped_columns(client: Client) -> None:
    texts = ["红", "绿"]
    content = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)
    columns = [entry for entry in as_columns([SHOP, {**SHOP, "色": "绿"}]) if entry["name"] != "色"]
    about = {"shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(content)}}
    note = {**about, "name": "note", "shape": [1], "parameters": {"binary_data_size": 5}}
    form = {"inputs": [*columns, {**about, "name": "色"}, note]}

    answer = client.post(
        "/v2/models/shop/infer", *with_bytes(form, content, struct.pack("<I", 1) + b"x")
    )

    native = client.post("/models/shop/predict", {"instances": [SHOP, {**SHOP, "色": "绿"}]})
    assert outputs_of(answer)["probabilities"] == native.json()["probabilities"]


WHOLE = [[5, 3, 1, 0], [6, 3, 5, 2]]
NUMBERS = {
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"},
}


@pytest.mark.parametrize("datatype", [*NUMBERS, "BF16"])
def test_every_datatype_of_numbers(local: Client, datatype: str) -> None:
    expected = outputs_of(local.post(IRIS, {"inputs": [tensor(WHOLE)]}))
    if datatype == "BF16":
        content = np.array(WHOLE, "<f4").view("<u2").reshape(2, 4, 2)[:, :, 1].tobytes()
    else:
        content = np.array(WHOLE, NUMBERS[datatype]).tobytes()
        forms = [
            WHOLE,
            [v for row in WHOLE for v in row],
            [[float(v) for v in row] for row in WHOLE],
        ]
        for data in forms:
            answer = local.post(IRIS, {"inputs": [tensor(data, datatype)]})
            assert outputs_of(answer) == expected
    entry = in_bytes(np.array(WHOLE), datatype, size=len(content))

    assert outputs_of(local.post(IRIS, *with_bytes({"inputs": [entry]}, content))) == expected


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_the_likeliest_classes_as_text(
    local: Client, sources: Mapping[str, Source], binary: bool, count: int
) -> None:
    rows = rows_of(sources["loan-default"])
    native = local.post("/models/loan-default/predict", {"instances": rows}).json()
    chosen = wanted("probabilities", binary_data=binary, classification=count)
    body = {"inputs": as_columns(rows), "outputs": chosen}

    answer = local.post("/v2/models/loan-default/infer", body)

    shares = native["probabilities"]
    ranked = [sorted(enumerate(row), key=lambda pair: -pair[1])[:count] for row in shares]
    texts = [[f"{p:f}:{n}:{['bad', 'good'][n]}" for n, p in row] for row in ranked]
    assert outputs_of(answer) == {"probabilities": texts if count else shares}


def test_a_float_of_32_bits_is_what_it_says(client: Client) -> None:
    exact = [[float(np.float32(value)) for value in row] for row in ROWS]

    declared = client.post(IRIS, {"inputs": [tensor(ROWS, "FP32")]})

    assert outputs_of(declared) == outputs_of(client.post(IRIS, {"inputs": [tensor(exact)]}))


def test_null_and_bare_nan_are_missing(client: Client, sources: Mapping[str, Source]) -> None:
    rows = [{**row, "Income": None} for row in rows_of(sources["loan-default"])]
    entries = as_columns(rows)
    body = json.dumps({"inputs": entries})
    assert "null" in body
    native = client.post("/models/loan-default/predict", {"instances": rows}).json()

    for text in (body, body.replace('"FP64", "data": [null', '"FP64", "data": [NaN')):
        answer = client.post("/v2/models/loan-default/infer", text.encode())
        assert outputs_of(answer)["probabilities"] == native["probabilities"]


def test_hints_that_change_nothing_are_ignored(client: Client) -> None:
    plain = client.post(IRIS, {"inputs": [tensor(ROWS)]})

    hinted = client.post(
        IRIS,
        {
            "inputs": [tensor(ROWS, parameters={"content_type": "np", "headers": None})],
            "parameters": {"content_type": "pd", "priority": 1, "so": {"and": "so"}},
            "unheard": "of",
            "outputs": [],
        },
    )

    assert hinted.json() == plain.json()


def asked(**more: Any) -> dict[str, Any]:
    """A right request, with further members."""
    return {"inputs": [tensor(ROWS)], **more}


def wanted(name: str, **parameters: Any) -> list[dict[str, Any]]:
    """One output, with these parameters."""
    return [{"name": name, "parameters": parameters}]


FORM_FAULTS = {
    "no object": ([1], "expected an object with 'inputs', got [1]"),
    "no inputs": (
        {},
        "'inputs': expected a list of at least one tensor "
        "(an object with name, shape, datatype and data), got nothing",
    ),
    "no tensor": ({"inputs": []}, "shape, datatype and data), got []"),
    "text": ({"inputs": "x"}, "got a string"),
    "no name": ({"inputs": [{}, 3]}, "inputs[0]: expected an object with a 'name'; inputs[1]: "),
    "twice": ({"inputs": [tensor(ROWS), tensor(ROWS)]}, "input 'input' is there twice"),
    "datatype": ({"inputs": [tensor(ROWS, "FP31")]}, "one of BOOL, UINT8, UINT16, UINT32"),
    "no datatype": ({"inputs": [tensor(ROWS, None)]}, "UINT64"),  # type: ignore[arg-type] # wrong
    "shape": ({"inputs": [tensor(ROWS, shape=[2, -4])]}, "whole numbers from 0, got [2, -4]"),
    "shape of text": ({"inputs": [tensor(ROWS, shape="24")]}, "got a string"),
    "no shape": ({"inputs": [tensor(ROWS, shape=[])]}, "whole numbers from 0, got []"),
    "a float": ({"inputs": [tensor(ROWS, shape=[2.0, 4])]}, "whole numbers from 0"),
    "a boolean": ({"inputs": [tensor(ROWS, shape=[True, 4])]}, "whole numbers from 0"),
    "deep": ({"inputs": [tensor(ROWS, shape=[1] * 33)]}, "whole numbers from 0"),
    "too few": ({"inputs": [tensor(ROWS[0])]}, "4 values do not fill shape [2, 4]"),
    "huge": ({"inputs": [tensor([1], shape=[2**62, 2**62])]}, "1 values do not fill shape"),
    "huge and empty": ({"inputs": [tensor([], shape=[0, 2**62, 2**62])]}, "is no array's"),
    "other rows": ({"inputs": [tensor([*ROWS, ROWS[0]])]}, "3 rows, and shape [2, 4] has 2"),
    "ragged": ({"inputs": [tensor([[1, 2, 3, 4], [1, 2]])]}, "do not have shape [2, 4]"),
    "half nested": ({"inputs": [tensor([[1, 2, 3, 4], 1])]}, "do not have shape [2, 4]"),
    "data": ({"inputs": [tensor("x")]}, "'data': expected a list, got a string"),
    "BF16": ({"inputs": [tensor(ROWS, "BF16")]}, "BF16 has no form in JSON"),
    "no data": (
        {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64"}]},
        "input 'a': it has no 'data', and no 'binary_data_size'",
    ),
    "bytes without a header": (
        {"inputs": [in_bytes(np.zeros((2, 4)), "FP64")]},
        "'binary_data_size' is 64, and 0 bytes are left in the body",
    ),
    "both": (
        {"inputs": [tensor(ROWS, parameters={"binary_data_size": 0})]},
        "it has both 'data' and a 'binary_data_size'",
    ),
    "hint": (
        {"inputs": [tensor(ROWS, "BYTES", parameters={"content_type": "base64"})]},
        "input 'input': content_type 'base64' is not read here",
    ),
    "hint of all": (
        asked(parameters={"content_type": "hg_json"}),
        "content_type 'hg_json' is not read here",
    ),
    "shared memory": (
        {"inputs": [tensor(ROWS, parameters={"shared_memory_region": "r"})]},
        "shared memory is not read here",
    ),
    "parameters": ({"inputs": [tensor(ROWS, parameters=[])]}, "'parameters': expected an object"),
    "id": (asked(id=7), "'id': expected a string, got 7"),
    "half a character in id": (
        asked(id="\ud800"),
        "'id': it has a lone surrogate, and could not be echoed",
    ),
    "outputs": (asked(outputs={}), "'outputs': expected a list"),
    "no output": (asked(outputs=[1]), "outputs[0]: expected an object"),
    "output twice": (asked(outputs=[{"name": "score"}] * 2), "output 'score' is there twice"),
    "unknown output": (
        asked(outputs=[{"name": "score"}]),
        "unknown outputs ['score']: there are prediction, probabilities",
    ),
    "classification": (
        asked(outputs=wanted("prediction", classification=2)),
        "'prediction' has no value for each class: ask without classification",
    ),
    "classes": (
        asked(outputs=wanted("probabilities", classification=True)),
        "'classification': expected a whole number from 0, got a boolean",
    ),
    "shared output": (
        asked(outputs=wanted("probabilities", shared_memory_region="r")),
        "shared memory is not written here",
    ),
    "flag": (
        asked(parameters={"binary_data_output": 1}),
        "'binary_data_output': expected true or false, got 1",
    ),
    "all at once": (
        {
            "id": 7,
            "inputs": [tensor(ROWS, "FP31"), {"name": "a", "shape": [1], "datatype": "FP64"}],
            "outputs": 3,
        },
        "BF16, got 'FP31'; input 'a': it has no 'data', and no 'binary_data_size' in its "
        "'parameters'; 'id': expected a string, got 7; 'outputs': expected a list, got 3",
    ),
    "missing and unknown": (
        {"inputs": [{**tensor(ROWS), "name": "inputs"}]},
        "column 'input': missing input; column 'inputs': unknown input; did you mean 'input'?",
    ),
    "another shape": ({"inputs": [tensor([1], shape=[1])]}, "expected shape [n, 4], got [1]"),
    "no rows": ({"inputs": [tensor([], shape=[0, 4])]}, "expected at least one row"),
    "values": (
        {"inputs": [tensor([[1, None, "x", True], [300, 1, 2, 2.5]], "INT8")]},
        "row 0, column 'x1': missing value, and the model does not take one here; "
        "row 0, column 'x2': expected a whole number, got 'x'; "
        "row 0, column 'x3': expected a whole number, got true; "
        "row 1, column 'x0': 300 does not fit INT8; "
        "row 1, column 'x3': expected a whole number, got 2.5",
    ),
}


@pytest.mark.parametrize("fault", FORM_FAULTS)
def test_what_is_wrong_is_named(local: Client, fault: str) -> None:
    body, part = FORM_FAULTS[fault]

    answer = local.post(IRIS, body)

    assert answer.status == 400
    assert list(answer.json()) == ["error"]
    assert part in answer.json()["error"]


ARRAY = np.array(ROWS)
ENTRY = in_bytes(ARRAY, "FP64")


def strings(*pieces: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<I", length) + content for length, content in pieces)


def bytes_entry(content: bytes, shape: list[int]) -> dict[str, Any]:
    about = {"name": "input", "shape": shape, "datatype": "BYTES"}
    return {**about, "parameters": {"binary_data_size": len(content)}}


BYTE_FAULTS = {
    "too few bytes": (
        with_bytes({"inputs": [ENTRY]}, ARRAY.tobytes()[:-1]),
        "'binary_data_size' is 64, and 63 bytes are left in the body",
    ),
    "too many bytes": (
        with_bytes({"inputs": [ENTRY]}, ARRAY.tobytes(), b"x"),
        "1 bytes are left in the body behind the last binary input",
    ),
    "another size": (
        with_bytes({"inputs": [in_bytes(ARRAY, "FP32")]}, ARRAY.tobytes()),
        "shape [2, 4] of FP32 takes 32 bytes, and 'binary_data_size' is 64",
    ),
    "a huge shape": (
        with_bytes({"inputs": [{**ENTRY, "shape": [2**60, 2**60]}]}, ARRAY.tobytes()),
        "of FP64 takes",
    ),
    "a size that is none": (
        with_bytes(
            {
                "inputs": [
                    {**ENTRY, "parameters": {"binary_data_size": "64"}},
                    {**ENTRY, "name": "b"},
                ]
            },
            ARRAY.tobytes(),
        ),
        "from 0, got a string; input 'b': a wrong 'binary_data_size' before",
    ),
    "a negative size": (
        with_bytes({"inputs": [in_bytes(ARRAY, "FP64", size=-1)]}, ARRAY.tobytes()),
        "expected a whole number from 0, got -1",
    ),
    "no boolean": (
        with_bytes({"inputs": [in_bytes(np.full((1, 2), 2, "u1"), "BOOL")]}, b"\1\2"),
        "BOOL takes bytes of 0 and 1, got 2",
    ),
    "a header longer than the body": (
        with_bytes({"inputs": [ENTRY]}, length=10_000),
        f"{HEADER}: expected a whole number up to ",
    ),
    "a negative header": (with_bytes({}, length=-1), "got '-1'"),
    "a header that is no number": (with_bytes({}, length="²"), "expected a whole number"),
    "an endless header": (with_bytes({}, length="9" * 5000), "expected a whole number"),
    "a header that cuts the JSON": (with_bytes({"inputs": [ENTRY]}, length=20), "is not JSON"),
    "raw bytes that are no rows": ((b"x" * 33, {HEADER: "0"}), "expected rows of 32 bytes"),
    "a length that lies": (
        with_bytes({"inputs": [bytes_entry(b"x" * 8, [1])]}, strings((2**31, b"abcd"))),
        "the lengths before its strings do not end where its bytes do",
    ),
    "half a length": (
        with_bytes({"inputs": [bytes_entry(b"x" * 6, [2])]}, strings((1, b"a")), b"\1"),
        "the lengths before its strings do not end where its bytes do",
    ),
    "too few strings": (
        with_bytes({"inputs": [bytes_entry(b"x" * 5, [9**9])]}, strings((1, b"a"))),
        "its shape takes 387420489 strings, got 1",
    ),
    "too many strings": (
        with_bytes({"inputs": [bytes_entry(b"x" * 10, [1])]}, strings((1, b"a"), (1, b"b"))),
        "the lengths before its strings do not end where its bytes do",
    ),
    "no UTF-8": (
        with_bytes({"inputs": [bytes_entry(b"x" * 20, [1, 4])]}, strings(*[(1, b"\xff")] * 4)),
        "row 0, column 'x0': expected a string, got b'\\xff'",
    ),
}


@pytest.mark.parametrize("fault", BYTE_FAULTS)
def test_what_is_wrong_with_bytes_is_named(local: Client, fault: str) -> None:
    (body, headers), part = BYTE_FAULTS[fault]

    answer = local.post(IRIS, body, headers)

    assert answer.status == 400
    assert part in answer.json()["error"]


def test_the_bytes_of_a_wrong_entry_are_passed_over(local: Client) -> None:
    flags = {**in_bytes(np.zeros(2, "?"), "BOOL"), "name": "flags"}
    form = {"inputs": [{**ENTRY, "datatype": "FP31"}, flags, {**flags, "shape": [3]}]}

    answer = local.post(IRIS, *with_bytes(form, ARRAY.tobytes(), b"\0\1"))

    assert answer.json()["error"].split("; ")[1:] == ["input 'flags' is there twice"]


def test_only_so_many_problems_are_listed(local: Client) -> None:
    rows = [["x", 1, 1, 1]] * 23

    answer = local.post(IRIS, {"inputs": [tensor(rows, shape=[23, 4])]})

    told = answer.json()["error"].split("; ")
    assert told[0] == "row 0, column 'x0': expected a number, got 'x'"
    assert told[19:] == ["row 19, column 'x0': expected a number, got 'x'", "and 3 more problems"]


@pytest.fixture(scope="module")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labels at once, one of text, from an array of 32 bits."""
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 3)).astype(np.float32)
    y = np.stack(
        [np.array(["a", "b", "c"])[(X[:, 0] // 1).clip(-1, 1).astype(int)], X[:, 1] > 0], 1
    )
    model = MultiOutputClassifier(LogisticRegression()).fit(X, y.astype(str))
    return kept_builds({"pair": Source(model, X[:50])}, tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def pair(pair_folder: Path) -> Client:
    return client_of(app_of(pair_folder))


def test_the_metadata_say_32_bits_where_the_graph_computes_no_more(pair_folder: Path) -> None:
    manifest = json.loads((pair_folder / "pair" / "1" / "manifest.json").read_text())
    assert manifest["signature"]["outputs"][1]["type"] == "float32"
    manifest["signature"]["outputs"][1]["type"] = "float64"
    onnx = (pair_folder / "pair" / "1" / "model.onnx").read_bytes()

    model = Model("pair", 1, manifest, onnx)

    answered = model.run(validate_rows([[1, 2, 3]], model.signature))
    assert model.output_types == {"prediction": "string", "probabilities": "float32"}
    assert answered["probabilities"].dtype == np.float32


@pytest.mark.parametrize("binary", [False, True])
def test_several_outputs_lie_one_after_another(pair: Client, binary: bool) -> None:
    rows = [[0.5, 1.0, 0.0], [-2.0, -1.0, 3.0]]
    native = pair.post("/predict", {"instances": rows}).json()
    body = {
        "inputs": [tensor(rows, "FP32", [2, 3])],
        "parameters": {"binary_data_output": binary},
    }

    answer = pair.post("/v2/models/pair/infer", body)

    got = outputs_of(answer)
    assert got["prediction"] == native["prediction"]
    flat = [[p for part in row for p in part] for row in native["probabilities"]]
    np.testing.assert_array_equal(np.array(got["probabilities"], "f4"), np.array(flat, "f4"))
    length = int(answer.headers.get(HEADER.lower(), len(answer.body)))
    told = json.loads(answer.body[:length])["outputs"]
    metadata = pair.get("/v2/models/pair").json()["outputs"]
    assert [(o["name"], o["datatype"], [-1, *o["shape"][1:]]) for o in told] == [
        (o["name"], o["datatype"], o["shape"]) for o in metadata
    ]
    assert told[1]["parameters"]["classes_per_output"] == "3,2"


@pytest.mark.parametrize("output", ["prediction", "probabilities"])
def test_classes_of_several_outputs_are_not_ranked_together(pair: Client, output: str) -> None:
    answer = pair.post(
        "/v2/models/pair/infer",
        {
            "inputs": [tensor([[1, 2, 3]], shape=[1, 3])],
            "outputs": wanted(output, classification=1),
        },
    )

    assert answer.status == 400
    assert f"'{output}' has no value for each class" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("/v2/models/nope/infer", 404, "no model 'nope'. There are house-prices"),
        ("/v2/models/iris/versions/2/infer", 404, "no version 2 of model 'iris'"),
        ("/v2/models/iris/versions/x/infer", 404, "no version 'x'"),
        ("/v2/models/iris/generate", 404, "no route '/v2/models/iris/generate'; GET /openapi.json"),
        ("/v2/models/iris", 405, "expected GET, got POST"),
        (f"{IRIS}?on_error=null", 400, "'on_error' is not spoken in version 2"),
        ("/v2/repository/models/iris/load", 400, "not loaded and unloaded by request"),
        ("/v2/repository/models/iris/unload", 400, "not loaded and unloaded by request"),
    ],
)
def test_errors_have_the_form_of_the_protocol(
    client: Client, path: str, status: int, part: str
) -> None:
    answer = client.post(path, {"inputs": [tensor(ROWS)]})

    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert part in answer.json()["error"]


def test_rows_are_bounded_in_every_form(flask_client: Callable[..., Client]) -> None:
    client = flask_client(max_rows=1)

    for body, headers in (
        (json.dumps({"inputs": [tensor(ROWS)]}).encode(), {}),
        with_bytes({"inputs": [ENTRY]}, ARRAY.tobytes()),
        (ARRAY.tobytes(), {HEADER: "0"}),
    ):
        answer = client.post(IRIS, body, headers)
        assert answer.status == 413
        assert "at most 1 rows, got 2" in answer.json()["error"]


def test_an_empty_body(client: Client) -> None:
    answer = client.post(IRIS, b"")

    assert (answer.status, answer.json()) == (
        400,
        {"error": "the body is empty: expected an object with 'inputs'"},
    )


ABOUT = {
    "/v2": {
        "name": "onnxlet",
        "version": onnxlet.__version__,
        "extensions": [
            "binary_tensor_data",
            "classification",
            "model_repository",
            "parameters",
            "statistics",
        ],
    },
    "/v2/health/live": {"live": True},
    "/v2/health/ready": {"ready": True},
    "/v2/models": {"models": list(MODELS)},
    "/v2/models/iris/ready": {"name": "iris", "ready": True},
    "/v2/models/iris/versions/1/ready": {"name": "iris", "ready": True},
    "/v2/models/shop/versions/1": {
        "name": "shop",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "Preis (€)", "datatype": "FP64", "shape": [-1, 1]},
            {"name": "count", "datatype": "INT64", "shape": [-1, 1]},
            {"name": "new", "datatype": "BOOL", "shape": [-1, 1]},
            {"name": "色", "datatype": "BYTES", "shape": [-1, 1]},
            {"name": "note", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [
            {"name": "prediction", "datatype": "BOOL", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
        ],
        "parameters": {"classes": [False, True], "optional_inputs": ["note"]},
    },
}


@pytest.mark.parametrize("path", ABOUT)
def test_what_is_said_of_server_and_models(client: Client, path: str) -> None:
    answer = client.get(path)

    assert (answer.status, answer.json()) == (200, ABOUT[path])


@pytest.mark.parametrize("body", [b"", b'{"ready": true}'])
def test_the_repository_index(client: Client, body: bytes) -> None:
    answer = client.post("/v2/repository/index", body)

    assert (answer.status, answer.json()) == (
        200,
        [{"name": name, "version": "1", "state": "READY", "reason": ""} for name in MODELS],
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_metadata_say_what_is_answered(
    client: Client, sources: Mapping[str, Source], model: str
) -> None:
    told = client.get(f"/v2/models/{model}").json()["outputs"]

    answer = client.post(f"/v2/models/{model}/infer", {"inputs": inputs_of(sources[model], model)})

    rows = len(rows_of(sources[model]))
    given = [
        (each["name"], each["datatype"], [rows, *each["shape"][1:]])
        for each in answer.json()["outputs"]
    ]
    assert given == [(t["name"], t["datatype"], [rows, *t["shape"][1:]]) for t in told]


def test_statistics_count(flask_client: Callable[..., Client]) -> None:
    client = flask_client()
    nothing = client.get("/v2/models/iris/stats").json()["model_stats"][0]
    for _ in range(3):
        client.post(IRIS, {"inputs": [tensor(ROWS)]})
    client.post(IRIS, {"inputs": [tensor([["x"] * 4], "BYTES", [1, 4])]})

    [iris] = client.get("/v2/models/iris/versions/1/stats").json()["model_stats"]
    everything = client.get("/v2/models/stats").json()["model_stats"]

    assert nothing["inference_stats"]["success"] == {"count": 0, "ns": 0}
    assert [about["name"] for about in everything] == list(MODELS)
    assert iris in everything
    counted = {part: about["count"] for part, about in iris["inference_stats"].items()}
    assert counted == {
        "success": 3, "fail": 1, "queue": 3,
        "compute_input": 3, "compute_infer": 3, "compute_output": 3,
    }  # fmt: skip
    parts = iris["inference_stats"]
    in_all = sum(parts[p]["ns"] for p in ("compute_input", "compute_infer", "compute_output"))
    assert parts["success"]["ns"] == in_all > 0
    assert parts["fail"]["ns"] > 0
    assert (iris["inference_count"], iris["execution_count"]) == (6, 3)
    assert iris["last_inference"] > nothing["last_inference"] == 0


def test_the_version_is_the_project_s() -> None:
    """Where pyproject has the build look for it, in the way that it says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    told = project["tool"]["hatch"]["version"]
    assert project["project"]["dynamic"] == ["version"]
    [version] = re.findall(told["pattern"], (ROOT / told["path"]).read_text())
    assert version == onnxlet.__version__
