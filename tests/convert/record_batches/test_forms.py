"""Answers that are lists, texts, boxes or of sizes that vary, and columns of images."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from onnxlet.convert.build import build
from onnxlet.convert.estimators.summary import Summary
from onnxlet.convert.examples.summary import articles
from onnxlet.convert.imported.import_onnx import import_onnx
from onnxlet.convert.record_batches.scorer import AnswerOptions, Scorer
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.model import load_model
from tests.conftest import quiet
from tests.convert.imported import photos, test_boxes, test_sequences_of_text
from tests.convert.imported.importing import imported
from tests.convert.imported.onnx_files import save
from tests.convert.imported.sequences import encoder
from tests.convert.record_batches.as_http import answered_by_http, check, served
from tests.function import image_models, near
from tests.kept_builds import kept_builds


@pytest.fixture(scope="session")
def nearest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept_builds(near.sources(), tmp_path_factory.mktemp("nearest"))


@pytest.mark.parametrize("name", near.sources())
@pytest.mark.parametrize("k", [None, 2, 7])
def test_nearest(nearest: Path, name: str, k: int | None) -> None:
    model, rows = load_model(nearest / name / "1"), near.sources()[name].X_test
    frame = (
        rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, columns=["x0", "x1", "x2"])
    )
    batch = pa.RecordBatch.from_pandas(frame, preserve_index=False)

    if k and model.k is None:
        with pytest.raises(WrongUse, match="answers no list of items"):
            Scorer(model, batch.schema, AnswerOptions(k=k))
        return
    found = check(model, batch, AnswerOptions(k=k)).columns
    if model.k is not None:
        assert found["prediction"].value_lengths().to_pylist()[0] == (k or model.k["default"])


@pytest.mark.parametrize(
    ("name", "width", "wanted", "said"),
    [
        ("plain", 3, AnswerOptions(k=1000), "at most"),
        ("iris", 4, AnswerOptions(coverage=0.999), "needs at least 999 held-out rows"),
    ],
)
def test_more_than_there_is(
    nearest: Path, models: Path, name: str, width: int, wanted: AnswerOptions, said: str
) -> None:
    model = load_model((nearest if name == "plain" else models) / name / "1")
    with pytest.raises(WrongUse, match=said):
        Scorer(model, pa.schema([(f"x{n}", pa.float64()) for n in range(width)]), wanted)


def test_lists_of_any_length(tmp_path: Path) -> None:
    built = import_onnx(save(tmp_path, encoder()), "net", tmp_path / "models", quiet)
    random = np.random.default_rng(0)
    ids = [random.integers(0, 50, n).tolist() for n in (3, 1, 7, 3, 40, 7)]
    mask = [[1] * len(row) for row in ids]
    batch = pa.record_batch({"mask": mask, "ids": ids})
    wrong = pa.record_batch({"ids": [*ids, [1, 2], None, ["x"] * 0], "mask": [*mask, [1], [1], []]})

    assert not check(load_model(built.directory), batch).problems
    assert check(load_model(built.directory), wrong).bad == [6, 7, 8]


def test_boxes_in_pictures(tmp_path: Path) -> None:
    images, boxes = [test_boxes.IMAGE], test_boxes.OPTION
    built = imported(tmp_path, test_boxes.detector(), images=images, boxes=boxes)
    batch = pa.record_batch({"x": [photos.text(picture) for picture in test_boxes.PHOTOS]})

    found = check(load_model(built.directory), batch)

    assert {"label", "score", "x", "y", "width", "height"} == set(
        found.columns["prediction"].to_pylist()[0][0]
    )


@pytest.mark.long
def test_summaries(tmp_path: Path) -> None:
    texts = [text for text, _ in articles()]
    fitted = Summary(3).fit(texts)
    model = load_model(build(Source(fitted, texts), "summary", tmp_path, quiet).directory)
    [column] = model.signature.columns
    batch = pa.record_batch({column.name: [*texts[:5], "", None, "One only"]})

    found = check(model, batch).columns

    assert found.schema.field("prediction").type == pa.list_(pa.string())
    assert found["prediction"].to_pylist()[-1] == ["One only"]


def test_texts_answered_with_texts(tmp_path: Path) -> None:
    pair = test_sequences_of_text.PAIRS["stepwise"]
    model = load_model(test_sequences_of_text.imported(tmp_path, *pair).directory)
    texts = [*test_sequences_of_text.TEXTS, None, ""]
    batch = pa.record_batch({"text": pa.array(texts).dictionary_encode()})

    found = check(model, batch).columns

    assert found["prediction"].to_pylist()[:-2] == [
        text for text, _ in test_sequences_of_text.EXPECTED
    ]


@pytest.mark.parametrize("kind", ["text", "bytes", "struct"])
def test_images(tmp_path: Path, kind: str) -> None:
    image_models.add_model(tmp_path, "photos", ["age"])
    model = load_model(tmp_path / "photos" / "1")
    pictures = [image_models.picture(n) for n in range(3)] + [b"no picture", None]
    texts = [None if p is None else base64.b64encode(p).decode() for p in pictures]
    ages = [1.0, 2.0, None, 4.0, 5.0]
    as_text = pa.record_batch({"photo": texts, "age": ages})
    given: dict[str, Any] = {
        "text": pa.array(texts),
        "bytes": pa.array(pictures, pa.large_binary()),
        "struct": pa.array([{"bytes": p, "path": "a.png"} for p in pictures]),
    }
    batch = pa.record_batch({"photo": given[kind], "age": ages})

    expected = check(model, as_text)
    found = Scorer(model, batch.schema).answer(batch)

    assert found.columns.equals(expected.columns)
    assert (found.problems, found.bad) == (expected.problems, [2, 3, 4])
    assert Scorer(model, batch.schema).rows_at_once == model.signature.rows_at_once
    assert found.columns["prediction"][1].as_py() == image_models.mean(pictures[1] or b"") + 2


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float32(), 4)])
@pytest.mark.parametrize("start", [0, 2])
def test_one_column_of_lists(models: Path, kind: Any, start: int) -> None:
    model = load_model(models / "iris" / "1")
    rows = [[5.0, 3.5, 1.5, 0.25], None, [6, 3, None, 2], [5.5, 2.5, 4.0, 1.25], [7, 3, 5, 2]]
    if kind == pa.list_(pa.float64()):
        rows += [[], [1, 2, 3], [1, 2, 3, 4, 5]]
    batch = pa.record_batch({"other": range(len(rows)), "input": pa.array(rows, kind)}).slice(start)
    client = served(models)

    scorer = Scorer(model, batch.schema)
    found = scorer.answer(batch)

    expected, problems, count = answered_by_http(
        client, model, rows[start:], AnswerOptions(), scorer.schema
    )
    assert scorer.needed == ["input"]
    assert found.columns.equals(expected)
    assert (found.problems, found.problem_count) == (problems, count)
