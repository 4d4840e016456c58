"""docs/how-to/import-images.md: the commands of its photos and boxes run, and its table is read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from onnxlet.convert.imported.settings import parse
from tests.conftest import ROOT
from tests.convert.helpers import invoked
from tests.convert.imported import photos
from tests.convert.imported.onnx_files import FLOAT, model, node, save_arrays, value
from tests.convert.imported.photos import picture, predictions, seen, text

TEXT = (ROOT / "docs" / "how-to" / "import-images.md").read_text()
COMMANDS = [shlex.split(line)[4:] for line in re.findall(r"^\.venv\S+ -m convert .*", TEXT, re.M)]
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
PHOTOS = [picture(300, 200, seed) for seed in range(2)]


def run(option: str) -> None:
    """Run the first command that has the option."""
    command = next(each for each in COMMANDS if option in each)
    ran = invoked("import", *command)
    assert ran.exit_code == 0, ran.output


def test_photos_are_answered_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    means = [((seen(p, 224, 224) / 255 - MEAN) / STD).mean(axis=(0, 1)) for p in PHOTOS]
    nodes = [node("ReduceMean", "pixels", "scores", axes=[2, 3], keepdims=0)]
    inputs = [value("pixels", FLOAT, ("n", 3, 224, 224))]
    proto = model(nodes, inputs, [value("scores", FLOAT, ("n", 3))])
    Path("things.onnx").write_bytes(proto.SerializeToString())
    photos.folder_of(Path("photos"), PHOTOS)
    save_arrays(Path("out.npz"), scores=np.array(means, np.float32))

    run("--image")

    assert np.allclose(predictions(tmp_path, [text(p) for p in PHOTOS]), means, atol=1e-5)


def test_objects_are_answered_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = np.zeros((1, 6, 10), np.float32)  # cx, cy, width, height, two classes
    found[0, :, 3] = [320, 160, 64, 32, 0.1, 0.9]
    found[0, :, 5] = [322, 160, 64, 32, 0.1, 0.8]
    nodes = [
        node("ReduceMean", "images", "mean", axes=[2, 3], keepdims=0),
        node("ReduceMean", "mean", "one", axes=[1], keepdims=1),
        node("Reshape", "one sizes", "one3"),
        node("Mul", "one3 zero", "none"),
        node("Add", "none found", "output0"),
    ]
    constants = {"sizes": np.array([-1, 1, 1]), "zero": np.zeros(1, np.float32), "found": found}
    inputs = [value("images", FLOAT, ("n", 3, 640, 640))]
    proto = model(nodes, inputs, [value("output0", FLOAT, ("n", 6, 10))], constants)
    Path("objects.onnx").write_bytes(proto.SerializeToString())
    Path("labels.txt").write_text("dog\nball\n")

    run("--boxes")

    [[box]] = predictions(tmp_path, [text(PHOTOS[0])])
    assert {name: part if name == "label" else round(part, 3) for name, part in box.items()} == {
        "label": "ball", "score": 0.9, "x": 135, "y": 45, "width": 30, "height": 10
    }  # fmt: skip


def test_the_detectors_options_are_read() -> None:
    rows = re.findall(r"^\| .* \| `(\S+(?:,\S+)+)` \|$", TEXT, re.MULTILINE)
    options = [each for each in rows if "," in each and "INPUT" not in each]

    assert len(options) == 7
    assert len({parse(each) for each in options}) == 7
