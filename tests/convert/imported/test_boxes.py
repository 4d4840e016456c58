"""`--boxes`: a detector made by hand, from a photo to objects in its pixels, in every protocol."""

from __future__ import annotations

import base64
import csv
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.settings import parse
from onnxlet.function.app import SERVICE
from onnxlet.function.arrays import Array
from onnxlet.function.aws import native_events, queue_events
from onnxlet.function.errors import WrongUse
from tests.convert.helpers import invoked
from tests.convert.imported import photos
from tests.convert.imported.importing import ask, client_of, imported, json_forms, predicted
from tests.convert.imported.onnx_files import FLOAT, INT64, model, node, save, value
from tests.convert.imported.photos import encoded, picture, predictions, seen, text
from tests.convert.imported.plain_boxes import best
from tests.events import CONTEXT, make_sqs_event

HEIGHT, WIDTH, BOXES, CLASSES = 12, 16, 40, 3
LABELS = ("cat", "dog", "cow")
RANDOM = np.random.default_rng(0)
FIRST = RANDOM.uniform(0, 0.6, (1, BOXES, 2))
CORNERS = np.concatenate([FIRST, FIRST + RANDOM.uniform(0.1, 0.4, FIRST.shape)], axis=2)
WEIGHTS = RANDOM.uniform(0, 2, (1, BOXES, CLASSES)).astype(np.float32)
PHOTOS = [picture(64, 48), picture(30, 40, 1), picture(16, 12, 2), Image.new("RGB", (20, 20))]
OPTION = f"boxes,scores,score=0.9,overlap=0.4,most=20,labels={':'.join(LABELS)}"


def detector(batch: Any = "batch") -> onnx.ModelProto:
    """Boxes that are the same in each picture, with scores by how red it is."""
    nodes = [
        node("ReduceMean", "x", "red", axes=[2, 3], keepdims=1),  # (rows, 1, 1, 1)
        node("Reshape", "red rows", "red3"),
        node("Mul", "red3 weights", "scores"),
        node("Mul", "red3 zero", "nothing"),
        node("Add", "nothing corners", "boxes"),
        node("Identity", "red3", "redness"),
    ]
    outputs = [
        value("redness", FLOAT, (batch, 1, 1)),
        value("boxes", FLOAT, (batch, BOXES, 4)),
        value("scores", FLOAT, (batch, BOXES, CLASSES)),
    ]
    constants = {
        "rows": np.array([-1, 1, 1]),
        "weights": WEIGHTS,
        "zero": np.zeros((1, 1, 1), np.float32),
        "corners": CORNERS.astype(np.float32),
    }
    inputs = [value("x", FLOAT, (batch, 1, HEIGHT, WIDTH))]
    return model(nodes, inputs, outputs, constants)


IMAGE = f"x={HEIGHT}x{WIDTH},mode=L,scale=1/255"


def redness(image: Image.Image) -> float:
    return float(seen(image.convert("L"), HEIGHT, WIDTH).mean()) / 255


def expected(image: Image.Image) -> list[dict[str, Any]]:
    """The boxes of a picture by plain Python, in its own pixels."""
    found = best(CORNERS[0], WEIGHTS[0] * redness(image), 0.9, 20, 0.4)
    width, height = image.size
    return [
        {
            "label": LABELS[kind], "score": score,
            "x": x1 * width, "y": y1 * height,
            "width": (x2 - x1) * width, "height": (y2 - y1) * height,
        }
        for (x1, y1, x2, y2), score, kind in found
    ]  # fmt: skip


def check(got: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert [each["label"] for each in got] == [each["label"] for each in wanted]
    for a, b in zip(got, wanted, strict=True):
        assert a.keys() == b.keys()
        assert all(abs(a[key] - b[key]) < 1e-3 for key in a if key != "label"), (a, b)


@pytest.mark.parametrize("batch", ["batch", 1])
def test_photos_of_other_sizes_have_boxes_in_their_own_pixels(tmp_path: Path, batch: Any) -> None:
    built = imported(tmp_path, detector(batch), images=[IMAGE], boxes=OPTION)

    got = predictions(tmp_path, [text(each) for each in PHOTOS])

    for row, image in zip(got, PHOTOS, strict=True):
        check(row, expected(image))
    assert len({len(row) for row in got[:3]}) > 1
    assert got[3] == []
    assert built.manifest["signature"]["outputs"] == [
        {"name": "prediction", "type": "boxes", "shape": [-1]}
    ]
    assert built.manifest["graph"]["back_end"] == {
        "prediction": {"step": "boxes", "image": "x", "labels": list(LABELS)}
    }
    assert verify(built.directory)[1] == 3


def test_a_photo_is_answered_as_it_is_seen(tmp_path: Path) -> None:
    imported(tmp_path, detector(), images=[IMAGE], boxes=OPTION)
    turned = PHOTOS[0].transpose(Image.Transpose.ROTATE_90)

    [got] = predictions(tmp_path, [text(turned, orientation=6)])

    check(got, expected(PHOTOS[0]))


# every protocol


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("detector")
    imported(folder, detector(), images=[IMAGE], boxes=OPTION)
    return client_of(folder)


ROWS = [text(each) for each in PHOTOS]


@pytest.fixture(scope="module")
def native(served: Any) -> Any:
    return ask(served, [[row] for row in ROWS])["prediction"]


def test_v1_mlflow_and_sagemaker_have_the_native_form(served: Any, native: Any) -> None:
    for path, body in json_forms({"x": ROWS}).values():
        assert predicted(served, path, body) == native
    encoded_rows = {"instances": [{"x": {"b64": row}} for row in ROWS]}
    assert predicted(served, "/v1/models/net:predict", encoded_rows) == native


def test_csv_has_a_field_of_json(served: Any, native: Any) -> None:
    got = served.post(
        "/invocations",
        json={"instances": [[row] for row in ROWS]},
        headers={"Accept": "text/csv"},
    ).get_data(as_text=True)

    assert [json.loads(line[0]) for line in csv.reader(got.splitlines())] == native


def test_a_row_that_is_no_picture_is_null_and_the_others_are_answered(
    served: Any, native: Any
) -> None:
    body = {"instances": [[ROWS[0]], ["bm8="], [ROWS[1]]]}

    got = served.post("/predict?on_error=null", json=body).get_json()

    assert got["prediction"] == [native[0], None, native[1]]
    assert [error["row"] for error in got["errors"]] == [1]


def test_bad_pictures_in_several_parts_shift_no_boxes(
    served: Any, native: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some are refused by their first bytes, some only when they are decoded."""
    signature = served.application.extensions[SERVICE].repository.choose("net").signature
    monkeypatch.setattr(signature, "rows_at_once", 2)
    cut_off = base64.b64encode(encoded(PHOTOS[0])[:-30]).decode()
    cells = [cell for row in ROWS for cell in (cut_off, row, "bm8=", row)]

    got = served.post("/predict?on_error=null", json={"instances": [[c] for c in cells]}).get_json()

    assert got["prediction"] == [boxes for each in native for boxes in (None, each, None, each)]
    assert [error["row"] for error in got["errors"]] == list(range(0, len(cells), 2))


def test_v2_has_the_json_text_of_each_row(served: Any, native: Any) -> None:
    tensor = {"name": "x", "datatype": "BYTES", "shape": [len(ROWS)], "data": ROWS}

    [output] = served.post("/v2/models/net/infer", json={"inputs": [tensor]}).get_json()["outputs"]

    assert (output["datatype"], output["shape"]) == ("BYTES", [len(ROWS)])
    assert list(map(json.loads, output["data"])) == native


def test_v2_has_it_in_bytes(served: Any, native: Any) -> None:
    data = b"".join(struct.pack("<I", len(encoded(p))) + encoded(p) for p in PHOTOS)
    parameters = {"binary_data_size": len(data)}
    tensor = {"name": "x", "datatype": "BYTES", "shape": [len(ROWS)], "parameters": parameters}
    form = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    name = "Inference-Header-Content-Length"

    got = served.post("/v2/models/net/infer", data=form + data, headers={name: str(len(form))})

    content, texts = got.get_data()[int(got.headers[name]) :], []
    while content:
        [length] = struct.unpack_from("<I", content)
        texts.append(json.loads(content[4 : 4 + length]))
        content = content[4 + length :]
    assert texts == native


def test_invocations_and_queues_have_the_native_form(served: Any, native: Any) -> None:
    service = served.application.extensions[SERVICE]
    body = {"instances": [[row] for row in ROWS]}

    got = native_events.invoke(service, body, CONTEXT, lambda entry: None)

    assert got["prediction"] == native
    sent: list[Any] = []

    def send(entries: Any) -> Any:
        sent.extend(entries)
        return []

    records = make_sqs_event([json.dumps(body)])["Records"]
    queue_events.answer_batch(records, service, send, False, lambda entry: None, 60)
    assert json.dumps(json.dumps(native[0][0]["label"]))[1:-1] in json.dumps(sent, default=str)


def test_the_picture_itself_is_a_request(served: Any, native: Any) -> None:
    got = served.post("/predict", data=encoded(PHOTOS[1]), content_type="image/png").get_json()

    assert got["prediction"] == [native[1]]


def test_boxes_are_described(served: Any) -> None:
    described = served.get("/openapi.json").get_json()["components"]["schemas"]["net.answer"]
    row = described["properties"]["prediction"]["items"]
    assert "label" in json.dumps(row)
    [tensor] = served.get("/v2/models/net").get_json()["outputs"]
    assert tensor == {"name": "prediction", "datatype": "BYTES", "shape": [-1]}
    about = served.get("/v1/models/net/metadata").get_json()["metadata"]["signature_def"]
    defined = about["signature_def"]["serving_default"]
    assert defined["outputs"]["prediction"]["dtype"] == "DT_STRING"


# what is compared


def raw(images: list[Image.Image]) -> tuple[Array, Array]:
    shares = np.array([redness(each) for each in images]).reshape(-1, 1, 1)
    return np.repeat(CORNERS, len(images), axis=0), WEIGHTS * shares


@pytest.mark.parametrize("tensors", [False, True])
def test_the_graph_is_compared_before_boxes_are_chosen(tmp_path: Path, tensors: bool) -> None:
    some = [picture(40, 30, seed) for seed in range(25)]
    if tensors:
        values = [seen(each.convert("L"), HEIGHT, WIDTH)[np.newaxis] / 255 for each in some]
        sample: Any = {"x": np.array(values, np.float32)}
    else:
        sample = photos.folder_of(tmp_path / "photos", some)
    corners, scores = raw(some)
    right = {"boxes": corners.astype(np.float32), "scores": scores.astype(np.float32)}
    options = {"images": [IMAGE], "boxes": OPTION, "sample": sample}

    built = imported(tmp_path, detector(), **options, expected=right)

    parity = built.manifest["parity"]
    assert (parity["state"], parity["held_out_rows"]) == ("verified", 25)
    assert set(parity["outputs"]) == {"boxes", "scores"}
    golden = json.loads((built.directory / "golden.json").read_bytes())
    assert golden["floors"] == {"prediction": [64, 60, 96] if tensors else [40] * 24}
    if not tensors:
        for [cell], row in zip(golden["instances"], golden["answers"]["prediction"], strict=True):
            image = Image.open(io.BytesIO(base64.b64decode(cell)))
            check(row, expected(image))
        assert built.manifest["reference"]["left_out"] == ["prediction"]
        assert "background.json" not in built.manifest["files"]
        body = {"instances": golden["instances"][:1]}
        refused = client_of(tmp_path).post("/models/net/explain", json=body)
        assert refused.status_code == 409
        detail = refused.get_json(force=True)["detail"]
        assert detail == "model net/1 answers boxes: there is no number to explain"
    wrong = right | {"scores": right["scores"] + 0.01}
    with pytest.raises(Refusal, match="scores"):
        imported(tmp_path, detector(), **options, expected=wrong)


def test_a_graph_that_answers_one_picture_is_run_one_by_one(tmp_path: Path) -> None:
    """As torchvision's detectors: an input without rows, as many boxes as were found, labels."""
    nodes = [
        node("ReduceMean", "x", "red", keepdims=0),
        node("Mul", "red weights", "all"),
        node("Greater", "all least", "good"),
        node("Compress", "all good", "scores", axis=0),
        node("Compress", "corners good", "boxes", axis=0),
        node("Compress", "kinds good", "labels", axis=0),
    ]
    constants = {
        "weights": WEIGHTS[0, :, 0],
        "least": np.array(0.3, np.float32),
        "corners": (CORNERS[0] * [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32),
        "kinds": np.arange(BOXES) % 3,
    }
    outputs = [value("boxes", FLOAT, (None, 4)), value("labels", INT64, (None,))]
    outputs.append(value("scores", FLOAT, (None,)))
    proto = model(nodes, [value("x", FLOAT, (3, HEIGHT, WIDTH))], outputs, constants)
    image = f"x={HEIGHT}x{WIDTH},scale=1/255"
    sample = photos.folder_of(tmp_path / "photos", PHOTOS)
    options: dict[str, Any] = {
        "images": [image], "boxes": "boxes,scores,labels,units=pixels,score=0.4", "sample": sample,
    }  # fmt: skip

    built = imported(tmp_path, proto, **options)

    got = predictions(tmp_path, ROWS)
    for row, photo in zip(got, PHOTOS, strict=True):
        share = seen(photo, HEIGHT, WIDTH).mean() / 255
        scores = WEIGHTS[0, :, 0] * share
        order = [n for n in np.argsort(-scores, kind="stable").tolist() if scores[n] > 0.4]
        assert [each["label"] for each in row] == [str(n % 3) for n in order]
        width, height = photo.size
        sides = [[each["x"] / width, each["y"] / height] for each in row]
        assert np.allclose(np.reshape(sides, (-1, 2)), CORNERS[0][order][:, :2], atol=1e-5)
    assert [len(row) for row in got][3] == 0 < len(got[0])
    assert built.manifest["graph"]["rows_at_once"] == 1
    assert verify(built.directory)[1] == 4
    with pytest.raises(WrongUse, match="as many boxes as it finds"):
        imported(tmp_path, proto, **options, expected={"scores": [1]})


# mistakes


def test_all_mistakes_are_said_at_once() -> None:
    wrong = "b,format=abc,units=cm,score=2,overlap=x,most=0,labels=none.txt,activation=tanh,odd=1"

    with pytest.raises(WrongUse) as caught:
        parse(wrong)

    assert caught.value.message == (
        "--boxes: format: expected one of xyxy, yxyx, xywh, cxcywh, got 'abc'; "
        "units: expected one of relative, pixels, got 'cm'; "
        "score: expected a number from 0 to 1, got '2'; "
        "overlap: expected a number from 0 to 1, got 'x'; "
        "most: expected a whole number from 1 to 1000, got '0'; "
        "labels: expected a file of labels, one a line, got 'none.txt'; "
        "activation: expected one of sigmoid, softmax, got 'tanh'; "
        "'odd': expected one of format, columns, units, score, overlap, most, labels, "
        "activation, background; "
        "expected the outputs BOXES,SCORES or BOXES,SCORES,LABELS, or one with columns=…, got b"
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("a,b,columns=x1:y1:x2:y2:score", "with columns: expected one output, got 2: a, b"),
        ("a,columns=x1:y1:x2:score", "columns: expected x1:y1:x2:y2, or y1:x1:y2:x2, or "
         "x:y:width:height, or cx:cy:width:height, and beside these score, objectness, label, "
         "classes, _, got 'x1:y1:x2:score'"),
        ("a,columns=x1:y1:x2:y2:classes:score", "columns: expected each column once, and score "
         "or, as the last one, classes, got 'x1:y1:x2:y2:classes:score'"),
        ("a,b,c,overlap=0.5", "overlap: a graph that answers labels has suppressed overlapping "
         "boxes itself"),
        ("a,b,c,background=first", "background: only where there is a score for each class"),
        ("a,columns=x1:y1:x2:y2:score,format=xyxy", "format: columns=… say it already"),
        ("a,a", "an output is there twice"),
    ],
)  # fmt: skip
def test_parts_that_do_not_agree_are_refused(option: str, message: str) -> None:
    with pytest.raises(WrongUse) as caught:
        parse(option)

    assert caught.value.message == f"--boxes: {message}"


def test_boxes_need_a_picture_and_outputs_of_the_graph(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="expected one input that takes pictures, got 0"):
        imported(tmp_path, detector(), boxes=OPTION)
    with pytest.raises(WrongUse, match="outputs of the graph: redness, boxes, scores; got box"):
        imported(tmp_path, detector(), images=[IMAGE], boxes="box,scores")


@pytest.mark.parametrize(
    ("option", "expected", "got"),
    [("labels=a:b", 3, 2), ("labels=a:b:c:d", 3, 4), ("background=last,labels=a:b:c", 2, 3)],
)
def test_labels_are_as_many_as_the_classes(
    tmp_path: Path, option: str, expected: int, got: int
) -> None:
    with pytest.raises(Refusal) as caught:
        imported(tmp_path, detector(), images=[IMAGE], boxes=f"boxes,scores,{option}")

    assert caught.value.message == (
        f"--boxes: labels: expected {expected}, one for each class of 'scores', got {got}"
    )


def test_labels_are_the_lines_of_a_file_and_the_command_takes_them(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("cat, small\ndog\nbird\n", encoding="utf-8")
    path = save(tmp_path, detector())
    command = ("import", path, "--name", "net", "--models", tmp_path / "models")

    ran = invoked(*command, "--image", IMAGE, "--boxes", f"boxes,scores,labels={labels}")

    assert ran.exit_code == 0, ran.output
    assert "output 'redness' is left out: boxes are the answer" in ran.output
    assert "output      prediction: boxes [-1]" in ran.output
    found = {each["label"] for each in predictions(tmp_path, ROWS[:1])[0]}
    assert found == {"cat, small", "dog", "bird"}
