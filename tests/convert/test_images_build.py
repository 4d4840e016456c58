"""Models of images: built, proven, served with the very pixels that they were trained on."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode, b64encode
from collections.abc import Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from onnxlet import Images
from onnxlet.convert.build import Built
from onnxlet.convert.directory import golden
from onnxlet.convert.directory.background import background_file
from onnxlet.convert.directory.golden import choose_golden, verify
from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import ModelError
from onnxlet.function.models.model import load_model
from tests.convert.helpers import built, objects, served
from tests.convert.images import digits, encoded, faces, in_all_forms


def text(content: bytes) -> str:
    return b64encode(content).decode()


def png(image: Any) -> bytes:
    return encoded(Image.fromarray(image))


def answered(folder: Path, rows: Sequence[Any], path: str = "/predict") -> dict[str, Any]:
    response = served(folder).post(path, json={"instances": rows})
    assert response.status_code == 200, response.get_data(as_text=True)
    found: dict[str, Any] = response.get_json()
    return found


def test_500_images_are_served_bit_for_bit(tmp_path: Path) -> None:
    real = [png(image) for image in (*faces()[0], *digits()[0][:150])]
    made = [content for _, content in in_all_forms(150)]
    model = make_union(Images(9, 8), Images(12, 10, "RGB", "lanczos")).fit(real)
    built(Source(model, real[::5]), tmp_path)

    answer = answered(tmp_path, [[text(content)] for content in [*real, *made]])

    got = np.array(answer["prediction"])
    assert got.shape == (500, 72 + 360)
    np.testing.assert_array_equal(got, model.transform([*real, *made]))


def test_a_plain_pipeline_on_arrays_is_built_and_verified(tmp_path: Path) -> None:
    images, labels = digits()
    model = Pipeline(
        [
            ("images", Images(8, 8)),
            ("scale", StandardScaler()),
            ("pca", PCA(16, random_state=0)),
            ("classify", SVC()),
        ]
    ).fit(images[:1000], labels[:1000])
    source = Source(model, images[1000:1400], labels[1000:1400], images[:1000])
    made = built(source, tmp_path)

    answer = answered(tmp_path, [[text(png(image))] for image in images[1400:1500]])

    assert answer["prediction"] == model.predict(images[1400:1500]).tolist()
    assert verify(made.directory)[1] == golden.GOLDEN_ROWS
    manifest = made.manifest
    assert manifest["metrics"]["accuracy"]["model"] > 0.9
    assert manifest["versions"]["pillow"] == version("pillow")
    assert manifest["parity"]["hard_rows"] > 200
    assert manifest["statistics"]["columns"] == {"x0": {"missing": 0, "distinct": 1000}}
    [entry] = manifest["graph"]["inputs"]
    assert entry == {
        "name": entry["name"], "dtype": "uint8", "columns": ["x0"],
        "image": {"height": 8, "width": 8, "mode": "L", "resize": "bilinear"},
    }  # fmt: skip
    assert manifest["signature"]["inputs"] == [
        {
            "name": "input", "type": "image", "shape": [-1, 1],
            "columns": [{"name": "x0", "nullable": False}],
        }
    ]  # fmt: skip


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Faces beside numbers with a gap and categories."""
    random = np.random.default_rng(0)
    forms = ("PNG", "JPEG", "WEBP")
    return pd.DataFrame(
        {
            "photo": objects(
                [
                    encoded(Image.fromarray(image), forms[row % 3])
                    for row, image in enumerate(faces()[0])
                ]
            ),
            "age": np.where(np.arange(200) % 50 == 7, np.nan, random.normal(40, 10, 200)),
            "town": random.choice(["Bonn", "Kiel", "Ulm"], 200),
        }
    )


@pytest.fixture(scope="module")
def mixed(frame: pd.DataFrame) -> Any:
    columns = make_column_transformer(
        (make_pipeline(Images(12, 12), PCA(8, random_state=0), StandardScaler()), ["photo"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age"]),
        (OneHotEncoder(handle_unknown="ignore"), ["town"]),
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, faces()[1])


@pytest.fixture(scope="module")
def of_mixed(frame: pd.DataFrame, mixed: Any, tmp_path_factory: pytest.TempPathFactory) -> Built:
    source = Source(mixed, frame[::2], faces()[1][::2], frame)
    return built(source, tmp_path_factory.mktemp("mixed"))


def test_images_beside_columns_are_served(frame: pd.DataFrame, mixed: Any, of_mixed: Built) -> None:
    rows = [
        {"photo": text(photo), "age": None if age != age else age, "town": town}
        for photo, age, town in frame.itertuples(index=False)
    ]

    answer = answered(of_mixed.directory.parents[1], rows)

    assert answer["prediction"] == mixed.predict(frame).tolist()
    np.testing.assert_allclose(answer["probabilities"], mixed.predict_proba(frame), atol=1e-6)
    inputs = of_mixed.manifest["signature"]["inputs"]
    assert [(each["name"], each["type"], each["nullable"]) for each in inputs] == [
        ("photo", "image", False), ("age", "float64", True), ("town", "string", True),
    ]  # fmt: skip


def test_an_image_that_can_t_be_read_is_refused_by_row_and_column(
    frame: pd.DataFrame, of_mixed: Built
) -> None:
    photo = text(frame["photo"][0])
    rows = [{"photo": one, "age": 1.0, "town": "Ulm"} for one in (photo, "AAAA", "no")]

    response = served(of_mixed.directory.parents[1]).post("/predict", json={"instances": rows})

    assert response.status_code == 422
    errors = response.get_json()["errors"]
    assert [(each["row"], each["column"]) for each in errors] == [(1, "photo"), (2, "photo")]


@pytest.mark.long
def test_two_sizes_of_one_column_are_two_inputs_and_equal_ones_are_one(tmp_path: Path) -> None:
    images = [png(image) for image in faces()[0]]
    union = make_union(
        Images(4, 4), make_pipeline(Images(8, 8), PCA(3)), make_pipeline(Images(4, 4), PCA(2))
    )
    model = make_pipeline(union, GaussianNB()).fit(images, faces()[1])
    manifest = built(Source(model, images), tmp_path).manifest

    sizes = [(each["image"]["height"], each["columns"]) for each in manifest["graph"]["inputs"]]
    assert sorted(sizes) == [(4, ["x0"]), (8, ["x0"])]


@pytest.mark.long
def test_a_function_of_pixels_follows(tmp_path: Path) -> None:
    images = faces()[0]
    model = make_pipeline(
        Images(10, 10), FunctionTransformer(lambda X: np.sqrt(X / 255.0)), GaussianNB()
    ).fit(images, faces()[1])
    built(Source(model, images[::3]), tmp_path)

    answer = answered(tmp_path, [[text(png(image))] for image in images])

    assert answer["prediction"] == model.predict(images).tolist()


def background(directory: Path) -> list[Any]:
    found: list[Any] = json.loads((directory / "background.json").read_bytes())["instances"]
    return found


def pixels_of(one: str) -> Any:
    return np.asarray(Image.open(BytesIO(b64decode(one))))


def test_explanations_start_from_the_mean_of_all_images(
    frame: pd.DataFrame, of_mixed: Built
) -> None:
    rows = background(of_mixed.directory)

    seen = Images(12, 12).fit_transform(frame["photo"]).mean(axis=0).round()
    assert len(rows) == 50
    assert {row[0] for row in rows} == {rows[0][0]}
    np.testing.assert_array_equal(pixels_of(rows[0][0]).ravel(), seen)


def test_training_rows_that_are_kept_have_it_instead_of_theirs(
    frame: pd.DataFrame, mixed: Any, of_mixed: Built
) -> None:
    model = load_model(of_mixed.directory)
    inputs, X = read_inputs(frame, images=True)
    made = background_file(model, inputs.rows(X), "X_train", keep=5)

    assert made is not None
    rows = json.loads(made[1])["instances"]
    assert {row[0] for row in rows} == {background(of_mixed.directory)[0][0]}
    assert [row[2] for row in rows] == frame["town"].iloc[[0, 49, 99, 149, 199]].tolist()


def test_of_large_images_there_are_few_rows(
    frame: pd.DataFrame, of_mixed: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(of_mixed.directory)
    inputs, X = read_inputs(frame, images=True)
    characters = len(background(of_mixed.directory)[0][0])
    for most, rows in ((9 * characters, 9), (characters, 5)):
        monkeypatch.setattr("onnxlet.convert.directory.background.MOST_IMAGES", most)
        made = background_file(model, inputs.rows(X), "X_train")
        assert made is not None
        assert made[0]["rows"] == rows


def test_of_few_images_they_start_from_grey(tmp_path: Path) -> None:
    images = list(faces()[0][:4])
    made = built(Source(Images(3, 5, "RGB").fit(images), images), tmp_path)

    [[one]] = background(made.directory)

    np.testing.assert_array_equal(pixels_of(one), np.full((3, 5, 3), 128))


def test_golden_rows_are_the_smallest_where_images_are_large() -> None:
    rows = [["x" * (100_000 * (1 + row % 10)), row] for row in range(100)]
    expected = {"prediction": np.arange(100)}

    found = choose_golden(rows, expected, np.zeros(100, dtype=bool))

    sizes = [len(row[0]) for row in found["instances"]]
    assert sorted(sizes) == [100_000] * 10 + [200_000] * 5
    assert found["answers"]["prediction"] == [row[1] for row in found["instances"]]
    alone = choose_golden([["x" * 3_000_000]], {"prediction": np.arange(1)}, np.array([False]))
    assert len(alone["instances"]) == 1


def test_an_unreadable_image_among_the_held_out_ones_is_named(
    frame: pd.DataFrame, mixed: Any, tmp_path: Path
) -> None:
    photos = frame["photo"].tolist()[:20]
    photos[3] = photos[3][:60]
    broken = frame[:20].assign(photo=objects(photos))

    with pytest.raises(Refusal, match="1 of 20 images can't be read: row 3: ") as refusal:
        built(Source(mixed, broken), tmp_path)

    assert "X_test" in refusal.value.message
    assert refusal.value.hint == "Mend these images, or leave such rows out of X_test."


def test_pixels_as_columns_are_refused_before_an_image_is_read(tmp_path: Path) -> None:
    images = faces()[0]
    flat = FunctionTransformer(lambda X: np.asarray(X).reshape(len(X), -1))
    model = make_pipeline(flat, GaussianNB()).fit(images, faces()[1])

    with pytest.raises(Refusal, match="no step of the estimator reads them"):
        built(Source(model, images), tmp_path)


def test_another_filter_than_the_fitted_one_would_be_noticed(
    of_mixed: Built, tmp_path: Path
) -> None:
    """A model directory proves by its golden rows that its images are read as at its build."""
    directory = shutil.copytree(of_mixed.directory, tmp_path / "m" / "1")
    path = directory / "manifest.json"
    path.write_text(path.read_text().replace('"bilinear"', '"nearest"'))

    with pytest.raises(ModelError, match="answers are not scikit-learn's"):
        verify(directory)
