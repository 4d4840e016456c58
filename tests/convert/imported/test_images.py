"""`--image`: graphs of numbers that are answered from photos, against Pillow and NumPy."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.imported.images import parse
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse
from tests.convert.helpers import invoked
from tests.convert.imported import photos
from tests.convert.imported.importing import ask, client_of, imported
from tests.convert.imported.onnx_files import (
    DOUBLE,
    FLOAT,
    HALF,
    INT64,
    UINT8,
    node,
    save,
    value,
)
from tests.convert.imported.onnx_files import model as graph
from tests.convert.imported.photos import classifier, picture, predictions, seen, text

NCHW, NHWC = (("batch", 3, 12, 16), (2, 3)), (("batch", 12, 16, 3), (1, 2))
PHOTOS = [picture(40, 30), picture(16, 12, 1), picture(9, 31, 2)]
NORMAL = "scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def means(change: Any = lambda pixels: pixels) -> Array:
    return np.array([change(seen(each, 12, 16)).mean(axis=(0, 1)) for each in PHOTOS])


@pytest.mark.parametrize("form", [NCHW, NHWC], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("element", [FLOAT, HALF, DOUBLE, UINT8])
def test_a_photo_is_answered_as_its_pixels_are(tmp_path: Path, form: Any, element: int) -> None:
    built = imported(tmp_path, classifier(*form, element=element), images=["x=12x16"])

    answered = predictions(tmp_path, [text(each) for each in PHOTOS])

    assert np.allclose(answered, means(), rtol=2e-3 if element == HALF else 1e-5)
    assert built.manifest["signature"]["inputs"] == [
        {"name": "x", "type": "image", "nullable": False, "shape": [-1, 1]}
    ]
    assert built.manifest["parity"]["state"] == "unverified"
    assert verify(built.directory)[1] == 3


@pytest.mark.parametrize("form", [NCHW, NHWC], ids=["NCHW", "NHWC"])
def test_pixels_are_scaled_and_normalised(tmp_path: Path, form: Any) -> None:
    imported(tmp_path, classifier(*form), images=[f"x=12x16,{NORMAL}"])

    answered = predictions(tmp_path, [text(each) for each in PHOTOS])

    assert np.allclose(answered, means(lambda p: (p / 255 - MEAN) / STD), atol=1e-5)


def test_the_channels_may_be_the_other_way_round(tmp_path: Path) -> None:
    imported(tmp_path, classifier(*NCHW), images=["x=12x16,mode=BGR,mean=1:2:3"])

    answered = predictions(tmp_path, [text(each) for each in PHOTOS])

    assert np.allclose(answered, means()[:, ::-1] - [1, 2, 3], rtol=1e-5)


@pytest.mark.parametrize("dims", [("batch", 192), ("batch", 12, 16), ("batch", 1, 12, 16)])
def test_grey_pictures_have_any_form(tmp_path: Path, dims: Any) -> None:
    nodes = [node("ReduceMean", "x", "y", axes=[-1], keepdims=0)]
    proto = graph(nodes, [value("x", FLOAT, dims)], [value("y", FLOAT, dims[:-1])])
    imported(tmp_path, proto, images=["x=12x16,mode=L"])

    answered = predictions(tmp_path, [text(each) for each in PHOTOS])

    grey = [seen(p.convert("L"), 12, 16).reshape(dims[1:]).mean(axis=-1) for p in PHOTOS]
    assert np.allclose(answered, grey, rtol=1e-5)


def test_a_graph_without_a_dimension_for_rows_is_run_one_by_one(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMean", "x", "m", axes=[1, 2], keepdims=0),
        node("Unsqueeze", "m zero", "y"),
    ]
    zero = {"zero": np.array([0])}
    proto = graph(nodes, [value("x", FLOAT, (3, 12, 16))], [value("y", FLOAT, (1, 3))], zero)
    imported(tmp_path, proto, images=["x=12x16"])

    assert np.allclose(predictions(tmp_path, [text(each) for each in PHOTOS]), means(), rtol=1e-5)


def test_sizes_that_are_free_are_fixed_and_the_layout_is_wanted(tmp_path: Path) -> None:
    proto = classifier(("batch", "c", "h", "w"), (2, 3))
    with pytest.raises(WrongUse, match="layout: expected NCHW or NHWC, since either fits"):
        imported(tmp_path, proto, images=["x=12x16"])

    imported(tmp_path, proto, images=["x=12x16,layout=NCHW"])

    assert np.allclose(predictions(tmp_path, [text(each) for each in PHOTOS]), means(), rtol=1e-5)


@pytest.mark.parametrize("listed", [False, True])
def test_photos_are_compared_with_the_frameworks_answers(tmp_path: Path, listed: bool) -> None:
    sample = photos.folder_of(tmp_path / "photos", PHOTOS)
    if listed:
        sample = tmp_path / "list.txt"
        sample.write_text("photos/000.png\nphotos/001.png\n\nphotos/002.png\n")
    given: dict[str, Any] = {"images": ["x=12x16"], "sample": sample}
    logits = means().astype(np.float32)

    built = imported(tmp_path, classifier(*NCHW), **given, expected={"logits": logits})

    assert built.manifest["parity"]["state"] == "verified"
    golden = json.loads((built.directory / "golden.json").read_bytes())
    assert golden["instances"] == [[text(each)] for each in PHOTOS]
    assert np.allclose(golden["answers"]["prediction"], means(), rtol=1e-6)
    with pytest.raises(Refusal, match="prediction"):
        imported(tmp_path, classifier(*NCHW), **given, expected={"logits": logits + 0.1})


def test_tensors_of_the_framework_are_compared_on_the_graph(tmp_path: Path) -> None:
    tensors = np.random.default_rng(0).normal(size=(30, 3, 12, 16)).astype(np.float32)
    given: dict[str, Any] = {"sample": {"x": tensors}, "images": [f"x=12x16,{NORMAL}"]}
    expected = {"logits": tensors.mean(axis=(2, 3))}

    built = imported(tmp_path, classifier(*NCHW), **given, expected=expected)

    parity = built.manifest["parity"]
    assert (parity["state"], parity["held_out_rows"]) == ("verified", 30)
    assert verify(built.directory)[1] == 3  # pictures that were drawn
    answered = predictions(tmp_path, [text(each) for each in PHOTOS])
    assert np.allclose(answered, means(lambda p: (p / 255 - MEAN) / STD), atol=1e-5)


def test_pictures_beside_numbers_are_texts_in_the_sample(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMean", "x", "m", axes=[2, 3], keepdims=0),
        node("Add", "m age", "logits"),
    ]
    inputs = [value("x", FLOAT, NCHW[0]), value("age", FLOAT, ("batch", 1))]
    proto = graph(nodes, inputs, [value("logits", FLOAT, ("batch", 3))])
    ages = np.array([[1], [2], [3]], np.float32)
    sample = {"x": np.array([text(e) for e in PHOTOS]), "age": ages}
    expected = {"logits": (means() + ages).astype(np.float32)}

    built = imported(tmp_path, proto, images=["x=12x16"], sample=sample, expected=expected)

    assert built.manifest["parity"]["state"] == "verified"
    assert list(built.manifest["statistics"]["columns"]) == ["age"]


def test_bad_pictures_are_located(tmp_path: Path) -> None:
    imported(tmp_path, classifier(*NCHW), images=["x=12x16"])

    rows = [[text(PHOTOS[0])], ["bm8gcGljdHVyZQ=="]]
    status, errors = ask(tmp_path, rows)

    assert (status, [(e["row"], e["column"]) for e in errors]) == (422, [(1, "x")])


# mistakes


def test_all_mistakes_are_said_at_once() -> None:
    wrong = "y=12x16,mode=CMYK,scale=big,mean=1:2,std=0:1:1,layout=CHW,resize=cubic,crop=1,odd"

    with pytest.raises(WrongUse) as caught:
        parse(["x", "x=12x16", "x=12x16", wrong])

    assert caught.value.message == (
        "--image: expected INPUT=HEIGHTxWIDTH, got 'x'; 'x' is there twice; "
        "'y': expected key=value, got 'odd'; "
        "'y': mode: expected one of RGB, BGR, L, got 'CMYK'; "
        "'y': scale: expected a number from -1e+06 to 1e+06, got 'big'; "
        "'y': layout: expected one of NCHW, NHWC, got 'CHW'; "
        "'y': resize: expected one of nearest, box, bilinear, hamming, bicubic, lanczos, "
        "got 'cubic'; "
        "'y': 'crop': expected one of mode, scale, mean, std, layout, resize; "
        "'y': mean: expected 3 numbers, or one, got 2; "
        "'y': std: expected numbers other than 0"
    )


def test_a_scale_of_0_is_refused() -> None:
    with pytest.raises(WrongUse) as caught:
        parse(["x=12x16,scale=0"])
    assert caught.value.message == (
        "--image: 'x': scale: expected a number other than 0, which makes all pictures alike"
    )


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (["z=12x16", "x=13x16"], "'z': expected the name of an input: x; 'x': expected an input of "
         "the shape (rows, 3, 13, 16) or (rows, 13, 16, 3), got (?, 3, 12, 16)"),
        (["x=12x16,mode=L"], "'x': expected an input of the shape (rows, 1, 12, 16) or (rows, 12, "
         "16, 1), got (?, 3, 12, 16)"),
        (["x=12x16,layout=NHWC"], "'x': expected an input of the shape (rows, 12, 16, 3), got "
         "(?, 3, 12, 16)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_graph_is_said(
    tmp_path: Path, images: list[str], message: str
) -> None:
    with pytest.raises(WrongUse) as caught:
        imported(tmp_path, classifier(*NCHW), images=images)

    assert caught.value.message == f"--image: {message}"


@pytest.mark.parametrize(
    ("element", "message"),
    [(INT64, "expected an input of floats or of uint8, got one of int64"),
     (UINT8, "scale: expected none, since the graph takes bytes (uint8)")],
)  # fmt: skip
def test_a_type_that_has_no_pixels_is_refused(tmp_path: Path, element: int, message: str) -> None:
    with pytest.raises(WrongUse) as caught:
        imported(tmp_path, classifier(*NCHW, element=element), images=["x=12x16,scale=2"])

    assert message in caught.value.message


def test_samples_that_are_no_pictures_are_named(tmp_path: Path) -> None:
    folder = photos.folder_of(tmp_path / "photos", PHOTOS)
    (folder / "a.jpg").write_bytes(b"no picture")
    (folder / "b.png").write_bytes(b"nor this")
    with pytest.raises(WrongUse, match=r"'a.jpg': .*; 'b.png': "):
        imported(tmp_path, classifier(*NCHW), images=["x=12x16"], sample=folder)
    (folder / "b.png").write_bytes(b"")
    with pytest.raises(WrongUse, match=r"--sample: expected pictures, got empty files: 'b.png'"):
        imported(tmp_path, classifier(*NCHW), images=["x=12x16"], sample=folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(WrongUse, match="expected 1 to 10000 pictures, got 0"):
        imported(tmp_path, classifier(*NCHW), images=["x=12x16"], sample=tmp_path / "none")
    with pytest.raises(WrongUse, match="has only pictures"):
        imported(tmp_path, classifier(*NCHW), sample=folder)


def test_the_command_takes_pictures(tmp_path: Path) -> None:
    path = save(tmp_path, classifier(*NCHW))
    command = ("import", path, "--name", "net", "--models", tmp_path / "models")

    ran = invoked(*command, "--image", f"x=12x16,{NORMAL},resize=bicubic")

    assert ran.exit_code == 0, ran.output
    assert "input       x: image [-1, 1]" in ran.output
    [entry] = json.loads((tmp_path / "models/net/1/manifest.json").read_bytes())["graph"]["inputs"]
    assert entry == {
        "name": "x",
        "dtype": "float32",
        "columns": ["x"],
        "image": {
            "height": 12, "width": 16, "mode": "RGB", "resize": "bicubic", "layout": "NCHW",
            "scale": 1 / 255, "mean": MEAN.tolist(), "std": STD.tolist(),
        },
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "BGR"])
def test_explanations_start_from_the_mean_of_the_samples_pictures(
    tmp_path: Path, mode: str
) -> None:
    sent = [picture(16, 12, seed) for seed in range(5)]
    sample = photos.folder_of(tmp_path / "photos", sent)
    form = [f"x=12x16,mode={mode},{NORMAL}"]
    built = imported(tmp_path, classifier(*NCHW), images=form, sample=sample)
    [[mean]] = json.loads((built.directory / "background.json").read_bytes())["instances"]
    with Image.open(io.BytesIO(base64.b64decode(mean))) as file:
        start = np.asarray(file, np.float64)
    every = np.array([seen(each, 12, 16) for each in sent])
    np.testing.assert_array_equal(start, every.mean(axis=0).round())

    answer = client_of(tmp_path).post("/models/net/explain", json={"instances": [[text(sent[1])]]})

    backwards = slice(None, None, 1 if mode == "RGB" else -1)
    apart = (every[1] - start)[..., backwards] / 255 / STD / (12 * 16)
    [explanation] = answer.get_json()["explanations"]
    assert explanation["contributions"]["x"] == pytest.approx(apart.sum(axis=(0, 1)), abs=1e-5)
    tiles = explanation["tiles"]["x"]
    assert (tiles["rows"], tiles["columns"]) == (7, 9)
    first = apart[: 12 // 7, : 16 // 9].sum(axis=(0, 1))
    assert tiles["contributions"][0][0] == pytest.approx(first, abs=1e-6)


def test_of_few_pictures_none_is_kept(tmp_path: Path) -> None:
    sample = photos.folder_of(tmp_path / "photos", PHOTOS)
    built = imported(tmp_path, classifier(*NCHW), images=["x=12x16"], sample=sample)

    [[grey]] = json.loads((built.directory / "background.json").read_bytes())["instances"]
    with Image.open(io.BytesIO(base64.b64decode(grey))) as file:
        assert file.getextrema() == ((128, 128),) * 3
