"""What a certificate says of the rows beside a row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.parity.batches import SAME, SIZES, batches
from onnxlet.convert.parity.certificate import batches_text
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict
from tests.convert.helpers import built

X, Y = load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def logistic(tmp_path_factory: pytest.TempPathFactory) -> Model:
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:200], Y[:200])
    return load_model(built(Source(fitted, X[200:]), tmp_path_factory.mktemp("l")).directory)


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Model:
    fitted = RandomForestClassifier(10, random_state=0).fit(X[:200], Y[:200])
    return load_model(built(Source(fitted, X[200:]), tmp_path_factory.mktemp("f")).directory)


def by_requests(model: Model, size: int) -> Array:
    """The probabilities of 300 rows, asked so many at a time in JSON."""
    rows = X[200:500].tolist()
    asked = [
        predict(model, native.from_object({"instances": rows[at : at + size]}))
        for at in range(0, len(rows), size)
    ]
    return np.concatenate([each.outputs["probabilities"] for each in asked])


def test_it_is_what_requests_show(logistic: Model, forest: Model) -> None:
    """One by one and together, as the first and the third of the sizes."""
    assert SIZES == (1, 7, 300, 4096)
    for model in (logistic, forest):
        alone, together = by_requests(model, 1), by_requests(model, 300)
        largest = float(np.abs(alone - together).max())
        said = model.manifest["parity"]["batches"]
        if said == SAME:
            assert alone.tobytes() == together.tobytes()
        else:
            assert list(said) == ["probabilities"]
            assert largest <= said["probabilities"] < 1e-14


def test_trees_do_not_depend_on_it(forest: Model) -> None:
    assert forest.manifest["parity"]["batches"] == SAME


@pytest.mark.parametrize("columns", [3, 5, 30])
def test_matrix_products_do_not_depend_on_it(columns: int, tmp_path: Path) -> None:
    """Three outputs. Multiplications and their sums, in place of products, would: of 3, of 5."""
    x, y = X[:, :columns], X[:, -3:] * np.pi
    linear = built(Source(LinearRegression().fit(x[:200], y[:200]), x[200:]), tmp_path)
    assert linear.manifest["parity"]["batches"] == SAME


class Crowded(Model):
    """Answers of more than so many rows are off; `labels` says whether labels change, too."""

    most, labels = 0, False

    def run(self, table: CheckedBatch, *more: Any, **most: Any) -> Mapping[str, Array]:
        outputs = dict(super().run(table, *more, **most))
        if table.rows > self.most:
            outputs["probabilities"] = outputs["probabilities"] + 2.0**-20
            if self.labels:
                outputs["prediction"] = 1 - outputs["prediction"]
        return outputs


@pytest.mark.parametrize("most", [1, 7, 300])
@pytest.mark.parametrize("labels", [False, True])
def test_a_difference_at_any_size_is_found(forest: Model, most: int, labels: bool) -> None:
    assert forest.directory is not None
    graph = (forest.directory / "model.onnx").read_bytes()
    crowded = Crowded("crowded", 1, forest.manifest, graph)
    crowded.most, crowded.labels = most, labels

    found = batches(crowded, X[200:].tolist())

    expected = {"probabilities": pytest.approx(2.0**-20), "prediction": 1.0}
    assert found == {name: expected[name] for name in expected if labels or name != "prediction"}


def test_what_a_build_prints() -> None:
    assert batches_text(SAME) == "each row has the same bits, whatever is beside it"
    assert batches_text({"score": 4.44e-16, "probabilities": 1.1e-16}) == (
        "a row's last digits depend on how many rows come with it: score by up to 4.4e-16, "
        "probabilities by up to 1.1e-16"
    )
