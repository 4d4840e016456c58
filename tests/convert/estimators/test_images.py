"""Images takes images in every form, as a transformer of scikit-learn's, and says what is off."""

from __future__ import annotations

import pickle
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

from onnxlet import Images
from tests.convert.helpers import objects
from tests.convert.images import digits, encoded, faces, noise, written

DIGITS = digits()[0][:12]
EXPECTED = DIGITS.reshape(12, 64).astype(np.float64)


def as_pillow() -> list[Image.Image]:
    return [Image.fromarray(image) for image in DIGITS]


def as_bytes() -> list[bytes]:
    return [encoded(image) for image in as_pillow()]


def as_texts() -> list[str]:
    return [b64encode(content).decode() for content in as_bytes()]


FORMS: dict[str, Callable[[Path], Any]] = {
    "numbers": lambda folder: DIGITS,
    "numbers with a channel": lambda folder: DIGITS[..., np.newaxis],
    "grey numbers in colors": lambda folder: np.repeat(DIGITS[..., np.newaxis], 3, axis=3),
    "a list of arrays": lambda folder: list(DIGITS),
    "Pillow": lambda folder: as_pillow(),
    "bytes": lambda folder: as_bytes(),
    "bytes in an array": lambda folder: objects(as_bytes()).to_numpy(),
    "bytes in a column": lambda folder: objects(as_bytes()).to_numpy().reshape(-1, 1),
    "bytes in a Series": lambda folder: objects(as_bytes()),
    "bytes in a frame": lambda folder: pd.DataFrame({"photo": objects(as_bytes())}),
    "rows of one": lambda folder: [[content] for content in as_bytes()],
    "base64": lambda folder: as_texts(),
    "data: URLs": lambda folder: [f"data:image/png;base64,{text}" for text in as_texts()],
    "paths": lambda folder: written(folder, DIGITS),
    "paths as text": lambda folder: [str(path) for path in written(folder, DIGITS)],
    "several forms": lambda folder: [*as_bytes()[:4], *as_texts()[4:8], *as_pillow()[8:]],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_images_in_every_form_are_the_same_numbers(
    form: Callable[[Path], Any], tmp_path: Path
) -> None:
    made = Images(8, 8).fit_transform(form(tmp_path))

    assert made.dtype == np.float64
    np.testing.assert_array_equal(made, EXPECTED)


def test_colors_are_side_by_side_for_each_pixel() -> None:
    image = noise(1, 6, 5)

    made = Images(6, 5, "RGB").fit_transform([image])

    np.testing.assert_array_equal(made, np.asarray(image).reshape(1, 90))


@pytest.mark.parametrize("resize", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
def test_sizes_are_made_by_the_filters_of_pillow(resize: str) -> None:
    images = [noise(seed, 11 + seed, 30 - seed) for seed in range(5)]
    resample = Image.Resampling[resize.upper()]
    expected = [np.asarray(p.resize((7, 9), resample)).reshape(-1) for p in images]

    made = Images(9, 7, "RGB", resize).fit_transform(images)

    np.testing.assert_array_equal(made, np.array(expected, dtype=np.float64))


def test_an_image_of_pillow_keeps_its_orientation() -> None:
    image = noise(2, 4, 9)
    exif = image.getexif()
    exif[0x0112] = 6  # seen, it is turned by a quarter
    with Image.open(BytesIO(encoded(image, "PNG", exif=exif))) as opened:
        made = Images(9, 4, "RGB").fit_transform([opened])

    np.testing.assert_array_equal(made[0], np.rot90(np.asarray(image), -1).ravel())


@pytest.mark.parametrize("mode", ["CMYK", "LAB", "I;16", "P", "1", "RGBA", "LA"])
def test_pillow_s_other_modes_are_as_their_files(mode: str) -> None:
    plain = noise(3, 8, 8)
    image = (
        Image.fromarray(np.asarray(plain.convert("L"), dtype=np.uint16) * 257)
        if mode == "I;16"
        else plain.convert("RGBA").convert(mode)
        if mode == "LA"
        else plain.convert(mode)
    )
    form = "TIFF" if mode in ("CMYK", "LAB") else "PNG"

    images = Images(8, 8, "RGB").fit([image])

    np.testing.assert_array_equal(
        images.transform([image]), images.transform([encoded(image, form)])
    )


def test_it_is_a_transformer_as_others_are() -> None:
    images = Images(height=8, width=4, mode="RGB", resize="box")

    assert clone(images).get_params() == {
        "height": 8, "width": 4, "mode": "RGB", "resize": "box",
    }  # fmt: skip
    with pytest.warns(UserWarning, match="Can't test estimator Images"):
        check_estimator(images)


@pytest.mark.parametrize("module", [pickle, cloudpickle], ids=lambda module: module.__name__)
def test_it_is_pickled(module: Any) -> None:
    images = module.loads(module.dumps(Images(8, 8).fit(DIGITS)))

    np.testing.assert_array_equal(images.transform(DIGITS), EXPECTED)


def test_names_are_those_of_column_row_and_channel() -> None:
    frame = pd.DataFrame({"photo": objects(as_bytes()).to_numpy()}, index=range(5, 17))

    named = Images(1, 2, "RGB").set_output(transform="pandas").fit_transform(frame)

    assert named.columns.tolist() == [
        "photo_0_0_red", "photo_0_0_green", "photo_0_0_blue",
        "photo_0_1_red", "photo_0_1_green", "photo_0_1_blue",
    ]  # fmt: skip
    assert named.index.tolist() == list(range(5, 17))
    assert Images(2, 1).fit(DIGITS).get_feature_names_out().tolist() == ["x0_0_0", "x0_1_0"]


def test_a_search_may_try_sizes() -> None:
    images, labels = digits()
    search = GridSearchCV(
        make_pipeline(Images(2, 2), SVC()), {"images__height": [2, 8], "images__width": [2, 8]}
    )

    search.fit(images[:100], labels[:100])

    assert search.best_params_ == {"images__height": 8, "images__width": 8}


def test_all_wrong_parameters_are_named() -> None:
    images = Images(0, 2.5, "CMYK", "smooth")  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="height: expected a whole number") as error:
        images.fit(DIGITS)

    assert str(error.value) == (
        "height: expected a whole number of pixels, 1 or more, got 0; "
        "width: expected a whole number of pixels, 1 or more, got 2.5; "
        "mode: expected one of L, RGB, got 'CMYK'; resize: expected one of nearest, box, bilinear, "
        "hamming, bicubic, lanczos, got 'smooth'"
    )


def test_every_row_that_is_no_image_is_named(tmp_path: Path) -> None:
    rows = [
        as_bytes()[0],
        None,
        b"no image",
        tmp_path / "none.png",
        "none.png",
        3.5,
        float("nan"),
    ]

    with pytest.raises(ValueError, match="6 of 7 images can't be read") as error:
        Images(8, 8).fit_transform(rows)

    said = str(error.value).split("; ")
    assert "row 1: " in said[0]
    assert "got a missing value" in said[0]
    assert "row 2: " in said[1]
    assert said[2] == f"row 3: '{tmp_path / 'none.png'}': No such file or directory"
    assert said[3].startswith("row 4: there is no file 'none.png', and as text: ")
    assert said[4].startswith("row 5: ")
    assert said[5] == "and 1 more"


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (
            DIGITS.reshape(12, 64),
            r"expected one column of images, .* got shape \(12, 64\): Images is the first",
        ),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "expected one column of images, got 2: a, b"),
        (b"one", "expected a column of images, got one bytes"),
        (Path("one.png"), "got one PosixPath"),
        (3, "got one int"),
    ],
)
def test_what_is_no_column_of_images_is_refused(X: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Images(8, 8).fit(X)


def test_shares_of_one_are_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"got float64: shares of 1 are \(255 \* X\)"):
        Images(25, 25).fit_transform(faces()[0] / 255)
