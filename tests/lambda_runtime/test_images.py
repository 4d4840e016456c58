"""Bundles with Pillow: pictures are the very pixels of this machine's, and the zip stays small."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_union

from onnxlet import Images
from onnxlet.convert.bundle.parts import MEGABYTE
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served
from tests.convert.images import encoded, faces, in_all_forms, noise
from tests.events import make_v2_event
from tests.lambda_runtime import harness
from tests.lambda_runtime.conftest import package
from tests.lambda_runtime.harness import Runtime
from tests.lambda_runtime.machines import Machine

# Two packages, one of them asked on an emulated processor.
pytestmark = [pytest.mark.lambda_runtime, pytest.mark.timeout(600)]

MOST = {"pixels": 31 * MEGABYTE, "iris": 26.8 * MEGABYTE}  # bytes of the zip, with Pillow, without


@pytest.fixture(scope="module")
def of_pixels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Images]:
    """A folder with one model, which answers the pixels that it was given; and its estimator."""
    folder = tmp_path_factory.mktemp("of pixels") / "models"
    images = list(faces()[0])
    union = make_union(Images(9, 8, "RGB", "lanczos"), Images(12, 10)).fit(images)
    built(Source(union, images[:50]), folder, "pixels")
    return folder, union


def test_pictures_are_the_same_pixels_on_both_processors(
    machine: Machine, of_pixels: tuple[Path, Images], tmp_path: Path
) -> None:
    models, estimator = of_pixels
    package(models, machine, tmp_path / "bundle.zip")
    folder = harness.unpack(tmp_path / "bundle.zip", tmp_path / "bundle")
    contents = [content for _, content in in_all_forms(60)]
    contents.append(encoded(noise(0, 480, 640), "JPEG", quality=90))
    event = {"instances": [[b64encode(content).decode()] for content in contents]}
    (tmp_path / "logs").mkdir()

    with Runtime(folder, machine, tmp_path / "logs") as runtime:
        answer = runtime.invoke(event).json()
        body = make_v2_event(
            method="POST", path="/predict", body=contents[-1],
            headers={"content-type": "image/jpeg"}, binary=True,
        )  # fmt: skip
        one = json.loads(runtime.invoke(body).json()["body"])

    np.testing.assert_array_equal(answer["prediction"], estimator.transform(contents))
    assert one["prediction"] == answer["prediction"][-1:]
    here = served(models).post("/predict", json=event).get_json()
    assert answer["prediction"] == here["prediction"]


@pytest.mark.parametrize("name", MOST)
def test_the_zip_for_arm64_is_small(
    name: str, of_pixels: tuple[Path, Images], models: Path, tmp_path: Path
) -> None:
    machine, archive = Machine("aarch64", "3.13", []), tmp_path / "bundle.zip"
    package(of_pixels[0] if name == "pixels" else models, machine, archive, "--model", name)

    assert archive.stat().st_size <= MOST[name]
