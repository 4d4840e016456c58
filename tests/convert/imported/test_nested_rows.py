"""Imported graphs whose rows are nested lists: every length, every protocol, nothing padded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from onnxlet.convert.build import Built
from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported import served_graph
from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, WrongUse
from onnxlet.function.messages import PredictRequest
from onnxlet.function.models.compatible import differences
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols.v2.outputs import AnswerOptions, reply_of
from onnxlet.function.serving.predict import predict
from tests.convert.helpers import invoked
from tests.convert.imported.importing import ask, client_of, imported, json_forms, predicted
from tests.convert.imported.onnx_files import model, node, save, value
from tests.convert.imported.sequences import detector, encoded, encoder, recogniser
from tests.convert.imported.test_trial import ADDS, FOR_EVER, loop

LENGTHS = (3, 1, 7, 3, 40, 7)
RANDOM = np.random.default_rng(0)
ROWS = [
    {"ids": RANDOM.integers(0, 50, n).tolist(), "mask": [1] * (n - n // 3) + [0] * (n // 3)}
    for n in LENGTHS
]
EXPECTED = [encoded(row["ids"], row["mask"]) for row in ROWS]


@pytest.fixture(scope="module")
def encoding(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return imported(tmp_path_factory.mktemp("encoder"), encoder())


@pytest.fixture(scope="module")
def client(encoding: Built) -> Any:
    return client_of(encoding)


def assert_close(got: Any, expected: Array) -> None:
    assert np.shape(got) == expected.shape
    assert np.allclose(got, expected, rtol=1e-5, atol=1e-6)


# a length that varies


def test_rows_of_any_length_are_answered_as_each_by_itself(client: Any) -> None:
    answer = ask(client, ROWS)

    for row, (mean, tokens) in enumerate(EXPECTED):
        assert_close(answer["prediction"][row], mean)
        assert_close(answer["tokens"][row], tokens)
        alone = ask(client, [ROWS[row]])
        assert_close(alone["tokens"][0], np.array(answer["tokens"][row]))


def test_the_signature_says_which_sizes_vary(encoding: Built, client: Any) -> None:
    signature = client.get("/models/net").get_json()["signature"]
    varies = {"type": "int64", "nullable": False, "cell": ["sequence"], "longest": 512}
    assert signature == {
        "inputs": [
            {"name": "ids", **varies, "shape": [-1, -1]},
            {"name": "mask", **varies, "shape": [-1, -1]},
        ],
        "outputs": [
            {"name": "prediction", "type": "float32", "shape": [-1, 4]},
            {"name": "tokens", "type": "float32", "shape": [-1, -1, 4]},
        ],
    }
    metadata = client.get("/v2/models/net").get_json()
    assert [entry["shape"] for entry in metadata["inputs"]] == [[-1, -1], [-1, -1]]
    assert differences(encoding.manifest, encoding.manifest) == []
    shorter = json.loads(json.dumps(encoding.manifest))
    shorter["signature"]["inputs"][0]["longest"] = 100
    shorter["signature"]["inputs"][1]["cell"] = [7]
    assert differences(encoding.manifest, shorter) == [
        "column 'ids': lists longer than 100 are refused now",
        "column 'mask': sequence becomes 7",
    ]


def same_length() -> tuple[Array, Array, list[int]]:
    rows = [row for row, length in enumerate(LENGTHS) if length == 7]
    return (
        np.array([ROWS[row]["ids"] for row in rows]),
        np.array([ROWS[row]["mask"] for row in rows]),
        rows,
    )


@pytest.mark.parametrize("binary", [False, True])
def test_v2_tensors_have_the_length_of_their_request(client: Any, binary: bool) -> None:
    ids, mask, rows = same_length()
    tensors = {"ids": ids.astype(np.int32 if binary else np.int64), "mask": mask.astype(np.uint8)}
    datatypes = {"ids": "INT32" if binary else "INT64", "mask": "UINT8"}
    inputs, tail = [], b""
    for name, array in tensors.items():
        entry: dict[str, Any] = {"name": name, "datatype": datatypes[name], "shape": [2, 7]}
        if binary:
            entry["parameters"] = {"binary_data_size": array.nbytes}
            tail += array.tobytes()
        else:
            entry["data"] = array.tolist()
        inputs.append(entry)
    head = json.dumps({"inputs": inputs}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))} if binary else {}
    answer = client.post("/v2/models/net/infer", data=head + tail, headers=length).get_json()

    mean, tokens = answer["outputs"]
    assert (mean["shape"], tokens["shape"]) == ([2, 4], [2, 7, 4])
    for position, row in enumerate(rows):
        assert_close(np.reshape(tokens["data"], (2, 7, 4))[position], EXPECTED[row][1])
        assert_close(np.reshape(mean["data"], (2, 4))[position], EXPECTED[row][0])


REQUESTS = json_forms({name: [row[name] for row in ROWS] for name in ("ids", "mask")})


@pytest.mark.parametrize("form", REQUESTS)
def test_every_form_of_request_takes_lists(client: Any, form: str) -> None:
    answers = predicted(client, *REQUESTS[form])
    for row, (mean, _) in enumerate(EXPECTED):
        assert_close(answers[row], mean)


def test_a_field_of_csv_holds_a_list_as_json(client: Any) -> None:
    lines = ["ids,mask", *(f'"{row["ids"]}","{row["mask"]}"' for row in ROWS)]
    answer = client.post("/predict", data="\n".join(lines), content_type="text/csv").get_json()

    for row, (mean, _) in enumerate(EXPECTED):
        assert_close(answer["prediction"][row], mean)


WRONG: dict[str, Any] = {
    "a bare text": (
        {"ids": "3", "mask": [1]},
        "ids",
        "expected lists of 1 to 512 values, got text",
    ),
    "an empty list": ({"ids": [], "mask": []}, "ids", "expected lists of 1 to 512 values, got 0"),
    "too long": (
        {"ids": [1] * 513, "mask": [1] * 513},
        "ids",
        "expected lists of 1 to 512 values, got 513",
    ),
    "too deep": ({"ids": [[1]], "mask": [1]}, "ids", "expected a whole number, got a list"),
    "another length": (
        {"ids": [1, 2], "mask": [1]},
        "mask",
        "expected 2 entries as 'ids' has (sequence), got 1",
    ),
    "no whole number": ({"ids": [1.5], "mask": [1]}, "ids", "expected a whole number, got 1.5"),
    "a boolean": ({"ids": [True], "mask": [1]}, "ids", "expected a whole number, got true"),
    "past 64 bits": ({"ids": [2**63], "mask": [1]}, "ids", "does not fit"),
    "nothing": (
        {"ids": [None], "mask": [1]},
        "ids",
        "a value is missing, and the model does not take one here",
    ),
    "null": ({"ids": None, "mask": [1]}, "ids", "missing"),
    "an object": ({"ids": {"a": 1}, "mask": [1]}, "ids", "expected lists of 1 to 512 values"),
    "outside the table": (
        {"ids": [50], "mask": [1]},
        None,
        "an index may lie outside its table",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_list_is_refused_with_its_row_and_column(client: Any, case: str) -> None:
    row, column, message = WRONG[case]
    got = client.post("/predict", json={"instances": [ROWS[0], row, ROWS[1]]})

    assert got.status_code == 422
    first = got.get_json()["errors"][0]
    assert (first["row"], first["column"]) == (1, column)
    assert message in first["detail"]

    kept = client.post("/predict?on_error=null", json={"instances": [ROWS[0], row, ROWS[1]]})
    answer = kept.get_json()
    assert answer["prediction"][1] is None
    assert_close(answer["prediction"][2], EXPECTED[1][0])


def test_whole_floats_are_whole_numbers_in_lists_too(client: Any) -> None:
    row = {"ids": [float(each) for each in ROWS[0]["ids"]], "mask": ROWS[0]["mask"]}
    answer = ask(client, [row])
    assert_close(answer["prediction"][0], EXPECTED[0][0])


def test_the_document_describes_the_lists(client: Any) -> None:
    document = client.get("/openapi.json").get_json()
    row = document["components"]["schemas"]["net.row"]
    ids = row["properties"]["ids"]
    assert (ids["type"], ids["minItems"], ids["maxItems"]) == ("array", 1, 512)
    assert ids["items"]["type"] == "integer"
    assert row["examples"] == [{"ids": [0, 0, 0], "mask": [0, 0, 0]}]
    assert client.post("/predict", json={"instances": row["examples"]}).status_code == 200


@pytest.mark.parametrize("name", ["sequence", "ids"])
def test_a_length_is_fixed_or_limited_by_its_name(tmp_path: Path, name: str) -> None:
    fixed = ["sequence=7"] if name == "sequence" else ["ids=1,7", "mask=1,7"]
    built = imported(tmp_path, encoder(), fixed)
    [first, *_] = built.manifest["signature"]["inputs"]
    assert [column["name"] for column in first["columns"]] == [f"ids[{n}]" for n in range(7)]

    limited = ["sequence=..9"] if name == "sequence" else ["ids=1,..9", "mask=1,..9"]
    built = imported(tmp_path / "limited", encoder(), limited)
    assert [entry["longest"] for entry in built.manifest["signature"]["inputs"]] == [9, 9]


def test_a_table_of_positions_ends_the_length(tmp_path: Path) -> None:
    built = imported(tmp_path, encoder(positions=100))
    assert [entry["longest"] for entry in built.manifest["signature"]["inputs"]] == [100, 100]


def test_a_sample_of_one_length_verifies_it(tmp_path: Path) -> None:
    ids, mask, rows = same_length()
    expected = {
        "mean": np.array([EXPECTED[row][0] for row in rows]),
        "tokens": np.array([EXPECTED[row][1] for row in rows]),
    }
    built = imported(tmp_path, encoder(), sample={"ids": ids, "mask": mask}, expected=expected)

    assert built.manifest["parity"]["state"] == "verified"
    assert built.manifest["statistics"]["columns"] == {}
    assert "background" not in built.manifest
    assert verify(built.directory)[1] == 2
    answer = client_of(built).post("/models/net/explain", json={"instances": [ROWS[0]]})
    assert answer.status_code == 409


def test_samples_whose_lengths_disagree_are_refused(tmp_path: Path) -> None:
    sample = {"ids": np.zeros((4, 3), np.int64), "mask": np.ones((4, 2), np.int64)}
    with pytest.raises(WrongUse, match=r"'mask': expected the shape \(rows, sequence\)"):
        imported(tmp_path, encoder(), sample=sample)


# free sizes without names


def test_free_sizes_are_named(tmp_path: Path) -> None:
    images = RANDOM.normal(size=(5, 3, 6, 8)).astype(np.float32)
    path = save(tmp_path, recogniser())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": images})[0]

    built = imported(tmp_path, recogniser(), ["x=1,3,6,8"], sample={"x": images})
    [entry] = built.manifest["signature"]["inputs"]
    assert (entry["shape"], len(entry["columns"])) == ([-1, 3, 6, 8], 144)
    flat = images.reshape(5, -1).tolist()
    answer = ask(built, flat)
    assert_close(answer["prediction"], expected)

    both = imported(tmp_path / "both", recogniser(), ["x=1,3,6,..64"])
    [entry] = both.manifest["signature"]["inputs"]
    assert (entry["cell"], entry["longest"]) == ([3, 6, "x.3"], 64)
    answer = ask(both, images.tolist())
    assert_close(answer["prediction"], expected)


def test_sizes_that_do_not_run_are_refused_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="does not run with made-up 1 rows") as caught:
        imported(tmp_path, recogniser(), ["x=1,3,2,2"])
    assert "--sample" in caught.value.hint


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("x", "expected NAME=SIZES, got 'x'"),
        ("x=", "expected NAME=SIZES, got 'x='"),
        ("x=0,3", "expected NAME=SIZES"),
        ("x=1,3", "'x' has 4 dimensions, got 2 sizes"),
        ("x=1,4,6,8", "'x': its dimension 1 is 3, got 4"),
        ("x=1,..3,6,8", "'x': its dimension 1 is 3, got ..3"),
        ("y=1,3,6,8", r"'y': expected the name of an input: x, or of a dimension: \?"),
    ],
)
def test_a_wrong_shape_is_wrong_use(tmp_path: Path, shape: str, message: str) -> None:
    with pytest.raises(WrongUse, match=message):
        imported(tmp_path, recogniser(), [shape])


def test_the_command_takes_shapes(tmp_path: Path) -> None:
    path = save(tmp_path, recogniser())
    given = ("import", path, "--name", "n", "--models", tmp_path / "m", "--shape")
    end = invoked(*given, "x=1,3,6,8")
    assert (end.exit_code, "[-1, 3, 6, 8]" in end.stdout) == (0, True), end.stderr
    wrong = invoked(*given, "x=a")
    assert (wrong.exit_code, "expected NAME=SIZES" in wrong.stderr) == (2, True)


# one row at a time


def test_a_batch_fixed_at_one_is_run_row_by_row(tmp_path: Path) -> None:
    images = RANDOM.normal(size=(4, 3, 40, 40)).astype(np.float32)
    path = save(tmp_path, detector())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    boxes, scores = map(
        np.concatenate,
        zip(*(session.run(None, {"image": images[n : n + 1]}) for n in range(4)), strict=True),
    )

    built = imported(
        tmp_path,
        detector(),
        sample={"image": images},
        expected={"boxes": boxes, "scores": scores},
    )
    assert built.manifest["graph"]["rows_at_once"] == 1
    assert built.manifest["parity"]["outputs"]["scores"]["allowed"] == 1e-5  # shares of one
    assert [output["shape"] for output in built.manifest["signature"]["outputs"]] == [
        [-1, 800, 4],
        [-1, 800, 1],
    ]
    client = client_of(built)
    answer = ask(client, images.tolist())
    assert_close(answer["prediction"], boxes)
    assert_close(answer["scores"], scores)
    flat = [{"image": image.ravel().tolist()} for image in images]
    assert ask(client, flat) == answer
    no_header = {"Inference-Header-Content-Length": "0"}
    raw = client.post("/v2/models/net/infer", data=images.tobytes(), headers=no_header).get_data()
    assert boxes.tobytes() in raw
    wrong = client.post("/predict", json={"instances": [images[0, :2].tolist()]})
    assert (
        wrong.get_json()["errors"][0]["detail"]
        == "expected lists of 3 by 40 by 40, got 2 by 40 by 40"
    )


def test_a_fixed_batch_that_is_no_single_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="has a fixed first dimension"):
        imported(tmp_path, detector(batch=2))


def test_answers_whose_size_depends_on_the_values_are_refused(tmp_path: Path) -> None:
    proto = model(
        [
            node("Greater", "x zero", "over"),
            node("Squeeze", "over first", "which"),
            node("Compress", "x which", "y", axis=1),
        ],
        [value("x", dims=(1, "n"))],
        [value("y", dims=(1, "k"))],
        {"zero": np.array(0, np.float32), "first": np.array([0])},
    )
    sample = {"x": np.array([[1, -1, 2], [1, 2, 3], [-1, -2, 3]], np.float32)}
    with pytest.raises(Refusal, match="output 'y' has another size for each row"):
        imported(tmp_path, proto, sample=sample)


def test_rows_of_a_sample_have_a_limit_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_graph, "PATIENCE", 1.0)
    monkeypatch.setattr(served_graph, "PATIENCE_A_ROW", 0.01)
    rows = {"x": np.ones((4, 3), np.float32), "turns": np.array([[1], [1], [1], [FOR_EVER]])}
    with pytest.raises(Refusal, match="4 rows are not answered within 1"):
        imported(tmp_path, loop(None, ADDS), sample=rows)


def test_answers_of_other_sizes_are_no_tensor(encoding: Built) -> None:
    model = load_model(encoding.directory)
    prediction = predict(model, PredictRequest(ROWS))
    with pytest.raises(MalformedRequest, match="'tokens' differs in size from row to row"):
        reply_of(prediction, AnswerOptions())
    reply_of(prediction, AnswerOptions(outputs={"prediction": (False, 0)}))
