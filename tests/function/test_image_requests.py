"""Images over every transport, and what is said of them: errors, descriptions, counts."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openapi_spec_validator import validate
from PIL import Image

from onnxlet.edge.reload.reloader import Reloader
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.aws import lambda_events, native_events, queue_events
from onnxlet.function.errors import InvalidRows, ModelError
from onnxlet.function.http.fast_path import App
from onnxlet.function.inputs.columns import Column, Encoded
from onnxlet.function.inputs.image_feed import ImageFeed
from onnxlet.function.inputs.images import pixels
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.example import IMAGE
from onnxlet.function.models.model import load_model
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring.watch import BLOCK_ROWS
from onnxlet.function.settings import Settings
from tests.events import CONTEXT, make_alb_event, make_sqs_event, make_v1_event, make_v2_event
from tests.function import every_protocol
from tests.function.image_models import SIZE, add_model, mean, picture, text

PHOTO, OTHER = picture(), picture(90, "JPEG")
ANSWERS = {"native": "prediction", "csv": "prediction"}  # else "predictions"
GREY = mean(base64.b64decode(IMAGE))
COLUMNS = "the model takes 2 columns: photo, price"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    add_model(folder, "photos")
    add_model(folder, "listings", ["price"])
    features = [
        {"column": "photo", "measure": measure, "edges": [edge], "counts": [20, 20], "missing": 0}
        for measure, edge in (("brightness", 64.0), ("contrast", 20.0))
    ]
    reference = {"source": "X", "rows": 40, "held_out": 40, "features": features, "left_out": []}
    add_model(folder, "watched", reference=reference)
    return folder


@pytest.fixture(scope="module")
def app(models: Path) -> App:
    return create_app(models, settings=Settings(models), log=lambda entry: None)


@pytest.fixture
def post(app: App) -> Any:
    def send(path: str, body: Any, media_type: str = "application/json", **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        answer = app.test_client().post(path, data=data, content_type=media_type, headers=headers)
        return answer

    return send


def numbers(answer: Any, protocol: str) -> Any:
    assert answer.status_code == 200, answer.text
    if protocol == "v2":
        return answer.json["outputs"][0]["data"]
    return answer.json[ANSWERS.get(protocol, "predictions")]


@pytest.mark.parametrize("form", ["base64", "data"])
@pytest.mark.parametrize("protocol", every_protocol.ERRORS)
def test_base64_in_every_protocol(post: Any, protocol: str, form: str) -> None:
    head = "data:image/png;base64," if form == "data" else ""
    cell = f'"{head}{text(PHOTO)}"' if protocol == "csv" else head + text(PHOTO)
    row = {"photo": cell, "price": 2.0}
    path, body, media_type = every_protocol.request(protocol, "listings", row)
    target = {"X-Amzn-SageMaker-Target-Model": "listings"}
    assert numbers(post(path, body, media_type, **target), protocol) == [mean(PHOTO) + 2]


@pytest.mark.parametrize("protocol", every_protocol.ERRORS)
def test_errors_name_the_row_and_the_column(post: Any, protocol: str) -> None:
    path, body, media_type = every_protocol.request(
        protocol, "listings", {"photo": text(SVG + b"secret"), "price": 2.0}
    )
    target = {"X-Amzn-SageMaker-Target-Model": "listings"}
    answer = post(path, body, media_type, **target)
    assert answer.status_code == (422 if protocol in ("native", "csv") else 400)
    said = answer.json[every_protocol.ERRORS[protocol]]
    expected = "row 0, column 'photo': expected PNG, JPEG, WebP, GIF, BMP or TIFF, got SVG"
    assert said.startswith(expected)
    assert text(b"secret")[:6] not in answer.text


def test_all_bad_images_of_a_request(post: Any) -> None:
    rows = [[text(c)] for c in (PHOTO, SVG, PHOTO, PHOTO[:50], b"", OTHER)]
    answer = post("/models/photos/predict", {"instances": [*rows, ["a.png"], [None]]})
    assert answer.status_code == 422
    assert [(each["row"], each["column"]) for each in answer.json["errors"]] == [
        (row, "photo") for row in (1, 4, 6, 7)
    ]  # by how they begin, since one is missing
    answer = post("/models/photos/predict", {"instances": [*rows, ["a.png"]]})
    assert [each["row"] for each in answer.json["errors"]] == [1, 3, 4, 6]
    answer = post("/models/photos/predict?on_error=null", {"instances": rows})
    assert answer.json["prediction"] == [
        mean(PHOTO), None, mean(PHOTO), None, None, mean(OTHER)
    ]  # fmt: skip


def test_rows_of_further_parts(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxlet.function.inputs.signature.PIXELS_AT_ONCE", 3 * 8 * 24)
    app = create_app(models, settings=Settings(models), log=lambda entry: None)
    assert app.extensions[SERVICE].repository.choose("photos").signature.rows_at_once == 3
    contents = [picture(seed) for seed in range(10)]
    rows = [[text(each)] for each in contents]
    client = app.test_client()
    answer = client.post("/models/photos/predict", json=rows)
    assert answer.json is not None
    assert answer.json["prediction"] == [mean(each) for each in contents]
    rows[4] = rows[8] = [text(PHOTO[:-30])]
    answer = client.post("/models/photos/predict", json=rows)
    assert [each["row"] for each in answer.json["errors"]] == [4, 8]  # type: ignore[index]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("path", ["/models/photos/predict", "/invocations"])
def test_an_image_as_the_body(post: Any, path: str, kind: str) -> None:
    content = picture(3, kind)
    target = {"X-Amzn-SageMaker-Target-Model": "photos"}
    answer = post(path, content, f"image/{kind.lower()}", **target)
    protocol = "native" if "photos" in path else "mlflow"
    assert numbers(answer, protocol) == [mean(content)]


def form(*files: bytes, **fields: str) -> tuple[bytes, str]:
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for number, content in enumerate(files):
        head = f'--b\r\nContent-Disposition: form-data; name="file{number}"; filename="ä.png"\r\n'
        parts.append(f"{head}Content-Type: image/svg+xml\r\n\r\n".encode() + content + b"\r\n")
    return b"".join([*parts, b"--b--\r\n"]), "multipart/form-data; boundary=b"


def noisy(side: int) -> bytes:
    colors = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(colors).save(file, "PNG")
    return file.getvalue()


def test_files_of_a_form(post: Any) -> None:
    expected = [mean(PHOTO), mean(OTHER)]
    assert numbers(post("/models/photos/predict", *form(PHOTO, OTHER)), "native") == expected
    assert numbers(post("/predict", *form(PHOTO, OTHER, model="photos")), "native") == expected
    answer = post("/invocations", *form(PHOTO, OTHER, model="photos"))
    assert numbers(answer, "mlflow") == expected
    large = [noisy(side) for side in (60, 200, 500)]  # of 11 to 750 kB: photos are as large
    answer = post("/models/photos/predict", *form(*large, PHOTO))
    assert numbers(answer, "native") == [*map(mean, large), mean(PHOTO)]
    answer = post("/models/photos/predict", *form(PHOTO, SVG))
    assert [each["row"] for each in answer.json["errors"]] == [1]
    answer = post("/models/photos/predict?on_error=null", *form(SVG, PHOTO))
    assert answer.json["prediction"] == [None, mean(PHOTO)]


@pytest.mark.parametrize("size", [9_000, 70_000, 1_000_000])
def test_large_files_of_a_form(post: Any, size: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()
    large = OTHER + noise  # bytes behind an image's end change nothing
    answer = post("/models/photos/predict", *form(large, PHOTO, large))
    assert numbers(answer, "native") == [mean(OTHER), mean(PHOTO), mean(OTHER)]


@pytest.mark.parametrize(
    ("path", "body", "status", "detail", "hint"),
    [
        ("listings", (PHOTO, "image/png"), 415, COLUMNS, "with the image of 'photo' in base64"),
        ("listings", form(PHOTO), 415, COLUMNS, "application/json"),
        ("photos", (PHOTO, "image/svg+xml"), 415, "+xml' is not read", "Send Content-Type"),
        ("photos", (b"", "image/png"), 400, "the body is empty", "the image's bytes"),
        ("photos", form(), 400, "expected a form of files, got none", "curl -F file=@FILE"),
        ("photos", form(PHOTO, extra="1"), 400, "got the fields ['extra']", "curl -F"),
        ("photos", (PHOTO, "multipart/form-data"), 400, "of its boundary", ""),
        ("photos", (PHOTO, "multipart/form-data; boundary=b"), 400, "of its boundary", ""),
        ("photos", (SVG, "image/png"), 422, "row 0, column 'photo': expected PNG", ""),
        ("photos", form(PHOTO, model="x" * 400_000), 413, "of other fields", "several requests"),
    ],
)  # fmt: skip
def test_refused_bodies(
    post: Any, path: str, body: tuple[bytes, str], status: int, detail: str, hint: str
) -> None:
    answer = post(f"/models/{path}/predict", *body)
    assert (answer.status_code, detail in answer.json["detail"]) == (status, True), answer.json
    assert hint in answer.json.get("hint", "")


def test_limits(models: Path) -> None:
    settings = Settings(models, max_rows=2, max_pixels=95)
    client = create_app(models, settings=settings, log=lambda entry: None).test_client()
    body, media_type = form(PHOTO, PHOTO, PHOTO)
    answer = client.post("/models/photos/predict", data=body, content_type=media_type)
    assert (answer.status_code, answer.json["title"]) == (413, "Content Too Large")  # type: ignore[index]
    answer = client.post("/models/photos/predict", data=PHOTO, content_type="image/png")
    assert answer.json["errors"] == [  # type: ignore[index]
        {
            "row": 0,
            "column": "photo",
            "detail": "the image is 12 x 8 pixels, and 95 in all are the most (ONNXLET_MAX_PIXELS)",
        }
    ]


def test_limits_hold_for_a_version_that_comes_later(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unproven = "onnxlet.edge.reload.reloader.load_proven"
    monkeypatch.setattr(unproven, lambda *given: (load_model(*given), 0, []))
    shutil.copytree(models / "photos", tmp_path / "photos")
    repository = Repository(tmp_path, max_pixels=95)
    reloader = Reloader(repository)
    shutil.copytree(models / "photos" / "1", tmp_path / "photos" / "2")
    for _ in range(2):
        reloader.refresh()
    model = repository.choose("photos")
    assert model.version == 2
    assert [images.most for images in model.signature.image_feeds] == [95]


def v2(post: Any, *cells: bytes, shape: list[int] | None = None) -> Any:
    """Elements of a binary BYTES tensor."""
    tail = b"".join(struct.pack("<I", len(cell)) + cell for cell in cells)
    entry = {
        "name": "photo",
        "datatype": "BYTES",
        "shape": shape or [len(cells), 1],
        "parameters": {"binary_data_size": len(tail)},
    }
    header = json.dumps({"inputs": [entry]}).encode()
    length = {"Inference-Header-Content-Length": str(len(header))}
    return post("/v2/models/photos/infer", header + tail, "application/octet-stream", **length)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_bytes_in_v2(post: Any, kind: str) -> None:
    content = picture(5, kind)
    answer = v2(post, content, text(OTHER).encode())
    assert numbers(answer, "v2") == [mean(content), mean(OTHER)]
    assert numbers(v2(post, content, shape=[1]), "v2") == [mean(content)]
    raw = post("/v2/models/photos/infer", content, "", **{"Inference-Header-Content-Length": "0"})
    assert raw.status_code == 200
    found = np.frombuffer(raw.data[int(raw.headers["Inference-Header-Content-Length"]) :], "<f8")
    assert found.tolist() == [mean(content)]
    refused = v2(post, b"\xff\xd8\xff", b"\0")
    assert refused.status_code == 400
    assert "row 0, column 'photo'" in refused.json["error"]
    assert "row 1, column 'photo'" in refused.json["error"]


def test_base64_that_is_no_text() -> None:
    """A column of text takes no bytes of an image, whatever else it takes in base64."""
    signature = Signature([Column("a", "string")], [], [_fed("a")])
    with pytest.raises(InvalidRows) as raised:
        validate_rows([{"a": "x"}, {"a": Encoded("/w==")}], signature)
    said = "row 1, column 'a': 'b64': expected base64 of UTF-8 text, got '/w=='"
    assert str(raised.value) == said
    table = validate_rows([{"a": Encoded(text(b"a\0b"))}], signature)
    assert table.arrays[0].tolist() == [["a\0b"]]


def _fed(name: str) -> dict[str, Any]:
    return {"name": name, "dtype": "string", "columns": [name]}


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_b64_in_v1(post: Any, kind: str) -> None:
    content = picture(6, kind)
    cell = {"b64": text(content)}
    path = "/v1/models/photos:predict"
    expected = [mean(content)] * 2
    for body in (
        {"instances": [cell, cell]},
        {"instances": [{"photo": cell}, [cell]]},
        {"inputs": {"photo": [cell, cell]}},
        {"inputs": [cell, {"b64": text(text(content).encode())}]},  # base64 as text, too
    ):
        answer = post(path, body)
        assert answer.json.get("predictions", answer.json.get("outputs")) == expected
    refused = post(path, {"instances": [cell, {"b64": text(b"\xff")}]})
    assert refused.status_code == 400
    assert "row 1, column 'photo': expected PNG" in refused.json["error"]


def event(way: str, path: str, content: bytes, media_type: str) -> Any:
    make: Any = {"v2": make_v2_event, "v1": make_v1_event, "alb": make_alb_event}[way]
    headers = {"content-type": media_type}
    return make(method="POST", path=path, headers=headers, body=content, binary=True)


@pytest.mark.parametrize("way", ["v2", "v1", "alb"])
def test_binary_bodies_of_lambda(app: App, way: str) -> None:
    sent = event(way, "/models/photos/predict", PHOTO, "image/png")
    answer = lambda_events.respond(app, sent, CONTEXT, lambda entry: None)
    assert json.loads(answer["body"])["prediction"] == [mean(PHOTO)]
    body, media_type = form(PHOTO, OTHER)
    sent = event(way, "/models/photos/predict", body, media_type)
    answer = lambda_events.respond(app, sent, CONTEXT, lambda entry: None)
    assert json.loads(answer["body"])["prediction"] == [mean(PHOTO), mean(OTHER)]


def test_direct_invocations_and_queues(app: App) -> None:
    service = app.extensions[SERVICE]
    body = {"model": "photos", "instances": [[text(PHOTO)], {"photo": text(SVG)}]}
    refused = native_events.invoke(service, body, CONTEXT, lambda entry: None)
    assert [(e["row"], e["column"]) for e in refused["errors"]] == [(1, "photo")]
    body["instances"].pop()  # type: ignore[attr-defined]
    answer = native_events.invoke(service, body, CONTEXT, lambda entry: None)
    assert answer["prediction"] == [mean(PHOTO)]
    sent: list[Any] = []
    records = make_sqs_event([json.dumps(body)])["Records"]

    def send(entries: Any) -> Any:
        sent.extend(entries)
        return []

    queue_events.answer_batch(records, service, send, False, lambda entry: None, 60)
    assert str(mean(PHOTO)) in json.dumps(sent, default=str)


@pytest.mark.long
def test_a_model_is_described(app: App, post: Any) -> None:
    client = app.test_client()
    about = client.get("/models/photos").json
    assert about is not None
    size = {key: SIZE[key] for key in ("height", "width", "mode")}
    image = {"name": "photo", "type": "image", "shape": [-1, 1], "image": size}
    assert about["signature"]["inputs"] == [image]
    assert about["typical"] == {"photo": {"example": IMAGE}}
    assert client.get("/v1/models/photos/metadata").status_code == 200
    assert client.get("/v2/models/photos").json["inputs"][0]["datatype"] == "BYTES"  # type: ignore[index]
    document = client.get("/openapi.json").json
    assert document is not None
    validate(document)
    contents = document["paths"]["/models/photos/predict"]["post"]["requestBody"]["content"]
    assert {"image/png", "image/tiff", "multipart/form-data"} < contents.keys()
    example = contents["application/json"]["example"]
    assert post("/models/photos/predict", example).json["prediction"] == [GREY]
    column = document["components"]["schemas"]["photos.row"]["properties"]["photo"]
    assert (column["contentEncoding"], column["contentMediaType"]) == ("base64", "image/png")
    other = document["paths"]["/models/listings/predict"]["post"]["requestBody"]["content"]
    assert other.keys() == {"application/json", "text/csv"}
    csv = contents["text/csv"]["example"].encode()
    assert numbers(post("/models/photos/predict", csv, "text/csv"), "csv") == [GREY]


def test_brightness_and_contrast_are_counted(models: Path) -> None:
    app = create_app(models, settings=Settings(models), log=lambda entry: None)
    client = app.test_client()
    rows = [[IMAGE]] * (BLOCK_ROWS - 8) + [[text(PHOTO)]] * 8 + [[text(SVG)]]
    answer = client.post("/models/watched/predict?on_error=null", json={"instances": rows})
    assert answer.status_code == 200
    watch = app.extensions[SERVICE].watches.of(app.extensions[SERVICE].repository.choose("watched"))
    figures = watch.figures()
    assert mean(PHOTO) < 64 < GREY  # and of one grey there is no contrast; third is missing
    assert figures.total.counts.tolist() == [8, BLOCK_ROWS - 8, 0, BLOCK_ROWS - 8, 8, 0]
    assert sum(figures.refused.values()) == 1


def test_without_pillow(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.PngImagePlugin", None)
    with pytest.raises(ModelError) as raised:
        load_model(models / "photos" / "1")
    expected = "model photos/1: it does not load: Pillow is needed for column 'photo'"
    assert raised.value.message.startswith(expected)


def test_layouts(models: Path) -> None:
    blocks = [np.array([[text(PHOTO)], [text(OTHER)]], object)]
    size = {"height": 3, "width": 5, "mode": "RGB", "resize": "box"}
    plain = np.stack([pixels(each, 3, 5, "RGB", "box") for each in (PHOTO, OTHER)])

    def fed(dtype: str, **more: Any) -> Any:
        entry = {"name": "x", "dtype": dtype, "columns": ["photo"], "image": size | more}
        return ImageFeed(entry, (0, 0)).gather(blocks)

    assert np.array_equal(fed("uint8"), plain.reshape(2, -1))
    assert np.array_equal(fed("uint8", layout="NHWC"), plain)
    assert np.array_equal(fed("float32", layout="NCHW"), np.moveaxis(plain, 3, 1).astype("f4"))
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    found = fed("float32", scale=1 / 255, mean=mean, std=std, layout="NCHW")
    exact = (plain / 255 - mean) / std
    assert found.dtype == np.float32
    assert np.abs(found - np.moveaxis(exact, 3, 1)).max() < 1e-5
    last = fed("float32", scale=1 / 255, mean=mean, std=std, layout="NHWC")
    assert np.array_equal(last, np.moveaxis(found, 1, 3))
    assert last.flags.c_contiguous
    assert np.array_equal(fed("float32", scale=1 / 255, mean=mean, std=std), last.reshape(2, -1))
    assert np.array_equal(fed("float32", std=2.0), plain.reshape(2, -1).astype("f4") / 2)
