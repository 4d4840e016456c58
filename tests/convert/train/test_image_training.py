"""From photos in a folder to a model that answers a photo, with augmentation."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from onnxlet.convert import interface
from onnxlet.convert.report import FILES as REPORT
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.train import measured as measuring
from onnxlet.convert.train.ensemble import voting
from onnxlet.convert.train.preparing import Options, inspect_table
from onnxlet.convert.train.refit import ModelDestination
from onnxlet.convert.train.training import Trained, train
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse
from tests.convert.helpers import quiet, served
from tests.convert.images import digits, written
from tests.convert.train.tables import made

# Whole trainings: half a minute each on an idle core.
pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

ROWS, SIDE, SHIFT = 640, 20, 2


def placed(image: Array, down: int = 0, right: int = 0) -> Array:
    """A digit of 16 by 16 in the middle of a dark image of 20 by 20, or off it."""
    large = Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR)
    made = np.zeros((SIDE, SIDE), np.uint8)
    made[2 + down : 18 + down, 2 + right : 18 + right] = np.asarray(large)
    return made


class Digits(NamedTuple):
    """A training on photos of digits, and photos that it has not seen."""

    trained: Trained
    folder: Path
    photos: Array
    shifted: Array
    labels: Array


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    """The training: of photos in a folder, and a CSV file beside it that names them."""
    folder = tmp_path_factory.mktemp("digits")
    images, labels = digits()
    order = np.random.default_rng(1).permutation(len(images))  # its writers come one by one
    images, labels = images[order], labels[order]
    centred = np.stack([placed(image) for image in images[: ROWS + 300]])
    random = np.random.default_rng(0)
    shifts = random.integers(-SHIFT, SHIFT + 1, (300, 2))
    shifted = [placed(i, *s) for i, s in zip(images[ROWS : ROWS + 300], shifts, strict=True)]
    paths = written(folder / "photos", centred[:ROWS])
    names = [f"photos/{path.name}" for path in paths]
    frame = pd.DataFrame({"photo": names, "digit": [f"d{label}" for label in labels[:ROWS]]})
    frame.to_csv(folder / "digits.csv", index=False)
    options = Options(trials=5, augment=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "Measured", partial(Measured, seconds=1.0))
        to = ModelDestination("m", folder / "models")
        trained = train(str(folder / "digits.csv"), "digit", options, to, quiet)
    labelled = np.array([f"d{label}" for label in labels[ROWS : ROWS + 300]])
    return Digits(trained, folder, centred[ROWS:], np.stack(shifted), labelled)


def sent(images: Array) -> list[dict[str, str]]:
    made = []
    for image in images:
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        made.append({"photo": b64encode(buffer.getvalue()).decode()})
    return made


def answered(photos: Digits, images: Array) -> dict[str, Any]:
    client = served(photos.folder / "models")
    answer: dict[str, Any] = client.post("/predict", json={"instances": sent(images)}).get_json()
    return answer


def test_photos_over_http_are_answered_as_by_the_pipeline(photos: Digits) -> None:
    frame = pd.DataFrame({"photo": pd.Series(list(photos.photos), dtype=object)})
    estimator = photos.trained.served.combined.estimator

    answer = answered(photos, photos.photos)

    assert answer["classes"] == [f"d{digit}" for digit in range(10)]
    assert answer["prediction"] == estimator.predict(frame).tolist()
    expected = estimator.predict_proba(frame)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_a_large_photo_as_a_body_is_answered_as_its_small_one(photos: Digits) -> None:
    small = Image.fromarray(photos.photos[0])
    large = BytesIO()
    small.resize((SIDE * 10, SIDE * 10), Image.Resampling.NEAREST).save(large, "PNG")
    client = served(photos.folder / "models")
    answer = client.post("/predict", data=large.getvalue(), content_type="image/png").get_json()
    assert answer["prediction"] == answered(photos, photos.photos[:1])["prediction"]


def test_it_is_well_above_a_linear_model_of_the_pixels(photos: Digits) -> None:
    frame = pd.read_csv(photos.folder / "digits.csv")
    images = [np.asarray(Image.open(photos.folder / name)).ravel() for name in frame["photo"]]
    plain = LogisticRegression(max_iter=500).fit(np.array(images) / 255, frame["digit"])
    right, linear = {}, {}
    for name, seen in (("as trained on", photos.photos), ("shifted", photos.shifted)):
        given = np.array(answered(photos, seen)["prediction"])
        right[name] = float(np.mean(given == photos.labels))
        linear[name] = float(plain.score(seen.reshape(len(seen), -1) / 255, photos.labels))

    assert right["as trained on"] > max(0.96, linear["as trained on"])
    assert right["shifted"] > linear["shifted"] + 0.3


def test_with_copies_it_is_better_on_photos_that_are_shifted(photos: Digits) -> None:
    prepared = photos.trained.prepared
    X, y = prepared.train_part
    frame = pd.DataFrame({"photo": pd.Series(list(photos.shifted), dtype=object)})
    right = {}
    for name in ("kernel", "kernel, augmented"):
        chosen = [(_trial(photos.trained, name), 1.0)]
        pipeline = voting(chosen, X, y, "multiclass", prepared.metric, 0)
        right[name] = float(np.mean(pipeline.predict(frame) == photos.labels))
    assert right["kernel, augmented"] > right["kernel"] + 0.2, right


def _trial(trained: Trained, name: str) -> Any:
    return next(t for t in trained.searched.trials if t.candidate.name == name)


def test_the_report_says_what_copies_gained_on_the_same_folds(photos: Digits) -> None:
    directory = photos.trained.built.directory
    found = json.loads((directory / "report.json").read_text())

    about = found["search"]["augmentation"]
    kernel, copied = (
        _trial(photos.trained, name).score for name in ("kernel", "kernel, augmented")
    )
    assert {name: about[name] for name in ("copies", "shift", "noise")} == {
        "copies": 4, "shift": 2, "noise": 5.0,
    }  # fmt: skip
    assert about["compared"]["name"] in ("kernel", "linear")
    if about["compared"]["name"] == "kernel":
        assert np.allclose([about["compared"][k] for k in ("with", "without")], [copied, kernel])
    chosen = photos.trained.chosen
    weight = sum(w for t, w in chosen if t.candidate.name.endswith("augmented"))
    assert about["weight"] == pytest.approx(weight)
    for file in ("report.md", "report.html"):
        text = " ".join((directory / file).read_text().replace("\u00a0", " ").split())
        assert "4 copies of each training row, with images shifted by up to 2 pixels" in text
        assert "On the same folds the" in text
    [column] = found["data"]["columns"]
    assert column == {
        "name": "photo", "kind": "image", "used": True, "missing": 0, "distinct": ROWS,
        "why": "640 PNG; 20x20, mode L; seen at 20x20, in grey", "unit": None, "description": None,
    }  # fmt: skip


def test_no_photo_is_in_the_report_nor_in_the_manifest(photos: Digits) -> None:
    directory = photos.trained.built.directory
    files = [(directory / file).read_text() for file in (*REPORT, "manifest.json")]
    images = photos.trained.prepared.table.images["photo"].pixels
    for instance in sent(np.stack(list(images.values()))):
        assert not any(instance["photo"][60:] in file for file in files)


def test_copies_are_of_images_only(tmp_path: Path) -> None:
    frame = made(60).X.assign(target=made(60).targets["binary"])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(WrongUse, match="--augment: expected a column of images, got none"):
        inspect_table(str(tmp_path / "rows.csv"), "target", Options(augment=True), quiet)


def test_a_frame_is_trained_on_in_a_notebook(tmp_path: Path) -> None:
    images, labels = digits()
    photos = pd.Series([Image.fromarray(image) for image in images[:120]], dtype=object)
    frame = pd.DataFrame({"photo": photos, "odd": labels[:120] % 2 == 1})
    model = interface.train(frame, "odd", name="odd", models=tmp_path, trials=2, report=quiet)
    assert model.directory == tmp_path / "odd" / "1"
    assert len(model.predict(sent(images[120:130]))) == 10
